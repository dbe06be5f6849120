//! What a subscription has cost at the end is the price of its days, to the cent.
//!
//! A period of D days costs `floor(price * n / D)` for its first n days, and what lies between two days costs
//! the difference. Left out: a subscription that a kill touched, and one that changed while a day began, of
//! which the history does not tell on which of the two days it was.

use crate::invariants::{Facts, Invariant, Violation};

use super::{
    SUBSCRIPTION,
    view::{charges_of, settled},
    walk::Walk,
};

const NAME: &str = "proration_adds_up";

pub(in crate::invariants) struct ProrationAddsUp;

impl Invariant for ProrationAddsUp {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a subscription costs what its days cost, to the cent"
    }

    fn needs_rest(&self) -> bool {
        true
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for (key, states) in settled(facts) {
            if facts.disturbed(SUBSCRIPTION, key) {
                continue;
            }
            let Some(cost) = Walk::of(facts, &states).and_then(|walk| walk.cost(facts)) else {
                continue;
            };
            let charges = charges_of(facts, key);
            let taken: i64 = charges.iter().map(|charge| charge.amount.0).sum();
            let back: i64 = charges.iter().map(|charge| charge.refunded.0).sum();
            if taken - back == cost {
                continue;
            }
            let message = format!(
                "{key} was charged {taken} and given back {back}, which leaves {}, but its days cost {cost}",
                taken - back
            );
            let ids: Vec<_> = charges.iter().map(|charge| charge.id).collect();
            let refunds = facts.refunds().iter().filter(|refund| ids.contains(&refund.charge));
            let records = charges.iter().map(|charge| charge.record);
            let records = records.chain(refunds.map(|refund| refund.record));
            let records = records.chain(states.last().map(|state| state.record)).collect();
            violations.push(Violation::new(NAME, message, records));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::invariants::{
        subscription::testing::{charge, plan_state, quote, refund, state},
        testing::{Story, check},
    };

    use super::ProrationAddsUp as It;

    const DAY: u64 = 86_400_000;

    /// Ten days of basic, ten of pro, and eleven that are given back.
    fn tell(s: &mut Story, difference: i64, back: i64) {
        let inv = s.begin("SubscriptionService/sub/CreateSubscription", "{}");
        quote(s, inv, "basic", 1_000);
        charge(s, inv, "2026-01-01", "ch_1", 1_000);
        state(s, inv, "active", "2026-01-01", "2026-02-01", None);
        s.done(inv, "{}");
        let inv = s.at(10 * DAY).begin("SubscriptionService/sub/UpdatePlan", "{}");
        quote(s, inv, "pro", 2_000);
        charge(s, inv, "2026-01-01-change-1", "ch_2", difference);
        let pro = ("pro", "monthly");
        plan_state(s, inv, "active", pro, "2026-01-01", "2026-02-01", None);
        s.done(inv, "{}");
        let inv = s.at(20 * DAY).begin("SubscriptionService/sub/CancelSubscription", "");
        refund(s, inv, "re_1", "ch_1", back);
        plan_state(s, inv, "cancelled", pro, "2026-01-01", "2026-02-01", Some("2026-01-21"));
        s.done(inv, "{}");
        s.quiet();
    }

    #[test]
    fn parts_of_a_period_are_right_to_the_cent() {
        // basic: floor(322.58) = 322; pro: floor(1290.3) - floor(645.2) = 645.
        check(&It, &[], |s| tell(s, 677, 710));
        let message =
            "sub was charged 1677 and given back 711, which leaves 966, but its days cost 967";
        check(&It, &[message], |s| tell(s, 677, 711));
        let message =
            "sub was charged 1678 and given back 710, which leaves 968, but its days cost 967";
        check(&It, &[message], |s| tell(s, 678, 710));
    }

    #[test]
    fn a_declined_renewal_costs_nothing_and_a_killed_one_is_not_blamed() {
        let begin = |s: &mut Story, taken: i64| {
            let inv = s.begin("SubscriptionService/sub/CreateSubscription", "{}");
            quote(s, inv, "basic", 1_000);
            charge(s, inv, "2026-01-01", "ch_1", taken);
            state(s, inv, "active", "2026-01-01", "2026-02-01", None);
            s.done(inv, "{}");
            let renewal = s.at(31 * DAY).begin("SubscriptionService/sub/Renew", "");
            state(s, renewal, "pastDue", "2026-01-01", "2026-02-01", None);
            state(s, renewal, "expired", "2026-01-01", "2026-02-01", None);
            renewal
        };
        check(&It, &[], |s| {
            let renewal = begin(s, 1_000);
            s.done(renewal, "");
            s.quiet();
        });
        check(&It, &[], |s| {
            let renewal = begin(s, 900);
            s.kill(renewal);
            s.quiet();
        });
    }
}
