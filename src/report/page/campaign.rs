//! The page of a campaign: its data, as a function of the JSON that `run` and `bugs` print.
//!
//! Must not know: how it is drawn, where it is written, how a campaign is run.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Number, Value};

use super::{
    VERSION,
    shell::{Kind, page},
    texts::cut,
};
use crate::explore::outcome::Summary;

/// What a page of a campaign is made of; at least one of the two is there.
#[derive(Clone, Copy, Debug)]
pub struct Campaign<'a> {
    /// Its name, for people: the file of the report.
    pub name: &'a str,
    /// What `run --format json` prints.
    pub report: Option<&'a Value>,
    /// What `bugs --format json` prints.
    pub bugs: Option<&'a Value>,
    /// The pages of failures, by their reproducers as the report names them: where each lies, seen from this page.
    pub links: &'a BTreeMap<String, String>,
}

/// What JSON is, if a page can be made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Printed {
    /// Of `run --format json`.
    Report,
    /// Of `bugs --format json`.
    Bugs,
}

/// Why no page can be made of JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPrinted {
    /// It is something else.
    #[error("is neither a reproducer nor what `run --format json` or `bugs --format json` prints")]
    SomethingElse,
    /// Another version of onceproof printed it.
    #[error(
        "has layout version {found}, this onceproof reads version {wanted}; make the page with the onceproof that printed it"
    )]
    Version {
        /// The version it has.
        found: String,
        /// The version that is read.
        wanted: u32,
    },
}

/// The version of what `bugs --format json` prints.
const BUGS_VERSION: u32 = 1;
/// Longer texts are cut, in bytes.
const TEXT_BYTES_MAX: usize = 4_096;
/// The largest whole number that a browser reads exactly.
const EXACT_MAX: u64 = 1 << 53;

/// What `value` is.
///
/// # Errors
/// If no page can be made of it.
pub fn printed(value: &Value) -> Result<Printed, NotPrinted> {
    let is_list = |name: &str| value.get(name).is_some_and(Value::is_array);
    let (what, wanted) = match (is_list("scenarios"), is_list("bugs")) {
        (true, _) => (Printed::Report, Summary::VERSION),
        (_, true) => (Printed::Bugs, BUGS_VERSION),
        _ => return Err(NotPrinted::SomethingElse),
    };
    match value.get("version") {
        Some(version) if version.as_u64() == Some(wanted.into()) => Ok(what),
        Some(version) => Err(NotPrinted::Version { found: cut(&version.to_string(), 40), wanted }),
        None => Err(NotPrinted::SomethingElse),
    }
}

/// The reproducers that a report names, in its order.
#[must_use]
pub fn reproducers(report: &Value) -> Vec<String> {
    let list = |value: &Value, name: &str| {
        value.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let violations = list(report, "scenarios").into_iter().flat_map(|s| list(&s, "violations"));
    violations.filter_map(|found| Some(found.get("reproducer")?.as_str()?.to_owned())).collect()
}

#[derive(Serialize)]
struct Data<'a> {
    version: u32,
    page: &'static str,
    onceproof: &'static str,
    name: &'a str,
    report: Option<Value>,
    bugs: Option<Value>,
    links: &'a BTreeMap<String, String>,
}

/// The page of a campaign, as a whole file. Ends with a line break.
#[must_use]
pub fn campaign(campaign: &Campaign<'_>) -> String {
    let Campaign { name, report, bugs, links } = campaign;
    let data = Data {
        version: VERSION,
        page: "campaign",
        onceproof: env!("CARGO_PKG_VERSION"),
        name,
        report: report.map(shown),
        bugs: bugs.map(shown),
        links,
    };
    page(Kind::Campaign, &format!("onceproof: {name}"), &data)
}

/// The same, with numbers that a browser would round as text, and long texts cut.
fn shown(value: &Value) -> Value {
    match value {
        Value::Number(number) if !is_exact(number) => Value::String(number.to_string()),
        Value::String(text) => Value::String(cut(text, TEXT_BYTES_MAX)),
        Value::Array(items) => items.iter().map(shown).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, field)| (cut(name, TEXT_BYTES_MAX), shown(field))).collect()
        }
        other => other.clone(),
    }
}

fn is_exact(number: &Number) -> bool {
    number.is_f64() || number.as_i64().is_some_and(|number| number.unsigned_abs() <= EXACT_MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::{fixture::every_verdict, json::summary};

    #[test]
    fn what_was_printed_is_recognized_and_what_was_not_is_refused() {
        let report: Value = serde_json::from_str(&summary(&every_verdict())).expect("JSON");
        for (value, expected) in [
            (report, Ok(Printed::Report)),
            (json!({ "version": 1, "bugs": [] }), Ok(Printed::Bugs)),
            (json!({ "version": 1, "scenarios": [] }), Err("has layout version 1, ")),
            (json!({ "version": "x", "bugs": [] }), Err("has layout version \"x\", ")),
            (json!({ "scenarios": [] }), Err("is neither a reproducer nor")),
            (json!({ "version": 2, "scenarios": 3 }), Err("is neither")),
            (json!([1]), Err("is neither")),
        ] {
            match (printed(&value), expected) {
                (Ok(printed), Ok(expected)) => assert_eq!(printed, expected),
                (Err(why), Err(said)) => assert!(why.to_string().starts_with(said), "{why}"),
                (printed, expected) => panic!("{value}: {printed:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn the_page_has_the_whole_report_and_the_links_that_it_is_given() {
        let report: Value = serde_json::from_str(&summary(&every_verdict())).expect("JSON");
        let named = reproducers(&report);
        assert_eq!(named[0], "onceproof-out/crash.booked_at_most_once.json");
        let links = BTreeMap::from([(named[0].clone(), "crash.html".to_owned())]);
        let page = campaign(&Campaign {
            name: "r.json",
            report: Some(&report),
            bugs: None,
            links: &links,
        });
        let (_, data) = page.split_once("id=\"data\">").expect("it has data");
        let data: Value =
            serde_json::from_str(data.split_once("</script>").expect("an end").0).expect("JSON");
        assert_eq!(data["report"], report);
        assert_eq!(data["links"][&named[0]], "crash.html");
        assert_eq!((&data["version"], &data["page"]), (&json!(1), &json!("campaign")));
    }

    #[test]
    fn numbers_that_a_browser_would_round_are_text_and_long_texts_are_cut() {
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        let value =
            shown(&json!({ "seed": u64::MAX, "other": [-7, 0.5, EXACT_MAX], "text": long }));
        assert_eq!(value["seed"], "18446744073709551615");
        assert_eq!(value["other"], json!([-7, 0.5, EXACT_MAX]));
        assert!(value["text"].as_str().expect("text").ends_with("these are 4096 of 4097 bytes"));
    }
}
