//! Oracles of the distributed transaction.
//!
//! Must not know: the engine, the world's state, how a report looks.

use super::Invariant;

mod all_or_nothing;
mod cancelled_never_completes;
mod left_behind;
mod no_step_after_undo;
mod result_stable;
mod undone_in_reverse;
mod view;

pub use left_behind::left_behind;

/// All of them; the specific ones come first.
pub(super) static ALL: &[&dyn Invariant] = &[
    &undone_in_reverse::UndoneInReverse,
    &no_step_after_undo::NoStepAfterUndo,
    &cancelled_never_completes::CancelledNeverCompletes,
    &result_stable::ResultStable,
    &all_or_nothing::AllOrNothing,
];

#[cfg(test)]
mod tests {
    use crate::{history::Effect, invariants::testing::Story};

    /// How the order `o`, of two of `tea` for 1400, ends in a story.
    pub(super) struct Ends {
        pub(super) status: &'static str,
        /// How its reservation ends.
        pub(super) stock: &'static str,
        pub(super) charged: bool,
        pub(super) labelled: bool,
        /// The status that the order's own service has.
        pub(super) order: &'static str,
        pub(super) told: bool,
        pub(super) killed: bool,
    }

    impl Default for Ends {
        /// All of it.
        fn default() -> Self {
            Self {
                status: "completed",
                stock: "sold",
                charged: true,
                labelled: true,
                order: "confirmed",
                told: true,
                killed: false,
            }
        }
    }

    impl Ends {
        pub(super) fn nothing() -> Self {
            Self {
                status: "failed",
                stock: "released",
                charged: false,
                labelled: false,
                order: "cancelled",
                told: false,
                killed: false,
            }
        }
    }

    /// The whole story of the order. What does not stand in the end stood meanwhile, and was undone.
    pub(super) fn tell(s: &mut Story, ends: &Ends) {
        let request = r#"{"items":[{"productId":"tea","quantity":2,"price":700}],"total":1400}"#;
        let inv = s.begin("OrderOrchestrator/o/ProcessOrder", request);
        s.set(inv, "record", r#"{"status":"pending"}"#);

        let order = s.call(inv, "OrderService/o/CreateOrder", "{}");
        s.set(order, "order", r#"{"status":"pending"}"#);
        s.set(order, "order", &format!(r#"{{"status":"{}"}}"#, ends.order));
        s.done(order, "{}");

        let stock = s.call(inv, "InventoryService/tea/ReserveStock", "{}");
        for status in ["active", ends.stock] {
            let kept = format!(r#"{{"o":{{"quantity":2,"status":"{status}"}}}}"#);
            s.set(stock, "stock_level", &format!(r#"{{"reservations":{kept}}}"#));
        }
        s.done(stock, "{}");

        let pay = s.call(inv, "PaymentService/o-payment/CreatePayment", "{}");
        s.charge(pay, "ch_1", 1_400);
        if !ends.charged {
            s.refund(pay, "re_1", "ch_1", 1_400);
        }
        s.done(pay, "{}");

        let label = s.call(inv, "ShippingService/o/CreateLabel", "{}");
        let labelled = Effect::Labelled {
            label: "lbl_1".into(),
            parcel: "o".into(),
            recipient: "cust-alice".into(),
            key: None,
        };
        s.world(label, "label", &[labelled]);
        if !ends.labelled {
            let cancelled = Effect::LabelCancelled { label: "lbl_1".into() };
            s.world(label, "cancel label", &[cancelled]);
        }
        s.done(label, "{}");

        if ends.told {
            let mail = s.begin("EmailService/o-orderConfirmed-email/SendEmail", "{}");
            s.mail(mail, "msg_1", "cust-alice");
            s.done(mail, "{}");
        }
        s.set(inv, "record", &format!(r#"{{"status":"{}"}}"#, ends.status));
        if ends.killed {
            s.kill(inv);
        } else {
            s.done(inv, &format!(r#"{{"status":"{}"}}"#, ends.status));
        }
        s.quiet();
    }
}
