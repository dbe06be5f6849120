//! The services of the exercises on idempotency, as a client of onceproof: payment, order, email, inventory,
//! shipping, subscription and webhook services and the saga over them, with the external systems that they call,
//! the oracles that judge them, and planted bugs that show that the oracles can fire.
//!
//! [`subject`] is all of it as one value.

pub mod money;
pub mod oracles;
pub mod planted;
pub mod services;
pub mod systems;

use std::collections::BTreeMap;

use include_dir::{Dir, include_dir};
use onceproof::{
    scenario::plan::OpeningState,
    subject::{Subject, Variant},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::{
    money::Cents,
    systems::{
        Systems, carrier::ParcelCarrier, catalogue::Catalogue, gateway::Gateway,
        mailer::MailServer, stripe::Stripe,
    },
};

/// The scenarios that ship with onceproof.
static SCENARIOS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../scenarios");

/// Scenarios that show the parts of the language: `04-steps.json` is one of the part `steps`.
static EXAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/reference");

/// An amount in cents: more than all the money there is, and far from overflow in sums.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "i64")]
struct Balance(#[schemars(range(min = 0, max = 1_000_000_000_000_000_i64))] i64);

impl TryFrom<i64> for Balance {
    type Error = String;

    fn try_from(cents: i64) -> Result<Self, String> {
        match cents {
            0..=1_000_000_000_000_000 => Ok(Self(cents)),
            _ => Err(format!("a number of cents from 0 to 1000000000000000, found {cents}")),
        }
    }
}

/// A quantity: more than any warehouse holds, and far from overflow in sums.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "i64")]
struct Quantity(#[schemars(range(min = 0, max = 1_000_000_000))] u32);

impl TryFrom<i64> for Quantity {
    type Error = String;

    fn try_from(quantity: i64) -> Result<Self, String> {
        u32::try_from(quantity)
            .ok()
            .filter(|quantity| *quantity <= 1_000_000_000)
            .map(Self)
            .ok_or_else(|| format!("a quantity from 0 to 1000000000, found {quantity}"))
    }
}

/// The services with their systems, oracles, planted bugs and scenarios.
#[must_use]
pub fn subject() -> Subject {
    let subject =
        Subject::with_variants(|variants, world| services::endpoint(variants, &Systems::of(world)))
            .system::<Gateway>()
            .system::<MailServer>()
            .system::<ParcelCarrier>()
            .system::<Catalogue>()
            .system::<Stripe>()
            .short_form(
                "accounts",
                "opening balances in cents",
                |balances: BTreeMap<String, Balance>| {
                    let open = |(account, Balance(cents))| {
                        let (name, value) = services::opening_state(Cents(cents));
                        opening("Account", account, name, value)
                    };
                    balances.into_iter().map(open).collect()
                },
            )
            .short_form(
                "stock",
                "opening stock of products",
                |stock: BTreeMap<String, Quantity>| {
                    let open = |(product, Quantity(quantity)): (String, Quantity)| {
                        let (name, value) = services::opening_stock(&product, quantity);
                        opening("InventoryService", product, name, value)
                    };
                    stock.into_iter().map(open).collect()
                },
            )
            .oracles(oracles::all())
            .aftermath(oracles::left_behind)
            .numbered_ids(["ch_", "re_", "msg_", "lbl_"])
            .serve_world(tutorial());
    with_scenarios(with_services(subject))
}

fn opening(service: &str, key: String, name: &str, value: serde_json::Value) -> OpeningState {
    OpeningState { service: service.to_owned(), key, name: name.to_owned(), value }
}

/// Keys that go with the examples of bodies.
const KEYS: &[(&str, &str)] = &[
    ("Account", "abc"),
    ("EmailService", "email-1"),
    ("InventoryService", "tea"),
    ("OrderOrchestrator", "order-1"),
    ("OrderService", "order-1"),
    ("PaymentProcessor", "token-1"),
    ("PaymentService", "payment-1"),
    ("ShippingService", "parcel-1"),
    ("SubscriptionService", "sub-1"),
    ("WebhookService", "evt-1"),
];

/// What the services' own tables say: planted bugs, and how bodies must look.
fn with_services(mut subject: Subject) -> Subject {
    for (service, key) in KEYS {
        subject = subject.example_key(*service, *key);
    }
    for shipped in services::SHIPPED {
        let service = shipped.service;
        for handler in service.handlers {
            subject = subject.check_input(service.name, handler.name, handler.check_input);
            if let Some(schema) = handler.schema {
                subject = subject.input_schema(service.name, handler.name, schema());
            }
        }
        for variant in shipped.bugs {
            let (Some(class), Some(oracle)) = (variant.class, variant.caught_by) else { continue };
            let title = planted::title(class);
            let variant = Variant::new(variant.name, variant.summary);
            subject = subject
                .variant(service.name, variant.caught_by(oracle).class(u16::from(class), title));
        }
    }
    subject
}

fn with_scenarios(mut subject: Subject) -> Subject {
    for file in SCENARIOS.files() {
        if let Some(text) = file.contents_utf8() {
            subject = subject.scenario(file.path().display().to_string(), text);
        }
    }
    let mut examples: Vec<_> = EXAMPLES.files().collect();
    examples.sort_by_key(|file| file.path());
    for file in examples {
        let name = file.path().file_stem().unwrap_or_default().to_string_lossy();
        let (_, part) = name.split_once('-').expect("a number and the part");
        subject = subject.example(part, file.contents_utf8().expect("a text"));
    }
    subject
}

/// The world of the tutorials: every system answers after a moment, and there are plans to subscribe to.
fn tutorial() -> serde_json::Value {
    json!({
        "accounts": { "abc": 100_000 },
        "stock": { "tea": 100 },
        "catalogue": {
            "plans": {
                "basic": { "name": "Basic", "price": 1_000, "billing_cycle": "monthly" },
                "premium": { "name": "Premium", "price": 3_000, "billing_cycle": "monthly" },
                "premium-yearly": {
                    "name": "Premium, by the year", "price": 30_000, "billing_cycle": "yearly"
                },
            },
        },
    })
}
