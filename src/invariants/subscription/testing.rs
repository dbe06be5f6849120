//! Small histories of subscriptions by hand.

use crate::{
    base::Cents,
    history::{Effect, Inv},
    invariants::testing::{Story, charged, refunded},
};

/// A charge in the run that is named after its purpose.
pub(super) fn charge(s: &mut Story, inv: Inv, purpose: &str, id: &str, cents: i64) {
    s.world_in(inv, "charge", &format!("charge sub-{purpose}"), &[charged(id, cents)]);
}

pub(super) fn refund(s: &mut Story, inv: Inv, id: &str, charge: &str, cents: i64) {
    s.world_in(inv, "refund", &format!("refund {charge}"), &[refunded(id, charge, cents)]);
}

/// The catalogue tells what a plan costs.
pub(super) fn quote(s: &mut Story, inv: Inv, plan: &str, cents: i64) {
    s.world(inv, "plan", &[Effect::Quoted { plan: plan.into(), price: Some(Cents(cents)) }]);
}

/// A settled state of the monthly plan `basic`, in a period.
pub(super) fn state(
    s: &mut Story,
    inv: Inv,
    status: &str,
    from: &str,
    to: &str,
    end_date: Option<&str>,
) {
    plan_state(s, inv, status, ("basic", "monthly"), from, to, end_date);
}

/// A settled state of a plan, in a period.
pub(super) fn plan_state(
    s: &mut Story,
    inv: Inv,
    status: &str,
    (plan, cycle): (&str, &str),
    from: &str,
    to: &str,
    end_date: Option<&str>,
) {
    let terms = format!(
        r#"{{"planId":"{plan}","billingCycle":"{cycle}","periodStart":"{from}","periodEnd":"{to}"}}"#
    );
    let end_date = end_date.map_or("null".to_owned(), |date| format!("\"{date}\""));
    let value =
        format!(r#"{{"status":"{status}","endDate":{end_date},"terms":{terms},"bill":null}}"#);
    s.set(inv, "subscription", &value);
}
