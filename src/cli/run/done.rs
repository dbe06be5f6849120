//! The scenarios that are done, and what of them is written if code under test takes the process down: what was added
//! for a scenario is not made again for those after it.
//!
//! Must not know: how a scenario is run.

use std::sync::Arc;

use crate::{
    explore::{
        last_words::LastResults,
        outcome::{Interrupted, ScenarioReport, Summary},
    },
    report::json,
};

/// What came of scenarios, and the same as JSON.
#[derive(Default)]
pub(super) struct Done {
    pub(super) reports: Vec<ScenarioReport>,
    /// Of as many reports as were written yet, what separates them among it.
    written: Vec<Arc<str>>,
    in_written: usize,
    runs: u64,
    events: u64,
}

impl Done {
    /// The results that stand in `summary`, which has no scenarios itself, with those that are done.
    pub(super) fn last_results(&mut self, summary: &Summary, asked: usize) -> LastResults {
        const WORDS: &str = "(last words)";
        for report in &self.reports[self.in_written..] {
            if !self.written.is_empty() {
                self.written.push(json::SEPARATOR.into());
            }
            self.written.push(json::scenario(report).into());
            self.runs += report.runs;
            self.events += report.events;
        }
        self.in_written = self.reports.len();
        let (before, after) = json::around(&Summary {
            interrupted: Some(Interrupted { asked: asked as u64, partly: false }),
            died: Some(WORDS.to_owned()),
            runs: self.runs,
            events: self.events,
            ..summary.clone()
        });
        let (before, between) = before.split_once(WORDS).expect("the words stand in the summary");
        let parts = [between.into()].into_iter().chain(self.written.iter().cloned());
        LastResults { before: before.to_owned(), after: parts.chain([after.into()]).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::every_verdict;

    #[test]
    fn what_is_written_for_each_scenario_adds_up_to_the_whole() {
        let all = every_verdict();
        let base = Summary { scenarios: Vec::new(), ..all.clone() };
        let mut done = Done::default();
        for report in all.scenarios {
            done.reports.push(report);
            let LastResults { before, after } = done.last_results(&base, 99);
            let text = format!("{before}it aborted{}", after.concat());
            let expected = Summary {
                interrupted: Some(Interrupted { asked: 99, partly: false }),
                died: Some("it aborted".to_owned()),
                runs: done.reports.iter().map(|s| s.runs).sum(),
                events: done.reports.iter().map(|s| s.events).sum(),
                scenarios: done.reports.clone(),
                ..base.clone()
            };
            assert_eq!(text, json::summary(&expected));
        }
        assert!(!done.reports.is_empty());
    }
}
