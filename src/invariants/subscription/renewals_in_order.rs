//! A subscription's periods follow one another: each begins where the last one ended, is a month or a year
//! long, is charged, and is followed by the next until the subscription ends.

use crate::invariants::{Facts, Invariant, Violation};

use super::{
    SUBSCRIPTION, days,
    view::{charges_of, purpose, quoted, settled},
    walk::{Walk, text},
};

const NAME: &str = "renewals_in_order";

pub(in crate::invariants) struct RenewalsInOrder;

impl Invariant for RenewalsInOrder {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "no renewal of a subscription is skipped, doubled or free"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for (key, states) in settled(facts) {
            let Some(walk) = Walk::of(facts, &states) else { continue };
            if let Some((record, what)) = &walk.wrong {
                let message = format!("{key} {what}, at {}", facts.at(*record));
                violations.push(Violation::new(NAME, message, vec![*record]));
            }
            if facts.disturbed(SUBSCRIPTION, key) {
                continue;
            }
            for pair in states.windows(2) {
                let (before, after) = (&pair[0], &pair[1]);
                let period = &*after.terms.period_start;
                let is_renewal = period == before.terms.period_end
                    && after.status == "active"
                    && before.terms.plan_id == after.terms.plan_id;
                let is_paid = || {
                    let of = |c| purpose(key, c) == Some(period) && c.record < after.record;
                    charges_of(facts, key).iter().any(of)
                };
                if is_renewal && quoted(facts, &after.terms.plan_id) != Some(0) && !is_paid() {
                    let message = format!("{key} was renewed on {period} without a charge");
                    violations.push(Violation::new(NAME, message, vec![after.record]));
                }
            }
            let (Some(until), Some(last)) = (walk.open_until(), states.last()) else { continue };
            let now = facts.history().len() - 1;
            if facts.at_rest() && days::at(facts.at(now)) >= until {
                let message = format!("{key} was not renewed on {}", text(until));
                violations.push(Violation::new(NAME, message, vec![last.record]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        history::Inv,
        invariants::{
            subscription::testing::{charge, plan_state, state},
            testing::{Story, check},
        },
    };

    use super::RenewalsInOrder as It;

    const DAY: u64 = 86_400_000;

    fn begins(s: &mut Story) -> Inv {
        let inv = s.begin("SubscriptionService/sub/CreateSubscription", "{}");
        charge(s, inv, "2026-01-31", "ch_1", 1_000);
        state(s, inv, "active", "2026-01-31", "2026-02-28", None);
        s.done(inv, "{}");
        s.at(58 * DAY).begin("SubscriptionService/sub/Renew", "")
    }

    #[test]
    fn months_that_follow_one_another_are_right() {
        check(&It, &[], |s| {
            let renewal = begins(s);
            charge(s, renewal, "2026-02-28", "ch_2", 1_000);
            state(s, renewal, "active", "2026-02-28", "2026-03-31", None);
            s.done(renewal, "");
            let yearly = s.at(60 * DAY).begin("SubscriptionService/sub/UpdatePlan", "{}");
            let plan = ("pro", "yearly");
            plan_state(s, yearly, "active", plan, "2026-03-02", "2027-03-02", None);
            s.done(yearly, "{}");
            s.quiet();
        });
        check(&It, &[], |s| {
            let renewal = begins(s);
            state(s, renewal, "expired", "2026-01-31", "2026-02-28", None);
            s.done(renewal, "");
            s.at(900 * DAY).quiet();
        });
    }

    #[test]
    fn a_skipped_a_short_and_a_free_period_are_told() {
        let check_renewal = |message: &str, from: &str, to: &str, paid: bool| {
            check(&It, &[message], |s| {
                let renewal = begins(s);
                if paid {
                    charge(s, renewal, from, "ch_2", 1_000);
                }
                state(s, renewal, "active", from, to, None);
                s.done(renewal, "");
                s.quiet();
            });
        };
        check_renewal(
            "sub went on from 2026-03-31 after a period that ends on 2026-02-28, at 5011200.000s",
            "2026-03-31",
            "2026-04-30",
            true,
        );
        check_renewal(
            "sub has a period from 2026-02-28 to 2026-03-28 that should end on 2026-03-31, at \
             5011200.000s",
            "2026-02-28",
            "2026-03-28",
            true,
        );
        check_renewal(
            "sub was renewed on 2026-02-28 without a charge",
            "2026-02-28",
            "2026-03-31",
            false,
        );
    }

    #[test]
    fn a_renewal_that_never_came_is_told_unless_it_was_killed() {
        for killed in [false, true] {
            let told: &[_] = &["sub was not renewed on 2026-02-28"];
            check(&It, if killed { &[] } else { told }, |s| {
                let renewal = begins(s);
                if killed {
                    s.kill(renewal);
                } else {
                    s.done(renewal, "");
                }
                s.quiet();
            });
        }
    }
}
