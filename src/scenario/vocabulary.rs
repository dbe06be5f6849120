//! Every name of the scenario language, with what it holds and a line for people: the one place that readers, hints
//! and the JSON schema take them from.
//!
//! Must not know: how values are read; the names that a [`Catalog`](super::Catalog) adds.

pub(crate) use super::form::{Field, Form, Holds, Names, field, written};
use super::form::{MILLIS, SOME_MILLIS, Whole, form, needed};
use Holds::{
    Either, Ends, Faults, Flag, Json, List, Map, Name, Object, Range, Rate, Text, Time, Times,
    Variants, Word, World,
};

/// A number of equal requests.
pub(crate) const COPIES: Whole = Whole { what: "a number of copies", min: 1, max: 100_000 };
/// How many requests of a step there are.
pub(crate) const CALLS: Whole = Whole { what: "a number of calls", min: 1, max: 100_000 };
/// The value of a variable.
pub(crate) const VALUE: Whole = Whole { what: "a whole number", min: 0, max: 1_000_000_000_000 };
/// Which awakeable of an invocation.
pub(crate) const AWAKEABLE: Whole =
    Whole { what: "the number of an awakeable", min: 1, max: 1_000_000 };
/// A code that a handler or the ingress refuses a request with.
pub(crate) const CODE: Whole = Whole { what: "an error code", min: 400, max: 599 };
/// How many, or how much.
pub(crate) const AMOUNT: Whole =
    Whole { what: "a whole number", min: 0, max: 1_000_000_000_000_000 };
/// The option that is taken at a place.
pub(crate) const OPTION: Whole =
    Whole { what: "the number of an option", min: 1, max: u32::MAX as u64 };
/// How many effects a step waits for.
pub(crate) const AWAITED_EFFECTS: Whole =
    Whole { what: "a number of effects", min: 1, max: 1_000_000 };
/// A number that is drawn.
pub(crate) const DRAWN_NUMBER: Whole = Whole { what: "a whole number", min: 0, max: 1_000_000_000 };
const WEIGHT: Whole = Whole { what: "a weight", min: 1, max: 1_000 };
/// Where an invocation can be.
const STATUSES: &[&str] =
    &["scheduled", "pending", "running", "suspended", "backing-off", "paused", "completed"];
const RUNS: Whole = Whole { what: "a number of runs", min: 1, max: 1_000_000 };
const TRIES: Whole = Whole { what: "a number of tries", min: 1, max: 1_000_000 };
const ATTEMPTS: Whole = Whole { what: "a number of attempts", min: 1, max: 1_000_000 };
const VERSION: Whole = Whole { what: "a version of the service protocol", min: 5, max: 7 };
const EVENTS: Whole = Whole { what: "a number of events", min: 1, max: 100_000_000 };
const DAYS: Whole = Whole { what: "a number of days", min: 1, max: 36_500 };

/// `{ "i": [1, 20] }`.
const VARIABLES: Holds<'static> = Map(Names::Any, &Ends(VALUE));
const PLACES: Holds<'static> = List(&Name(Names::Place));
const INVARIANT_NAMES: Holds<'static> = List(&Name(Names::Invariant));

pub(crate) static SCENARIO: Form<'static> = form(
    "the scenario",
    &[
        field("$schema", Text, "the schema, for editors").example(r#""./scenario.schema.json""#),
        needed("title", Text, "one line: what happens")
            .example(r#""two clients book the last room""#),
        field("why", Text, "why it matters"),
        field(
            "services",
            Variants,
            "service to variant: `reference`, or the name of a planted bug",
        ),
        field("world", World, "the systems of the outside world"),
        field(
            "state",
            Map(Names::Object, &Map(Names::Any, &Json)),
            "what objects hold at the start: { \"Service/key\": { name: value } }",
        ),
        field("clients", Object(&CLIENTS), "how patient clients are"),
        field("restate", Object(&RESTATE), "how Restate is configured"),
        needed("steps", List(&Object(&STEP)), "what clients and operators do")
            .example(r#"[{ "id": "book", "call": "Service/key/handler" }]"#),
        field(
            "order",
            Word(&["any", "fifo"]),
            "in which order what is ready happens: \"any\", or \"fifo\"",
        )
        .usual(r#""any""#),
        field("faults", Either(&[Word(&["default"]), Faults]), "what goes wrong")
            .example(r#"{ "crash": 0.05, "answer_lost": 0.05 }"#),
        field(
            "decisions",
            Map(Names::Any, &Holds::Whole(OPTION)),
            "what is decided in every run, by place: { \"crash @ ...\": 1 }; nothing else goes wrong then",
        ),
        field(
            "invariants",
            Either(&[Word(&["all"]), INVARIANT_NAMES, Object(&INVARIANTS)]),
            "what must hold: \"all\", a list of names, or { \"except\": [...] }",
        )
        .usual(r#""all""#),
        field(
            "must_violate",
            Name(Names::Invariant),
            "the invariant that must catch the planted bug",
        ),
        field(
            "expect",
            List(&Either(&[
                Object(&EXPECTATION),
                Object(&EXPECTED_EFFECTS),
                Object(&EXPECTED_STATE),
                Object(&EXPECTED_EXPRESSION),
            ])),
            "what replies, effects and states must be",
        )
        .example(r#"[{ "reply": "book", "matches": { "status": "booked" } }]"#),
        field("runs", Holds::Whole(RUNS), "how many seeds to run").example("100").usual("100"),
        field("bounds", Object(&BOUNDS), "when to stop waiting"),
    ],
);

/// The fields that `world` has for every system, beside its own.
pub(crate) static SYSTEM: Form<'static> = form(
    "a system",
    &[
        field("latency_ms", Times(MILLIS), "from a request to its answer")
            .example(r#"["20ms", "200ms"]"#)
            .usual("0"),
        field("timeout_ms", Time(MILLIS), "how long a caller waits for an answer that was lost")
            .usual(r#""10s""#),
        field("outages", List(&Ends(MILLIS)), "when it is down: [[\"1s\", \"3s\"], ...]")
            .example(r#"[["1s", "3s"]]"#),
    ],
);

pub(crate) static CLIENTS: Form<'static> = form(
    "the clients",
    &[
        field(
            "patience_ms",
            Time(SOME_MILLIS),
            "how long they wait for an answer before they try again",
        )
        .usual(r#""5s""#),
        field("tries", Holds::Whole(TRIES), "how often they try").usual("32"),
    ],
);

pub(crate) static RESTATE: Form<'static> = form(
    "Restate's configuration",
    &[
        field(
            "retry_initial_ms",
            Time(SOME_MILLIS),
            "delay before the first retry; doubles with each",
        )
        .usual(r#""500ms""#),
        field("retry_max_ms", Time(SOME_MILLIS), "the longest delay before a retry")
            .usual(r#""1m""#),
        field(
            "retry_max_attempts",
            Holds::Whole(ATTEMPTS),
            "attempts after which an invocation is not tried again",
        )
        .usual("70"),
        field(
            "on_max_attempts",
            Word(&["pause", "kill"]),
            "what happens then: \"pause\" or \"kill\"",
        )
        .usual(r#""pause""#),
        field(
            "idempotency_retention_ms",
            Time(MILLIS),
            "how long an answer is kept for its idempotency key",
        )
        .usual(r#""1 day""#),
        field("workflow_retention_ms", Time(MILLIS), "how long a completed workflow is kept")
            .usual(r#""1 day""#),
        field(
            "journal_retention_ms",
            Time(MILLIS),
            "how long a completed invocation is known by its id",
        )
        .usual(r#""1 day""#),
        field("lazy_state", Flag, "true if handlers fetch state when they ask for it")
            .usual("false"),
        field(
            "inactivity_timeout_ms",
            Time(MILLIS),
            "silence after which an attempt is asked to suspend; 0: at every await",
        )
        .usual(r#""1m""#),
        field("abort_timeout_ms", Time(MILLIS), "how long after that it is cut off")
            .usual(r#""10m""#),
        field(
            "always_replay",
            Flag,
            "true if every await suspends, and every resume replays the journal",
        )
        .usual("false"),
        field("protocol_version", Holds::Whole(VERSION), "of the service protocol: 5, 6 or 7")
            .usual("6"),
    ],
);

pub(crate) static STEP: Form<'static> = form(
    "a step",
    &[
        needed("id", Text, "the step's name").example(r#""book""#),
        field(
            "call",
            Name(Names::Handler),
            "calls `Service/key/handler`, or `Service/handler` for a service without keys",
        ),
        field(
            "send",
            Name(Names::Handler),
            "the same, but waits only until the request is accepted",
        ),
        field(
            "http",
            Text,
            "sends this to the ingress as it stands: `PUT /Service/key/handler`, right or wrong",
        )
        .example(r#""POST /Service/key/handler""#),
        field("mix", List(&Object(&MIXED)), "one of these calls, drawn for each request")
            .example(r#"[{ "weight": 3, "call": "Service/key/handler" }, { "call": "Service/key/other" }]"#),
        field("attach", Name(Names::Step), "waits for the answer to the step with this id"),
        field(
            "output",
            Name(Names::Step),
            "asks for the answer to the step with this id, if there is one",
        ),
        field(
            "resolve",
            Name(Names::Step),
            "resolves an awakeable of the step with this id, with `body`",
        ),
        field(
            "reject",
            Name(Names::Step),
            "rejects an awakeable of the step with this id, with `reason`",
        ),
        field("cancel", Name(Names::Step), "cancels the invocation of the step with this id"),
        field("kill", Name(Names::Step), "kills the invocation of the step with this id"),
        field("pause", Name(Names::Step), "pauses the invocation of the step with this id"),
        field(
            "resume",
            Name(Names::Step),
            "resumes the paused invocation of the step with this id",
        ),
        field(
            "purge",
            Name(Names::Step),
            "purges the completed invocation of the step with this id",
        ),
        field(
            "endpoint_down",
            Times(MILLIS),
            "ends the handlers' process, and refuses connections for so long",
        ),
        field(
            "deploy",
            Either(&[Name(Names::Revision), Variants]),
            "registers a new deployment: { service: variant }, or the name of a revision",
        ),
        field("body", Json, "the handler's input; JSON"),
        field(
            "fails",
            Holds::Whole(CODE),
            "the error code that every reply must have; a body may be wrong then",
        )
        .example("400"),
        field("text", Text, "the body of an `http` step as it stands, without a content type"),
        field("idempotency_key", Text, "the idempotency key"),
        field("headers", Map(Names::Any, &Text), "headers that the handler sees: { name: value }"),
        field("delay_ms", Time(MILLIS), "how much later a `send` starts").usual("0"),
        field("awakeable", Holds::Whole(AWAKEABLE), "which awakeable of the invocation, from 1").usual("1"),
        field("reason", Text, "what a rejected awakeable tells the handler"),
        field(
            "from",
            Name(Names::System),
            "the system that sends it of its own accord, until it is accepted",
        ),
        field(
            "faults",
            List(&Text),
            "what goes wrong with this delivery of `from`: the system's own faults, `delivery_delayed`, `delivery_duplicated`",
        ),
        field("for", VARIABLES, "repeats the step: { \"i\": [1, 20] }, both ends included")
            .example(r#"{ "i": [1, 20] }"#),
        field(
            "at_ms",
            Times(MILLIS),
            "when, after the start or after `after`: \"2s\", or [\"1s\", \"3s\"] for any time between",
        )
        .example(r#""2s""#).usual("0"),
        field("copies", Holds::Whole(COPIES), "how many equal requests at once").example("2").usual("1"),
        field(
            "draw",
            Map(Names::Any, &Either(&[Ends(DRAWN_NUMBER), List(&Text)])),
            "variables that are drawn for each request, in each run: a number from a range, or one of several texts",
        )
        .example(r#"{ "n": [1, 5], "who": ["ann", "bob"] }"#),
        field(
            "calls",
            Range(CALLS),
            "how many requests; [5, 20]: as many as each run draws",
        )
        .example("[5, 20]"),
        field(
            "every_ms",
            Times(MILLIS),
            "one request after the other: how long after the answer to one the next comes",
        )
        .example(r#""1s""#),
        field(
            "until",
            Object(&UNTIL),
            "goes on, one request after the other, until this has come true; `calls` is how often at most",
        )
        .example(r#"{ "reply": { "status": "completed" } }"#),
        field(
            "after",
            Either(&[Name(Names::Step), Object(&AWAITED)]),
            "waits for the answer to the step with this id, or for an effect, a state or a status: { \"effect\": \"SYSTEM.KIND\" }",
        ),
    ],
);

pub(crate) static AWAITED: Form<'static> = form(
    "what a step waits for",
    &[
        field(
            "effect",
            Name(Names::Effect),
            "a kind of effect: `SYSTEM.KIND`; what was repeated is not counted",
        ),
        field("where", Json, "fields that the effects have; all of the kind if it is left out"),
        field("count", Holds::Whole(AWAITED_EFFECTS), "how many of them").usual("1"),
        field("state", Name(Names::State), "a state that is set: `Service/key/name`"),
        field("matches", Json, "what the state has; anything if it is left out"),
        field("status", Name(Names::Step), "the id of a step: where its invocation is"),
        field(
            "is",
            Word(STATUSES),
            "`scheduled`, `pending` (for its lock), `running`, `suspended`, `backing-off`, `paused` or `completed`",
        ),
    ],
);

pub(crate) static MIXED: Form<'static> = form(
    "a call of a mix",
    &[
        field("weight", Holds::Whole(WEIGHT), "how likely it is, beside the others")
            .example("3")
            .usual("1"),
        field(
            "call",
            Name(Names::Handler),
            "calls `Service/key/handler`, or `Service/handler` for a service without keys",
        ),
        field(
            "send",
            Name(Names::Handler),
            "the same, but waits only until the request is accepted",
        ),
        field("body", Json, "the handler's input; JSON"),
        field("idempotency_key", Text, "the idempotency key"),
        field("headers", Map(Names::Any, &Text), "headers that the handler sees: { name: value }"),
        field("delay_ms", Time(MILLIS), "how much later a `send` starts").usual("0"),
        field(
            "from",
            Name(Names::System),
            "the system that sends it of its own accord, until it is accepted",
        ),
        field(
            "faults",
            List(&Text),
            "what goes wrong with this delivery of `from`: the system's own faults, `delivery_delayed`, `delivery_duplicated`",
        ),
    ],
);

pub(crate) static UNTIL: Form<'static> = form(
    "what ends a row",
    &[
        field("reply", Json, "what one of its successful answers has")
            .example(r#"{ "status": "completed" }"#),
        field(
            "effect",
            Name(Names::Effect),
            "a kind of effect: `SYSTEM.KIND`; what was repeated is not counted",
        ),
        field("where", Json, "fields that the effects have; all of the kind if it is left out"),
        field("count", Holds::Whole(AWAITED_EFFECTS), "how many of them").usual("1"),
        field("state", Name(Names::State), "a state that is set: `Service/key/name`"),
        field("matches", Json, "what the state has; anything if it is left out"),
    ],
);

pub(crate) static FAULT: Form<'static> = form(
    "a fault",
    &[
        needed("rate", Rate, "how likely, 0 to 1").example("0.05"),
        field(
            "on",
            List(&Name(Names::Scope)),
            "only there: systems, services, or handlers as `Service/handler`",
        ),
        field(
            "up_to_ms",
            Time(SOME_MILLIS),
            "how long it lasts, or how late something comes, at most",
        ),
    ],
);

/// The fields of `faults` beside the faults' own names.
pub(crate) static FAULTS: Form<'static> = form(
    "the faults",
    &[
        field("crash_at", PLACES, "places at which an attempt is crashed in every run")
            .example(r#"["Service/*/handler after run NAME"]"#),
        field("cancel_at", PLACES, "places at which an invocation is cancelled in every run"),
        field("kill_at", PLACES, "places at which an invocation is killed in every run"),
        field("until_ms", Time(MILLIS), "no fault is injected later"),
        field("default", Flag, "true for the usual mix of faults; the others add to it")
            .usual("false"),
    ],
);

/// One of the windows that `outage` can be a list of.
pub(crate) static WINDOW: Form<'static> = form(
    "an outage",
    &[
        field("system", Name(Names::System), "the system that is down: it refuses every call"),
        field("endpoint", Flag, "true if it is the handlers' process that is down"),
        needed("from", Time(MILLIS), "when it begins, after the start").example(r#""1s""#),
        needed("to", Time(MILLIS), "when it is over").example(r#""3s""#),
    ],
);

pub(crate) static INVARIANTS: Form<'static> =
    form("the invariants", &[needed("except", INVARIANT_NAMES, "all but these")]);

pub(crate) static EXPECTATION: Form<'static> = form(
    "an expectation",
    &[
        needed("reply", Name(Names::Step), "the step whose replies are meant"),
        field("matches", Json, "what a successful answer must have"),
        field("fails", Holds::Whole(CODE), "the error code that the answer must have")
            .example("404"),
        field("same_as", Object(&SAME_AS), "fields that must be equal to another step's"),
        field("sometimes", Flag, "true if one reply in all runs is enough").usual("false"),
    ],
);

pub(crate) static EXPECTED_EFFECTS: Form<'static> = form(
    "an expectation of effects",
    &[
        needed(
            "effects",
            Name(Names::Effect),
            "a kind of effect: `SYSTEM.KIND`; what was repeated is not counted",
        ),
        field(
            "where",
            Map(Names::Any, &Json),
            "fields that they have; all effects of the kind if it is left out",
        ),
        field("count", Range(AMOUNT), "how many there are in a run: 1, or [1, 3]").example("1"),
        field("sum", Text, "the field that is added up"),
        field("is", Range(AMOUNT), "what the sum is: 500, or [400, 500]").example("500"),
        field("for", VARIABLES, "repeats the expectation: { \"i\": [1, 20] }, both ends included"),
        field("sometimes", Flag, "true if one run is enough").usual("false"),
    ],
);

pub(crate) static EXPECTED_STATE: Form<'static> = form(
    "an expectation of a state",
    &[
        needed("state", Name(Names::State), "the state at the end: `Service/key/name`"),
        field("matches", Json, "what it has; a state that is not set has nothing"),
        field("is_set", Flag, "whether there is anything"),
        field("for", VARIABLES, "repeats the expectation: { \"i\": [1, 20] }, both ends included"),
        field("sometimes", Flag, "true if one run is enough").usual("false"),
    ],
);

pub(crate) static EXPECTED_EXPRESSION: Form<'static> = form(
    "an expectation of an expression",
    &[
        field(
            "always",
            Text,
            "CEL that must be true throughout: \"state('Service', 'key').name <= 5\"; beside `state` there are `effects('system.kind')`, `replies('step')` and `now`, in ms",
        ),
        field("eventually", Text, "CEL that must be true at some time in each run"),
        field("sometimes", Text, "CEL that must be true at some time in some run"),
        field("for", VARIABLES, "repeats the expectation: { \"i\": [1, 20] }, both ends included"),
    ],
);

pub(crate) static SAME_AS: Form<'static> = form(
    "`same_as`",
    &[
        needed("reply", Name(Names::Step), "the other step"),
        needed("fields", List(&Text), "the names of the fields that must be equal"),
    ],
);

pub(crate) static BOUNDS: Form<'static> = form(
    "the bounds",
    &[
        field("events", Holds::Whole(EVENTS), "history records").usual("200000"),
        field("virtual_days", Holds::Whole(DAYS), "virtual time").usual("2000"),
        field("attempts", Holds::Whole(ATTEMPTS), "attempts of one invocation").usual("200"),
        field("attempts_at_once", Holds::Whole(ATTEMPTS), "attempts of all invocations")
            .usual("10000"),
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
    &MIXED,
    &UNTIL,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_every_status_that_is_read() {
        let read = crate::scenario::plan::Status::ALL.iter().map(|(name, _)| *name);
        assert_eq!(read.collect::<Vec<_>>(), STATUSES);
    }

    /// What stands in the schema and in hints must be JSON, or an editor shows nothing.
    #[test]
    fn examples_are_json_and_every_field_has_a_line() {
        for form in FORMS {
            for field in form.fields {
                assert!(!field.summary.is_empty(), "{} of {}", field.name, form.what);
                if let Some(example) = field.example {
                    let read = serde_json::from_str::<serde_json::Value>(example);
                    assert!(read.is_ok(), "{} of {}: {example}", field.name, form.what);
                }
            }
        }
    }
}
