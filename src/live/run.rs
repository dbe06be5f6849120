//! One scenario on a real server: hosted, registered, run, read back, judged, and compared with the simulation.
//!
//! Must not know: any system, arguments.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    fmt::Write as _,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use super::{
    Difference, HostOptions, LiveError, Observed, Server, WorldOptions,
    client::{Acted, Clients},
    clock::Clock,
    compare,
    deliveries::Deliveries,
    guest::Guest,
    hosted::watch,
    log::Log,
    mark::Mark,
    names::Names,
    observed::Mask,
};
use crate::{
    base::Seed,
    choice::{Rate, Seeded},
    explore::{Campaign, Strategy, judge_run},
    history::{Event, History, Record},
    oracle::{Oracle, Verdict, Violation},
    scenario::plan::{
        Action, Fault, FaultName, FaultPlan, Millis, RestatePlan, Revision, Scenario, Step,
    },
    sim::Deployment,
    subject::Subject,
};

/// How many seeds say what can happen without a fault, for each way in which steps came.
const SEEDS: u64 = 300;
/// How often simulated code, and what it sends, takes its time where an operator may strike, and how long at most.
const SLOW_PPM: u32 = 300_000;
const SLOW_MS: u64 = 20;

/// How a scenario runs on a real server.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// The port to host the services on; 0 is any that is free.
    pub port: u16,
    /// How long everything together may take.
    pub patience: Duration,
    /// What happens later than this after everything else is not waited for.
    pub calm: Duration,
    /// Lets the run have services that others deployed on the server, until it ends.
    pub take_over: bool,
    /// Ends the run when it becomes true.
    pub stop: Arc<AtomicBool>,
}

impl Default for LiveOptions {
    fn default() -> Self {
        let (patience, calm) = (Duration::from_secs(120), Duration::from_secs(20));
        Self { port: 0, patience, calm, take_over: false, stop: Arc::default() }
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
/// that the scenario names. Before it begins, what earlier runs left is removed, if they were killed.
///
/// # Errors
/// If the server cannot be used, goes away, or does not come to rest in time; if others have services of the same
/// names there.
pub fn run(
    server: &Server,
    subject: &Subject,
    deployment: &Deployment,
    scenario: &Scenario,
    options: &LiveOptions,
) -> Result<LiveReport, LiveError> {
    if let Some(what) = scenario.plan.steps.iter().find_map(simulated_alone) {
        return Err(LiveError::Simulated { what });
    }
    let mut notes = Vec::new();
    // the simulated clock shows what the real one shows
    let mut scenario = scenario.clone();
    if scenario.plan.is_drawn() {
        scenario.plan = scenario.plan.drawn(&mut Seeded::new(Seed(0))).into_owned();
        notes.push("what the scenario draws is as with seed 0, on both sides".to_owned());
    }
    let clock = Clock::start();
    scenario.plan.start_unix_ms.get_or_insert(clock.start_unix_ms());
    let (history, observed, acted) =
        on_server(server, subject, deployment, (&scenario, clock), options, &mut notes)?;
    let oracles = subject.oracles_of(&scenario);
    let violations = judge_live(&scenario, &oracles, &history, &mut notes);
    let plain = without_faults(&scenario, &mut notes);
    let simulated = allowed(subject, deployment, plain, &acted, options.calm, &mut notes);
    let differences = compare(&observed, &simulated);
    let operators = scenario.plan.steps.iter().any(|step| is_operators(&step.action));
    if !differences.is_empty() && operators {
        let why = "an operator may have struck at a moment that none of the simulated runs had; run it again";
        notes.push(why.to_owned());
    }
    let title = scenario.title;
    Ok(LiveReport { title, observed, differences, violations, notes, history })
}

/// What a step has that a real server is not watched closely enough for.
fn simulated_alone(step: &Step) -> Option<String> {
    let id = &step.step;
    if let Action::Call { faults, .. } = &step.action
        && let Some(fault) = faults.first()
    {
        return Some(format!("step `{id}` has the fault `{fault}`"));
    }
    if let Some(taken) = step.takes.first() {
        return Some(format!("step `{id}` takes {} from a reply", taken.placeholder));
    }
    if let Some(until) = &step.until {
        return Some(format!("step `{id}` goes on until {}", until.what));
    }
    step.when.as_ref().map(|wait| format!("step `{id}` waits for {wait}"))
}

/// Hosts the services, registers them, does what the scenario says, and reads back what came of it.
fn on_server(
    server: &Server,
    subject: &Subject,
    deployment: &Deployment,
    (scenario, clock): (&Scenario, Clock),
    options: &LiveOptions,
    notes: &mut Vec<String>,
) -> Result<(History, Observed, Acted), LiveError> {
    server.check()?;
    let mark = Mark::new(clock);
    let log = Log::new(clock, mark.name());
    let world = WorldOptions { plan: scenario.plan.world.clone(), ..WorldOptions::default() };
    let host = HostOptions {
        port: options.port,
        always_replay: scenario.plan.restate.always_replay,
        ..HostOptions::default()
    };
    let (hosted, systems) = watch(deployment, &world, &host, &log)?;
    let objects = objects_of(subject, deployment, scenario);
    let names = Names::new(&scenario.plan, objects, mark.name());
    let deliveries = Deliveries::start(systems, server, (&names, &mark), &log, options.patience);
    let guest = Guest::register(
        server,
        deployment,
        (hosted, deliveries),
        (mark.clone(), clock),
        (options.take_over, &options.stop),
        notes,
    )?;
    guest.set_opening_states(scenario, &names, &log)?;
    let look = || guest.invocations();
    let deploy = |revision: &Revision| guest.deploy(deployment.later(revision), revision, &log);
    let take_down = |time| guest.take_down(time);
    let clients = Clients {
        server,
        plan: &scenario.plan,
        catalog: deployment.catalog(),
        mark: &mark,
        names: &names,
        log: &log,
        deliveries: &guest.deliveries,
        clock,
        patience: options.patience,
        stop: &options.stop,
        look: &look,
        deploy: &deploy,
        take_down: &take_down,
        ids: RefCell::default(),
        flying: RefCell::default(),
    };
    let acted = clients.act()?;
    let rows = guest.settle((options.patience, options.calm), notes)?;
    let history = log.history(&rows, deployment.catalog());
    let ids = subject.id_prefixes();
    let mut observed = Observed::of(&history, options.patience, ids);
    observed.state = guest.state(&log, Mask::new(ids))?;
    Ok((history, observed, acted))
}

/// The keys of the objects that a simulated run comes to: the real run's have a prefix, also where only a body names them.
fn objects_of(subject: &Subject, deployment: &Deployment, scenario: &Scenario) -> BTreeSet<String> {
    let plain = without_faults(scenario, &mut Vec::new());
    let campaign = Campaign {
        strategy: Strategy::Fifo,
        ..Campaign::new("the simulation", subject, deployment, &plain)
    };
    // a run that has no end knows no objects
    let Ok(run) = campaign.replay_seed(Seed(0)) else { return BTreeSet::new() };
    let key = |record: &Record| match &record.event {
        Event::InvocationCreated { target, .. } => Some(target.key.to_string()),
        _ => None,
    };
    run.history.records().iter().filter_map(key).collect()
}

/// What the simulation allows, of the steps that were done: at the times that the scenario gives them, and as early
/// as they came on the server.
fn allowed(
    subject: &Subject,
    deployment: &Deployment,
    mut scenario: Scenario,
    acted: &Acted,
    calm: Duration,
    notes: &mut Vec<String>,
) -> Vec<Observed> {
    let Acted { moved, left } = acted;
    let name = |index: &usize| scenario.plan.steps[*index].request.as_str();
    if let Some(first) = left.first() {
        notes.push(format!(
            "{} of {} steps, `{}` the first, come after something that is due on a day that a real server does not \
             reach now; what came before them was compared",
            left.len(),
            scenario.plan.steps.len(),
            name(first)
        ));
    }
    if let Some((first, _)) = moved.first_key_value() {
        notes.push(format!(
            "{} steps, `{}` the first, came as soon as all was quiet: nothing was to happen before their time",
            moved.len(),
            name(first)
        ));
    }
    let mut early = scenario.clone();
    for (index, after) in moved {
        let ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        early.plan.steps[*index].at_ms = Millis { from: ms, to: ms };
    }
    for plan in [&mut scenario.plan, &mut early.plan] {
        let mut index = 0..;
        plan.steps.retain(|_| index.next().is_some_and(|index| !left.contains(&index)));
    }
    let mut ways = vec![scenario];
    if !moved.is_empty() {
        ways.push(early);
    }
    // real code takes time, and so do its messages: an operator can strike within either
    if ways[0].plan.steps.iter().any(|step| is_operators(&step.action)) {
        let mut slow = ways.clone();
        for scenario in &mut slow {
            let faults = &mut scenario.plan.faults;
            for fault in [Fault::HandlerSlow, Fault::MessageDelayed] {
                faults.rates.insert(FaultName::BuiltIn(fault), Rate::from_ppm(SLOW_PPM));
                faults.up_to_ms.insert(FaultName::BuiltIn(fault), SLOW_MS);
            }
        }
        ways.extend(slow);
    }
    // each seed once: what two seeds have in common is not random
    let mut all = Vec::new();
    let mut next = 0;
    for scenario in &ways {
        let seeds: Vec<u64> = (next..next + SEEDS).collect();
        next += SEEDS;
        all.extend(simulate(subject, deployment, scenario, &seeds, calm));
    }
    all
}

/// Whether an operator does it, to what other steps started.
const fn is_operators(action: &Action) -> bool {
    matches!(
        action,
        Action::Cancel { .. }
            | Action::Kill { .. }
            | Action::Pause { .. }
            | Action::Resume { .. }
            | Action::Purge { .. }
            | Action::EndpointDown { .. }
            | Action::Deploy { .. }
    )
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
    // what is seen is compared, and nothing is judged
    let scenario = &Scenario { invariants: Vec::new(), ..scenario.clone() };
    let campaign = Campaign {
        strategy: Strategy::Fifo,
        ..Campaign::new("the simulation", subject, deployment, scenario)
    };
    let one = |seed: &u64| {
        // a run that has no end shows nothing that could be compared
        let run = campaign.replay_seed(Seed(*seed)).ok()?;
        Some(Observed::of(&run.history, calm, subject.id_prefixes()))
    };
    seeds.iter().filter_map(one).collect()
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
    if !std::mem::take(&mut plain.plan.decisions).is_empty() {
        notes.push("the scenario's `decisions` are not taken on a real server".to_owned());
    }
    let always_replay = plain.plan.restate.always_replay;
    if plain.plan.restate != (RestatePlan { always_replay, ..RestatePlan::default() }) {
        notes.push("the scenario's `restate` settings are not those of the server".to_owned());
    }
    plain
}
