//! The services under test as one value: how to build them, what they are, what must hold of them.
//!
//! Both ways in, the [`Simulation`](crate::Simulation) builder and the command line, start here.
//!
//! Must not know: arguments, reports.

use std::{collections::BTreeMap, sync::Arc};

use restate_sdk::prelude::Endpoint;
use serde_json::Value;

use crate::{
    invariants::{self, Invariant},
    restate::{Handler, HandlerInput, ServiceKind},
    scenario::{
        Input, Known, KnownHandler, KnownService,
        plan::{Action, Scenario},
    },
    services,
    sim::{Deployment, DeploymentError},
    world::Systems,
};

/// Service name to variant, as in a scenario's `services`.
pub type Variants = BTreeMap<String, String>;

type Build = Arc<dyn Fn(&Variants, &Systems) -> Endpoint + Send + Sync>;

/// Why the services cannot be simulated.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// They do not answer discovery.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// There is no such variant of a service.
    #[error("service `{service}` has no variant `{variant}`; `onceproof list` shows what there is")]
    Variant {
        /// The service.
        service: String,
        /// The variant that was asked for.
        variant: String,
    },
    /// There is no such handler here.
    #[error("there is no handler `{0}` here; use the program whose services these are")]
    Handler(String),
    /// There is no such invariant here.
    #[error("there is no invariant `{0}` here; use the program that has it")]
    Invariant(String),
}

/// The services under test.
pub struct Subject {
    build: Build,
    shipped: bool,
    invariants: Vec<Arc<dyn Invariant>>,
}

impl Subject {
    /// The caller's own services: `build` makes a process with empty memory around the systems it calls.
    pub fn new(build: impl Fn(&Systems) -> Endpoint + Send + Sync + 'static) -> Self {
        Self {
            build: Arc::new(move |_, systems| build(systems)),
            shipped: false,
            invariants: Vec::new(),
        }
    }

    /// The reference services that ship with onceproof, and their planted bugs.
    #[must_use]
    pub fn reference() -> Self {
        let build = |variants: &Variants, systems: &Systems| {
            services::endpoint(variants, systems).expect("variants were checked with the scenario")
        };
        Self { build: Arc::new(build), shipped: true, invariants: Vec::new() }
    }

    /// Adds an invariant of the caller's own to those that ship.
    #[must_use]
    pub fn with_invariant(mut self, invariant: impl Invariant + 'static) -> Self {
        self.invariants.push(Arc::new(invariant));
        self
    }

    /// The services with these variants, ready to simulate.
    ///
    /// # Errors
    /// If there is no such variant, or discovery fails.
    pub fn deployment(&self, variants: &Variants) -> Result<Deployment, SubjectError> {
        for (service, variant) in variants {
            if !self.variants_of(service).contains_key(variant) {
                let (service, variant) = (service.clone(), variant.clone());
                return Err(SubjectError::Variant { service, variant });
            }
        }
        let (build, variants) = (self.build.clone(), variants.clone());
        Ok(Deployment::new(Arc::new(move |systems| build(&variants, systems)))?)
    }

    /// Checks that everything that a recorded scenario names is there: what was recorded by another
    /// program would seem to be repaired otherwise.
    ///
    /// # Errors
    /// Names the first handler or invariant that is not.
    pub fn recognizes(
        &self,
        scenario: &Scenario,
        services: &Deployment,
    ) -> Result<(), SubjectError> {
        for step in &scenario.plan.steps {
            if let Action::Call { target, .. } = &step.action
                && services.catalog().handler(&target.service, &target.handler).is_none()
            {
                return Err(SubjectError::Handler(format!(
                    "{}/{}",
                    target.service, target.handler
                )));
            }
        }
        let all = self.invariants();
        match scenario.invariants.iter().find(|name| !all.contains_key(name.as_str())) {
            Some(name) => Err(SubjectError::Invariant(name.clone())),
            None => Ok(()),
        }
    }

    /// Every invariant, by name.
    #[must_use]
    pub fn invariants(&self) -> BTreeMap<&'static str, &dyn Invariant> {
        let own = self.invariants.iter().map(|i| &**i);
        invariants::all().into_iter().chain(own).map(|i| (i.name(), i)).collect()
    }

    /// The names that scenario files can use.
    ///
    /// # Errors
    /// If discovery fails.
    pub fn known(&self) -> Result<Known, SubjectError> {
        let deployment = self.deployment(&Variants::new())?;
        let mut known = Known::default();
        for service in deployment.catalog().services() {
            let handlers = service.handlers().map(|handler| {
                (handler.name.to_string(), self.known_handler(&service.name, handler))
            });
            let entry = KnownService {
                keyed: service.kind != ServiceKind::Service,
                handlers: handlers.collect(),
                variants: self.variants_of(&service.name),
            };
            known.services.insert(service.name.to_string(), entry);
        }
        known.invariants = self
            .invariants()
            .into_iter()
            .map(|(n, i)| (n.to_owned(), i.summary().to_owned()))
            .collect();
        Ok(known)
    }

    fn known_handler(&self, service: &str, handler: &Handler) -> KnownHandler {
        let input = match handler.input {
            HandlerInput::None => Input::None,
            HandlerInput::Optional => Input::Optional,
            HandlerInput::Needed => Input::Needed,
        };
        let check_input = services::check_input(service, &handler.name).filter(|_| self.shipped);
        match check_input {
            // the reference services say themselves whether they can do without a body
            Some(check) if input == Input::Needed && check(&Value::Null).is_ok() => {
                KnownHandler { input: Input::Optional, check_input }
            }
            _ => KnownHandler { input, check_input },
        }
    }

    fn variants_of(&self, service: &str) -> BTreeMap<String, String> {
        let shipped = services::shipped().iter().filter(|s| self.shipped && s.name == service);
        let mut all: BTreeMap<String, String> = shipped
            .flat_map(|s| s.variants)
            .map(|v| (v.name.to_owned(), v.summary.to_owned()))
            .collect();
        all.entry("reference".to_owned()).or_insert_with(|| "as it is".to_owned());
        all
    }

    /// The invariants that a scenario asks for; unknown names were refused with the file.
    #[must_use]
    pub fn invariants_of(&self, scenario: &Scenario) -> Vec<&dyn Invariant> {
        let own = self.invariants.iter().map(|i| &**i);
        let is_wanted =
            |i: &&dyn Invariant| scenario.invariants.iter().any(|name| name == i.name());
        invariants::all().into_iter().chain(own).filter(is_wanted).collect()
    }
}
