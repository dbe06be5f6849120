//! kill -9 of the process with the handlers, at a chosen point, does on a real server what the crash at that
//! point does in the simulation: the same requests to the world, the same money, the same answer.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use onceproof::{
    Simulation,
    history::{Change, Event, Outcome},
};
use onceproof_shop::systems::gateway::Charged;
use serde_json::{Value, json};

use crate::{
    programs::Program,
    server::{RestateServer, free_ports},
    tutorial::masked,
};

const PATIENCE: Duration = Duration::from_secs(60);
/// Long enough to kill a process between a request and its effect, or its effect and its answer.
const LATENCY_MS: u64 = 600;

/// What came of a payment whose process died.
#[derive(Debug, PartialEq, Eq)]
struct Crashed {
    /// What took effect in the world, in order: `charge!`.
    effects: Vec<String>,
    /// How often money was taken.
    charges: usize,
    answer: Value,
}

fn body() -> Value {
    json!({ "amount": 10000, "currency": "USD", "description": "a book", "customerId": "cust-alice" })
}

fn simulated(variant: &str, point: &str) -> Crashed {
    let scenario = json!({
        "title": "a crash",
        "services": { "PaymentService": variant },
        "world": { "gateway": { "latency_ms": [LATENCY_MS, LATENCY_MS] },
                   "mailer": { "latency_ms": [LATENCY_MS, LATENCY_MS] } },
        "steps": [{ "id": "pay", "call": "PaymentService/p/CreatePayment", "body": body() }],
        "faults": { "crash_at": [format!("PaymentService/*/CreatePayment {point}")] },
    });
    let run =
        Simulation::of(onceproof_shop::subject()).scenario_text("crash.json", scenario.to_string());
    let history = run.replay(0).unwrap_or_else(|error| panic!("{error}")).history;
    let (mut effects, mut charges, mut answer) = (Vec::new(), 0, Value::Null);
    let mut operations = std::collections::BTreeMap::new();
    for record in history.records() {
        match &record.event {
            Event::SystemCalled { call, operation, .. } => {
                operations.insert(*call, *operation);
            }
            Event::SystemEffect { call, effect, .. } => {
                effects.push(format!("{}!", operations[call]));
                let charged = effect.downcast::<Charged>().is_some();
                charges += usize::from(charged && effect.change == Change::Made);
            }
            Event::ReplyReceived { outcome: Outcome::Success(body), .. } => {
                answer = masked(body.json().expect("answers are JSON"));
            }
            _ => {}
        }
    }
    Crashed { effects, charges, answer }
}

fn lines(ledger: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(ledger).unwrap_or_default();
    // the last line may be half written
    text.lines().map_while(|line| serde_json::from_str(line).ok()).collect()
}

/// A ledger's line as `charge` or `charge!`.
fn told(line: &Value) -> String {
    match line.get("asked") {
        Some(asked) => asked["operation"].as_str().expect("it is text").to_owned(),
        None => {
            let request = line["done"]["request"].as_object().expect("it is a request");
            format!("{}!", request.keys().next().expect("it has a kind"))
        }
    }
}

fn real(server: &RestateServer, variant: &str, key: &str, kill_at: &str) -> Crashed {
    let ledger = server.folder.path().join(format!("{key}.jsonl"));
    let path = ledger.display().to_string();
    let [port] = free_ports();
    let (latency, variant) = (LATENCY_MS.to_string(), format!("PaymentService={variant}"));
    let serve = || {
        let more = ["--latency-ms", &latency, "--variant", &variant, "--ledger", &path];
        Program::serve(port, &more)
    };
    let mut served = serve();
    let client = server.client();
    client.register(&served.uri()).expect("the server takes the services");
    let target = format!("PaymentService/{key}/CreatePayment");
    let asking = thread::spawn(move || {
        let json = [("content-type".to_owned(), "application/json".to_owned())];
        client.call(&target, &json, body().to_string().as_bytes(), PATIENCE)
    });
    let started = Instant::now();
    while !lines(&ledger).iter().any(|line| told(line) == kill_at) {
        assert!(started.elapsed() < PATIENCE, "the ledger never said {kill_at}");
        thread::sleep(Duration::from_millis(2));
    }
    served.kill();
    let _served = serve();
    let answer = asking.join().expect("it does not panic").unwrap_or_else(|e| panic!("{e}"));
    let answer = masked(serde_json::from_slice(&answer.body).expect("answers are JSON"));
    let lines = lines(&ledger);
    let charged = lines.iter().filter_map(|line| line["done"]["request"].get("charge"));
    // a repeated key takes no more money
    let mut keys: Vec<&Value> = charged.map(|charge| &charge["idempotency_key"]).collect();
    let unkeyed = keys.iter().filter(|key| key.is_null()).count();
    keys.retain(|key| !key.is_null());
    keys.dedup();
    let effects = lines.iter().map(told).filter(|line| line.ends_with('!')).collect();
    Crashed { effects, charges: unkeyed + keys.len(), answer }
}

pub(crate) fn a_killed_process_leaves_what_the_simulated_crash_leaves() {
    let Some(server) = RestateServer::start() else { return };
    let cases = [
        ("reference", "before run charge", "charge", 1),
        ("reference", "after run charge", "charge!", 1),
        ("reference", "before run receipt", "send", 1),
        ("reference", "after run receipt", "send!", 1),
        ("charge-without-key", "before run charge", "charge", 1),
        ("charge-without-key", "after run charge", "charge!", 2),
    ];
    for (number, (variant, point, kill_at, charges)) in cases.into_iter().enumerate() {
        // keys have one length: the answers hold them
        let mut seen = real(&server, variant, &format!("p{number}"), kill_at);
        let expected = simulated(variant, point);
        seen.answer["paymentId"] = "p".into();
        assert_eq!(seen, expected, "{variant}, killed {point}");
        assert_eq!(seen.charges, charges, "{variant}, killed {point}");
    }
}
