//! Reads a value whose type belongs to a domain: a system's configuration, a short form of opening state.
//!
//! Names, booleans and probabilities are checked with the type's JSON schema, all at once; the rest by the type
//! itself, which says one thing at a time.
//!
//! Must not know: any domain.

use serde_json::Value;

use super::{
    diagnostic::Diagnostic,
    durations,
    reader::{MILLIS, Reader, unquoted},
    schema::Schema,
    suggest,
    syntax::{Kind, Member, Node},
    vocabulary::Form,
};
use crate::system::ConfigError;

/// Reports what the schema alone tells of `node`, which is at `path` of `owner`.
pub(crate) fn look(
    reader: &mut Reader,
    node: &Node,
    schema: Schema<'_>,
    owner: &str,
    path: &[&str],
) {
    let in_ms = path.last().is_some_and(|name| name.ends_with("_ms"));
    match &node.kind {
        // Whether there may be no value is for the type to say.
        Kind::Null => {}
        _ if schema.is_rate() => {
            reader.rate(node);
        }
        _ if schema.is_boolean() => {
            reader.boolean(node);
        }
        _ if schema.is_whole() && in_ms => {
            reader.whole(node, MILLIS);
        }
        Kind::Array(values) => {
            let items = schema.items();
            for value in values {
                items.into_iter().for_each(|items| look(reader, value, items, owner, path));
            }
        }
        Kind::Object(members) => {
            let (what, fields) = (place(owner, path), schema.named());
            let form = Form { what: &what, fields: &fields, open: schema.is_open() };
            for member in members {
                let name = member.name.value.as_str();
                match schema.field(name) {
                    Some(field) => {
                        look(reader, &member.value, field, owner, &[path, &[name]].concat());
                    }
                    None => reader.unknown_field(&member.name, form, form.names()),
                }
            }
        }
        Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => {}
    }
}

/// The value of `node`, which is `name` of something: times are milliseconds.
pub(crate) fn value(node: &Node, schema: Option<Schema<'_>>, name: &str) -> Value {
    let is_time = name.ends_with("_ms") && schema.is_some_and(Schema::is_whole);
    match &node.kind {
        Kind::String(text) if is_time => durations::parse(text).map_or(Value::Null, Value::from),
        Kind::Array(values) => {
            let items = schema.and_then(Schema::items);
            values.iter().map(|node| value(node, items, name)).collect()
        }
        Kind::Object(members) => {
            let one = |member: &Member| {
                let name = &member.name.value;
                let inner = schema.and_then(|schema| schema.field(name));
                (name.clone(), value(&member.value, inner, name))
            };
            Value::Object(members.iter().map(one).collect())
        }
        _ => node.to_value(),
    }
}

/// `the hotel`, or `` `rooms.12` of the hotel``.
fn place(owner: &str, path: &[&str]) -> String {
    if path.is_empty() { owner.to_owned() } else { format!("`{}` of {owner}", path.join(".")) }
}

/// Reports that the type of `node` refuses it, at the value that it names.
pub(crate) fn misfit(reader: &mut Reader, node: &Node, owner: &str, error: &ConfigError) {
    let mut at = node;
    let mut path = Vec::new();
    for name in &error.path {
        let inner = match &at.kind {
            Kind::Array(values) => name.parse().ok().and_then(|i: usize| values.get(i)),
            _ => at.member(name).map(|member| &member.value),
        };
        // A path also names variants of enums, which need not stand in the file.
        let Some(inner) = inner else { continue };
        at = inner;
        path.push(name.as_str());
    }
    let message = error.message.as_str();
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let problem = match (message.rsplit_once(", expected "), quoted.as_slice()) {
        (Some((found, expected)), _) if found.starts_with("invalid type: ") => {
            return wrong_type(reader, at, expected);
        }
        (Some((found, expected)), _) if found.starts_with("invalid value: ") => {
            return wrong_value(reader, at, expected);
        }
        (_, [name, others @ ..]) if message.starts_with("unknown variant `") => Diagnostic::new(
            at.head(),
            format!("unknown value `{name}`"),
        )
        .help(suggest::hint(name, "values", others.iter().copied())),
        (_, [name, others @ ..]) if message.starts_with("unknown field `") => {
            let span = at.member(name).map_or(at.head(), |member| member.name.span.clone());
            Diagnostic::new(span, format!("unknown key `{name}` in {}", place(owner, &path)))
                .help(suggest::hint(name, "keys", others.iter().copied()))
        }
        (_, [name]) if message.starts_with("missing field `") => {
            Diagnostic::new(at.head(), format!("{} needs `{name}`", place(owner, &path)))
        }
        _ => Diagnostic::new(at.head(), message),
    };
    reader.report(problem);
}

/// A value of another type than the one that is `expected`, in serde's words.
fn wrong_type(reader: &mut Reader, node: &Node, expected: &str) {
    let (what, help) = match expected {
        "a boolean" => {
            reader.boolean(node);
            return;
        }
        _ if bounds(expected).is_some() => ("a whole number", unquoted(node)),
        "f32" | "f64" => ("a number", unquoted(node)),
        "a sequence" => ("a list", None),
        "a map" => ("an object", None),
        _ if expected.starts_with("struct ") => ("an object", None),
        _ => (expected, None),
    };
    if let (Kind::Number(digits), "a whole number") = (&node.kind, what) {
        let problem = format!("expected {what}, found {digits}: write it in plain digits");
        reader.report(Diagnostic::new(node.head(), problem));
        return;
    }
    reader.wrong_type::<()>(node, what, help);
}

/// A value that is not one of those `expected`, in serde's words.
fn wrong_value(reader: &mut Reader, node: &Node, expected: &str) {
    let what = match bounds(expected) {
        Some((from, to)) => format!("a whole number from {from} to {to}"),
        None => expected.to_owned(),
    };
    let found = match &node.kind {
        Kind::Number(digits) => digits.clone(),
        Kind::String(text) => format!("{text:?}"),
        _ => node.found().to_owned(),
    };
    reader.report(Diagnostic::new(node.head(), format!("expected {what}, found {found}")));
}

/// The least and the greatest value of a type of whole numbers.
fn bounds(name: &str) -> Option<(i128, i128)> {
    let (signed, bits) = match name.split_at_checked(1)? {
        ("i", bits) => (true, bits),
        ("u", bits) => (false, bits),
        _ => return None,
    };
    let bits: u32 = if bits == "size" { usize::BITS } else { bits.parse().ok()? };
    if !matches!(bits, 8 | 16 | 32 | 64) {
        return None;
    }
    Some(if signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) })
}
