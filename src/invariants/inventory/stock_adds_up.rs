//! At every moment a product's counts add up, none is below zero, and they are what its reservations say.
//!
//! It is general: it stays silent about a moment that a specific invariant before it points at.

use super::{
    super::{Facts, Invariant, Violation, already_shown},
    book::{Book, Status, products},
};

const NAME: &str = "stock_adds_up";

pub(super) struct StockAddsUp;

impl Invariant for StockAddsUp {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "available, reserved and sold add up to the total, and to the reservations"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for product in products(facts) {
            let wrong = product.books.iter().find_map(|(record, _, book)| {
                Some((*record, wrong(book)?)).filter(|_| !already_shown(violations, &[*record]))
            });
            if let Some((record, what)) = wrong {
                let at = facts.at(record);
                let message = format!("{} does not add up at {at}: {what}", product.name);
                violations.push(Violation::new(NAME, message, vec![record]));
            }
        }
    }
}

fn wrong(book: &Book) -> Option<String> {
    let Book { total_stock: total, available_stock: available, .. } = *book;
    let (reserved, sold) = (book.reserved_stock, book.sold_stock);
    let sum = available.checked_add(reserved).and_then(|sum| sum.checked_add(sold));
    if sum != Some(total) || [total, available, reserved, sold].iter().any(|&count| count < 0) {
        return Some(format!(
            "{available} available, {reserved} reserved and {sold} sold of {total}"
        ));
    }
    for (status, count) in [(Status::Active, reserved), (Status::Sold, sold)] {
        let entries = book.reservations.values().filter(|entry| entry.status == status);
        let held = entries.fold(0_i64, |sum, entry| sum.saturating_add(entry.quantity));
        if held != count {
            return Some(format!("{count} {status}, but its reservations say {held}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            super::testing::check,
            testing::{opens, reserved, stock, turns},
        },
        StockAddsUp as It,
    };

    #[test]
    fn counts_that_do_not_fit_are_told_at_their_first_moment() {
        for (counts, reservations, what) in [
            ([5, 4, 2, 0], &["r 2 active"][..], "4 available, 2 reserved and 0 sold of 5"),
            ([5, 7, -2, 0], &[], "7 available, -2 reserved and 0 sold of 5"),
            ([5, 3, 2, 0], &["r 2 released"], "2 reserved, but its reservations say 0"),
            ([5, 3, 0, 2], &["r 1 sold"], "2 sold, but its reservations say 1"),
        ] {
            let message = format!("widget does not add up at 2.000s: {what}");
            check(&It, &[&message], |s| {
                opens(s, 5);
                turns(s.at(2_000), "ReserveStock", &stock(counts, reservations));
                turns(s.at(3_000), "ReserveStock", &stock(counts, reservations));
            });
        }
    }

    #[test]
    fn counts_that_fit_are_right() {
        check(&It, &[], |s| {
            reserved(s);
            turns(
                s,
                "ReserveStock",
                &stock([5, 2, 2, 1], &["r 2 active", "q 1 sold", "p 9 expired"]),
            );
        });
    }
}
