//! Records what a real server does, and checks that it still does what was recorded:
//!
//! ```text
//! cargo test --test conformance record -- --ignored
//! ```
//!
//! asks all cases of `tests/recordings/server-1.7.12-corners.json`, `-deployments.json` and `-ingress.json` again and
//! writes the answers into those files. A new case is written there with its steps alone. `ONCEPROOF_RECORDING` names one other file,
//! `ONCEPROOF_CASES` the beginnings of the names of the cases that are asked, with commas between them. `tests/real_server.rs` and the unit tests of
//! the engine compare the recordings with the simulation.

use std::{
    cmp::Reverse,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    thread,
};

use crate::{
    deployments::{self, Deployments},
    driver::{self, Driver},
    endpoint, hosting,
    probe::{
        self,
        recording::{Case, Seen},
    },
    server::RestateServer,
};

/// Each of these cases takes seconds and has the server for itself: only [`record`] asks them.
const DEPLOYMENTS: &str = "tests/recordings/server-1.7.12-deployments.json";

const FILES: [&str; 3] = [
    "tests/recordings/server-1.7.12-corners.json",
    DEPLOYMENTS,
    "tests/recordings/server-1.7.12-ingress.json",
];

/// So many cases are asked at once.
const AT_ONCE: usize = 12;

/// So often a case is asked whose answers are others than those recorded.
const ASKED_AT_MOST: usize = 3;

fn read(file: &PathBuf) -> Vec<Case> {
    let text = std::fs::read_to_string(file).expect("there is a file with cases");
    serde_json::from_str(&text).expect("cases are JSON")
}

fn files() -> Vec<PathBuf> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    match std::env::var_os("ONCEPROOF_RECORDING") {
        Some(file) => vec![file.into()],
        None => FILES.iter().map(|file| root.join(file)).collect(),
    }
}

pub(crate) fn record() {
    let wanted = std::env::var("ONCEPROOF_CASES").unwrap_or_default();
    let is_wanted = |case: &Case| wanted.split(',').any(|start| case.case.starts_with(start));
    for file in files() {
        let mut cases = read(&file);
        let asked = (0..cases.len()).filter(|n| is_wanted(&cases[*n])).collect();
        let Some(seen) = ask(&cases, asked, AT_ONCE) else { return };
        for (number, case) in seen {
            cases[number] = case;
        }
        std::fs::write(&file, written(&cases)).expect("the file can be written");
    }
}

pub(crate) fn a_real_server_still_does_what_was_recorded() {
    let files = files().into_iter().filter(|file| !file.ends_with(DEPLOYMENTS));
    let cases: Vec<Case> = files.flat_map(|file| read(&file)).collect();
    let differing = |seen: Vec<(usize, Case)>| -> Vec<(usize, Case)> {
        seen.into_iter().filter(|(number, seen)| !same(&cases[*number], seen)).collect()
    };
    let (mut differ, mut at_once) = (Vec::new(), AT_ONCE);
    let mut asked = (0..cases.len()).collect::<Vec<_>>();
    // what was late because the machine was busy is asked again, alone
    for _ in 0..ASKED_AT_MOST {
        let Some(seen) = ask(&cases, asked, at_once) else { return };
        differ = differing(seen);
        (asked, at_once) = (differ.iter().map(|(number, _)| *number).collect(), 1);
    }
    let told: Vec<String> = differ
        .iter()
        .map(|(number, seen)| format!("recorded {}\nseen     {}", one(&cases[*number]), one(seen)))
        .collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// True if two runs of a case gave the same, whatever time it took.
fn same(one: &Case, other: &Case) -> bool {
    let timeless = |case: &Case| -> Vec<Seen> {
        case.invocations.iter().map(|seen| Seen { gaps_ms: None, ..seen.clone() }).collect()
    };
    (&one.replies, &one.answers, &one.ids, &one.state)
        == (&other.replies, &other.answers, &other.ids, &other.state)
        && timeless(one) == timeless(other)
}

/// What cases need of the endpoint.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Both sides talk at once.
    Both,
    /// Each attempt is a request with a response.
    RequestResponse,
    /// Deployments of its own, and the server for itself.
    Deployments,
}

impl Kind {
    fn of(case: &Case) -> Self {
        match case.request_response {
            _ if deployments::are_in(case) => Self::Deployments,
            true => Self::RequestResponse,
            false => Self::Both,
        }
    }
}

/// Asks some of the cases; none if there is no server.
fn ask(cases: &[Case], asked: Vec<usize>, at_once: usize) -> Option<Vec<(usize, Case)>> {
    let (mut all, mut server) = (Vec::new(), None);
    for kind in [Kind::Both, Kind::RequestResponse, Kind::Deployments] {
        let of = |number: &&usize| Kind::of(&cases[**number]) == kind;
        let mut some: Vec<usize> = asked.iter().filter(of).copied().collect();
        if some.is_empty() {
            continue;
        }
        // nobody waits for the longest in the end
        some.sort_by_key(|number| Reverse(duration_ms(&cases[*number])));
        if kind == Kind::Deployments {
            server = None;
        }
        let server = match &server {
            Some(server) => server,
            // what is over is forgotten within a second of the end of its retention
            None => server
                .insert(RestateServer::start_with(&[("RESTATE_WORKER__CLEANUP_INTERVAL", "1s")])?),
        };
        all.extend(ask_alike(server, cases, some, kind, at_once));
    }
    Some(all)
}

/// When the last step of a case is due.
fn duration_ms(case: &Case) -> u64 {
    let at = case.steps.iter().filter_map(|step| step.get("at_ms")?.as_u64());
    at.max().unwrap_or(0)
}

/// Asks cases of one kind.
fn ask_alike(
    server: &RestateServer,
    cases: &[Case],
    asked: Vec<usize>,
    kind: Kind,
    at_once: usize,
) -> Vec<(usize, Case)> {
    let _ = probe::ATTEMPT_STARTED.set(driver::note_attempt);
    let hosted = hosting::host(endpoint::endpoint(), kind == Kind::RequestResponse);
    server.client().register(&hosted.uri()).expect("the server takes the services");
    let driver = Driver::new(&server.ingress, &server.admin);
    driver.warm_up();
    let own = || (kind == Kind::Deployments).then(|| Deployments::new(server.client()));
    let at_once = if kind == Kind::Deployments { 1 } else { at_once };
    let (next, seen) = (Mutex::new(asked.into_iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let number = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(number) = number else { return };
                    let case = driver.record(&cases[number], own().as_ref());
                    seen.lock().unwrap_or_else(PoisonError::into_inner).push((number, case));
                }
            });
        }
    });
    seen.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Cases with one line for each step, reply and invocation.
fn written(cases: &[Case]) -> String {
    let cases: Vec<String> = cases.iter().map(one).collect();
    format!("[\n{}\n]\n", cases.join(",\n"))
}

fn one(case: &Case) -> String {
    let json = |value: &dyn erased::Json| value.json();
    let lines = |items: Vec<String>| {
        items.iter().map(|i| format!("\n      {i}")).collect::<Vec<_>>().join(",")
    };
    let list = |items: Vec<String>| format!("[{} ]", lines(items));
    let map = |items: Vec<(String, String)>| {
        format!("{{{} }}", lines(items.iter().map(|(k, v)| format!("{}: {v}", json(k))).collect()))
    };
    let mut fields = vec![
        format!("\"case\": {}", json(&case.case)),
        format!("\"steps\": {}", list(case.steps.iter().map(|s| json(s)).collect())),
        format!(
            "\"replies\": {}",
            map(case.replies.iter().map(|(k, v)| (k.clone(), json(v))).collect())
        ),
    ];
    if !case.answers.is_empty() {
        let answers = case.answers.iter().map(|(k, v)| (k.clone(), json(v))).collect();
        fields.push(format!("\"answers\": {}", map(answers)));
    }
    if case.request_response {
        fields.insert(1, "\"request_response\": true".to_owned());
    }
    if !case.ids.is_empty() {
        fields.push(format!("\"ids\": {}", json(&case.ids)));
    }
    fields.push(format!(
        "\"invocations\": {}",
        list(case.invocations.iter().map(|i| json(i)).collect())
    ));
    fields.push(format!("\"state\": {}", json(&case.state)));
    format!("  {{ {} }}", fields.join(",\n    "))
}

mod erased {
    //! Anything that can be written as JSON.

    pub(super) trait Json {
        fn json(&self) -> String;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> String {
            serde_json::to_string(self).expect("it can be written")
        }
    }
}
