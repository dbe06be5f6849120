//! An id stands for one order with one number, in every state and every answer, and no two orders share one.

use std::collections::BTreeMap;

use super::{
    super::{Facts, Invariant, Violation},
    view::{ORDER, Stored, orders},
};

const NAME: &str = "order_one_per_id";

pub(super) struct OrderOnePerId;

impl Invariant for OrderOnePerId {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "an order has one number, the same on every retry, and shares it with no other"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        let mut owners: BTreeMap<String, (&str, usize)> = BTreeMap::new();
        for (id, mut numbers) in numbers(facts) {
            numbers.sort_by_key(|(record, _)| *record);
            let Some((first, number)) = numbers.first() else { continue };
            if let Some((other, other_number)) = numbers.iter().find(|(_, n)| n != number) {
                let message = format!(
                    "{id} has two numbers: {number} at {}, {other_number} at {}",
                    facts.at(*first),
                    facts.at(*other)
                );
                violations.push(Violation::new(NAME, message, vec![*first, *other]));
            }
            if let Some((owner, record)) = owners.insert(number.clone(), (id, *first)) {
                let message = format!(
                    "{owner} and {id} have one number: {number} at {} and at {}",
                    facts.at(record),
                    facts.at(*first)
                );
                violations.push(Violation::new(NAME, message, vec![record, *first]));
            }
        }
    }
}

/// Each number that was stored or answered, with its record, by the order's id.
fn numbers<'h>(facts: &Facts<'h>) -> BTreeMap<&'h str, Vec<(usize, String)>> {
    let mut numbers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (id, values) in orders(facts) {
        let values = values.into_iter().map(|value| (value.record, value.order_number));
        numbers.insert(id, values.collect());
    }
    for invocation in facts.invocations_of(ORDER) {
        let Some((record, answer)) = invocation.answer() else { continue };
        let Ok(order) = serde_json::from_slice::<Stored>(&answer.0) else { continue };
        let of_order = numbers.entry(&*invocation.target.key).or_default();
        of_order.push((record, order.order_number));
    }
    for of_order in numbers.values_mut() {
        of_order.retain(|(_, number)| !number.is_empty());
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::{
        super::{super::testing::check, view::stored},
        OrderOnePerId as It,
    };

    const CREATE: &str = "OrderService/o/CreateOrder";

    #[test]
    fn a_second_number_is_told() {
        let other = stored("pending").replace("ORD-1", "ORD-2");
        check(&It, &["o has two numbers: ORD-1 at 1.000s, ORD-2 at 2.000s"], |s| {
            s.at(1_000).op(CREATE, "{}", &stored("pending"));
            s.at(2_000).op(CREATE, "{}", &other);
        });
        check(&It, &["o has two numbers: ORD-1 at 1.000s, ORD-2 at 2.000s"], |s| {
            let inv = s.begin(CREATE, "{}");
            s.at(1_000).set(inv, "order", &stored("pending"));
            s.clear(inv, "order");
            s.at(2_000).set(inv, "order", &other);
        });
    }

    #[test]
    fn a_number_of_two_orders_is_told() {
        check(&It, &["o and p have one number: ORD-1 at 1.000s and at 2.000s"], |s| {
            s.at(1_000).op(CREATE, "{}", &stored("pending"));
            s.at(2_000).op("OrderService/p/CreateOrder", "{}", &stored("pending"));
        });
    }

    #[test]
    fn the_same_number_again_and_refusals_are_right() {
        check(&It, &[], |s| {
            let inv = s.begin(CREATE, "{}");
            s.set(inv, "order", &stored("pending"));
            s.done(inv, &stored("pending"));
            s.op(CREATE, "{}", &stored("pending"));
            s.op("OrderService/o/CancelOrder", "", &stored("cancelled"));
            let refused = s.begin("OrderService/p/CreateOrder", "{}");
            s.fails(refused, 400, "no");
            let other = stored("pending").replace("ORD-1", "ORD-2");
            s.op("OrderService/q/CreateOrder", "{}", &other);
        });
    }
}
