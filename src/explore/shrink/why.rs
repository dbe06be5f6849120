//! Why a smallest failing run fails: what must not be taken away from it, and who did twice what was to be done once.
//!
//! Must not know: how it is worded.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    case::{Case, Failing, class_of},
    requests::{self, By},
    trials::{Other, Trials},
};
use crate::{
    base::{Name, VirtualTime},
    explore::smallest::{Asked, Class, Explanation, Need, Repeated, What},
    history::{CallId, Cause, Change, Event, History, Within},
    scenario::plan::{Action, Step},
};

/// How many runs of its own the question costs at most.
const RUNS_MAX: u64 = 64;

/// Asks what `failing` can do without; what was tried already costs nothing.
pub(super) fn why(trials: &mut Trials<'_>, failing: &Failing) -> Explanation {
    trials.allow(RUNS_MAX);
    let mut needs = decisions(trials, failing);
    needs.extend(points(failing));
    needs.extend(steps(trials, failing));
    needs.sort_by_key(|need| (rank(need), std::cmp::Reverse(need.at)));
    Explanation { needs, repeated: repeated(failing) }
}

/// The likeliest cause first.
fn rank(need: &Need) -> u8 {
    match &need.what {
        What::Decision { class: Class::Fault, .. } => 0,
        What::Point { .. } => 1,
        What::Decision { class: Class::Order, .. } => 2,
        What::Deed { .. } => 3,
        What::Decision { class: Class::Time, .. } => 4,
        What::Request { .. } => 5,
    }
}

fn decisions(trials: &mut Trials<'_>, failing: &Failing) -> Vec<Need> {
    let mut needs = Vec::new();
    for class in [Class::Fault, Class::Order, Class::Time] {
        for site in failing.case.sites(class) {
            let Err(other) = trials.run(&failing.case.with_tape(|this| this != site)) else {
                continue;
            };
            let at = time_of(&failing.history, &site);
            let option = failing.case.tape.picks().get(&site).copied().unwrap_or_default();
            let what = What::Decision { class, site, option };
            needs.push(Need { what, at, passes: other == Other::Held });
        }
    }
    needs
}

/// When the fault with this site struck.
fn time_of(history: &History, site: &str) -> Option<VirtualTime> {
    let (kind, place) = site.split_once(" @ ")?;
    let record = history.records().iter().find(|record| match &record.event {
        Event::FaultFired { fault, place: this } => {
            let name = fault.rsplit_once('.').map_or(&**fault, |(_, own)| own);
            name == kind && (this == place || this.starts_with(&format!("{place} ")))
        }
        _ => false,
    });
    record.map(|record| record.at)
}

/// The places that the plan names: one that is not needed was taken away.
fn points(failing: &Failing) -> Vec<Need> {
    let records = failing.history.records().iter();
    let struck = records.filter_map(|record| match &record.event {
        Event::FaultFired { fault, place } if fault.ends_with("_at") => {
            let what = What::Point { list: fault.to_string(), place: place.clone() };
            Some(Need { what, at: Some(record.at), passes: true })
        }
        _ => None,
    });
    struck.collect()
}

fn steps(trials: &mut Trials<'_>, failing: &Failing) -> Vec<Need> {
    let mut needs = Vec::new();
    for step in &failing.case.plan.steps {
        let cases = requests::without(failing, By::Itself, std::slice::from_ref(&step.request));
        let others: Vec<_> = cases.iter().filter_map(|case| trials.run(case).err()).collect();
        if others.len() < cases.len() {
            continue;
        }
        // without its only request nothing happens
        let passes = others.iter().all(|other| *other == Other::Held);
        let at = failing.history.records().iter().find_map(|record| {
            let is_this = match &record.event {
                Event::RequestSent { request, .. }
                | Event::HttpSent { request, .. }
                | Event::OutcomeAsked { request, .. }
                | Event::OperatorAnswered { request, .. } => **request == *step.request,
                _ => false,
            };
            is_this.then_some(record.at)
        });
        needs.push(Need { what: what(step), at, passes });
    }
    needs
}

fn what(step: &Step) -> What {
    let request = step.request.clone();
    let deed = |deed: &'static str, of: &String| What::Deed {
        request: request.clone(),
        deed: deed.into(),
        of: Some(of.clone()),
    };
    match &step.action {
        Action::Call { target, .. } | Action::Send { target, .. } => {
            What::Request { request, target: target.to_string() }
        }
        Action::Http { method, path, .. } => {
            What::Request { request, target: format!("{method} {path}") }
        }
        Action::Attach { request: of } | Action::Output { request: of } => {
            What::Request { request, target: of.clone() }
        }
        Action::Resolve { request: of, .. } => deed("resolve", of),
        Action::Reject { request: of, .. } => deed("reject", of),
        Action::Pause { request: of } => deed("pause", of),
        Action::Resume { request: of } => deed("resume", of),
        Action::Purge { request: of } => deed("purge", of),
        Action::Cancel { request: of } => deed("cancel", of),
        Action::Kill { request: of } => deed("kill", of),
        Action::EndpointDown { .. } => {
            What::Deed { request, deed: "endpoint_down".into(), of: None }
        }
        Action::Deploy { .. } => What::Deed { request, deed: "deploy".into(), of: None },
    }
}

/// The effects among the records that show the failure, if there are several of one kind.
fn repeated(failing: &Failing) -> Option<Repeated> {
    let history = &failing.history;
    let causes: BTreeMap<CallId, &Cause> = history
        .records()
        .iter()
        .filter_map(|record| match &record.event {
            Event::SystemCalled { call, cause, .. } => Some((*call, cause.as_ref()?)),
            _ => None,
        })
        .collect();
    let mut by_kind: BTreeMap<(&Name, &'static str), Vec<(usize, &Cause)>> = BTreeMap::new();
    let shown: BTreeSet<usize> = failing.violation.records.iter().copied().collect();
    for index in shown {
        let Some(record) = history.records().get(index) else { continue };
        if let Event::SystemEffect { call, system, effect } = &record.event
            && effect.change == Change::Made
            && let Some(cause) = causes.get(call)
        {
            by_kind.entry((system, effect.kind)).or_default().push((index, cause));
        }
    }
    let ((system, kind), effects) = by_kind.into_iter().find(|(_, effects)| effects.len() > 1)?;
    let ends = effects.iter().skip(1).map(|(index, _)| *index).chain([history.len()]);
    let asked = effects.iter().zip(ends).map(|((index, cause), end)| Asked {
        at: history.records()[*index].at,
        target: cause.target.to_string(),
        invocation: cause.inv,
        attempt: cause.attempt,
        run: cause.run().cloned(),
        result_lost: end < history.len() && !has_result(history, cause, *index..end),
    });
    Some(Repeated { system: system.clone(), kind: kind.into(), by: asked.collect() })
}

/// Whether the journal got the result of the `ctx.run` that `cause` speaks of.
fn has_result(history: &History, cause: &Cause, among: std::ops::Range<usize>) -> bool {
    let Within::Run { name: wanted, .. } = &cause.within else { return true };
    history.records()[among].iter().any(|record| match &record.event {
        Event::EntryAppended { inv, kind, name, .. } => {
            *inv == cause.inv && kind.starts_with("Notification") && name == wanted
        }
        _ => false,
    })
}

/// The decisions, for a case that is told without running anything.
pub(super) fn kinds(case: &Case) -> BTreeSet<String> {
    // for how long something takes is seldom what makes the difference, that it does is
    let sites = case.tape.picks().keys().filter(|site| class_of(site) != Class::Time);
    sites.filter(|site| !site.ends_with(" @ order")).map(|site| kind_and_place(site)).collect()
}

/// A decision by its kind, and by the handlers and runs that its place speaks of: `crash_in_run @ Bookings/book Run(book)`.
fn kind_and_place(site: &str) -> String {
    let (kind, place) = site.split_once(" @ ").unwrap_or((site, ""));
    let mut text = kind.to_owned();
    for word in place.split(' ') {
        let name = word.split_once('#').map_or(word, |(before, _)| before);
        match name.split('/').collect::<Vec<_>>()[..] {
            [service, .., handler] if !name.contains('(') => {
                text.push_str(&format!(" {service}/{handler}"));
            }
            _ if word.starts_with("Run(") => text.push_str(&format!(" {word}")),
            _ => {}
        }
    }
    text
}
