//! A plan that decides for itself, as a plan and the decisions: what is decided can then be taken away, or be given to a
//! run in part.
//!
//! Must not know: what for.

use crate::{
    choice::{Rate, Tape},
    scenario::plan::{Fault, FaultName, Plan},
};

/// The plan without the decisions that it has of its own, and those; none if it has none. Requests are drawn, if it draws
/// any.
pub(super) fn undecided(plan: &Plan) -> Option<(Plan, Tape)> {
    if plan.decisions.is_empty() {
        return None;
    }
    let mut plan = plan.clone();
    let tape = std::mem::take(&mut plan.decisions);
    for site in tape.picks().keys() {
        let kind = site.split_once(" @ ").map_or("", |(kind, _)| kind);
        if let Ok(fault) = kind.parse::<Fault>() {
            // what is on the tape is not drawn: the rate only lets it be asked for
            plan.faults.rates.entry(FaultName::BuiltIn(fault)).or_insert(Rate::ALWAYS);
        }
    }
    let (plan, tape) = plan.drawn_by(&tape);
    Some((plan.into_owned(), tape))
}
