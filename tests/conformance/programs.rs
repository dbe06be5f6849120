//! The command line against a real server, and without one.

use std::{
    io::Read as _,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use onceproof::scenario::plan::FaultPlan;

use crate::server::{RestateServer, free_ports};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_onceproof");

/// `onceproof serve` in a process of its own; dropping it kills it.
pub(crate) struct Program {
    child: Child,
    port: u16,
}

impl Program {
    /// Starts it, and waits until it listens.
    pub(crate) fn serve(port: u16, more: &[&str]) -> Self {
        let child = Command::new(PROGRAM)
            .args(["serve", "--port", &port.to_string()])
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program is built with the tests");
        let mut program = Self { child, port };
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = program.child.try_wait().expect("the child is ours");
            if ended.is_some() || started.elapsed() > Duration::from_secs(30) {
                let mut said = String::new();
                program.kill();
                let stderr = program.child.stderr.as_mut().expect("it is piped");
                drop(stderr.read_to_string(&mut said));
                panic!("onceproof serve does not listen ({ended:?}): {said}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        program
    }

    pub(crate) fn uri(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// kill -9
    pub(crate) fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

fn onceproof(arguments: &[&str]) -> Output {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    Command::new(PROGRAM).args(arguments).current_dir(root).output().expect("it is built")
}

/// The exit code, and what was said: results and diagnostics.
pub(crate) fn told(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = onceproof(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

pub(crate) fn shipped_scenarios_do_on_a_real_server_what_they_do_in_the_simulation() {
    let Some(server) = RestateServer::start() else { return };
    let on = ["run", "--on", "restate", "--ingress", &server.ingress, "--admin", &server.admin];
    // every one without faults, and some whose faults are left out there
    let mut files = vec![
        "scenarios/payment-five-duplicates.json".to_owned(),
        "scenarios/payment-bad-input.json".to_owned(),
        "scenarios/account-transfers.json".to_owned(),
        "scenarios/payment-crash-heavy.json".to_owned(),
        "scenarios/saga-happy.json".to_owned(),
        // the endpoint goes down in both, and in the second one there are three deployments
        "scenarios/saga-endpoint-down.json".to_owned(),
        "scenarios/saga-new-deployment.json".to_owned(),
    ];
    let catalog = onceproof_shop::subject().catalog().expect("the shop can be discovered");
    let shipped = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios"));
    for path in onceproof::scenario::find(&[shipped]).expect("they are there") {
        let scenario = onceproof::scenario::load(&path, &catalog).expect("it is valid");
        if scenario.plan.faults == FaultPlan::default() && scenario.must_violate.is_none() {
            let name = path.file_name().expect("a file has one").to_string_lossy();
            files.push(format!("scenarios/{name}"));
        }
    }
    assert!(files.len() >= 20, "{files:?}");
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let arguments: Vec<&str> = on.into_iter().chain(files.iter().copied()).collect();
    let (code, said, complained) = told(&arguments);
    assert_eq!(code, Some(0), "{said}{complained}");
    for file in files {
        assert!(said.contains(&format!("✓ {file}: ")), "{file}: {said}");
    }
    assert!(said.contains("note: faults are not injected on a real server: "), "{said}");
}

pub(crate) fn a_server_that_is_killed_in_the_middle_is_told() {
    let Some(mut server) = RestateServer::start() else { return };
    let [port] = free_ports();
    let child = Command::new(PROGRAM)
        .args(["run", "--on", "restate", "--ingress", &server.ingress, "--admin", &server.admin])
        .args(["--serve-port", &port.to_string(), "tests/conformance/slow.json"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it is built");
    // it hosts, registers, and asks for what takes ten seconds
    let started = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(started.elapsed() < Duration::from_secs(30), "it never listened");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(2));
    server.kill();
    let output = child.wait_with_output().expect("the child is ours");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("error: no Restate server answers at http://127.0.0.1:"), "{said}");
    // what it hosted is gone with it
    assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());
}

pub(crate) fn what_cannot_be_used_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let (code, _, said) = told(&["serve", "--port", &port]);
    assert_eq!(code, Some(2));
    assert!(said.starts_with(&format!("error: cannot listen on 127.0.0.1:{port}: ")), "{said}");
    assert!(said.ends_with("; choose another with --port\n"), "{said}");

    let (code, _, said) = told(&["serve", "--variant", "PaymentService=perfect", "--port", "0"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("service `PaymentService` has no variant `perfect`"), "{said}");
    let (code, _, said) = told(&["serve", "--variant", "Payments=reference", "--port", "0"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("there is no service `Payments`"), "{said}");

    for (given, problem) in [
        (&["--world", r#"{ "acounts": {} }"#][..], "did you mean `accounts`?"),
        (&["--world", r#"{ "accounts": { "abc": 1.5 } }"#], "expected a whole number"),
        (&["--world", r#"{ "accounts": { "abc": -1 } }"#], "found -1"),
        (&["--world", r#"{ "gateway": { "idempotency_key": false } }"#], "idempotency_keys"),
        (&["--world", "{"], "--world:1:"),
    ] {
        let (code, _, said) = told(&[&["serve", "--port", "0"][..], given].concat());
        assert_eq!(code, Some(2), "{given:?}: {said}");
        assert!(said.contains(problem), "{given:?}: {said}");
    }

    let nobody = ["--ingress", "http://127.0.0.1:1", "--admin", "http://127.0.0.1:1"];
    let run = ["run", "--on", "restate", "scenarios/payment-tutorial.json"];
    let (code, _, said) = told(&[&run[..], &nobody[..]].concat());
    assert_eq!(code, Some(4));
    assert!(said.starts_with("error: no Restate server answers at http://127.0.0.1:1 ("), "{said}");

    let (code, _, said) =
        told(&[&["run", "--on", "restate", "no-such.json"][..], &nobody].concat());
    assert_eq!(code, Some(2));
    assert!(said.contains("no-such.json: no such file"), "{said}");
}

pub(crate) fn a_deployment_that_the_server_cannot_reach_is_refused() {
    let Some(server) = RestateServer::start() else { return };
    let [port] = free_ports();
    let uri = format!("http://127.0.0.1:{port}");
    let error = server.client().register(&uri).expect_err("nobody is there").to_string();
    assert!(
        error.starts_with(&format!("the Restate server refused the deployment {uri}: ")),
        "{error}"
    );
}
