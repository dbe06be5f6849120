//! Everything that Restate accepted ends, once no more faults are injected and nothing is left to happen.
//!
//! Paused and killed invocations are no matter of this one, nor is what `nothing_stuck` already told.

use super::{Facts, Invariant, Violation, already_shown};

const NAME: &str = "invocations_complete";

pub(super) struct InvocationsComplete;

impl Invariant for InvocationsComplete {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "every accepted invocation ends once faults stop"
    }

    fn needs_rest(&self) -> bool {
        true
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for invocation in facts.invocations() {
            let excused = invocation.is_over() || invocation.paused.is_some();
            if excused || already_shown(violations, &[invocation.created]) {
                continue;
            }
            let message = format!(
                "{} was accepted at {} and never ended",
                invocation.target,
                facts.at(invocation.created)
            );
            violations.push(Violation::new(NAME, message, vec![invocation.created]));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::history::Event;

    use super::{
        super::testing::{Story, check},
        super::{Verdict, by_name, judge},
        InvocationsComplete as It,
    };

    #[test]
    fn an_invocation_that_never_ends_is_told() {
        check(&It, &["Shop/buy was accepted at 1.000s and never ended"], |s| {
            s.at(1_000).begin("Shop/buy", "{}");
            s.at(2_000).quiet();
        });
    }

    #[test]
    fn ended_paused_and_killed_ones_and_a_cut_off_run_are_excused() {
        check(&It, &[], |s| {
            let paused = s.begin("Shop/buy", "{}");
            s.push(Event::Paused { inv: paused });
            let killed = s.begin("Shop/buy", "{}");
            s.kill(killed);
            let failed = s.begin("Shop/buy", "{}");
            s.fails(failed, 400, "no");
            s.quiet();
        });
        check(&It, &[], |s| {
            s.begin("Shop/buy", "{}");
        });
    }

    #[test]
    fn what_is_stuck_is_told_by_its_cause_alone() {
        let mut story = Story::new();
        let inv = story.begin("A/x/f", "");
        story.asks("A/x/f", "");
        story.push(Event::Paused { inv });
        story.quiet();
        let stuck = by_name("nothing_stuck").expect("built in");
        let Verdict::Violated(found) = judge(story.history(), &[stuck, &It]) else {
            panic!("it is stuck");
        };
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
