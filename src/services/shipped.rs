//! What is shipped: every service with its handlers, its reference and its planted bugs, by the names that
//! scenarios use.
//!
//! Must not know: the simulation.

use std::{collections::BTreeMap, fmt};

use restate_sdk::endpoint::{Builder, Endpoint};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::world::Systems;

/// The name of the variant that is right.
pub const REFERENCE: &str = "reference";

/// A service, in all its variants.
#[derive(Debug)]
pub struct Shipped {
    /// Its name, as in `PaymentService/payment-001/CreatePayment`.
    pub name: &'static str,
    /// True for a virtual object, which has a key.
    pub keyed: bool,
    /// The handlers that clients may call.
    pub handlers: &'static [Handler],
    /// The reference first, then the planted bugs.
    pub variants: &'static [Variant],
}

/// Looks at a request's body, and says what does not fit.
pub type CheckInput = fn(&Value) -> Result<(), String>;

/// A handler that clients may call.
#[derive(Debug)]
pub struct Handler {
    /// Its name.
    pub name: &'static str,
    /// True if it runs beside other handlers of its object; false if it waits for its turn.
    pub shared: bool,
    /// True if a request has a body.
    pub takes_input: bool,
    /// Says what is wrong with a request's body, if anything; [`Value::Null`] stands for no body.
    ///
    /// It is stricter than the handler, which ignores fields that it does not know.
    pub check_input: CheckInput,
}

/// One way to write a service: the right one, or one with a planted bug.
#[derive(Debug)]
pub struct Variant {
    /// `reference`, or the bug's name.
    pub name: &'static str,
    /// One line for people.
    pub summary: &'static str,
    /// The bug's class, as the table of planted bugs numbers them; none for the reference.
    pub class: Option<u8>,
    /// The invariant that catches the bug; none for the reference.
    pub caught_by: Option<&'static str>,
    /// Adds the service to an endpoint.
    pub bind: fn(Builder, &Systems) -> Builder,
}

/// A service or variant that is not shipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnknownVariant {
    /// There is no such service.
    Service {
        /// The name that was asked for.
        service: String,
    },
    /// The service has no such variant.
    Variant {
        /// The service.
        service: &'static str,
        /// The name that was asked for.
        variant: String,
    },
}

impl fmt::Display for UnknownVariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service { service } => write!(f, "unknown service `{service}`"),
            Self::Variant { service, variant } => {
                write!(f, "service `{service}` has no variant `{variant}`")
            }
        }
    }
}

impl std::error::Error for UnknownVariant {}

/// Every service; what each is stands in its own file.
static SHIPPED: &[&Shipped] = &[
    &super::payment_service::SHIPPED,
    &super::payment_processor::SHIPPED,
    &super::account::SHIPPED,
    &super::inventory_service::SHIPPED,
    &super::shipping_service::SHIPPED,
    &super::email_service::SHIPPED,
    &super::notification_service::SHIPPED,
    &super::order_service::SHIPPED,
    &super::subscription_service::SHIPPED,
    &super::webhook_service::SHIPPED,
    &super::order_orchestrator::SHIPPED,
];

/// Every service.
#[must_use]
pub fn shipped() -> &'static [&'static Shipped] {
    SHIPPED
}

/// An endpoint with every service: in the variant that `variants` names for it, or the reference.
///
/// # Errors
/// If `variants` names a service or a variant that there is not.
pub fn endpoint(
    variants: &BTreeMap<String, String>,
    systems: &Systems,
) -> Result<Endpoint, UnknownVariant> {
    if let Some(service) = variants.keys().find(|name| find(name).is_none()) {
        return Err(UnknownVariant::Service { service: service.clone() });
    }
    let mut builder = Endpoint::builder();
    for service in shipped() {
        let name = variants.get(service.name).map_or(REFERENCE, String::as_str);
        let variant =
            service.variants.iter().find(|variant| variant.name == name).ok_or_else(|| {
                UnknownVariant::Variant { service: service.name, variant: name.into() }
            })?;
        builder = (variant.bind)(builder, systems);
    }
    Ok(builder.build())
}

/// What checks a request's body for `handler`; none if the service or handler is not shipped.
#[must_use]
pub fn check_input(service: &str, handler: &str) -> Option<CheckInput> {
    let handler = find(service)?.handlers.iter().find(|known| known.name == handler)?;
    Some(handler.check_input)
}

fn find(service: &str) -> Option<&'static Shipped> {
    shipped().iter().copied().find(|known| known.name == service)
}

pub(super) const fn reference(
    summary: &'static str,
    bind: fn(Builder, &Systems) -> Builder,
) -> Variant {
    Variant { name: REFERENCE, summary, class: None, caught_by: None, bind }
}

pub(super) const fn takes(name: &'static str, check_input: CheckInput) -> Handler {
    Handler { name, shared: false, takes_input: true, check_input }
}

pub(super) const fn takes_nothing(name: &'static str) -> Handler {
    Handler { name, shared: false, takes_input: false, check_input: none }
}

impl Handler {
    pub(super) const fn beside_others(self) -> Self {
        Self { shared: true, ..self }
    }
}

/// Checks the body of a handler that takes a `T`.
pub(super) fn needed<T: Serialize + DeserializeOwned>(body: &Value) -> Result<(), String> {
    if body.is_null() {
        return Err("a body is needed".into());
    }
    let input: T = serde_json::from_value(body.clone()).map_err(|error| error.to_string())?;
    // Handlers ignore unknown fields; whoever writes a scenario has misspelt one.
    let known = serde_json::to_value(input).map_err(|error| error.to_string())?;
    match (body, known) {
        (Value::Object(given), Value::Object(known)) => {
            let Some(unknown) = given.keys().find(|field| !known.contains_key(*field)) else {
                return Ok(());
            };
            let known: Vec<_> = known.keys().map(|field| format!("`{field}`")).collect();
            let known = if known.is_empty() { "none".into() } else { known.join(", ") };
            Err(format!("unknown field `{unknown}`, known are {known}"))
        }
        _ => Ok(()),
    }
}

/// Checks the body of a handler that takes a `T` or nothing.
pub(super) fn optional<T: Serialize + DeserializeOwned>(body: &Value) -> Result<(), String> {
    if body.is_null() { Ok(()) } else { needed::<T>(body) }
}

/// Checks the body of a handler that takes nothing.
fn none(body: &Value) -> Result<(), String> {
    if body.is_null() { Ok(()) } else { Err("the handler takes no body".into()) }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::{Pin, pin},
        sync::Arc,
        task::{Context, Poll, Waker},
    };

    use bytes::Bytes;
    use http_body::{Body, Frame};
    use serde_json::json;

    use super::*;
    use crate::world::{
        Carrier, ChargeAnswer, ChargeRequest, Email, LabelRequest, Mailer, PaymentGateway, Plan,
        PlanCatalogue, WorldError, WorldFuture,
    };

    /// Nothing is asked of it here.
    struct Nobody;

    impl PaymentGateway for Nobody {
        fn charge(&self, _: ChargeRequest) -> WorldFuture<'_, Result<ChargeAnswer, WorldError>> {
            unreachable!()
        }
        fn refund(
            &self,
            _: crate::world::RefundRequest,
        ) -> WorldFuture<'_, Result<String, WorldError>> {
            unreachable!()
        }
        fn void(&self, _: String) -> WorldFuture<'_, Result<Option<String>, WorldError>> {
            unreachable!()
        }
    }

    impl Mailer for Nobody {
        fn send(&self, _: Email) -> WorldFuture<'_, Result<String, WorldError>> {
            unreachable!()
        }
    }

    impl Carrier for Nobody {
        fn label(&self, _: LabelRequest) -> WorldFuture<'_, Result<String, WorldError>> {
            unreachable!()
        }
        fn cancel_label(&self, _: String) -> WorldFuture<'_, Result<(), WorldError>> {
            unreachable!()
        }
        fn void_label(&self, _: String) -> WorldFuture<'_, Result<Option<String>, WorldError>> {
            unreachable!()
        }
    }

    impl PlanCatalogue for Nobody {
        fn plan(&self, _: String) -> WorldFuture<'_, Result<Option<Plan>, WorldError>> {
            unreachable!()
        }
    }

    struct Empty;

    impl Body for Empty {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Ready(None)
        }
    }

    fn systems() -> Systems {
        Systems {
            gateway: Arc::new(Nobody),
            mailer: Arc::new(Nobody),
            carrier: Arc::new(Nobody),
            catalogue: Arc::new(Nobody),
            webhook_secret: "".into(),
        }
    }

    fn with(service: &str, variant: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(service.into(), variant.into())])
    }

    /// What the endpoint tells a Restate server: handlers by service, with `(shared)` where it applies.
    fn discover(endpoint: &Endpoint) -> BTreeMap<String, Vec<String>> {
        let request = http::Request::get("/discover")
            .header("accept", "application/vnd.restate.endpointmanifest.v4+json")
            .body(Empty)
            .expect("the request is well formed");
        let mut body = pin!(endpoint.handle(request).into_body());
        let frame = body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Some(Ok(frame))) = frame else { panic!("the manifest is ready at once") };
        let manifest: Value =
            serde_json::from_slice(frame.data_ref().expect("it is data")).expect("it is JSON");
        let text = |value: &Value| value.as_str().expect("it is text").to_owned();
        let handler = |handler: &Value| match handler["ty"].as_str() {
            Some("SHARED") => text(&handler["name"]) + " (shared)",
            _ => text(&handler["name"]),
        };
        let services = manifest["services"].as_array().expect("it lists services");
        services
            .iter()
            .map(|service| {
                assert_eq!(service["ty"], "VIRTUAL_OBJECT");
                let handlers = service["handlers"].as_array().expect("it lists handlers");
                (text(&service["name"]), handlers.iter().map(handler).collect())
            })
            .collect()
    }

    #[test]
    fn a_restate_server_discovers_the_handlers_that_scenarios_know() {
        let endpoint = endpoint(&BTreeMap::new(), &systems()).expect("all are known");
        let listed = |service: &&Shipped| {
            let handler = |handler: &Handler| {
                handler.name.to_owned() + if handler.shared { " (shared)" } else { "" }
            };
            assert!(service.keyed);
            (service.name.to_owned(), service.handlers.iter().map(handler).collect())
        };
        assert_eq!(discover(&endpoint), shipped().iter().map(listed).collect());
    }

    #[test]
    fn every_variant_takes_the_place_of_its_reference() {
        for service in shipped() {
            assert_eq!(service.variants[0].name, REFERENCE);
            for variant in service.variants {
                let endpoint = endpoint(&with(service.name, variant.name), &systems())
                    .expect("a listed variant is known");
                let found = discover(&endpoint);
                assert_eq!(found.len(), shipped().len(), "{}", variant.name);
                for handler in service.handlers {
                    let found = &found[service.name];
                    let name = |found: &String| found.split(' ').next() == Some(handler.name);
                    assert!(found.iter().any(name), "{} lacks {}", variant.name, handler.name);
                }
                for handler in service.handlers {
                    let refuses_a_body = (handler.check_input)(&json!({})) == none(&json!({}));
                    assert_eq!(handler.takes_input, !refuses_a_body, "{}", handler.name);
                }
                let is_reference = variant.name == REFERENCE;
                assert_eq!(variant.class.is_none(), is_reference, "{}", variant.name);
                assert_eq!(variant.caught_by.is_none(), is_reference, "{}", variant.name);
            }
        }
    }

    #[test]
    fn what_is_not_shipped_is_named() {
        let unknown = |service, variant| {
            let endpoint = endpoint(&with(service, variant), &systems());
            endpoint.err().expect("it is not shipped").to_string()
        };
        assert_eq!(unknown("PaymentServise", "reference"), "unknown service `PaymentServise`");
        assert_eq!(unknown("Account", "odd"), "service `Account` has no variant `odd`");
    }

    #[test]
    fn bodies_are_checked_against_the_handlers_input() {
        let check = |target: &str, body: Value, expected: Result<(), &str>| {
            let (service, handler) = target.split_once('/').expect("Service/handler");
            let check = check_input(service, handler).expect("the handler is shipped");
            assert_eq!(check(&body), expected.map_err(str::to_owned), "{target} {body}");
        };
        let order = json!({ "accountId": "abc", "amountCents": 100 });
        check("PaymentProcessor/makePayment", order, Ok(()));
        check("PaymentProcessor/makePayment", Value::Null, Err("a body is needed"));
        check("PaymentProcessor/cancelPayment", Value::Null, Ok(()));
        check("PaymentProcessor/cancelPayment", json!({}), Err("the handler takes no body"));
        check("PaymentService/GetPayment", json!({}), Ok(()));
        check("PaymentService/GetPayment", Value::Null, Ok(()));
        check(
            "PaymentService/GetPayment",
            json!({ "id": 1 }),
            Err("unknown field `id`, known are none"),
        );
        check("PaymentService/RefundPayment", json!({ "reason": "r" }), Ok(()));
        check(
            "PaymentService/RefundPayment",
            json!({ "amuont": 1 }),
            Err("unknown field `amuont`, known are `reason`, `amount`"),
        );
        check(
            "PaymentService/CreatePayment",
            json!({ "amount": "1" }),
            Err("invalid type: string \"1\", expected i64"),
        );
        assert!(check_input("PaymentService", "createPayment").is_none());
        assert!(check_input("Payments", "CreatePayment").is_none());
    }
}
