//! One scenario on a real server: hosted, registered, run, read back, judged, and compared with the simulation.
//!
//! Must not know: any system, arguments.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    time::Duration,
};

use super::{
    Difference, LiveError, Observed, Server, WorldOptions,
    client::{Clients, Stuck},
    clock::{Clock, pause},
    compare,
    deliveries::Deliveries,
    host::{Hosted, watch},
    log::{Log, Rows, Seen, text, unix_ms},
    names::Names,
    observed::Mask,
    server::{Row, quoted},
};
use crate::{
    base::Seed,
    explore::{judge_run, replay_seed},
    history::{Event, History},
    oracle::{Oracle, Verdict, Violation},
    scenario::plan::{Action, FaultPlan, RestatePlan, Scenario, Step},
    sim::Deployment,
    subject::Subject,
};

/// How many seeds say what can happen without a fault.
const SEEDS: u64 = 300;
/// How often the server's tables are read while it comes to rest.
const LOOK: Duration = Duration::from_millis(150);
/// How many invocations one question about journals names.
const CHUNK: usize = 200;

/// How a scenario runs on a real server.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// The port to host the services on; 0 is any that is free.
    pub port: u16,
    /// How long everything together may take.
    pub patience: Duration,
    /// What happens later than this after everything else is not waited for.
    pub calm: Duration,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self { port: 0, patience: Duration::from_secs(120), calm: Duration::from_secs(20) }
    }
}

/// What came of a scenario on a real server.
#[derive(Debug)]
pub struct LiveReport {
    /// The scenario's title.
    pub title: String,
    /// What was seen on the server.
    pub observed: Observed,
    /// Where the simulation differs.
    pub differences: Vec<Difference>,
    /// What did not hold of the run on the server.
    pub violations: Vec<Violation>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// Everything that was seen.
    pub history: History,
}

impl LiveReport {
    /// True if nothing differs and nothing was violated.
    #[must_use]
    pub fn held(&self) -> bool {
        self.differences.is_empty() && self.violations.is_empty()
    }

    /// The report as text.
    #[must_use]
    pub fn text(&self, file: &str) -> String {
        let seen = &self.observed;
        let invocations: usize = seen.invocations.values().map(Vec::len).sum();
        let mark = if self.held() { '✓' } else { '✗' };
        let mut text = format!(
            "{mark} {file}: {}\n  on the server: {} replies, {invocations} invocations, {} journal entries, \
             {} values of state, {} effects\n",
            self.title,
            seen.replies.len(),
            seen.entries(),
            seen.state.len(),
            seen.effects.values().map(Vec::len).sum::<usize>()
        );
        for violation in &self.violations {
            let Violation { oracle, message, .. } = violation;
            writeln!(text, "  ✗ {oracle}: {message}").expect("text takes text");
        }
        for Difference { what, server, simulation } in &self.differences {
            writeln!(text, "  ✗ {what}").expect("text takes text");
            for (runtime, seen) in [("server", server), ("simulation", simulation)] {
                let seen = seen.replace('\n', "\n                  ");
                writeln!(text, "      {runtime:<10}  {seen}").expect("text takes text");
            }
        }
        if self.differences.is_empty() {
            text.push_str("  everything is as in the simulation\n");
        }
        for note in &self.notes {
            writeln!(text, "  note: {note}").expect("text takes text");
        }
        text
    }
}

/// Runs `scenario` once on `server`, and as often in the simulation as it takes to know what can happen.
///
/// `deployment` are the services of `subject` that the scenario asks for; it is judged by the oracles of `subject`
/// that the scenario names.
///
/// # Errors
/// If the server cannot be used, goes away, or does not come to rest in time.
pub fn run(
    server: &Server,
    subject: &Subject,
    deployment: &Deployment,
    scenario: &Scenario,
    options: &LiveOptions,
) -> Result<LiveReport, LiveError> {
    let mut notes = Vec::new();
    let (history, observed) =
        on_server(server, subject, deployment, scenario, options, &mut notes)?;
    let oracles = subject.oracles_of(scenario);
    let violations = judge_live(scenario, &oracles, &history, &mut notes);
    let plain = without_faults(scenario, &mut notes);
    let seeds: Vec<u64> = (0..SEEDS).collect();
    let simulated = simulate(subject, deployment, &plain, &seeds, options.calm);
    let differences = compare(&observed, &simulated);
    let operator = |step: &Step| matches!(step.action, Action::Cancel { .. } | Action::Kill { .. });
    if !differences.is_empty() && scenario.plan.steps.iter().any(operator) {
        let why = "simulated code takes no time, so what an operator hits within a millisecond can differ";
        notes.push(why.to_owned());
    }
    let title = scenario.title.clone();
    Ok(LiveReport { title, observed, differences, violations, notes, history })
}

/// Hosts the services, registers them, does what the scenario says, and reads back what came of it.
fn on_server(
    server: &Server,
    subject: &Subject,
    deployment: &Deployment,
    scenario: &Scenario,
    options: &LiveOptions,
    notes: &mut Vec<String>,
) -> Result<(History, Observed), LiveError> {
    server.check()?;
    let clock = Clock::start();
    let prefix = format!("op{:x}-", clock.start_unix_ms());
    let log = Log::new(clock, &prefix);
    let world = WorldOptions { plan: scenario.plan.world.clone(), ..WorldOptions::default() };
    let (hosted, systems) = watch(deployment, &world, options.port, &log)?;
    let names = Names::new(&scenario.plan, &prefix);
    let deliveries = Deliveries::start(systems, server, &names, &log, options.patience);
    let guest = Guest::register(server, deployment, hosted, deliveries, prefix, clock)?;
    guest.set_opening_states(scenario, &names, &log)?;
    let look = || guest.invocations();
    let clients = Clients {
        server,
        plan: &scenario.plan,
        names: &names,
        log: &log,
        deliveries: &guest.deliveries,
        clock,
        patience: options.patience,
        look: &look,
    };
    clients.act()?;
    let rows = guest.settle(options, notes)?;
    let history = log.history(&rows, deployment.catalog());
    let ids = subject.id_prefixes();
    let mut observed = Observed::of(&history, options.patience, ids);
    observed.state = guest.state(&log, Mask::new(ids))?;
    Ok((history, observed))
}

/// What is seen of a scenario in the simulation, seed by seed.
#[must_use]
pub fn simulate(
    subject: &Subject,
    deployment: &Deployment,
    scenario: &Scenario,
    seeds: &[u64],
    calm: Duration,
) -> Vec<Observed> {
    let one = |seed: &u64| {
        let run = replay_seed(subject, deployment, scenario, Seed(*seed));
        Observed::of(&run.history, calm, subject.id_prefixes())
    };
    seeds.iter().map(one).collect()
}

/// Judges what the world saw by the scenario's oracles.
fn judge_live(
    scenario: &Scenario,
    oracles: &[&dyn Oracle],
    history: &History,
    notes: &mut Vec<String>,
) -> Vec<Violation> {
    let violations = match judge_run(scenario, oracles, history) {
        Verdict::Violated(violations) => violations,
        // the others cannot be relied on either: it is shown as a violation of its own
        Verdict::Panicked { oracle, message, mut violations } => {
            violations.push(Violation::new(oracle, format!("the oracle panicked: {message}"), []));
            return violations;
        }
        Verdict::Held | Verdict::Inconclusive { .. } => return Vec::new(),
    };
    let wanted = scenario.must_violate.as_deref();
    let (planted, others): (Vec<_>, Vec<_>) =
        violations.into_iter().partition(|v| Some(v.oracle.as_str()) == wanted);
    notes.extend(planted.into_iter().map(|v| format!("the planted bug shows: {}", v.message)));
    others
}

fn without_faults(scenario: &Scenario, notes: &mut Vec<String>) -> Scenario {
    let mut plain = scenario.clone();
    let faults = std::mem::take(&mut plain.plan.faults);
    if faults != FaultPlan::default() {
        let mut names: Vec<_> = faults.rates.keys().map(|fault| fault.name()).collect();
        for (name, places) in [
            ("crash_at", &faults.crash_at),
            ("cancel_at", &faults.cancel_at),
            ("kill_at", &faults.kill_at),
        ] {
            if !places.is_empty() {
                names.push(name.into());
            }
        }
        let names = names.join(", ");
        notes.push(format!("faults are not injected on a real server: {names}"));
    }
    if plain.plan.restate != RestatePlan::default() {
        notes.push("the scenario's `restate` settings are not those of the server".to_owned());
    }
    plain
}

/// This run's services and invocations on the server; both leave with it.
struct Guest<'a> {
    server: &'a Server,
    deployment: String,
    services: String,
    prefix: String,
    clock: Clock,
    deliveries: Deliveries,
    hosted: Option<Hosted>,
}

impl<'a> Guest<'a> {
    fn register(
        server: &'a Server,
        deployment: &Deployment,
        hosted: Hosted,
        deliveries: Deliveries,
        prefix: String,
        clock: Clock,
    ) -> Result<Self, LiveError> {
        let services: Vec<String> =
            deployment.catalog().services().map(|service| quoted(&service.name)).collect();
        let deployment = server.register(&hosted.uri())?;
        let services = services.join(", ");
        let hosted = Some(hosted);
        Ok(Self { server, deployment, services, prefix, clock, deliveries, hosted })
    }

    /// Gives objects their opening states.
    fn set_opening_states(
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
            pause(LOOK);
        }
        Ok(())
    }

    /// This run's invocations, in order of creation; without journals.
    fn invocations(&self) -> Result<Rows, LiveError> {
        let rows = self.server.query(&format!(
            // all columns: server 1.7.12 gives no scheduled_start_at if it is named
            "select * from sys_invocation where target_service_name in ({}) order by created_at",
            self.services
        ))?;
        let mut ours: BTreeSet<String> = BTreeSet::new();
        // what this run's invocations invoked is this run's, and may be listed before them
        loop {
            let before = ours.len();
            ours.extend(
                rows.iter()
                    .filter(|row| self.is_ours(row) || ours.contains(text(row, "invoked_by_id")))
                    .map(|row| text(row, "id").to_owned())
                    .collect::<Vec<_>>(),
            );
            if ours.len() == before {
                break;
            }
        }
        let invocations = rows.into_iter().filter(|row| ours.contains(text(row, "id"))).collect();
        Ok(Rows { invocations, ..Rows::default() })
    }

    fn is_ours(&self, row: &Row) -> bool {
        let keyless = text(row, "target_service_key").is_empty()
            && text(row, "invoked_by_id").is_empty()
            && unix_ms(text(row, "created_at")).is_some_and(|at| at >= self.clock.start_unix_ms());
        text(row, "target_service_key").contains(&self.prefix) || keyless
    }

    /// Waits until nothing is left to happen soon; answers with what the server's tables say then.
    fn settle(&self, options: &LiveOptions, notes: &mut Vec<String>) -> Result<Rows, LiveError> {
        let mut stuck = Stuck::default();
        let mut rows = loop {
            let mut rows = self.invocations()?;
            let later = |row: &Row| {
                let due = unix_ms(text(row, "scheduled_start_at")).unwrap_or_default();
                let calm = u64::try_from(options.calm.as_millis()).unwrap_or(u64::MAX);
                text(row, "status") == "scheduled" && due > self.clock.unix_ms() + calm
            };
            let over = |row: &Row| matches!(text(row, "status"), "completed" | "paused");
            let left = rows.invocations.iter().filter(|row| !over(row)).count();
            let calm = rows.invocations.iter().all(|row| over(row) || later(row))
                && !self.deliveries.busy(self.clock.now().after(options.calm));
            if calm || stuck.unmoved(&rows, self.clock) > options.calm {
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
            if self.clock.elapsed() > options.patience {
                let open = rows.invocations.iter().find(|row| !over(row));
                let name = open.map_or("a delivery", |row| text(row, "target_service_name"));
                let what = format!("the end of {name} and {} more", left.saturating_sub(1));
                return Err(LiveError::Timeout { what, waited: options.patience });
            }
            pause(LOOK);
        };
        let ids: Vec<String> = rows.invocations.iter().map(|row| quoted(text(row, "id"))).collect();
        for ids in ids.chunks(CHUNK) {
            let ids = ids.join(", ");
            rows.journal.extend(self.server.query(&format!(
                "select id, index, entry_type, name, invoked_id, appended_at from sys_journal \
                 where id in ({ids}) order by id, index"
            ))?);
        }
        Ok(rows)
    }

    fn state_rows(&self) -> Result<Vec<Row>, LiveError> {
        self.server.query(&format!(
            "select service_name, service_key, key, value_utf8 from state \
             where service_name in ({}) and service_key like '%{}%'",
            self.services, self.prefix
        ))
    }

    fn state(&self, log: &Log, mask: Mask<'_>) -> Result<BTreeMap<String, String>, LiveError> {
        let place = |row: &Row| {
            let key = log.plain(text(row, "service_key"));
            format!("{}/{key} {}", text(row, "service_name"), text(row, "key"))
        };
        let value = |row: &Row| mask.text(&log.plain(text(row, "value_utf8")));
        Ok(self.state_rows()?.iter().map(|row| (place(row), value(row))).collect())
    }
}

impl Drop for Guest<'_> {
    /// Leaves nothing behind that would run, or ask for services that are gone. If the server is gone there
    /// is nothing to do.
    fn drop(&mut self) {
        self.deliveries.stop();
        if let Ok(rows) = self.invocations() {
            for row in rows.invocations.iter().filter(|row| text(row, "status") != "completed") {
                drop(self.server.kill(text(row, "id")));
            }
        }
        drop(self.server.forget(&self.deployment));
        drop(self.hosted.take());
    }
}
