//! What Restate is like in a run, and what clients and operators do in it.
//!
//! Must not know: how a scenario file is written.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::{Millis, Taken, Until, Wait};
use crate::base::Target;

/// How Restate is configured; the defaults are those of server 1.7.12.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestatePlan {
    /// Delay before the first retry of a failed attempt; doubles with each.
    pub retry_initial_ms: u64,
    /// The longest delay before a retry.
    pub retry_max_ms: u64,
    /// Attempts after which an invocation is not tried again.
    pub retry_max_attempts: u32,
    /// What happens then: false if it waits for a person, true if it is killed.
    #[serde(default)]
    pub kill_on_max_attempts: bool,
    /// How long a completed request's answer is kept for its idempotency key.
    pub idempotency_retention_ms: u64,
    /// How long a completed workflow keeps its state and promises, and cannot run again.
    #[serde(default = "a_day_ms")]
    pub workflow_retention_ms: u64,
    /// How long a completed invocation is known by its id.
    #[serde(default = "a_day_ms")]
    pub journal_retention_ms: u64,
    /// True if handlers fetch state when they ask for it.
    #[serde(default)]
    pub lazy_state: bool,
    /// After how long without a message an attempt is asked to suspend; never, if there is none.
    #[serde(default = "a_minute_ms")]
    pub inactivity_timeout_ms: Option<u64>,
    /// How long after that it is cut off.
    #[serde(default = "ten_minutes_ms")]
    pub abort_timeout_ms: u64,
    /// True if each attempt gets the journal that is known and nothing after it, whatever handlers say of their
    /// inactivity timeouts: every await suspends, and every resume replays the journal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub always_replay: bool,
    /// The version of the service protocol.
    #[serde(default = "protocol_version")]
    pub protocol_version: u8,
}

const fn a_day_ms() -> u64 {
    24 * 3_600_000
}

#[allow(clippy::unnecessary_wraps, reason = "the default of an optional field")]
const fn a_minute_ms() -> Option<u64> {
    Some(60_000)
}

const fn ten_minutes_ms() -> u64 {
    600_000
}

/// What server 1.7.12 and restate-sdk 0.13 agree on.
const fn protocol_version() -> u8 {
    6
}

impl Default for RestatePlan {
    fn default() -> Self {
        Self {
            retry_initial_ms: 500,
            retry_max_ms: 60_000,
            retry_max_attempts: 70,
            kill_on_max_attempts: false,
            idempotency_retention_ms: a_day_ms(),
            workflow_retention_ms: a_day_ms(),
            journal_retention_ms: a_day_ms(),
            lazy_state: false,
            inactivity_timeout_ms: Some(60_000),
            abort_timeout_ms: ten_minutes_ms(),
            always_replay: false,
            protocol_version: protocol_version(),
        }
    }
}

/// One thing that a client or an operator does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The request's name: the step's id, with `[i]` for a repetition and `.2` for a second copy.
    pub request: String,
    /// The step of the file it comes from.
    pub step: String,
    /// What is done.
    pub action: Action,
    /// When, in milliseconds after the start, or after `after` was answered, or after `when` came true.
    #[serde(default)]
    pub at_ms: Millis,
    /// The request whose answer is awaited first.
    #[serde(default)]
    pub after: Option<String>,
    /// What else must have come true first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Wait>,
    /// What of it is taken from replies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub takes: Vec<Taken>,
    /// It is one of a row, and left out if this has come true by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// What of it is drawn in each run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawn: Option<Box<Drawn>>,
}

impl Step {
    /// The request without which this one never comes.
    #[must_use]
    pub fn waits_for(&self) -> Option<&String> {
        self.after.as_ref().or_else(|| self.when.as_ref().and_then(Wait::request))
    }
}

/// What of a request is drawn in each run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drawn {
    /// What it may do in the place of the step's action; none: it does that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mix: Vec<Mixed>,
    /// Variables, each with the values that it may have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Values>,
    /// If it is one of a number that is drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<Calls>,
    /// The request of which it is an equal: what is drawn for that one is drawn for both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_of: Option<String>,
}

/// A call of a mix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mixed {
    /// How likely it is, beside the weights of the others.
    pub weight: u32,
    /// What is done.
    pub action: Action,
}

/// The values of a variable, each as likely as the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// A whole number, both ends included.
    Range {
        /// The least.
        from: u64,
        /// The greatest.
        to: u64,
    },
    /// One of these texts.
    OneOf(Vec<String>),
}

/// Which of a drawn number of requests it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// The first of these requests, by its name.
    pub of: String,
    /// Which it is, from 1.
    pub number: u64,
    /// How many there are at least.
    pub from: u64,
    /// How many there are at most.
    pub to: u64,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Action {
    /// Calls a handler through the ingress and waits for the answer.
    Call {
        /// Whom.
        target: Target,
        /// The body: JSON text, or empty for a handler without input.
        body: String,
        /// The idempotency key.
        #[serde(default)]
        idempotency_key: Option<String>,
        /// The system that sends it of its own accord: with headers of the system's own, and again until it is
        /// answered with success. None: a client.
        #[serde(default)]
        from: Option<String>,
        /// What goes wrong with the system's first try: faults of the system's own, by their names, and of
        /// deliveries.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        faults: Vec<String>,
        /// Headers that the handler sees.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, String>,
    },
    /// Calls a handler through the ingress and waits until the request is accepted.
    Send {
        /// Whom.
        target: Target,
        /// The body: JSON text, or empty for a handler without input.
        body: String,
        /// The idempotency key.
        #[serde(default)]
        idempotency_key: Option<String>,
        /// Headers that the handler sees.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, String>,
        /// How much later it is to start.
        #[serde(default)]
        delay_ms: u64,
    },
    /// Sends an HTTP request to the ingress as it stands, right or wrong, and waits for the answer.
    Http {
        /// `GET`, `POST`, `PUT`, `PATCH`, `DELETE` or `OPTIONS`.
        method: String,
        /// The path, with its query.
        path: String,
        /// All headers that it has.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, String>,
        /// The body.
        #[serde(default)]
        body: String,
    },
    /// Waits, through the ingress, for the answer to another request.
    Attach {
        /// That request's name.
        request: String,
    },
    /// Asks, through the ingress, for the answer to another request, if there is one.
    Output {
        /// That request's name.
        request: String,
    },
    /// Resolves an awakeable of another request's invocation through the ingress.
    Resolve {
        /// That request's name.
        request: String,
        /// Which of its awakeables, from 1.
        awakeable: u32,
        /// The value: JSON text.
        body: String,
    },
    /// Rejects an awakeable of another request's invocation through the ingress.
    Reject {
        /// That request's name.
        request: String,
        /// Which of its awakeables, from 1.
        awakeable: u32,
        /// The reason that the handler receives.
        reason: String,
    },
    /// Pauses the invocation of another request through the admin API.
    Pause {
        /// That request's name.
        request: String,
    },
    /// Resumes the invocation of another request through the admin API.
    Resume {
        /// That request's name.
        request: String,
    },
    /// Purges the completed invocation of another request through the admin API.
    Purge {
        /// That request's name.
        request: String,
    },
    /// Cancels the invocation of another request through the admin API.
    Cancel {
        /// That request's name.
        request: String,
    },
    /// Kills the invocation of another request through the admin API.
    Kill {
        /// That request's name.
        request: String,
    },
    /// Ends the process with the handlers, all deployments that are registered by then, and keeps it down:
    /// connections are refused.
    EndpointDown {
        /// For how long.
        for_ms: Millis,
    },
    /// Registers a new deployment of the services: what begins from then on runs there.
    Deploy {
        /// What it is.
        revision: Revision,
    },
}

impl Default for Action {
    /// The same services once more.
    fn default() -> Self {
        Self::Deploy { revision: Revision::Services(BTreeMap::new()) }
    }
}

impl Action {
    /// The request that something is done to.
    #[must_use]
    pub const fn request(&self) -> Option<&String> {
        match self {
            Self::Attach { request }
            | Self::Output { request }
            | Self::Resolve { request, .. }
            | Self::Reject { request, .. }
            | Self::Pause { request }
            | Self::Resume { request }
            | Self::Purge { request }
            | Self::Cancel { request }
            | Self::Kill { request } => Some(request),
            Self::Call { .. }
            | Self::Send { .. }
            | Self::Http { .. }
            | Self::EndpointDown { .. }
            | Self::Deploy { .. } => None,
        }
    }

    /// What is done, without keys: `Bookings/book`, `cancel`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let word = match self {
            Self::Call { target, .. } | Self::Send { target, .. } => {
                return format!("{}/{}", target.service, target.handler);
            }
            Self::Http { method, .. } => return format!("HTTP {method}"),
            Self::Attach { .. } => "attach",
            Self::Output { .. } => "output",
            Self::Resolve { .. } => "resolve",
            Self::Reject { .. } => "reject",
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::Purge { .. } => "purge",
            Self::Cancel { .. } => "cancel",
            Self::Kill { .. } => "kill",
            Self::EndpointDown { .. } => "endpoint down",
            Self::Deploy { .. } => "deploy",
        };
        word.to_owned()
    }
}

/// What a new deployment of the services is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revision {
    /// The services, with these variants where they differ from the plan's.
    Services(BTreeMap<String, String>),
    /// One that has a name of its own: see [`Subject::revision`](crate::subject::Subject::revision).
    Named(String),
}

impl fmt::Display for Revision {
    /// `the same services`, `Rooms slow, Guests reference`, or its own name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Services(variants) if variants.is_empty() => f.write_str("the same services"),
            Self::Services(variants) => {
                for (index, (service, variant)) in variants.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{service} {variant}")?;
                }
                Ok(())
            }
        }
    }
}
