//! The smallest failing run, as data: what ran, how far it was made smaller, and why it fails.
//!
//! Must not know: how it is found, how it is worded.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    base::{Digest, Name, VirtualTime},
    choice::Tape,
    history::{History, Inv},
    oracle::Violation,
    scenario::plan::Scenario,
};

/// The smallest failing run that was found.
#[derive(Clone, Debug)]
pub struct Smallest {
    /// What ran: the plan has only the requests that matter.
    pub scenario: Scenario,
    /// The decisions.
    pub tape: Tape,
    /// The whole history, handlers' log lines included.
    pub history: History,
    /// Its fingerprint.
    pub digest: Digest,
    /// What did not hold.
    pub violation: Violation,
    /// How far it was made smaller.
    pub shrunk: Shrunk,
    /// Explanation it fails.
    pub why: Explanation,
    /// What failures with one cause have in common: oracle, events and decisions by kind and place, without keys.
    pub cause: String,
}

/// How far a failing run was made smaller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shrunk {
    /// As it was found.
    pub from: Size,
    /// As it is now.
    pub to: Size,
    /// How many candidates were run.
    pub runs: u64,
    /// True if nothing more can be taken away; false if the budget was used up first, or a candidate had no end.
    pub is_smallest: bool,
}

/// How large a failing run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Requests of clients, and deeds of operators.
    pub requests: u64,
    /// Decisions that were not "nothing special": faults, delays, what went first.
    pub decisions: u64,
    /// Faults that were injected.
    pub faults: u64,
    /// Objects and services that were called.
    pub objects: u64,
    /// Events of its history.
    pub events: u64,
}

/// Explanation a run fails.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What it takes, the likeliest cause first: without any one of these, the run does not fail.
    pub needs: Vec<Need>,
    /// Set if something was done more than once: by whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeated: Option<Repeated>,
}

/// Something without which the run does not fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// What it is.
    pub what: What,
    /// When it happened, if that is a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<VirtualTime>,
    /// True if all that must hold does hold without it; false if something else does not.
    pub passes: bool,
}

/// What a failure may need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A decision, by its place on the tape.
    Decision {
        /// What it is about.
        class: Class,
        /// `crash_in_run @ Bookings/b-1/book#1 attempt 1 at hotel book in Run(book)`.
        site: String,
        /// The option, from 1.
        option: u32,
    },
    /// Something that the plan wants in every run: `crash_at`, by the place that it struck.
    Point {
        /// `crash_at`, `cancel_at` or `kill_at`.
        list: String,
        /// Where.
        place: String,
    },
    /// What an operator, or who completes an awakeable, does.
    Deed {
        /// The request's name.
        request: String,
        /// `cancel`, `kill`, `deploy`.
        deed: Cow<'static, str>,
        /// The request that it is done to, if there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        of: Option<String>,
    },
    /// A client's or a system's request.
    Request {
        /// The request's name.
        request: String,
        /// What it asks for: `Bookings/b-1/book`.
        target: String,
    },
}

/// Something that was done more than once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeated {
    /// The system that did it.
    pub system: Name,
    /// The kind of effect.
    pub kind: Cow<'static, str>,
    /// Who asked for it, one after the other.
    pub by: Vec<Asked>,
}

/// An attempt that asked a system for an effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// When the effect happened.
    pub at: VirtualTime,
    /// `Bookings/b-1/book`.
    pub target: String,
    /// The number of the invocation in its run.
    pub invocation: Inv,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// In which `ctx.run`, if it was in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Name>,
    /// True if the journal never got the result of that `ctx.run` before the next of these effects.
    pub result_lost: bool,
}

/// What a decision is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A fault, or a choice of a system's own.
    Fault,
    /// What comes first.
    Order,
    /// How long something takes, or how late it comes.
    Time,
}
