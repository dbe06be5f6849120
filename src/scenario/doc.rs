//! A step as it is written in a file.
//!
//! Must not know: how it is read.

use super::{
    catalog::HandlerEntry,
    plan::{Millis, Revision},
    repeats::{Draw, Repeat},
    syntax::{Node, Text},
    waits::After,
};

/// A step as it is written.
#[derive(Debug)]
pub(crate) struct StepDoc<'n> {
    pub(crate) id: Text,
    /// None if it is unknown.
    pub(crate) does: Option<Does<'n>>,
    pub(crate) repeats: Vec<Repeat>,
    pub(crate) at_ms: Millis,
    pub(crate) copies: u64,
    /// Variables that are drawn for each request.
    pub(crate) draws: Vec<Draw>,
    /// If it is a row of requests: how many.
    pub(crate) calls: Option<(u64, u64)>,
    /// How long after the answer to one of a row the next comes.
    pub(crate) every_ms: Option<Millis>,
    /// What ends a row.
    pub(crate) until: Option<UntilDoc<'n>>,
    pub(crate) after: Option<After<'n>>,
    /// Placeholders in what it sends that are no variables.
    pub(crate) uses: Vec<Text>,
    /// The error code that every reply must have.
    pub(crate) fails: Option<u32>,
    /// False if something about it was reported.
    pub(crate) sound: bool,
}

/// What ends a row of requests.
#[derive(Debug)]
pub(crate) enum UntilDoc<'n> {
    /// An answer that has this.
    Reply(&'n Node),
    /// Something else that comes true.
    Came(After<'n>),
}

/// What a step does.
#[derive(Debug)]
pub(crate) enum Does<'n> {
    /// One of these calls, each with its weight, for each request.
    Mix(Vec<(u32, Does<'n>)>),
    Call {
        service: String,
        key: String,
        handler: String,
        body: Option<&'n Node>,
        entry: HandlerEntry,
        idempotency_key: Option<String>,
        headers: Vec<(String, String)>,
        how: How,
    },
    /// A request to the ingress, as it stands.
    Http {
        method: String,
        path: String,
        headers: Vec<(String, String)>,
        body: Option<&'n Node>,
        /// Instead of a body.
        text: Option<String>,
    },
    /// Something to what another step started.
    To(Verb, Text),
    Complete {
        of: Text,
        awakeable: u32,
        with: Completion<'n>,
    },
    EndpointDown(Millis),
    Deploy(Revision),
}

/// How a handler is called.
#[derive(Clone, Debug)]
pub(crate) enum How {
    /// The system that sends it, if it is not a client.
    Call {
        from: Option<String>,
        /// What goes wrong with what it sends.
        faults: Vec<String>,
    },
    Send {
        delay_ms: u64,
    },
}

/// What can be done to what another step started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Attach,
    Output,
    Cancel,
    Kill,
    Pause,
    Resume,
    Purge,
}

/// What an awakeable is completed with.
#[derive(Debug)]
pub(crate) enum Completion<'n> {
    Value(Option<&'n Node>),
    Failure(String),
}

impl Verb {
    pub(crate) const ALL: &'static [(&'static str, Self)] = &[
        ("attach", Self::Attach),
        ("output", Self::Output),
        ("cancel", Self::Cancel),
        ("kill", Self::Kill),
        ("pause", Self::Pause),
        ("resume", Self::Resume),
        ("purge", Self::Purge),
    ];

    /// As written in the file.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, verb)| *verb == self).map_or("", |(name, _)| name)
    }

    /// True if a client asks, and is answered.
    pub(crate) const fn is_answered(self) -> bool {
        matches!(self, Self::Attach | Self::Output)
    }
}

/// What a step can do, and the fields that only go with it.
pub(crate) const DEEDS: &[(&str, &[&str])] = &[
    (
        "call",
        &[
            "body",
            "idempotency_key",
            "headers",
            "from",
            "faults",
            "fails",
            "draw",
            "calls",
            "every_ms",
            "until",
        ],
    ),
    (
        "send",
        &["body", "idempotency_key", "headers", "delay_ms", "draw", "calls", "every_ms", "until"],
    ),
    ("mix", &["draw", "calls", "every_ms", "until"]),
    ("http", &["body", "text", "headers", "fails"]),
    ("attach", &[]),
    ("output", &[]),
    ("resolve", &["body", "awakeable"]),
    ("reject", &["awakeable", "reason"]),
    ("cancel", &[]),
    ("kill", &[]),
    ("pause", &[]),
    ("resume", &[]),
    ("purge", &[]),
    ("endpoint_down", &[]),
    ("deploy", &[]),
];

impl Does<'_> {
    /// True if there is an answer to wait for.
    pub(crate) const fn is_answered(&self) -> bool {
        match self {
            Self::Call { .. } | Self::Http { .. } | Self::Mix(_) => true,
            Self::To(verb, _) => verb.is_answered(),
            Self::Complete { .. } | Self::EndpointDown(_) | Self::Deploy(_) => false,
        }
    }
}

impl Does<'_> {
    /// True if there is a reply that says what the handler did.
    pub(crate) fn has_reply(&self) -> bool {
        match self {
            Self::Call { how, .. } => matches!(how, How::Call { .. }),
            Self::Mix(calls) => calls.iter().all(|(_, does)| does.has_reply()),
            other => other.is_answered(),
        }
    }
}

impl StepDoc<'_> {
    /// How many requests it stands for; saturates.
    pub(crate) fn requests(&self) -> u64 {
        self.repeats.iter().map(Repeat::times).fold(self.numbered(), u64::saturating_mul)
    }

    /// The names of its variables.
    pub(crate) fn variables(&self) -> Vec<&str> {
        let repeated = self.repeats.iter().map(|repeat| repeat.name.as_str());
        repeated.chain(self.draws.iter().map(|draw| draw.name.as_str())).collect()
    }

    /// How long after the answer to one of its requests the next comes; none if they do not wait for each other.
    pub(crate) fn row_ms(&self) -> Option<Millis> {
        let at_once = self.until.as_ref().map(|_| Millis::default());
        self.calls.and(self.every_ms.or(at_once))
    }

    /// How many requests with numbers of their own each repetition has at most: `pay`, `pay.2`.
    pub(crate) fn numbered(&self) -> u64 {
        self.calls.map_or(self.copies, |(_, most)| most)
    }
}
