//! Nobody is promised what is not there: what is reserved and sold is never more than there is.

use super::{
    super::{Facts, Invariant, Violation},
    book::products,
};

const NAME: &str = "never_oversold";

pub(super) struct NeverOversold;

impl Invariant for NeverOversold {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "no more of a product is reserved and sold than there is"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for product in products(facts) {
            let taken =
                |book: &super::book::Book| book.reserved_stock.saturating_add(book.sold_stock);
            let oversold = product.books.iter().find(|(_, _, book)| taken(book) > book.total_stock);
            if let Some((record, _, book)) = oversold {
                let message = format!(
                    "{} was oversold at {}: {} reserved and {} sold of {}",
                    product.name,
                    facts.at(*record),
                    book.reserved_stock,
                    book.sold_stock,
                    book.total_stock
                );
                violations.push(Violation::new(NAME, message, vec![*record]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            super::testing::check,
            testing::{opens, reserved, stock, turns},
        },
        NeverOversold as It,
    };

    #[test]
    fn more_promised_than_there_is_is_told_once() {
        check(&It, &["widget was oversold at 2.000s: 4 reserved and 2 sold of 5"], |s| {
            opens(s, 5);
            let taken = ["a 4 active", "b 2 sold"];
            turns(s.at(2_000), "ReserveStock", &stock([5, -1, 4, 2], &taken));
            turns(s.at(3_000), "ReserveStock", &stock([5, -1, 4, 2], &taken));
        });
    }

    #[test]
    fn the_last_one_can_be_had() {
        check(&It, &[], |s| {
            reserved(s);
            turns(s, "ReserveStock", &stock([5, 0, 5, 0], &["r 2 active", "q 3 active"]));
        });
    }
}
