//! What the runs of a scenario come to: its verdict, and what a person should know beside it. The same for runs of one
//! process and of several, whose sums were merged.
//!
//! Must not know: how a run is made.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    expect,
    outcome::{FaultCounts, FoundViolation, ScenarioReport, ScenarioVerdict, Sometimes},
    pool::Why,
    replies::{self, Steps},
    sum::Sum,
    verdict::SYSTEMS,
};
use crate::{
    scenario::plan::{Expectation, ExpectedExpression, FaultPlan, Holds, Scenario},
    sim::{self, Tally},
};

/// After so many runs a step that got nothing but errors counts, also if the scenario asks for more runs, and though it may
/// be the faults that brought the errors.
const RUNS_ENOUGH: u64 = 20;

/// What was seen beside what adds up.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// What a person should know of it.
    pub(super) notes: Vec<String>,
    /// Whether a seed gave two histories.
    pub(super) nondeterministic: bool,
    /// Set if a run has no end.
    pub(super) no_end: Option<NoEnd>,
}

/// How a run has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum NoEnd {
    Hung,
    Crashed,
}

impl From<&Why> for NoEnd {
    fn from(why: &Why) -> Self {
        match why {
            Why::Hung(_) => Self::Hung,
            Why::Panicked(_) => Self::Crashed,
        }
    }
}

/// The faults that were asked for and never struck. One of the usual mix may find no place to strike: no system of
/// the services sends anything, or they call none.
fn never_fired<'a>(tally: &'a Tally, faults: &'a FaultPlan) -> impl Iterator<Item = &'a str> {
    let is_usual = |name: &str| faults.usual.iter().any(|fault| fault.name() == name);
    let silent = tally.iter().filter(move |(name, n)| n.fired == 0 && !is_usual(name));
    silent.map(|(name, _)| &**name)
}

/// What the runs of a scenario come to, with the violations that were seen again.
pub(super) fn summarize(
    scenario: &Scenario,
    sum: Sum,
    violations: Vec<FoundViolation>,
    seen: Seen,
) -> ScenarioReport {
    let Seen { mut notes, nondeterministic, no_end } = seen;
    if let Some((seed, oracle, message)) = &sum.panicked {
        notes.push(format!("the oracle {oracle} panicked with seed {seed}: {message}"));
    }
    for (bound, (limit, times)) in &sum.inconclusive {
        notes.push(format!("{times} runs reached the bound {bound} = {limit} and prove nothing"));
    }
    let sometimes: Vec<Sometimes> = scenario
        .expect
        .iter()
        .enumerate()
        .filter(|(_, e)| e.sometimes())
        .map(|(number, e)| Sometimes {
            what: expect::describe(e),
            reached: sum.reached.get(&number).copied().unwrap_or(0),
        })
        .collect();
    let mut ineffective: Vec<String> = never_fired(&sum.tally, &scenario.plan.faults)
        .map(|fault| {
            if fault.starts_with(sim::OUTAGE) {
                return format!("the {fault} refused no call");
            }
            let until_ms = scenario.plan.faults.until_ms;
            format!("the fault {fault} never fired; faults end at {until_ms} ms (`until`)")
        })
        .collect();
    for (decision, runs) in &sum.stale {
        ineffective
            .push(format!("a decision does not fit in {runs} of {} runs: {decision}", sum.runs));
    }
    for never in sometimes.iter().filter(|s| s.reached == 0) {
        ineffective.push(format!("never seen: {}", never.what));
    }
    for (number, expected) in scenario.expect.iter().enumerate() {
        if let Expectation::Expression(ExpectedExpression { holds: Holds::Always, .. }) = expected
            && !sum.reached.contains_key(&number)
        {
            let what = expect::describe(expected);
            ineffective
                .push(format!("never had a value: {what}; what it looks at was never there"));
        }
    }
    let steps = Steps::of(&scenario.plan);
    for (step, wait) in steps.waited_in_vain(&scenario.plan, &sum.replies) {
        ineffective.push(format!("step {step} never came: it waits for {wait}"));
    }
    for (step, goal) in steps.never_ended(&scenario.plan, &sum.replies) {
        ineffective
            .push(format!("step {step} never ended before its last call: it goes on until {goal}"));
    }
    for (step, why) in steps.never_sent(&sum.replies) {
        ineffective.push(format!("step {step} was never sent: {why}"));
    }
    let replies = steps.named(sum.replies);
    let mut in_vain = false;
    for (step, replies) in &replies {
        if replies::in_vain(step, replies, &scenario.expect) {
            in_vain = true;
            ineffective.push(format!(
                "step {step}: every reply is an error that nobody expects: {replies}; if that is meant, `expect` it \
                 with `fails`"
            ));
        }
    }
    // a few seeds prove nothing about what can happen in many
    let whole = sum.runs >= scenario.runs;
    let calm = sum.tally.values().all(|counts| counts.fired == 0);
    let ineffective_now = (!ineffective.is_empty() && whole)
        || (in_vain && (calm || sum.runs >= RUNS_ENOUGH))
        || sum.runs == 0;
    if sum.runs == 0 && no_end.is_none() {
        ineffective.push("nothing was run".to_owned());
    }
    notes.extend(ineffective);
    if sum.threads > 0 {
        notes.push(format!(
            "{} runs started threads of their own: nothing controls when those run, what time they see and what they draw",
            sum.threads
        ));
    }
    let wanted = scenario.must_violate.as_deref();
    let has = |oracle: &str| violations.iter().any(|found| found.oracle == oracle);
    let verdict = if sum.panicked.is_some() {
        ScenarioVerdict::OraclePanicked
    } else if nondeterministic {
        ScenarioVerdict::Nondeterministic
    } else if no_end == Some(NoEnd::Crashed) {
        ScenarioVerdict::Crashed
    } else if has(SYSTEMS) {
        ScenarioVerdict::Violated
    } else if no_end.is_some() && (wanted.is_some() || violations.is_empty()) {
        ScenarioVerdict::Hung
    } else if let Some(wanted) = wanted {
        if has(wanted) { ScenarioVerdict::Found } else { ScenarioVerdict::NotFound }
    } else if !violations.is_empty() {
        ScenarioVerdict::Violated
    } else if !sum.inconclusive.is_empty() {
        ScenarioVerdict::Inconclusive
    } else if ineffective_now {
        ScenarioVerdict::Ineffective
    } else {
        ScenarioVerdict::Held
    };
    ScenarioReport {
        always_replay: scenario.plan.restate.always_replay,
        file: String::new(),
        title: scenario.title.clone(),
        runs: sum.runs,
        verdict,
        digest: sum.digest,
        events: sum.events,
        elapsed: Duration::ZERO,
        faults: sum
            .tally
            .into_iter()
            .map(|(fault, c)| {
                let counts =
                    FaultCounts { planned: c.planned, fired: c.fired, effective: c.effective };
                (fault.into_owned(), counts)
            })
            .collect(),
        replies,
        sometimes,
        violations,
        expected: scenario.must_violate.clone(),
        coverage: None,
        exhaustive: None,
        twin: None,
        left_behind: sum.left_behind,
        unfinished: None,
        nondeterministic: None,
        notes,
        lines: None,
        part: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        choice::Rate,
        scenario::plan::{Fault, FaultName},
        sim,
    };

    #[test]
    fn a_fault_that_a_file_names_must_strike_and_one_of_the_usual_mix_need_not() {
        let mut faults = FaultPlan::usual();
        faults.rates.insert(FaultName::BuiltIn(Fault::Cancel), Rate::ALWAYS);
        let tally: Tally =
            faults.rates.keys().map(|fault| (fault.name(), sim::FaultCounts::default())).collect();
        assert_eq!(never_fired(&tally, &faults).collect::<Vec<_>>(), ["cancel"]);
        faults.usual.clear();
        assert_eq!(never_fired(&tally, &faults).count(), tally.len());
    }
}
