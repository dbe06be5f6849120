//! What can be seen of a run from outside, read from its history: replies, invocations with their journals,
//! state, effects. Ids and times are masked; they are each runtime's own.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use crate::{
    base::VirtualTime,
    history::{Event, History, Inv, Outcome, Phase},
};

/// An invocation, as it was left.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeenInvocation {
    /// `completed`, `paused`, `scheduled`, or `open`.
    pub status: String,
    /// How it ended; empty if it did not.
    pub outcome: String,
    /// Its journal: types, with the names of runs.
    pub journal: Vec<String>,
}

/// What can be seen of a run from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// By request; none came for those that are missing.
    pub replies: BTreeMap<String, String>,
    /// By target.
    pub invocations: BTreeMap<String, Vec<SeenInvocation>>,
    /// By `Service/key name`.
    pub state: BTreeMap<String, String>,
    /// What happened in the outside world, by the target of the invocation that asked for it.
    pub effects: BTreeMap<String, Vec<String>>,
}

impl Observed {
    /// What is seen when clients have their answers and nothing more happens for `calm`.
    #[must_use]
    pub fn of(history: &History, calm: Duration) -> Self {
        let mut seen = Self::default();
        let mut invocations: BTreeMap<Inv, (String, SeenInvocation)> = BTreeMap::new();
        let mut callers = BTreeMap::new();
        let until = at_rest(history, calm);
        let records = history.records().iter().take_while(|record| record.at <= until);
        for record in records {
            match &record.event {
                Event::ReplyReceived { request, outcome, .. } => {
                    seen.replies.insert(request.to_string(), told(outcome));
                }
                Event::WorldCalled { call, cause, .. } => {
                    callers.insert(*call, cause.target.to_string());
                }
                Event::WorldEffect { call, effect } => {
                    let text = serde_json::to_string(effect).unwrap_or_default();
                    let caller = callers.get(call).cloned().unwrap_or_default();
                    seen.effects.entry(caller).or_default().push(masked(&text));
                }
                Event::StateSeeded { service, key, name, value } => {
                    let value = masked(&value.text());
                    seen.state.insert(format!("{service}/{key} {name}"), value);
                }
                Event::StateChanged { service, key, name, value, .. } => {
                    let place = format!("{service}/{key} {name}");
                    match value {
                        Some(value) => drop(seen.state.insert(place, masked(&value.text()))),
                        None => drop(seen.state.remove(&place)),
                    }
                }
                event => note(&mut invocations, event, until),
            }
        }
        for (target, mut one) in invocations.into_values() {
            drop_late_answer(&mut one.journal);
            // what was freed before it started leaves no trace
            if one.status != "freed" {
                seen.invocations.entry(target).or_default().push(one);
            }
        }
        seen.invocations.values_mut().for_each(|all| all.sort());
        seen.effects.values_mut().for_each(|all| all.sort());
        seen
    }

    /// How many journal entries there are.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.invocations.values().flatten().map(|one| one.journal.len()).sum()
    }
}

fn note(all: &mut BTreeMap<Inv, (String, SeenInvocation)>, event: &Event, until: VirtualTime) {
    let mut set = |inv: &Inv, status: &str| {
        if let Some((_, one)) = all.get_mut(inv)
            && one.status != "freed"
        {
            one.status = status.to_owned();
        }
    };
    match event {
        Event::InvocationCreated { inv, target, due, .. } => {
            let status = if due.is_some_and(|due| due > until) { "scheduled" } else { "open" };
            let (status, outcome) = (status.to_owned(), String::new());
            let one = SeenInvocation { status, outcome, journal: Vec::new() };
            all.insert(*inv, (target.to_string(), one));
        }
        Event::EntryAppended { inv, kind, name, .. } => {
            if let Some((_, one)) = all.get_mut(inv) {
                let mut entry = kind.replace("Command: ", "").replace("Notification: ", "~");
                if *kind == "Command: Run" {
                    entry.push_str(&format!(":{name}"));
                }
                one.journal.push(entry);
            }
        }
        Event::AttemptStarted { inv, .. } | Event::Resumed { inv } => set(inv, "open"),
        Event::Paused { inv } | Event::PausedByOperator { inv } => set(inv, "paused"),
        Event::Purged { inv } => {
            set(inv, "freed");
        }
        Event::Completed { inv, outcome } => {
            set(inv, "completed");
            if let Some((_, one)) = all.get_mut(inv) {
                one.outcome = told(outcome);
            }
        }
        Event::CancelRequested { inv, phase: Phase::Inboxed | Phase::Scheduled }
        | Event::Killed { inv, phase: Phase::Inboxed | Phase::Scheduled } => set(inv, "freed"),
        _ => {}
    }
}

/// The answer of a call that is cancelled with its caller comes before the caller's next entry, after it, or
/// too late for its journal: both runtimes do either.
fn drop_late_answer(journal: &mut Vec<String>) {
    for at in (0..journal.len()).filter(|at| journal[*at] == "SendSignal").collect::<Vec<_>>() {
        let after = at + 1..journal.len().min(at + 3);
        if let Some(late) = after.into_iter().find(|i| journal[*i] == "~Call") {
            journal.remove(late);
            break;
        }
    }
}

/// The last moment of a run before nothing more happens for `calm`, once clients have their answers.
fn at_rest(history: &History, calm: Duration) -> VirtualTime {
    let records = history.records();
    let answered =
        |event: &Event| matches!(event, Event::ReplyReceived { .. } | Event::GaveUp { .. });
    let last_answer = records.iter().rposition(|record| answered(&record.event)).unwrap_or(0);
    let mut at = records.get(last_answer).map_or(VirtualTime::ZERO, |record| record.at);
    for record in &records[last_answer.min(records.len())..] {
        if record.at.since(at) > calm {
            break;
        }
        at = record.at;
    }
    at
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Success(body) => masked(&body.text()),
        Outcome::Failure { code, message } => format!("[{code}] {}", masked_words(message)),
    }
}

/// A body without what is each runtime's own.
pub(super) fn masked(body: &str) -> String {
    match serde_json::from_str::<Value>(body) {
        Ok(mut value) => {
            mask(&mut value);
            value.to_string()
        }
        Err(_) => masked_words(body),
    }
}

fn mask(value: &mut Value) {
    match value {
        Value::String(text) => *text = masked_words(text),
        Value::Number(number) => {
            let unix = |seconds: u64| (1_700_000_000..2_000_000_000).contains(&seconds);
            if number.as_u64().is_some_and(|n| unix(n) || unix(n / 1000)) {
                *value = "TIME".into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(fields) => fields.values_mut().for_each(mask),
        Value::Bool(_) | Value::Null => {}
    }
}

/// Text with its ids and times masked: `ch_alice_12` becomes `ch_alice_N`.
fn masked_words(text: &str) -> String {
    let part = |c: char| c.is_ascii_alphanumeric() || "_-:.".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        out.push_str(&masked_word(word));
        let next = after.find(part).unwrap_or(after.len());
        out.push_str(&after[..next]);
        rest = &after[next..];
    }
    out
}

fn masked_word(whole: &str) -> String {
    let word = whole.trim_end_matches([':', '.']);
    masked_id(word) + &whole[word.len()..]
}

fn masked_id(word: &str) -> String {
    if word.len() == 24 && word.as_bytes()[10] == b'T' && word.ends_with('Z') {
        return "TIME".to_owned();
    }
    if word.starts_with("inv_") || word.starts_with("sign_") || word.starts_with("prom_") {
        return word[..word.find('_').unwrap_or(0)].to_owned() + "_ID";
    }
    let issued = ["ch_", "re_", "msg_", "lbl_"].iter().any(|kind| word.starts_with(kind));
    if !issued {
        let masked = |part| if is_random(part) { "RANDOM" } else { part };
        return word.split('-').map(masked).collect::<Vec<_>>().join("-");
    }
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let masked = |part| if number(part) { "N" } else { part };
    word.split('_').map(masked).collect::<Vec<_>>().join("_")
}

/// True for what a handler drew from its context: eight hexadecimal digits or more, `4EE658B938`.
fn is_random(part: &str) -> bool {
    let hex = part.len() >= 8 && part.bytes().all(|b| b.is_ascii_hexdigit());
    hex && part.bytes().any(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_times_are_masked_and_nothing_else() {
        for (text, expected) in [
            (r#"{"chargeId":"ch_cust-alice_3","n":3}"#, r#"{"chargeId":"ch_cust-alice_N","n":3}"#),
            (r#""re_ch_bob_1_2""#, r#""re_ch_bob_N_N""#),
            (r#"["2026-01-01T00:00:00.000Z"]"#, r#"["TIME"]"#),
            (r#"{"at":1767225600000,"in":1767225600}"#, r#"{"at":"TIME","in":"TIME"}"#),
            ("refund of ch_a_1: too much", "refund of ch_a_N: too much"),
            ("inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz failed", "inv_ID failed"),
            (r#"{"orderId":"o_1"}"#, r#"{"orderId":"o_1"}"#),
            ("Order ORD-4EE658B938 of 2026-01-01", "Order ORD-RANDOM of 2026-01-01"),
            ("a-deadbeef", "a-deadbeef"),
            ("", ""),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    #[test]
    fn what_comes_after_a_long_silence_is_not_waited_for() {
        let mut history = History::new();
        let at = |s: u64| VirtualTime::from_millis(s * 1000);
        let set = |x: &str| Event::StateChanged {
            inv: Inv(0),
            service: "S".into(),
            key: "k".into(),
            name: "x".into(),
            value: Some(x.into()),
        };
        let outcome = Outcome::Success("true".into());
        history.push(at(50), Event::ReplyReceived { request: "r".into(), attempt: 1, outcome });
        history.push(at(55), set("1"));
        history.push(at(3600), set("2"));
        let seen = Observed::of(&history, Duration::from_secs(10));
        assert_eq!(seen.state["S/k x"], "1");
        assert_eq!(seen.replies["r"], "true");
        assert_eq!(Observed::of(&history, Duration::from_secs(4000)).state["S/k x"], "2");
    }
}
