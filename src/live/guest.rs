//! A run as the guest of a server: its services and invocations there; both leave with it.
//!
//! Must not know: what the run does.

use std::{cell::RefCell, collections::BTreeMap, sync::atomic::AtomicBool, time::Duration};

use super::{
    LiveError, Server,
    client::Stuck,
    clock::{Clock, pause},
    deliveries::Deliveries,
    go_on,
    hosted::Hosted,
    log::{Log, Rows, Seen, text, unix_ms},
    mark::{Mark, make_room, names_of},
    names::Names,
    observed::Mask,
    server::{self, Deployed, Row, quoted},
};
use crate::{
    history::Event,
    restate::Catalog,
    scenario::plan::{Revision, Scenario},
    sim::{Built, Deployment},
};

/// How often the server's tables are read while it comes to rest.
const LOOK: Duration = Duration::from_millis(150);
/// How many invocations one question about journals names.
const CHUNK: usize = 200;

/// This run's services and invocations on the server; both leave with it.
pub(super) struct Guest<'a> {
    server: &'a Server,
    /// In order of registration.
    deployed: RefCell<Vec<Deployed>>,
    owner: server::Owner,
    services: String,
    mark: Mark,
    clock: Clock,
    pub(super) deliveries: Deliveries,
    take_over: bool,
    stop: &'a AtomicBool,
    hosted: Hosted,
}

impl<'a> Guest<'a> {
    /// Registers the services, after what killed runs left was removed; `notes` says so.
    ///
    /// # Errors
    /// If others have services of the same names there; see [`make_room`].
    pub(super) fn register(
        server: &'a Server,
        deployment: &Deployment,
        (hosted, deliveries): (Hosted, Deliveries),
        (mark, clock): (Mark, Clock),
        (take_over, stop): (bool, &'a AtomicBool),
        notes: &mut Vec<String>,
    ) -> Result<Self, LiveError> {
        let names = |catalog: &Catalog| -> Vec<String> {
            catalog.services().map(|service| service.name.to_string()).collect()
        };
        let services = names(deployment.catalog());
        notes.extend(make_room(server, &services, &hosted.uri(), take_over)?);
        let run = mark.name().to_owned();
        let owner = server::Owner { answers: hosted.answer_for(&run)?, run };
        let deployed = RefCell::default();
        let services = names_of(&services);
        let guest = Self {
            server,
            deployed,
            owner,
            services,
            mark,
            clock,
            deliveries,
            take_over,
            stop,
            hosted,
        };
        guest.register_at(guest.hosted.uri(), deployment.first())?;
        Ok(guest)
    }

    fn register_at(&self, uri: String, built: &Built) -> Result<(), LiveError> {
        let id = self.server.register_run(&uri, &self.owner, self.take_over)?;
        let services = built.catalog().services().map(|service| service.name.to_string());
        let (services, owner) = (services.collect(), Some(self.owner.clone()));
        self.deployed.borrow_mut().push(Deployed { id, uri, services, owner });
        Ok(())
    }

    /// Registers one more deployment; what begins from then on runs there.
    ///
    /// # Errors
    /// If there is no port for it, or the server does not want it.
    pub(super) fn deploy(
        &self,
        built: &Built,
        revision: &Revision,
        log: &Log,
    ) -> Result<(), LiveError> {
        let place = self.hosted.add(built)?;
        self.register_at(place.uri(), built)?;
        let (deployment, revision) = (place.number, revision.to_string().as_str().into());
        log.push(Seen::Event(Event::DeploymentRegistered { deployment, revision }));
        Ok(())
    }

    /// Takes all services down for so long.
    pub(super) fn take_down(&self, time: Duration) {
        self.hosted.take_down(time);
    }

    /// Gives objects their opening states.
    pub(super) fn set_opening_states(
        &self,
        scenario: &Scenario,
        names: &Names,
        log: &Log,
    ) -> Result<(), LiveError> {
        let states = &scenario.plan.state;
        let mut objects: BTreeMap<(&str, &str), BTreeMap<String, Vec<u8>>> = BTreeMap::new();
        for state in states {
            let own = names.own_value(&state.value).to_string().into_bytes();
            let object = objects.entry((&state.service, &state.key)).or_default();
            object.insert(state.name.clone(), own);
        }
        let values = objects.values().map(BTreeMap::len).sum();
        for ((service, key), state) in &objects {
            self.server.set_state(service, &names.own(key), state)?;
        }
        for state in states {
            log.push(Seen::Event(Event::StateOpened {
                service: state.service.as_str().into(),
                key: state.key.as_str().into(),
                name: state.name.as_str().into(),
                value: state.value.to_string().as_str().into(),
            }));
        }
        // the server takes note before it acts
        let started = self.clock.elapsed();
        while self.state_rows()?.len() < values {
            let waited = self.clock.elapsed() - started;
            if waited > Duration::from_secs(15) {
                return Err(LiveError::Timeout { what: "the opening state".to_owned(), waited });
            }
            go_on(self.stop)?;
            pause(LOOK);
        }
        Ok(())
    }

    /// This run's invocations, in order of creation; without journals.
    pub(super) fn invocations(&self) -> Result<Rows, LiveError> {
        let rows = self.server.query(&format!(
            // all columns: server 1.7.12 gives no scheduled_start_at if it is named
            "select * from sys_invocation where target_service_name in ({}) order by created_at",
            self.services
        ))?;
        Ok(Rows { invocations: self.mark.own(rows), ..Rows::default() })
    }

    /// Waits until nothing is left to happen within `calm`; answers with what the server's tables say then.
    pub(super) fn settle(
        &self,
        (patience, calm): (Duration, Duration),
        notes: &mut Vec<String>,
    ) -> Result<Rows, LiveError> {
        let mut stuck = Stuck::default();
        let mut rows = loop {
            let mut rows = self.invocations()?;
            let later = |row: &Row| {
                let due = unix_ms(text(row, "scheduled_start_at")).unwrap_or_default();
                let calm = u64::try_from(calm.as_millis()).unwrap_or(u64::MAX);
                text(row, "status") == "scheduled" && due > self.clock.unix_ms() + calm
            };
            let over = |row: &Row| matches!(text(row, "status"), "completed" | "paused");
            let left = rows.invocations.iter().filter(|row| !over(row)).count();
            let at_rest = rows.invocations.iter().all(|row| over(row) || later(row))
                && !self.deliveries.busy(self.clock.now().after(calm));
            if !self.hosted.is_down() && (at_rest || stuck.unmoved(&rows, self.clock) > calm) {
                rows.left = left;
                if left > 0 {
                    notes.push(format!("{left} invocations are due later and were not waited for"));
                }
                let left = self.deliveries.left();
                if left > 0 {
                    notes.push(format!("{left} deliveries are due later and were not waited for"));
                }
                break rows;
            }
            if self.clock.elapsed() > patience {
                let open = rows.invocations.iter().find(|row| !over(row));
                let name = open.map_or("a delivery", |row| text(row, "target_service_name"));
                let what = format!("the end of {name} and {} more", left.saturating_sub(1));
                return Err(LiveError::Timeout { what, waited: patience });
            }
            go_on(self.stop)?;
            pause(LOOK);
        };
        let ids: Vec<String> = rows.invocations.iter().map(|row| quoted(text(row, "id"))).collect();
        for ids in ids.chunks(CHUNK) {
            let ids = ids.join(", ");
            rows.journal.extend(self.server.query(&format!(
                "select id, index, entry_type, raw, invoked_id, appended_at from sys_journal \
                 where id in ({ids}) order by id, index"
            ))?);
        }
        Ok(rows)
    }

    fn state_rows(&self) -> Result<Vec<Row>, LiveError> {
        self.server.query(&format!(
            "select service_name, service_key, key, value_utf8 from state \
             where service_name in ({}) and service_key like '%{}%'",
            self.services,
            self.mark.name()
        ))
    }

    /// What the run's objects hold, by `Service/key name`.
    pub(super) fn state(
        &self,
        log: &Log,
        mask: Mask<'_>,
    ) -> Result<BTreeMap<String, String>, LiveError> {
        let place = |row: &Row| {
            let key = log.plain(text(row, "service_key"));
            format!("{}/{key} {}", text(row, "service_name"), text(row, "key"))
        };
        let value = |row: &Row| mask.text(&log.plain(text(row, "value_utf8")));
        Ok(self.state_rows()?.iter().map(|row| (place(row), value(row))).collect())
    }
}

impl Drop for Guest<'_> {
    /// Leaves nothing behind. If the server is gone there is nothing to do; if it does not do what it is asked, the
    /// next run finds what is left.
    fn drop(&mut self) {
        self.deliveries.stop();
        // the newest first: what was there before it is asked until it goes as well
        while let Some(deployed) = self.deployed.get_mut().pop() {
            drop(self.mark.remove(self.server, &deployed));
        }
    }
}
