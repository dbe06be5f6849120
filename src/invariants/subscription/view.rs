//! What the subscription service stored, what it charged and gave back.
//!
//! Must not know: what ought to hold, how the service reckons.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, de::IgnoredAny};

use crate::{
    history::{Effect, Event, Inv},
    invariants::{Business, Charge, Facts},
};

use super::SUBSCRIPTION;

/// A subscription with no bill under way, as it was stored.
#[derive(Clone, Debug)]
pub(super) struct Settled<'h> {
    pub(super) record: usize,
    pub(super) inv: Inv,
    pub(super) status: Cow<'h, str>,
    /// The first day that is not paid for, if it is known.
    pub(super) end_date: Option<Cow<'h, str>>,
    pub(super) terms: Terms<'h>,
}

/// The plan and the period.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Terms<'a> {
    #[serde(borrow)]
    pub(super) plan_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) billing_cycle: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) period_start: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) period_end: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    end_date: Option<Cow<'a, str>>,
    #[serde(borrow)]
    terms: Terms<'a>,
    #[serde(default)]
    bill: Option<IgnoredAny>,
}

/// Each subscription's settled states, in order of time.
pub(super) fn settled<'h>(facts: &Facts<'h>) -> BTreeMap<&'h str, Vec<Settled<'h>>> {
    let mut subscriptions: BTreeMap<_, Vec<Settled<'h>>> = BTreeMap::new();
    for change in facts.states_of(SUBSCRIPTION, "subscription") {
        let (Some(value), Some(inv)) = (change.value, change.inv) else { continue };
        let Ok(stored) = serde_json::from_slice::<Stored<'h>>(&value.0) else { continue };
        if stored.bill.is_none() {
            let Stored { status, end_date, terms, .. } = stored;
            let settled = Settled { record: change.record, inv, status, end_date, terms };
            subscriptions.entry(change.key).or_default().push(settled);
        }
    }
    subscriptions
}

/// The charges of a subscription, in order of time.
pub(super) fn charges_of<'f, 'h>(facts: &'f Facts<'h>, key: &str) -> &'f [Charge<'h>] {
    facts.charges_of(Business::object(SUBSCRIPTION, key))
}

/// What a charge is for: the first day of a period, or a change in it; none if its run does not say.
pub(super) fn purpose<'h>(key: &str, charge: &Charge<'h>) -> Option<&'h str> {
    let of = charge.run?.strip_prefix("charge ")?.strip_prefix(key)?.strip_prefix('-')?;
    Some(of.split_once("-try-").map_or(of, |(of, _)| of))
}

/// What the catalogue asks for a plan, in cents.
pub(super) fn quoted(facts: &Facts<'_>, plan_id: &str) -> Option<i64> {
    facts.history().records().iter().find_map(|record| match &record.event {
        Event::WorldEffect { effect: Effect::Quoted { plan, price }, .. } if **plan == *plan_id => {
            price.map(|price| price.0)
        }
        _ => None,
    })
}
