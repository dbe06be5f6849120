//! The report for programs: stable, versioned JSON.
//!
//! Must not know: files, terminals.

use crate::{
    base::printable::printable_json,
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
