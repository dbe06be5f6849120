//! Everything that Restate accepted ends, once no more faults are injected and nothing is left to happen.
//!
//! Paused and killed invocations are not judged, nor is what `nothing_stuck` reported.

use crate::oracle::{Facts, Oracle, Report};

pub(super) struct InvocationsComplete;

impl Oracle for InvocationsComplete {
    fn name(&self) -> &str {
        "invocations_complete"
    }

    fn summary(&self) -> &str {
        "every accepted invocation ends once faults stop"
    }

    fn needs_rest(&self) -> bool {
        true
    }

    fn check(&self, facts: &Facts<'_>, report: &mut Report<'_>) {
        for invocation in facts.unfinished().filter(|i| i.paused.is_none()) {
            let accepted = facts.at(invocation.created);
            let message =
                format!("{} was accepted at {accepted} and never ended", invocation.target);
            report.unless_shown(message, [invocation.created]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::nothing_stuck::NothingStuck, InvocationsComplete as It};
    use crate::{
        history::Event,
        oracle::{
            Oracle, Verdict, judge,
            testing::{Story, check},
        },
    };

    #[test]
    fn an_invocation_that_never_ends_is_reported() {
        check(&It, &["Hotel/book was accepted at 1.000s and never ended"], |s| {
            s.at(1_000).begin("Hotel/book", "{}");
            s.at(2_000).quiet();
        });
    }

    #[test]
    fn ended_paused_and_killed_ones_and_a_cut_off_run_are_excused() {
        check(&It, &[], |s| {
            let paused = s.begin("Hotel/book", "{}");
            s.push(Event::Paused { inv: paused });
            let killed = s.begin("Hotel/book", "{}");
            s.kill(killed);
            let failed = s.begin("Hotel/book", "{}");
            s.fails(failed, 400, "no");
            s.quiet();
        });
        check(&It, &[], |s| {
            s.begin("Hotel/book", "{}");
        });
    }

    #[test]
    fn what_is_stuck_is_reported_by_its_cause_alone() {
        let mut story = Story::new();
        let inv = story.begin("A/x/f", "");
        story.asks("A/x/f", "");
        story.push(Event::Paused { inv });
        story.quiet();
        let oracles: [&dyn Oracle; 2] = [&NothingStuck, &It];
        let Verdict::Violated(found) = judge(story.history(), oracles) else {
            panic!("it is stuck")
        };
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
