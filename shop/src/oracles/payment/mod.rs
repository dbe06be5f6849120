//! What must hold of payments: `PaymentService`, `PaymentProcessor` with its accounts, and all money that moves at the
//! gateway, for whatever service.
//!
//! A killed invocation may leave work half done, and no service can help it. So what speaks of completeness leaves out
//! the objects that a kill touched; what speaks of harm (charged twice, refunded twice) does not.
//!
//! Must not know: how the services do it.

use std::sync::Arc;

use onceproof::oracle::{Oracle, Rule};

mod answers;
mod ended;
mod linearizable;
mod models;
mod money;
mod once;
mod passing;
mod status;
#[cfg(test)]
mod testing;
mod view;

/// The oracles of payments, the specific ones first.
pub(crate) fn all() -> Vec<Arc<dyn Oracle>> {
    shared([
        ended::expired_never_charges(),
        once::charged_at_most_once(),
        money::refunds_within_capture(),
        once::refunded_at_most_once(),
        ended::cancelled_holds_no_money(),
        ended::cancelled_never_succeeds(),
        status::charge_id_in_ledger(),
        status::status_matches_charge(),
        passing::passing_failure_not_final(),
        money::money_conserved(),
    ])
}

/// The oracles that come after those of all services: they are silent about what a specific one reported.
pub(crate) fn general() -> Vec<Arc<dyn Oracle>> {
    shared([
        once::effect_at_most_once(),
        once::equal_payments_equal_answers(),
        answers::answers_never_contradicted(),
        linearizable::objects_linearizable(),
    ])
}

fn shared<const N: usize>(rules: [Rule; N]) -> Vec<Arc<dyn Oracle>> {
    rules.into_iter().map(|rule| Arc::new(rule) as Arc<dyn Oracle>).collect()
}

#[cfg(test)]
mod tests {
    use onceproof::oracle::{Verdict, judge};

    use super::{testing::*, *};

    /// Asserts which oracles of payments find something.
    #[track_caller]
    fn check(expect: &[&str], tell: impl FnOnce(&mut Story)) {
        let mut story = Story::new();
        tell(&mut story);
        story.quiet();
        let all = [all(), general()].concat();
        let names: Vec<_> = match judge(story.history(), all.iter().map(|oracle| &**oracle)) {
            Verdict::Held => Vec::new(),
            Verdict::Violated(found) => found.into_iter().map(|v| v.oracle).collect(),
            other => panic!("{other:?}"),
        };
        assert_eq!(names, expect);
    }

    #[test]
    fn a_payment_as_it_should_be_holds_and_a_double_charge_is_reported_by_name_first() {
        check(&[], |s| {
            pays(s, "payment-001", "ch_1", 10_000);
        });
        check(&["charged_at_most_once", "status_matches_charge", "money_conserved"], |s| {
            let inv = s.begin("PaymentService/payment-001/CreatePayment", "{}");
            s.set(inv, "payment", &payment(100, "pending", ""));
            charge(s.at(3_100), inv, "ch_1", 100);
            charge(s.at(9_884), inv, "ch_2", 100);
            s.set(inv, "payment", &payment(100, "completed", "ch_2"));
            s.done(inv, &answered("completed", "ch_2"));
        });
    }
}
