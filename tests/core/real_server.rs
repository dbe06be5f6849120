//! What a real Restate server did, the simulated one does: the same requests, cancels and kills, to the
//! same handler, give the same answers, the same journals and the same state.
//!
//! `recordings` were recorded from restate-server 1.7.12 with restate-sdk 0.13, which served the endpoint of
//! `probe`; `conformance/record.rs` says how. The server's journals come from
//! `select index, entry_type, name from sys_journal`; `~` stands for `Notification: `, and
//! `Command: ` is left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::probe::recording::{Case, Reply, Seen, number_ids, number_seeds};
use onceproof::{
    Simulation,
    history::{Event, History, Inv, Origin, Outcome, Phase},
};
use serde_json::json;

use crate::{
    probe::{self, Version},
    world::replayed_twice,
};

const RECORDED: [&str; 4] = [
    include_str!("../recordings/server-1.7.12.json"),
    include_str!("../recordings/server-1.7.12-waiting.json"),
    include_str!("../recordings/server-1.7.12-corners.json"),
    include_str!("../recordings/server-1.7.12-deployments.json"),
];

#[test]
fn requests_cancels_and_kills_do_what_they_did_on_a_real_server() {
    let read = |text| serde_json::from_str::<Vec<Case>>(text).expect("the recording is JSON");
    let cases: Vec<Case> = RECORDED.into_iter().flat_map(read).collect();
    let differing: Vec<String> = cases.iter().filter_map(|case| check(case).err()).collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// Messages that take other ways and times change no answer and no state of these cases: their steps are far apart.
#[test]
fn in_any_order_requests_get_the_answers_of_a_real_server() {
    let read = |text| serde_json::from_str::<Vec<Case>>(text).expect("the recording is JSON");
    let cases: Vec<Case> = RECORDED.into_iter().flat_map(read).collect();
    let mut differing = BTreeSet::new();
    for case in &cases {
        let simulation = simulation(case);
        for seed in 0..24 {
            let history = simulation.replay(seed).expect("the case is a scenario").history;
            let mut seen = replies(&history);
            let replies = case.replies.keys();
            let mut replies: BTreeMap<_, _> =
                replies.map(|request| (request.clone(), seen.remove(request))).collect();
            number_seeds(&mut replies);
            if replies != case.replies || state(&history) != case.state {
                differing.insert(case.case.as_str());
            }
        }
    }
    assert_eq!(differing, BTreeSet::new());
}

fn simulation(case: &Case) -> Simulation {
    let mut scenario = json!({ "title": case.case, "steps": case.steps });
    if case.request_response {
        // every await suspends, as if without any patience
        scenario["restate"] = json!({ "inactivity_timeout_ms": 0 });
    }
    let endpoint = |version| move |_: &_| onceproof::endpoint!(probe::endpoint_of(version));
    let simulation = Simulation::new(endpoint(Version::First));
    let simulation = Version::LATER
        .into_iter()
        .fold(simulation, |all, (name, version)| all.revision(name, endpoint(version)));
    simulation.scenario_text(&case.case, scenario.to_string())
}

/// Says where the simulated server differs from the recorded one.
fn check(case: &Case) -> Result<(), String> {
    let history = replayed_twice(&simulation(case), 0).history;
    let mut seen = replies(&history);
    let mut replies: BTreeMap<_, _> =
        case.replies.keys().map(|request| (request.clone(), seen.remove(request))).collect();
    number_seeds(&mut replies);
    let mut differences = Vec::new();
    let ids = ids(&history, case);
    if ids != case.ids {
        differences.push(format!("  ids    {ids:?}\n  server {:?}", case.ids));
    }
    if replies != case.replies {
        differences.push(format!("  replies {replies:?}\n  server  {:?}", case.replies));
    }
    let answers = answers(&history);
    // the first recordings have none
    if !case.answers.is_empty() && answers != case.answers {
        differences.push(format!("  answers {answers:?}\n  server  {:?}", case.answers));
    }
    let invocations = invocations(&history);
    let agree = |(ours, servers): (&Seen, &Seen)| ours.agrees_with(servers);
    let all_agree = invocations.len() == case.invocations.len()
        && invocations.iter().zip(&case.invocations).all(agree);
    if !all_agree {
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

/// Which of the requests that the recording tells ids of got one invocation id.
fn ids(history: &History, case: &Case) -> BTreeMap<String, usize> {
    let (mut invs, mut ids) = (BTreeMap::new(), BTreeMap::new());
    for record in history.records() {
        let (request, inv) = match &record.event {
            Event::InvocationCreated { inv, id, origin, .. } => {
                invs.insert(*inv, id.to_string());
                let Origin::Client(request) = origin else { continue };
                (request, inv)
            }
            Event::RequestAttached { request, inv } => (request, inv),
            _ => continue,
        };
        if case.ids.contains_key(&**request) {
            ids.insert(request.to_string(), invs[inv].clone());
        }
    }
    // an operator's or an attaching client's request has the id of the one that it names
    for step in &case.steps {
        let text = |field| step.get(field).and_then(|value| value.as_str());
        let of = text("attach").or_else(|| text("output"));
        if let (Some(name), Some(of)) = (text("id"), of)
            && case.ids.contains_key(name)
            && let Some(id) = ids.get(of).cloned()
        {
            ids.insert(name.to_owned(), id);
        }
    }
    number_ids(&ids)
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

/// What operators were told, by step.
fn answers(history: &History) -> BTreeMap<String, Reply> {
    let mut ids = BTreeMap::new();
    let mut answers = BTreeMap::new();
    for record in history.records() {
        match &record.event {
            Event::InvocationCreated { inv, id, .. } => drop(ids.insert(*inv, id.clone())),
            Event::OperatorAnswered { deed: "resolve" | "reject", .. } => {}
            Event::OperatorAnswered { request, inv, code, message, .. } => {
                let id = inv.map_or("", |inv| &ids[&inv]);
                let reply = Reply::Failed { code: *code, message: message.replace(id, "ID") };
                answers.insert(request.to_string(), reply);
            }
            _ => {}
        }
    }
    answers
}

fn invocations(history: &History) -> Vec<Seen> {
    let mut all: BTreeMap<Inv, Seen> = BTreeMap::new();
    let (mut ids, mut starts) = (BTreeMap::new(), BTreeMap::<_, Vec<u64>>::new());
    for record in history.records() {
        match &record.event {
            Event::InvocationCreated { inv, target, id, .. } => {
                // what runs again under an id takes the place of what had it before
                if let Some(before) = ids.insert(id.clone(), *inv) {
                    all.remove(&before);
                    let times = starts.remove(&before).unwrap_or_default();
                    starts.insert(*inv, times);
                }
                let seen = Seen {
                    key: target.key.to_string(),
                    status: "completed".to_owned(),
                    failure: None,
                    journal: String::new(),
                    gaps_ms: None,
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
            Event::AttemptStarted { inv, .. } => {
                starts.entry(*inv).or_default().push(record.at.as_millis());
            }
            // no code ran in it
            Event::AttemptFailed { inv, message, .. } if message.contains("Connection refused") => {
                starts.get_mut(inv).expect("it was started").pop();
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
    for (inv, one) in &mut all {
        let starts = starts.get(inv);
        let gaps = starts.map(|times| times.windows(2).map(|two| two[1] - two[0]).collect());
        one.gaps_ms = gaps;
    }
    let mut seen: Vec<Seen> = all.into_values().filter(|one| one.status != "freed").collect();
    for one in &mut seen {
        // The answer of a call that is cancelled at once may come before the caller's end, or too late.
        one.journal = one.journal.replace("SendSignal ~Call Output", "SendSignal Output");
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
