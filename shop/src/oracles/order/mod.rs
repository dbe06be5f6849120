//! Oracles of orders.
//!
//! Must not know: the engine, the state of systems, how a report looks.

use std::collections::BTreeSet;

use onceproof::oracle::{Facts, Moment, Rule, at_most_once, oracle, stable, transitions, unique};
use serde::Deserialize;
use serde_json::Value;

use super::{
    email::{EMAIL, mails_of, was_refused},
    world::{cancelled_at, standing},
};
use crate::systems::{carrier::Labelled, mailer::Mailed};

use view::Order;
pub(super) use view::{ORDER, Orders};

#[cfg(test)]
mod tests;
mod view;

/// All of them; the specific ones come first.
pub(super) fn all() -> Vec<Rule> {
    vec![
        stored_as_asked(),
        one_per_id(),
        cancelled_is_final(),
        never_moves_backwards(),
        updated_only_while_pending(),
        labelled_once(),
        confirmed_by_one_email(),
        parcel_matches_status(),
    ]
}

/// What is ordered is what was asked for: the items and the total of `CreateOrder` or `UpdateOrder`, for that customer.
fn stored_as_asked() -> Rule {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Asked {
        items: Value,
        total: i64,
        customer_id: Option<String>,
    }
    let summary = "an order is of what was asked for, and for who asked";
    oracle("order_as_asked", summary, |facts, report| {
        for (id, values) in &facts.view::<Orders>().values {
            let own = facts.invocations_of(ORDER).filter(|i| i.object().1 == id);
            let asked: Vec<_> = own.filter_map(|i| i.input_as::<Asked>()).collect();
            let fits = |order: &Order| {
                let mut customers = asked.iter().filter_map(|asked| asked.customer_id.as_ref());
                asked.iter().any(|a| (&a.items, a.total) == (&order.items, order.total))
                    && customers.any(|customer| *customer == order.customer_id)
            };
            let wrong = values.iter().find(|order| !order.status.is_empty() && !fits(order));
            if let Some(Order { record, items, total, customer_id, .. }) = wrong {
                let at = facts.at(*record);
                let message = format!(
                    "{id} is of {items} for {total}, of {customer_id}, at {at}, which nobody asked for"
                );
                report.violation(message, [*record]);
            }
        }
    })
}

/// An id stands for one order with one number, in every state and every answer, and no two orders share one.
fn one_per_id() -> Rule {
    fn numbers(facts: &Facts<'_>) -> Vec<Moment<String>> {
        let said = facts.view::<Orders>().said.iter();
        let named = said.flat_map(|(id, said)| said.iter().map(move |said| (id, said)));
        let named = named.filter_map(|(id, said)| {
            let number = &said.value()?.order_number;
            Some(Moment::new(id.clone(), said.record).what(number))
        });
        named.filter(|number| !number.what.is_empty()).collect()
    }
    let first_numbers = |facts: &Facts<'_>| {
        let mut numbers = numbers(facts);
        numbers.dedup_by(|later, first| later.key == first.key);
        numbers.into_iter().map(|n| Moment::new(n.what, n.record).what(n.key)).collect()
    };
    stable(numbers)
        .say(|d| {
            let (was, is) = (d.was(), d.is());
            format!("{} has two numbers: {was} at {}, {is} at {}", d.key, d.was_at(), d.is_at())
        })
        .named("order_one_per_id")
        .summary("an order has one number, the same on every retry, and shares it with no other")
        .and(unique(first_numbers).say(|r| {
            let ids: Vec<_> = r.moments.iter().map(|m| m.what.as_str()).collect();
            let times: Vec<_> =
                r.moments.iter().map(|m| r.facts.at(m.record).to_string()).collect();
            let (ids, times) = (ids.join(" and "), times.join(" and at "));
            format!("{ids} have one number: {} at {times}", r.key)
        }))
}

/// Nothing follows on cancelled: a cancelled order is never confirmed, made pending or forgotten.
fn cancelled_is_final() -> Rule {
    transitions(ORDER, "order", "status")
        .is_final("cancelled")
        .say(|s| {
            let became = if s.after.is_empty() { "forgotten" } else { s.after };
            format!("{} was cancelled at {}, but {became} at {}", s.key, s.before_at, s.after_at)
        })
        .named("order_cancelled_is_final")
        .summary("a cancelled order stays cancelled")
}

/// A confirmed order never becomes pending again, whatever comes late or out of order.
fn never_moves_backwards() -> Rule {
    transitions(ORDER, "order", "status")
        .never("confirmed", "pending")
        .say(|s| {
            let (before, after) = (s.before_at, s.after_at);
            format!("{} was confirmed at {before}, but pending again at {after}", s.key)
        })
        .named("order_never_moves_backwards")
        .summary("a confirmed order never becomes pending again")
        .and(oracle("order_paid_not_failed", "", |facts, report| {
            for (id, values) in &facts.view::<Orders>().values {
                let failed =
                    |o: &&Order| o.status == "confirmed" && !o.last_payment_error.is_empty();
                if let Some(Order { record, last_payment_error: error, .. }) =
                    values.iter().find(failed)
                {
                    let at = facts.at(*record);
                    report.violation(
                        format!("{id} is confirmed, and failed at {at}: {error}"),
                        [*record],
                    );
                }
            }
        }))
}

/// What is ordered, and what it costs, changes only while the order is pending.
fn updated_only_while_pending() -> Rule {
    let summary = "items and total change only while the order is pending";
    oracle("order_updated_only_while_pending", summary, |facts, report| {
        for (id, values) in &facts.view::<Orders>().values {
            for pair in values.windows(2) {
                let [before, after] = pair else { continue };
                let changed = before.items != after.items || before.total != after.total;
                let may_change = matches!(before.status.as_str(), "pending" | "");
                if changed && !may_change && !after.status.is_empty() {
                    let (at, since) = (facts.at(after.record), facts.at(before.record));
                    let status = &before.status;
                    let message =
                        format!("{id} was updated at {at}, when it was {status} since {since}");
                    report.violation(message, [before.record, after.record]);
                }
            }
        }
    })
}

/// The parcel of an order is labelled once, whatever asks for it: a second label is a second parcel, unless the
/// first was cancelled before.
fn labelled_once() -> Rule {
    at_most_once::<Labelled>()
        .unless(|facts, label| !facts.view::<Orders>().values.contains_key(&*label.parcel))
        .per(|label| label.parcel.clone())
        .undone_at(cancelled_at)
        .say(|g| format!("{} was labelled {}: {}", g.key, g.times(), g.list(|l| &l.label)))
        .named("order_labelled_once")
        .summary("one parcel leaves for an order")
}

/// A customer gets one email that an order is confirmed, whichever ways lead there.
///
/// Emails belong to an order if their subject names its number. One email that the mailer sent twice is the
/// business of the oracles of emails.
fn confirmed_by_one_email() -> Rule {
    let confirmations = |facts: &Facts<'_>| {
        let mut found = Vec::new();
        if facts.effects::<Mailed>().nth(1).is_none() {
            return found;
        }
        for (id, values) in &facts.view::<Orders>().values {
            let mut numbers = values.iter().map(|order| order.order_number.as_str());
            let Some(number) = numbers.find(|number| !number.is_empty()) else { continue };
            let mut senders = BTreeSet::new();
            for mail in facts.effects::<Mailed>() {
                let confirms = mail.subject.contains(number) && mail.subject.contains("confirmed");
                if confirms && senders.insert(mail.by()) {
                    let what = format!("{} of {}", mail.message, mail.by());
                    found.push(Moment::new(id.clone(), mail.record).what(what));
                }
            }
        }
        found
    };
    unique(confirmations)
        .say(|r| {
            let first = r.facts.effect_at::<Mailed>(r.moments[0].record);
            let recipient = first.map_or("the customer", |mail| &*mail.effect.recipient);
            format!("{recipient} was told {} that {} is confirmed: {}", r.times(), r.key, r.list())
        })
        .named("order_confirmed_by_one_email")
        .summary("one email confirms an order")
}

/// In the end, the customer of an order that was paid at the checkout was told so, unless the mailer refused the email;
/// and the parcel of an order that was paid at the checkout has a label, unless the carrier refused it; and
/// if the order was cancelled since, it has none.
///
/// Orders that were confirmed otherwise are shipped otherwise.
fn parcel_matches_status() -> Rule {
    let summary = "a paid order's parcel leaves, a cancelled one's does not";
    let rule = oracle("order_parcel_matches_status", summary, |facts, report| {
        for (id, values) in &facts.view::<Orders>().values {
            let Some(last) = values.last().filter(|v| !v.fulfilment.is_empty()) else { continue };
            if facts.tainted(ORDER, id) {
                continue;
            }
            let label = standing(facts).find(|label| *label.parcel == **id);
            match (last.status.as_str(), label) {
                ("confirmed", None) if last.shipping_error.is_empty() => {
                    let message = format!("{id} ends as confirmed, but no parcel leaves for it");
                    report.violation(message, [last.record]);
                }
                (_, Some(label)) if *label.recipient != *last.customer_id => {
                    let (name, to, customer) = (&label.label, &label.recipient, &last.customer_id);
                    let message = format!(
                        "{id} is of {customer}, but its parcel leaves for {to} with {name}"
                    );
                    report.violation(message, [label.record, last.record]);
                }
                ("cancelled", Some(label)) => {
                    let (name, at) = (&label.label, label.at);
                    let message = format!(
                        "{id} ends as cancelled, but its parcel leaves with {name} of {at}"
                    );
                    report.violation(message, [label.record, last.record]);
                }
                _ => {}
            }
            let told = format!("{id}-confirmation");
            let done = values.iter().find(|order| order.fulfilment == "done");
            if let Some(done) = done
                && mails_of(facts, &told).next().is_none()
                && !facts.tainted(EMAIL, &told)
                && !was_refused(facts, &told)
            {
                let at = facts.at(done.record);
                let message =
                    format!("{id} was fulfilled at {at}, and {} was not told", done.customer_id);
                report.violation(message, [done.record]);
            }
        }
    });
    rule.at_rest()
}
