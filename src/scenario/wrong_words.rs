//! The usual wrong words: what people write for a field of another name, or what an earlier version had.
//!
//! Must not know: how values are read.

use super::vocabulary::{
    BOUNDS, CLIENTS, EXPECTATION, EXPECTED_EFFECTS, FAULT, Form, MIXED, SCENARIO, STEP,
};

/// A name that people write for something else, or that an earlier version had.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instead {
    /// The form that they write it in.
    pub(crate) form: &'static Form<'static>,
    /// What they write.
    pub(crate) written: &'static [&'static str],
    /// The field of the form that stands for it; may be empty.
    pub(crate) meant: &'static str,
    /// What to write instead.
    pub(crate) help: &'static str,
}

const fn instead(
    form: &'static Form<'static>,
    written: &'static [&'static str],
    meant: &'static str,
    help: &'static str,
) -> Instead {
    Instead { form, written, meant, help }
}

/// The usual wrong words.
pub(crate) static INSTEAD: &[Instead] = &[
    instead(
        &SCENARIO,
        &["name", "scenario"],
        "title",
        "write `title`: one line that says what happens",
    ),
    instead(
        &SCENARIO,
        &["description", "comment", "reason"],
        "why",
        "write `why`, or a comment: // ...",
    ),
    instead(
        &SCENARIO,
        &["tests", "actions", "requests", "calls", "test"],
        "steps",
        "write `steps`: a list of what clients and operators do",
    ),
    instead(
        &SCENARIO,
        &["assert", "asserts", "assertions", "expectations", "expects", "checks", "then"],
        "expect",
        "write `expect`: a list of what replies, effects and states must be",
    ),
    instead(
        &SCENARIO,
        &["seeds", "iterations", "repeat", "times", "count"],
        "runs",
        "write `runs`: how many seeds, each another course of events",
    ),
    instead(
        &SCENARIO,
        &["variant", "variants", "mutant", "bug"],
        "services",
        "write `\"services\": { \"SERVICE\": \"VARIANT\" }`",
    ),
    instead(
        &SCENARIO,
        &["oracles", "oracle", "rules", "properties"],
        "invariants",
        "write `invariants`; without it all are checked",
    ),
    instead(
        &SCENARIO,
        &["setup", "given", "systems", "mocks", "stubs", "initial_state"],
        "world",
        "write `world` for the systems that services call, `state` for what objects hold at the start",
    ),
    instead(
        &STEP,
        &["webhook", "sender"],
        "from",
        "write `\"from\": \"SYSTEM\"`: the system that sends it",
    ),
    instead(
        &STEP,
        &["repeat", "times", "count", "loop", "parallel", "repetitions", "foreach"],
        "copies",
        "write `copies` for equal requests at once, `for` for a variable",
    ),
    instead(
        &STEP,
        &["wait", "sleep", "start", "when", "wait_ms"],
        "at",
        "write `at`: when it happens, after the start or after `after`; `delay` is how much later a `send` starts",
    ),
    instead(
        &STEP,
        &["timeout", "timeout_ms", "patience", "patience_ms"],
        "",
        "how long clients wait stands outside of steps: `\"clients\": { \"patience\": \"1s\" }`",
    ),
    instead(
        &STEP,
        &["retries", "tries", "retry"],
        "",
        "how often clients try stands outside of steps: `\"clients\": { \"tries\": 3 }`",
    ),
    instead(
        &STEP,
        &["depends_on", "needs", "follows", "previous"],
        "after",
        "write `\"after\": \"ID\"`: the step whose answer it waits for",
    ),
    instead(
        &STEP,
        &["then", "next", "before"],
        "",
        "write `\"after\": \"ID\"` in the later step: it waits for the answer to this one",
    ),
    instead(
        &STEP,
        &["random", "any", "pick", "values", "generate"],
        "draw",
        "write `draw`: variables whose values are drawn for each request, `{ \"n\": [1, 5], \"who\": [\"ann\", \"bob\"] }`",
    ),
    instead(
        &STEP,
        &["choose", "one_of", "oneOf", "anyOf", "either", "workload"],
        "mix",
        "write `mix`: a list of calls, each with a `weight`",
    ),
    instead(
        &STEP,
        &["poll", "while", "stop", "stop_when"],
        "until",
        "write `until`, with `calls` for how often at most and `every` for the time between",
    ),
    instead(
        &STEP,
        &["interval", "think_time", "pause_between", "period"],
        "every",
        "write `every`: how long after the answer to one request the next comes",
    ),
    instead(
        &MIXED,
        &["probability", "rate", "chance", "percent", "share"],
        "weight",
        "write `weight`: a whole number, beside the weights of the others",
    ),
    instead(
        &STEP,
        &["service", "handler", "key", "object", "operation"],
        "call",
        "service, key and handler stand in `call`: `\"call\": \"Service/key/handler\"`",
    ),
    instead(
        &STEP,
        &["url", "path", "method", "endpoint", "uri", "verb"],
        "call",
        "write `\"call\": \"Service/key/handler\"`, or `\"http\": \"POST /Service/key/handler\"` for a request as it stands",
    ),
    instead(
        &STEP,
        &["invoke", "request", "rpc", "target", "do", "post"],
        "call",
        "write `\"call\": \"Service/key/handler\"`",
    ),
    instead(
        &STEP,
        &["data", "payload", "json", "input", "args", "arguments", "params", "parameters"],
        "body",
        "write `body`: the handler's input",
    ),
    instead(
        &STEP,
        &["name", "step", "title", "label"],
        "id",
        "write `id`: letters, digits, `-` and `_`",
    ),
    instead(
        &STEP,
        &["expect", "assert", "matches", "response", "reply", "returns", "result"],
        "",
        "what replies must be stands outside of steps: `\"expect\": [{ \"reply\": \"ID\", \"matches\": { ... } }]`",
    ),
    instead(
        &STEP,
        &["status", "error", "code", "status_code", "expect_error"],
        "fails",
        "write `\"fails\": 400`: the error code that every reply must have",
    ),
    instead(
        &FAULT,
        &["probability", "chance", "likelihood", "p"],
        "rate",
        "write `rate`: how likely, 0 to 1",
    ),
    instead(
        &FAULT,
        &["system", "service", "handler", "where", "target", "only"],
        "on",
        "write `on`: a list of systems, services or handlers",
    ),
    instead(
        &FAULT,
        &["for_ms", "duration_ms", "duration", "max_ms", "delay_ms", "delay"],
        "up_to",
        "write `up_to`: how long it lasts at most",
    ),
    instead(
        &EXPECTATION,
        &["response", "step", "answer", "call", "result"],
        "reply",
        "write `\"reply\": \"ID\"`: the step whose replies are meant",
    ),
    instead(
        &EXPECTATION,
        &["equals", "is", "body", "contains", "has"],
        "matches",
        "write `matches`: what the answer must have; other fields may be there too",
    ),
    instead(
        &EXPECTATION,
        &["emails", "mails", "messages", "charges", "bookings", "calls", "events", "sent", "count"],
        "reply",
        "what systems did are effects: `{ \"effects\": \"SYSTEM.KIND\", \"count\": 1 }`",
    ),
    instead(
        &EXPECTATION,
        &["status", "error", "code", "status_code"],
        "fails",
        "write `fails`: the error code that the answer must have",
    ),
    instead(
        &EXPECTED_EFFECTS,
        &["emails", "email", "mails", "charges", "calls", "events", "effect", "messages"],
        "effects",
        "write `\"effects\": \"SYSTEM.KIND\"`; `onceproof list effect` names them; `where` says which",
    ),
    instead(
        &EXPECTED_EFFECTS,
        &["times", "exactly", "number"],
        "count",
        "write `count`: 1, or [1, 3]",
    ),
    instead(
        &EXPECTED_EFFECTS,
        &["matches", "with", "filter", "if"],
        "where",
        "write `where`: the fields that they have",
    ),
    instead(&EXPECTED_EFFECTS, &["equals", "total"], "is", "write `is`: what the sum is"),
    instead(
        &CLIENTS,
        &["timeout_ms", "timeout", "wait_ms"],
        "patience",
        "write `patience`: how long they wait for an answer before they try again",
    ),
    instead(&CLIENTS, &["retries", "attempts"], "tries", "write `tries`: how often they try"),
    instead(&BOUNDS, &["days", "time", "virtual_time"], "virtual_days", "write `virtual_days`"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wrong_word_is_a_right_one_and_each_means_a_field() {
        for usual in INSTEAD {
            for written in usual.written {
                assert!(usual.form.field(written).is_none(), "{written} of {}", usual.form.what);
                let same = |other: &&Instead| {
                    other.form.what == usual.form.what && other.written.contains(written)
                };
                assert_eq!(INSTEAD.iter().filter(same).count(), 1, "{written}");
            }
            let meant = usual.meant;
            assert!(meant.is_empty() || usual.form.field(meant).is_some(), "{meant}");
        }
    }
}
