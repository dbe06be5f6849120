//! What a service says of itself: its handlers, and its variants by the names that scenarios use.
//!
//! Must not know: any service.

use restate_sdk::endpoint::Builder;
use schemars::JsonSchema;
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

/// What a handler takes.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// Says what is wrong with a body.
    pub check: CheckInput,
    /// Its JSON schema.
    pub schema: fn() -> Value,
}

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
    /// The JSON schema of a request's body, if there is one.
    pub schema: Option<fn() -> Value>,
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

pub(super) const fn takes(name: &'static str, input: Input) -> Handler {
    let Input { check, schema } = input;
    Handler { name, shared: false, takes_input: true, check_input: check, schema: Some(schema) }
}

pub(super) const fn takes_nothing(name: &'static str) -> Handler {
    Handler { name, shared: false, takes_input: false, check_input: none, schema: None }
}

impl Handler {
    pub(super) const fn beside_others(self) -> Self {
        Self { shared: true, ..self }
    }
}

/// The input of a handler that takes a `T`.
pub(super) const fn needed<T: Serialize + DeserializeOwned + JsonSchema>() -> Input {
    Input { check: check_body::<T>, schema: schema_of::<T> }
}

/// The input of a handler that takes a `T` or nothing.
pub(super) const fn optional<T: Serialize + DeserializeOwned + JsonSchema>() -> Input {
    Input { check: check_if_any::<T>, schema: schema_of::<T> }
}

/// The JSON schema of a `T`.
pub(super) fn schema_of<T: JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

/// Says what is wrong with the body of a handler that takes a `T`.
pub(super) fn check_body<T: Serialize + DeserializeOwned>(body: &Value) -> Result<(), String> {
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

fn check_if_any<T: Serialize + DeserializeOwned>(body: &Value) -> Result<(), String> {
    if body.is_null() { Ok(()) } else { check_body::<T>(body) }
}

/// Checks the body of a handler that takes nothing.
fn none(body: &Value) -> Result<(), String> {
    if body.is_null() { Ok(()) } else { Err("the handler takes no body".into()) }
}
