//! What a subscription costs: its plan, its period, and the price of every part of the period.
//!
//! **Proration.** A period of D days at a price P costs `floor(P * n / D)` for its first n days. Whatever lies
//! between two days costs the difference of two such amounts. So the parts of a period add up to its price to
//! the cent, however often it is cut: what rounding takes from one part, the next one has. A day belongs to
//! what comes after a change: whoever cancels on the first day has used nothing.
//!
//! Must not know: who pays, what day it is, the simulation.

use serde::{Deserialize, Serialize};

use super::calendar::Date;
use crate::{
    money::Cents,
    systems::{BillingCycle, Plan},
};

/// A plan as it was when the customer chose it, and the period that is paid for.
///
/// The price stays as it was, whatever the catalogue says later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Terms {
    pub(super) plan_id: String,
    pub(super) plan_name: String,
    pub(super) price: Cents,
    pub(super) billing_cycle: BillingCycle,
    /// Its first day.
    pub(super) period_start: Date,
    /// The first day after it.
    pub(super) period_end: Date,
    /// The day of the month on which periods begin, in months that have it.
    pub(super) anchor_day: u32,
}

impl Terms {
    /// The first period of `plan`, from `start`; cut short by `end`.
    pub(super) fn begin(plan: Plan, start: Date, end: Option<Date>) -> Self {
        let Plan { plan_id, name, price, billing_cycle } = plan;
        let anchor_day = start.day();
        let terms = Self {
            plan_id,
            plan_name: name,
            price,
            billing_cycle,
            period_start: start,
            period_end: start,
            anchor_day,
        };
        terms.cut(end)
    }

    /// The same plan in the period after this one; cut short by `end`.
    pub(super) fn next(&self, end: Option<Date>) -> Self {
        Self { period_start: self.period_end, ..self.clone() }.cut(end)
    }

    /// `plan` from `day` on, or from the nearest day of this period.
    ///
    /// In the same billing cycle the period stays; another cycle begins a period of its own on that day.
    pub(super) fn change(&self, plan: Plan, day: Date, end: Option<Date>) -> Self {
        if plan.billing_cycle != self.billing_cycle {
            return Self::begin(plan, self.within(day), end);
        }
        let Plan { plan_id, name, price, .. } = plan;
        Self { plan_id, plan_name: name, price, ..self.clone() }
    }

    /// What is left of the period's price on `day`: for that day and all that follow.
    pub(super) fn rest(&self, day: Date) -> Cents {
        Cents(self.first_days(self.period_end) - self.first_days(self.within(day)))
    }

    /// The price of the period.
    pub(super) fn cost(&self) -> Cents {
        self.rest(self.period_start)
    }

    /// `day`, or the nearest day from the period's start to its end.
    fn within(&self, day: Date) -> Date {
        day.clamp(self.period_start, self.period_end)
    }

    /// What the period costs up to `day`, in cents.
    fn first_days(&self, day: Date) -> i64 {
        let days = i128::from(self.period_start.days_until(day));
        let all = i128::from(self.period_start.days_until(self.full_end()));
        let share = i128::from(self.price.0) * days / all;
        i64::try_from(share).expect("a part costs no more than the whole")
    }

    fn cut(self, end: Option<Date>) -> Self {
        let full = self.full_end();
        Self { period_end: end.map_or(full, |end| end.min(full)), ..self }
    }

    /// Where the period would end if nothing cut it short.
    fn full_end(&self) -> Date {
        let months = match self.billing_cycle {
            BillingCycle::Monthly => 1,
            BillingCycle::Yearly => 12,
        };
        self.period_start.after_months(months, self.anchor_day)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn date(text: &str) -> Date {
        text.parse().expect("it exists")
    }

    fn plan(price: i64, billing_cycle: BillingCycle) -> Plan {
        Plan { plan_id: "p".into(), name: "P".into(), price: Cents(price), billing_cycle }
    }

    fn monthly(price: i64, start: &str) -> Terms {
        Terms::begin(plan(price, BillingCycle::Monthly), date(start), None)
    }

    #[test]
    fn what_is_left_is_counted_in_days_and_rounded_once() {
        let check = |terms: &Terms, day: &str, left: i64| {
            assert_eq!(terms.rest(date(day)), Cents(left), "{day}");
        };
        let january = monthly(1_000, "2026-01-01");
        check(&january, "2025-12-01", 1_000);
        check(&january, "2026-01-01", 1_000);
        check(&january, "2026-01-02", 968); // 1000 - floor(32.2)
        check(&january, "2026-01-31", 33); // 1000 - floor(967.7)
        check(&january, "2026-02-01", 0);
        check(&january, "2026-03-01", 0);
        let leap_year = Terms::begin(plan(36_600, BillingCycle::Yearly), date("2028-01-01"), None);
        check(&leap_year, "2028-12-31", 100);
        // An end that cuts the period leaves the price of a day what it is.
        let cut = Terms::begin(
            plan(3_100, BillingCycle::Monthly),
            date("2026-01-01"),
            Some(date("2026-01-11")),
        );
        check(&cut, "2026-01-01", 1_000);
        check(&cut, "2026-01-10", 100);
        check(&cut, "2026-01-11", 0);
    }

    #[test]
    fn another_cycle_begins_a_period_of_its_own_and_the_same_keeps_it() {
        let january = monthly(1_000, "2026-01-31");
        let upgraded = january.change(plan(2_000, BillingCycle::Monthly), date("2026-02-10"), None);
        assert_eq!(
            (upgraded.period_start, upgraded.period_end),
            (january.period_start, january.period_end)
        );
        assert_eq!(upgraded.next(None).period_end, date("2026-03-31"));
        let yearly = january.change(plan(9_000, BillingCycle::Yearly), date("2026-02-10"), None);
        assert_eq!(
            (yearly.period_start, yearly.period_end),
            (date("2026-02-10"), date("2027-02-10"))
        );
        // Late: the period is over, and so is what it covers.
        let late = january.change(plan(9_000, BillingCycle::Yearly), date("2026-03-10"), None);
        assert_eq!(late.period_start, date("2026-02-28"));
    }

    proptest! {
        #[test]
        fn the_parts_of_a_period_add_up_to_its_price(
            price in 0_i64..100_000_000, start in 0_u64..40_000, yearly: bool, mut cuts in proptest::collection::vec(0_u64..400, 0..6),
        ) {
            let cycle = if yearly { BillingCycle::Yearly } else { BillingCycle::Monthly };
            let day = |number: u64| Date::at(number * super::super::calendar::MS_PER_DAY);
            let terms = Terms::begin(plan(price, cycle), day(start), None);
            cuts.sort_unstable();
            let mut sum = 0;
            let mut left = terms.cost().0;
            prop_assert_eq!(left, price);
            for cut in cuts {
                let rest = terms.rest(day(start + cut)).0;
                prop_assert!((0..=left).contains(&rest));
                sum += left - rest;
                left = rest;
            }
            prop_assert_eq!(sum + left, price);
        }
    }
}
