//! A webhook that its sender did not sign, or signed long ago, is refused and leaves no trace.

use super::{
    super::{Facts, Invariant, Violation},
    view::deliveries,
};

const NAME: &str = "webhook_signature_checked";

pub(super) struct WebhookSignatureChecked;

impl Invariant for WebhookSignatureChecked {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a webhook with a bad or old signature is refused, and has no effect"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for delivery in deliveries(facts) {
            let Some((arrived, name)) = delivery.forged else { continue };
            let inv = delivery.invocation.inv;
            let stored = facts.states().iter().find(|s| s.inv == Some(inv));
            let called = facts.invocations().iter().find(|i| i.parent() == Some(inv));
            let (what, record) = if let Some(called) = called {
                (format!("called {}", called.target), called.created)
            } else if let Some(stored) = stored {
                (format!("changed its state {}", stored.name), stored.record)
            } else if let Some((record, _)) = delivery.invocation.answer() {
                ("was accepted".to_owned(), record)
            } else {
                continue;
            };
            let message = format!(
                "{name} came with a signature that does not count at {}, and {what} at {}",
                facts.at(arrived),
                facts.at(record)
            );
            violations.push(Violation::new(NAME, message, vec![arrived, record]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            super::testing::check,
            view::testing::{applies, arrives, record},
        },
        WebhookSignatureChecked as It,
    };

    #[test]
    fn whatever_comes_of_a_forged_webhook_is_told() {
        let told = |what: &str| {
            format!(
                "paid~forged came with a signature that does not count at 1.000s, and {what} at 2.000s"
            )
        };
        check(&It, &[told("was accepted").as_str()], |s| {
            let inv = arrives(s.at(1_000), "paid~forged", false);
            s.at(2_000).done(inv, "{}");
        });
        check(&It, &[told("called OrderService/o/CompleteCheckout").as_str()], |s| {
            let inv = arrives(s.at(1_000), "paid~forged", false);
            applies(s.at(2_000), inv);
            s.fails(inv, 401, "no");
        });
        check(&It, &[told("changed its state webhook").as_str()], |s| {
            let inv = arrives(s.at(1_000), "paid~forged", false);
            s.at(2_000).set(inv, "webhook", &record("failed"));
            s.fails(inv, 401, "no");
        });
    }

    #[test]
    fn a_refusal_and_an_authentic_webhook_are_right() {
        check(&It, &[], |s| {
            let inv = arrives(s, "paid~stale", false);
            s.fails(inv, 401, "signature is too old");
            let inv = arrives(s, "paid", true);
            applies(s, inv);
            s.set(inv, "webhook", &record("processed"));
            s.done(inv, "{}");
            s.op("WebhookService/evt/GetWebhookStatus", "", "{}");
        });
    }
}
