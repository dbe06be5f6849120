//! What is shipped: every service with its planted bugs, and the endpoint with all of them.
//!
//! Must not know: the simulation.

use std::sync::Arc;

use onceproof::{host::Endpoint, subject::Variants};
use restate_sdk::endpoint::Builder;

use super::{
    account, bugs, email_service, inventory_service, notification_service, order_orchestrator,
    order_service, payment_processor, payment_service, payments,
    service::{Service, Variant},
    shipping_service, subscription_service, webhook_service,
};
use crate::systems::Systems;

/// A service, in all its variants.
#[derive(Debug)]
pub struct Shipped {
    /// The service as it should be.
    pub service: &'static Service,
    /// The service with one mistake each.
    pub bugs: &'static [Variant],
}

const fn shipped(service: &'static Service, bugs: &'static [Variant]) -> Shipped {
    Shipped { service, bugs }
}

/// Every service; what each is stands in its own file.
pub static SHIPPED: &[Shipped] = &[
    shipped(&payment_service::SERVICE, bugs::payment_service::BUGS),
    shipped(&payment_processor::SERVICE, bugs::payment_processor::BUGS),
    shipped(&payments::SERVICE, &[]),
    shipped(&account::SERVICE, &[]),
    shipped(&inventory_service::SERVICE, bugs::inventory_service::BUGS),
    shipped(&shipping_service::SERVICE, bugs::shipping_service::BUGS),
    shipped(&email_service::SERVICE, bugs::email_service::BUGS),
    shipped(&notification_service::SERVICE, bugs::notification_service::BUGS),
    shipped(&order_service::SERVICE, bugs::order_service::BUGS),
    shipped(&subscription_service::SERVICE, bugs::subscription_service::BUGS),
    shipped(&webhook_service::SERVICE, bugs::webhook_service::BUGS),
    shipped(&order_orchestrator::SERVICE, bugs::order_orchestrator::BUGS),
];

impl Shipped {
    /// The reference, then the planted bugs.
    pub fn variants(&self) -> impl Iterator<Item = &'static Variant> {
        std::iter::once(&self.service.reference).chain(self.bugs)
    }
}

/// An endpoint with every service, in the variant that `variants` names for it; each is built when it is first called.
///
/// # Panics
/// When a service is built that has no such variant: the subject has checked that it has.
#[must_use]
pub fn endpoint(variants: &Variants, systems: &Systems) -> Endpoint {
    let bind = {
        let (variants, systems) = (variants.clone(), systems.clone());
        move |builder, shipped: &Shipped| {
            let name = variants.of(shipped.service.name);
            let variant = shipped.variants().find(|variant| variant.name == name);
            let variant =
                variant.unwrap_or_else(|| panic!("{} has no variant {name}", shipped.service.name));
            (variant.bind)(builder, &systems)
        }
    };
    let bind = Arc::new(bind);
    let all = {
        let bind = bind.clone();
        move || onceproof::endpoint!(SHIPPED.iter().fold(Builder::new(), &*bind).build())
    };
    Endpoint::by_service(all, move |service| {
        let shipped = SHIPPED.iter().find(|shipped| shipped.service.name == service)?;
        Some(onceproof::endpoint!(bind(Builder::new(), shipped).build()))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{services::service::REFERENCE, subject};

    #[test]
    fn a_restate_server_discovers_the_handlers_that_scenarios_know() {
        let deployment = subject().deployment(&Variants::default()).expect("it answers discovery");
        for shipped in SHIPPED {
            let service = shipped.service;
            for handler in service.handlers {
                let found = deployment.catalog().handler(service.name, handler.name);
                assert!(found.is_some(), "{}/{}", service.name, handler.name);
            }
        }
        let found: usize = deployment.catalog().services().map(|s| s.handlers().count()).sum();
        assert_eq!(found, SHIPPED.iter().map(|s| s.service.handlers.len()).sum::<usize>());
    }

    #[test]
    fn every_variant_takes_the_place_of_its_reference() {
        let subject = subject();
        for shipped in SHIPPED {
            let service = shipped.service;
            assert_eq!(service.reference.name, REFERENCE);
            for variant in shipped.variants() {
                let chosen = [(service.name.to_owned(), variant.name.to_owned())];
                let deployment =
                    subject.deployment(&std::collections::BTreeMap::from(chosen).into());
                let deployment = deployment.expect("it answers discovery");
                for handler in service.handlers {
                    let found = deployment.catalog().handler(service.name, handler.name);
                    assert!(found.is_some(), "{} lacks {}", variant.name, handler.name);
                }
                let is_reference = variant.name == REFERENCE;
                assert_eq!(variant.class.is_none(), is_reference, "{}", variant.name);
                assert_eq!(variant.caught_by.is_none(), is_reference, "{}", variant.name);
            }
        }
    }

    #[test]
    fn bodies_are_checked_against_the_handlers_input() {
        let check = |target: &str, body: Value, expected: Result<(), &str>| {
            let (service, handler) = target.split_once('/').expect("Service/handler");
            let service =
                SHIPPED.iter().find(|s| s.service.name == service).expect("it is shipped");
            let handler =
                service.service.handlers.iter().find(|h| h.name == handler).expect("it is shipped");
            assert_eq!(
                (handler.check_input)(&body),
                expected.map_err(str::to_owned),
                "{target} {body}"
            );
        };
        let order = json!({ "accountId": "abc", "amountCents": 100 });
        check("PaymentProcessor/makePayment", order, Ok(()));
        check("PaymentProcessor/makePayment", Value::Null, Err("a body is needed"));
        check("PaymentProcessor/cancelPayment", Value::Null, Ok(()));
        check("PaymentProcessor/cancelPayment", json!({}), Err("the handler takes no body"));
        check("PaymentService/GetPayment", json!({}), Ok(()));
        check("PaymentService/GetPayment", Value::Null, Ok(()));
        let unknown = "unknown field `id`, known are none";
        check("PaymentService/GetPayment", json!({ "id": 1 }), Err(unknown));
        check("PaymentService/RefundPayment", json!({ "reason": "r" }), Ok(()));
        let unknown = "unknown field `amuont`, known are `reason`, `amount`";
        check("PaymentService/RefundPayment", json!({ "amuont": 1 }), Err(unknown));
        let wrong = "invalid type: string \"1\", expected i64";
        check("PaymentService/CreatePayment", json!({ "amount": "1" }), Err(wrong));
    }
}
