//! What the stock of each product was, one value after the other: parsed once for all oracles of stock.
//!
//! Must not know: what ought to hold.

use std::{collections::BTreeMap, fmt};

use onceproof::{
    history::Inv,
    oracle::{Facts, Invocation, Report, Rule, View, oracle},
};
use serde::Deserialize;

/// The object that keeps the stock of a product.
pub(in super::super) const INVENTORY: &str = "InventoryService";

/// The value of the state `stock_level`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in super::super) struct Book {
    pub(super) total_stock: i64,
    pub(super) available_stock: i64,
    pub(super) reserved_stock: i64,
    pub(super) sold_stock: i64,
    pub(in super::super) reservations: BTreeMap<String, Entry>,
}

impl Book {
    /// How much is reserved or sold.
    pub(super) fn held(&self) -> i64 {
        self.reserved_stock.saturating_add(self.sold_stock)
    }
}

/// A reservation in the book.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(in super::super) struct Entry {
    pub(in super::super) quantity: i64,
    pub(in super::super) status: Status,
}

/// How far a reservation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Status {
    Active,
    Released,
    Expired,
    Sold,
}

impl Status {
    /// True if it still holds stock.
    pub(in super::super) fn holds(self) -> bool {
        matches!(self, Self::Active | Self::Sold)
    }
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

/// The fields of a request to, or an answer of, a handler that speaks of a reservation or a restock.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Fields {
    pub(super) reservation_id: String,
    pub(super) restock_id: String,
    pub(super) quantity: i64,
    pub(super) status: Option<Status>,
}

/// All products of the run, by name.
pub(in super::super) struct Stock(pub(in super::super) BTreeMap<String, Product>);

/// All values of one product's stock; the first is what it opened with.
#[derive(Default)]
pub(in super::super) struct Product {
    pub(super) values: Vec<Value>,
}

/// The stock at one time.
pub(in super::super) struct Value {
    pub(super) record: usize,
    /// None for what was there before the run.
    pub(super) inv: Option<Inv>,
    pub(in super::super) book: Book,
}

/// A change of a product's stock.
pub(super) struct Step<'a> {
    pub(super) record: usize,
    inv: Option<Inv>,
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

impl View for Stock {
    fn of(facts: &Facts<'_>) -> Self {
        let mut products: BTreeMap<String, Product> = BTreeMap::new();
        for (name, changes) in facts.states_by_key(INVENTORY, "stock_level") {
            let values = &mut products.entry(name.to_owned()).or_default().values;
            if let Some(first) = changes.first().filter(|first| first.inv.is_some()) {
                // it had no stock before
                values.push(Value { record: first.record, inv: None, book: Book::default() });
            }
            values.extend(changes.iter().map(|change| Value {
                record: change.record,
                inv: change.inv,
                book: change.value_as().unwrap_or_default(),
            }));
        }
        Self(products)
    }
}

/// A rule that judges each product, by its name, for itself.
pub(super) fn per_product(
    name: &str,
    summary: &str,
    check: impl Fn(&Facts<'_>, &str, &Product, &mut Report<'_>) + Send + Sync + 'static,
) -> Rule {
    oracle(name, summary, move |facts, report| {
        for (name, product) in &facts.view::<Stock>().0 {
            check(facts, name, product, report);
        }
    })
}

impl Product {
    /// The last value of its stock.
    pub(in super::super) fn last(&self) -> Option<(usize, &Book)> {
        self.values.last().map(|last| (last.record, &last.book))
    }

    /// Every change, in order of time.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.values.windows(2).map(|pair| {
            let Value { record, inv, book: after } = &pair[1];
            Step { record: *record, inv: *inv, before: &pair[0].book, after }
        })
    }

    /// Every change of a reservation's status, with its record, in order of time.
    pub(super) fn turns(&self) -> impl Iterator<Item = (usize, Turn<'_>)> {
        self.steps().flat_map(|step| step.turns().map(move |turn| (step.record, turn)))
    }

    /// Every time that a reservation takes stock.
    pub(super) fn takes(&self) -> impl Iterator<Item = (usize, Turn<'_>)> {
        self.turns().filter(|(_, turn)| turn.to == Status::Active)
    }
}

impl<'a> Step<'a> {
    /// The reservations whose status changed, new ones included.
    pub(super) fn turns(&self) -> impl Iterator<Item = Turn<'a>> + use<'a> {
        let before = self.before;
        self.after.reservations.iter().filter_map(move |(id, entry)| {
            let from = before.reservations.get(id).map(|before| before.status);
            let Entry { quantity, status: to } = *entry;
            (from != Some(to)).then_some(Turn { id, from, to, quantity })
        })
    }

    /// How much went out of what is reserved or sold; negative if more is now.
    pub(super) fn given_back(&self) -> i64 {
        self.before.held().saturating_sub(self.after.held())
    }

    /// The handler that made the change, and its request.
    pub(super) fn request<'f, 'h>(
        &self,
        facts: &'f Facts<'h>,
    ) -> Option<(&'f Invocation<'h>, Fields)> {
        let invocation = facts.invocation(self.inv?)?;
        Some((invocation, invocation.input_as()?))
    }
}
