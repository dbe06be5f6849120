//! Shrinking: the smallest run that fails in the same way, and why it does.
//!
//! A found violation is a plan and a tape of decisions. Candidates are runs with fewer requests, fewer and smaller
//! decisions; one counts if the same oracle is violated by events of the same kinds. What it decided becomes the tape of
//! the next round, until nothing more can be taken away or the budget is used up. Candidates are tried one after the
//! other, and the budget counts runs: the result is the same for any number of jobs and on any machine.
//!
//! Must not know: files, how a report looks.

mod attempts;
mod bodies;
mod buckets;
mod case;
mod decisions;
mod labels;
mod nearest;
mod reduce;
mod requests;
mod settings;
mod signature;
mod trials;
mod why;

pub use self::nearest::{Explained, Nearest};
use self::{
    case::{Case, Failing},
    reduce::reduce,
    requests::By,
    signature::Signature,
    trials::Trials,
};
use super::{
    campaign::{Campaign, Explored, Found},
    outcome::FoundViolation,
    smallest::{Shrunk, Smallest},
};
use crate::{
    base::{Digest, Seed},
    choice::Tape,
    scenario::plan::Plan,
};

/// How many candidates are run for one failure, unless it is said otherwise.
pub const SHRINK_RUNS: u64 = 1_000;

impl Explored {
    /// Shrinks every violation that was found, each with at most `runs` candidates; with 0 nothing is done.
    pub fn shrink(&mut self, campaign: &Campaign<'_>, runs: u64) {
        for (found, row) in self.found.iter_mut().zip(&mut self.report.violations) {
            found.smallest = shrink(campaign, found, runs).map(Box::new);
            tell(found, row);
        }
    }

    /// Groups failures by their causes: a few more failing seeds of each oracle are shrunk too, each with at most `runs`
    /// candidates. What fails for another reason is a violation of its own then. After [`shrink`](Self::shrink).
    pub fn bucket(&mut self, campaign: &Campaign<'_>, runs: u64) {
        let rows = std::mem::take(&mut self.report.violations);
        for (first, row) in std::mem::take(&mut self.found).into_iter().zip(rows) {
            for (found, bucket) in buckets::of(first, |seed, digest, oracle| {
                let found = again(campaign, seed, digest, oracle)?;
                let smallest = shrink(campaign, &found, runs).map(Box::new);
                Some(Found { smallest, ..found })
            }) {
                let mut row = FoundViolation { seed: found.seed, bucket, ..row.clone() };
                tell(&found, &mut row);
                self.found.push(found);
                self.report.violations.push(row);
            }
        }
    }
}

/// What is told of a violation is told of the smallest run.
fn tell(found: &Found, row: &mut FoundViolation) {
    let (_, violation) = found.shown();
    row.message.clone_from(&violation.message);
    if let Some(smallest) = &found.smallest {
        row.shrunk = Some(smallest.shrunk.clone());
        row.why = Some(smallest.why.clone());
    }
}

/// The violation of another seed; none if it does not come out as it did.
fn again(campaign: &Campaign<'_>, seed: Seed, digest: Digest, oracle: &str) -> Option<Found> {
    let replayed = campaign.replay_seed(seed).ok().filter(|replayed| replayed.digest == digest)?;
    let violation = replayed.violations.iter().find(|v| v.oracle == oracle)?.clone();
    Some(replayed.found(seed, violation))
}

/// Shrinks one violation; none if `runs` is 0, or if it cannot be seen again.
fn shrink(campaign: &Campaign<'_>, found: &Found, runs: u64) -> Option<Smallest> {
    let case = undecided(&campaign.scenario.plan, &found.tape);
    let (history, violation) = (found.history.clone(), found.violation.clone());
    smallest(campaign, found.seed, Failing { case, history, violation }, runs)
}

/// The plan with the decisions that it has of its own on the tape, and with the requests that were drawn.
fn undecided(plan: &Plan, tape: &Tape) -> Case {
    match super::undecided::undecided(plan) {
        Some((plan, tape)) => Case { plan, tape },
        None => {
            let (plan, tape) = plan.drawn_by(tape);
            Case { plan: plan.into_owned(), tape }
        }
    }
}

fn smallest(
    campaign: &Campaign<'_>,
    seed: Seed,
    mut failing: Failing,
    budget: u64,
) -> Option<Smallest> {
    if budget == 0 {
        return None;
    }
    let signature = Signature::of(&failing.violation, &failing.history);
    let mut trials = Trials::new(campaign, seed, signature, budget);
    let from = case::size(&failing.case, &failing.history);
    trials.begin(&failing.case);
    while round(&mut trials, &mut failing) {}
    let is_smallest = !trials.is_over();
    let why = why::why(&mut trials, &failing);
    let whole = trials.whole(&failing.case)?;
    let to = case::size(&whole.case, &whole.history);
    let signature = Signature::of(&whole.violation, &whole.history);
    let decisions = why::kinds(&whole.case);
    let kinds = signature.shown_by().chain(decisions.iter().map(String::as_str));
    let cause = format!("{}: {}", whole.violation.oracle, kinds.collect::<Vec<_>>().join("; "));
    Some(Smallest {
        scenario: trials::scenario(campaign.scenario, &whole.case),
        digest: whole.history.digest(),
        tape: whole.case.tape,
        history: whole.history,
        violation: whole.violation,
        shrunk: Shrunk { from, to, runs: trials.runs(), is_smallest },
        why,
        cause,
    })
}

/// Takes away whatever can be taken away; true if anything was.
fn round(trials: &mut Trials<'_>, failing: &mut Failing) -> bool {
    let mut is_smaller = false;
    for by in [By::Repetition, By::Object, By::Step, By::Itself] {
        let groups = |case: &Case| requests::groups(&case.plan, by);
        is_smaller |=
            reduce(trials, failing, groups, |failing, gone| requests::without(failing, by, gone));
        if matches!(by, By::Repetition) {
            is_smaller |= decisions::fewer(trials, failing);
        }
    }
    is_smaller |= decisions::fewer(trials, failing);
    is_smaller |= settings::fewer(trials, failing);
    is_smaller |= decisions::smaller(trials, failing);
    is_smaller |= bodies::smaller(trials, failing);
    is_smaller
}
