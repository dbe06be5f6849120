//! A real server of a test's own: on free loopback ports, with an empty folder, gone with the test.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    fs::File,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use onceproof::live::Server;

const VARIABLE: &str = "ONCEPROOF_RESTATE_SERVER";
const START: Duration = Duration::from_secs(90);

/// One server at a time: cases tell what happened first by its time.
static ALONE: Mutex<()> = Mutex::new(());

/// A running server; dropping it kills it, also when a test fails.
pub(crate) struct RestateServer {
    pub(crate) ingress: String,
    pub(crate) admin: String,
    child: Child,
    pub(crate) folder: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl RestateServer {
    /// A server, or none if there is no program to start.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// A server with these variables in its environment.
    pub(crate) fn start_with(variables: &[(&str, &str)]) -> Option<Self> {
        let program = find()?;
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [ingress, admin, node] = free_ports();
        let log = File::create(folder.path().join("server.log")).expect("a log file");
        let child = Command::new(&program)
            .args(["--no-logo", "--base-dir"])
            .arg(folder.path().join("data"))
            .envs([
                ("RESTATE_BIND_IP", "127.0.0.1"),
                ("RESTATE_ADVERTISED_HOST", "127.0.0.1"),
                ("RESTATE_LISTEN_MODE", "tcp"),
                ("RESTATE_DISABLE_TELEMETRY", "true"),
                ("RESTATE_NODE_NAME", "n1"),
                ("DO_NOT_TRACK", "1"),
            ])
            .envs(variables.iter().copied())
            .env("RESTATE_BIND_PORT", node.to_string())
            .env("RESTATE_INGRESS__BIND_PORT", ingress.to_string())
            .env("RESTATE_ADMIN__BIND_PORT", admin.to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("one file twice"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        let at = |port: u16| format!("http://127.0.0.1:{port}");
        let mut server =
            Self { ingress: at(ingress), admin: at(admin), child, folder, _alone: alone };
        server.wait();
        Some(server)
    }

    pub(crate) fn client(&self) -> Server {
        Server::new(&self.ingress, &self.admin)
    }

    fn wait(&mut self) {
        let started = Instant::now();
        loop {
            let ended = self.child.try_wait().expect("the child is ours");
            let late = started.elapsed() > START;
            if ended.is_some() || late {
                let log = std::fs::read_to_string(self.folder.path().join("server.log"));
                let log = log.unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(20).collect();
                panic!("the server did not come up ({ended:?}): {tail:#?}");
            }
            if self.client().check().is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends the server as a power cut does.
    pub(crate) fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for RestateServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn find() -> Option<PathBuf> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let given = std::env::var_os(VARIABLE).map(PathBuf::from);
    let modules = root.join("target/restate-server/node_modules/@restatedev");
    let platforms = ["linux-x64", "linux-arm64", "darwin-arm64", "darwin-x64"];
    let installed = platforms
        .map(|platform| modules.join(format!("restate-server-{platform}/bin/restate-server")));
    let found = match given {
        Some(path) if path.exists() => Some(path),
        Some(path) => panic!("{VARIABLE} is {}, and there is no such file", path.display()),
        None => installed.into_iter().find(|path| path.exists()),
    };
    if found.is_none() {
        skip(
            "no Restate server. To run these cases:\n  \
             npm install --prefix target/restate-server @restatedev/restate-server@1.7.12\n  \
             cargo test --test conformance",
        );
    }
    found
}

/// Why tests were skipped, each reason once.
static SKIPPED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

thread_local! {
    /// Why the test of this thread was skipped.
    static SKIPPED_HERE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The test of this thread does nothing, because something is missing.
pub(crate) fn skip(reason: &str) {
    SKIPPED.lock().unwrap_or_else(PoisonError::into_inner).insert(reason.to_owned());
    SKIPPED_HERE.set(Some(reason.lines().next().unwrap_or_default().to_owned()));
}

/// Why the last test of this thread was skipped, in a line.
pub(crate) fn skipped_here() -> Option<String> {
    SKIPPED_HERE.take()
}

/// Why tests were skipped, and what to do.
pub(crate) fn skipped() -> BTreeSet<String> {
    SKIPPED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Ports that nobody listens on now.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let bind = |_| TcpListener::bind("127.0.0.1:0").expect("a free port");
    let all: [TcpListener; N] = std::array::from_fn(bind);
    all.map(|listener| listener.local_addr().expect("it is bound").port())
}
