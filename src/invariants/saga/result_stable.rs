//! What was answered about an order stays true: completed stays completed unless somebody cancels it, failed and
//! cancelled stay what they are.
//!
//! Only an answer to a request that was accepted after the first answer was given can contradict it.

use crate::invariants::{Facts, Invariant, Violation};

use super::view::{Answer, Order, Said, orders};

const NAME: &str = "saga_result_stable";

pub(super) struct ResultStable;

impl Invariant for ResultStable {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "the result of an order is never contradicted by a later one"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for (id, order) in &orders(facts) {
            violations.extend(check_order(facts, id, order));
        }
    }
}

fn check_order(facts: &Facts<'_>, id: &str, order: &Order<'_, '_>) -> Option<Violation> {
    for (at, later) in order.answers.iter().enumerate() {
        let given = order.answers[..at].iter().filter(|earlier| earlier.record < later.created);
        for earlier in given {
            let may_cancel = order.cancel_was_asked(facts, id, later.record);
            if !allows(&earlier.said, &later.said, may_cancel) {
                let message = format!(
                    "{id} was answered to be {} at {}, but {} at {}",
                    text(earlier),
                    facts.at(earlier.record),
                    text(later),
                    facts.at(later.record)
                );
                return Some(Violation::new(NAME, message, vec![earlier.record, later.record]));
            }
        }
    }
    None
}

/// True if `later` can be true after `earlier` was.
fn allows(earlier: &Said, later: &Said, may_cancel: bool) -> bool {
    let (Said::Status(earlier), Said::Status(later)) = (earlier, later) else {
        // What is known is never forgotten.
        return *earlier == Said::Unknown;
    };
    let later = later.as_str();
    match earlier.as_str() {
        "completed" => {
            later == "completed" || may_cancel && matches!(later, "cancelling" | "cancelled")
        }
        "failing" => matches!(later, "failing" | "failed"),
        "failed" => later == "failed",
        "cancelling" => matches!(later, "cancelling" | "cancelled"),
        "cancelled" => later == "cancelled",
        _ => true,
    }
}

fn text(answer: &Answer<'_>) -> String {
    let status = match &answer.said {
        Said::Status(status) => status,
        Said::Unknown => "unknown",
    };
    format!("{status} by {}", answer.handler)
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::testing::{Story, check},
        ResultStable as It,
    };

    const PROCESS: &str = "OrderOrchestrator/o/ProcessOrder";
    const GET: &str = "OrderOrchestrator/o/GetResult";
    const CANCEL: &str = "OrderOrchestrator/o/CancelOrder";

    fn says(s: &mut Story, target: &str, status: &str) {
        s.op(target, "{}", &format!(r#"{{"orderId":"o","status":"{status}"}}"#));
    }

    #[test]
    fn an_order_that_goes_its_way_is_right() {
        check(&It, &[], |s| {
            let read = s.begin(GET, "{}");
            s.fails(read, 404, "order not found");
            says(s, GET, "pending");
            says(s, PROCESS, "completed");
            says(s, GET, "completed");
            says(s, CANCEL, "cancelled");
            says(s, PROCESS, "cancelled");
        });
        // A read that began before the first answer may still see what was before.
        check(&It, &[], |s| {
            let read = s.begin(GET, "{}");
            says(s, PROCESS, "completed");
            s.done(read, r#"{"status":"pending"}"#);
        });
    }

    #[test]
    fn a_later_denial_is_told() {
        for (first, later) in [
            ("completed", "failed"),
            ("completed", "pending"),
            ("completed", "cancelled"),
            ("failed", "completed"),
            ("failed", "cancelled"),
            ("cancelled", "completed"),
            ("failing", "completed"),
            ("cancelling", "failed"),
        ] {
            let message = format!(
                "o was answered to be {first} by GetResult at 0.000s, but {later} by ProcessOrder at 1.000s"
            );
            check(&It, &[&message], |s| {
                says(s, GET, first);
                says(s.at(1_000), PROCESS, later);
            });
        }
        let message = "o was answered to be failed by ProcessOrder at 0.000s, but unknown by GetResult at 1.000s";
        check(&It, &[message], |s| {
            says(s, PROCESS, "failed");
            let read = s.at(1_000).begin(GET, "{}");
            s.fails(read, 404, "order not found");
        });
    }
}
