//! The deliveries of webhooks: what they say, and who sent them.
//!
//! Must not know: what ought to hold.

use serde::Deserialize;

use crate::history::{Event, Inv, Origin};

use super::super::{Facts, Invocation};

/// The object that is an event of the payment provider.
pub(super) const WEBHOOK: &str = "WebhookService";

/// One delivery of a webhook.
#[derive(Debug)]
pub(super) struct Delivery<'a, 'h> {
    pub(super) invocation: &'a Invocation<'h>,
    pub(super) says: Said,
    /// The record of its arrival and the name under which it came, if its sender did not sign it just now.
    pub(super) forged: Option<(usize, &'h str)>,
}

/// What a webhook says, whoever sent it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) data: Data,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Data {
    pub(super) order_id: String,
}

/// All deliveries of what is an event at all, in order of their arrival.
pub(super) fn deliveries<'a, 'h>(facts: &'a Facts<'h>) -> Vec<Delivery<'a, 'h>> {
    let webhooks: Vec<_> = facts
        .invocations_of(WEBHOOK)
        .filter(|i| &*i.target.handler == "ProcessWebhook")
        .filter_map(|i| Some((i, serde_json::from_slice::<Said>(&i.input.0).ok()?)))
        .collect();
    if webhooks.is_empty() {
        return Vec::new();
    }
    let forged = forged(facts);
    let arrived = |inv: Inv| forged.iter().find(|f| f.0 == inv).map(|f| (f.1, f.2));
    webhooks
        .into_iter()
        .map(|(invocation, says)| {
            let forged = arrived(invocation.inv);
            Delivery { invocation, says, forged }
        })
        .collect()
}

/// The invocations of webhooks that were not sent by their sender just now, the records of their arrivals,
/// and the names that they came under.
fn forged<'h>(facts: &Facts<'h>) -> Vec<(Inv, usize, &'h str)> {
    let mut found = Vec::new();
    let mut arrived: Option<(usize, &'h str)> = None;
    for (record, entry) in facts.history().records().iter().enumerate() {
        match &entry.event {
            Event::WebhookSent { request, authentic, .. } => {
                arrived = (!authentic).then_some((record, &**request));
            }
            // Its invocation follows at once.
            Event::InvocationCreated { inv, origin: Origin::Client(request), .. } => {
                if let Some((record, name)) = arrived.take().filter(|(_, name)| *name == &**request)
                {
                    found.push((*inv, record, name));
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
pub(super) mod testing {
    use crate::history::{Event, Inv, Origin};

    use super::super::super::testing::Story;

    pub(in super::super) const TARGET: &str = "WebhookService/evt/ProcessWebhook";
    pub(in super::super) const PAID: &str =
        r#"{"id":"evt","type":"payment.succeeded","data":{"orderId":"o","chargeId":"ch_1"}}"#;
    pub(in super::super) const CHECKOUT: &str = "OrderService/o/CompleteCheckout";

    /// A webhook that arrives under this name, and begins at once.
    pub(in super::super) fn arrives(s: &mut Story, request: &str, authentic: bool) -> Inv {
        s.push(Event::WebhookSent { request: request.into(), attempt: 1, authentic, signed_at: 0 });
        let inv = s.create(TARGET, PAID, Origin::Client(request.into()));
        s.start(inv);
        inv
    }

    /// Its call to the order, which succeeds.
    pub(in super::super) fn applies(s: &mut Story, webhook: Inv) {
        let order = s.call(webhook, CHECKOUT, "{}");
        s.done(order, "{}");
    }

    pub(in super::super) fn record(status: &str) -> String {
        format!(r#"{{"record":{{"webhookId":"evt","status":"{status}"}},"event":{{}}}}"#)
    }
}
