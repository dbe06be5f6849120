//! No handler strays from its journal when it is replayed: errors 570 and 571.

use crate::{
    history::Event,
    oracle::{Facts, Oracle, Report},
};

pub(super) struct NoJournalMismatch;

impl Oracle for NoJournalMismatch {
    fn name(&self) -> &str {
        "no_journal_mismatch"
    }

    fn summary(&self) -> &str {
        "every handler repeats its journal when it is replayed (no nondeterminism)"
    }

    fn check(&self, facts: &Facts<'_>, report: &mut Report<'_>) {
        let mut judged = Vec::new();
        for &record in facts.failures() {
            let Event::AttemptFailed { inv, attempt, code, message } =
                &facts.history().records()[record].event
            else {
                continue;
            };
            let what = match code {
                570 => "its replay does not match its journal",
                571 => "it broke the protocol",
                _ => continue,
            };
            // A mismatch is retried, and comes back each time.
            if judged.contains(inv) {
                continue;
            }
            judged.push(*inv);
            let target = facts.invocation(*inv).map(|i| i.target.to_string()).unwrap_or_default();
            // the SDK explains itself over several lines; a sentence has one
            let why: Vec<&str> = message.split_whitespace().collect();
            let message = format!(
                "{target} is nondeterministic: in attempt {attempt} at {} {what} ({code}): {}",
                facts.at(record),
                why.join(" ")
            );
            report.violation(message, [record]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NoJournalMismatch as It;
    use crate::{
        history::{Event, Inv},
        oracle::testing::{Story, check},
    };

    fn fails(s: &mut Story, inv: Inv, code: u32, attempt: u32) {
        s.push(Event::AttemptFailed { inv, attempt, code, message: "set\n  differs".into() });
    }

    #[test]
    fn a_mismatch_is_reported_once_for_each_invocation() {
        let message = "Bookings/b-1/Book is nondeterministic: in attempt 2 at 1.500s its replay does not \
                       match its journal (570): set differs";
        check(&It, &[message], |s| {
            let inv = s.begin("Bookings/b-1/Book", "{}");
            fails(s.at(1_500), inv, 570, 2);
            fails(s.at(2_500), inv, 570, 3);
        });
        let message = "Hotel/book is nondeterministic: in attempt 1 at 0.000s it broke the protocol (571): \
                       set differs";
        check(&It, &[message], |s| {
            let inv = s.begin("Hotel/book", "{}");
            fails(s, inv, 571, 1);
        });
    }

    #[test]
    fn other_failures_are_passed_over() {
        check(&It, &[], |s| {
            let inv = s.begin("Hotel/book", "{}");
            fails(s, inv, 500, 1);
            fails(s, inv, 0, 2);
        });
    }
}
