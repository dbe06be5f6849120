//! Once a subscription is cancelled, nothing is charged for it any more.

use crate::invariants::{Facts, Invariant, Violation};

use super::view::{charges_of, settled};

const NAME: &str = "nothing_billed_after_cancel";

pub(in crate::invariants) struct NothingBilledAfterCancel;

impl Invariant for NothingBilledAfterCancel {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a cancelled subscription is not charged any more"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for (key, states) in settled(facts) {
            let Some(cancelled) = states.iter().find(|state| state.status == "cancelled") else {
                continue;
            };
            let late = charges_of(facts, key).iter().filter(|c| c.record > cancelled.record);
            for charge in late {
                let message = format!(
                    "{key} was cancelled at {} and charged {} at {}: {}",
                    facts.at(cancelled.record),
                    charge.amount,
                    facts.at(charge.record),
                    charge.id
                );
                violations.push(Violation::new(
                    NAME,
                    message,
                    vec![cancelled.record, charge.record],
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::invariants::{
        subscription::testing::{charge, state},
        testing::check,
    };

    use super::NothingBilledAfterCancel as It;

    #[test]
    fn a_charge_after_the_cancellation_is_told() {
        for status in ["cancelled", "active"] {
            let message = "sub was cancelled at 1.000s and charged 100 at 2.000s: ch_2";
            let expected: &[_] = if status == "cancelled" { &[message] } else { &[] };
            check(&It, expected, |s| {
                let inv = s.begin("SubscriptionService/sub/CancelSubscription", "");
                charge(s, inv, "2026-01-01", "ch_1", 100);
                state(s.at(1_000), inv, status, "2026-01-01", "2026-02-01", None);
                let renewal = s.at(2_000).begin("SubscriptionService/sub/Renew", "");
                charge(s, renewal, "2026-02-01", "ch_2", 100);
            });
        }
    }
}
