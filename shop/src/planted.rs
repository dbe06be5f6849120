//! The classes of planted bugs: what can be wrong with such services.
//!
//! Must not know: which service has them, which oracle catches them.

/// What can be wrong, by class: the first has number 1. Classes 1 to 36 are mistakes that were made elsewhere and
/// reported; those after them show oracles that none of the 36 trips.
pub static CLASSES: &[&str] = &[
    "charge without an idempotency key",
    "key regenerated for each attempt",
    "same key, other payload",
    "key expired, a late retry charges again",
    "cancelled while queued, the key executes again",
    "a cached failure blocks a good retry",
    "webhook and redirect both complete the payment",
    "a cancel races a settling charge",
    "concurrent refunds exceed the capture",
    "double refund",
    "negative refund accepted",
    "a cancel after completion confuses the refund state",
    "a late failure event downgrades a paid order",
    "webhook before the local record",
    "duplicate webhook applied twice",
    "webhook stored as processed despite an error",
    "email sent twice after an ambiguous timeout",
    "two confirmation paths, two emails",
    "oversell: check, then decrement",
    "stock restored twice",
    "release without a completed reserve",
    "stock gone by the time the payment confirms",
    "stock never restored on cancel",
    "renewal charged twice",
    "compensation skipped on cancellation",
    "compensation registered after the step",
    "compensation before the action, which arrives later",
    "compensation not idempotent, or its failure swallowed",
    "compensations in the wrong order, or a confirm as undo",
    "saga lost update: a cancel overwritten by an approve",
    "saga dirty read",
    "partial state left by a terminal error",
    "nondeterminism on replay",
    "deadlock in a cycle, or a paused head blocks the key",
    "expiry clears the dedup record early",
    "retries exhausted leave half a saga",
    "a cancel forgets the renewal that is already scheduled",
    "proration rounded part by part loses a cent",
    "a renewal that fails is skipped",
    "an email that was refused is recorded as sent",
    "a notification that is asked for again is another email",
    "a resend sends what was sent",
    "a welcome sent before the first charge, which is declined",
    "an order created anew, with another number",
    "a late update revives a cancelled order",
    "an order updated after it was confirmed",
    "an order fulfilled on paper, without its parcel",
    "a webhook believed however old its signature",
    "a restock counted twice",
    "stock and reservations written apart",
    "a reservation answered and never written",
    "an expiry that is cancelled never comes",
    "a label made anew by each attempt",
    "a shipment cancelled while its label is in doubt",
    "a shipment that forgets its label",
    "a poll waits for a wake-up that never comes",
    "an expiry that ends what is sold",
    "a receipt mailed again by a retry",
    "an order that failed is tried again after it was undone",
    "a lease leaked when its holder is killed",
    "charged in another currency than asked for",
    "an email to somebody else",
    "only a part of the quantity reserved",
    "a renewal abandoned: declined for ever under its old key",
    "a record that never expires",
    "an order stored otherwise than it was asked for",
];

/// What is wrong with the bugs of class `class`.
///
/// # Panics
/// If there is no such class.
#[must_use]
pub fn title(class: u8) -> &'static str {
    CLASSES[usize::from(class) - 1]
}
