//! What a service says of itself: its handlers, and its variants by the names that scenarios use.
//!
//! Must not know: any service.

use restate_sdk::endpoint::Builder;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::systems::Systems;

/// The name of the variant that is right.
pub const REFERENCE: &str = "reference";

/// A service as it should be.
#[derive(Debug)]
pub struct Service {
    /// Its name, as in `PaymentService/payment-001/CreatePayment`.
    pub name: &'static str,
    /// True for a virtual object, which has a key.
    pub keyed: bool,
    /// The handlers that clients may call.
    pub handlers: &'static [Handler],
    /// The right way to write it.
    pub reference: Variant,
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
    /// The oracle that catches the bug; none for the reference.
    pub caught_by: Option<&'static str>,
    /// Adds the service to an endpoint.
    pub bind: fn(Builder, &Systems) -> Builder,
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
