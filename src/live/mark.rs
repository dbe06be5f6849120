//! By what a run knows its own on a server, and how it is removed: also the next run, if a run was killed.
//!
//! Must not know: scenarios, what a run does.

use std::{collections::BTreeSet, time::Duration};

use super::{
    LiveError,
    clock::{Clock, pause},
    log::text,
    server::{Deployed, Owner, Row, Server, quoted},
};
use crate::base::Digest;

/// How long what was killed may take to end.
const END: Duration = Duration::from_secs(10);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// What is sent, created and deployed by a run can be told from everything else by this.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    /// What its keys begin with, beside what the scenario calls them.
    prefix: String,
    /// What the trace of each of its requests begins with.
    trace: String,
}

impl Mark {
    /// The mark of a run that begins now; no other one has it.
    pub(super) fn new(clock: Clock) -> Self {
        Self::of(&format!("op{:x}p{:x}-", clock.start_unix_ms(), std::process::id()))
    }

    /// The mark of the run with this name.
    fn of(name: &str) -> Self {
        let trace = Digest::of(name.as_bytes()).to_string()[..16].to_owned();
        Self { prefix: name.to_owned(), trace }
    }

    /// The name of the run, which its keys begin with.
    pub(super) fn name(&self) -> &str {
        &self.prefix
    }

    /// The trace of the run's request number `number`: by it, the server tells which invocation it became.
    pub(super) fn trace(&self, number: usize) -> String {
        format!("{}{number:016x}", self.trace)
    }

    /// The header that gives a request its trace.
    pub(super) fn trace_parent(&self, number: usize) -> (String, String) {
        let trace = self.trace(number);
        ("traceparent".to_owned(), format!("00-{trace}-{}-01", self.trace))
    }

    fn is_on(&self, row: &Row) -> bool {
        text(row, "target_service_key").contains(&self.prefix)
            || text(row, "idempotency_key").contains(&self.prefix)
            || text(row, "trace_id").starts_with(&self.trace)
    }

    /// Those of `rows` that are the run's: they have its mark, or others of the run invoked them.
    pub(super) fn own(&self, rows: Vec<Row>) -> Vec<Row> {
        self.own_or(rows, |_| false)
    }

    fn own_or(&self, rows: Vec<Row>, also: impl Fn(&Row) -> bool) -> Vec<Row> {
        let mut ours: BTreeSet<String> = BTreeSet::new();
        // what the run's invocations invoked may be listed before them
        loop {
            let before = ours.len();
            let is_ours = |row: &&Row| {
                self.is_on(row) || also(row) || ours.contains(text(row, "invoked_by_id"))
            };
            let found: Vec<_> =
                rows.iter().filter(is_ours).map(|row| text(row, "id").to_owned()).collect();
            ours.extend(found);
            if ours.len() == before {
                break;
            }
        }
        rows.into_iter().filter(|row| ours.contains(text(row, "id"))).collect()
    }

    /// Removes everything of the run from the server: its invocations, the state of its objects, its deployment.
    ///
    /// # Errors
    /// If the server is gone, or does not end what was killed in time.
    pub(super) fn remove(&self, server: &Server, deployed: &Deployed) -> Result<(), LiveError> {
        let services = names_of(&deployed.services);
        let columns = "id, status, target_service_key, idempotency_key, trace_id, invoked_by_id, pinned_deployment_id";
        let all = format!(
            "select {columns} from sys_invocation where target_service_name in ({services})"
        );
        // what began here cannot end elsewhere
        let here = |row: &Row| text(row, "pinned_deployment_id") == deployed.id;
        let since = Clock::start();
        let rows = loop {
            let rows = self.own_or(server.query(&all)?, here);
            let open = rows.iter().filter(|row| text(row, "status") != "completed");
            let open: Vec<&str> = open.map(|row| text(row, "id")).collect();
            if open.is_empty() {
                break rows;
            }
            if since.elapsed() > END {
                let what = format!("the end of {} killed invocations", open.len());
                return Err(LiveError::Timeout { what, waited: END });
            }
            open.iter().try_for_each(|id| server.operate("kill", id).map(drop))?;
            pause(LOOK);
        };
        for row in self.own(rows) {
            server.operate("purge", text(&row, "id"))?;
        }
        let of_key = format!("service_key like '%{}%'", self.prefix);
        let sql = format!(
            "select distinct service_name, service_key from state where service_name in ({services}) and {of_key}"
        );
        let objects = || server.query(&sql);
        for row in &objects()? {
            server.set_state(
                text(row, "service_name"),
                text(row, "service_key"),
                &Default::default(),
            )?;
        }
        // the server takes note before it acts
        let since = Clock::start();
        while !objects()?.is_empty() {
            if since.elapsed() > END {
                let what = "the end of the state of what was killed".to_owned();
                return Err(LiveError::Timeout { what, waited: END });
            }
            pause(LOOK);
        }
        server.forget(&deployed.id)
    }
}

/// Names as a query lists them.
pub(super) fn names_of(services: &[String]) -> String {
    services.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

/// Makes room for services of these names at `uri`: removes what runs left that were killed, and nothing else. Says
/// what it removed.
///
/// # Errors
/// If others have services of the same names there, unless `take_over` lets the run have them until it ends.
pub(super) fn make_room(
    server: &Server,
    services: &[String],
    uri: &str,
    take_over: bool,
) -> Result<Vec<String>, LiveError> {
    let mut removed = Vec::new();
    for deployed in server.deployments()? {
        let Deployed { id, uri: other, owner, .. } = &deployed;
        let same_place = other.trim_end_matches('/') == uri;
        // what does not answer may be busy
        let alive = |owner: &Owner| match server.run_at(&owner.answers) {
            Ok(there) => there.as_ref() == Some(&owner.run),
            Err(_) => true,
        };
        if let Some(owner) = owner
            && !alive(owner)
        {
            Mark::of(&owner.run).remove(server, &deployed)?;
            let run = owner.run.trim_end_matches('-');
            removed.push(format!("removed what the run {run} left when it was killed: {id}"));
            continue;
        }
        let service = deployed.services.iter().find(|name| services.contains(name));
        if same_place || service.is_some_and(|_| owner.is_some() || !take_over) {
            let service = service.map_or("another service", String::as_str).to_owned();
            let (uri, id) = (other.clone(), id.clone());
            return Err(match (owner, same_place) {
                (Some(_), false) => LiveError::Busy { service, uri },
                (_, true) => LiveError::SamePlace { uri, deployment: id },
                (None, false) => LiveError::Taken { service, uri, deployment: id },
            });
        }
    }
    Ok(removed)
}
