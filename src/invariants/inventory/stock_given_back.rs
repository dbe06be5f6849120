//! A reservation that was released or has expired gives back what it held, at the latest when the run has
//! come to rest.
//!
//! A handler may write down the end first and the counts later; a killed one may never do the second.

use super::{
    super::{Facts, Invariant, Violation},
    book::{INVENTORY, Status, products},
};

const NAME: &str = "stock_given_back";

pub(super) struct StockGivenBack;

/// A reservation that ended without giving anything back so far.
struct Owed {
    id: String,
    ended: Status,
    quantity: i64,
    record: usize,
}

impl Invariant for StockGivenBack {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a released or expired reservation gives back what it held"
    }

    fn needs_rest(&self) -> bool {
        true
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for product in products(facts) {
            if facts.disturbed(INVENTORY, product.name) {
                continue;
            }
            let mut owed: Vec<Owed> = Vec::new();
            for step in product.steps() {
                let holding = |status| matches!(status, Some(Status::Active | Status::Sold));
                let over = |status| matches!(status, Status::Released | Status::Expired);
                owed.extend(step.turns().filter(|t| holding(t.from) && over(t.to)).map(|t| Owed {
                    id: t.id.into(),
                    ended: t.to,
                    quantity: t.quantity,
                    record: step.record,
                }));
                let back = step.given_back();
                if let Some(paid) = owed.iter().position(|o| o.quantity == back) {
                    owed.remove(paid);
                }
            }
            for Owed { id, ended, quantity, record } in owed {
                let message = format!(
                    "reservation {id} of {} {} at {}, but its {quantity} never came back",
                    product.name,
                    if ended == Status::Expired { "expired" } else { "was released" },
                    facts.at(record)
                );
                violations.push(Violation::new(NAME, message, vec![record]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            super::testing::check,
            testing::{reserved, stock, turns},
        },
        StockGivenBack as It,
    };

    #[test]
    fn stock_that_never_comes_back_is_told() {
        for (status, how) in [("released", "was released"), ("expired", "expired")] {
            let message =
                format!("reservation r of widget {how} at 2.000s, but its 2 never came back");
            check(&It, &[&message], |s| {
                reserved(s);
                let ended = format!("r 2 {status}");
                turns(s.at(2_000), "ReleaseReservation", &stock([5, 3, 2, 0], &[&ended]));
                s.quiet();
            });
        }
    }

    #[test]
    fn stock_that_comes_back_at_once_or_later_is_right() {
        check(&It, &[], |s| {
            reserved(s);
            turns(s, "ReleaseReservation", &stock([5, 5, 0, 0], &["r 2 released"]));
            s.quiet();
        });
        check(&It, &[], |s| {
            reserved(s);
            turns(s, "ReleaseReservation", &stock([5, 3, 2, 0], &["r 2 released"]));
            turns(s, "ReleaseReservation", &stock([5, 5, 0, 0], &["r 2 released"]));
            s.quiet();
        });
    }

    #[test]
    fn a_killed_release_and_a_cut_off_run_are_not_blamed() {
        let release = |s: &mut super::super::super::testing::Story| {
            reserved(s);
            let inv = s.begin("InventoryService/widget/ReleaseReservation", "{}");
            s.set(inv, "stock_level", &stock([5, 3, 2, 0], &["r 2 released"]));
            inv
        };
        check(&It, &[], |s| {
            let inv = release(s);
            s.kill(inv);
            s.quiet();
        });
        check(&It, &[], |s| {
            release(s);
        });
    }
}
