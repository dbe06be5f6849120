//! Stories of one order, `o`.
//!
//! Must not know: what ought to hold.

use onceproof::{
    history::Inv,
    oracle::testing::{Call, Story},
};

use crate::{
    money::Cents,
    systems::{
        carrier::{LabelCancelled, Labelled},
        gateway::{Charged, Refunded, Voided},
        mailer::Mailed,
    },
};

pub(super) fn charges(s: &mut Story, inv: Inv, id: &str, cents: i64) {
    let (charge, customer, currency) = (id.into(), "cust-alice".into(), "USD".into());
    let charged = Charged { charge, customer, amount: Cents(cents), currency, key: None };
    s.effect(inv, "gateway", "charge", charged);
}

fn refunded(id: &str, cents: i64, void: bool) -> Refunded {
    Refunded { refund: "re_1".into(), charge: id.into(), amount: Cents(cents), void, key: None }
}

pub(super) fn voids(s: &mut Story, inv: Inv, id: &str, cents: i64) {
    let call = Call::default().made(refunded(id, cents, true)).made(Voided { key: "k".into() });
    s.calls_system(inv, "gateway", "void", call);
}

pub(super) fn labels(s: &mut Story, inv: Inv, id: &str, parcel: &str) {
    let (label, parcel, recipient) = (id.into(), parcel.into(), "cust-alice".into());
    s.effect(inv, "carrier", "label", Labelled { label, parcel, recipient, key: None });
}

/// How the order, of two of `tea` for 1400, ends.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub(super) status: &'static str,
    /// The status of its reservation.
    pub(super) stock: &'static str,
    pub(super) charged: bool,
    pub(super) labelled: bool,
    /// The status that the order's own service has.
    pub(super) order: &'static str,
    pub(super) mailed: bool,
    pub(super) killed: bool,
}

/// All of it stands.
pub(super) const ALL: Ends = Ends {
    status: "completed",
    stock: "sold",
    charged: true,
    labelled: true,
    order: "confirmed",
    mailed: true,
    killed: false,
};

/// None of it stands.
pub(super) const NOTHING: Ends = Ends {
    status: "failed",
    stock: "released",
    charged: false,
    labelled: false,
    order: "cancelled",
    mailed: false,
    killed: false,
};

/// The whole story of the order. What does not stand in the end stood meanwhile, and was undone.
pub(super) fn plays(s: &mut Story, ends: &Ends) {
    let request = r#"{"items":[{"productId":"tea","quantity":2,"price":700}],"total":1400}"#;
    let inv = s.begin("OrderOrchestrator/o/ProcessOrder", request);
    let status = |status: &str| format!(r#"{{"status":"{status}"}}"#);
    s.set(inv, "record", &status("pending"));

    let order = s.call(inv, "OrderService/o/CreateOrder", "{}");
    s.set(order, "order", &status("pending"));
    s.set(order, "order", &status(ends.order));
    s.done(order, "{}");

    let stock = s.call(inv, "InventoryService/tea/ReserveStock", "{}");
    for status in ["active", ends.stock] {
        let kept = format!(r#"{{"o":{{"quantity":2,"status":"{status}"}}}}"#);
        s.set(stock, "stock_level", &format!(r#"{{"reservations":{kept}}}"#));
    }
    s.done(stock, "{}");

    let pay = s.call(inv, "PaymentService/o-payment/CreatePayment", "{}");
    charges(s, pay, "ch_1", 1_400);
    if !ends.charged {
        s.effect(pay, "gateway", "refund", refunded("ch_1", 1_400, false));
    }
    s.done(pay, "{}");

    let label = s.call(inv, "ShippingService/o/CreateLabel", "{}");
    labels(s, label, "lbl_1", "o");
    if !ends.labelled {
        s.effect(label, "carrier", "cancel_label", LabelCancelled { label: "lbl_1".into() });
    }
    s.done(label, "{}");

    if ends.mailed {
        let mail = s.begin("EmailService/o-orderConfirmed-email/SendEmail", "{}");
        let (message, recipient, subject) = ("msg_1".into(), "cust-alice".into(), "Yes".into());
        s.effect(mail, "mailer", "send", Mailed { message, recipient, subject, key: None });
        s.done(mail, "{}");
    }
    s.set(inv, "record", &status(ends.status));
    if ends.killed {
        s.kill(inv);
    } else {
        s.done(inv, &status(ends.status));
    }
    s.quiet();
}
