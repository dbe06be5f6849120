//! The names that a scenario may use, given by the owner of the services, the systems and the invariants.
//!
//! Must not know: any service, system or invariant by name.

use std::{collections::BTreeMap, fmt, sync::Arc};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    diagnostic::{Diagnostic, Span},
    plan::{Fault, OpeningState},
    reader::{Reader, unknown_name},
    schema::Schema,
    suggest,
    vocabulary::{Field, Holds, SYSTEM, field},
};
use crate::system::{ConfigError, System, SystemSpec, read_config};

/// The name of the variant of a service that is right.
pub const REFERENCE: &str = "reference";

/// The services, systems and invariants that exist.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Services by name.
    pub services: BTreeMap<String, ServiceEntry>,
    /// Systems of the outside world by name: members of `world`.
    pub systems: BTreeMap<String, SystemEntry>,
    /// Short forms of opening state by name: members of `world` beside the systems. A name that a system has
    /// means the system.
    pub short_forms: BTreeMap<String, ShortForm>,
    /// Other revisions of the services by name, each with a line for people: what a step can deploy.
    pub revisions: BTreeMap<String, String>,
    /// Invariants by name, each with a line for people.
    pub invariants: BTreeMap<String, String>,
}

/// A service that scenarios can call.
#[derive(Clone, Debug, Default)]
pub struct ServiceEntry {
    /// True for a virtual object: every call has a key.
    pub keyed: bool,
    /// A key that a first scenario may use; may be empty.
    pub example_key: String,
    /// Handlers by name.
    pub handlers: BTreeMap<String, HandlerEntry>,
    /// Variants by name, each with a line for people; one is `reference`, the others are planted bugs.
    pub variants: BTreeMap<String, String>,
}

/// Looks at a request's body; says what does not fit, and where.
pub type CheckInput = Arc<dyn Fn(&Value) -> Result<(), ConfigError> + Send + Sync>;

/// Whether a handler wants a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Input {
    /// It takes none.
    #[default]
    None,
    /// It takes one, or none.
    Optional,
    /// It needs one.
    Needed,
}

/// A handler that scenarios can call.
#[derive(Clone, Default)]
pub struct HandlerEntry {
    /// What it does, for people; may be empty.
    pub summary: String,
    /// Whether it wants a body.
    pub input: Input,
    /// The JSON schema of its body, if that is known.
    pub schema: Option<Arc<Value>>,
    /// Checks whether a body fits the input, where that is possible before the call.
    pub check_input: Option<CheckInput>,
}

impl fmt::Debug for HandlerEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerEntry")
            .field("summary", &self.summary)
            .field("input", &self.input)
            .field("schema", &self.schema)
            .field("check_input", &self.check_input.is_some())
            .finish()
    }
}

/// Looks at a system's configuration; says what does not fit, and where.
pub type CheckConfig = Arc<dyn Fn(&Value) -> Result<(), ConfigError> + Send + Sync>;

/// A system of the outside world that scenarios can configure, and have send something.
#[derive(Clone)]
pub struct SystemEntry {
    /// One line for people.
    pub summary: String,
    /// Its own faults, without its name, each with a line for people.
    pub faults: BTreeMap<String, String>,
    /// The kinds of its effects; none if it does not say.
    pub effects: Vec<String>,
    /// The JSON schema of its configuration.
    pub schema: Value,
    /// Tells whether a configuration fits.
    pub check: CheckConfig,
}

impl fmt::Debug for SystemEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemEntry")
            .field("summary", &self.summary)
            .field("faults", &self.faults)
            .field("effects", &self.effects)
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl SystemEntry {
    /// The entry of the system `S`.
    #[must_use]
    pub fn of<S: System>() -> Self {
        Self::new(&SystemSpec::of::<S>())
    }

    /// The entry of a registered system.
    pub(crate) fn new(spec: &SystemSpec) -> Self {
        let faults = spec.faults.iter().map(|own| (own.name.to_owned(), own.summary.to_owned()));
        Self {
            summary: spec.summary.to_owned(),
            faults: faults.collect(),
            effects: spec.effects.iter().map(|&kind| kind.to_owned()).collect(),
            schema: (spec.schema)(),
            check: Arc::new(spec.check),
        }
    }

    /// What `world` may say of it: what can be said of every system, and what it has of its own.
    pub(crate) fn fields(&self) -> Vec<Field<'_>> {
        let own = Schema::new(&self.schema).named();
        SYSTEM.fields.iter().copied().chain(own).collect()
    }
}

/// Turns a short form's value into opening states, or says what does not fit, and where.
pub type ReadShortForm =
    Arc<dyn Fn(&Value) -> Result<Vec<OpeningState>, ConfigError> + Send + Sync>;

/// A domain's short way to write opening states: `"rooms": { "12": 2 }` under `world` for the state of two
/// objects.
#[derive(Clone)]
pub struct ShortForm {
    /// One line for people.
    pub summary: String,
    /// The JSON schema of its value.
    pub schema: Value,
    /// What its value stands for.
    pub read: ReadShortForm,
}

impl fmt::Debug for ShortForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShortForm")
            .field("summary", &self.summary)
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl ShortForm {
    /// A short form whose value is a `T`: `read` gets it, and says what it stands for.
    ///
    /// A map's states come in the order in which `T` gives them.
    #[must_use]
    pub fn new<T: DeserializeOwned + JsonSchema>(
        summary: &str,
        read: impl Fn(T) -> Result<Vec<OpeningState>, ConfigError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            summary: summary.to_owned(),
            schema: schemars::schema_for!(T).to_value(),
            read: Arc::new(move |value| read_config(value).and_then(&read)),
        }
    }
}

impl Catalog {
    /// What `world` may have: systems and short forms.
    pub(crate) fn world(&self) -> Vec<Field<'_>> {
        let systems = self
            .systems
            .iter()
            .map(|(name, entry)| field(name, Holds::Typed(&entry.schema), &entry.summary));
        let forms = self
            .short_forms
            .iter()
            .map(|(name, entry)| field(name, Holds::Typed(&entry.schema), &entry.summary));
        systems.chain(forms).collect()
    }

    /// What has fields of its own, by the field: `stars` belongs to the hotel.
    pub(crate) fn owners(&self) -> BTreeMap<String, String> {
        let mut owners = BTreeMap::new();
        for (name, system) in &self.systems {
            for field in system.fields() {
                owners.entry(field.name.to_owned()).or_insert_with(|| format!("the {name}"));
            }
        }
        owners
    }

    /// The system `name`; an unknown one is reported at `span`.
    pub(crate) fn system(
        &self,
        reader: &mut Reader,
        name: &str,
        span: Span,
    ) -> Option<&SystemEntry> {
        let system = self.systems.get(name);
        if system.is_none() {
            let names = self.systems.keys().map(String::as_str);
            reader.report(unknown_name(span, "system", "systems", name, names));
        }
        system
    }

    /// The service `name`; an unknown one is reported at `span`.
    pub(crate) fn service(
        &self,
        reader: &mut Reader,
        name: &str,
        span: Span,
    ) -> Option<&ServiceEntry> {
        let service = self.services.get(name);
        if service.is_none() {
            let names = self.services.keys().map(String::as_str);
            reader.report(unknown_name(span, "service", "services", name, names));
        }
        service
    }

    /// The handler `name` of `service`; an unknown one is reported at `span`.
    pub(crate) fn handler(
        &self,
        reader: &mut Reader,
        service: &str,
        name: &str,
        span: Span,
    ) -> Option<HandlerEntry> {
        let handlers = &self.services.get(service)?.handlers;
        let handler = handlers.get(name).cloned();
        if handler.is_none() {
            let names = || handlers.keys().map(String::as_str);
            let others = self.services.iter().filter(|(_, s)| s.handlers.contains_key(name));
            let others: Vec<&str> = others.map(|(other, _)| other.as_str()).collect();
            let help = match others.as_slice() {
                // a name that is right elsewhere is no slip
                [_, ..] => format!("it is a handler of {}", others.join(", ")),
                [] => suggest::hint(name, "handlers", names()),
            };
            let problem = format!("{service} has no handler `{name}`");
            reader.report(Diagnostic::new(span, problem).help(help));
        }
        handler
    }

    /// True if `name` is an invariant; an unknown one is reported at `span`.
    pub(crate) fn invariant(&self, reader: &mut Reader, name: &str, span: Span) -> bool {
        let exists = self.invariants.contains_key(name);
        if !exists {
            let names = self.invariants.keys().map(String::as_str);
            let problem = unknown_name(span, "invariant", "invariants", name, names);
            let is_fault = name.parse::<Fault>().is_ok();
            reader.report(match is_fault {
                true => problem
                    .help(format!("it is a fault: write it into `faults`: {{ \"{name}\": 0.05 }}")),
                false => problem,
            });
        }
        exists
    }
}
