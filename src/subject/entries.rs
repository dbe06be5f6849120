//! What a subject's scenarios can name: its catalog, made of discovery and of what the subject was given.
//!
//! Must not know: arguments, reports.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use super::{Subject, SubjectError, Variants};
use crate::{
    restate::{Handler, HandlerInput, ServiceKind},
    scenario::{
        Catalog, CheckInput, HandlerEntry, Input, REFERENCE, ServiceEntry, SystemEntry,
        json_schema, plan::TWIN, reference, reference_parts,
    },
    sim::Deployment,
};

/// The line for people of what no oracle is written for.
const TWIN_SUMMARY: &str = "what Restate hides does not show: answers, states and effects are those of runs without faults (checked where only such faults are asked for, and where named)";

impl Subject {
    /// The names that scenario files can use.
    ///
    /// # Errors
    /// If discovery fails.
    pub fn catalog(&self) -> Result<Catalog, SubjectError> {
        let deployment = self.deployment(&Variants::default())?;
        let mut catalog = Catalog::default();
        self.add_services(&mut catalog, &deployment);
        for (name, (summary, _)) in &self.revisions {
            catalog.revisions.insert(name.clone(), summary.clone());
            let systems = self.systems.as_slice().into();
            self.add_services(&mut catalog, &Deployment::new(self.named(name)?, systems)?);
        }
        let oracles = self.all_oracles();
        catalog.invariants =
            oracles.map(|o| (o.name().to_owned(), o.summary().to_owned())).collect();
        catalog.invariants.entry(TWIN.to_owned()).or_insert_with(|| TWIN_SUMMARY.to_owned());
        catalog.systems = self
            .systems
            .iter()
            .map(|spec| (spec.name.to_owned(), SystemEntry::new(spec)))
            .collect();
        catalog.short_forms = self.short_forms.clone();
        Ok(catalog)
    }

    /// The JSON schema (2020-12) of the scenario files of these services, as `onceproof schema` prints it.
    ///
    /// # Errors
    /// If discovery fails.
    pub fn scenario_schema(&self) -> Result<Value, SubjectError> {
        Ok(json_schema(&self.catalog()?))
    }

    /// A scenario that shows a part of the language with these services: it stands in what `onceproof schema --format
    /// markdown` prints. The parts are those of [`scenario::reference_parts`](crate::scenario::reference_parts).
    ///
    /// ```
    /// # use onceproof::subject::Subject;
    /// # fn example(subject: Subject) -> Subject {
    /// subject.example("faults", r#"{
    ///   "title": "a room is booked while attempts crash",
    ///   "steps": [{ "id": "book", "call": "Bookings/b-1/book", "body": { "nights": 2 } }],
    ///   "faults": { "crash": 0.1 }
    /// }"#)
    /// # }
    /// ```
    ///
    /// # Panics
    /// If there is no such part.
    #[must_use]
    pub fn example(mut self, part: impl Into<String>, text: impl Into<String>) -> Self {
        let part = part.into();
        let is_there = reference_parts().any(|name| name == part);
        assert!(is_there, "the reference has no part `{part}`");
        self.examples.push((part, text.into()));
        self
    }

    /// The scenarios that show parts of the language: the part, and the text.
    #[must_use]
    pub fn examples(&self) -> &[(String, String)] {
        &self.examples
    }

    /// The reference of these scenario files as a page of Markdown, as `onceproof schema --format markdown` prints it.
    ///
    /// # Errors
    /// If discovery fails.
    pub fn scenario_reference(&self) -> Result<String, SubjectError> {
        Ok(reference(&self.catalog()?, self.examples()))
    }

    /// Adds the services and handlers that are not there yet.
    fn add_services(&self, catalog: &mut Catalog, deployment: &Deployment) {
        for service in deployment.catalog().services() {
            let entry =
                catalog.services.entry(service.name.to_string()).or_insert_with(|| ServiceEntry {
                    keyed: service.kind != ServiceKind::Service,
                    example_key: self.keys.get(&*service.name).cloned().unwrap_or_default(),
                    handlers: BTreeMap::new(),
                    variants: self.variants_of(&service.name),
                });
            for handler in service.handlers() {
                let name = handler.name.to_string();
                entry
                    .handlers
                    .entry(name)
                    .or_insert_with(|| self.handler_entry(&service.name, handler));
            }
        }
    }

    fn handler_entry(&self, service: &str, handler: &Handler) -> HandlerEntry {
        let input = match handler.input {
            HandlerInput::None => Input::None,
            HandlerInput::Optional => Input::Optional,
            HandlerInput::Needed => Input::Needed,
        };
        let name = (service.to_owned(), handler.name.to_string());
        let check_input = self.checks.get(&name).cloned();
        // the services say themselves whether they can do without a body
        let is_optional = |check: &CheckInput| check(&Value::Null).is_ok();
        let input = match input {
            Input::Needed if check_input.as_ref().is_some_and(is_optional) => Input::Optional,
            input => input,
        };
        let discovered = || handler.schema.clone().map(Arc::new);
        let schema = self.schemas.get(&name).cloned().or_else(discovered);
        let summary = handler.documentation.as_deref().map(first_sentence).unwrap_or_default();
        HandlerEntry { summary, input, schema, check_input }
    }

    pub(super) fn variants_of(&self, service: &str) -> BTreeMap<String, String> {
        let own = self.variants.get(service).into_iter().flatten();
        let mut all: BTreeMap<String, String> =
            own.map(|v| (v.name.clone(), v.summary.clone())).collect();
        all.entry(REFERENCE.to_owned()).or_insert_with(|| "as it is".to_owned());
        all
    }
}

/// What the author of a handler says of it, as far as it fits on a line.
fn first_sentence(documentation: &str) -> String {
    let paragraph = documentation.trim().split("\n\n").next().unwrap_or_default();
    let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = line.find(". ").map_or(line.len(), |at| at + 1);
    line[..end].trim_end_matches('.').to_owned()
}
