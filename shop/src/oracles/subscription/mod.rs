//! Oracles of subscriptions.
//!
//! Must not know: the engine, the state of systems, how a report looks.

use std::sync::Arc;

use onceproof::oracle::{Facts, Oracle, Report, Rule, at_most_once, oracle};

use crate::systems::gateway::{Charged, Refunded};

use super::email::{EMAIL, mails_of, was_refused};
use view::{SUBSCRIPTION, Settled, Subscriptions, charges_of, purpose, quoted};
use walk::{Walk, text};

mod days;
#[cfg(test)]
mod tests;
mod view;
mod walk;

/// All of them; the specific ones come first.
pub(crate) fn all() -> Vec<Arc<dyn Oracle>> {
    let rules = [
        period_charged_once(),
        nothing_billed_after_cancel(),
        renewals_in_order(),
        proration_adds_up(),
        subscription_emails(),
    ];
    rules.into_iter().map(|rule| Arc::new(rule) as Arc<dyn Oracle>).collect()
}

/// No period of a subscription is charged twice, and no change of its plan.
fn period_charged_once() -> Rule {
    at_most_once::<Charged>()
        .unless(|_, charge| purpose(charge).is_none())
        .per(|charge| (charge.key().to_owned(), purpose(charge).map(str::to_owned)))
        .say(|g| {
            let (key, purpose) = (&g.key.0, g.key.1.as_deref().unwrap_or_default());
            let charges = g.list(|charge| &charge.charge);
            format!("{key} was charged {} for {purpose}: {charges}", g.times())
        })
        .named("period_charged_once")
        .summary("no period of a subscription is charged twice")
}

/// Once a subscription is cancelled, nothing is charged for it any more.
fn nothing_billed_after_cancel() -> Rule {
    let summary = "a cancelled subscription is not charged any more";
    oracle("nothing_billed_after_cancel", summary, |facts, report| {
        for (key, states) in &facts.view::<Subscriptions>().0 {
            let Some(cancelled) = states.iter().find(|state| state.status == "cancelled") else {
                continue;
            };
            let since = facts.at(cancelled.record);
            for charge in charges_of(facts, key).filter(|c| c.record > cancelled.record) {
                let (id, amount, at) = (&charge.charge, charge.amount, charge.at);
                let message =
                    format!("{key} was cancelled at {since} and charged {amount} at {at}: {id}");
                report.violation(message, [cancelled.record, charge.record]);
            }
        }
    })
}

/// A subscription's periods follow one another: each begins where the last one ended, is a month or a year long, is
/// charged, and is followed by the next until the subscription ends.
///
/// A subscription that a kill touched may miss charges and renewals.
fn renewals_in_order() -> Rule {
    let summary = "no renewal of a subscription is skipped, doubled or free";
    oracle("renewals_in_order", summary, |facts, report| {
        for (key, states) in &facts.view::<Subscriptions>().0 {
            let Some(walk) = Walk::of(facts, states) else { continue };
            if let Some((record, what)) = &walk.wrong {
                report.violation(format!("{key} {what}, at {}", facts.at(*record)), [*record]);
            }
            if facts.tainted(SUBSCRIPTION, key) {
                continue;
            }
            check_paid(facts, report, key, states);
            let (Some(until), Some(last)) = (walk.open_until(), states.last()) else { continue };
            let now = facts.history().len() - 1;
            if facts.at_rest() && days::at(facts.at(now)) >= until {
                report
                    .violation(format!("{key} was not renewed on {}", text(until)), [last.record]);
            }
        }
    })
}

/// Reports each renewal that nothing was charged for.
fn check_paid(facts: &Facts<'_>, report: &mut Report<'_>, key: &str, states: &[Settled]) {
    for pair in states.windows(2) {
        let [before, after] = pair else { continue };
        let (plan, period) = (&after.terms.plan_id, &after.terms.period_start);
        let is_renewal = *period == before.terms.period_end
            && after.status == "active"
            && before.terms.plan_id == *plan;
        let is_paid = || {
            let mut charges = charges_of(facts, key).filter(|charge| charge.record < after.record);
            charges.any(|charge| purpose(&charge) == Some(period))
        };
        if is_renewal && quoted(facts, plan) != Some(0) && !is_paid() {
            report.violation(
                format!("{key} was renewed on {period} without a charge"),
                [after.record],
            );
        }
    }
}

/// What a subscription has cost in the end is the price of its days, to the cent.
///
/// A period of D days costs `floor(price * n / D)` for its first n days, and what lies between two days costs the
/// difference. Left out: a subscription that a kill touched, and one that changed while a day began, of which the
/// history does not show on which of the two days it was.
fn proration_adds_up() -> Rule {
    let summary = "a subscription costs what its days cost, to the cent";
    let rule = oracle("proration_adds_up", summary, |facts, report| {
        for (key, states) in &facts.view::<Subscriptions>().0 {
            if facts.tainted(SUBSCRIPTION, key) {
                continue;
            }
            let Some(cost) = Walk::of(facts, states).and_then(|walk| walk.cost(facts)) else {
                continue;
            };
            let charges: Vec<_> = charges_of(facts, key).collect();
            let is_own = |refund: &Refunded| charges.iter().any(|c| c.charge == refund.charge);
            let refunds: Vec<_> = facts.effects::<Refunded>().filter(|r| is_own(r)).collect();
            let taken: i64 = charges.iter().map(|charge| charge.amount.0).sum();
            let back: i64 = refunds.iter().map(|refund| refund.amount.0).sum();
            let left = taken - back;
            if left == cost {
                continue;
            }
            let message = format!(
                "{key} was charged {taken} and given back {back}, which leaves {left}, but its days cost {cost}"
            );
            let money = charges.iter().map(|c| c.record).chain(refunds.iter().map(|r| r.record));
            report.violation(message, money.chain(states.last().map(|state| state.record)));
        }
    });
    rule.at_rest()
}

/// A subscriber gets one email when the subscription begins and one when it is cancelled, and no others.
///
/// That an email leaves only once is for `email_sent_once`. Emails that the mailer refused are not missed.
fn subscription_emails() -> Rule {
    let summary = "a subscriber gets an email at the beginning and at the cancellation";
    let rule = oracle("subscription_emails", summary, |facts, report| {
        for (key, states) in &facts.view::<Subscriptions>().0 {
            if facts.tainted(SUBSCRIPTION, key) {
                continue;
            }
            for (suffix, status) in [("welcome", "active"), ("cancelled", "cancelled")] {
                let id = format!("{key}-{suffix}");
                let due = states.iter().find(|state| state.status == status).map(|s| s.record);
                match (due, mails_of(facts, &id).next()) {
                    (Some(due), None) if !facts.tainted(EMAIL, &id) && !was_refused(facts, &id) => {
                        let at = facts.at(due);
                        report
                            .violation(format!("email {id} was due at {at} and never sent"), [due]);
                    }
                    (None, Some(mail)) => {
                        let message = format!("email {id} was sent at {} and never due", mail.at);
                        report.violation(message, [mail.record]);
                    }
                    _ => {}
                }
            }
        }
    });
    rule.at_rest()
}
