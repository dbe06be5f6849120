//! Candidates are run: each once, and no more than the budget says.
//!
//! Must not know: where candidates come from.

use std::collections::BTreeMap;

use super::{
    case::{Case, Failing},
    signature::Signature,
};
use crate::{
    base::{Digest, Seed},
    choice::{Recorder, Source},
    explore::{
        campaign::Campaign,
        pool::{self, Watched},
        twin::{Compared, Twin},
        verdict::verdict,
    },
    host::watch::{self, Doing},
    oracle::{Oracle, Verdict},
    scenario::plan::{Scenario, TWIN},
    sim::{self, Logs},
};

/// What a candidate came to that does not fail in the way that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Other {
    /// Everything held.
    Held,
    /// Something else did not hold, a bound was reached, or nobody knows.
    Unlike,
}

/// Runs candidates.
pub(super) struct Trials<'a> {
    campaign: &'a Campaign<'a>,
    oracles: Vec<&'a dyn Oracle>,
    watched: Watched,
    seed: Seed,
    wanted: Signature,
    /// What did not fail, by its fingerprint.
    known: BTreeMap<Digest, Other>,
    left: u64,
    runs: u64,
    hung: bool,
}

impl<'a> Trials<'a> {
    pub(super) fn new(
        campaign: &'a Campaign<'a>,
        seed: Seed,
        wanted: Signature,
        budget: u64,
    ) -> Self {
        Self {
            campaign,
            oracles: campaign.subject.oracles_of(campaign.scenario),
            watched: campaign.watched(),
            seed,
            wanted,
            known: BTreeMap::new(),
            left: budget,
            runs: 0,
            hung: false,
        }
    }

    /// How many candidates were run.
    pub(super) fn runs(&self) -> u64 {
        self.runs
    }

    /// True if there is nothing left to try them with.
    pub(super) fn is_over(&self) -> bool {
        self.left == 0 || self.hung || (self.campaign.stop)()
    }

    /// Allows so many runs more.
    pub(super) fn allow(&mut self, more: u64) {
        self.left += more;
    }

    /// The candidate, run, if it fails in the way that is looked for.
    pub(super) fn fails(&mut self, case: &Case) -> Option<Failing> {
        self.run(case).ok()
    }

    /// The same, or what it came to instead.
    pub(super) fn run(&mut self, case: &Case) -> Result<Failing, Other> {
        let digest = digest(case);
        if let Some(other) = self.known.get(&digest) {
            return Err(*other);
        }
        if self.is_over() {
            return Err(Other::Unlike);
        }
        self.left -= 1;
        self.runs += 1;
        let result = self.make(case, Logs::Discard);
        if let Err(other) = &result {
            self.known.insert(digest, *other);
        }
        result
    }

    /// The candidate with what its handlers log, whatever is left of the budget.
    pub(super) fn whole(&mut self, case: &Case) -> Option<Failing> {
        self.make(case, Logs::Keep).ok()
    }

    fn make(&mut self, case: &Case, logs: Logs) -> Result<Failing, Other> {
        let Self { campaign, oracles, watched, seed, wanted, .. } = self;
        let scenario = scenario(campaign.scenario, case);
        // what runs without faults do depends on the requests: they are made for each candidate
        let twin = if wanted.is_of(TWIN) {
            Twin::of(&scenario, campaign.deployment, (*watched, 1))
        } else {
            None
        };
        let run = || {
            let _run = watch::run(watched.scenario, *seed);
            let mut source = Recorder::new(case.tape.player(), true);
            let (deployment, plan) = (campaign.deployment, &case.plan);
            let result = sim::run(deployment, plan, *seed, &mut source, logs);
            let (_, tape) = source.finish();
            let source = || -> Box<dyn Source> { Box::new(case.tape.player()) };
            let compared = twin.as_ref().map(|twin| twin.compare(&result.history, *seed, &source));
            let twin = compared.map_or_else(Vec::new, Compared::violations);
            let judged = || {
                let more = (&mut BTreeMap::new(), twin.clone());
                verdict(&scenario, oracles, &result.history, more)
            };
            let verdict = watch::during(Doing::Oracles, judged);
            (result.history, tape, verdict)
        };
        let Ok((history, tape, verdict)) = pool::alone(*watched, run) else {
            // what has no end costs a thread and as long as a run may take: one is enough
            self.hung = true;
            return Err(Other::Unlike);
        };
        let violations = match verdict {
            Verdict::Held => return Err(Other::Held),
            Verdict::Violated(violations) => violations,
            Verdict::Inconclusive { .. } | Verdict::Panicked { .. } => return Err(Other::Unlike),
        };
        let Some(violation) = wanted.find(&violations, &history) else { return Err(Other::Unlike) };
        let case = Case { plan: case.plan.clone(), tape };
        Ok(Failing { case, violation: violation.clone(), history })
    }
}

/// The scenario that a case is a run of.
pub(super) fn scenario(of: &Scenario, case: &Case) -> Scenario {
    Scenario {
        title: of.title.clone(),
        why: of.why.clone(),
        plan: case.plan.clone(),
        invariants: of.invariants.clone(),
        must_violate: of.must_violate.clone(),
        expect: of.expect.clone(),
        runs: of.runs,
    }
}

fn digest(case: &Case) -> Digest {
    let text = serde_json::to_vec(&(&case.plan, &case.tape));
    Digest::of(&text.expect("a plan and a tape are plain data"))
}
