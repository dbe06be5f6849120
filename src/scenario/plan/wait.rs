//! What a step can wait for, beside the answer to another request.
//!
//! Must not know: how a scenario file is written, how a run is watched.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What must have come true before a step's time begins to count. It counts from the first time that it is true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Wait {
    /// Systems did something. What was repeated does not count, as in expectations.
    Effects {
        /// The system and the kind: `hotel.booked`.
        kind: String,
        /// Fields that those have that are meant; others may be there too.
        #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
        fields: Option<Value>,
        /// How many there must be.
        count: u64,
    },
    /// An object has a state.
    State {
        /// The service.
        service: String,
        /// The object's key.
        key: String,
        /// The state's name.
        name: String,
        /// What it must have; none: anything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        matches: Option<Value>,
    },
    /// The invocation of another request has come so far.
    Status {
        /// That request's name.
        request: String,
        /// Where it must be.
        is: Status,
    },
}

/// What ends a row of requests, each of which comes after the one before: those that come later are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Until {
    /// The first request of the row, by its name.
    pub of: String,
    /// What must have come true.
    pub what: Goal,
}

/// What must have come true for a row of requests to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// One of the requests got a successful answer that has this.
    Reply(Value),
    /// Something else.
    Came(Wait),
}

impl fmt::Display for Goal {
    /// `an answer with {"status":"done"}`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(matches) => write!(f, "an answer with {matches}"),
            Self::Came(wait) => wait.fmt(f),
        }
    }
}

/// Where an invocation is in its life, in the words of Restate's `sys_invocation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// A delayed send whose time has not come.
    Scheduled,
    /// Waits for its object's lock.
    Pending,
    /// An attempt runs.
    Running,
    /// Waits for a completion, without an attempt.
    Suspended,
    /// Waits to retry.
    BackingOff,
    /// Waits for a person.
    Paused,
    /// Over.
    Completed,
}

impl Status {
    /// Every status, by its name.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("scheduled", Self::Scheduled),
        ("pending", Self::Pending),
        ("running", Self::Running),
        ("suspended", Self::Suspended),
        ("backing-off", Self::BackingOff),
        ("paused", Self::Paused),
        ("completed", Self::Completed),
    ];

    /// Its name, as Restate has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, status)| *status == self).map_or("", |(name, _)| name)
    }
}

impl Wait {
    /// The request whose invocation is watched.
    #[must_use]
    pub const fn request(&self) -> Option<&String> {
        match self {
            Self::Status { request, .. } => Some(request),
            Self::Effects { .. } | Self::State { .. } => None,
        }
    }
}

impl fmt::Display for Wait {
    /// `2 effects hotel.booked with {"room":"12"}`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Effects { kind, fields, count } => {
                match count {
                    1 => write!(f, "the effect {kind}")?,
                    n => write!(f, "{n} effects {kind}")?,
                }
                fields.as_ref().map_or(Ok(()), |fields| write!(f, " with {fields}"))
            }
            Self::State { service, key, name, matches } => {
                write!(f, "the state {service}/{key}/{name}")?;
                matches.as_ref().map_or(Ok(()), |matches| write!(f, " with {matches}"))
            }
            Self::Status { request, is } => write!(f, "{request} to be {}", is.name()),
        }
    }
}
