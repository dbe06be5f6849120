//! What the subscription service stored, charged and gave back.
//!
//! Must not know: what ought to hold, how the service reckons.

use std::collections::BTreeMap;

use onceproof::{
    history::Inv,
    oracle::{Facts, Happened, View},
};
use serde::{Deserialize, de::IgnoredAny};

use crate::systems::{catalogue::Quoted, gateway::Charged};

/// The object that charges period by period.
pub(super) const SUBSCRIPTION: &str = "SubscriptionService";

/// Each subscription's settled states, in order of time.
pub(super) struct Subscriptions(pub(super) BTreeMap<String, Vec<Settled>>);

/// A subscription with no bill under way, as it was stored.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    pub(super) record: usize,
    pub(super) inv: Inv,
    pub(super) customer_id: String,
    pub(super) status: String,
    /// The first day that is not paid for, if it is known.
    pub(super) end_date: Option<String>,
    pub(super) terms: Terms,
}

/// The plan and the period.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Terms {
    pub(super) plan_id: String,
    pub(super) billing_cycle: String,
    pub(super) period_start: String,
    pub(super) period_end: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    #[serde(default)]
    customer_id: String,
    status: String,
    #[serde(default)]
    end_date: Option<String>,
    terms: Terms,
    #[serde(default)]
    bill: Option<IgnoredAny>,
}

impl View for Subscriptions {
    fn of(facts: &Facts<'_>) -> Self {
        let mut subscriptions: BTreeMap<String, Vec<Settled>> = BTreeMap::new();
        for change in facts.states_of(SUBSCRIPTION, "subscription") {
            let (Some(inv), Some(stored)) = (change.inv, change.value_as::<Stored>()) else {
                continue;
            };
            if stored.bill.is_none() {
                let (record, Stored { customer_id, status, end_date, terms, .. }) =
                    (change.record, stored);
                let settled = Settled { record, inv, customer_id, status, end_date, terms };
                subscriptions.entry(change.key.to_owned()).or_default().push(settled);
            }
        }
        Self(subscriptions)
    }
}

/// The charges of a subscription, in order of time.
pub(super) fn charges_of<'a, 'h>(
    facts: &'a Facts<'h>,
    key: &'a str,
) -> impl Iterator<Item = Happened<'h, Charged>> + 'a {
    facts.effects_by(SUBSCRIPTION, key)
}

/// What a charge, or a refusal, is for: the first day of a period, or a change in it; none if it is no subscription's,
/// or its run does not say.
pub(super) fn purpose<'h, E>(charge: &Happened<'h, E>) -> Option<&'h str> {
    let run = charge.run().filter(|_| charge.service() == SUBSCRIPTION)?;
    let of = run.strip_prefix("charge ")?.strip_prefix(charge.key())?.strip_prefix('-')?;
    Some(of.split_once("-try-").map_or(of, |(of, _)| of))
}

/// What the catalogue asks for a plan, in cents.
pub(super) fn quoted(facts: &Facts<'_>, plan: &str) -> Option<i64> {
    facts.notes::<Quoted>().filter(|quoted| *quoted.plan == *plan).find_map(|q| Some(q.price?.0))
}
