//! Names and scenario texts that the tests of scenario files share.
use std::{collections::BTreeMap, sync::Arc};

use onceproof::scenario::{Catalog, HandlerEntry, Input, ServiceEntry};
use onceproof::system::ConfigError;
use serde_json::Value;

pub(crate) fn names(names: &[(&str, &str)]) -> BTreeMap<String, String> {
    names.iter().map(|(name, summary)| ((*name).to_owned(), (*summary).to_owned())).collect()
}

pub(crate) fn service(
    keyed: bool,
    handlers: &[(&str, HandlerEntry)],
    bugs: &[&str],
) -> ServiceEntry {
    let mut variants = names(&[("reference", "as it should be")]);
    variants.extend(bugs.iter().map(|bug| ((*bug).to_owned(), "a planted bug".to_owned())));
    let handlers =
        handlers.iter().map(|(name, handler)| ((*name).to_owned(), handler.clone())).collect();
    ServiceEntry { keyed, handlers, variants, ..ServiceEntry::default() }
}

/// An input like `{ "amountCents": 100, "currency": "USD" }`.
pub(crate) fn payment_input(body: &Value) -> Result<(), String> {
    let object = body.as_object().ok_or("expected an object")?;
    if let Some(name) =
        object.keys().find(|name| !["amountCents", "currency"].contains(&name.as_str()))
    {
        return Err(format!("unknown field `{name}`, expected `amountCents` or `currency`"));
    }
    match object.get("amountCents") {
        None => Err("missing field `amountCents`".to_owned()),
        Some(amount) if amount.is_i64() => Ok(()),
        Some(_) => Err("`amountCents` must be a whole number".to_owned()),
    }
}

pub(crate) fn catalog() -> Catalog {
    let none = HandlerEntry::default;
    let input = || HandlerEntry { input: Input::Needed, ..HandlerEntry::default() };
    let checked = HandlerEntry {
        input: Input::Needed,
        check_input: Some(Arc::new(|body| payment_input(body).map_err(ConfigError::new))),
        ..HandlerEntry::default()
    };
    let services = [
        (
            "PaymentService",
            service(
                true,
                &[("CreatePayment", checked), ("GetPayment", none()), ("RefundPayment", input())],
                &["charge-without-key", "key-per-attempt"],
            ),
        ),
        (
            "PaymentProcessor",
            service(
                true,
                &[("makePayment", input()), ("cancelPayment", none()), ("getStatus", none())],
                &["no-refund-on-cancel"],
            ),
        ),
        ("Account", service(true, &[("balance", none())], &[])),
        ("Clock", service(false, &[("tick", none())], &[])),
    ];
    let shop = onceproof_shop::subject().catalog().expect("the services answer discovery");
    Catalog {
        services: services.into_iter().map(|(name, s)| (name.to_owned(), s)).collect(),
        revisions: BTreeMap::new(),
        invariants: names(&[
            ("charged_at_most_once", "no payment is charged twice"),
            ("refunded_at_most_once", "no payment is refunded twice"),
            ("no_journal_mismatch", "replay repeats what was recorded"),
        ]),
        systems: shop.systems,
        short_forms: shop.short_forms,
    }
}

/// A valid scenario but for `extra`, which is added to it.
pub(crate) fn scenario(extra: &str) -> String {
    format!(
        r#"{{
  "title": "a payment",
  "steps": [{{ "id": "pay", "call": "PaymentService/p-1/GetPayment" }}],
  {extra}
}}"#
    )
}

/// A valid scenario but for `extra`, which is added to its step.
pub(crate) fn step(extra: &str) -> String {
    steps(&format!(r#"{{ "id": "pay", {extra} }}"#))
}

/// A step that gets a payment, with `extra`.
pub(crate) fn get(extra: &str) -> String {
    step(&format!(r#""call": "PaymentService/p-{{i}}/GetPayment", {extra}"#).replace("{i}", "1"))
}

pub(crate) fn steps(steps: &str) -> String {
    format!("{{\n  \"title\": \"a payment\",\n  \"steps\": [\n    {steps}\n  ]\n}}")
}

/// The value in a scenario file: comments and trailing commas left out; none if it is no JSON even so.
pub(crate) fn values_of(text: &str) -> Option<Value> {
    let (mut plain, mut rest) = (String::new(), text);
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '"' => {
                let mut escaped = false;
                let end = rest[1..].find(|c| {
                    let is_end = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    is_end
                })?;
                plain.push_str(&rest[..end + 2]);
                end + 2
            }
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/")? + 2,
            '}' | ']' => {
                plain.truncate(plain.trim_end().trim_end_matches(',').len());
                plain.push(c);
                1
            }
            _ => {
                plain.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    serde_json::from_str(&plain).ok()
}

/// An independent validator of the JSON schema of the shop's scenario files.
pub(crate) fn validator() -> jsonschema::Validator {
    let schema = onceproof_shop::subject().scenario_schema().expect("it answers discovery");
    jsonschema::draft202012::new(&schema).expect("it is a schema of 2020-12")
}

/// What the validator says of `value`.
pub(crate) fn schema_errors(validator: &jsonschema::Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|e| format!("{} at {}", e, e.instance_path())).collect()
}
