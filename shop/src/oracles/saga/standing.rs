//! What stands of an order at the end of the run, whatever its services answered.
//!
//! Must not know: what ought to stand.

use std::collections::BTreeMap;

use onceproof::oracle::Facts;

use crate::oracles::{
    inventory::book::{Entry, Status, Stock},
    world::{charges_of, standing},
};

/// What stands of an order: each thing in a few words, with the record that shows it.
pub(super) struct Standing {
    /// `ch_1 holds 2600`.
    pub(super) charges: Vec<(usize, String)>,
    /// `lbl_1 is live`.
    pub(super) labels: Vec<(usize, String)>,
    /// By product.
    pub(super) stock: BTreeMap<String, (usize, Entry)>,
    /// What its service has it as.
    pub(super) order: Option<(usize, String)>,
}

impl Standing {
    /// What of the order `id` stands.
    pub(super) fn of(facts: &Facts<'_>, id: &str) -> Self {
        let charges = charges_of(facts, "PaymentService", &format!("{id}-payment")).iter();
        let held = charges.filter(|c| c.held() > 0);
        let charges = held.map(|c| (c.record, format!("{} holds {}", c.id, c.held())));
        let live = standing(facts).filter(|label| &*label.parcel == id);
        let stock = facts.view::<Stock>().0.iter().filter_map(|(product, stock)| {
            let (record, book) = stock.last()?;
            Some((product.clone(), (record, *book.reservations.get(id)?)))
        });
        let order = facts.last_state("OrderService", id, "order");
        Self {
            charges: charges.collect(),
            labels: live.map(|l| (l.record, format!("{} is live", l.label))).collect(),
            stock: stock.collect(),
            order: order.and_then(|o| Some((o.record, o.field("status")?.as_str()?.to_owned()))),
        }
    }

    /// Everything that would have to be undone.
    pub(super) fn all(&self) -> Vec<(usize, String)> {
        let stock = self.stock.iter().filter(|(_, (_, entry))| entry.status.holds());
        let stock = stock.map(|(product, (record, Entry { quantity, status }))| {
            (*record, format!("{quantity} of {product} {status}"))
        });
        let order = self.order.iter().filter(|(_, status)| status != "cancelled");
        let order = order.map(|(record, status)| (*record, format!("the order is {status}")));
        let charges = self.charges.iter().chain(&self.labels).cloned();
        order.chain(stock).chain(charges).collect()
    }

    /// What an order of these quantities of products lacks to be complete, apart from its email; `here` is the record
    /// that asks for it.
    pub(super) fn lacks(&self, ordered: &BTreeMap<&str, i64>, here: usize) -> Vec<(usize, String)> {
        let mut lacks = Vec::new();
        for (product, quantity) in ordered {
            match self.stock.get(*product) {
                Some((_, entry)) if entry.status == Status::Sold && entry.quantity == *quantity => {
                }
                Some((record, Entry { quantity: kept, status })) => {
                    let words = format!("{kept} of {product} are {status}, not {quantity} sold");
                    lacks.push((*record, words));
                }
                None => lacks.push((here, format!("no {product} was reserved"))),
            }
        }
        for (standing, none) in
            [(&self.charges, "no charge is held"), (&self.labels, "no label is live")]
        {
            match standing.len() {
                1 => {}
                0 => lacks.push((here, none.into())),
                _ => lacks.extend(standing.iter().cloned()),
            }
        }
        match &self.order {
            Some((_, status)) if status == "confirmed" => {}
            Some((record, status)) => lacks.push((*record, format!("the order is {status}"))),
            None => lacks.push((here, "there is no order".into())),
        }
        lacks
    }
}
