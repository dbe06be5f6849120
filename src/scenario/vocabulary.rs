//! Every name of the scenario language, with a line for people: the one place that readers, hints
//! and (later) the JSON schema take them from.
//!
//! Must not know: how values are read; the names that a [`Catalog`](super::Catalog) adds.

/// An object of the file with a fixed set of fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form<'a> {
    /// What it is: `a step`.
    pub(crate) what: &'a str,
    /// Its fields.
    pub(crate) fields: &'a [Field<'a>],
    /// True if it may have other fields too.
    pub(crate) open: bool,
}

/// A field of a [`Form`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    /// As written in the file.
    pub(crate) name: &'a str,
    /// True if it must be there.
    pub(crate) needed: bool,
    /// One line for people.
    pub(crate) summary: &'a str,
}

const fn needed<'a>(name: &'a str, summary: &'a str) -> Field<'a> {
    Field { name, needed: true, summary }
}

/// A field that may be left out.
pub(crate) const fn field<'a>(name: &'a str, summary: &'a str) -> Field<'a> {
    Field { name, needed: false, summary }
}

const fn form(what: &'static str, fields: &'static [Field<'static>]) -> Form<'static> {
    Form { what, fields, open: false }
}

impl<'a> Form<'a> {
    /// The names of its fields, as they are best written.
    pub(crate) fn names(self) -> impl Iterator<Item = &'a str> + Clone {
        self.fields.iter().map(|field| field.written())
    }

    /// Its field of this name; that of a time has two names.
    pub(crate) fn field(self, name: &str) -> Option<&'a Field<'a>> {
        let exactly = self.fields.iter().find(|field| field.name == name);
        exactly.or_else(|| self.fields.iter().find(|field| field.written() == name))
    }
}

impl<'a> Field<'a> {
    /// Its name as it is best written: `at` for `at_ms`. The unit stands in the value, as in `"2s"`; a number without
    /// one is in milliseconds.
    pub(crate) fn written(self) -> &'a str {
        self.name.strip_suffix("_ms").unwrap_or(self.name)
    }
}

/// Names that people write for something else, or that an earlier version had: the form, the name, and what to
/// write instead.
pub(crate) static INSTEAD: &[(&Form<'static>, &str, &str)] = &[
    (&STEP, "webhook", "write `\"from\": \"SYSTEM\"`: the system that sends it"),
    (&STEP, "repeat", "write `copies` for equal requests at once, `for` for a variable"),
];

pub(crate) static SCENARIO: Form<'static> = form(
    "the scenario",
    &[
        field("$schema", "the schema, for editors"),
        needed("title", "one line: what happens"),
        field("why", "why it matters"),
        field("services", "service to variant: `reference`, or the name of a planted bug"),
        field("world", "the systems of the outside world"),
        field("state", "what objects hold at the start: { \"Service/key\": { name: value } }"),
        field("clients", "how patient clients are"),
        field("restate", "how Restate is configured"),
        needed("steps", "what clients and operators do"),
        field("order", "in which order what is ready happens: \"any\", or \"fifo\""),
        field("faults", "what goes wrong"),
        field(
            "decisions",
            "what is decided in every run, by place: { \"crash @ ...\": 1 }; nothing else goes wrong then",
        ),
        field("invariants", "what must hold: \"all\", a list of names, or { \"except\": [...] }"),
        field("must_violate", "the invariant that must catch the planted bug"),
        field("expect", "what replies, effects and states must be"),
        field("runs", "how many seeds to run"),
        field("bounds", "when to stop waiting"),
    ],
);

/// The fields that `world` has for every system, beside its own.
pub(crate) static SYSTEM: Form<'static> = form(
    "a system",
    &[
        field("latency_ms", "from a request to its answer"),
        field("timeout_ms", "how long a caller waits for an answer that was lost"),
        field("outages", "when it is down: [[\"1s\", \"3s\"], ...]"),
    ],
);

pub(crate) static CLIENTS: Form<'static> = form(
    "the clients",
    &[
        field("patience_ms", "how long they wait for an answer before they try again"),
        field("tries", "how often they try"),
    ],
);

pub(crate) static RESTATE: Form<'static> = form(
    "Restate's configuration",
    &[
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
        field(
            "always_replay",
            "true if every await suspends, and every resume replays the journal",
        ),
        field("protocol_version", "of the service protocol: 5, 6 or 7"),
    ],
);

pub(crate) static STEP: Form<'static> = form(
    "a step",
    &[
        needed("id", "the step's name"),
        field(
            "call",
            "calls `Service/key/handler`, or `Service/handler` for a service without keys",
        ),
        field("send", "the same, but waits only until the request is accepted"),
        field(
            "http",
            "sends this to the ingress as it stands: `PUT /Service/key/handler`, right or wrong",
        ),
        field("attach", "waits for the answer to the step with this id"),
        field("output", "asks for the answer to the step with this id, if there is one"),
        field("resolve", "resolves an awakeable of the step with this id, with `body`"),
        field("reject", "rejects an awakeable of the step with this id, with `reason`"),
        field("cancel", "cancels the invocation of the step with this id"),
        field("kill", "kills the invocation of the step with this id"),
        field("pause", "pauses the invocation of the step with this id"),
        field("resume", "resumes the paused invocation of the step with this id"),
        field("purge", "purges the completed invocation of the step with this id"),
        field("endpoint_down", "ends the handlers' process, and refuses connections for so long"),
        field(
            "deploy",
            "registers a new deployment: { service: variant }, or the name of a revision",
        ),
        field("body", "the handler's input; JSON"),
        field("text", "the body of an `http` step as it stands, without a content type"),
        field("idempotency_key", "the idempotency key"),
        field("headers", "headers that the handler sees: { name: value }"),
        field("delay_ms", "how much later a `send` starts"),
        field("awakeable", "which awakeable of the invocation, from 1"),
        field("reason", "what a rejected awakeable tells the handler"),
        field("from", "the system that sends it of its own accord, until it is accepted"),
        field(
            "faults",
            "what goes wrong with this delivery of `from`: the system's own faults, `delivery_delayed`, `delivery_duplicated`",
        ),
        field("for", "repeats the step: { \"i\": [1, 20] }, both ends included"),
        field(
            "at_ms",
            "when, after the start or after `after`: \"2s\", or [\"1s\", \"3s\"] for any time between",
        ),
        field("copies", "how many equal requests at once"),
        field(
            "after",
            "waits for the answer to the step with this id, or for an effect, a state or a status: { \"effect\": \"SYSTEM.KIND\" }",
        ),
    ],
);

pub(crate) static AWAITED: Form<'static> = form(
    "what a step waits for",
    &[
        field("effect", "a kind of effect: `SYSTEM.KIND`; what was repeated is not counted"),
        field("where", "fields that the effects have; all of the kind if it is left out"),
        field("count", "how many of them; 1 if it is left out"),
        field("state", "a state that is set: `Service/key/name`"),
        field("matches", "what the state has; anything if it is left out"),
        field("status", "the id of a step: where its invocation is"),
        field(
            "is",
            "`scheduled`, `pending` (for its lock), `running`, `suspended`, `backing-off`, `paused` or `completed`",
        ),
    ],
);

pub(crate) static FAULT: Form<'static> = form(
    "a fault",
    &[
        needed("rate", "how likely, 0 to 1"),
        field("on", "only there: systems, services, or handlers as `Service/handler`"),
        field("up_to_ms", "how long it lasts, or how late something comes, at most"),
    ],
);

/// The fields of `faults` beside the faults' own names.
pub(crate) static FAULTS: Form<'static> = form(
    "the faults",
    &[
        field("crash_at", "places at which an attempt is crashed in every run"),
        field("cancel_at", "places at which an invocation is cancelled in every run"),
        field("kill_at", "places at which an invocation is killed in every run"),
        field("until_ms", "no fault is injected later"),
        field("default", "true for the usual mix of faults; the others add to it"),
    ],
);

/// One of the windows that `outage` can be a list of.
pub(crate) static WINDOW: Form<'static> = form(
    "an outage",
    &[
        field("system", "the system that is down: it refuses every call"),
        field("endpoint", "true if it is the handlers' process that is down"),
        needed("from", "when it begins, after the start"),
        needed("to", "when it is over"),
    ],
);

pub(crate) static INVARIANTS: Form<'static> =
    form("the invariants", &[needed("except", "all but these")]);

pub(crate) static EXPECTATION: Form<'static> = form(
    "an expectation",
    &[
        needed("reply", "the step whose replies are meant"),
        field("matches", "what a successful answer must have"),
        field("fails", "the error code that the answer must have"),
        field("same_as", "fields that must be equal to another step's"),
        field("sometimes", "true if one reply in all runs is enough"),
    ],
);

pub(crate) static EXPECTED_EFFECTS: Form<'static> = form(
    "an expectation of effects",
    &[
        needed("effects", "a kind of effect: `SYSTEM.KIND`; what was repeated is not counted"),
        field("where", "fields that they have; all effects of the kind if it is left out"),
        field("count", "how many there are in a run: 1, or [1, 3]"),
        field("sum", "the field that is added up"),
        field("is", "what the sum is: 500, or [400, 500]"),
        field("for", "repeats the expectation: { \"i\": [1, 20] }, both ends included"),
        field("sometimes", "true if one run is enough"),
    ],
);

pub(crate) static EXPECTED_STATE: Form<'static> = form(
    "an expectation of a state",
    &[
        needed("state", "the state at the end: `Service/key/name`"),
        field("matches", "what it has; a state that is not set has nothing"),
        field("is_set", "whether there is anything"),
        field("for", "repeats the expectation: { \"i\": [1, 20] }, both ends included"),
        field("sometimes", "true if one run is enough"),
    ],
);

pub(crate) static EXPECTED_EXPRESSION: Form<'static> = form(
    "an expectation of an expression",
    &[
        field(
            "always",
            "CEL that must be true throughout: \"state('Service', 'key').name <= 5\"; beside `state` there are `effects('system.kind')`, `replies('step')` and `now`, in ms",
        ),
        field("eventually", "CEL that must be true at some time in each run"),
        field("sometimes", "CEL that must be true at some time in some run"),
        field("for", "repeats the expectation: { \"i\": [1, 20] }, both ends included"),
    ],
);

pub(crate) static SAME_AS: Form<'static> = form(
    "`same_as`",
    &[
        needed("reply", "the other step"),
        needed("fields", "the names of the fields that must be equal"),
    ],
);

pub(crate) static BOUNDS: Form<'static> = form(
    "the bounds",
    &[
        field("events", "history records"),
        field("virtual_days", "virtual time"),
        field("attempts", "attempts of one invocation"),
        field("attempts_at_once", "attempts of all invocations"),
    ],
);

/// Every form: where a misplaced field may belong.
pub(crate) static FORMS: &[&Form<'static>] = &[
    &SCENARIO,
    &SYSTEM,
    &CLIENTS,
    &RESTATE,
    &STEP,
    &FAULTS,
    &EXPECTATION,
    &EXPECTED_EFFECTS,
    &EXPECTED_STATE,
    &SAME_AS,
    &BOUNDS,
    &INVARIANTS,
    &FAULT,
    &AWAITED,
    &EXPECTED_EXPRESSION,
    &WINDOW,
];
