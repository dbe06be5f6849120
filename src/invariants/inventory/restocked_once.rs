//! The total changes only by a restock, by what came with it, and once for each restock.

use std::collections::BTreeMap;

use super::{
    super::{Facts, Invariant, Violation},
    book::products,
};

const NAME: &str = "restocked_once";

pub(super) struct RestockedOnce;

impl Invariant for RestockedOnce {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a product's total changes by each restock once, and by nothing else"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for product in products(facts) {
            let mut counted: BTreeMap<String, usize> = BTreeMap::new();
            for step in product.steps() {
                let (before, after) = (step.before.total_stock, step.after.total_stock);
                if before == after {
                    continue;
                }
                let (name, at) = (product.name, facts.at(step.record));
                let restock = step.asked(facts).filter(|(i, _)| &*i.target.handler == "Restock");
                let mut records = vec![step.record];
                let message = match restock {
                    Some((_, slip)) => {
                        let first = counted.insert(slip.restock_id.clone(), step.record);
                        let (id, quantity) = (slip.restock_id, slip.quantity);
                        if let Some(first) = first {
                            records.push(first);
                            let first = facts.at(first);
                            format!(
                                "restock {id} of {name} was counted twice: at {first} and at {at}"
                            )
                        } else if after.checked_sub(before) == Some(quantity) {
                            continue;
                        } else {
                            format!(
                                "restock {id} of {name} brought {quantity}, but its total went from {before} to {after} at {at}"
                            )
                        }
                    }
                    None => format!(
                        "the total of {name} went from {before} to {after} at {at} without a restock"
                    ),
                };
                violations.push(Violation::new(NAME, message, records));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            super::testing::{Story, check},
            testing::{opens, stock, turns},
        },
        RestockedOnce as It,
    };

    fn restocks(s: &mut Story, id: &str, total: i64) {
        let input = format!(r#"{{"restockId":"{id}","quantity":3}}"#);
        let inv = s.begin("InventoryService/widget/Restock", &input);
        s.set(inv, "stock_level", &stock([total, total, 0, 0], &[]));
        s.done(inv, "{}");
    }

    #[test]
    fn a_total_that_changes_otherwise_is_told() {
        check(&It, &["restock a of widget was counted twice: at 1.000s and at 2.000s"], |s| {
            opens(s, 5);
            restocks(s.at(1_000), "a", 8);
            restocks(s.at(2_000), "a", 11);
        });
        let message = "restock a of widget brought 3, but its total went from 5 to 6 at 1.000s";
        check(&It, &[message], |s| {
            opens(s, 5);
            restocks(s.at(1_000), "a", 6);
        });
        check(&It, &["the total of widget went from 5 to 4 at 1.000s without a restock"], |s| {
            opens(s, 5);
            turns(s.at(1_000), "ConfirmReservation", &stock([4, 4, 0, 0], &[]));
        });
    }

    #[test]
    fn each_restock_once_is_right() {
        check(&It, &[], |s| {
            restocks(s, "a", 3);
            restocks(s, "b", 6);
            restocks(s, "b", 6);
        });
    }
}
