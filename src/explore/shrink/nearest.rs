//! Why a run that was seen fails, and the nearest run in which everything held: what it takes is left out.
//!
//! Must not know: how it is worded, how it is shown.

use super::{
    case::{Case, Failing},
    requests::{self, By},
    settings,
    signature::Signature,
    trials::{self, Trials},
    undecided, why,
};
use crate::{
    base::Seed,
    explore::{
        campaign::Campaign,
        replay::Replayed,
        smallest::{Explanation, Need, What},
    },
    history::History,
    oracle::Violation,
};

/// A run with more decisions and requests than this is not asked what it takes: each costs a run or two.
const PARTS_MAX: usize = 400;

/// What is known of a run that fails.
#[derive(Clone, Debug)]
pub struct Explained {
    /// What it takes.
    pub why: Explanation,
    /// The nearest run in which everything held; none if something else fails without any one part.
    pub nearest: Option<Nearest>,
}

/// A run in which everything held, and what it is without.
#[derive(Clone, Debug)]
pub struct Nearest {
    /// What the failing run has more.
    pub without: Need,
    /// Everything that happened.
    pub history: History,
}

impl Campaign<'_> {
    /// Why a run of this seed violates an oracle, and the nearest run in which everything held. None if the run is so
    /// large that this would take long, or if it does not fail again; [`Explored::shrink`](super::Explored::shrink)
    /// makes it smaller first.
    #[must_use]
    pub fn explain(
        &self,
        seed: Seed,
        replayed: &Replayed,
        violation: &Violation,
    ) -> Option<Explained> {
        let case = undecided(&self.scenario.plan, &replayed.tape);
        let parts = case.tape.picks().len() + case.plan.steps.len();
        if parts > PARTS_MAX {
            return None;
        }
        let (history, violation) = (replayed.history.clone(), violation.clone());
        let failing = Failing { case, history, violation };
        let signature = Signature::of(&failing.violation, &failing.history);
        let budget = u64::try_from(4 * parts + 16).unwrap_or(u64::MAX);
        let mut trials = Trials::new(self, seed, signature, budget);
        trials.begin(&failing.case);
        trials.fails(&failing.case)?;
        let why = why::why(&mut trials, &failing);
        // what was not tried is not known
        if trials.is_over() {
            return None;
        }
        let nearest = why.needs.iter().filter(|need| need.passes);
        let nearest = nearest.take(3).find_map(|need| self.without(seed, &failing, need));
        Some(Explained { why, nearest })
    }

    fn without(&self, seed: Seed, failing: &Failing, need: &Need) -> Option<Nearest> {
        cases(failing, &need.what).into_iter().find_map(|case| {
            let scenario = trials::scenario(self.scenario, &case);
            let campaign = Campaign {
                run_limit: self.run_limit,
                ..Campaign::new(self.name, self.subject, self.deployment, &scenario)
            };
            let replayed = campaign.replay(seed, &case.tape).ok()?;
            let held = replayed.violations.is_empty() && replayed.inconclusive.is_none();
            held.then(|| Nearest { without: need.clone(), history: replayed.history })
        })
    }
}

/// The runs without a part.
fn cases(failing: &Failing, part: &What) -> Vec<Case> {
    match part {
        What::Decision { site, .. } => vec![failing.case.with_tape(|this| this != site)],
        What::Request { request, .. } | What::Deed { request, .. } => {
            requests::without(failing, By::Itself, std::slice::from_ref(request))
        }
        What::Point { list, .. } => {
            let names = settings::settings(&failing.case.plan);
            let of_list = names.into_iter().filter(|name| name.starts_with(&format!("{list} ")));
            of_list
                .map(|name| {
                    let mut case = failing.case.clone();
                    settings::remove(&mut case.plan, &[name]);
                    case
                })
                .collect()
        }
    }
}
