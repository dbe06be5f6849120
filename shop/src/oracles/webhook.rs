//! Oracles of webhooks.
//!
//! Must not know: the engine, the state of systems, how a report looks.

use std::{collections::BTreeSet, sync::Arc};

use onceproof::{
    history::{Inv, Outcome},
    oracle::{Facts, Invocation, Moment, Oracle, Rule, View, oracle, unique},
};
use serde::Deserialize;

use super::order::{ORDER, Orders};

/// The object that is an event of the payment provider.
const WEBHOOK: &str = "WebhookService";

/// All of them; the specific ones come first.
pub(crate) fn all() -> Vec<Arc<dyn Oracle>> {
    let rules = [signature_checked(), processed_once(), error_not_stored(), accepted_is_applied()];
    rules.into_iter().map(|rule| Arc::new(rule) as Arc<dyn Oracle>).collect()
}

/// A webhook that its sender did not sign, or signed long ago, is refused and leaves no trace.
fn signature_checked() -> Rule {
    let summary = "a webhook with a bad or old signature is refused, and has no effect";
    oracle("webhook_signature_checked", summary, |facts, report| {
        for event in &facts.view::<Events>().0 {
            let (Some(arrival), Some(own)) = (event.copy, facts.invocation(event.inv)) else {
                continue;
            };
            let delivery = &facts.deliveries()[arrival];
            let called = facts.invocations().iter().find(|i| i.parent() == Some(own.inv));
            let stored = facts.states().iter().find(|state| state.inv == Some(own.inv));
            let (what, record) = match (called, stored, own.answer()) {
                (Some(call), _, _) => (format!("called {}", call.target), call.created),
                (_, Some(state), _) => (format!("changed its state {}", state.name), state.record),
                (_, _, Some((end, _))) => ("was accepted".to_owned(), end),
                _ => continue,
            };
            let message = format!(
                "{} came with a signature that does not count at {}, and {what} at {}",
                delivery.request,
                facts.at(delivery.record),
                facts.at(record)
            );
            report.violation(message, [delivery.record, record]);
        }
    })
}

/// However often an event is delivered, what it asks for is done once.
///
/// What counts is a call to another service, by its handlers that wait for their turn, that succeeded on behalf of a
/// delivery that was answered with success: one that was refused or killed is sent again.
fn processed_once() -> Rule {
    let applied = |facts: &Facts<'_>| {
        let deliveries = facts.view::<Events>().0.iter();
        let applied = deliveries.filter_map(|event| {
            facts.invocation(event.inv)?.answer()?;
            let call = first_call(facts, event.inv)?;
            Some(Moment::new(event.says.id.clone(), call.created).what(call.target.to_string()))
        });
        applied.collect()
    };
    unique(applied)
        .say(|r| format!("{} was applied {}: {}", r.key, r.times(), r.list()))
        .named("webhook_processed_once")
        .summary("an event that is delivered twice is applied once")
}

/// The first call to another service that succeeded, and that the invocation `of` led to.
fn first_call<'a, 'h>(facts: &'a Facts<'h>, of: Inv) -> Option<&'a Invocation<'h>> {
    facts.invocations().iter().find(|call| {
        let counts = call.exclusive && &*call.target.service != WEBHOOK && call.answer().is_some();
        counts && facts.ancestors(call).any(|ancestor| ancestor.inv == of)
    })
}

/// A delivery that is answered with an error is not stored as done: it will be sent again, and must find that there
/// is something to do.
fn error_not_stored() -> Rule {
    let summary = "a webhook that is answered with an error is not stored as processed";
    oracle("webhook_error_not_stored", summary, |facts, report| {
        for event in &facts.view::<Events>().0 {
            let Some(own) = facts.invocation(event.inv) else { continue };
            let Some((end, Outcome::Failure { code, message })) = own.completed else { continue };
            // it may have been done and stored, and killed before it could answer
            if own.killed.is_some() {
                continue;
            }
            let mut stored = facts.states_of(WEBHOOK, "webhook");
            let Some(last) = stored.rfind(|state| state.inv == Some(own.inv)) else { continue };
            let Some(Stored { record: Record { status } }) = last.value_as() else { continue };
            if matches!(status.as_str(), "processed" | "ignored") {
                let (id, stored_at, at) = (&event.says.id, last.at, facts.at(end));
                let message = format!(
                    "{id} was stored as {status} at {stored_at}, but answered with {code} {message} at {at}"
                );
                report.violation(message, [last.record, end]);
            }
        }
    })
}

/// A payment that was reported and answered with success is not lost: in the end, its order is no longer pending. A
/// webhook that is answered with success is not sent again.
fn accepted_is_applied() -> Rule {
    let summary = "an order whose payment was reported and accepted does not stay pending";
    let rule = oracle("webhook_accepted_is_applied", summary, |facts, report| {
        let mut reported = BTreeSet::new();
        for Delivered { inv, says, copy } in &facts.view::<Events>().0 {
            let (id, order) = (&says.id, says.data.order_id.as_str());
            let Some(own) = facts.invocation(*inv) else { continue };
            let Some((accepted, _)) = own.answer() else { continue };
            if says.kind != "payment.succeeded"
                || copy.is_some()
                || facts.tainted(ORDER, order)
                || facts.tainted(WEBHOOK, &own.target.key)
            {
                continue;
            }
            let last = facts.view::<Orders>().values.get(order).and_then(|values| values.last());
            let (ends, record) = match last {
                Some(last) if last.status == "pending" => ("ends as pending", last.record),
                Some(last) if !last.status.is_empty() => continue,
                _ => ("does not exist", accepted),
            };
            if reported.insert(id) {
                let at = facts.at(accepted);
                let message = format!(
                    "{id} says that {order} is paid and was accepted at {at}, but {order} {ends}"
                );
                report.violation(message, [accepted, record]);
            }
        }
    });
    rule.at_rest()
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

/// What a webhook says, even if its signature does not count.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: EventData,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct EventData {
    order_id: String,
}

/// An invocation that was asked to process a webhook.
struct Delivered {
    inv: Inv,
    says: Event,
    /// The row in [`Facts::deliveries`], if it is a copy that its sender did not sign just now.
    copy: Option<usize>,
}

/// All deliveries of what is an event at all, in order of their arrival.
struct Events(Vec<Delivered>);

impl View for Events {
    fn of(facts: &Facts<'_>) -> Self {
        let copies: Vec<_> = facts
            .deliveries()
            .iter()
            .enumerate()
            .filter(|(_, delivery)| matches!(delivery.copy, Some("forged" | "stale")))
            .filter_map(|(row, delivery)| Some((delivery.invocation?, row, delivery.record)))
            .collect();
        let webhooks = facts.invocations_of(WEBHOOK).filter(|i| i.handler() == "ProcessWebhook");
        let delivered = webhooks.filter_map(|own| {
            // a copy that joined an invocation is not what made it
            let mut made =
                copies.iter().filter(|(inv, _, at)| *inv == own.inv && *at < own.created);
            let copy = made.next().map(|(_, row, _)| *row);
            Some(Delivered { inv: own.inv, says: own.input_as()?, copy })
        });
        Self(delivered.collect())
    }
}

#[cfg(test)]
mod tests {
    use onceproof::{
        history::Origin,
        oracle::testing::{Story, check},
    };

    use super::*;

    const TARGET: &str = "WebhookService/evt/ProcessWebhook";
    const PAID: &str =
        r#"{"id":"evt","type":"payment.succeeded","data":{"orderId":"o","chargeId":"ch_1"}}"#;
    const CHECKOUT: &str = "OrderService/o/CompleteCheckout";

    /// A webhook that arrives under this name, as this copy, and begins at once.
    fn arrives_as(s: &mut Story, request: &str, copy: Option<&str>) -> Inv {
        s.delivers("stripe", request, copy, &[("stripe-signature", "t=1767225600,v1=00")]);
        let inv = s.creates(TARGET, PAID, Origin::Client(request.into()));
        s.start(inv);
        inv
    }

    fn arrives(s: &mut Story) -> Inv {
        arrives_as(s, "paid", None)
    }

    /// Its call to the order, which succeeds.
    fn applies(s: &mut Story, webhook: Inv) {
        let order = s.call(webhook, CHECKOUT, "{}");
        s.done(order, "{}");
    }

    fn stores(s: &mut Story, webhook: Inv, status: &str) {
        let value =
            format!(r#"{{"record":{{"webhookId":"evt","status":"{status}"}},"event":{{}}}}"#);
        s.set(webhook, "webhook", &value);
    }

    type Act = fn(&mut Story, Inv);
    const SUCCEEDS: Act = |s, inv| s.done(inv, "{}");
    const FAILS: Act = |s, inv| s.fails(inv, 404, "order not found");

    #[test]
    fn a_webhook_whose_signature_does_not_count_has_no_effect() {
        let calls: Act = |s, inv| {
            applies(s, inv);
            FAILS(s, inv);
        };
        let remembers: Act = |s, inv| {
            stores(s, inv, "failed");
            FAILS(s, inv);
        };
        for (copy, act, what) in [
            (Some("forged"), SUCCEEDS, "was accepted"),
            (Some("stale"), SUCCEEDS, "was accepted"),
            (Some("forged"), calls, "called OrderService/o/CompleteCheckout"),
            (Some("stale"), remembers, "changed its state webhook"),
            (Some("stale"), FAILS, ""),
            (None, SUCCEEDS, ""),
        ] {
            let message = format!(
                "copy came with a signature that does not count at 1.000s, and {what} at 2.000s"
            );
            let expect: &[&str] = if what.is_empty() { &[] } else { &[&message] };
            check(&signature_checked(), expect, |s| {
                let inv = arrives_as(s.at(1_000), "copy", copy);
                act(s.at(2_000), inv);
                let genuine = arrives(s);
                applies(s, genuine);
                stores(s, genuine, "processed");
                s.done(genuine, "{}");
                // a copy that gets the answer of a genuine one
                s.delivers("stripe", "late copy", Some("stale"), &[]);
                s.attaches("late copy", genuine);
            });
        }
    }

    fn applied(s: &mut Story) {
        let inv = arrives(s);
        applies(s, inv);
        s.done(inv, "{}");
    }

    #[test]
    fn an_event_is_applied_once() {
        let rule = processed_once();
        let message = "evt was applied twice: OrderService/o/CompleteCheckout at 1.000s, \
                       OrderService/o/CompleteCheckout at 2.000s";
        check(&rule, &[message], |s| {
            applied(s.at(1_000));
            applied(s.at(2_000));
        });
        // by an invocation that the delivery led to
        check(&rule, &[message], |s| {
            applied(s.at(1_000));
            let inv = arrives(s);
            let later = s.send(inv, "WebhookService/evt/apply", "");
            s.done(inv, "{}");
            applies(s.at(2_000), later);
            s.done(later, "");
        });
        check(&rule, &[], |s| {
            let inv = arrives(s);
            let early = s.call(inv, CHECKOUT, "{}");
            s.fails(early, 404, "order not found");
            s.fails(inv, 404, "order not found");
            let inv = arrives(s);
            applies(s, inv);
            s.fails(inv, 409, "cancelled");
            let inv = arrives(s);
            applies(s, inv);
            s.kill(inv);
            applied(s);
            let inv = arrives(s);
            s.done(inv, "{}");
        });
    }

    #[test]
    fn an_error_is_not_stored_as_done() {
        let takes_back: Act = |s, inv| {
            s.clear(inv, "webhook");
            FAILS(s, inv);
        };
        let is_killed: Act = |s, inv| {
            s.kill(inv);
            FAILS(s, inv);
        };
        for (status, act, wrong) in [
            ("processed", FAILS, true),
            ("ignored", FAILS, true),
            ("failed", FAILS, false),
            ("processed", SUCCEEDS, false),
            ("processed", takes_back, false),
            ("processed", is_killed, false),
        ] {
            let message = format!(
                "evt was stored as {status} at 1.000s, but answered with 404 order not found at 2.000s"
            );
            let expect: &[&str] = if wrong { &[&message] } else { &[] };
            check(&error_not_stored(), expect, |s| {
                let inv = arrives(s);
                stores(s.at(1_000), inv, status);
                act(s.at(2_000), inv);
            });
        }
    }

    #[test]
    fn a_payment_that_was_accepted_is_not_lost() {
        fn order(s: &mut Story, status: &str) {
            let inv = s.begin("OrderService/o/CreateOrder", "{}");
            s.set(inv, "order", &format!(r#"{{"status":"{status}"}}"#));
            s.done(inv, "{}");
        }
        let pending = "evt says that o is paid and was accepted at 1.000s, but o ends as pending";
        let missing = "evt says that o is paid and was accepted at 1.000s, but o does not exist";
        let nothing: fn(&mut Story) = |_| {};
        let kill: fn(&mut Story) = |s| {
            let killed = s.begin(CHECKOUT, "{}");
            s.kill(killed);
        };
        for (copy, act, status, then, expect) in [
            (None, SUCCEEDS, "pending", nothing, &[pending][..]),
            (None, SUCCEEDS, "", nothing, &[missing]),
            (None, SUCCEEDS, "confirmed", nothing, &[]),
            (None, SUCCEEDS, "cancelled", nothing, &[]),
            (None, SUCCEEDS, "pending", kill, &[]),
            (None, FAILS, "pending", nothing, &[]),
            (Some("forged"), SUCCEEDS, "pending", nothing, &[]),
        ] {
            check(&accepted_is_applied(), expect, |s| {
                // delivered twice, reported once
                for _ in 0..2 {
                    let inv = arrives_as(s.at(1_000), "paid", copy);
                    act(s, inv);
                }
                if !status.is_empty() {
                    order(s, status);
                }
                then(s);
                s.quiet();
            });
        }
    }
}
