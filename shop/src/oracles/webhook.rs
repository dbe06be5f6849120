//! Oracles of webhooks.
//!
//! Must not know: the engine, the state of systems, how a report looks.

use std::collections::BTreeSet;

use onceproof::{
    history::{Inv, Outcome},
    oracle::{Facts, Invocation, Moment, Rule, View, oracle, unique},
};
use serde::Deserialize;

use super::order::{ORDER, Orders};

/// The object that is an event of the payment provider.
const WEBHOOK: &str = "WebhookService";

/// All of them; the specific ones come first.
pub(super) fn all() -> Vec<Rule> {
    vec![signature_checked(), processed_once(), error_not_stored(), accepted_is_applied()]
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
    rule.at_rest().and(applied_as_sent())
}

/// What is accepted was handed on as it was sent: to its order, with its charge or its reason.
fn applied_as_sent() -> Rule {
    oracle("webhook_applied_as_sent", "", |facts, report| {
        let events = &facts.view::<Events>().0;
        for Delivered { inv, says, copy } in events {
            let (handler, field, said) = match &*says.kind {
                "payment.succeeded" => ("CompleteCheckout", "chargeId", &says.data.charge_id),
                "payment.failed" => ("RecordPaymentFailure", "reason", &says.data.reason),
                _ => continue,
            };
            let Some(own) = facts.invocation(*inv).filter(|_| copy.is_none()) else { continue };
            if let Some((refused, 422)) = own.failure() {
                let (id, at) = (&says.id, facts.at(refused));
                let message = format!(
                    "{id} was refused at {at}: it is sent for ever, and nobody will take it"
                );
                report.violation(message, [refused]);
            }
            let Some((accepted, _)) = own.answer() else { continue };
            let of_event = events.iter().filter(|event| event.says.id == says.id);
            let of_event: Vec<Inv> = of_event.map(|event| event.inv).collect();
            let told = facts.invocations().iter().filter(|call| {
                let mut by = facts.ancestors(call).peekable();
                let own = by.peek().is_some_and(|by| by.object().0 == WEBHOOK);
                let changes = call.object().0 == ORDER && call.handler() != "GetOrder";
                changes && own && by.any(|by| of_event.contains(&by.inv))
            });
            let mut told = told.peekable();
            let (id, order, at) = (&says.id, &says.data.order_id, facts.at(accepted));
            if told.peek().is_none() && !facts.tainted(WEBHOOK, &own.target.key) {
                let message = format!("{id} was accepted at {at}, and {order} never heard of it");
                report.violation(message, [accepted]);
            }
            let fits = |call: &&Invocation<'_>| {
                let input = call.input.json();
                let field = input.as_ref().and_then(|input| input[field].as_str());
                let is_said = said.trim().is_empty() || field == Some(said);
                call.object().1 == order && call.handler() == handler && is_said
            };
            if let Some(call) = told.find(|call| !fits(call)) {
                let (target, input) = (call.target, call.input.text());
                let message = format!(
                    "{id} says {} of {order}: {said}, but {target} was told {input}",
                    says.kind
                );
                report.unless_shown(message, [accepted, call.created]);
            }
        }
    })
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
    charge_id: String,
    reason: String,
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
    use onceproof::history::Origin;

    use super::{super::testing::*, *};

    const TARGET: &str = "WebhookService/evt/ProcessWebhook";
    const PAID: &str =
        r#"{"id":"evt","type":"payment.succeeded","data":{"orderId":"o","chargeId":"ch_1"}}"#;
    const CHECKOUT: &str = "OrderService/o/CompleteCheckout";

    /// A webhook that arrives, as this copy, and begins at once.
    fn arrives_as(s: &mut Story, copy: Option<&str>) -> Inv {
        let request = copy.map_or("paid", |_| "copy");
        s.delivers("stripe", request, copy, &[("stripe-signature", "t=1767225600,v1=00")]);
        let inv = s.creates(TARGET, PAID, Origin::Client(request.into()));
        s.start(inv);
        inv
    }

    /// Its call to the order, which succeeds.
    fn applies(s: &mut Story, webhook: Inv) {
        let order = s.call(webhook, CHECKOUT, r#"{"chargeId":"ch_1"}"#);
        s.done(order, "{}");
    }

    fn stores(s: &mut Story, webhook: Inv, status: &str) {
        let record = format!(r#"{{"webhookId":"evt","status":"{status}"}}"#);
        s.set(webhook, "webhook", &format!(r#"{{"record":{record},"event":{{}}}}"#));
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
            (Some("forged"), calls, "called OrderService/o/CompleteCheckout"),
            (Some("stale"), remembers, "changed its state webhook"),
            (Some("stale"), FAILS, ""),
            (None, SUCCEEDS, ""),
        ] {
            let message = format!(
                "copy came with a signature that does not count at 1.000s, and {what} at 2.000s"
            );
            judge_if(what.is_empty(), &signature_checked(), &message, |s| {
                let inv = arrives_as(s.at(1_000), copy);
                act(s.at(2_000), inv);
                // a copy that gets the answer of a genuine one
                let genuine = arrives_as(s, None);
                s.done(genuine, "{}");
                s.delivers("stripe", "late copy", Some("stale"), &[]);
                s.attaches("late copy", genuine);
            });
        }
    }

    #[test]
    fn an_event_is_applied_once_unless_its_delivery_was_refused_or_killed() {
        let message = "evt was applied twice: OrderService/o/CompleteCheckout at 1.000s, \
                       OrderService/o/CompleteCheckout at 2.000s";
        let cancelled: Act = |s, inv| s.fails(inv, 409, "cancelled");
        let killed: Act = |s, inv| s.kill(inv);
        for (end, expect) in [(SUCCEEDS, &[message][..]), (cancelled, &[]), (killed, &[])] {
            // by itself, and by an invocation that the delivery led to
            for by in ["itself", "another"] {
                check(&processed_once(), expect, |s| {
                    let inv = arrives_as(s.at(1_000), None);
                    applies(s, inv);
                    end(s, inv);
                    let inv = arrives_as(s.at(2_000), None);
                    let mut later = inv;
                    if by == "another" {
                        later = s.send(inv, "WebhookService/evt/apply", "");
                    }
                    applies(s, later);
                    s.done(inv, "{}");
                });
            }
        }
    }

    #[test]
    fn an_error_is_not_stored_as_done_unless_that_is_taken_back_or_killed() {
        let takes_back: Act = |s, inv| {
            s.clear(inv, "webhook");
            FAILS(s, inv);
        };
        let is_killed: Act = |s, inv| {
            s.kill(inv);
            FAILS(s, inv);
        };
        for (status, act, wrong) in [
            ("ignored", FAILS, true),
            ("processed", takes_back, false),
            ("processed", is_killed, false),
        ] {
            let message = format!(
                "evt was stored as {status} at 1.000s, but answered with 404 order not found at 2.000s"
            );
            judge_if(!wrong, &error_not_stored(), &message, |s| {
                let inv = arrives_as(s, None);
                stores(s.at(1_000), inv, status);
                act(s.at(2_000), inv);
            });
        }
    }

    #[test]
    fn a_payment_that_was_accepted_is_not_lost() {
        let says = "evt says that o is paid and was accepted at 1.000s, but o";
        let (pending, missing) =
            (format!("{says} ends as pending"), format!("{says} does not exist"));
        type Act = fn(&mut Story);
        let (nothing, kill): (Act, Act) = (
            |_| {},
            |s| {
                let killed = s.begin(CHECKOUT, "{}");
                s.kill(killed);
            },
        );
        for (copy, act, status, then, expect) in [
            (None, SUCCEEDS, "pending", nothing, &[&*pending][..]),
            (None, SUCCEEDS, "", nothing, &[&*missing]),
            (None, SUCCEEDS, "cancelled", nothing, &[]),
            (None, SUCCEEDS, "pending", kill, &[]),
            (None, FAILS, "pending", nothing, &[]),
            (Some("forged"), SUCCEEDS, "pending", nothing, &[]),
        ] {
            check(&accepted_is_applied(), expect, |s| {
                // delivered twice, reported once
                for _ in 0..2 {
                    let inv = arrives_as(s.at(1_000), copy);
                    applies(s, inv);
                    act(s, inv);
                }
                if !status.is_empty() {
                    let inv = s.begin("OrderService/o/CreateOrder", "{}");
                    s.set(inv, "order", &format!(r#"{{"status":"{status}"}}"#));
                    s.done(inv, "{}");
                }
                then(s);
                s.quiet();
            });
        }
    }

    #[test]
    fn what_nobody_will_take_is_not_sent_for_ever() {
        let message = "evt was refused at 0.000s: it is sent for ever, and nobody will take it";
        for (code, expect) in [(422, &[message][..]), (404, &[])] {
            check(&applied_as_sent(), expect, |s| {
                let inv = arrives_as(s, None);
                s.fails(inv, code, "order is cancelled");
            });
        }
    }

    #[test]
    fn what_is_accepted_is_handed_on_as_it_was_sent() {
        let says = "evt says payment.succeeded of o: ch_1, but";
        for (call, input, message) in [
            (CHECKOUT, r#"{"chargeId":"ch_1"}"#, String::new()),
            (
                CHECKOUT,
                r#"{"chargeId":"ch_2"}"#,
                format!(r#"{says} {CHECKOUT} was told {{"chargeId":"ch_2"}}"#),
            ),
            (
                "OrderService/p/CompleteCheckout",
                "{}",
                format!("{says} OrderService/p/CompleteCheckout was told {{}}"),
            ),
            ("", "", "evt was accepted at 0.000s, and o never heard of it".into()),
        ] {
            judge_if(message.is_empty(), &applied_as_sent(), &message, |s| {
                let inv = arrives_as(s, None);
                if !call.is_empty() {
                    let order = s.call(inv, call, input);
                    s.done(order, "{}");
                }
                s.done(inv, "{}");
            });
        }
    }
}
