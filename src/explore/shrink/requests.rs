//! Fewer requests: plans without some of their steps.
//!
//! Must not know: what is run.

use std::collections::BTreeSet;

use super::{
    case::{Case, Failing},
    labels::renamed,
};
use crate::scenario::plan::{Action, Plan, Step};

/// By what requests are taken away together.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    /// The values of the variables of `for`.
    Repetition,
    /// The object that is called.
    Object,
    /// The step of the file.
    Step,
    /// Each on its own.
    Itself,
}

/// The groups of a plan's requests, in the order in which they first come; what belongs to none is left out.
pub(super) fn groups(plan: &Plan, by: By) -> Vec<String> {
    let mut groups: Vec<String> = Vec::new();
    for step in &plan.steps {
        if let Some(group) = group(step, by)
            && !groups.contains(&group)
        {
            groups.push(group);
        }
    }
    groups
}

fn group(step: &Step, by: By) -> Option<String> {
    match by {
        By::Repetition => {
            let (_, rest) = step.request.split_once('[')?;
            rest.split_once(']').map(|(values, _)| values.to_owned())
        }
        By::Object => match &step.action {
            Action::Call { target, .. } | Action::Send { target, .. } => {
                Some(format!("{}/{}", target.service, target.key))
            }
            Action::Http { path, .. } => Some(path.clone()),
            _ => None,
        },
        By::Step => Some(step.step.clone()),
        By::Itself => Some(step.request.clone()),
    }
}

/// Candidates without the requests of these groups.
pub(super) fn without(of: &Failing, by: By, groups: &[String]) -> Vec<Case> {
    let steps = of.case.plan.steps.iter();
    let chosen = steps.filter(|step| group(step, by).is_some_and(|group| groups.contains(&group)));
    let chosen: BTreeSet<String> = chosen.map(|step| step.request.clone()).collect();
    let mut cases = Vec::new();
    // who waits for an answer that nobody asks for never comes; or waits for what that one waited for
    for waiting_go in [true, false] {
        let (plan, gone) = remove(&of.case.plan, &chosen, waiting_go);
        if plan.steps.is_empty() || gone.is_empty() {
            continue;
        }
        let tape = renamed(&of.case.tape, &of.history, &gone);
        let is_renamed = tape != of.case.tape;
        let case = Case { plan, tape };
        let as_it_was = is_renamed.then(|| Case { tape: of.case.tape.clone(), ..case.clone() });
        for case in [Some(case), as_it_was].into_iter().flatten() {
            if !cases.contains(&case) {
                cases.push(case);
            }
        }
    }
    cases
}

/// The plan without `chosen`, and all that is gone with it: what was done to those requests, and those that wait for
/// them if `waiting_go`.
fn remove(plan: &Plan, chosen: &BTreeSet<String>, waiting_go: bool) -> (Plan, BTreeSet<String>) {
    let gone = plan.with_needing(chosen.clone(), waiting_go);
    let mut left = plan.clone();
    left.steps.retain(|step| !gone.contains(&step.request));
    for step in &mut left.steps {
        while let Some(after) = step.after.take_if(|after| gone.contains(after)) {
            let before = plan.steps.iter().find(|step| step.request == after);
            step.after = before.and_then(|step| step.after.clone());
            step.when = before.and_then(|step| step.when.clone());
        }
    }
    (left, gone)
}
