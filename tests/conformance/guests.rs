//! `onceproof run --on restate` as a guest of a server that others use, and `onceproof serve` behind a server that
//! signs.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    programs::{PROGRAM, Program, told},
    server::{RestateServer, free_ports},
};

const PATIENCE: Duration = Duration::from_secs(60);
const QUICK: &str = "scenarios/account-happy.json";
/// A call that takes twenty seconds.
const SLOW: &str = "tests/conformance/slow.json";
/// The same, with another deployment; then both are down for a minute.
const DEPLOYED: &str = "tests/conformance/deployed.json";

/// The ids of all deployments, or where they are.
fn deployments_by(server: &RestateServer, what: &str) -> Vec<String> {
    let asked = ureq::get(format!("{}/deployments", server.admin)).call();
    let text = asked.expect("it answers").body_mut().read_to_string().expect("it is text");
    let all: Value = serde_json::from_str(&text).expect("it is JSON");
    let all = all["deployments"].as_array().expect("a list");
    all.iter().map(|one| one[what].as_str().expect("it is text").to_owned()).collect()
}

fn deployments(server: &RestateServer) -> Vec<String> {
    deployments_by(server, "id")
}

/// Asks the server's tables: again, if it has just started and does not know yet where its partitions are.
fn query(server: &RestateServer, sql: &str) -> Value {
    let started = Instant::now();
    loop {
        let asked = ureq::post(format!("{}/query", server.admin))
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .send(json!({ "query": sql }).to_string());
        match asked {
            Ok(mut answer) => {
                let text = answer.body_mut().read_to_string().expect("it is text");
                return serde_json::from_str(&text).expect("it is JSON");
            }
            Err(error) => assert!(started.elapsed() < PATIENCE, "{sql}: {error}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The targets and states of invocations, and the places of objects' state, in order.
fn rows(server: &RestateServer) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for sql in ["select target, status from sys_invocation", "select service_key, key from state"] {
        let rows = query(server, sql);
        all.extend(rows["rows"].as_array().expect("rows").iter().map(Value::to_string));
    }
    all.sort();
    all
}

/// The server's addresses after a `run`.
fn on<'a>(server: &'a RestateServer, more: &[&'a str]) -> Vec<&'a str> {
    let run = ["run", "--on", "restate", "--ingress", &server.ingress, "--admin", &server.admin];
    [&run[..], more].concat()
}

fn call(server: &RestateServer, target: &str, body: &str) -> String {
    let json = ("content-type".to_owned(), "application/json".to_owned());
    let headers = if body.is_empty() { Vec::new() } else { vec![json] };
    let answer = server.client().call(target, &headers, body.as_bytes(), PATIENCE);
    let answer = answer.unwrap_or_else(|error| panic!("{target}: {error}"));
    String::from_utf8_lossy(&answer.body).into_owned()
}

pub(crate) fn what_others_deployed_is_left_alone() {
    let Some(server) = RestateServer::start() else { return };
    let [port] = free_ports();
    let theirs = Program::serve(port, &[]);
    server.client().register(&theirs.uri()).expect("the server takes the services");
    assert_eq!(call(&server, "Account/abc/balance", ""), "100000");
    call(
        &server,
        "payments/makePayment",
        r#"{"key":"t","request":{"accountId":"abc","amount":5}}"#,
    );
    let (before, deployed) = (rows(&server), deployments(&server));

    let (code, _, said) = told(&on(&server, &[QUICK]));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("is deployed there already, at http://127.0.0.1:"), "{said}");
    assert!(said.trim_end().ends_with("--take-over"), "{said}");
    assert_eq!((rows(&server), deployments(&server)), (before.clone(), deployed.clone()));

    // with their leave, until it ends; then all is as it was
    let (code, said, complained) = told(&on(&server, &["--take-over", QUICK]));
    assert_eq!(code, Some(0), "{said}{complained}");
    assert_eq!((rows(&server), deployments(&server)), (before, deployed.clone()));
    assert_eq!(call(&server, "Account/abc/balance", ""), "99995");

    // nor is their address taken from them when they are away
    drop(theirs);
    let taken = port.to_string();
    let (code, _, said) = told(&on(&server, &["--take-over", "--serve-port", &taken, QUICK]));
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("which is not this run's; choose another port with --serve-port"),
        "{said}"
    );
    assert_eq!(deployments(&server), deployed);
}

/// A run that is in the middle of a call.
fn slow_run(server: &RestateServer, scenario: &str) -> Child {
    let mut child = Command::new(PROGRAM)
        .args(on(server, &[scenario]))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it is built");
    let started = Instant::now();
    // the payment is pending from its first step on, and stays so while the bank takes its time
    let pending = |row: &String| row.contains("-payment-001\"") && row.contains("\"key\"");
    while !rows(server).iter().any(pending) {
        assert!(child.try_wait().expect("it is ours").is_none(), "it ended");
        assert!(started.elapsed() < PATIENCE, "it never asked for anything");
        std::thread::sleep(Duration::from_millis(50));
    }
    child
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(sent.expect("there is a kill").success());
}

pub(crate) fn a_run_that_is_ended_leaves_nothing_and_one_that_is_killed_leaves_it_to_the_next() {
    let Some(server) = RestateServer::start() else { return };
    for name in ["-TERM", "-INT"] {
        let child = slow_run(&server, SLOW);
        signal(&child, name);
        let output = child.wait_with_output().expect("it is ours");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(4), "{name}: {said}");
        assert!(said.contains("interrupted"), "{name}: {said}");
        assert_eq!((rows(&server), deployments(&server)), (Vec::new(), Vec::new()), "{name}");
    }

    let mut killed = slow_run(&server, SLOW);
    killed.kill().expect("it is ours");
    drop(killed.wait());
    assert_eq!(deployments(&server).len(), 1);
    let [port] = free_ports();
    let (code, said, complained) = told(&on(&server, &["--serve-port", &port.to_string(), QUICK]));
    assert_eq!(code, Some(0), "{said}{complained}");
    assert!(said.contains("note: removed what the run op"), "{said}");
    assert_eq!((rows(&server), deployments(&server)), (Vec::new(), Vec::new()));

    // one that lives is no leftover
    let mut alive = slow_run(&server, SLOW);
    let (before, deployed) = (rows(&server), deployments(&server));
    let (code, _, said) = told(&on(&server, &["--take-over", QUICK]));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("another run of onceproof has"), "{said}");
    assert_eq!((rows(&server), deployments(&server)), (before, deployed));
    signal(&alive, "-TERM");
    drop(alive.wait());
}

pub(crate) fn a_run_whose_services_are_down_is_alive_and_a_dead_one_leaves_all_to_the_next() {
    let Some(server) = RestateServer::start() else { return };
    let mut alive = slow_run(&server, DEPLOYED);
    let refuses = |uri: &String| {
        let address = uri.trim_start_matches("http://").trim_end_matches('/');
        std::net::TcpStream::connect(address).is_err()
    };
    let started = Instant::now();
    let down = || {
        let all = deployments_by(&server, "uri");
        all.len() == 2 && all.iter().all(refuses)
    };
    while !down() {
        assert!(alive.try_wait().expect("it is ours").is_none(), "it ended");
        assert!(started.elapsed() < PATIENCE, "{:?}", deployments_by(&server, "uri"));
        std::thread::sleep(Duration::from_millis(50));
    }
    let deployed = deployments(&server);
    let (code, _, said) = told(&on(&server, &["--take-over", QUICK]));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("another run of onceproof has"), "{said}");
    assert_eq!(deployments(&server), deployed);

    alive.kill().expect("it is ours");
    drop(alive.wait());
    let (code, said, complained) = told(&on(&server, &[QUICK]));
    assert_eq!(code, Some(0), "{said}{complained}");
    assert_eq!(said.matches("note: removed what the run op").count(), 2, "{said}");
    assert_eq!((rows(&server), deployments(&server)), (Vec::new(), Vec::new()));
}

/// The private key of a server that signs, and its public key; made for this test.
const PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIKreQ6kzsDMSzFmF+CahA5ER2+9C0/TRySSSkiIR9RxR\n\
    -----END PRIVATE KEY-----\n";
const PUBLIC_KEY: &str = "publickeyv1_HgPoLacgvy6zkuytwT8qyGbJVLtMszQAGw2pHBFZP8wh";
const OTHER_KEY: &str = "publickeyv1_w7YHemBctH5Ck2nQRQ47iBBqhNHy4FV7t2Usbye2A6f";

pub(crate) fn services_with_a_key_answer_the_server_that_has_it_and_nobody_else() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pem = folder.path().join("key.pem");
    std::fs::write(&pem, PRIVATE_KEY).expect("written");
    let variable = ("RESTATE_REQUEST_IDENTITY_PRIVATE_KEY_PEM_FILE", pem.to_str().expect("text"));
    let Some(server) = RestateServer::start_with(&[variable]) else { return };
    let [port, other] = free_ports();
    let served = Program::serve(port, &["--identity-key", OTHER_KEY, "--identity-key", PUBLIC_KEY]);
    server.client().register(&served.uri()).expect("the server has the key");
    assert_eq!(call(&server, "Account/abc/balance", ""), "100000");
    let asked = ureq::get(format!("{}/discover", served.uri())).call();
    assert!(matches!(asked, Err(ureq::Error::StatusCode(401))), "{asked:?}");

    let served = Program::serve(other, &["--identity-key", OTHER_KEY]);
    let error =
        server.client().register(&served.uri()).expect_err("it has another key").to_string();
    assert!(error.contains("signed by none of the keys"), "{error}");
}

pub(crate) fn a_run_with_always_replay_is_compared_with_one() {
    let Some(server) = RestateServer::start() else { return };
    for file in ["scenarios/payment-tutorial.json", "scenarios/processor-happy.json"] {
        let (code, said, complained) = told(&on(&server, &["--always-replay", file]));
        assert_eq!(code, Some(0), "{said}{complained}");
        assert!(said.contains("everything is as in the simulation"), "{said}");
    }
}
