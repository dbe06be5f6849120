//! A system without its type: what the rest of the crate registers, builds and asks.
//!
//! Must not know: any system.

use std::{
    any::{Any, TypeId},
    fmt,
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Context, Delivery, OwnFault, Rejected, Schedule, Sending, System};
use crate::history::{Data, EffectRecord};

/// What a system answers, without its type.
pub(crate) type Answer = Result<Box<dyn Any + Send>, Rejected>;

/// One system of one run.
pub(crate) trait Instance: Send {
    fn handle(&mut self, request: &Data, cx: &mut Context<'_>) -> Answer;
    fn sending(&mut self, delivery: &Delivery, cx: &mut Sending<'_>);
    fn headers(&self, delivery: &Delivery, unix_ms: u64) -> Vec<(String, String)>;
    fn audit(&self, effects: &[&EffectRecord]) -> Result<(), String>;
}

struct Typed<S>(S);

impl<S: System> Instance for Typed<S> {
    fn handle(&mut self, request: &Data, cx: &mut Context<'_>) -> Answer {
        let request = request.downcast().expect("a connection sends requests of its own system");
        let answer = self.0.handle(request, cx)?;
        Ok(Box::new(answer))
    }

    fn sending(&mut self, delivery: &Delivery, cx: &mut Sending<'_>) {
        self.0.sending(delivery, cx);
    }

    fn headers(&self, delivery: &Delivery, unix_ms: u64) -> Vec<(String, String)> {
        self.0.headers(delivery, unix_ms)
    }

    fn audit(&self, effects: &[&EffectRecord]) -> Result<(), String> {
        self.0.audit(effects)
    }
}

/// A part of a configuration that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// Where it is: names of fields and indices of lists, from the outside in.
    pub path: Vec<String>,
    /// What is wrong there: lower case, no full stop.
    pub message: String,
}

impl ConfigError {
    /// The whole does not fit.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { path: Vec::new(), message: message.into() }
    }

    /// The same, of the field or the element `part` of something larger.
    #[must_use]
    pub fn at(mut self, part: impl Into<String>) -> Self {
        self.path.insert(0, part.into());
        self
    }
}

/// A registered system.
#[derive(Clone, Copy)]
pub(crate) struct SystemSpec {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) faults: &'static [OwnFault],
    pub(crate) effects: &'static [&'static str],
    pub(crate) retries: Schedule,
    pub(crate) type_id: TypeId,
    /// The JSON schema of its configuration.
    pub(crate) schema: fn() -> Value,
    /// Whether a configuration fits.
    pub(crate) check: fn(&Value) -> Result<(), ConfigError>,
    /// A request as it stands in a ledger.
    #[cfg_attr(
        not(feature = "serve"),
        expect(dead_code, reason = "ledgers belong to real servers")
    )]
    pub(crate) read_request: fn(Value) -> Result<Data, String>,
    build: fn(&Value) -> Box<dyn Instance>,
}

impl fmt::Debug for SystemSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemSpec").field("name", &self.name).finish_non_exhaustive()
    }
}

impl SystemSpec {
    pub(crate) fn of<S: System>() -> Self {
        Self {
            name: S::NAME,
            summary: S::SUMMARY,
            faults: S::FAULTS,
            effects: S::EFFECTS,
            retries: S::RETRIES,
            type_id: TypeId::of::<S>(),
            schema: || schemars::schema_for!(S::Config).to_value(),
            check: |config| read::<S::Config>(config).map(drop),
            read_request: |value| {
                serde_json::from_value::<S::Request>(value)
                    .map(Data::new)
                    .map_err(|e| e.to_string())
            },
            build: |config| {
                let config =
                    read(config).expect("a plan's configurations were checked with its scenario");
                Box::new(Typed(S::new(&config)))
            },
        }
    }

    /// The system before anything was asked of it; `config` was checked, null is the default.
    pub(crate) fn build(&self, config: &Value) -> Box<dyn Instance> {
        (self.build)(config)
    }
}

fn read<T: DeserializeOwned + Default>(config: &Value) -> Result<T, ConfigError> {
    if config.is_null() { Ok(T::default()) } else { read_config(config) }
}

/// The value in `config`.
pub(crate) fn read_config<T: DeserializeOwned>(config: &Value) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(config).map_err(|error| {
        use serde_path_to_error::Segment;
        let path = error.path().iter().filter_map(|segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { variant } => Some(variant.clone()),
            Segment::Unknown => None,
        });
        ConfigError { path: path.collect(), message: error.inner().to_string() }
    })
}

/// The name of an operation: the variant of an enum, or the name of the type.
pub(super) fn operation_of<R: Serialize>(request: &R) -> &'static str {
    serde_variant::to_variant_name(request).unwrap_or_else(|_| {
        let name = std::any::type_name::<R>();
        name.rsplit("::").next().unwrap_or(name)
    })
}
