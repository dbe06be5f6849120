//! Which services and handlers there are, read from an endpoint's discovery manifest.
//!
//! Must not know: invocations.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::base::Name;

/// What kind a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceKind {
    /// No key, no state, no lock.
    Service,
    /// State and a lock for each key.
    VirtualObject,
    /// State for each key, and one run.
    Workflow,
}

/// How calls of a handler of one key stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HandlerKind {
    /// One at a time: it holds its object's lock.
    Exclusive,
    /// Any number at a time, beside an exclusive one; all handlers of services are.
    Shared,
}

/// Whether a handler wants a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HandlerInput {
    /// It takes none.
    #[default]
    None,
    /// It takes one, or none.
    Optional,
    /// It needs one.
    Needed,
}

/// What the ingress lets through to a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// Whatever a client sends: the handler says nothing about its input.
    Anything,
    /// No body and no content type.
    Nothing,
    /// A body of this content type; `*` in it stands for anything.
    Body {
        /// The content type.
        content_type: Name,
        /// False if there may also be no body and no content type.
        needed: bool,
    },
}

/// Why the ingress refuses a request's input. The texts are the server's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongInput {
    /// There is a body, or a content type, and the handler wants none.
    #[error("Expected body and content-type to be empty, but wasn't with content-type '{0:?}'")]
    NotEmpty(Option<String>),
    /// There is no content type.
    #[error("Empty content-type")]
    NoContentType,
    /// It is another content type.
    #[error("Content-type '{0}' does not match '{1}'")]
    OtherContentType(String, Name),
    /// There is no body.
    #[error("Empty body not allowed")]
    EmptyBody,
}

impl Accepts {
    /// Checks a request's content type and body.
    ///
    /// # Errors
    /// If the ingress would refuse them.
    pub fn check(&self, content_type: Option<&str>, has_body: bool) -> Result<(), WrongInput> {
        match self {
            Self::Anything => Ok(()),
            Self::Nothing if content_type.is_none() && !has_body => Ok(()),
            Self::Nothing => Err(WrongInput::NotEmpty(content_type.map(str::to_owned))),
            Self::Body { needed: false, .. } if content_type.is_none() && !has_body => Ok(()),
            Self::Body { content_type: wanted, .. } => {
                let given = content_type.ok_or(WrongInput::NoContentType)?;
                if !is_media_type(given, wanted) {
                    return Err(WrongInput::OtherContentType(given.to_owned(), wanted.clone()));
                }
                if has_body { Ok(()) } else { Err(WrongInput::EmptyBody) }
            }
        }
    }
}

/// True if a content type, whatever its parameters, is the wanted one. Capitals count.
fn is_media_type(given: &str, wanted: &str) -> bool {
    let given = given.split(';').next().unwrap_or(given).trim();
    match wanted.strip_suffix("/*") {
        Some("*") => true,
        Some(kind) => given.split_once('/').is_some_and(|(first, _)| first == kind),
        None => given == wanted,
    }
}

/// What happens when an invocation's retries are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OnMaxAttempts {
    /// It waits for a person.
    Pause,
    /// It is killed.
    Kill,
}

/// What a handler, or its service, says about itself; none means the server's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandlerOptions {
    /// The delay before the first retry, in milliseconds.
    pub retry_initial_ms: Option<u64>,
    /// The longest delay before a retry, in milliseconds.
    pub retry_max_ms: Option<u64>,
    /// After how many failed attempts in a row retries are used up.
    pub retry_max_attempts: Option<u32>,
    /// By what a delay is multiplied for the next one, in thousandths.
    pub retry_factor_permille: Option<u64>,
    /// What happens when retries are used up.
    pub on_max_attempts: Option<OnMaxAttempts>,
    /// How long after completion an idempotency key gives the stored answer, in milliseconds.
    pub idempotency_retention_ms: Option<u64>,
    /// How long after completion of its run a workflow is kept, in milliseconds.
    pub workflow_retention_ms: Option<u64>,
    /// How long after completion an invocation is known by its id, in milliseconds.
    pub journal_retention_ms: Option<u64>,
    /// After how long without a message an attempt is asked to suspend, in milliseconds.
    pub inactivity_timeout_ms: Option<u64>,
    /// How long after that it is cut off, in milliseconds.
    pub abort_timeout_ms: Option<u64>,
    /// True if an attempt gets no snapshot of its object's state.
    pub lazy_state: Option<bool>,
}

impl HandlerOptions {
    /// These options, with `service`'s where these say nothing.
    fn or(self, service: Self) -> Self {
        Self {
            retry_initial_ms: self.retry_initial_ms.or(service.retry_initial_ms),
            retry_max_ms: self.retry_max_ms.or(service.retry_max_ms),
            retry_max_attempts: self.retry_max_attempts.or(service.retry_max_attempts),
            retry_factor_permille: self.retry_factor_permille.or(service.retry_factor_permille),
            on_max_attempts: self.on_max_attempts.or(service.on_max_attempts),
            idempotency_retention_ms: self
                .idempotency_retention_ms
                .or(service.idempotency_retention_ms),
            workflow_retention_ms: self.workflow_retention_ms.or(service.workflow_retention_ms),
            journal_retention_ms: self.journal_retention_ms.or(service.journal_retention_ms),
            inactivity_timeout_ms: self.inactivity_timeout_ms.or(service.inactivity_timeout_ms),
            abort_timeout_ms: self.abort_timeout_ms.or(service.abort_timeout_ms),
            lazy_state: self.lazy_state.or(service.lazy_state),
        }
    }
}

/// A handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handler {
    /// Its name.
    pub name: Name,
    /// Its service's kind.
    pub service_kind: ServiceKind,
    /// Its own kind.
    pub kind: HandlerKind,
    /// Whether it wants a body.
    pub input: HandlerInput,
    /// What the ingress lets through to it.
    pub accepts: Accepts,
    /// The JSON schema of its input, if it says anything about it.
    pub schema: Option<Value>,
    /// What it does, in the words of its author.
    pub documentation: Option<String>,
    /// Its options, with its service's where it has none of its own.
    pub options: HandlerOptions,
}

/// A service with its handlers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: Name,
    /// Its kind.
    pub kind: ServiceKind,
    handlers: BTreeMap<Name, Handler>,
}

impl Service {
    /// Its handlers, in the order of their names.
    pub fn handlers(&self) -> impl Iterator<Item = &Handler> {
        self.handlers.values()
    }
}

/// How an endpoint wants to be spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// The oldest version of the service protocol that it speaks.
    pub version_min: u8,
    /// The newest one.
    pub version_max: u8,
    /// True if an attempt's request is complete before its response begins, as on most serverless platforms: what
    /// is not in the journal yet makes the attempt suspend.
    pub request_response: bool,
    /// True if a `ctx.run` is announced before its closure begins. SDKs that speak no version above 5 may announce it
    /// together with its result, as restate-sdk 0.10 does (<https://github.com/restatedev/sdk-rust/issues/72>): what
    /// their code does while no run is open may belong to one.
    pub runs_announced: bool,
}

/// The last version whose speakers may announce a `ctx.run` with its result.
const VERSION_RUNS_LATE: u8 = 5;

/// The versions of the service protocol that are spoken here.
const VERSIONS: (u8, u8) = (5, 7);

impl Default for Protocol {
    /// Every version, in both directions at once.
    fn default() -> Self {
        let (version_min, version_max) = VERSIONS;
        Self { version_min, version_max, request_response: false, runs_announced: true }
    }
}

impl Protocol {
    /// The version that is spoken if `wanted` is configured: the nearest one that the endpoint speaks.
    #[must_use]
    pub fn version(self, wanted: u8) -> u8 {
        wanted.min(self.version_max).max(self.version_min)
    }
}

/// A discovery manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// It is not a manifest.
    #[error("the endpoint's discovery manifest cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// One name twice.
    #[error("the endpoint has two services, or handlers of one service, with the name {0:?}")]
    Duplicate(String),
    /// There is no version of the service protocol that both sides speak.
    #[error(
        "the endpoint speaks the service protocol in versions {0} to {1}, and here it is spoken in versions {min} to \
         {max}; use an SDK that speaks one of these",
        min = VERSIONS.0,
        max = VERSIONS.1
    )]
    Version(u32, u32),
}

/// All services of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    services: BTreeMap<Name, Service>,
    protocol: Protocol,
}

impl Catalog {
    /// Reads a discovery manifest, version 4.
    ///
    /// # Errors
    /// If it is not a manifest, names something twice, or speaks no version of the protocol that is spoken here.
    pub fn from_manifest(json: &[u8]) -> Result<Self, CatalogError> {
        let manifest: RawManifest = serde_json::from_slice(json)?;
        let mut catalog = Self { protocol: manifest.protocol()?, ..Self::default() };
        for raw in manifest.services {
            let service = raw.resolve()?;
            if let Some(old) = catalog.services.insert(service.name.clone(), service) {
                return Err(CatalogError::Duplicate(old.name.to_string()));
            }
        }
        Ok(catalog)
    }

    /// This, with what a newer deployment has in its place.
    pub(super) fn with_newer(&self, newer: &Self) -> Self {
        let mut services = self.services.clone();
        services.extend(newer.services.iter().map(|(name, s)| (name.clone(), s.clone())));
        Self { services, protocol: self.protocol }
    }

    /// How the endpoint wants to be spoken to.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// A handler, by the names of its service and its own.
    #[must_use]
    pub fn handler(&self, service: &str, handler: &str) -> Option<&Handler> {
        self.services.get(service)?.handlers.get(handler)
    }

    /// A service, by its name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.get(name)
    }

    /// All services, in the order of their names.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.values()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawManifest {
    services: Vec<RawService>,
    #[serde(default)]
    min_protocol_version: Option<u32>,
    #[serde(default)]
    max_protocol_version: Option<u32>,
    #[serde(default)]
    protocol_mode: Option<RawProtocolMode>,
}

impl RawManifest {
    /// What both sides speak.
    fn protocol(&self) -> Result<Protocol, CatalogError> {
        let ours = Protocol::default();
        let min = self.min_protocol_version.unwrap_or(ours.version_min.into());
        let max = self.max_protocol_version.unwrap_or(ours.version_max.into());
        let wrong = CatalogError::Version(min, max);
        let (Ok(version_min), version_max) =
            (u8::try_from(min), u8::try_from(max).unwrap_or(u8::MAX))
        else {
            return Err(wrong);
        };
        let version_min = version_min.max(ours.version_min);
        let version_max = version_max.min(ours.version_max);
        if version_min > version_max {
            return Err(wrong);
        }
        let request_response = self.protocol_mode == Some(RawProtocolMode::RequestResponse);
        let runs_announced = version_max > VERSION_RUNS_LATE;
        Ok(Protocol { version_min, version_max, request_response, runs_announced })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum RawProtocolMode {
    BidiStream,
    RequestResponse,
}

#[derive(Deserialize)]
struct RawService {
    name: Name,
    ty: ServiceKind,
    handlers: Vec<RawHandler>,
    #[serde(flatten)]
    options: RawOptions,
}

impl RawService {
    fn resolve(self) -> Result<Service, CatalogError> {
        let service_options = HandlerOptions::from(self.options);
        let mut handlers = BTreeMap::new();
        for raw in self.handlers {
            let handler = Handler {
                kind: match (self.ty, raw.ty) {
                    (ServiceKind::Service, _) | (_, Some(RawHandlerKind::Shared)) => {
                        HandlerKind::Shared
                    }
                    _ => HandlerKind::Exclusive,
                },
                accepts: raw.input.as_ref().map_or(Accepts::Anything, RawInput::accepts),
                schema: raw.input.as_ref().and_then(RawInput::schema),
                documentation: raw.documentation,
                input: raw.input.unwrap_or_default().resolve(),
                name: raw.name,
                service_kind: self.ty,
                options: HandlerOptions::from(raw.options).or(service_options),
            };
            if let Some(old) = handlers.insert(handler.name.clone(), handler) {
                return Err(CatalogError::Duplicate(old.name.to_string()));
            }
        }
        Ok(Service { name: self.name, kind: self.ty, handlers })
    }
}

#[derive(Deserialize)]
struct RawHandler {
    name: Name,
    #[serde(default)]
    ty: Option<RawHandlerKind>,
    #[serde(default)]
    input: Option<RawInput>,
    #[serde(default)]
    documentation: Option<String>,
    #[serde(flatten)]
    options: RawOptions,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawInput {
    #[serde(default)]
    required: bool,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    json_schema: Option<Value>,
}

impl RawInput {
    /// The schema of the input; none if any value fits it, which is what an SDK says that does not know.
    fn schema(&self) -> Option<Value> {
        let says = |schema: &&Value| schema.as_object().is_some_and(|words| !words.is_empty());
        self.json_schema.as_ref().filter(says).cloned()
    }

    fn accepts(&self) -> Accepts {
        match (self.required, &self.content_type) {
            (false, None) => Accepts::Nothing,
            (needed, content_type) => {
                let content_type = content_type.as_deref().unwrap_or("*/*").into();
                Accepts::Body { content_type, needed }
            }
        }
    }

    fn resolve(self) -> HandlerInput {
        match (self.required, self.content_type) {
            (true, _) => HandlerInput::Needed,
            (false, Some(_)) => HandlerInput::Optional,
            (false, None) => HandlerInput::None,
        }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum RawHandlerKind {
    Exclusive,
    Shared,
    Workflow,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawOptions {
    retry_policy_initial_interval: Option<u64>,
    retry_policy_max_interval: Option<u64>,
    retry_policy_max_attempts: Option<u32>,
    retry_policy_exponentiation_factor: Option<serde_json::Number>,
    retry_policy_on_max_attempts: Option<OnMaxAttempts>,
    idempotency_retention: Option<u64>,
    workflow_completion_retention: Option<u64>,
    journal_retention: Option<u64>,
    inactivity_timeout: Option<u64>,
    abort_timeout: Option<u64>,
    enable_lazy_state: Option<bool>,
}

impl From<RawOptions> for HandlerOptions {
    fn from(raw: RawOptions) -> Self {
        Self {
            retry_initial_ms: raw.retry_policy_initial_interval,
            retry_max_ms: raw.retry_policy_max_interval,
            retry_max_attempts: raw.retry_policy_max_attempts,
            retry_factor_permille: raw
                .retry_policy_exponentiation_factor
                .and_then(|n| permille(&n)),
            on_max_attempts: raw.retry_policy_on_max_attempts,
            idempotency_retention_ms: raw.idempotency_retention,
            workflow_retention_ms: raw.workflow_completion_retention,
            journal_retention_ms: raw.journal_retention,
            inactivity_timeout_ms: raw.inactivity_timeout,
            abort_timeout_ms: raw.abort_timeout,
            lazy_state: raw.enable_lazy_state,
        }
    }
}

/// A decimal number in thousandths, further digits cut off; by its digits, so that no float is
/// calculated with.
fn permille(number: &serde_json::Number) -> Option<u64> {
    let text = number.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let thousandths: String = fraction.chars().chain("000".chars()).take(3).collect();
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(thousandths.parse().ok()?)
}
