//! The report for programs: stable, versioned JSON.
//!
//! Must not know: files, terminals.

use crate::{base::printable::printable_json, explore::outcome::Summary};

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

#[cfg(test)]
mod tests {
    use super::summary;
    use crate::report::fixture::every_verdict;

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
