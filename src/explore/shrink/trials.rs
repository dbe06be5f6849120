//! Candidates are run: each once, and no more than the budget says.
//!
//! Must not know: where candidates come from.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    case::{Case, Failing},
    signature::Signature,
};
use crate::{
    base::{Digest, Seed},
    choice::{Recorder, Source, Tape},
    explore::{
        campaign::Campaign,
        expect,
        pool::{self, Watched},
        twin::{Compared, Twin},
        verdict::verdict,
    },
    host::watch::{self, Doing},
    oracle::{Oracle, Verdict},
    scenario::plan::{Expectation, Plan, Scenario, TWIN},
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
    /// What fails, and without any decision too, by its fingerprint.
    unlike: BTreeSet<Digest>,
    /// Whether it takes a decision for the failure to happen, as it was found; none before that is known.
    needs_decisions: Option<bool>,
    left: u64,
    runs: u64,
    hung: bool,
    /// Whether expectations of effects and states are met in the whole scenario when nothing is decided; none if it was
    /// not asked yet.
    calm: Option<bool>,
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
            unlike: BTreeSet::new(),
            needs_decisions: None,
            left: budget,
            runs: 0,
            hung: false,
            calm: None,
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
    ///
    /// What needs a decision to fail is not like what fails without one: an oracle that counts on all requests of a
    /// scenario is violated by fewer of them, whatever else happens.
    pub(super) fn run(&mut self, case: &Case) -> Result<Failing, Other> {
        if self.needs_decisions == Some(true) && self.unlike.contains(&digest(case)) {
            return Err(Other::Unlike);
        }
        let failing = self.alone(case)?;
        if self.needs_decisions == Some(true) && self.fails_plainly(case) {
            self.unlike.insert(digest(case));
            return Err(Other::Unlike);
        }
        Ok(failing)
    }

    /// Whether it fails without any decision.
    fn fails_plainly(&mut self, case: &Case) -> bool {
        let plain = plain(case);
        let digest = digest(&plain);
        if self.unlike.contains(&digest) {
            return true;
        }
        let fails = self.alone(&plain).is_ok();
        if fails {
            self.unlike.insert(digest);
        }
        fails
    }

    /// Finds out whether `case`, as it was found, needs a decision to fail.
    pub(super) fn begin(&mut self, case: &Case) {
        let fails = self.alone(&plain(case)).is_ok();
        self.needs_decisions = Some(!fails);
    }

    fn alone(&mut self, case: &Case) -> Result<Failing, Other> {
        let digest = digest(case);
        if let Some(other) = self.known.get(&digest) {
            return Err(*other);
        }
        if self.is_over() {
            return Err(Other::Unlike);
        }
        self.left -= 1;
        self.runs += 1;
        let result = match self.make(case, Logs::Discard) {
            Ok(_) if self.asks_for_what_is_gone(case) => Err(Other::Unlike),
            result => result,
        };
        if let Err(other) = &result {
            self.known.insert(digest, *other);
        }
        result
    }

    /// Whether the candidate fails only because nobody asks any more for what is expected: an email for a request that
    /// was taken away. Without any decision, what is left must be as expected; if even the whole scenario is not, no
    /// request can be spared.
    fn asks_for_what_is_gone(&mut self, case: &Case) -> bool {
        let all = &self.campaign.scenario.plan;
        let is_reply = |expectation: &Expectation| matches!(expectation, Expectation::Reply(_));
        if !self.wanted.is_of(expect::NAME)
            || case.plan.steps.len() == all.steps.len()
            || self.campaign.scenario.expect.iter().all(is_reply)
        {
            return false;
        }
        let is_calm = |trials: &mut Self, plan: &Plan| {
            let case = Case { plan: plan.clone(), tape: Tape::default() };
            matches!(trials.make(&case, Logs::Discard), Err(Other::Held))
        };
        let calm = self.calm.unwrap_or_else(|| is_calm(self, all));
        self.calm = Some(calm);
        !calm || !is_calm(self, &case.plan)
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
            let compared = twin.as_ref().map(|twin| twin.confirm(&result.history, *seed, &source));
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
        without_twin: of.without_twin,
        must_violate: of.must_violate.clone(),
        expect: of.expect.clone(),
        runs: of.runs,
    }
}

/// The same without any decision.
fn plain(case: &Case) -> Case {
    Case { plan: case.plan.clone(), tape: Tape::default() }
}

fn digest(case: &Case) -> Digest {
    let text = serde_json::to_vec(&(&case.plan, &case.tape));
    Digest::of(&text.expect("a plan and a tape are plain data"))
}
