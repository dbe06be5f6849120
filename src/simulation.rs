//! The way in from `cargo test`.
//!
//! Must not know: arguments of the command line.

use std::{
    path::{Path, PathBuf},
    thread,
};

use restate_sdk::prelude::Endpoint;

use crate::{
    base::Seed,
    explore::{Campaign, Replayed, Swept, explore, outcome::Summary, replay, replay_seed},
    invariants::Invariant,
    report::{
        self,
        paint::Paint,
        text::{Again, Failure, Verbosity},
        timeline::Look,
    },
    scenario::{
        self, LoadError,
        plan::Scenario,
        reproducer::{ReproducedVerdict, Reproducer},
    },
    subject::{Subject, SubjectError},
    world::Systems,
};

/// The environment variable that makes [`Simulation::check`] run one seed only.
pub const SEED_VARIABLE: &str = "ONCEPROOF_SEED";

/// Simulates services under a scenario: many seeds, each a whole faulted history, each judged.
///
/// ```no_run
/// # use restate_sdk::prelude::*;
/// # use std::sync::Arc;
/// # struct MyPayments(Arc<dyn onceproof::world::PaymentGateway>);
/// # #[object] impl MyPayments { #[handler] async fn pay(&self, _c: ObjectContext<'_>) -> HandlerResult<()> { Ok(()) } }
/// # fn nobody_pays_twice() {
/// onceproof::Simulation::new(|world| Endpoint::builder().bind(MyPayments(world.gateway.clone())).build())
///     .scenario("scenarios/my_payments.json")
///     .runs(1_000)
///     .check();
/// # }
/// ```
#[must_use = "nothing runs before `check` or `explore`"]
pub struct Simulation {
    subject: Subject,
    source: Source,
    runs: Option<u64>,
    seed: Option<u64>,
    jobs: Option<usize>,
    out: PathBuf,
}

enum Source {
    None,
    File(PathBuf),
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
    /// A reproducer could not be written, or read.
    #[error("cannot use the reproducer: {0}")]
    Reproducer(String),
}

impl Simulation {
    /// Services of the caller's own: `build` makes one process, with empty memory, around the
    /// systems of the simulated world.
    pub fn new(build: impl Fn(&Systems) -> Endpoint + Send + Sync + 'static) -> Self {
        Self::of(Subject::new(build))
    }

    /// The reference services that ship with onceproof.
    pub fn reference() -> Self {
        Self::of(Subject::reference())
    }

    fn of(subject: Subject) -> Self {
        let out = PathBuf::from("onceproof-out");
        Self { subject, source: Source::None, runs: None, seed: None, jobs: None, out }
    }

    /// The scenario file to run.
    pub fn scenario(mut self, path: impl Into<PathBuf>) -> Self {
        self.source = Source::File(path.into());
        self
    }

    /// A scenario given as text; `name` stands for the file in errors and reproducers.
    pub fn scenario_text(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.source = Source::Text(name.into(), text.into());
        self
    }

    /// How many seeds to run, from 0; otherwise the scenario's `runs`.
    pub fn runs(mut self, runs: u64) -> Self {
        self.runs = Some(runs);
        self
    }

    /// Runs exactly this seed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How many threads to use; otherwise one per core. The result is the same for any number.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = Some(jobs);
        self
    }

    /// The folder for reproducers; otherwise `onceproof-out`.
    pub fn out(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out = folder.into();
        self
    }

    /// Checks an invariant of the caller's own, beside those that ship.
    pub fn invariant(mut self, invariant: impl Invariant + 'static) -> Self {
        self.subject = self.subject.with_invariant(invariant);
        self
    }

    /// Runs, and returns what came of it; writes nothing.
    ///
    /// # Errors
    /// If the scenario or the services cannot be used.
    pub fn explore(&self) -> Result<(Scenario, Swept), SimulationError> {
        let (name, scenario) = self.load()?;
        let deployment = self.subject.deployment(&scenario.plan.services)?;
        let invariants = self.subject.invariants_of(&scenario);
        let seeds = match self.seed {
            Some(seed) => seed..seed.saturating_add(1),
            None => 0..self.runs.unwrap_or(scenario.runs),
        };
        let mut swept = explore(&Campaign {
            deployment: &deployment,
            scenario: &scenario,
            invariants: &invariants,
            seeds,
            jobs: self.jobs.unwrap_or_else(default_jobs),
            stop: &|| false,
            progress: &|| {},
        });
        swept.report.file = name;
        Ok((scenario, swept))
    }

    /// Runs one seed and returns everything that happened; writes nothing.
    ///
    /// # Errors
    /// If the scenario or the services cannot be used.
    pub fn replay(&self, seed: u64) -> Result<Replayed, SimulationError> {
        let (_, scenario) = self.load()?;
        let deployment = self.subject.deployment(&scenario.plan.services)?;
        let invariants = self.subject.invariants_of(&scenario);
        Ok(replay_seed(&deployment, &scenario, &invariants, Seed(seed)))
    }

    /// Runs a reproducer, as `check` or the command line wrote it, and returns it with everything that
    /// happened.
    ///
    /// # Errors
    /// If the reproducer or the services cannot be used.
    pub fn replay_file(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<(Reproducer, Replayed), SimulationError> {
        let recorded = Reproducer::read(path.as_ref())
            .map_err(|e| SimulationError::Reproducer(e.to_string()))?;
        let scenario = &recorded.scenario;
        let deployment = self.subject.deployment(&scenario.plan.services)?;
        self.subject.recognizes(scenario, &deployment)?;
        let invariants = self.subject.invariants_of(scenario);
        let seen = replay(&deployment, scenario, &invariants, recorded.seed, &recorded.tape);
        Ok((recorded, seen))
    }

    /// Runs, and panics with the report unless everything held; writes a reproducer for each
    /// violation. With `ONCEPROOF_SEED` set, runs that seed only.
    ///
    /// # Panics
    /// If anything did not hold, or the scenario or the services cannot be used.
    #[track_caller]
    pub fn check(mut self) {
        if let Ok(text) = seed_from_environment() {
            match text.parse() {
                Ok(seed) => self.seed = Some(seed),
                Err(_) => panic!("{}", SimulationError::Seed(text)),
            }
        }
        let (scenario, mut swept) = self.explore().unwrap_or_else(|e| panic!("{e}"));
        let file = swept.report.file.clone();
        keep(&self.out, &file, &scenario, &mut swept).unwrap_or_else(|e| panic!("{e}"));
        if !swept.report.verdict.passed() {
            panic!("{}", told(&swept));
        }
    }

    fn load(&self) -> Result<(String, Scenario), SimulationError> {
        let known = self.subject.known()?;
        let (name, text) = match &self.source {
            Source::None => return Err(SimulationError::NoScenario),
            Source::File(path) => {
                let load = |e: LoadError| SimulationError::Scenario(e.to_string());
                let scenario = scenario::load(path, &known).map_err(load)?;
                return Ok((path.display().to_string(), scenario));
            }
            Source::Text(name, text) => (name, text),
        };
        let scenario = scenario::parse(name, text, &known)
            .map_err(|d| SimulationError::Scenario(d.to_string()))?;
        Ok((name.clone(), scenario))
    }
}

const AGAIN: Again<'static> = Again::Test(SEED_VARIABLE);

/// Everything that a person needs, as the message of a failed test.
fn told(swept: &Swept) -> String {
    let mut text = String::from("\n");
    for failure in failures(swept, AGAIN) {
        text.push_str(&report::text::failure(&failure, Look::default()));
        text.push('\n');
    }
    let summary = Summary {
        version: Summary::VERSION,
        scenarios: vec![swept.report.clone()],
        ..Summary::default()
    };
    text.push_str(&report::text::summary(&summary, Verbosity::Verbose, Paint::Plain, AGAIN));
    text
}

/// The violations found, each ready to be told.
pub(crate) fn failures<'a>(
    swept: &'a Swept,
    again: Again<'a>,
) -> impl Iterator<Item = Failure<'a>> {
    swept.found.iter().zip(&swept.report.violations).map(move |(found, row)| Failure {
        scenario: &swept.report,
        found: row,
        history: &found.history,
        violations: std::slice::from_ref(&found.violation),
        again,
    })
}

/// Writes a reproducer for each violation found, and names it in the report.
///
/// # Errors
/// If one cannot be written.
pub(crate) fn keep(
    folder: &Path,
    file: &str,
    scenario: &Scenario,
    swept: &mut Swept,
) -> Result<(), SimulationError> {
    for (found, row) in swept.found.iter().zip(&mut swept.report.violations) {
        let reproducer = Reproducer::new(
            file.to_owned(),
            scenario.clone(),
            found.seed,
            found.tape.clone(),
            ReproducedVerdict {
                invariant: found.violation.invariant.to_owned(),
                message: found.violation.message.clone(),
            },
            found.digest,
        );
        let path =
            reproducer.write(folder).map_err(|e| SimulationError::Reproducer(e.to_string()))?;
        row.reproducer = Some(path.display().to_string());
    }
    Ok(())
}

/// One job per core.
pub(crate) fn default_jobs() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the documented way to pick a seed; read before any run begins"
)]
fn seed_from_environment() -> Result<String, std::env::VarError> {
    std::env::var(SEED_VARIABLE)
}
