//! Requests that share an invocation through their idempotency key get one outcome, byte for byte.
//!
//! A key whose invocation was cancelled before it ran, or whose retention is over, makes a new invocation; that is no
//! repetition, and is not compared.

use std::collections::BTreeMap;

use crate::oracle::{Facts, Oracle, Report, Request};

pub(super) struct EqualRequestsEqualAnswers;

impl Oracle for EqualRequestsEqualAnswers {
    fn name(&self) -> &str {
        "equal_requests_equal_answers"
    }

    fn summary(&self) -> &str {
        "a repeated request gets the answer of the first"
    }

    fn check(&self, facts: &Facts<'_>, report: &mut Report<'_>) {
        let mut first: BTreeMap<_, &Request<'_>> = BTreeMap::new();
        for request in facts.requests() {
            let (Some(key), Some(inv), Some((record, outcome))) =
                (request.idempotency_key, request.invocation, request.reply)
            else {
                continue;
            };
            let earlier = first.entry(inv).or_insert(request);
            let Some((earlier_record, earlier_outcome)) = earlier.reply else { continue };
            if earlier_outcome != outcome {
                let message = format!(
                    "{} with idempotency key {key} was answered differently: {} at {}, {} at {}",
                    request.target,
                    earlier.name,
                    facts.at(earlier_record),
                    request.name,
                    facts.at(record)
                );
                report.violation(message, [earlier_record, record]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::EqualRequestsEqualAnswers as It;
    use crate::{
        history::Origin,
        oracle::testing::{Story, check},
    };

    #[test]
    fn requests_that_share_an_invocation_get_one_answer() {
        let tell = |s: &mut Story, second: &str| {
            s.sends("book", "Hotel/book", Some("k"), "1");
            let inv = s.creates("Hotel/book", "1", Origin::Client("book".into()));
            s.sends("book.2", "Hotel/book", Some("k"), "1");
            s.attaches("book.2", inv);
            s.at(1_000).replies("book", "one");
            s.at(2_000).replies("book.2", second);
        };
        check(&It, &[], |s| tell(s, "one"));
        let message = "Hotel/book with idempotency key k was answered differently: book at 1.000s, book.2 at \
                       2.000s";
        check(&It, &[message], |s| tell(s, "two"));
    }

    #[test]
    fn another_key_and_a_key_that_ran_afresh_are_no_repetition() {
        check(&It, &[], |s| {
            for (request, key) in [("a", "k"), ("b", "k"), ("c", "l")] {
                s.sends(request, "Hotel/book", Some(key), "1");
                s.creates("Hotel/book", "1", Origin::Client(request.into()));
                s.replies(request, request);
            }
        });
    }
}
