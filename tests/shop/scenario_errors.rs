//! What a person sees who gets a scenario file wrong: each mistake and its diagnostic, as snapshots.

use super::common::{catalog, get, scenario, step, steps};
use onceproof::scenario::{Style, parse};

/// Each mistake must be found; the snapshot says how it is told.
fn check(group: &str, cases: &[(&str, String)]) {
    let catalog = catalog();
    let mut out = String::new();
    for (mistake, text) in cases {
        let diagnostics = parse("pay.json", text, &catalog)
            .err()
            .unwrap_or_else(|| panic!("{mistake}: not found in\n{text}"));
        assert!(diagnostics.count() > 0, "{mistake}: refused without a reason");
        out.push_str(&format!("==== {mistake}\n{diagnostics}\n\n"));
    }
    insta::assert_snapshot!(group, out);
}

fn case(mistake: &str, text: impl Into<String>) -> (&str, String) {
    (mistake, text.into())
}

#[test]
fn malformed_json_is_shown_where_it_breaks() {
    check(
        "syntax",
        &[
            case("empty file", ""),
            case("only white space", " \n\n"),
            case("only comments", "// nothing yet\n/* nor here */\n"),
            case("a list", "[]"),
            case("a reproducer", "{ \"plan\": {}, \"tape\": {}, \"digest\": \"0\" }"),
            case("a string", "\"title\""),
            case(
                "unclosed object",
                "{\n  \"title\": \"a\",\n  \"steps\": [\n    { \"id\": \"a\" ]\n}\n",
            ),
            case("unclosed list", "{\n  \"title\": \"a\",\n  \"steps\": [ { \"id\": \"a\" }\n"),
            case("cut off", "{\n  \"title\": \"a\""),
            case("unclosed string", "{\n  \"title\": \"a,\n  \"why\": \"b\"\n}"),
            case("unclosed comment", "{} /* and so on"),
            case("two scenarios", "{ \"title\": \"a\" }\n{ \"title\": \"b\" }"),
            case("missing comma", "{\n  \"title\": \"a\"\n  \"why\": \"b\"\n}"),
            case("missing colon", "{\n  \"title\" \"a\"\n}"),
            case("missing value", "{ \"title\": }"),
            case("string without its end", "{ \"title\": \"a\\\" } // \" not here"),
            case("quotes in comments", "{ /* \" \n */ \"titel\": \"a // \" // \"\n}"),
            case("list closed by a brace", "{ \"steps\": [1, 2 }"),
            case("single quotes", "{ 'title': 'a' }"),
            case("bare name", "{ title: \"a\" }"),
            case("bare word", "{ \"title\": payment }"),
            case("python's true", "{ \"title\": True }"),
            case("hexadecimal", scenario("\"runs\": 0x10")),
            case("leading zero", scenario("\"runs\": 010")),
            case("a number beyond all", get(r#""body": 1e999"#)),
            case("bad escape", "{ \"title\": \"\\q\" }"),
            case("deep nesting", format!("{}{}", "[".repeat(150), "]".repeat(150))),
            case("deeper nesting", "[".repeat(100_000)),
            case("duplicate key", scenario("\"title\": \"another\"")),
            case(
                "duplicate key in a body",
                step(
                    "\"call\": \"PaymentService/p/RefundPayment\",\n      \"body\": { \"amount\": 1, \"amount\": 2 }",
                ),
            ),
        ],
    );
}

#[test]
fn wrong_values_are_told_in_units() {
    check(
        "values",
        &[
            case("missing title and steps", "{}"),
            case("empty title", r#"{ "title": " ", "steps": [] }"#),
            case("text for milliseconds", get(r#""at_ms": "soon""#)),
            case("quoted milliseconds", get(r#""at_ms": "500""#)),
            case("a unit that is none", get(r#""at_ms": "5 parsecs""#)),
            case("a time by both of its names", get(r#""at_ms": 5, "at": "5ms""#)),
            case("negative", get(r#""at_ms": -5"#)),
            case("fraction", get(r#""at_ms": 0.5"#)),
            case("exponent", get(r#""at_ms": 1e3"#)),
            case("beyond a century", get(r#""at_ms": 99999999999999999999"#)),
            case("reversed range", get(r#""at_ms": [500, 100]"#)),
            case("range of three", get(r#""at_ms": [1, 2, 3]"#)),
            case("both ends wrong", get(r#""at_ms": [-1, "x"]"#)),
            case("percent", scenario(r#""faults": { "crash": 5 }"#)),
            case("more than always", scenario(r#""faults": { "crash": { "rate": 1.5 } }"#)),
            case("less than never", scenario(r#""faults": { "crash": -0.1 }"#)),
            case("too fine", scenario(r#""faults": { "crash": 0.00000001 }"#)),
            case("probability as text", scenario(r#""faults": { "crash": "5%" }"#)),
            case("rate forgotten", scenario(r#""faults": { "crash": {} }"#)),
            case("no runs", scenario(r#""runs": 0"#)),
            case("too many runs", scenario(r#""runs": 10000000"#)),
            case("world as a list", scenario(r#""world": []"#)),
            case("cents as text", scenario(r#""world": { "accounts": { "abc": "10.00" } }"#)),
            case(
                "boolean as text",
                scenario(r#""world": { "gateway": { "idempotency_keys": "false" } }"#),
            ),
            case(
                "boolean as a number",
                scenario(r#""world": { "mailer": { "idempotency_keys": 0 } }"#),
            ),
            case(
                "delays reversed",
                scenario(r#""restate": { "retry_initial_ms": 500, "retry_max_ms": 100 }"#),
            ),
            case(
                "always replay and a silence",
                scenario(r#""restate": { "always_replay": true, "inactivity_timeout_ms": 60000 }"#),
            ),
            case("no attempts", scenario(r#""restate": { "retry_max_attempts": 0 }"#)),
            case("no events", scenario(r#""bounds": { "events": 0 }"#)),
            case("steps as an object", r#"{ "title": "a", "steps": { "id": "a" } }"#),
            case("null", scenario(r#""services": null"#)),
        ],
    );
}

#[test]
fn unknown_names_come_with_the_nearest_existing_one() {
    check(
        "names",
        &[
            case("unknown key", scenario(r#""invariant": "all""#)),
            case("unknown key, unlike any", scenario(r#""banana": 1"#)),
            case("key of another place", scenario(r#""copies": 2"#)),
            case("seconds", get(r#""at_s": 5"#)),
            case(
                "latency with a unit in its name",
                scenario(r#""world": { "gateway": { "latency_s": 20 } }"#),
            ),
            case("minutes", scenario(r#""restate": { "idempotency_retention_minutes": 5 }"#)),
            case("key in camel case", get(r#""atMs": 5"#)),
            case("unknown service", step(r#""call": "PaymentServce/p/GetPayment""#)),
            case("unknown service, unlike any", step(r#""call": "Banana/p/GetPayment""#)),
            case("unknown handler", step(r#""call": "PaymentService/p/getPaymnt""#)),
            case("handler, unlike any", step(r#""call": "PaymentService/p/eat""#)),
            case("service in `services`", scenario(r#""services": { "Payments": "reference" }"#)),
            case(
                "unknown variant",
                scenario(r#""services": { "PaymentService": "charge-without-keys" }"#),
            ),
            case("variant, unlike any", scenario(r#""services": { "PaymentService": "banana" }"#)),
            case("unknown fault", scenario(r#""faults": { "crsh": 0.1 }"#)),
            case("fault, unlike any", scenario(r#""faults": { "earthquake": 0.1 }"#)),
            case("fault time in seconds", scenario(r#""faults": { "until_s": 5 }"#)),
            case("unknown invariant", scenario(r#""invariants": ["charged_once"]"#)),
            case("invariant, unlike any", scenario(r#""invariants": ["banana"]"#)),
            case("invariant without a list", scenario(r#""invariants": "charged_at_most_once""#)),
            case(
                "invariant named twice",
                scenario(r#""invariants": ["no_journal_mismatch", "no_journal_mismatch"]"#),
            ),
            case(
                "exception unknown",
                scenario(r#""invariants": { "except": ["journal_mismatch"] }"#),
            ),
            case("nothing checked", scenario(r#""invariants": []"#)),
        ],
    );
}

/// A call `pay`, and another step with these members.
fn and(members: &str) -> String {
    steps(&format!(
        "{{ \"id\": \"pay\", \"call\": \"PaymentService/p/GetPayment\" }},\n    {{ \"id\": \"then\", {members} }}"
    ))
}

#[test]
fn what_is_done_to_other_steps_is_checked() {
    check(
        "deeds",
        &[
            case("pause with a body", and(r#""pause": "pay", "body": 1"#)),
            case("purge with a delay", and(r#""purge": "pay", "delay_ms": 5"#)),
            case("attach with a key", and(r#""attach": "pay", "idempotency_key": "k""#)),
            case("output of nothing", and(r#""output": "pai""#)),
            case("misspelt resume", and(r#""resum": "pay""#)),
            case("two deeds", and(r#""attach": "pay", "output": "pay""#)),
            case("resolve by a number", and(r#""resolve": 5"#)),
            case("resolve with a reason", and(r#""resolve": "pay", "reason": "no""#)),
            case("reject with a body", and(r#""reject": "pay", "body": 5"#)),
            case("awakeable 0", and(r#""resolve": "pay", "awakeable": 0"#)),
            case("awakeable of a call", get(r#""awakeable": 1"#)),
            case("delay of a call", get(r#""delay_ms": 5"#)),
            case(
                "send as a webhook",
                step(r#""send": "PaymentService/p/GetPayment", "webhook": true"#),
            ),
            case("send to nobody", step(r#""send": "PaymentService/p/GetPaymnt""#)),
            case("headers as a list", get(r#""headers": ["a"]"#)),
            case("header with a space", get(r#""headers": { "x shop": "a" }"#)),
            case("header that is a number", get(r#""headers": { "x-shop": 5 }"#)),
            case("header that is the key", get(r#""headers": { "Idempotency-Key": "k" }"#)),
            case(
                "unknown variable in a header",
                step(r#""call": "PaymentService/p/GetPayment", "headers": { "x-shop": "{i}" }"#),
            ),
            case("unknown variable in a reason", and(r#""reject": "pay", "reason": "{i}""#)),
            case("pause of a pause", and(r#""pause": "pay" }, { "id": "last", "resume": "then""#)),
            case(
                "after a purge",
                and(r#""purge": "pay" }, { "id": "last", "attach": "pay", "after": "then""#),
            ),
            case(
                "a send has no answer to expect",
                r#"{ "title": "a", "steps": [{ "id": "pay", "send": "PaymentService/p/GetPayment" }], "expect": [{ "reply": "pay", "fails": 404 }] }"#,
            ),
            case("protocol of the future", scenario(r#""restate": { "protocol_version": 8 }"#)),
            case("lazy state as a word", scenario(r#""restate": { "lazy_state": "yes" }"#)),
        ],
    );
}

#[test]
fn steps_that_cannot_be_done_are_refused() {
    check(
        "steps",
        &[
            case("no steps", r#"{ "title": "a", "steps": [] }"#),
            case("no id", steps(r#"{ "call": "PaymentService/p/GetPayment" }"#)),
            case(
                "id with a dot",
                steps(r#"{ "id": "pay.2", "call": "PaymentService/p/GetPayment" }"#),
            ),
            case("misspelt call", step(r#""calls": "PaymentService/p/GetPayment""#)),
            case("does nothing", step(r#""at_ms": 5"#)),
            case("does two things", get(r#""kill": "pay""#)),
            case("not a handler", step(r#""call": "PaymentService""#)),
            case("no key", step(r#""call": "PaymentService/GetPayment""#)),
            case("no handler", step(r#""call": "PaymentService/p-1""#)),
            case("http without a method", step(r#""http": "/PaymentService/p/GetPayment""#)),
            case("http with an unknown method", step(r#""http": "post /a""#)),
            case("http without a slash", step(r#""http": "GET PaymentService/p/GetPayment""#)),
            case("http with a blank", step(r#""http": "GET /PaymentService/p 1/GetPayment""#)),
            case("http with two bodies", step(r#""http": "PUT /a", "body": {}, "text": "a""#)),
            case("http with a delay", step(r#""http": "PUT /a", "delay_ms": 5"#)),
            case("a text for a call", get(r#""text": "a""#)),
            case("no date", get(r#""idempotency_key": "on {date+30}""#)),
            case(
                "date as a variable",
                step(r#""call": "PaymentService/{date}/GetPayment", "for": { "date": [1, 2] }"#),
            ),
            case("empty key", step(r#""call": "PaymentService//GetPayment""#)),
            case("key for a service", step(r#""call": "Clock/c-1/tick""#)),
            case("body missing", step(r#""call": "PaymentService/p/CreatePayment""#)),
            case("body superfluous", get(r#""body": {}"#)),
            case(
                "body lacks a field",
                step(r#""call": "PaymentService/p/CreatePayment", "body": {}"#),
            ),
            case(
                "body has another field",
                step(r#""call": "PaymentService/p/CreatePayment", "body": { "amount": 5 }"#),
            ),
            case(
                "body has the wrong type",
                step(
                    r#""call": "PaymentService/p-{i}/CreatePayment", "for": { "i": [3, 5] }, "body": { "amountCents": "5.00" }"#,
                ),
            ),
            case(
                "cancel with a body",
                steps(
                    "{ \"id\": \"pay\", \"call\": \"PaymentService/p/GetPayment\" },\n    { \"id\": \"undo\", \"cancel\": \"pay\", \"body\": 1, \"idempotency_key\": \"k\" }",
                ),
            ),
            case(
                "duplicate id",
                steps(
                    "{ \"id\": \"pay\", \"call\": \"PaymentService/p/GetPayment\" },\n    { \"id\": \"pay\", \"call\": \"PaymentService/q/GetPayment\" }",
                ),
            ),
            case(
                "unknown variable",
                step(r#""call": "PaymentService/p-{j}/GetPayment", "for": { "i": [1, 2] }"#),
            ),
            case("variable without `for`", step(r#""call": "PaymentService/p-{i}/GetPayment""#)),
            case(
                "unknown variable in a body",
                step(
                    r#""call": "PaymentService/p-{i}/RefundPayment", "for": { "i": [1, 2] }, "body": { "note": ["{k}"] }"#,
                ),
            ),
            case("bad variable", get(r#""for": { "the i": [1, 2] }"#)),
            case("`for` without a range", get(r#""for": { "i": 20 }"#)),
            case("`for` reversed", get(r#""for": { "i": [20, 1] }"#)),
            case("no copies", get(r#""copies": 0"#)),
            case("too many requests", get(r#""for": { "i": [1, 1000], "j": [1, 1000] }"#)),
            case(
                "requests beyond counting",
                get(r#""for": { "i": [0, 999999999999], "j": [0, 999999999999] }"#),
            ),
        ],
    );
}

#[test]
fn steps_that_refer_to_nothing_are_refused() {
    let pay = "{ \"id\": \"pay\", \"call\": \"PaymentService/p-{i}/GetPayment\", \"for\": { \"i\": [1, 3] }, \"copies\": 2 },\n    ";
    let with = |step: &str| steps(&format!("{pay}{step}"));
    check(
        "references",
        &[
            case("after an unknown step", get(r#""after": "pray""#)),
            case("after itself", get(r#""after": "pay""#)),
            case(
                "in a ring",
                steps(
                    "{ \"id\": \"a\", \"call\": \"Clock/tick\", \"after\": \"b\" },\n    { \"id\": \"b\", \"call\": \"Clock/tick\", \"after\": \"c\" },\n    { \"id\": \"c\", \"call\": \"Clock/tick\", \"after\": \"a\" }",
                ),
            ),
            case("cancel of an unknown step", with(r#"{ "id": "undo", "cancel": "payy" }"#)),
            case("kill of a repeated step", with(r#"{ "id": "undo", "kill": "pay" }"#)),
            case(
                "repetition out of range",
                with(r#"{ "id": "undo", "cancel": "pay", "for": { "i": [3, 5] } }"#),
            ),
            case("repetition that is not there", with(r#"{ "id": "undo", "cancel": "pay[4]" }"#)),
            case("copy that is not there", with(r#"{ "id": "undo", "cancel": "pay[1].3" }"#)),
            case("malformed", with(r#"{ "id": "undo", "cancel": "pay[1,2]" }"#)),
            case("unclosed", with(r#"{ "id": "undo", "cancel": "pay[1" }"#)),
            case(
                "cancel of a cancel",
                with(
                    "{ \"id\": \"undo\", \"cancel\": \"pay[1]\" },\n    { \"id\": \"redo\", \"cancel\": \"undo\" }",
                ),
            ),
            case(
                "after a cancel",
                with(
                    "{ \"id\": \"undo\", \"cancel\": \"pay[1]\" },\n    { \"id\": \"see\", \"call\": \"Clock/tick\", \"after\": \"undo\" }",
                ),
            ),
            case(
                "expectation of an unknown step",
                scenario(r#""expect": [{ "reply": "pray", "fails": 404 }]"#),
            ),
            case(
                "expectation of one repetition",
                scenario(r#""expect": [{ "reply": "pay[1]", "fails": 404 }]"#),
            ),
            case(
                "effects of nobody",
                scenario(r#""expect": [{ "effects": "emails", "count": 1 }]"#),
            ),
            case(
                "effects of an unknown system",
                scenario(r#""expect": [{ "effects": "mailr.mailed", "count": 1 }]"#),
            ),
            case(
                "unknown effects",
                scenario(r#""expect": [{ "effects": "gateway.charge", "count": 1 }]"#),
            ),
            case(
                "a kind without its system",
                scenario(r#""expect": [{ "effects": "charged", "count": 1 }]"#),
            ),
            case(
                "effects and nothing of them",
                scenario(r#""expect": [{ "effects": "gateway.charged" }]"#),
            ),
            case(
                "a sum of what",
                scenario(r#""expect": [{ "effects": "gateway.charged", "sum": "amount" }]"#),
            ),
            case(
                "what is a number",
                scenario(r#""expect": [{ "effects": "gateway.charged", "count": 1, "is": 5 }]"#),
            ),
            case(
                "count and sum",
                scenario(
                    r#""expect": [{ "effects": "gateway.charged", "count": 1, "sum": "amount", "is": 5 }]"#,
                ),
            ),
            case(
                "where a list",
                scenario(
                    r#""expect": [{ "effects": "gateway.charged", "where": [], "count": 1 }]"#,
                ),
            ),
            case(
                "a count in words",
                scenario(r#""expect": [{ "effects": "gateway.charged", "count": "one" }]"#),
            ),
            case(
                "an unknown variable in `where`",
                scenario(
                    r#""expect": [{ "effects": "gateway.charged", "where": { "customer": "c-{i}" }, "count": 1 }]"#,
                ),
            ),
            case(
                "a state without its name",
                scenario(r#""expect": [{ "state": "PaymentService/p-1", "is_set": true }]"#),
            ),
            case(
                "a state of an unknown service",
                scenario(r#""expect": [{ "state": "PaymentServce/p-1/payment", "is_set": true }]"#),
            ),
            case(
                "a state of a service without keys",
                scenario(r#""expect": [{ "state": "Clock/c/hour", "is_set": true }]"#),
            ),
            case(
                "a state and nothing of it",
                scenario(r#""expect": [{ "state": "PaymentService/p-1/payment", "match": {} }]"#),
            ),
            case(
                "too many expectations",
                scenario(
                    r#""expect": [{ "state": "PaymentService/p-{i}/payment", "for": { "i": [1, 100000] }, "is_set": true }]"#,
                ),
            ),
            case("expectation of nothing", scenario(r#""expect": [{ "reply": "pay" }]"#)),
            case(
                "expectation of two things",
                scenario(r#""expect": [{ "reply": "pay", "fails": 404, "matches": {} }]"#),
            ),
            case(
                "expectation of a success code",
                scenario(r#""expect": [{ "reply": "pay", "fails": 200 }]"#),
            ),
            case(
                "comparison with an unknown step",
                scenario(
                    r#""expect": [{ "reply": "pay", "same_as": { "reply": "payed", "fields": [] } }]"#,
                ),
            ),
            case("nothing planted", scenario(r#""must_violate": "charged_at_most_once""#)),
            case(
                "planted, not checked",
                scenario(
                    "\"services\": { \"PaymentService\": \"charge-without-key\" },\n  \"invariants\": [\"no_journal_mismatch\"],\n  \"must_violate\": \"charged_at_most_once\"",
                ),
            ),
            case("unknown invariant violated", scenario(r#""must_violate": "charged_twice""#)),
        ],
    );
}

#[test]
fn where_a_fault_strikes_is_checked() {
    let on = |fault: &str, on: &str| {
        scenario(&format!(r#""faults": {{ "{fault}": {{ "rate": 0.1, "on": {on} }} }}"#))
    };
    check(
        "fault_scopes",
        &[
            case("not a list", on("crash", r#""PaymentService""#)),
            case("nothing", on("crash", "[]")),
            case("unknown service", on("crash", r#"["PaymentServices"]"#)),
            case("unknown system", on("outage", r#"["carier"]"#)),
            case("unknown handler", on("crash", r#"["PaymentService/CreatePaymnt"]"#)),
            case("a system for a crash", on("crash", r#"["carrier"]"#)),
            case("a service for a machine", on("restate_restart", r#"["PaymentService"]"#)),
            case(
                "an unknown end of retries",
                scenario(r#""restate": { "on_max_attempts": "stop" }"#),
            ),
            case(
                "a place to cancel at",
                scenario(
                    r#""faults": { "cancel_at": ["PaymentService/*/CreatePaymnt after output"] }"#,
                ),
            ),
        ],
    );
}

#[test]
fn crash_points_are_checked_part_by_part() {
    let at = |point: &str| scenario(&format!(r#""faults": {{ "crash_at": ["{point}"] }}"#));
    check(
        "crash_points",
        &[
            case(
                "not a list",
                scenario(
                    r#""faults": { "crash_at": "PaymentService/*/CreatePayment after run charge" }"#,
                ),
            ),
            case("no side", at("PaymentService/*/CreatePayment run charge")),
            case("unknown service", at("PaymentServices/*/CreatePayment after run charge")),
            case("unknown handler", at("PaymentService/*/createPaymnt after run charge")),
            case("no key", at("PaymentService/CreatePayment after run charge")),
            case("key for a service", at("Clock/c/tick after output")),
            case("unknown entry", at("PaymentService/*/CreatePayment after ran charge")),
            case("nothing after the side", at("PaymentService/*/CreatePayment after")),
            case("no entry", at("PaymentService/*/CreatePayment after  ")),
            case("name of an output", at("PaymentService/*/CreatePayment before output answer")),
            case(
                "call of an unknown service",
                at("PaymentService/*/CreatePayment before call Paymentprocessors/makePayment"),
            ),
            case(
                "call of an unknown handler",
                at("PaymentService/*/CreatePayment before call PaymentProcessor/pay"),
            ),
            case(
                "call of no handler",
                at("PaymentService/*/CreatePayment before send PaymentProcessor"),
            ),
            case(
                "an escape makes the place inexact",
                at("PaymentService/\\u002a/CreatePaymet after run charge"),
            ),
        ],
    );
}

#[test]
fn all_errors_of_a_file_are_found_at_once() {
    let text = r#"{
  "titel": "a payment",                    // misspelt
  "services": { "PaymentService": "charge-without-keey" },
  "steps": [
    { "id": "pay", "call": "PaymentService/p-{i}/CreatePayment", "for": { "i": [20, 1] }, "at_s": 5 },
    { "id": "undo", "cancel": "pey", "copies": -1 },
    { "id": "überweisen", "call": "PaymentService/größe-{j}/GetPaymnt" },
  ],
  "faults": { "crash": 5, "answer_lots": 0.1, "crash_at": ["PaymentService/*/CreatePayment after"] },
  "must_violate": "charged_twice",
  "expect": [ { "reply": "pay", "fail": 404 } ],
}
"#;
    check("all_at_once", &[case("a file full of mistakes", text)]);
}

#[test]
fn a_flood_of_errors_is_cut_and_counted() {
    let many: Vec<String> = (0..80).map(|i| format!("\"x{i}\": 0")).collect();
    let text = scenario(&many.join(",\n"));
    let diagnostics = parse("pay.json", &text, &catalog()).expect_err("80 unknown keys");
    assert_eq!((diagnostics.items().len(), diagnostics.count()), (50, 80));
    assert!(diagnostics.to_string().ends_with("and 30 more errors in pay.json"));
    let first = &diagnostics.items()[0];
    assert_eq!(diagnostics.line_column(first), (4, 3));
}

#[test]
fn colours_are_there_only_if_asked_for() {
    let diagnostics = parse("pay.json", "{}", &catalog()).expect_err("nothing in it");
    let coloured = diagnostics.render(Style::Coloured);
    assert!(coloured.contains("\u{1b}["), "{coloured}");
    assert!(!diagnostics.render(Style::Plain).contains('\u{1b}'));
}
