//! One run, seen whole: from its seed, or from a recorded tape.
//!
//! Must not know: how many runs there are.

use std::collections::BTreeMap;

use super::{
    campaign::Campaign,
    pool::{self, Unfinished},
    verdict::verdict,
};
use crate::{
    base::{Digest, Seed},
    choice::{Recorder, Tape},
    history::History,
    host::watch::{self, Doing},
    oracle::{Verdict, Violation},
    scenario::plan::Scenario,
    sim::{self, Logs},
    subject::Subject,
};

impl Campaign<'_> {
    /// Runs one seed as the campaign's strategy has it, and keeps everything.
    ///
    /// # Errors
    /// If the run has no end.
    ///
    /// # Panics
    /// If the run panics: a bug of this crate.
    pub fn replay_seed(&self, seed: Seed) -> Result<Replayed, Box<Unfinished>> {
        self.alone(seed, || {
            let mut source = Recorder::new(self.sources().source(seed), true);
            let (deployment, plan) = (self.deployment, &self.scenario.plan);
            let result = sim::run(deployment, plan, seed, &mut source, Logs::Keep);
            let (_, tape) = source.finish();
            observed(self.subject, self.scenario, result.history, tape, Vec::new())
        })
    }

    /// Runs a recorded tape, and keeps everything.
    ///
    /// # Errors
    /// If the run has no end.
    ///
    /// # Panics
    /// If the run panics: a bug of this crate.
    pub fn replay(&self, seed: Seed, tape: &Tape) -> Result<Replayed, Box<Unfinished>> {
        self.alone(seed, || {
            let mut source = Recorder::new(tape.player(), true);
            let (deployment, plan) = (self.deployment, &self.scenario.plan);
            let result = sim::run(deployment, plan, seed, &mut source, Logs::Keep);
            let (player, tape) = source.finish();
            observed(self.subject, self.scenario, result.history, tape, player.stale())
        })
    }

    fn alone(
        &self,
        seed: Seed,
        run: impl Fn() -> Replayed + Sync,
    ) -> Result<Replayed, Box<Unfinished>> {
        let watched = self.watched();
        pool::alone(watched, || {
            let _run = watch::run(watched.scenario, seed);
            run()
        })
    }
}

/// One run, seen whole.
#[derive(Debug)]
pub struct Replayed {
    /// Everything that happened, handlers' log lines included.
    pub history: History,
    /// Its fingerprint.
    pub digest: Digest,
    /// The decisions of the run.
    pub tape: Tape,
    /// What did not hold.
    pub violations: Vec<Violation>,
    /// The bound that was reached, if one was.
    pub inconclusive: Option<(&'static str, u64)>,
    /// Decisions of a replayed tape that no longer fit; empty for a seed.
    pub stale: Vec<String>,
}

fn observed(
    subject: &Subject,
    scenario: &Scenario,
    history: History,
    tape: Tape,
    stale: Vec<String>,
) -> Replayed {
    let digest = history.digest();
    let oracles = subject.oracles_of(scenario);
    let judged = || verdict(scenario, &oracles, &history, &mut BTreeMap::new());
    let (violations, inconclusive) = match watch::during(Doing::Oracles, judged) {
        Verdict::Held => (Vec::new(), None),
        Verdict::Violated(violations) => (violations, None),
        Verdict::Inconclusive { bound, limit } => (Vec::new(), Some((bound, limit))),
        Verdict::Panicked { violations, .. } => (violations, None),
    };
    Replayed { history, digest, tape, violations, inconclusive, stale }
}
