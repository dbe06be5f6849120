//! What the stock of a product was, one value after the other.
//!
//! Must not know: what ought to hold.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;

use crate::history::{Inv, Payload};

use super::super::{Facts, Invocation};

/// The object that keeps the stock of a product.
pub(super) const INVENTORY: &str = "InventoryService";

/// The value of the state `stock_level`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Book {
    pub(super) total_stock: i64,
    pub(super) available_stock: i64,
    pub(super) reserved_stock: i64,
    pub(super) sold_stock: i64,
    pub(super) reservations: BTreeMap<String, Entry>,
}

/// A reservation in the book.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) quantity: i64,
    pub(super) status: Status,
}

/// How far a reservation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Active,
    Released,
    Expired,
    Sold,
}

/// As in "it was released".
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "reserved",
            Self::Released => "released",
            Self::Expired => "expired",
            Self::Sold => "sold",
        })
    }
}

/// What a handler was asked, or answered, about a reservation or a restock.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Slip {
    pub(super) reservation_id: String,
    pub(super) restock_id: String,
    pub(super) quantity: i64,
    pub(super) status: Option<Status>,
}

impl Slip {
    pub(super) fn parse(payload: &Payload) -> Option<Self> {
        serde_json::from_slice(&payload.0).ok()
    }
}

/// A product and all values of its stock, with their records; the first is what it opened with.
pub(super) struct Product<'h> {
    pub(super) name: &'h str,
    pub(super) books: Vec<(usize, Option<Inv>, Book)>,
}

/// One change of a product's stock.
pub(super) struct Step<'a> {
    pub(super) record: usize,
    pub(super) inv: Option<Inv>,
    pub(super) before: &'a Book,
    pub(super) after: &'a Book,
}

/// A reservation whose status changed.
pub(super) struct Turn<'a> {
    pub(super) id: &'a str,
    pub(super) from: Option<Status>,
    pub(super) to: Status,
    pub(super) quantity: i64,
}

/// All products of the run, by name.
pub(super) fn products<'h>(facts: &Facts<'h>) -> Vec<Product<'h>> {
    let mut products: BTreeMap<&'h str, Product<'h>> = BTreeMap::new();
    for change in facts.states_of(INVENTORY, "stock_level") {
        let book = change.value.and_then(|value| serde_json::from_slice(&value.0).ok());
        let product = products
            .entry(change.key)
            .or_insert_with(|| Product { name: change.key, books: Vec::new() });
        if product.books.is_empty() && change.inv.is_some() {
            // It had no stock before.
            product.books.push((change.record, None, Book::default()));
        }
        product.books.push((change.record, change.inv, book.unwrap_or_default()));
    }
    products.into_values().collect()
}

impl Product<'_> {
    /// Every change, in order of time.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.books.windows(2).map(|pair| {
            let ((_, _, before), (record, inv, after)) = (&pair[0], &pair[1]);
            Step { record: *record, inv: *inv, before, after }
        })
    }
}

impl Step<'_> {
    /// The reservations whose status changed, new ones included.
    pub(super) fn turns(&self) -> impl Iterator<Item = Turn<'_>> {
        self.after.reservations.iter().filter_map(|(id, entry)| {
            let from = self.before.reservations.get(id).map(|before| before.status);
            let Entry { quantity, status: to } = *entry;
            (from != Some(to)).then_some(Turn { id, from, to, quantity })
        })
    }

    /// How much went out of what is reserved or sold; negative if more is now.
    pub(super) fn given_back(&self) -> i64 {
        let held = |book: &Book| book.reserved_stock.saturating_add(book.sold_stock);
        held(self.before).saturating_sub(held(self.after))
    }

    /// The handler that made the change, and what it was asked.
    pub(super) fn asked<'f, 'h>(&self, facts: &'f Facts<'h>) -> Option<(&'f Invocation<'h>, Slip)> {
        let invocation = facts.invocation(self.inv?)?;
        Some((invocation, Slip::parse(invocation.input)?))
    }
}
