//! The variants of services: as they should be, or with a planted bug.
//!
//! Must not know: services.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, IntoDeserializer, value};

use crate::scenario::REFERENCE;

/// Which variant of each service a run has; a service that is not there is as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variants(BTreeMap<String, String>);

impl Variants {
    /// The variant of `service`: `reference`, or the name of a planted bug.
    #[must_use]
    pub fn of(&self, service: &str) -> &str {
        self.0.get(service).map_or(REFERENCE, String::as_str)
    }

    /// Whether `service` has this planted bug.
    #[must_use]
    pub fn is(&self, service: &str, variant: &str) -> bool {
        self.of(service) == variant
    }

    /// The planted bug of `service` as a value of the services' own enum; none if the service is as it is, or has
    /// a bug that is not in the enum.
    ///
    /// ```
    /// # use onceproof::subject::Variants;
    /// #[derive(serde::Deserialize, Debug, PartialEq)]
    /// #[serde(rename_all = "kebab-case")]
    /// enum Bug {
    ///     BooksTwice,
    /// }
    ///
    /// let variants = Variants::from([("Trips".to_owned(), "books-twice".to_owned())]);
    /// assert_eq!(variants.get("Trips"), Some(Bug::BooksTwice));
    /// assert_eq!(variants.get::<Bug>("Rooms"), None);
    /// ```
    #[must_use]
    pub fn get<B: DeserializeOwned>(&self, service: &str) -> Option<B> {
        let name: value::StrDeserializer<'_, value::Error> = self.of(service).into_deserializer();
        B::deserialize(name).ok()
    }

    /// The services with their variants.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(service, variant)| (service.as_str(), variant.as_str()))
    }
}

impl From<BTreeMap<String, String>> for Variants {
    fn from(variants: BTreeMap<String, String>) -> Self {
        Self(variants)
    }
}

impl<const N: usize> From<[(String, String); N]> for Variants {
    fn from(variants: [(String, String); N]) -> Self {
        Self(variants.into())
    }
}

/// A planted bug: a service with one mistake in it, which shows that an oracle can fire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its name in a scenario's `services`.
    pub name: String,
    /// One line for people.
    pub summary: String,
    /// The oracle that must report it first; none if no oracle does yet.
    pub caught_by: Option<String>,
    /// The kind of mistake, and its number in the table of planted bugs.
    pub class: Option<(u16, String)>,
}

impl Variant {
    /// A planted bug of this name.
    #[must_use]
    pub fn new(name: impl Into<String>, summary: impl Into<String>) -> Self {
        Self { name: name.into(), summary: summary.into(), caught_by: None, class: None }
    }

    /// The oracle that must report it first.
    #[must_use]
    pub fn caught_by(mut self, oracle: impl Into<String>) -> Self {
        self.caught_by = Some(oracle.into());
        self
    }

    /// Its class in the table of planted bugs: a number, and what is wrong in a line.
    #[must_use]
    pub fn class(mut self, number: u16, title: impl Into<String>) -> Self {
        self.class = Some((number, title.into()));
        self
    }
}
