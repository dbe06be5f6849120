//! Where a run on a real server differs from simulated ones.
//!
//! Several simulated runs, of different seeds, say what can happen without a fault: who wins a race, what a
//! random number is. Each part of the real run must be as it is in one of them.
//!
//! Must not know: servers, handlers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Observed, SeenInvocation};

/// One thing that is not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What: `reply book`, `state Rooms/12 free`.
    pub what: String,
    /// How it is on the server.
    pub server: String,
    /// How it is in the simulation.
    pub simulation: String,
}

/// Every difference between what was seen on a server and what the simulated runs allow.
#[must_use]
pub fn compare(server: &Observed, simulated: &[Observed]) -> Vec<Difference> {
    let mut differences = Vec::new();
    texts("reply", server, simulated, |o| &o.replies, &mut differences);
    texts("answer to", server, simulated, |o| &o.operators, &mut differences);
    texts("state", server, simulated, |o| &o.state, &mut differences);
    let targets: BTreeSet<&String> = std::iter::once(server)
        .chain(simulated)
        .flat_map(|observed| observed.invocations.keys())
        .collect();
    for target in targets {
        let of = |o: &Observed| o.invocations.get(target).cloned().unwrap_or_default();
        let real = of(server);
        if simulated.iter().any(|o| of(o) == real) {
            continue;
        }
        let body = |one: &SeenInvocation| {
            serde_json::json!([one.status, one.journal, parsed(&one.outcome)])
        };
        let bodies = |all: &[SeenInvocation]| all.iter().map(body).collect::<Value>();
        let shapes: Vec<Value> = simulated.iter().map(|o| bodies(&of(o))).collect();
        let fits = fits(&bodies(&real), &shapes.iter().collect::<Vec<_>>());
        if !fits || !real.iter().all(|one| holds(one, simulated, target)) {
            let what = format!("invocations of {target}");
            let closest = simulated.iter().map(of).max_by_key(|one| alike(&real, one));
            let (server, simulation) = told(&real, &closest.unwrap_or_default());
            differences.push(Difference { what, server, simulation });
        }
    }
    let callers: BTreeSet<&String> =
        std::iter::once(server).chain(simulated).flat_map(|o| o.effects.keys()).collect();
    for caller in callers {
        let all = |o: &Observed| o.effects.get(caller).cloned().unwrap_or_default();
        let shape = |o: &Observed| all(o).iter().map(|text| parsed(text)).collect::<Value>();
        let shapes: Vec<Value> = simulated.iter().map(shape).collect();
        if !fits(&shape(server), &shapes.iter().collect::<Vec<_>>()) {
            let ours = simulated.first().map(all).unwrap_or_default();
            differences.push(Difference {
                what: format!("effects of {caller}"),
                server: all(server).join("\n"),
                simulation: ours.join("\n"),
            });
        }
    }
    differences
}

/// Whether each entry of an invocation holds what such an entry can hold: what is read and written depends on whose
/// turn it was, and no number of simulated runs has every order of those that come at once.
fn holds(real: &SeenInvocation, simulated: &[Observed], target: &str) -> bool {
    let alike: Vec<&SeenInvocation> = simulated
        .iter()
        .filter_map(|o| o.invocations.get(target))
        .filter_map(|all| all.iter().find(|one| one.journal == real.journal))
        .collect();
    let others = || simulated.iter().filter_map(|o| o.invocations.get(target)).flatten();
    real.contents.iter().enumerate().all(|(index, text)| {
        let at = |one: &&SeenInvocation| one.contents.get(index).map(|text| parsed(text));
        let first: Vec<Value> = alike.iter().filter_map(at).collect();
        fits(&parsed(text), &first.iter().collect::<Vec<_>>()) || {
            let same = |one: &&SeenInvocation| one.journal == real.journal;
            let every: Vec<Value> = others().filter(same).filter_map(|one| at(&one)).collect();
            occurs(&parsed(text), &every.iter().collect::<Vec<_>>())
        }
    })
}

/// Whether each part of `real` is somewhere in `allowed` at such a place, or random there.
fn occurs(real: &Value, allowed: &[&Value]) -> bool {
    match real {
        _ if allowed.contains(&real) => true,
        Value::Object(fields) => fields.iter().all(|(name, value)| {
            let of = |other: &&Value| -> Option<Value> { other.get(name).cloned() };
            let others: Vec<Value> = allowed.iter().filter_map(of).collect();
            occurs(value, &others.iter().collect::<Vec<_>>())
        }),
        Value::Array(items) => {
            let others: Vec<&Value> =
                allowed.iter().filter_map(|other| other.as_array()).flatten().collect();
            items.iter().all(|item| occurs(item, &others))
        }
        Value::String(text) => is_random(text, allowed),
        Value::Number(_) | Value::Bool(_) | Value::Null => false,
    }
}

/// How much two lists of invocations have in common.
fn alike(one: &[SeenInvocation], other: &[SeenInvocation]) -> (bool, usize) {
    let shape = |all: &[SeenInvocation]| -> Vec<_> {
        all.iter().map(|one| (one.status.clone(), one.journal.clone())).collect()
    };
    let contents = |all: &[SeenInvocation]| -> Vec<_> {
        all.iter().flat_map(|one| one.contents.iter().chain([&one.outcome])).cloned().collect()
    };
    let same = contents(one).iter().zip(&contents(other)).filter(|(a, b)| a == b).count();
    (shape(one) == shape(other), same)
}

/// Both lists for people: with what entries hold where only that differs.
fn told(real: &[SeenInvocation], simulated: &[SeenInvocation]) -> (String, String) {
    let line = |one: &SeenInvocation, other: Option<&SeenInvocation>| {
        let SeenInvocation { status, outcome, journal, .. } = one;
        let mut text = format!("{status} {outcome} [{}]", journal.join(", "));
        let Some(other) = other.filter(|other| other.journal == *journal) else { return text };
        for (entry, (holds, else_holds)) in
            journal.iter().zip(one.contents.iter().zip(&other.contents))
        {
            if holds != else_holds {
                text.push_str(&format!("\n  {entry} {holds}"));
            }
        }
        text
    };
    let lines = |all: &[SeenInvocation], others: &[SeenInvocation]| {
        let lines = all.iter().enumerate().map(|(index, one)| line(one, others.get(index)));
        lines.collect::<Vec<_>>().join("\n")
    };
    (lines(real, simulated), lines(simulated, real))
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

fn texts(
    kind: &str,
    server: &Observed,
    simulated: &[Observed],
    of: fn(&Observed) -> &BTreeMap<String, String>,
    differences: &mut Vec<Difference>,
) {
    let names: BTreeSet<&String> =
        std::iter::once(server).chain(simulated).flat_map(|o| of(o).keys()).collect();
    for name in names {
        let real = of(server).get(name);
        let allowed: Vec<Option<&String>> = simulated.iter().map(|o| of(o).get(name)).collect();
        let same = allowed.contains(&real) || {
            let shapes: Vec<Value> = allowed.iter().flatten().map(|text| parsed(text)).collect();
            real.is_some_and(|text| fits(&parsed(text), &shapes.iter().collect::<Vec<_>>()))
        };
        if !same {
            let show = |text: Option<&String>| text.map_or("nothing", String::as_str).to_owned();
            differences.push(Difference {
                what: format!("{kind} {name}"),
                server: show(real),
                simulation: show(allowed.first().copied().flatten()),
            });
        }
    }
}

/// Whether `real` is one of `allowed`, or like them but for parts that are random in them.
fn fits(real: &Value, allowed: &[&Value]) -> bool {
    if allowed.contains(&real) {
        return true;
    }
    match real {
        Value::Object(fields) => {
            let same_fields = |value: &&&Value| {
                value.as_object().is_some_and(|other| {
                    other.len() == fields.len() && fields.keys().all(|k| other.contains_key(k))
                })
            };
            let alike: Vec<&Value> = allowed.iter().filter(same_fields).copied().collect();
            !alike.is_empty()
                && fields.iter().all(|(name, value)| {
                    fits(
                        value,
                        &alike.iter().map(|other| &other[name.as_str()]).collect::<Vec<_>>(),
                    )
                })
        }
        Value::Array(items) => {
            let same_length =
                |value: &&&Value| value.as_array().is_some_and(|other| other.len() == items.len());
            let alike: Vec<&Value> = allowed.iter().filter(same_length).copied().collect();
            !alike.is_empty()
                && items.iter().enumerate().all(|(i, item)| {
                    fits(item, &alike.iter().map(|other| &other[i]).collect::<Vec<_>>())
                })
        }
        Value::String(text) => is_random(text, allowed),
        Value::Number(_) | Value::Bool(_) | Value::Null => false,
    }
}

/// Whether text is random: no two seeds gave the same, and all look like it.
fn is_random(text: &str, allowed: &[&Value]) -> bool {
    let looks_random = |text: &str| text.len() >= 6 && text.bytes().any(|b| b.is_ascii_digit());
    let others: BTreeSet<&str> = allowed.iter().filter_map(|value| value.as_str()).collect();
    allowed.len() > 1
        && others.len() == allowed.len()
        && looks_random(text)
        && others.iter().all(|other| looks_random(other) && other.len() == text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(reply: &str, status: &str) -> Observed {
        let one = SeenInvocation {
            status: status.to_owned(),
            outcome: reply.to_owned(),
            journal: vec!["Input".to_owned(), "Output".to_owned()],
            contents: vec![r#"["",null]"#.to_owned(), format!(r#"["",{reply}]"#)],
        };
        Observed {
            replies: [("book".to_owned(), reply.to_owned())].into(),
            invocations: [("S/k/h".to_owned(), vec![one])].into(),
            ..Observed::default()
        }
    }

    #[track_caller]
    fn check(server: &Observed, simulated: &[Observed], expected: &[&str]) {
        let differences = compare(server, simulated);
        let what: Vec<_> = differences.iter().map(|d| d.what.as_str()).collect();
        assert_eq!(what, expected, "{differences:?}");
    }

    #[test]
    fn each_part_must_be_as_in_some_simulated_run() {
        let (won, lost) =
            (seen(r#"{"won":true}"#, "completed"), seen(r#"{"won":false}"#, "completed"));
        check(&won, std::slice::from_ref(&won), &[]);
        check(&won, &[lost.clone(), won.clone()], &[]);
        check(&won, std::slice::from_ref(&lost), &["reply book", "invocations of S/k/h"]);
        check(&won, &[seen(r#"{"won":true}"#, "paused")], &["invocations of S/k/h"]);
        check(&won, &[], &["reply book", "invocations of S/k/h"]);
        let mut more = won.clone();
        more.state.insert("S/k x".to_owned(), "1".to_owned());
        more.effects.insert("S/k/h".to_owned(), vec!["booked".to_owned()]);
        check(&won, &[more.clone()], &["state S/k x", "effects of S/k/h"]);
        check(&more, std::slice::from_ref(&won), &["state S/k x", "effects of S/k/h"]);
        // what an entry holds, and what an operator is answered
        let mut other = won.clone();
        other.operators.insert("stop".to_owned(), "202".to_owned());
        let one = &mut other.invocations.get_mut("S/k/h").expect("it has one")[0];
        one.contents[0] = r#"["",1]"#.to_owned();
        check(&other, std::slice::from_ref(&won), &["answer to stop", "invocations of S/k/h"]);
        let differences = compare(&other, &[seen(r#"{"won":false}"#, "completed"), won.clone()]);
        let shown = |text: &str| text.lines().skip(1).collect::<Vec<_>>().join("");
        let Difference { server, simulation, .. } = &differences[1];
        let holds = (shown(server), shown(simulation));
        assert_eq!(holds, (r#"  Input ["",1]"#.to_owned(), r#"  Input ["",null]"#.to_owned()));
    }

    #[test]
    fn entries_hold_what_such_entries_can_hold_whoever_came_first() {
        let holding = |content: &str| {
            let mut one = seen("true", "completed");
            one.invocations.get_mut("S/k/h").expect("it has one")[0].contents[1] =
                format!(r#"["rooms",{content}]"#);
            one
        };
        let simulated = [
            holding(r#"{"taken":{"1":"ann"},"left":[2,3]}"#),
            holding(r#"{"taken":{"1":"ann","2":"bob"},"left":[3]}"#),
            holding(r#"{"taken":{"2":"bob"},"left":[1,3]}"#),
        ];
        let what = &["invocations of S/k/h"][..];
        check(&holding(r#"{"taken":{"2":"bob"},"left":[1]}"#), &simulated, &[]);
        check(&holding(r#"{"taken":{"2":"ann"},"left":[1]}"#), &simulated, what);
        check(&holding(r#"{"taken":{},"left":[4]}"#), &simulated, what);
        check(&holding(r#"{"taken":{},"gone":true}"#), &simulated, what);
        check(&holding(r#"3"#), &simulated, what);
    }

    #[test]
    fn only_what_differs_from_seed_to_seed_may_be_anything() {
        let booking = |number: &str| seen(&format!(r#"{{"n":"{number}","s":"ok"}}"#), "completed");
        let simulated = [booking("BKG-1a2b"), booking("BKG-3c4d")];
        check(&booking("BKG-9z9z"), &simulated, &[]);
        check(&booking("BKG-long9"), &simulated, &["reply book", "invocations of S/k/h"]);
        check(&booking("BKG-9z9z"), &simulated[..1], &["reply book", "invocations of S/k/h"]);
        check(
            &booking("BKG-9z9z"),
            &[booking("BKG-1a2b"), booking("BKG-1a2b")],
            &["reply book", "invocations of S/k/h"],
        );
    }
}
