//! Why a smallest failing run fails, in a few sentences.
//!
//! Must not know: how it was found.

use std::collections::BTreeMap;

use crate::explore::{Asked, Class, Explanation, Need, Repeated, What};

/// More than these would be read by nobody; all of them stand in the JSON.
const NEEDS_MAX: usize = 2;

/// Why it fails: what it cannot do without, the likeliest cause first, and who did something twice.
#[must_use]
pub(super) fn sentences(why: &Explanation) -> Vec<String> {
    let is_cause = |need: &&Need| !matches!(class(need), Kind::Time | Kind::Request);
    let causes: Vec<&Need> = why.needs.iter().filter(is_cause).collect();
    // one that is passed over again and again is one cause
    let mut passed: BTreeMap<&str, usize> = BTreeMap::new();
    let mut told = Vec::new();
    for need in causes {
        let times = passed_over(need).map(|one| {
            let times = passed.entry(one).or_default();
            *times += 1;
            *times
        });
        if times.is_none_or(|times| times == 1) {
            told.push(need);
        }
    }
    let causes = told;
    let mut lines = Vec::new();
    if causes.is_empty() {
        lines.extend(without_cause(why));
    }
    lines.extend(causes.iter().take(NEEDS_MAX).map(|need| {
        let others = passed_over(need).and_then(|one| passed.get(one)).map_or(0, |n| n - 1);
        match others {
            0 => sentence(need),
            _ => format!("{}; {others} more go before it", sentence(need)),
        }
    }));
    if let Some(more) = causes.len().checked_sub(NEEDS_MAX).filter(|more| *more > 0) {
        lines.push(format!("{more} more of its decisions must not be missing either"));
    }
    lines.extend(why.repeated.as_ref().map(repeated));
    lines
}

/// What a run is without: `without the crash at 0.053s (...)`.
#[must_use]
pub(super) fn without(need: &Need) -> String {
    condition(need)
}

/// What something else goes before, if this is a decision on order.
fn passed_over(need: &Need) -> Option<&str> {
    match &need.what {
        What::Decision { class: Class::Order, site, .. } => {
            let (_, passed) = site.split_once(" before ")?;
            Some(passed.split_once(" #").map_or(passed, |(one, _)| one))
        }
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Cause,
    Time,
    Request,
}

fn class(need: &Need) -> Kind {
    match &need.what {
        What::Decision { class: Class::Time, .. } => Kind::Time,
        What::Request { .. } => Kind::Request,
        What::Decision { .. } | What::Point { .. } | What::Deed { .. } => Kind::Cause,
    }
}

/// Nothing but requests and the time at which they come.
fn without_cause(why: &Explanation) -> Vec<String> {
    let of = |kind| why.needs.iter().filter(move |need| class(need) == kind);
    let (times, mut requests) = (of(Kind::Time).collect::<Vec<_>>(), of(Kind::Request));
    let mut lines = Vec::new();
    if let Some(time) = times.first() {
        lines.push(format!("it takes no fault, only the time: {}", sentence(time)));
    }
    match (requests.next(), requests.next()) {
        (Some(last), Some(_)) if times.is_empty() => {
            lines.push(format!("it takes no fault and no unusual order: {}", sentence(last)));
        }
        (Some(last), Some(_)) => lines.push(sentence(last)),
        _ if times.is_empty() => {
            lines.push("it takes no fault and no unusual order: the requests alone do it".into());
        }
        _ => {}
    }
    lines
}

fn sentence(need: &Need) -> String {
    let condition = condition(need);
    match need.passes {
        true => format!("this run passes {condition}"),
        false => format!("it does not happen {condition}; something else does then"),
    }
}

/// What would be otherwise: `without the crash at 0.053s (...)`.
fn condition(need: &Need) -> String {
    let at = need.at.map_or_else(String::new, |at| format!(" at {at}"));
    match &need.what {
        What::Decision { class, site, option } => {
            let (kind, place) = site.split_once(" @ ").unwrap_or((site, ""));
            match (class, kind, place.split_once(" before ")) {
                (Class::Order, _, Some((first, second))) => {
                    format!("if {second} goes before {first}, first in, first out")
                }
                (Class::Time, "arrival_ms", _) => format!("if `{place}` comes {option} ms earlier"),
                (Class::Time, "latency_ms", _) => {
                    format!("if the answer takes {option} ms less ({place})")
                }
                (Class::Time, ..) => format!("with {option} less of {kind} ({place})"),
                _ => format!("without the {kind}{at} ({place})"),
            }
        }
        What::Point { list, place } => format!("without the {list}{at} ({place})"),
        What::Deed { request, deed, of: Some(of) } => {
            format!("without the {deed} of {of} by `{request}`{at}")
        }
        What::Deed { request, deed, of: None } => format!("without the {deed} by `{request}`{at}"),
        What::Request { request, target } => format!("without `{request}` ({target}{at})"),
    }
}

/// Who did something more than once.
fn repeated(repeated: &Repeated) -> String {
    let Repeated { system, kind, by } = repeated;
    let Some(first) = by.first() else { return String::new() };
    let one_invocation = by.iter().all(|asked| asked.invocation == first.invocation);
    let same_run = by.iter().all(|asked| asked.run == first.run);
    let lost = |asked: &Asked| if asked.result_lost { ", whose result was lost" } else { "" };
    let attempts = |asked: &Asked| format!("attempt {}{}", asked.attempt, lost(asked));
    let each = |asked: &Asked| match one_invocation {
        true => attempts(asked),
        false => format!("{} at {}", asked.target, asked.at),
    };
    let list: Vec<String> = by.iter().map(each).collect();
    let list = list.join(", and ");
    let run = match &first.run {
        Some(run) if same_run && !run.is_empty() => format!(" in run {run}"),
        _ => String::new(),
    };
    match one_invocation {
        true => format!("{system} {kind}{run} of {}: by {list}", first.target),
        false => format!("{system} {kind}{run}: by {list}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::VirtualTime, history::Inv};

    fn decision(class: Class, site: &str) -> What {
        What::Decision { class, site: site.to_owned(), option: 40 }
    }

    fn request(name: &str) -> What {
        What::Request { request: name.to_owned(), target: format!("Desk/{name}/book") }
    }

    #[track_caller]
    fn check(needs: &[(What, bool)], expected: &[&str]) {
        let at = Some(VirtualTime::from_millis(53));
        let need = |(what, passes): &(What, bool)| Need { what: what.clone(), at, passes: *passes };
        let why = Explanation { needs: needs.iter().map(need).collect(), repeated: None };
        assert_eq!(sentences(&why), expected);
    }

    #[test]
    fn the_likeliest_cause_is_told_and_what_would_be_without_it() {
        let crash = decision(Class::Fault, "crash @ Desk/d/book#1 attempt 1 at Output");
        let crash_line =
            "this run passes without the crash at 0.053s (Desk/d/book#1 attempt 1 at Output)";
        check(&[(crash.clone(), true), (request("a"), true)], &[crash_line]);
        let deed =
            What::Deed { request: "stop".into(), deed: "cancel".into(), of: Some("a".into()) };
        let deed_line = "it does not happen without the cancel of a by `stop` at 0.053s; something else does then";
        check(&[(crash.clone(), true), (deed.clone(), false)], &[crash_line, deed_line]);
        let order = decision(Class::Order, "order @ x at poll 2 before y at poll 3");
        check(
            &[(crash, true), (order, true), (deed, true)],
            &[
                crash_line,
                "this run passes if y at poll 3 goes before x at poll 2, first in, first out",
                "1 more of its decisions must not be missing either",
            ],
        );
    }

    #[test]
    fn what_is_passed_over_again_and_again_is_told_once() {
        let order = |first: &str| {
            (decision(Class::Order, &format!("order @ {first} before y at poll 3")), true)
        };
        check(
            &[order("w"), order("x"), order("z")],
            &[
                "this run passes if y at poll 3 goes before w, first in, first out; 2 more go before it",
            ],
        );
    }

    #[test]
    fn where_nothing_goes_wrong_the_request_and_the_time_are_named() {
        check(
            &[(request("b"), true), (request("a"), true)],
            &[
                "it takes no fault and no unusual order: this run passes without `b` (Desk/b/book at 0.053s)",
            ],
        );
        check(
            &[(request("a"), true)],
            &["it takes no fault and no unusual order: the requests alone do it"],
        );
        let time = decision(Class::Time, "arrival_ms @ b");
        check(
            &[(time, true), (request("b"), true), (request("a"), true)],
            &[
                "it takes no fault, only the time: this run passes if `b` comes 40 ms earlier",
                "this run passes without `b` (Desk/b/book at 0.053s)",
            ],
        );
        let slow = decision(Class::Time, "latency_ms @ Desk/b/book#1 attempt 1 at hotel book");
        check(
            &[(slow, false), (request("b"), true)],
            &[
                "it takes no fault, only the time: it does not happen if the answer takes 40 ms less \
                 (Desk/b/book#1 attempt 1 at hotel book); something else does then",
            ],
        );
    }

    #[test]
    fn who_did_something_twice_is_named() {
        let asked = |inv, attempt, result_lost| Asked {
            at: VirtualTime::from_millis(53),
            target: format!("Desk/{inv}/book"),
            invocation: Inv(inv),
            attempt,
            run: Some("reserve".into()),
            result_lost,
        };
        let told = |by: &[Asked]| {
            repeated(&Repeated { system: "hotel".into(), kind: "booked".into(), by: by.to_vec() })
        };
        assert_eq!(
            told(&[asked(1, 1, true), asked(1, 2, false)]),
            "hotel booked in run reserve of Desk/1/book: by attempt 1, whose result was lost, and attempt 2"
        );
        assert_eq!(
            told(&[asked(1, 1, false), asked(2, 1, false)]),
            "hotel booked in run reserve: by Desk/1/book at 0.053s, and Desk/2/book at 0.053s"
        );
    }
}
