//! The parts of the page: their order, and what is said before their tables.
//!
//! Must not know: how a table is made.

use super::super::{
    form::Form,
    vocabulary::{
        AWAITED, BOUNDS, CLIENTS, EXPECTATION, EXPECTED_EFFECTS, EXPECTED_EXPRESSION,
        EXPECTED_STATE, FAULT, FAULTS, INVARIANTS, MIXED, RESTATE, SAME_AS, SCENARIO, STEP, SYSTEM,
        UNTIL, WINDOW,
    },
};

/// A part of the page.
pub(super) struct Part {
    /// The name by which examples belong to it.
    pub(super) name: &'static str,
    /// Its heading.
    pub(super) title: &'static str,
    /// What is said first.
    pub(super) intro: &'static str,
    pub(super) shows: &'static [Shows],
}

/// What a part shows, one after the other.
pub(super) enum Shows {
    /// The fields of a form.
    Fields(&'static Form<'static>),
    /// Some of them.
    Chosen(&'static Form<'static>, &'static [&'static str]),
    /// A heading below the part's, and what is said then.
    Heading(&'static str, &'static str),
    /// What a step can do.
    Deeds,
    /// The fields that go with what a step does.
    DeedFields,
    /// The systems, and the short forms of states.
    Systems,
    /// The faults by their names.
    Faults,
    /// The kinds of entries that a place can name.
    Entries,
    Invariants,
    Services,
}

use Shows::{
    Chosen, DeedFields, Deeds, Entries, Faults, Fields, Heading, Invariants, Services, Systems,
};

/// The title of the part in which the fields of a form stand.
pub(super) fn title_of(form: &Form<'_>) -> Option<&'static str> {
    let shows = |part: &&Part| {
        part.shows.iter().any(|shown| match shown {
            Fields(other) | Chosen(other, _) => other.what == form.what,
            _ => false,
        })
    };
    PARTS.iter().find(shows).map(|part| part.title)
}

/// The parts, in their order.
pub(super) static PARTS: &[Part] = &[
    Part {
        name: "file",
        title: "A file",
        intro: "`title` and `steps` are all that a file needs: what clients do, in a hundred runs that try the orders in which it can happen. \
                All invariants of the services are checked. `faults` say what goes wrong, `expect` what must be so in this scenario.",
        shows: &[Fields(&SCENARIO)],
    },
    Part {
        name: "times",
        title: "Times",
        intro: "A time is a text with its unit: `\"500ms\"`, `\"2s\"`, `\"1h30m\"`, `\"10 days\"`; or a number of milliseconds. Months and years have no \
                fixed length: say them in days. Where a range may stand, `[\"1s\", \"3s\"]` is any time between, drawn in each run. Time is virtual: \
                ten days pass in a moment. Names that end in `_ms`, as in older files, mean the same.",
        shows: &[],
    },
    Part {
        name: "steps",
        title: "Steps",
        intro: "A step has an `id`, does one thing, and says when. Steps that say nothing about it come at once.",
        shows: &[
            Chosen(&STEP, &["id"]),
            Heading("What a step does", "One of these:"),
            Deeds,
            Heading("What goes with it", "These fields only go with some of them:"),
            DeedFields,
            Heading(
                "When, and how often",
                "`for` repeats a step, each time with another value of its variables; the requests are called `pay[1]`, `pay[2]`. `copies` are equal \
                 requests at once, as impatient clients send them: `pay`, `pay.2`. What follows a repeated step names one of them, or has the same `for`.",
            ),
            Chosen(&STEP, &["for", "copies", "at_ms", "after"]),
        ],
    },
    Part {
        name: "waiting",
        title: "Waiting for something",
        intro: "`\"after\": \"pay\"` waits for the answer to another step. An object waits until something has come true for the first time: so many effects \
                of a kind, a state, or where an invocation is. The step's `at` counts from then. A step whose wait never ends, in no run, makes the \
                scenario ineffective.",
        shows: &[Fields(&AWAITED)],
    },
    Part {
        name: "bodies",
        title: "Bodies and templates",
        intro: "Bodies are checked against the handlers' [input types](#services) before anything runs. One that is meant to be wrong says so: \
                `\"fails\": 400` on the step (or 422, or 500). In texts of what is sent, of keys and of what is waited for or expected, braces stand for values:\n\n\
                | written | is |\n|---|---|\n\
                | `\"cust-{i}\"` | a text with the value of a variable of `for` |\n\
                | `\"{i:number}\"` | the value as a number; the string is nothing else |\n\
                | `\"{pay.chargeId}\"` | a field of the answer to the step `pay`, of the type that it has there; this step must come after it |\n\
                | `\"no. {pay.items.0.id}\"` | the same within a text; `0` is the first element of a list |\n\
                | `\"{pay}\"` | the whole answer |\n\
                | `\"{pay[2].chargeId}\"` | of the answer to the repetition of `pay` with 2 |\n\
                | `\"{pay.amount:text}\"` | as a text, whatever it is |\n\
                | `\"{date}\"`, `\"{date+3mo}\"`, `\"{date-32d}\"` | the day on which the run begins, and days from there: `d`, `w`, `mo`, `y` |\n\
                | `\"{time+1h30m}\"` | a moment |\n\
                | `\"Dear {{name}}\"` | braces, doubled as they stand |\n\n\
                A step is left out if the answer that it takes something from is an error; one that never came makes the scenario ineffective. A successful \
                answer without the field is a violation.",
        shows: &[],
    },
    Part {
        name: "workloads",
        title: "Generated workloads",
        intro: "What is asked can be drawn anew in each run. `draw` has variables whose values are drawn for each request: a number from a range, or one of \
                several texts; in what is sent they stand in braces like those of `for`: `{who}`, `{n:number}`. `mix` draws one of several calls for each \
                request. `calls` says how many requests a step is, or from how many to how many; they are called `shop`, `shop.2`, `shop.3`. They come at \
                once, each at its own `at`; with `every` one comes after the answer to the one before; `until` ends such a row. Small steps stay small: each \
                of these goes with a plain `call` too. What a run drew stands in its reproducer as requests like any other, and is made smaller like those.",
        shows: &[
            Chosen(&STEP, &["mix", "draw", "calls", "every_ms", "until"]),
            Heading("A call of a mix", "A `call` or a `send`, with what goes with it:"),
            Fields(&MIXED),
            Heading(
                "The end of a row",
                "One of `reply`, `effect` and `state`. A row that never ends before its last call, in no run, makes the scenario ineffective.",
            ),
            Fields(&UNTIL),
        ],
    },
    Part {
        name: "systems",
        title: "Systems",
        intro: "`world` says how the systems behave that the services call, when nothing goes wrong. What is not there is as usual. Each system has what all \
                have, and fields of its own. What a system did is an effect, `system.kind`: steps can wait for effects, and `expect` counts them.",
        shows: &[Heading("What all systems have", ""), Fields(&SYSTEM), Systems],
    },
    Part {
        name: "state",
        title: "State at the start",
        intro: "`state` is what objects hold before anything happens: `{ \"Service/key\": { \"name\": value } }`, the names being those that handlers use. Some \
                have a short form in `world`, which is checked.",
        shows: &[],
    },
    Part {
        name: "faults",
        title: "Faults",
        intro: "`\"faults\": \"default\"` is a mix of all that a correct service must bear. Or each fault by its name, with a probability at each place where it \
                can strike: `0.05`, or an object. Whether it strikes is drawn anew in each run. A fault that never struck makes the scenario ineffective.",
        shows: &[
            Faults,
            Heading("A fault", "In the place of a probability:"),
            Fields(&FAULT),
            Heading("In every run", "These strike in each run, or say until when faults do:"),
            Fields(&FAULTS),
        ],
    },
    Part {
        name: "outages",
        title: "Outages in windows",
        intro: "`outage` can also be a list: when which system is down, or the handlers' process. A window in which no call was refused makes the scenario \
                ineffective.",
        shows: &[Fields(&WINDOW)],
    },
    Part {
        name: "places",
        title: "Places",
        intro: "`crash_at`, `cancel_at` and `kill_at` are lists of places in handlers: `Service/key/handler before KIND NAME`, or `after`. `*` stands for any \
                key. The first invocation that gets there is struck, in every run.",
        shows: &[Entries],
    },
    Part {
        name: "expectations",
        title: "Expectations",
        intro: "`expect` is a list. Each says something about replies, about effects, about a state at the end, or is an expression. It must be so in every run; \
                with `\"sometimes\": true` one run is enough. `matches` and `where` name the fields that must be there, others may be too. What is not as \
                expected is told field by field.",
        shows: &[
            Heading("Replies", "All replies to a step, to its repetitions and copies too:"),
            Fields(&EXPECTATION),
            Heading("The same as another reply", ""),
            Fields(&SAME_AS),
            Heading(
                "Effects",
                "What systems did, at the end. An effect that a system repeats for a known idempotency key counts once. `count`, or `sum` and `is`:",
            ),
            Fields(&EXPECTED_EFFECTS),
            Heading("States", "What an object holds at the end: `matches`, or `is_set`."),
            Fields(&EXPECTED_STATE),
        ],
    },
    Part {
        name: "expressions",
        title: "Expressions",
        intro: "`always`, `eventually` and `sometimes` hold [CEL](https://cel.dev), the expression language of Kubernetes. They are looked at whenever something \
                that they name has changed; what a handler changes at once is one change. While one looks at a state or a field that is not there, it is neither \
                true nor false; one that never was either makes the scenario ineffective.\n\n\
                | in an expression | is |\n|---|---|\n\
                | `state('Service', 'key').name` | a state of an object; `has(state('Service', 'key').name)`: whether it is set |\n\
                | `effects('system.kind')` | a list of what happened so far, each with its fields |\n\
                | `replies('step')` | a list of `{ request, code, body, message }` so far; `code` is 200, or the error's |\n\
                | `now` | the time since the start, in milliseconds |\n\n\
                CEL has `size(list)`, `list.all(x, ...)`, `list.exists(x, ...)`, `list.filter(x, ...)`, `list.map(x, ...)`, `&&`, `||`, `!`, `==`, `<`, `+`, `? :`.",
        shows: &[Fields(&EXPECTED_EXPRESSION)],
    },
    Part {
        name: "invariants",
        title: "Invariants",
        intro: "What must hold in every scenario: all of these are checked, unless `invariants` is a list of names, or leaves some out. A scenario with \
                `must_violate` runs a planted bug, which `services` names; it passes if that invariant is violated.",
        shows: &[Fields(&INVARIANTS), Invariants],
    },
    Part {
        name: "settings",
        title: "Settings",
        intro: "How patient clients are, how Restate is configured, and when a run is given up. What is left out is as with the real server.",
        shows: &[
            Heading("Clients", ""),
            Fields(&CLIENTS),
            Heading("Restate", ""),
            Fields(&RESTATE),
            Heading(
                "Bounds",
                "A run that reaches one of these is inconclusive, and the bound is named.",
            ),
            Fields(&BOUNDS),
        ],
    },
    Part {
        name: "services",
        title: "Services",
        intro: "What can be called, and with what. A service with a key is an object or a workflow: each key has a state of its own. `services` runs a variant: \
                `{ \"Service\": \"VARIANT\" }`, or `reference`.",
        shows: &[Services],
    },
];
