//! One scenario on a real server: hosted, registered, run, read back, judged, and compared with the simulation.

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

use super::{
    Difference, LiveError, Observed, Server, WorldOptions,
    client::{Clients, Names, Stuck},
    clock::{Clock, pause},
    compare,
    host::{Hosted, watch},
    log::{Log, Rows, Seen, text, unix_ms},
    server::{Row, quoted},
};
use crate::{
    base::Seed,
    explore::{judge_run, replay_seed},
    history::{Event, History},
    invariants::{Invariant, Verdict, Violation},
    scenario::plan::{Action, FaultPlan, RestatePlan, Scenario, Step},
    sim::{Deployment, opening_states},
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
            let Violation { invariant, message, .. } = violation;
            writeln!(text, "  ✗ {invariant}: {message}").expect("text takes text");
        }
        for Difference { what, server, simulation } in &self.differences {
            writeln!(text, "  ✗ {what}").expect("text takes text");
            for (who, said) in [("server", server), ("simulation", simulation)] {
                let said = said.replace('\n', "\n                  ");
                writeln!(text, "      {who:<10}  {said}").expect("text takes text");
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
/// # Errors
/// If the server cannot be used, goes away, or does not come to rest in time.
pub fn run(
    server: &Server,
    deployment: &Deployment,
    scenario: &Scenario,
    invariants: &[&dyn Invariant],
    options: &LiveOptions,
) -> Result<LiveReport, LiveError> {
    server.check()?;
    let clock = Clock::start();
    let prefix = format!("op{:x}-", clock.start_unix_ms());
    let log = Log::new(clock, &prefix);
    let world = WorldOptions { plan: scenario.plan.world.clone(), ledger: None };
    let hosted = watch(deployment, &world, options.port, &log)?;
    let guest = Guest::register(server, deployment, hosted, prefix, clock)?;
    let names = Names::new(&scenario.plan, &guest.prefix);
    guest.seed_state(scenario, &names, &log)?;
    let look = || guest.invocations();
    let clients = Clients {
        server,
        plan: &scenario.plan,
        names: &names,
        log: &log,
        clock,
        patience: options.patience,
        look: &look,
    };
    clients.act()?;
    let mut notes = Vec::new();
    let rows = guest.settle(options, &mut notes)?;
    let history = log.history(&rows, deployment.catalog());
    let mut observed = Observed::of(&history, options.patience);
    observed.state = guest.state(&log)?;
    drop(guest);

    let (violations, mut said) = judge_live(scenario, invariants, &history);
    notes.append(&mut said);
    let plain = without_faults(scenario, &mut notes);
    let seeds: Vec<u64> = (0..SEEDS).collect();
    let simulated = simulate(deployment, &plain, &seeds, options.calm);
    let differences = compare(&observed, &simulated);
    let operator = |step: &Step| matches!(step.action, Action::Cancel { .. } | Action::Kill { .. });
    if !differences.is_empty() && scenario.plan.steps.iter().any(operator) {
        let why = "simulated code takes no time, so what an operator hits within a millisecond can differ";
        notes.push(why.to_owned());
    }
    let title = scenario.title.clone();
    Ok(LiveReport { title, observed, differences, violations, notes, history })
}

/// What is seen of a scenario in the simulation, seed by seed.
#[must_use]
pub fn simulate(
    deployment: &Deployment,
    scenario: &Scenario,
    seeds: &[u64],
    calm: Duration,
) -> Vec<Observed> {
    let one = |seed: &u64| {
        let run = replay_seed(deployment, scenario, &[], Seed(*seed));
        Observed::of(&run.history, calm)
    };
    seeds.iter().map(one).collect()
}

/// Judges what the world saw by the scenario's invariants.
fn judge_live(
    scenario: &Scenario,
    invariants: &[&dyn Invariant],
    history: &History,
) -> (Vec<Violation>, Vec<String>) {
    let Verdict::Violated(violations) = judge_run(scenario, invariants, history) else {
        return (Vec::new(), Vec::new());
    };
    let wanted = scenario.must_violate.as_deref();
    let (planted, others): (Vec<_>, Vec<_>) =
        violations.into_iter().partition(|v| Some(v.invariant) == wanted);
    let notes = planted.into_iter().map(|v| format!("the planted bug shows: {}", v.message));
    (others, notes.collect())
}

fn without_faults(scenario: &Scenario, notes: &mut Vec<String>) -> Scenario {
    let mut plain = scenario.clone();
    let faults = std::mem::take(&mut plain.plan.faults);
    if faults != FaultPlan::default() {
        let mut names: Vec<&str> = faults.rates.keys().map(|fault| fault.name()).collect();
        for (name, places) in [
            ("crash_at", &faults.crash_at),
            ("cancel_at", &faults.cancel_at),
            ("kill_at", &faults.kill_at),
        ] {
            if !places.is_empty() {
                names.push(name);
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
    hosted: Option<Hosted>,
}

impl<'a> Guest<'a> {
    fn register(
        server: &'a Server,
        deployment: &Deployment,
        hosted: Hosted,
        prefix: String,
        clock: Clock,
    ) -> Result<Self, LiveError> {
        let services: Vec<String> =
            deployment.catalog().services().map(|service| quoted(&service.name)).collect();
        let deployment = server.register(&hosted.uri())?;
        let services = services.join(", ");
        Ok(Self { server, deployment, services, prefix, clock, hosted: Some(hosted) })
    }

    /// Gives accounts and products their opening state.
    fn seed_state(&self, scenario: &Scenario, names: &Names, log: &Log) -> Result<(), LiveError> {
        let seeds: Vec<_> = opening_states(&scenario.plan.world).collect();
        for (service, key, name, value) in &seeds {
            let own = if value.contains(key) {
                value.replace(&format!("\"{key}\""), &format!("\"{}\"", names.own(key)))
            } else {
                value.clone()
            };
            self.server.set_state(service, &names.own(key), name, own.as_bytes())?;
            log.push(Seen::Event(Event::StateSeeded {
                service: (*service).into(),
                key: (*key).into(),
                name: (*name).into(),
                value: value.as_str().into(),
            }));
        }
        // the server takes note before it acts
        let started = self.clock.elapsed();
        while self.state_rows()?.len() < seeds.len() {
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
            let calm = rows.invocations.iter().all(|row| over(row) || later(row));
            if calm || stuck.unmoved(&rows, self.clock) > options.calm {
                rows.left = left;
                if left > 0 {
                    notes.push(format!("{left} invocations are due later and were not waited for"));
                }
                break rows;
            }
            if self.clock.elapsed() > options.patience {
                let open = rows.invocations.iter().find(|row| !over(row));
                let name = open.map_or("an invocation", |row| text(row, "target_service_name"));
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

    fn state(&self, log: &Log) -> Result<std::collections::BTreeMap<String, String>, LiveError> {
        let place = |row: &Row| {
            let key = log.plain(text(row, "service_key"));
            format!("{}/{key} {}", text(row, "service_name"), text(row, "key"))
        };
        let value = |row: &Row| super::observed::masked(&log.plain(text(row, "value_utf8")));
        Ok(self.state_rows()?.iter().map(|row| (place(row), value(row))).collect())
    }
}

impl Drop for Guest<'_> {
    /// Leaves nothing behind that would run, or ask for services that are gone. If the server is gone there
    /// is nothing to do.
    fn drop(&mut self) {
        if let Ok(rows) = self.invocations() {
            for row in rows.invocations.iter().filter(|row| text(row, "status") != "completed") {
                drop(self.server.kill(text(row, "id")));
            }
        }
        drop(self.server.forget(&self.deployment));
        drop(self.hosted.take());
    }
}
