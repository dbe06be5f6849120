//! The deployments of one case: a step can take them down for a while, and register another one.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use onceproof::live::Server;
use serde_json::Value;

use crate::{
    hosting::{self, Hosting},
    probe::{self, Version, recording::Case},
};

/// True if a case has steps about deployments: it needs some of its own, and the server for itself.
pub(crate) fn are_in(case: &Case) -> bool {
    let about = |step: &Value| step.get("endpoint_down").or_else(|| step.get("deploy")).is_some();
    case.steps.iter().any(about)
}

/// The deployments that a case has registered so far, all of them up, or all of them down.
pub(crate) struct Deployments {
    client: Server,
    registered: Mutex<Vec<Registered>>,
}

struct Registered {
    id: String,
    version: Version,
    hosting: Option<Hosting>,
    port: u16,
}

impl Deployments {
    /// Registers the first one.
    pub(crate) fn new(client: Server) -> Self {
        let deployments = Self { client, registered: Mutex::default() };
        deployments.register(Version::First);
        deployments
    }

    fn registered(&self) -> MutexGuard<'_, Vec<Registered>> {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self, version: Version) {
        let hosting = hosting::host(probe::endpoint_of(version), false);
        let id = self.client.register(&hosting.uri()).expect("the server takes the services");
        let port = hosting.port();
        self.registered().push(Registered { id, version, hosting: Some(hosting), port });
    }

    /// Does what a step asks for; false if it is not about deployments.
    pub(crate) fn step(&self, step: &Value) -> bool {
        if let Some(name) = step.get("deploy").and_then(Value::as_str) {
            let (_, version) = Version::LATER
                .into_iter()
                .find(|(known, _)| *known == name)
                .unwrap_or_else(|| panic!("there is no deployment {name}"));
            self.register(version);
        } else if let Some(ms) = step.get("endpoint_down").and_then(Value::as_u64) {
            let down = self.registered().len();
            self.registered().iter_mut().for_each(|one| one.hosting = None);
            thread::sleep(Duration::from_millis(ms));
            for one in &mut self.registered()[..down] {
                let endpoint = probe::endpoint_of(one.version);
                one.hosting = Some(hosting::host_at(one.port, endpoint, false));
            }
        } else {
            return false;
        }
        true
    }
}

impl Drop for Deployments {
    /// Nothing is sent to them any more.
    fn drop(&mut self) {
        for one in self.registered().iter() {
            drop(self.client.forget(&one.id));
        }
    }
}
