//! The report for programs: stable, versioned JSON.
//!
//! Must not know: files, terminals.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use crate::{
    base::printable::{printable, printable_json},
    explore::outcome::{ScenarioReport, Summary},
};

/// A summary as indented JSON with a final line break. The layout is that of [`Summary`]; readers must
/// ignore keys that they do not know, and a key that goes away raises `version`.
///
/// # Panics
/// Never: a summary is plain data with string keys.
#[must_use]
pub fn summary(summary: &Summary) -> String {
    let mut text = serde_json::to_string_pretty(summary).expect("a summary is plain data");
    text.push('\n');
    printable_json(text)
}

/// Why JSON is not used as a result.
#[derive(Debug, thiserror::Error)]
pub enum NotAResult {
    /// Not JSON, or not with the fields of a result.
    #[error(
        "line {line}, column {column}: {message}; results are written by `onceproof run --format json`, not by hand"
    )]
    Malformed {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// A failure as a file.
    #[error("is a reproducer, not a result; show it with `onceproof replay`")]
    Reproducer,
    /// It is JSON, and something else.
    #[error(
        "is not a result: it lacks `{0}`; results are written by `onceproof run --format json`"
    )]
    SomethingElse(&'static str),
    /// Its layout is another one.
    #[error(
        "has the layout of version {0}, this is onceproof {own} with version {version}; use the onceproof that wrote it, or \
         run it again",
        own = env!("CARGO_PKG_VERSION"),
        version = Summary::VERSION
    )]
    OtherVersion(String),
}

/// The result in `bytes`.
///
/// ```
/// use onceproof::{explore::outcome::Summary, report::json};
///
/// let summary = Summary { version: Summary::VERSION, runs: 7, ..Summary::default() };
/// let text = json::summary(&summary);
/// assert_eq!(json::read(text.as_bytes())?, summary);
/// # Ok::<(), json::NotAResult>(())
/// ```
///
/// # Errors
/// If it is something else, or has another version.
pub fn read(bytes: &[u8]) -> Result<Summary, NotAResult> {
    /// What tells a result from other files.
    #[derive(Deserialize)]
    struct Marks {
        version: Option<Value>,
        scenarios: Option<IgnoredAny>,
        tape: Option<IgnoredAny>,
    }
    let malformed = |error: &serde_json::Error| {
        let text = error.to_string();
        let message = text.rfind(" at line ").map_or(&*text, |at| &text[..at]);
        NotAResult::Malformed {
            line: error.line(),
            column: error.column(),
            message: printable(message).into_owned(),
        }
    };
    let marks: Marks = serde_json::from_slice(bytes).map_err(|error| malformed(&error))?;
    match marks {
        Marks { tape: Some(_), .. } => return Err(NotAResult::Reproducer),
        Marks { scenarios: None, .. } => return Err(NotAResult::SomethingElse("scenarios")),
        Marks { version: None, .. } => return Err(NotAResult::SomethingElse("version")),
        Marks { version: Some(version), .. } if version != Summary::VERSION => {
            return Err(NotAResult::OtherVersion(printable(&version.to_string()).into_owned()));
        }
        _ => {}
    }
    serde_json::from_slice(bytes).map_err(|error| malformed(&error))
}

/// How far what stands in the list of scenarios is indented.
const INDENT: &str = "    ";

/// A scenario as it stands in [`summary`], without what separates it from others. With [`around`] it can be written when
/// it is done, and need not be written anew for each scenario that follows.
pub(crate) fn scenario(report: &ScenarioReport) -> String {
    let text = serde_json::to_string_pretty(report).expect("a report is plain data");
    // no string of JSON holds a line break
    printable_json(format!("{INDENT}{}", text.replace('\n', &format!("\n{INDENT}"))))
}

/// What stands before and after the scenarios in [`summary`], if there are any; its own list of them is not looked at.
pub(crate) fn around(summary: &Summary) -> (String, String) {
    const BETWEEN: &str = "\"scenarios\": [";
    let none = Summary { scenarios: Vec::new(), ..summary.clone() };
    let text = self::summary(&none);
    // the last field; what a field before it says is quoted
    let at = text.rfind(BETWEEN).expect("a summary has scenarios") + BETWEEN.len();
    (format!("{}\n", &text[..at]), format!("\n  {}", &text[at..]))
}

/// What separates scenarios.
pub(crate) const SEPARATOR: &str = ",\n";

#[cfg(test)]
mod tests {
    use super::{SEPARATOR, around, scenario, summary};
    use crate::report::fixture::every_verdict;

    #[test]
    fn parts_are_the_whole() {
        let all = every_verdict();
        let scenarios: Vec<String> = all.scenarios.iter().map(scenario).collect();
        let (before, after) = around(&all);
        assert_eq!(before + &scenarios.join(SEPARATOR) + &after, summary(&all));
    }

    #[test]
    fn the_layout_is_stable() {
        let mut all = every_verdict();
        all.scenarios.drain(..1);
        all.scenarios.truncate(1);
        insta::assert_snapshot!(summary(&all), @r#"
        {
          "version": 2,
          "runs": 1135,
          "events": 46535,
          "elapsed_seconds": 12.345,
          "scenarios": [
            {
              "file": "scenarios/planted-01.json",
              "title": "the tutorial's own code books twice",
              "runs": 100,
              "verdict": "found",
              "digest": "0000000000000000000000000000feed",
              "events": 4100,
              "faults": {
                "crash": {
                  "planned": 900,
                  "fired": 50,
                  "effective": 25
                }
              },
              "replies": {
                "book": {
                  "succeeded": 400,
                  "failed": {
                    "409": {
                      "times": 100,
                      "messages": {
                        "taken": 100
                      }
                    }
                  },
                  "gave_up": 0
                }
              },
              "sometimes": [
                {
                  "what": "reply book fails with 409",
                  "reached": 20
                }
              ],
              "violations": [
                {
                  "seed": 12,
                  "oracle": "booked_at_most_once",
                  "message": "alice was booked twice: room 101 at 0.053s, room 103 at 0.672s",
                  "reproducer": "onceproof-out/crash.booked_at_most_once.json",
                  "occurrences": 7
                }
              ],
              "expected": "booked_at_most_once",
              "notes": []
            }
          ]
        }
        "#);
    }

    #[test]
    fn every_verdict_has_its_name() {
        let text = summary(&every_verdict());
        for name in [
            "held",
            "violated",
            "inconclusive",
            "ineffective",
            "not_found",
            "nondeterministic",
            "oracle_panicked",
            "hung",
            "crashed",
        ] {
            assert!(text.contains(&format!("\"verdict\": \"{name}\"")), "{name}");
        }
    }
}
