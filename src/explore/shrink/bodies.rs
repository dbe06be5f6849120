//! Smaller bodies: shorter lists. Numbers and texts mean something to whoever reads the scenario, and stay.
//!
//! Must not know: what a body means.

use serde_json::Value;

use super::{
    case::{Case, Failing},
    trials::Trials,
};
use crate::scenario::plan::{Action, Plan};

/// Makes the bodies of requests smaller; true if any was.
pub(super) fn smaller(trials: &mut Trials<'_>, failing: &mut Failing) -> bool {
    let mut is_smaller = false;
    for step in 0..failing.case.plan.steps.len() {
        is_smaller |= body_smaller(trials, failing, step);
    }
    is_smaller
}

fn body_smaller(trials: &mut Trials<'_>, failing: &mut Failing, step: usize) -> bool {
    let mut is_smaller = false;
    let mut number = 0;
    while !trials.is_over()
        && let Some(value) = body(&failing.case.plan, step)
    {
        let Some(changed) = changes(&value).into_iter().nth(number) else { break };
        let mut plan = failing.case.plan.clone();
        if let Some(body) = body_mut(&mut plan, step) {
            *body = changed.to_string();
        }
        match trials.fails(&Case { plan, tape: failing.case.tape.clone() }) {
            Some(smaller) => {
                *failing = smaller;
                is_smaller = true;
            }
            None => number += 1,
        }
    }
    is_smaller
}

fn body_mut(plan: &mut Plan, step: usize) -> Option<&mut String> {
    match &mut plan.steps[step].action {
        Action::Call { body, .. } | Action::Send { body, .. } | Action::Resolve { body, .. } => {
            Some(body)
        }
        _ => None,
    }
}

fn body(plan: &Plan, step: usize) -> Option<Value> {
    match &plan.steps[step].action {
        Action::Call { body, .. } | Action::Send { body, .. } | Action::Resolve { body, .. } => {
            serde_json::from_str(body).ok()
        }
        _ => None,
    }
}

/// The value with one item left out of a list in it.
fn changes(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => {
            let without = |index: usize| {
                let mut items = items.clone();
                items.remove(index);
                Value::Array(items)
            };
            let mut all: Vec<Value> = (0..items.len()).map(without).collect();
            for (index, item) in items.iter().enumerate() {
                for changed in changes(item) {
                    let mut items = items.clone();
                    items[index] = changed;
                    all.push(Value::Array(items));
                }
            }
            all
        }
        Value::Object(fields) => {
            let mut all = Vec::new();
            for (name, field) in fields {
                for changed in changes(field) {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), changed);
                    all.push(Value::Object(fields));
                }
            }
            all
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::changes;

    #[test]
    fn each_change_leaves_out_one_item_at_any_depth() {
        let check = |value: serde_json::Value, expected: &[serde_json::Value]| {
            assert_eq!(changes(&value), expected, "{value}");
        };
        check(json!(8), &[]);
        check(json!([5, "a"]), &[json!(["a"]), json!([5])]);
        check(
            json!({ "n": 2, "all": [{ "of": [1] }, []] }),
            &[
                json!({ "n": 2, "all": [[]] }),
                json!({ "n": 2, "all": [{ "of": [1] }] }),
                json!({ "n": 2, "all": [{ "of": [] }, []] }),
            ],
        );
    }
}
