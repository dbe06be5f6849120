//! Oracle of what an order's steps ask for: all that was ordered, for who ordered it.
//!
//! Must not know: in which order steps are taken, what came of them.

use std::collections::BTreeMap;

use onceproof::oracle::{Facts, Invocation, Rule, oracle};
use serde::Deserialize;

use super::view::{ORCHESTRATOR, Orders};

/// What an order asks for.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Asked {
    items: Vec<Item>,
    customer_id: String,
    total: i64,
    currency: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Item {
    product_id: String,
    quantity: i64,
}

impl Asked {
    /// The order `id`, as it was first asked for; a request that breaks a rule asks for nothing.
    pub(super) fn of(facts: &Facts<'_>, id: &str) -> Option<(usize, Self)> {
        let mut handlers = facts.invocations_of(ORCHESTRATOR).filter(|i| i.object().1 == id);
        let broken = |i: &Invocation<'_>| matches!(i.failure(), Some((_, 400)));
        let asked = handlers.find(|i| i.handler() == "ProcessOrder" && !broken(i))?;
        Some((asked.created, asked.input_as().unwrap_or_default()))
    }

    /// How much of each product, all lines together.
    pub(super) fn quantities(&self) -> BTreeMap<&str, i64> {
        let mut products = BTreeMap::new();
        for item in &self.items {
            *products.entry(&*item.product_id).or_default() += item.quantity;
        }
        products
    }
}

/// What a step asks another service for.
#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct Step {
    quantity: i64,
    amount: i64,
    currency: String,
    recipient: String,
    customer_id: String,
}

/// Each step asks for what was ordered: all lines of a product, the whole total in its currency, for that customer.
pub(super) fn as_asked() -> Rule {
    let summary = "the steps of an order ask for all that was ordered, for its customer";
    oracle("saga_as_asked", summary, |facts, report| {
        for id in facts.view::<Orders>().0.keys() {
            let Some((created, asked)) = Asked::of(facts, id) else { continue };
            let customer = asked.customer_id.as_str();
            let dollars = if asked.currency.is_empty() { "USD" } else { &asked.currency };
            let quantities = asked.quantities();
            for call in facts.invocations().iter().filter(|call| {
                let caller = call.parent().and_then(|inv| facts.invocation(inv));
                caller.is_some_and(|caller| caller.object() == (ORCHESTRATOR, id))
            }) {
                let step = call.input_as::<Step>().unwrap_or_default();
                let (key, handler) = (call.object().1, call.handler());
                let (did, right) = match handler {
                    "ReserveStock" => {
                        let right = quantities.get(key).copied().unwrap_or(0);
                        (format!("{} of {key}", step.quantity), format!("{right} of {key}"))
                    }
                    "CreatePayment" => {
                        let Step { amount, currency, customer_id, .. } = &step;
                        let right = format!("{} {dollars} of {customer}", asked.total);
                        (format!("{amount} {currency} of {customer_id}"), right)
                    }
                    "CreateLabel" => (step.recipient, customer.to_owned()),
                    "Notify" => (step.customer_id, customer.to_owned()),
                    _ => continue,
                };
                if did != right {
                    let at = facts.at(call.created);
                    let message = format!(
                        "{id}: {handler} was asked for {did} at {at}, and ordered was {right}"
                    );
                    report.violation(message, [created, call.created]);
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{super::super::testing::*, *};

    #[test]
    fn each_step_asks_for_what_was_ordered() {
        let order = r#"{"items":[{"productId":"tea","quantity":2},{"productId":"tea","quantity":1}],
            "customerId":"ann","total":900}"#;
        for (to, input, wrong) in [
            ("InventoryService/tea/ReserveStock", r#"{"quantity":3}"#, ""),
            (
                "InventoryService/tea/ReserveStock",
                r#"{"quantity":2}"#,
                "2 of tea at 0.000s, and ordered was 3 of tea",
            ),
            (
                "InventoryService/cup/ReserveStock",
                r#"{"quantity":1}"#,
                "1 of cup at 0.000s, and ordered was 0 of cup",
            ),
            (
                "PaymentService/o-payment/CreatePayment",
                r#"{"amount":900,"currency":"EUR","customerId":"ann"}"#,
                "900 EUR of ann at 0.000s, and ordered was 900 USD of ann",
            ),
            (
                "ShippingService/o/CreateLabel",
                r#"{"recipient":"bob"}"#,
                "bob at 0.000s, and ordered was ann",
            ),
            ("NotificationService/o-x/Notify", r#"{"customerId":"ann"}"#, ""),
        ] {
            let handler = to.rsplit('/').next().unwrap_or_default();
            let message = format!("o: {handler} was asked for {wrong}");
            judge_if(wrong.is_empty(), &as_asked(), &message, |s| {
                let inv = s.begin("OrderOrchestrator/o/ProcessOrder", order);
                s.call(inv, to, input);
            });
        }
    }
}
