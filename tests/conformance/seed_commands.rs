//! `seed-commands.sh` types what the examples print; the answers are those that the examples promise.
//!
//! The commands name a server on 8080 and 9070, and services on 9090 or 9080. The test's server has other
//! ports: a configuration of curl's and a variable of the restate CLI's say which, and the server asks all
//! services, whatever their address, through what it takes for a proxy: that is `onceproof serve` itself.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    programs::Program,
    server::{RestateServer, free_ports, skip},
    tutorial::{masked, payment},
};

/// What stands between an answer and the next one, with the status.
const MARK: &str = "\n-- ";

/// What a command said.
#[derive(Debug)]
struct Said {
    status: u16,
    body: String,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }
}

/// What is needed to type an example's commands: a fresh server, and a fresh `onceproof serve`.
struct Desk {
    server: RestateServer,
    served: Program,
    path: std::ffi::OsString,
}

impl Desk {
    /// None if `needed`, or a server, is not to be had; that is told.
    fn new(needed: &[&str], serve: &[&str]) -> Option<Self> {
        let modules = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .join("target/restate-server/node_modules/@restatedev");
        let platforms = ["linux-x64", "linux-arm64", "darwin-arm64", "darwin-x64"];
        let installed = platforms.map(|platform| modules.join(format!("restate-{platform}/bin")));
        let usual = std::env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> =
            installed.into_iter().chain(std::env::split_paths(&usual)).collect();
        let there = |program: &str| folders.iter().any(|folder| folder.join(program).is_file());
        if let Some(missing) = needed.iter().find(|program| !there(program)) {
            skip(&format!(
                "no {missing}. To type the examples' commands, install curl, and:\n  \
                 npm install --prefix target/restate-server @restatedev/restate@1.7.12\n  \
                 cargo test --test conformance"
            ));
            return None;
        }
        let path = std::env::join_paths(folders).expect("none of them was joined before");
        let [port] = free_ports();
        let proxy = format!("http://127.0.0.1:{port}");
        let server = RestateServer::start_with(&[("RESTATE_HTTP_PROXY", &proxy)])?;
        let served = Program::serve(port, serve);
        Some(Self { server, served, path })
    }

    /// Registers the services; for examples that do not say how.
    fn registered(self) -> Self {
        self.server.client().register(&self.served.uri()).expect("the server takes the services");
        self
    }

    /// Types an example's commands, and tells what each of them said.
    fn type_commands(&self, example: &str) -> Vec<Said> {
        let port = |url: &str| url.rsplit(':').next().expect("it has a port").to_owned();
        let curl = format!(
            "silent\nshow-error\nmax-time = 60\nwrite-out = \"\\n-- %{{http_code}}\\n\"\n\
             connect-to = \"localhost:8080:127.0.0.1:{}\"\nconnect-to = \"localhost:9070:127.0.0.1:{}\"\n",
            port(&self.server.ingress),
            port(&self.server.admin),
        );
        let folder = self.server.folder.path();
        fs::write(folder.join(".curlrc"), curl).expect("the folder is the test's");
        let script = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .join("tests/conformance/seed-commands.sh");
        let output = Command::new("bash")
            .arg(script)
            .arg(example)
            .env("PATH", &self.path)
            .env("CURL_HOME", folder)
            .env("RESTATE_CLI_CONFIG_HOME", folder)
            .env("RESTATE_ADMIN_URL", &self.server.admin)
            .env("NO_COLOR", "1")
            .env("DO_NOT_TRACK", "1")
            .stdin(Stdio::null())
            .output()
            .expect("bash is there");
        let (text, complained) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{example}: {text}{complained}");
        let mut said = Vec::new();
        let mut rest = &*text;
        while let Some((body, after)) = rest.split_once(MARK) {
            let (status, after) = after.split_once('\n').expect("curl ends the line");
            said.push(Said {
                status: status.parse().expect("a status is a number"),
                body: body.to_owned(),
            });
            rest = after;
        }
        // what the last command said if it was not curl
        said.push(Said { status: 0, body: rest.to_owned() });
        said
    }
}

pub(crate) fn the_hands_on_example_gets_its_answers() {
    let Some(desk) = Desk::new(&["curl"], &[]) else { return };
    let said = desk.type_commands("idempotency-hands-on");
    assert_eq!(said[0].status, 201, "{said:?}");
    // the tutorial's answers, in the order of the commands
    let recorded = payment();
    let expected = ["create", "repeat", "get", "refund", "refund-again"]
        .map(|id| recorded.iter().find(|asked| asked.0 == id).expect("it is recorded"));
    assert_eq!(said.len(), 1 + expected.len() + 1, "{said:?}");
    for (answer, (id, _, _, promised)) in said[1..].iter().zip(expected) {
        assert_eq!(answer.status, 200, "{id}: {answer:?}");
        assert_eq!(Ok(masked(answer.json())), *promised, "{id}");
    }
    // one charge and one refund, whatever their ids are
    for (first, again, id) in [(1, 2, "chargeId"), (1, 3, "chargeId"), (4, 5, "refundId")] {
        assert_eq!(said[first].json()[id], said[again].json()[id]);
    }
}

pub(crate) fn the_readmes_create_is_answered_twice_and_charged_once() {
    let Some(desk) = Desk::new(&["curl"], &[]) else { return };
    let desk = desk.registered();
    let said = desk.type_commands("idempotency-readme");
    let [first, second, _] = &said[..] else { panic!("{said:?}") };
    assert_eq!((first.status, second.status), (200, 200), "{said:?}");
    let (first, second) = (first.json(), second.json());
    assert_eq!(first, second);
    assert_eq!(first["paymentId"], "payment-123");
    assert_eq!(first["status"], "completed");
    let charge = first["chargeId"].as_str().expect("it has a charge");
    assert!(charge.starts_with("ch_guest_"), "{charge}");
}

pub(crate) fn the_payment_api_is_paid_and_cancelled() {
    let Some(desk) = Desk::new(&["curl"], &[]) else { return };
    let desk = desk.registered();
    let said = desk.type_commands("payment-api");
    let [paid, cancelled, _] = &said[..] else { panic!("{said:?}") };
    assert_eq!((paid.status, cancelled.status), (200, 200), "{said:?}");
    assert_eq!(paid.json(), json!({ "success": true, "reason": "ok" }));
    assert_eq!(cancelled.body, "");
}

pub(crate) fn the_state_machine_shows_the_state_that_its_example_shows() {
    let Some(desk) = Desk::new(&["curl", "restate"], &[]) else { return };
    let said = desk.type_commands("payment-state-machine");
    let [paid, cancelled, state] = &said[..] else { panic!("{said:?}") };
    // what restate said of the registration stands before the first answer
    let paid_body = paid.body.lines().last().unwrap_or_default();
    assert_eq!(paid_body, r#"{"success":true,"reason":"ok"}"#, "{said:?}");
    assert_eq!((paid.status, cancelled.status), (200, 200), "{said:?}");
    // the table, without its columns; the two values come in any order
    let words: Vec<&str> = state.body.split_whitespace().collect();
    let shown = words.join(" ");
    for part in [
        "Service PaymentProcessor",
        "Key some-string-id",
        r#"payment { "accountId": "abc", "amountCents": 100 }"#,
        r#"status "CANCELLED""#,
    ] {
        assert!(shown.contains(part), "{part} is not in: {}", state.body);
    }
}

pub(crate) fn accounts_open_as_the_command_line_says() {
    let balance = |desk: &Desk, account: &str| {
        let target = format!("Account/{account}/balance");
        let patience = std::time::Duration::from_secs(60);
        let answer = desk.server.client().call(&target, &[], b"", patience).expect("it answers");
        String::from_utf8(answer.body.to_vec()).expect("it is text")
    };
    for (serve, abc, own) in [
        (&[][..], "100000", "0"),
        (&["--world", r#"{ "accounts": { "own": 7, "other": 1 } }"#], "0", "7"),
        (&["--world", r#"{ "accounts": {} }"#], "0", "0"),
    ] {
        let Some(desk) = Desk::new(&[], serve) else { return };
        let desk = desk.registered();
        assert_eq!((&*balance(&desk, "abc"), &*balance(&desk, "own")), (abc, own), "{serve:?}");
    }
}
