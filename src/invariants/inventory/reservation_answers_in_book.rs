//! Whoever is told that stock is reserved or sold for them finds it in the book.

use super::{
    super::{Facts, Invariant, Violation},
    book::{INVENTORY, Slip, Status, products},
};

const NAME: &str = "reservation_answers_in_book";

pub(super) struct ReservationAnswersInBook;

impl Invariant for ReservationAnswersInBook {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a reservation that is answered to be active or sold is in the book as that"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        let products = products(facts);
        for invocation in facts.invocations_of(INVENTORY) {
            let (_, name) = invocation.object();
            let answer = invocation.answer().and_then(|(at, body)| Some((at, Slip::parse(body)?)));
            let Some((record, slip)) = answer else { continue };
            let Some(status @ (Status::Active | Status::Sold)) = slip.status else { continue };
            let product = products.iter().find(|product| product.name == name);
            let books = product.map_or(&[][..], |product| &product.books);
            let written = books.iter().filter(|(at, ..)| *at < record).any(|(_, _, book)| {
                let entry = book.reservations.get(&slip.reservation_id);
                entry.is_some_and(|e| e.status == status && e.quantity == slip.quantity)
            });
            if !written {
                let message = format!(
                    "reservation {} of {name} was answered to be {status} at {}, but its book does not say so",
                    slip.reservation_id,
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
        super::{super::testing::check, testing::reserved},
        ReservationAnswersInBook as It,
    };

    const RESERVE: &str = "InventoryService/widget/ReserveStock";
    const ASKED: &str = r#"{"reservationId":"r","quantity":2}"#;
    const ACTIVE: &str = r#"{"reservationId":"r","quantity":2,"status":"active"}"#;
    const SOLD: &str = r#"{"reservationId":"r","quantity":2,"status":"sold"}"#;

    #[test]
    fn an_answer_that_the_book_does_not_know_is_told() {
        for (answer, status) in [(ACTIVE, "reserved"), (SOLD, "sold")] {
            let message = format!(
                "reservation r of widget was answered to be {status} at 1.000s, but its book does not say so"
            );
            check(&It, &[&message], |s| {
                s.at(1_000).op(RESERVE, ASKED, answer);
                reserved(s);
            });
        }
    }

    #[test]
    fn an_answer_from_the_book_and_one_that_promises_nothing_are_right() {
        check(&It, &[], |s| {
            s.op(RESERVE, ASKED, r#"{"reservationId":"r","status":"released"}"#);
            s.op(RESERVE, ASKED, r#"{"totalStock":5}"#);
            reserved(s);
            s.op(RESERVE, ASKED, ACTIVE);
        });
    }
}
