//! What a real Restate server did, the simulated one does: the same requests, cancels and kills, to the
//! same handler, give the same answers, the same journals and the same state.
//!
//! `recordings/server-1.7.12.json` was recorded from restate-server 1.7.12 with restate-sdk 0.13, which
//! served the endpoint of `probe`. The server's journals come from
//! `select index, entry_type, name from sys_journal`; `~` stands for `Notification: `, and
//! `Command: ` is left out.

mod probe;

use std::collections::{BTreeMap, BTreeSet};

use onceproof::{
    Simulation,
    history::{Event, History, Inv, Outcome, Phase},
};
use serde::Deserialize;
use serde_json::{Value, json};

const RECORDED: [&str; 2] = [
    include_str!("recordings/server-1.7.12.json"),
    include_str!("recordings/server-1.7.12-waiting.json"),
];

/// One question, and what the server did.
#[derive(Deserialize)]
struct Case {
    case: String,
    /// As in a scenario file.
    steps: Vec<Value>,
    /// By request; null if none came.
    replies: BTreeMap<String, Option<Reply>>,
    /// By object key, then in order of creation. One that was freed before it started leaves no trace.
    invocations: Vec<Seen>,
    /// The state `x` by object key, where there is one.
    state: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Reply {
    Ok { ok: Value },
    Failed { code: u32, message: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Seen {
    key: String,
    status: String,
    failure: Option<String>,
    journal: String,
}

#[test]
fn requests_cancels_and_kills_do_what_they_did_on_a_real_server() {
    let read = |text| serde_json::from_str::<Vec<Case>>(text).expect("the recording is JSON");
    let cases: Vec<Case> = RECORDED.into_iter().flat_map(read).collect();
    let differing: Vec<String> = cases.iter().filter_map(|case| check(case).err()).collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// Says where the simulated server differs from the recorded one.
fn check(case: &Case) -> Result<(), String> {
    let scenario = json!({ "title": case.case, "steps": case.steps });
    let history = Simulation::new(|_| probe::endpoint())
        .scenario_text(&case.case, scenario.to_string())
        .replay(0)
        .unwrap_or_else(|error| panic!("{}: {error}", case.case))
        .history;
    let mut seen = replies(&history);
    let replies: BTreeMap<_, _> =
        case.replies.keys().map(|request| (request.clone(), seen.remove(request))).collect();
    let mut differences = Vec::new();
    if replies != case.replies {
        differences.push(format!("  replies {replies:?}\n  server  {:?}", case.replies));
    }
    let invocations = invocations(&history);
    if invocations != case.invocations {
        let list = |seen: &[Seen]| {
            seen.iter().map(|one| format!("\n    {one:?}")).collect::<Vec<_>>().concat()
        };
        let (ours, servers) = (list(&invocations), list(&case.invocations));
        differences.push(format!("  invocations{ours}\n  server{servers}"));
    }
    let state = state(&history);
    if state != case.state {
        differences.push(format!("  state  {state:?}\n  server {:?}", case.state));
    }
    match differences.is_empty() {
        true => Ok(()),
        false => Err(format!("{}\n{}", case.case, differences.join("\n"))),
    }
}

fn replies(history: &History) -> BTreeMap<String, Reply> {
    let mut joined = BTreeSet::new();
    let replies = history.records().iter().filter_map(|record| match &record.event {
        Event::RequestAttached { request, .. } => {
            joined.insert(request.clone());
            None
        }
        Event::RequestAccepted { request, .. } => {
            let status = if joined.contains(request) { "PreviouslyAccepted" } else { "Accepted" };
            // The server's answer has the invocation's id too.
            Some((request.to_string(), Reply::Ok { ok: json!({ "status": status }) }))
        }
        Event::ReplyReceived { request, outcome, .. } => {
            let reply = match outcome {
                Outcome::Success(body) => {
                    Reply::Ok { ok: serde_json::from_slice(&body.0).expect("answers are JSON") }
                }
                Outcome::Failure { code, message } => {
                    Reply::Failed { code: *code, message: message.clone() }
                }
            };
            Some((request.to_string(), reply))
        }
        _ => None,
    });
    replies.collect()
}

fn invocations(history: &History) -> Vec<Seen> {
    let mut all: BTreeMap<Inv, Seen> = BTreeMap::new();
    for record in history.records() {
        match &record.event {
            Event::InvocationCreated { inv, target, .. } => {
                let seen = Seen {
                    key: target.key.to_string(),
                    status: "completed".to_owned(),
                    failure: None,
                    journal: String::new(),
                };
                all.insert(*inv, seen);
            }
            Event::EntryAppended { inv, kind, name, .. } => {
                let seen = all.get_mut(inv).expect("it was created");
                if !seen.journal.is_empty() {
                    seen.journal.push(' ');
                }
                seen.journal
                    .push_str(&kind.replace("Command: ", "").replace("Notification: ", "~"));
                if *kind == "Command: Run" {
                    seen.journal.push_str(&format!(":{name}"));
                }
            }
            Event::Purged { inv } => {
                all.get_mut(inv).expect("it was created").status = "freed".to_owned();
            }
            Event::Paused { inv } | Event::PausedByOperator { inv } => {
                all.get_mut(inv).expect("it was created").status = "paused".to_owned();
            }
            Event::Resumed { inv } => {
                all.get_mut(inv).expect("it was created").status = "completed".to_owned();
            }
            Event::Completed { inv, outcome: Outcome::Failure { code, message } } => {
                let seen = all.get_mut(inv).expect("it was created");
                if seen.status != "freed" {
                    seen.status = "completed".to_owned();
                }
                seen.failure = Some(format!("[{code}] {message}"));
            }
            // What never started was freed.
            Event::CancelRequested { inv, phase: Phase::Inboxed | Phase::Scheduled }
            | Event::Killed { inv, phase: Phase::Inboxed | Phase::Scheduled } => {
                all.get_mut(inv).expect("it was created").status = "freed".to_owned();
            }
            _ => {}
        }
    }
    let mut seen: Vec<Seen> = all.into_values().filter(|one| one.status != "freed").collect();
    for one in &mut seen {
        // The answer of a call that is cancelled at once may come before the caller's end, or too late; or
        // before its next command, or after it.
        one.journal = one.journal.replace("SendSignal ~Call Output", "SendSignal Output");
        one.journal = one.journal.replace("SendSignal ~Call Sleep", "SendSignal Sleep ~Call");
    }
    seen.sort_by(|a, b| a.key.cmp(&b.key));
    seen
}

fn state(history: &History) -> BTreeMap<String, u64> {
    let mut state = BTreeMap::new();
    for record in history.records() {
        if let Event::StateChanged { key, value, .. } = &record.event {
            match value {
                Some(value) => {
                    let x = serde_json::from_slice(&value.0).expect("the state is a number");
                    state.insert(key.to_string(), x);
                }
                None => drop(state.remove(&**key)),
            }
        }
    }
    state
}
