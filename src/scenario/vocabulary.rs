//! Every name that a scenario file can use, with a line for people: the one place that readers, hints
//! and (later) the JSON schema take them from.
//!
//! Must not know: how values are read.

/// An object of the file with a fixed set of fields.
#[derive(Debug)]
pub(crate) struct Form {
    /// What it is: `a step`.
    pub(crate) what: &'static str,
    /// Its fields.
    pub(crate) fields: &'static [Field],
}

/// A field of a [`Form`].
#[derive(Debug)]
pub(crate) struct Field {
    /// As written in the file.
    pub(crate) name: &'static str,
    /// True if it must be there.
    pub(crate) needed: bool,
    /// One line for people.
    pub(crate) summary: &'static str,
}

const fn needed(name: &'static str, summary: &'static str) -> Field {
    Field { name, needed: true, summary }
}

const fn field(name: &'static str, summary: &'static str) -> Field {
    Field { name, needed: false, summary }
}

impl Form {
    /// The names of its fields.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.fields.iter().map(|field| field.name)
    }

    /// Its field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

pub(crate) static SCENARIO: Form = Form {
    what: "the scenario",
    fields: &[
        field("$schema", "the schema, for editors"),
        needed("title", "one line: what happens"),
        field("why", "why it matters"),
        field("services", "service to variant: `reference`, or the name of a planted bug"),
        field("world", "the outside world"),
        field("restate", "how Restate is configured"),
        needed("steps", "what clients and operators do"),
        field("faults", "what goes wrong"),
        field("invariants", "what must hold: \"all\", a list of names, or { \"except\": [...] }"),
        field("must_violate", "the invariant that must catch the planted bug"),
        field("expect", "what replies must look like"),
        field("runs", "how many seeds to run"),
        field("bounds", "when to stop waiting"),
    ],
};

pub(crate) static WORLD: Form = Form {
    what: "the outside world",
    fields: &[
        field("accounts", "opening balances in cents"),
        field("gateway", "the payment gateway"),
        field("mailer", "the mail server"),
        field("carrier", "the carrier that ships parcels"),
        field("catalogue", "the subscription plans"),
        field("stock", "opening stock of products"),
    ],
};

pub(crate) static GATEWAY: Form = Form {
    what: "the gateway",
    fields: &[
        field("latency_ms", "from a request to its answer"),
        field("declined", "how likely a charge is declined, 0 to 1"),
        field("idempotency_keys", "false for a gateway that ignores them"),
        field("compares_requests", "false for one that repeats a key's answer for any request"),
        field("checks_refunds", "false for one that gives back any amount"),
    ],
};

pub(crate) static MAILER: Form = Form {
    what: "the mailer",
    fields: &[
        field("latency_ms", "from a request to its answer"),
        field("idempotency_keys", "false for a mail server that ignores them"),
        field("undeliverable", "recipients without a mailbox"),
    ],
};

pub(crate) static CARRIER: Form = Form {
    what: "the carrier",
    fields: &[
        field("latency_ms", "from a request to its answer"),
        field("undeliverable", "recipients that it does not deliver to"),
    ],
};

pub(crate) static CATALOGUE: Form = Form {
    what: "the catalogue",
    fields: &[field("latency_ms", "from a request to its answer"), field("plans", "plans by id")],
};

pub(crate) static PLAN: Form = Form {
    what: "a plan",
    fields: &[
        field("name", "what customers call it"),
        needed("price", "in cents per period"),
        needed("billing_cycle", "\"monthly\" or \"yearly\""),
    ],
};

pub(crate) static RESTATE: Form = Form {
    what: "Restate's configuration",
    fields: &[
        field("retry_initial_ms", "delay before the first retry; doubles with each"),
        field("retry_max_ms", "the longest delay before a retry"),
        field("retry_max_attempts", "attempts after which an invocation is not tried again"),
        field("on_max_attempts", "what happens then: \"pause\" or \"kill\""),
        field("idempotency_retention_ms", "how long an answer is kept for its idempotency key"),
        field("workflow_retention_ms", "how long a completed workflow is kept"),
        field("journal_retention_ms", "how long a completed invocation is known by its id"),
        field("lazy_state", "true if handlers fetch state when they ask for it"),
        field(
            "inactivity_timeout_ms",
            "silence after which an attempt is asked to suspend; 0: at every await",
        ),
        field("abort_timeout_ms", "how long after that it is cut off"),
        field("protocol_version", "of the service protocol: 5, 6 or 7"),
    ],
};

pub(crate) static STEP: Form = Form {
    what: "a step",
    fields: &[
        needed("id", "the step's name"),
        field(
            "call",
            "calls `Service/key/handler`, or `Service/handler` for a service without keys",
        ),
        field("send", "the same, but waits only until the request is accepted"),
        field("attach", "waits for the answer to the step with this id"),
        field("output", "asks for the answer to the step with this id, if there is one"),
        field("resolve", "resolves an awakeable of the step with this id, with `body`"),
        field("reject", "rejects an awakeable of the step with this id, with `reason`"),
        field("cancel", "cancels the invocation of the step with this id"),
        field("kill", "kills the invocation of the step with this id"),
        field("pause", "pauses the invocation of the step with this id"),
        field("resume", "resumes the paused invocation of the step with this id"),
        field("purge", "purges the completed invocation of the step with this id"),
        field("body", "the handler's input"),
        field("idempotency_key", "the idempotency key"),
        field("headers", "headers that the handler sees: { name: value }"),
        field("delay_ms", "how much later a `send` starts"),
        field("awakeable", "which awakeable of the invocation, from 1"),
        field("reason", "what a rejected awakeable tells the handler"),
        field("webhook", "true if it is signed, and sent again until it is accepted"),
        field("for", "repeats the step: { \"i\": [1, 20] }, both ends included"),
        field("at_ms", "when, after the start or after `after`"),
        field("copies", "how many equal requests at once"),
        field("after", "waits for the answer to the step with this id"),
    ],
};

pub(crate) static FAULT: Form = Form {
    what: "a fault",
    fields: &[
        needed("rate", "how likely, 0 to 1"),
        field("on", "only there: systems, services, or handlers as `Service/handler`"),
    ],
};

/// The fields of `faults` beside the faults' own names.
pub(crate) static FAULTS: Form = Form {
    what: "the faults",
    fields: &[
        field("crash_at", "places at which an attempt is crashed in every run"),
        field("cancel_at", "places at which an invocation is cancelled in every run"),
        field("kill_at", "places at which an invocation is killed in every run"),
        field("until_ms", "no fault is injected later"),
    ],
};

pub(crate) static INVARIANTS: Form =
    Form { what: "the invariants", fields: &[needed("except", "all but these")] };

pub(crate) static EXPECTATION: Form = Form {
    what: "an expectation",
    fields: &[
        needed("reply", "the step whose replies are meant"),
        field("matches", "what a successful answer must have"),
        field("fails", "the error code that the answer must have"),
        field("same_as", "fields that must be equal to another step's"),
        field("sometimes", "true if one reply in all runs is enough"),
    ],
};

pub(crate) static SAME_AS: Form = Form {
    what: "`same_as`",
    fields: &[
        needed("reply", "the other step"),
        needed("fields", "the names of the fields that must be equal"),
    ],
};

pub(crate) static BOUNDS: Form = Form {
    what: "the bounds",
    fields: &[
        field("events", "history records"),
        field("virtual_days", "virtual time"),
        field("attempts", "attempts of one invocation"),
    ],
};

/// Every form: where a misplaced field may belong.
pub(crate) static FORMS: &[&Form] = &[
    &SCENARIO,
    &WORLD,
    &GATEWAY,
    &MAILER,
    &CARRIER,
    &CATALOGUE,
    &PLAN,
    &RESTATE,
    &STEP,
    &FAULTS,
    &EXPECTATION,
    &SAME_AS,
    &BOUNDS,
    &INVARIANTS,
    &FAULT,
];
