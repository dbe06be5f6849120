//! Fewer decisions, and smaller ones.
//!
//! Must not know: requests.

use super::{
    attempts,
    case::{Case, Failing},
    reduce::reduce,
    trials::Trials,
};
use crate::{choice::Tape, explore::smallest::Class};

/// How often one decision is made smaller at most: enough for a number of milliseconds in a minute.
const HALVINGS_MAX: u32 = 16;

/// Takes away decisions that the failure does not need; true if there were any.
pub(super) fn fewer(trials: &mut Trials<'_>, failing: &mut Failing) -> bool {
    let mut is_smaller = false;
    if !failing.case.tape.picks().is_empty()
        && let Some(plain) = trials.fails(&failing.case.with_tape(|_| false))
    {
        *failing = plain;
        return true;
    }
    for class in [Class::Order, Class::Fault, Class::Time] {
        let sites = |case: &Case| case.sites(class);
        is_smaller |= reduce(trials, failing, sites, |failing, gone| {
            let keeps = |site: &str| !gone.iter().any(|gone| gone == site);
            let moved = attempts::moved(&failing.case.tape, gone)
                .map(|tape| Case { plan: failing.case.plan.clone(), tape });
            [failing.case.with_tape(keeps)].into_iter().chain(moved).collect()
        });
    }
    is_smaller
}

/// Makes what is left smaller: shorter times, the first form of a fault. True if anything was.
pub(super) fn smaller(trials: &mut Trials<'_>, failing: &mut Failing) -> bool {
    let mut is_smaller = false;
    for class in [Class::Fault, Class::Time] {
        for site in failing.case.sites(class) {
            is_smaller |= least(trials, failing, &site);
        }
    }
    is_smaller
}

/// Looks for the least option of one decision with which it fails, by halving: if more than one span of options does,
/// the end of one of them.
fn least(trials: &mut Trials<'_>, failing: &mut Failing, site: &str) -> bool {
    let now = |failing: &Failing| failing.case.tape.picks().get(site).copied().unwrap_or(0);
    let before = now(failing);
    let mut passes = 0;
    for _ in 0..HALVINGS_MAX {
        let fails = now(failing);
        if fails <= passes + 1 || trials.is_over() {
            break;
        }
        let between = passes + (fails - passes) / 2;
        let mut picks = failing.case.tape.picks().clone();
        picks.insert(site.to_owned(), between);
        let case = Case { plan: failing.case.plan.clone(), tape: Tape::new(picks) };
        match trials.fails(&case) {
            Some(smaller) => *failing = smaller,
            None => passes = between,
        }
    }
    now(failing) < before
}
