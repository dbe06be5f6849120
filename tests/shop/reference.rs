//! The reference of scenario files: the committed page is current, every example on it runs, and nothing of the language
//! is without one.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use super::common::{schema_errors, validator, values_of};

const PAGE: &str = "docs/scenario-reference.md";

#[test]
fn the_committed_page_is_current() {
    let page = onceproof_shop::subject().scenario_reference().expect("it answers discovery");
    let committed = fs::read_to_string(crate::root().join(PAGE)).unwrap_or_default();
    assert!(
        committed == page,
        "{PAGE} is not what the services say; make it anew:\n  \
         cargo run --release -- schema --format markdown > {PAGE}"
    );
}

#[test]
fn every_example_runs_and_shows_what_it_says() {
    let subject = onceproof_shop::subject();
    let catalog = subject.catalog().expect("it answers discovery");
    let validator = validator();
    let page = subject.scenario_reference().expect("it answers discovery");
    let examples = subject.examples().to_vec();
    assert!(examples.len() >= 20, "{} examples", examples.len());
    let mut wrong = Vec::new();
    for (part, text) in examples {
        let shown = format!("\n```jsonc\n{}\n```\n", text.trim_end());
        assert!(page.contains(&shown), "{part}: the example is not on the page");
        let name = format!("{part}: {}", text.lines().nth(1).unwrap_or_default().trim());
        let found = onceproof::scenario::check(&name, &text, &catalog);
        if found.count() > 0 {
            wrong.push(found.to_string());
            continue;
        }
        let value = values_of(&text).expect("it is JSON with comments");
        wrong.extend(schema_errors(&validator, &value).iter().map(|e| format!("{name}: {e}")));
        if let Err(why) = crate::simulation().scenario_text(&name, text).try_check() {
            wrong.push(format!("{name}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The names of all fields that an object of the schema has, but older names.
fn fields_of(schema: &Value) -> impl Iterator<Item = &str> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties.filter(|(_, field)| field["deprecated"] != true).map(|(name, _)| name.as_str())
}

/// Every key of every object in `value`.
fn keys(value: &Value, all: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                all.insert(name.clone());
                keys(value, all);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, all)),
        _ => {}
    }
}

#[test]
fn every_field_of_the_language_is_on_the_page_and_in_an_example() {
    let subject = onceproof_shop::subject();
    let schema = subject.scenario_schema().expect("it answers discovery");
    let page = subject.scenario_reference().expect("it answers discovery");
    let mut used = BTreeSet::new();
    for (_, text) in subject.examples() {
        keys(&values_of(text).expect("it is JSON with comments"), &mut used);
    }
    let (mut unnamed, mut unused) = (Vec::new(), Vec::new());
    let defs = schema["$defs"].as_object().expect("definitions").iter();
    for (def, schema) in defs.chain([(&"scenario".to_owned(), &schema)]) {
        // of a service or a system, the page has all; what they are for is told by scenarios
        let own = ["body-of-", "system-", "world", "variants"];
        let is_own = own.iter().any(|begin| def.starts_with(begin));
        for field in fields_of(schema) {
            if !page.contains(&format!("`{field}`")) && !page.contains(&format!("{field}`")) {
                unnamed.push(format!("{field} of {def}"));
            }
            let is_fault = def == "faults"
                && !["crash_at", "cancel_at", "kill_at", "until", "default"].contains(&field);
            if !is_own && !is_fault && !used.contains(field) {
                unused.push(format!("{field} of {def}"));
            }
        }
    }
    assert!(unnamed.is_empty(), "not on the page: {unnamed:?}");
    assert!(unused.is_empty(), "in no example: {unused:?}");
}
