//! The names that a scenario may use, given by whoever has the services and the invariants.
//!
//! Must not know: any service or invariant by name.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

use super::{
    diagnostic::{Diagnostic, Span},
    reader::{Reader, unknown_name},
    suggest,
};

/// The name of the variant of a service that is right.
pub const REFERENCE: &str = "reference";

/// The services and invariants that exist.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Services by name.
    pub services: BTreeMap<String, KnownService>,
    /// Invariants by name, each with a line for people.
    pub invariants: BTreeMap<String, String>,
}

/// A service that scenarios can call.
#[derive(Clone, Debug, Default)]
pub struct KnownService {
    /// True for a virtual object: every call has a key.
    pub keyed: bool,
    /// Handlers by name.
    pub handlers: BTreeMap<String, KnownHandler>,
    /// Variants by name, each with a line for people; one is `reference`, the others are planted bugs.
    pub variants: BTreeMap<String, String>,
}

/// Looks at a request's body; says what does not fit.
pub type CheckInput = fn(&Value) -> Result<(), String>;

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
#[derive(Clone, Copy, Default)]
pub struct KnownHandler {
    /// Whether it wants a body.
    pub input: Input,
    /// Tells whether a body fits the input, if that can be told before the call.
    pub check_input: Option<CheckInput>,
}

impl fmt::Debug for KnownHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownHandler")
            .field("input", &self.input)
            .field("check_input", &self.check_input.is_some())
            .finish()
    }
}

impl Known {
    /// The service `name`; an unknown one is reported at `span`.
    pub(crate) fn service(
        &self,
        reader: &mut Reader,
        name: &str,
        span: Span,
    ) -> Option<&KnownService> {
        let service = self.services.get(name);
        if service.is_none() {
            let known = self.services.keys().map(String::as_str);
            reader.report(unknown_name(span, "service", "services", name, known));
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
    ) -> Option<KnownHandler> {
        let handlers = &self.services.get(service)?.handlers;
        let handler = handlers.get(name).copied();
        if handler.is_none() {
            let known = handlers.keys().map(String::as_str);
            reader.report(
                Diagnostic::new(span, format!("{service} has no handler `{name}`"))
                    .help(suggest::hint(name, "handlers", known)),
            );
        }
        handler
    }

    /// True if `name` is an invariant; an unknown one is reported at `span`.
    pub(crate) fn invariant(&self, reader: &mut Reader, name: &str, span: Span) -> bool {
        let exists = self.invariants.contains_key(name);
        if !exists {
            let known = self.invariants.keys().map(String::as_str);
            reader.report(unknown_name(span, "invariant", "invariants", name, known));
        }
        exists
    }
}
