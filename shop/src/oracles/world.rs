//! What the systems did, and what became of it: charges, and labels.
//!
//! Must not know: what ought to hold.

use onceproof::{
    base::Name,
    oracle::{Facts, Happened, Scope, View},
};

use crate::systems::{
    carrier::{LabelCancelled, Labelled},
    gateway::{Charged, Refunded},
};

/// Money taken at the gateway, and what became of it.
#[derive(Debug)]
pub(super) struct Charge {
    pub(super) by: Scope,
    pub(super) record: usize,
    pub(super) id: Name,
    /// In cents.
    pub(super) amount: i64,
    /// How much was given back of it, in all.
    pub(super) refunded: i64,
    /// The record at which it was voided.
    pub(super) voided: Option<usize>,
}

impl Charge {
    fn of(facts: &Facts<'_>, charged: &Happened<'_, Charged>) -> Self {
        let (id, amount) = (charged.charge.clone(), charged.amount.0);
        let (mut refunded, mut voided) = (0, None);
        for refund in refunds_of(facts, &id) {
            refunded += refund.amount.0;
            voided = if refund.void { Some(refund.record) } else { voided };
        }
        Self { by: charged.by(), record: charged.record, id, amount, refunded, voided }
    }

    /// What the merchant keeps of it.
    pub(super) fn held(&self) -> i64 {
        self.amount - self.refunded
    }

    /// What the merchant kept of it before the record `record`.
    pub(super) fn held_at(&self, facts: &Facts<'_>, record: usize) -> i64 {
        let back = refunds_of(facts, &self.id).filter(|r| r.record < record);
        self.amount - back.map(|r| r.amount.0).sum::<i64>()
    }
}

/// All charges: those of one object side by side, in order of time.
#[derive(Debug)]
pub(super) struct Charges(pub(super) Vec<Charge>);

impl View for Charges {
    fn of(facts: &Facts<'_>) -> Self {
        let mut all: Vec<_> = facts.effects::<Charged>().map(|c| Charge::of(facts, &c)).collect();
        all.sort_by(|a, b| {
            let object = a.by.service().cmp(b.by.service()).then(a.by.key().cmp(b.by.key()));
            object.then(a.record.cmp(&b.record))
        });
        Self(all)
    }
}

/// The charges that handlers of an object made, in order of time.
pub(super) fn charges_of<'a>(facts: &'a Facts<'_>, service: &str, key: &str) -> &'a [Charge] {
    let all = &facts.view::<Charges>().0;
    let of = |c: &Charge| (c.by.service(), c.by.key()).cmp(&(service, key));
    let from = all.partition_point(|c| of(c).is_lt());
    let len = all[from..].partition_point(|c| of(c).is_eq());
    &all[from..from + len]
}

/// What was given back of a charge, in order of time.
pub(super) fn refunds_of<'a, 'h>(
    facts: &'a Facts<'h>,
    charge: &'a str,
) -> impl Iterator<Item = Happened<'h, Refunded>> + 'a {
    facts.effects::<Refunded>().filter(move |refund| &*refund.charge == charge)
}

/// The record at which a label was cancelled.
pub(super) fn cancelled_at(facts: &Facts<'_>, label: &Happened<'_, Labelled>) -> Option<usize> {
    let mut cancels = facts.effects::<LabelCancelled>().filter(|c| c.record > label.record);
    cancels.find(|c| c.label == label.label).map(|c| c.record)
}

/// The labels that stand in the end.
pub(super) fn standing<'a, 'h>(
    facts: &'a Facts<'h>,
) -> impl Iterator<Item = Happened<'h, Labelled>> + 'a {
    facts.standing(|label: &Labelled, cancelled: &LabelCancelled| label.label == cancelled.label)
}

/// Records, each with what it shows: `ch_1`.
pub(super) type Shown = Vec<(usize, String)>;

/// `ch_1 at 1.000s, ch_2 at 2.000s`
pub(super) fn list(facts: &Facts<'_>, shown: &[(usize, String)]) -> String {
    let each = shown.iter().map(|(record, what)| format!("{what} at {}", facts.at(*record)));
    each.collect::<Vec<_>>().join(", ")
}
