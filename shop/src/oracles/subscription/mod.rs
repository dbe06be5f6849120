//! Oracles of subscriptions.
//!
//! Must not know: the engine, the state of systems, how a report looks.

use std::collections::BTreeSet;

use onceproof::oracle::{Facts, Happened, Report, Rule, as_asked, at_most_once, oracle, times};
use serde::Deserialize;

use crate::systems::gateway::{Charged, Declined, Refunded};

use super::email::{EMAIL, mails_of, was_refused};
use view::{SUBSCRIPTION, Settled, Subscriptions, charges_of, purpose, quoted};
use walk::{Walk, text};

mod days;
#[cfg(test)]
mod tests;
mod view;
mod walk;

/// All of them; the specific ones come first.
pub(super) fn all() -> Vec<Rule> {
    vec![
        period_charged_once(),
        nothing_billed_after_cancel(),
        renewals_in_order(),
        renewal_not_abandoned(),
        proration_adds_up(),
        subscription_emails(),
    ]
}

/// Who subscribes pays, in dollars.
pub(super) fn billed_as_asked() -> Rule {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Asked {
        customer_id: String,
    }
    as_asked(SUBSCRIPTION, |charged: &Happened<'_, Charged>, asked: &Asked| {
        *charged.customer == *asked.customer_id && *charged.currency == *"USD"
    })
    .say(|u| {
        let (key, c, asked) = (u.effect.key(), u.effect, u.asked.first());
        let asked = asked.map_or("nobody", |asked| &asked.customer_id);
        let took = format!("{} {} of {} with {}", c.amount, c.currency, c.customer, c.charge);
        format!("{key} took {took} at {}, but is of {asked}, in USD", c.at)
    })
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
            // a renewal to come would keep the run from rest
            if facts.at_rest() {
                let message = format!("{key} was not renewed on {}", text(until));
                report.violation(message, [last.record]);
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

/// A declined renewal is tried three times: each time under a key of its own, as the bank says no to the old one for
/// ever; then the subscription ends. It never ends as past due.
///
/// A subscription that a kill touched may go on with the try that was cut off.
fn renewal_not_abandoned() -> Rule {
    let summary = "a declined renewal is tried anew, three times, and then the subscription ends";
    oracle("renewal_not_abandoned", summary, |facts, report| {
        for (key, states) in &facts.view::<Subscriptions>().0 {
            if facts.tainted(SUBSCRIPTION, key) {
                continue;
            }
            if let Some(answer) = asked_again(facts, key) {
                let message = format!(
                    "{key} was declined at {} for a key that had been declined before",
                    answer.at
                );
                report.violation(message, [answer.record]);
            }
            let mut past_due = states.iter().filter(|state| state.status == "pastDue");
            if let Some(state) = past_due.find(|state| !is_tried_next_day(facts, state)) {
                let since = facts.at(state.record);
                let message =
                    format!("{key} is past due since {since}, and nobody tries again a day later");
                report.violation(message, [state.record]);
            }
            let Some(last) = states.last().filter(|_| facts.at_rest()) else { continue };
            let next = last.terms.period_end.as_str();
            let declined = answers_no(facts, key).filter(|d| purpose(d) == Some(next));
            let tries = declined.map(|d| d.key.clone()).collect::<BTreeSet<_>>().len();
            let has_ended = states.len() == 1 || last.end_date.as_deref() == Some(next);
            let wrong = match &*last.status {
                "pastDue" => true,
                "expired" => !has_ended && tries != TRIES,
                _ => tries > TRIES,
            };
            if wrong {
                let (times, status, since) = (times(tries), &last.status, facts.at(last.record));
                let message = format!(
                    "{key} ends as {status} since {since}, after its renewal was declined {times} instead of {TRIES}"
                );
                report.violation(message, [last.record]);
            }
        }
    })
}

/// True if the handler that stored it has sent the next try, for the day after.
fn is_tried_next_day(facts: &Facts<'_>, state: &Settled) -> bool {
    let mut sent = facts.invocations_of(SUBSCRIPTION).filter(|i| i.parent() == Some(state.inv));
    sent.any(|i| {
        let due = i.due.map(days::at);
        i.handler() == "Renew" && due.is_some_and(|due| due <= days::at(facts.at(state.record)) + 1)
    })
}

/// How often a renewal is tried, the first time included.
const TRIES: usize = 3;

/// The bank's refusals, those that it gave again included.
fn answers_no<'a, 'h>(
    facts: &'a Facts<'h>,
    key: &'a str,
) -> impl Iterator<Item = Happened<'h, Declined>> + 'a {
    let all = facts.notes::<Declined>().chain(facts.repeats());
    all.filter(move |declined| declined.is_by(SUBSCRIPTION, key))
}

/// The answer to a try under the key of one that another invocation made, and that was declined before.
fn asked_again<'h>(facts: &Facts<'h>, key: &str) -> Option<Happened<'h, Declined>> {
    let is_old = |of: &Happened<'_, Declined>| {
        answers_no(facts, key)
            .any(|d| d.record < of.record && d.inv() != of.inv() && d.key == of.key)
    };
    answers_no(facts, key).find(|declined| declined.key.is_some() && is_old(declined))
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
                    (Some(due), Some(mail)) if *mail.recipient != *states[0].customer_id => {
                        let (who, customer) = (&mail.recipient, &states[0].customer_id);
                        let message =
                            format!("email {id} went to {who}, and {key} is of {customer}");
                        report.violation(message, [due, mail.record]);
                    }
                    _ => {}
                }
            }
        }
    });
    rule.at_rest()
}
