//! No period of a subscription is charged twice, and no change of its plan.

use std::collections::BTreeMap;

use crate::invariants::{Charge, Facts, Invariant, Violation, times};

use super::{SUBSCRIPTION, view::purpose};

const NAME: &str = "period_charged_once";

pub(in crate::invariants) struct PeriodChargedOnce;

impl Invariant for PeriodChargedOnce {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "no period of a subscription is charged twice"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        let charges = facts.charges().iter().filter(|charge| charge.by.service == SUBSCRIPTION);
        let mut purposes: BTreeMap<_, Vec<&Charge<'_>>> = BTreeMap::new();
        for charge in charges {
            if let Some(purpose) = purpose(charge.by.key, charge) {
                purposes.entry((charge.by.key, purpose)).or_default().push(charge);
            }
        }
        for ((key, purpose), charges) in purposes {
            if charges.len() < 2 {
                continue;
            }
            let list: Vec<_> =
                charges.iter().map(|c| format!("{} at {}", c.id, facts.at(c.record))).collect();
            let message = format!(
                "{key} was charged {} for {purpose}: {}",
                times(charges.len()),
                list.join(", ")
            );
            let records = charges.iter().map(|charge| charge.record).collect();
            violations.push(Violation::new(NAME, message, records));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::invariants::{subscription::testing::charge, testing::check};

    use super::PeriodChargedOnce as It;

    #[test]
    fn a_period_that_is_charged_again_is_told() {
        let message = "sub was charged twice for 2026-02-01: ch_2 at 5.000s, ch_3 at 9.000s";
        check(&It, &[message], |s| {
            let inv = s.begin("SubscriptionService/sub/Renew", "");
            charge(s, inv, "2026-01-01", "ch_1", 100);
            charge(s.at(5_000), inv, "2026-02-01", "ch_2", 100);
            charge(s.at(9_000), inv, "2026-02-01-try-2", "ch_3", 100);
        });
    }

    #[test]
    fn other_periods_changes_and_subscriptions_are_right() {
        check(&It, &[], |s| {
            let inv = s.begin("SubscriptionService/sub/Renew", "");
            for (at, purpose) in
                ["2026-01-01", "2026-02-01", "2026-02-01-change-1"].iter().enumerate()
            {
                charge(s, inv, purpose, &format!("ch_{at}"), 100);
            }
            let other = s.begin("SubscriptionService/other/Renew", "");
            s.charge(other, "ch_8", 100);
            s.charge(other, "ch_9", 100);
        });
    }
}
