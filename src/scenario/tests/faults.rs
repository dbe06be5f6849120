//! Faults that do not exist, or do not fit.

use super::*;

#[test]
fn faults_that_do_not_exist_or_do_not_fit_are_refused() {
    let fault = |fault: &str| file(&format!(r#""faults": {{ {fault} }}"#));
    check(&[
        (
            fault(r#""hotel.overbokd": 0.1, "hotl.forged": 0.1, "weather.rain": 0.1"#),
            &[
                ("overbokd", "the hotel has no fault `overbokd`", "did you mean `overbooked`?"),
                ("hotl", "unknown system `hotl`", "did you mean `hotel`?"),
                (
                    "rain",
                    "the weather has no fault `rain`",
                    "it has no faults of its own; with \"on\": [\"weather\"] these strike it: `crash_in_run`, \
                     `world_refused`, `world_answer_lost`, `outage`, `world_slow`, `rate_limited`",
                ),
            ],
        ),
        (
            fault(
                r#""webhook_duplicated": 0.1, "webhook_forged": 0.1, "overboked": 0.1, "crsh": 0.1"#,
            ),
            &[
                (
                    r#""webhook_duplicated""#,
                    "`webhook_duplicated` is called `delivery_duplicated` now",
                    "write `delivery_duplicated`",
                ),
                (
                    r#""webhook_forged""#,
                    "unknown fault `webhook_forged`",
                    "did you mean `hotel.forged`?",
                ),
                (r#""overboked""#, "unknown fault `overboked`", "did you mean `hotel.overbooked`?"),
                (r#""crsh""#, "unknown fault `crsh`", "did you mean `crash`?"),
            ],
        ),
        (
            fault(
                r#""crash": { "rate": 0.1, "up_to_ms": 5 }, "hotel.forged": { "rate": 0.1, "on": [], "up_to_ms": 5 }"#,
            ),
            &[
                ("\"up_to_ms\"", "`crash` takes no time", LASTING),
                ("\"on\"", "`hotel.forged` strikes the hotel only", "leave `on` out"),
                ("\"up_to_ms\"", "`hotel.forged` takes no time", LASTING),
            ],
        ),
        (
            fault(
                r#""crash": { "rate": 0.1, "on": ["hotel"] }, "outage": { "rate": 0.1, "on": ["hotl"] }"#,
            ),
            &[
                (
                    r#""hotel""#,
                    "`crash` does not strike calls to the hotel",
                    "name services, or handlers as `Service/handler`",
                ),
                ("hotl", "unknown service or system `hotl`", "did you mean `hotel`?"),
            ],
        ),
        (
            fault(r#""earthquake": 0.1"#),
            &[(
                r#""earthquake""#,
                "unknown fault `earthquake`",
                "known here: `hotel.forged`, `hotel.overbooked`, `crash`, `crash_in_run`, \
                 `process_crash`, `endpoint_down`, `message_delayed`, `zombie`, `suspend`, \
                 `request_lost`, `answer_lost`, `request_duplicated`, `request_delayed`, `cancel`, \
                 `kill`, `world_refused`, `world_answer_lost`, `outage`, `world_slow`, \
                 `rate_limited` and 11 more",
            )],
        ),
        (
            file(r#""faults": "usual""#),
            &[(
                r#""usual""#,
                r#"expected an object { fault: probability }, or "default", found a string"#,
                r#"for example { "crash": 0.05, "answer_lost": 0.05 }"#,
            )],
        ),
    ]);
}

const LASTING: &str = "leave `up_to` out; faults that have it: `endpoint_down`, `message_delayed`, \
     `request_duplicated`, `request_delayed`, `cancel`, `kill`, `outage`, `world_slow`, `handler_slow`, `clock_skew`, `time_skipped`, \
     `delivery_duplicated`, `delivery_delayed`";
