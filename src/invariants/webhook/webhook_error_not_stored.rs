//! A delivery that is answered with an error is not stored as done: it will be sent again, and must find that
//! there is something to do.

use serde::Deserialize;

use crate::history::Outcome;

use super::{
    super::{Facts, Invariant, Violation},
    view::{WEBHOOK, deliveries},
};

const NAME: &str = "webhook_error_not_stored";

pub(super) struct WebhookErrorNotStored;

impl Invariant for WebhookErrorNotStored {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a webhook that is answered with an error is not stored as processed"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for delivery in deliveries(facts) {
            let Some((record, Outcome::Failure { code, message })) = delivery.invocation.completed
            else {
                continue;
            };
            // It may have been done and stored, and killed before it could answer.
            if delivery.invocation.killed.is_some() {
                continue;
            }
            let inv = Some(delivery.invocation.inv);
            let own = facts.states_of(WEBHOOK, "webhook").filter(|s| s.inv == inv);
            let Some(last) = own.last() else { continue };
            let Some(Stored { record: Record { status } }) =
                last.value.and_then(|value| serde_json::from_slice(&value.0).ok())
            else {
                continue;
            };
            if !matches!(status.as_str(), "processed" | "ignored") {
                continue;
            }
            let message = format!(
                "{} was stored as {status} at {}, but answered with {code} {message} at {}",
                delivery.says.id,
                facts.at(last.record),
                facts.at(record)
            );
            violations.push(Violation::new(NAME, message, vec![last.record, record]));
        }
    }
}

/// The state `webhook`.
#[derive(Deserialize)]
struct Stored {
    record: Record,
}

#[derive(Deserialize)]
struct Record {
    status: String,
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            super::testing::check,
            view::testing::{arrives, record},
        },
        WebhookErrorNotStored as It,
    };

    #[test]
    fn an_error_that_is_stored_as_done_is_told() {
        for status in ["processed", "ignored"] {
            let message = format!(
                "evt was stored as {status} at 1.000s, but answered with 404 order not found at 2.000s"
            );
            check(&It, &[message.as_str()], |s| {
                let inv = arrives(s, "paid", true);
                s.at(1_000).set(inv, "webhook", &record(status));
                s.at(2_000).fails(inv, 404, "order not found");
            });
        }
    }

    #[test]
    fn a_failure_that_is_stored_as_such_or_taken_back_and_a_success_are_right() {
        check(&It, &[], |s| {
            let inv = arrives(s, "paid", true);
            s.set(inv, "webhook", &record("failed"));
            s.fails(inv, 404, "order not found");
            let inv = arrives(s, "paid", true);
            s.set(inv, "webhook", &record("processed"));
            s.clear(inv, "webhook");
            s.fails(inv, 404, "order not found");
            let inv = arrives(s, "paid", true);
            s.set(inv, "webhook", &record("processed"));
            s.done(inv, "{}");
            let inv = arrives(s, "paid", true);
            s.set(inv, "webhook", &record("processed"));
            s.kill(inv);
            s.fails(inv, 409, "killed");
        });
    }
}
