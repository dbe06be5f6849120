//! The reference services hold under every setting of Restate that changes what a handler sees: the service
//! protocol's version, lazy state, attempts that suspend at every await.

use std::fs;

use onceproof::history::{Event, History};

const SETTINGS: [&str; 6] = [
    r#""protocol_version": 7"#,
    r#""lazy_state": true"#,
    r#""inactivity_timeout_ms": 0"#,
    r#""inactivity_timeout_ms": 60000"#,
    r#""always_replay": true"#,
    r#""protocol_version": 7, "lazy_state": true, "inactivity_timeout_ms": 0"#,
];

/// A shipped scenario with these settings of Restate.
fn with(file: &str, settings: &str) -> String {
    let text = fs::read_to_string(crate::scenario(file)).unwrap();
    let at = text.find("\"steps\"").unwrap();
    let own = text.contains("\"restate\":");
    assert!(!own, "{file} has settings of its own");
    format!("{}\"restate\": {{ {settings} }},\n  {}", &text[..at], &text[at..])
}

#[test]
fn reference_services_hold_under_every_setting() {
    for file in ["payment-crash-heavy.json", "payment-cancel.json", "account-transfers.json"] {
        for settings in SETTINGS {
            crate::simulation()
                .scenario_text(format!("{file} with {settings}"), with(file, settings))
                .runs(40)
                .check();
        }
    }
}

fn count(history: &History, what: impl Fn(&Event) -> bool) -> usize {
    history.records().iter().filter(|record| what(&record.event)).count()
}

#[test]
fn the_settings_do_what_they_say() {
    let history = |settings| {
        let text = with("processor-happy.json", settings);
        crate::simulation().scenario_text("settings", text).replay(0).unwrap().history
    };
    let (plain, newer) = (history(""), history(r#""protocol_version": 7"#));
    let (lazy, hasty) =
        (history(r#""lazy_state": true"#), history(r#""inactivity_timeout_ms": 0"#));
    let replaying = history(r#""always_replay": true"#);
    let suspended = |h: &History| count(h, |e| matches!(e, Event::Suspended { .. }));
    let fetched = |h: &History| {
        count(h, |e| matches!(e, Event::EntryAppended { kind: "Notification: GetLazyState", .. }))
    };
    assert_eq!((suspended(&plain), fetched(&plain)), (0, 0));
    assert!(suspended(&hasty) > 0, "every await suspends");
    assert!(fetched(&lazy) > 0, "state is fetched");
    let runs =
        |h: &History| count(h, |e| matches!(e, Event::EntryAppended { kind: "Command: Run", .. }));
    assert!(suspended(&replaying) >= runs(&replaying), "each run costs a suspension");
    let entries = |h: &History| count(h, |e| matches!(e, Event::EntryAppended { .. }));
    assert_eq!(entries(&plain), entries(&newer), "the journal is the same in version 7");
}
