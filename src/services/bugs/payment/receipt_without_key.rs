//! The mail client was written before the provider had idempotency keys, and does not pass them on. A retry of
//! the receipt whose answer was lost is a second receipt.

use std::sync::Arc;

use crate::{
    services::{Variant, payment_service::PaymentService},
    world::{Email, Mailer, WorldError, WorldFuture},
};

pub(in crate::services) const RECEIPT_WITHOUT_KEY: Variant = Variant {
    name: "receipt-without-key",
    summary: "the mail client does not pass the receipt's idempotency key on",
    class: Some(58),
    caught_by: Some("effect_at_most_once"),
    bind: |endpoint, systems| {
        let mailer = Arc::new(OldClient(Arc::clone(&systems.mailer)));
        endpoint.bind(PaymentService::new(Arc::clone(&systems.gateway), mailer))
    },
};

struct OldClient(Arc<dyn Mailer>);

impl Mailer for OldClient {
    fn send(&self, email: Email) -> WorldFuture<'_, Result<String, WorldError>> {
        self.0.send(Email { idempotency_key: None, ..email })
    }
}
