//! The way in from `cargo test`.
//!
//! Must not know: arguments of the command line.

mod keep;

use std::{
    ops::Range,
    path::{Path, PathBuf},
    slice, thread,
    time::Duration,
};

use crate::{
    base::Seed,
    explore::{
        Bound, Campaign, Exhaustive, Explored, RUN_LIMIT, Replayed, SHRINK_RUNS, Strategy,
        Unfinished, exhaustive, exhaustive_scenario, explore, outcome::Summary,
    },
    host::Endpoint,
    oracle::Oracle,
    report::{
        self,
        paint::Paint,
        text::{Again, Failure, Verbosity},
        timeline::Look,
    },
    scenario::{self, Diagnostics, LoadError, plan::Scenario, reproducer::Reproducer},
    sim::Deployment,
    subject::{Subject, SubjectError},
    system::{System, World},
};

pub(crate) use keep::keep;

/// The environment variable that makes [`Simulation::check`] run one seed only.
pub const SEED_VARIABLE: &str = "ONCEPROOF_SEED";
/// The environment variable with which [`Simulation::check`] runs every scenario with always replay: `1`, or `0`.
pub const ALWAYS_REPLAY_VARIABLE: &str = "ONCEPROOF_ALWAYS_REPLAY";

/// Simulates services under scenarios: many seeds, each a whole faulted history, each judged.
///
/// ```
/// use onceproof::{Simulation, history::Effect, oracle::at_most_once, system::*};
/// use restate_sdk::prelude::*;
///
/// // the hotel that the services call, simulated
/// #[derive(Debug, serde::Serialize, serde::Deserialize)]
/// #[serde(rename_all = "snake_case")]
/// enum Request {
///     Book { guest: String, key: String },
/// }
///
/// #[derive(Debug, serde::Serialize)]
/// struct Booked {
///     guest: String,
/// }
///
/// impl Effect for Booked {
///     const KIND: &'static str = "booked";
/// }
///
/// struct Hotel;
///
/// impl System for Hotel {
///     const NAME: &'static str = "hotel";
///     type Config = ();
///     type Request = Request;
///     type Response = ();
///
///     fn new(_: &()) -> Self {
///         Self
///     }
///
///     fn handle(&mut self, request: &Request, cx: &mut Context<'_>) -> Result<(), Rejected> {
///         let Request::Book { guest, key } = request;
///         cx.once(key.as_str(), request, |cx| {
///             cx.effect(Booked { guest: guest.clone() });
///             Ok(())
///         })
///     }
/// }
///
/// // the services, as they are in production
/// struct Bookings(Connection<Hotel>);
///
/// #[object]
/// impl Bookings {
///     #[handler]
///     async fn book(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
///         let (guest, key) = (ctx.key().to_owned(), ctx.key().to_owned());
///         let hotel = self.0.clone();
///         ctx.run(|| async move { Ok(hotel.call(Request::Book { guest, key }).await?) }).await?;
///         Ok(())
///     }
/// }
///
/// Simulation::new(|world| {
///     onceproof::endpoint!(Endpoint::builder().bind(Bookings(world.connect::<Hotel>())).build())
/// })
/// .system::<Hotel>()
/// .oracle(
///     at_most_once::<Booked>()
///         .per(|booked| booked.guest.clone())
///         .named("booked_once"),
/// )
/// .scenario_text(
///     "bookings",
///     r#"{
///         "title": "guests book while everything fails",
///         "steps": [{ "id": "book", "call": "Bookings/guest-{i}/book", "for": { "i": [1, 3] } }],
///         "faults": "default"
///     }"#,
/// )
/// .runs(20)
/// .check();
/// ```
#[must_use = "nothing runs before `check` or `explore`"]
pub struct Simulation {
    subject: Subject,
    sources: Vec<Source>,
    seeds: Option<Range<u64>>,
    strategy: Strategy,
    coverage: bool,
    jobs: Option<usize>,
    run_limit: Duration,
    shrink_runs: u64,
    out: PathBuf,
    always_replay: bool,
    twin: bool,
    exhaustive: Option<Bound>,
}

enum Source {
    File(PathBuf),
    Folder(PathBuf),
    Text(String, String),
}

/// Why nothing could be simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// No scenario was given.
    #[error("no scenario was given; add `.scenario(\"scenarios/NAME.json\")`")]
    NoScenario,
    /// The scenario cannot be read, or is wrong; the text names every error and its place.
    #[error("{0}")]
    Scenario(String),
    /// The services cannot be simulated.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// `ONCEPROOF_SEED` is not a number.
    #[error("{SEED_VARIABLE} is {0:?}; give it a whole number, as printed with a violation")]
    Seed(String),
    /// `ONCEPROOF_ALWAYS_REPLAY` is neither yes nor no.
    #[error(
        "{ALWAYS_REPLAY_VARIABLE} is {0:?}; 1 runs every scenario with always replay, 0 as it says itself"
    )]
    AlwaysReplay(String),
    /// Something did not hold; the text is the whole report.
    #[error("{0}")]
    Failed(String),
    /// A run has no end; the text says what was running.
    #[error("{0}")]
    Unfinished(String),
    /// A reproducer could not be read.
    #[error("cannot use the reproducer: {0}")]
    Reproducer(String),
}

impl Simulation {
    /// Services of any domain: `build` makes one process, with empty memory, around the outside world of its
    /// run.
    pub fn new(build: impl Fn(&World) -> Endpoint + Send + Sync + 'static) -> Self {
        Self::of(Subject::new(build))
    }

    /// The services of a [`Subject`], with its systems and oracles.
    pub fn of(subject: Subject) -> Self {
        let out = PathBuf::from("onceproof-out");
        Self {
            subject,
            sources: Vec::new(),
            seeds: None,
            strategy: Strategy::default(),
            coverage: false,
            jobs: None,
            run_limit: RUN_LIMIT,
            shrink_runs: SHRINK_RUNS,
            out,
            always_replay: false,
            twin: false,
            exhaustive: None,
        }
    }

    /// A system of the outside world that the services call.
    ///
    /// # Panics
    /// If there is another system of that name.
    pub fn system<S: System>(mut self) -> Self {
        self.subject = self.subject.system::<S>();
        self
    }

    /// Another revision of the services, which a step of the scenario deploys: see
    /// [`Subject::revision`].
    pub fn revision(
        mut self,
        name: impl Into<String>,
        build: impl Fn(&World) -> Endpoint + Send + Sync + 'static,
    ) -> Self {
        self.subject = self.subject.revision(name, "", build);
        self
    }

    /// Something that must hold, beside what must hold for all services.
    pub fn oracle(mut self, oracle: impl Oracle + 'static) -> Self {
        self.subject = self.subject.oracle(oracle);
        self
    }

    /// A scenario file to run; call it again for another one.
    pub fn scenario(mut self, path: impl Into<PathBuf>) -> Self {
        self.sources.push(Source::File(path.into()));
        self
    }

    /// All scenario files of a folder, in the order of their names.
    pub fn scenarios(mut self, folder: impl Into<PathBuf>) -> Self {
        self.sources.push(Source::Folder(folder.into()));
        self
    }

    /// A scenario given as text; `name` stands for the file in errors and reproducers.
    pub fn scenario_text(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.sources.push(Source::Text(name.into(), text.into()));
        self
    }

    /// How many seeds to run of each scenario, from 0; otherwise as many as its `runs` says.
    pub fn runs(self, runs: u64) -> Self {
        self.seeds(0..runs)
    }

    /// Which seeds to run of each scenario.
    pub fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = Some(seeds);
        self
    }

    /// Runs exactly this seed.
    pub fn seed(self, seed: u64) -> Self {
        self.seeds(seed..seed.saturating_add(1))
    }

    /// In which order what may happen next is tried, and which faults; otherwise as the portfolio has it.
    ///
    /// ```
    /// # use onceproof::{Simulation, explore::Strategy};
    /// fn with_faults_alone(bookings: Simulation) -> Simulation {
    ///     bookings.strategy(Strategy::Fifo)
    /// }
    /// ```
    pub const fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Notes which places in handlers the runs reach, and how often they show something new:
    /// [`ScenarioReport::coverage`](crate::explore::outcome::ScenarioReport::coverage).
    pub const fn coverage(mut self) -> Self {
        self.coverage = true;
        self
    }

    /// Has every await suspend and every resume replay the journal, whatever the scenarios say: what a handler
    /// does differently when it is replayed then shows without any fault. A team runs its tests both ways.
    ///
    /// ```
    /// # use onceproof::Simulation;
    /// fn both_ways(bookings: impl Fn() -> Simulation) {
    ///     bookings().check();
    ///     bookings().always_replay().check();
    /// }
    /// ```
    pub const fn always_replay(mut self) -> Self {
        self.always_replay = true;
        self
    }

    /// Compares each run in which only faults struck that Restate hides with runs without faults: answers, states and
    /// effects must be the same. No oracle has to be written for that.
    ///
    /// ```
    /// # use onceproof::Simulation;
    /// fn crashes_do_not_show(bookings: Simulation) {
    ///     bookings.twin().check();
    /// }
    /// ```
    pub const fn twin(mut self) -> Self {
        self.twin = true;
        self
    }

    /// Tries every place at which a fault can strike, each in a history of its own, up to `bound`: `Bound::AtMost(1)` is every
    /// single fault. The seed, the first of [`seeds`](Self::seeds), decides all that is no fault.
    ///
    /// ```
    /// # use onceproof::{Simulation, explore::Bound};
    /// fn no_crash_shows(bookings: Simulation) {
    ///     bookings.twin().exhaustive(Bound::AtMost(1)).check();
    /// }
    /// ```
    pub fn exhaustive(mut self, bound: Bound) -> Self {
        self.exhaustive = Some(bound);
        self
    }

    /// How many threads to use, at most 256; otherwise one per core. The result is the same for any number.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = Some(jobs);
        self
    }

    /// How long one run may take, in real time; otherwise [`RUN_LIMIT`]. A handler that never comes back is named then,
    /// and its thread is left behind.
    pub const fn run_limit(mut self, limit: Duration) -> Self {
        self.run_limit = limit;
        self
    }

    /// How many smaller runs are tried for each failure; otherwise [`SHRINK_RUNS`]. With 0, a failure is reported as it was
    /// found.
    pub const fn shrink_runs(mut self, runs: u64) -> Self {
        self.shrink_runs = runs;
        self
    }

    /// The folder for reproducers; otherwise `onceproof-out`.
    pub fn out(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out = folder.into();
        self
    }

    /// Runs every scenario, and returns what came of each, with the smallest run for each violation; writes nothing.
    ///
    /// # Errors
    /// If a scenario or the services cannot be used.
    pub fn explore(&self) -> Result<Vec<(Scenario, Explored)>, SimulationError> {
        self.load()?.into_iter().map(|(name, scenario)| self.explore_one(name, scenario)).collect()
    }

    fn explore_one(
        &self,
        name: String,
        scenario: Scenario,
    ) -> Result<(Scenario, Explored), SimulationError> {
        let deployment = self.subject.deployment_of(&scenario)?;
        let campaign = Campaign {
            seeds: self.seeds.clone().unwrap_or(0..scenario.runs),
            jobs: jobs(self.jobs),
            ..self.campaign(&name, &deployment, &scenario)
        };
        let mut explored = match &self.exhaustive {
            None => explore(&campaign),
            Some(bound) => {
                let seed = Seed(campaign.seeds.start);
                let how = Exhaustive { bound: bound.clone(), seed, prune: true };
                exhaustive(&campaign, &how, &|_| {})
            }
        };
        explored.shrink(&campaign, self.shrink_runs);
        report::explain::explain(&mut explored);
        explored.report.file = name;
        Ok((scenario, explored))
    }

    fn campaign<'a>(
        &'a self,
        name: &'a str,
        deployment: &'a Deployment,
        scenario: &'a Scenario,
    ) -> Campaign<'a> {
        let Self { run_limit, strategy, coverage, .. } = *self;
        Campaign {
            run_limit,
            strategy,
            coverage,
            ..Campaign::new(name, &self.subject, deployment, scenario)
        }
    }

    /// Runs one seed of the (first) scenario and returns everything that happened; writes nothing.
    ///
    /// # Errors
    /// If the scenario or the services cannot be used, or the run has no end.
    pub fn replay(&self, seed: u64) -> Result<Replayed, SimulationError> {
        let (name, scenario) = self.load()?.swap_remove(0);
        let deployment = self.subject.deployment_of(&scenario)?;
        let campaign = self.campaign(&name, &deployment, &scenario);
        campaign.replay_seed(Seed(seed)).map_err(|run| has_no_end(&run))
    }

    /// Runs a reproducer, as `check` or the command line wrote it, and returns it with everything that happened.
    ///
    /// # Errors
    /// If the reproducer or the services cannot be used, or the run has no end.
    pub fn replay_file(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<(Reproducer, Replayed), SimulationError> {
        let recorded = Reproducer::read(path.as_ref())
            .map_err(|e| SimulationError::Reproducer(e.to_string()))?;
        let scenario = &recorded.scenario;
        let deployment = self.subject.deployment_of(scenario)?;
        self.subject.recognizes(scenario, &deployment)?;
        let campaign = self.campaign(&recorded.file, &deployment, scenario);
        let replayed = campaign.replay(recorded.seed, &recorded.tape);
        let replayed = replayed.map_err(|run| has_no_end(&run))?;
        Ok((recorded, replayed))
    }

    /// Runs every scenario, and returns the report unless everything held. Writes nothing: for tests that run
    /// many simulations, such as those of `proptest`, which look for the smallest failing input themselves.
    ///
    /// ```
    /// # use onceproof::Simulation;
    /// use proptest::prelude::*;
    ///
    /// fn holds_for(simulation: Simulation, guests: u32) -> Result<(), TestCaseError> {
    ///     let steps = format!(r#"[{{ "id": "b", "call": "Bookings/g/book", "copies": {guests} }}]"#);
    ///     let scenario = format!(r#"{{ "title": "guests book", "steps": {steps} }}"#);
    ///     let simulation = simulation.scenario_text("generated", scenario).runs(10);
    ///     simulation.try_check().map_err(|e| TestCaseError::fail(e.to_string()))
    /// }
    /// ```
    ///
    /// # Errors
    /// [`SimulationError::Failed`] if anything did not hold; others if a scenario or the services cannot be used.
    pub fn try_check(&self) -> Result<(), SimulationError> {
        for (_, explored) in self.explore()? {
            if !explored.report.verdict.passed() {
                return Err(SimulationError::Failed(failed(&explored, again(None))));
            }
        }
        Ok(())
    }

    /// Runs every scenario, and panics with the report unless everything held; writes a reproducer for each
    /// violation; one that cannot be written is named in the report. With `ONCEPROOF_SEED` set, runs that seed only; with
    /// `ONCEPROOF_ALWAYS_REPLAY=1`, as [`Simulation::always_replay`] has it.
    ///
    /// Some seeds are run again, after others: the services must do the same for the same seed. That is compared within
    /// this process; the command line over the same [`Subject`] compares with a second one too.
    ///
    /// # Panics
    /// If anything did not hold, or a scenario or the services cannot be used.
    #[track_caller]
    pub fn check(mut self) {
        if let Ok(text) = from_environment(SEED_VARIABLE) {
            match text.parse() {
                Ok(seed) => self = self.seed(seed),
                Err(_) => panic!("{}", SimulationError::Seed(text)),
            }
        }
        if let Ok(text) = from_environment(ALWAYS_REPLAY_VARIABLE) {
            match text.as_str() {
                "1" | "true" => self = self.always_replay(),
                "" | "0" | "false" => {}
                _ => panic!("{}", SimulationError::AlwaysReplay(text)),
            }
        }
        let thread = thread::current();
        let test = thread.name().filter(|name| *name != "main");
        let mut reports = String::new();
        // not in closures, where the panic would be here and not at the caller's
        let all = match self.explore() {
            Ok(all) => all,
            Err(error) => panic!("{error}"),
        };
        for (scenario, mut explored) in all {
            let file = explored.report.file.clone();
            keep(&self.out, &file, &scenario, &mut explored);
            if !explored.report.verdict.passed() {
                reports.push_str(&failed(&explored, again(test)));
            }
        }
        if !reports.is_empty() {
            panic!("{reports}");
        }
    }

    fn load(&self) -> Result<Vec<(String, Scenario)>, SimulationError> {
        if self.sources.is_empty() {
            return Err(SimulationError::NoScenario);
        }
        let catalog = self.subject.catalog()?;
        let mut loaded = Vec::new();
        for source in &self.sources {
            let files = match source {
                Source::File(path) => vec![path.clone()],
                Source::Folder(folder) => scenario::find(slice::from_ref(folder)).map_err(wrong)?,
                Source::Text(name, text) => {
                    let wrong = |d: Diagnostics| SimulationError::Scenario(d.to_string());
                    let scenario = scenario::parse(name, text, &catalog).map_err(wrong)?;
                    loaded.push((name.clone(), scenario));
                    continue;
                }
            };
            for path in files {
                let scenario = scenario::load(&path, &catalog).map_err(wrong)?;
                loaded.push((path.display().to_string(), scenario));
            }
        }
        if self.twin {
            loaded.iter_mut().for_each(|(_, scenario)| scenario.add_twin());
        }
        if let Some(bound) = &self.exhaustive {
            for (_, scenario) in &mut loaded {
                *scenario = exhaustive_scenario(scenario, bound);
            }
        }
        if self.always_replay {
            loaded.iter_mut().for_each(|(_, scenario)| scenario.plan.set_always_replay());
        }
        Ok(loaded)
    }
}

fn has_no_end(run: &Unfinished) -> SimulationError {
    SimulationError::Unfinished(report::explain::unfinished(run).sentence())
}

fn wrong(error: LoadError) -> SimulationError {
    SimulationError::Scenario(error.to_string())
}

fn again(test: Option<&str>) -> Again<'_> {
    Again::Test { variable: SEED_VARIABLE, test }
}

/// Everything that a person needs, as the message of a failed test.
fn failed(explored: &Explored, again: Again<'_>) -> String {
    let mut text = String::from("\n");
    for failure in failures(explored, again) {
        text.push_str(&report::text::failure(&failure, Look::default()));
        text.push('\n');
    }
    let summary = Summary {
        version: Summary::VERSION,
        runs: explored.report.runs,
        events: explored.report.events,
        scenarios: vec![explored.report.clone()],
        ..Summary::default()
    };
    text.push_str(&report::text::summary(&summary, Verbosity::Verbose, Paint::Plain, again));
    text
}

/// The violations found, each ready to be reported.
pub(crate) fn failures<'a>(
    explored: &'a Explored,
    again: Again<'a>,
) -> impl Iterator<Item = Failure<'a>> {
    explored.found.iter().zip(&explored.report.violations).map(move |(found, row)| {
        let (history, violation) = found.shown();
        let violations = slice::from_ref(violation);
        Failure { scenario: &explored.report, found: row, history, violations, again }
    })
}

/// More threads than any machine gains from; a number that no machine could start would end the command.
const JOBS_MAX: usize = 256;

/// As many jobs as asked for, within reason; one per core if nobody asks.
pub(crate) fn jobs(asked: Option<usize>) -> usize {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    asked.map_or_else(cores, |asked| asked.min(JOBS_MAX.max(cores())))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the documented way to say how a test runs; read before any run begins"
)]
fn from_environment(variable: &str) -> Result<String, std::env::VarError> {
    std::env::var(variable)
}
