//! What can be seen of a run from outside, read from its history: replies, invocations with their journals,
//! state, effects. Ids and times are masked; they are each runtime's own.
//!
//! Must not know: which of the runtimes it was.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use crate::{
    base::VirtualTime,
    history::{Content, Event, History, Inv, Outcome, Phase},
};

/// In whose name effects are listed that no attempt asked for.
const BACKGROUND: &str = "a background task";

/// An invocation, as it was left.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeenInvocation {
    /// `completed`, `paused`, `scheduled`, or `open`.
    pub status: String,
    /// How it ended; empty if it did not.
    pub outcome: String,
    /// Its journal: types, with the names of runs.
    pub journal: Vec<String>,
    /// What each entry of its journal holds, with its name, as JSON.
    pub contents: Vec<String>,
}

/// What can be seen of a run from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// By request; none came for those that are missing.
    pub replies: BTreeMap<String, String>,
    /// What operators were answered, and clients who complete an awakeable, by step.
    pub operators: BTreeMap<String, String>,
    /// By target.
    pub invocations: BTreeMap<String, Vec<SeenInvocation>>,
    /// By `Service/key name`.
    pub state: BTreeMap<String, String>,
    /// What systems of the outside world did, by the target of the invocation that asked for it.
    pub effects: BTreeMap<String, Vec<String>>,
}

impl Observed {
    /// What is seen when clients have their answers and nothing more happens for `calm`.
    ///
    /// `numbered_ids` are what ids begin with that systems number: `bk_`.
    #[must_use]
    pub fn of(history: &History, calm: Duration, numbered_ids: &[String]) -> Self {
        let mask = Mask::new(numbered_ids);
        let mut seen = Self::default();
        let mut invocations: BTreeMap<Inv, (String, SeenInvocation)> = BTreeMap::new();
        let mut callers = BTreeMap::new();
        let until = at_rest(history, calm);
        let records = history.records().iter().take_while(|record| record.at <= until);
        for record in records {
            match &record.event {
                Event::ReplyReceived { request, outcome, .. } => {
                    seen.replies.insert(request.to_string(), mask.outcome(outcome));
                }
                Event::OperatorAnswered { request, code, message, .. } => {
                    let answer = format!("{code} {}", mask.words(message));
                    seen.operators.insert(request.to_string(), answer.trim_end().to_owned());
                }
                Event::SystemCalled { call, cause, .. } => {
                    let caller = cause.as_ref().map(|cause| cause.target.to_string());
                    callers.insert(*call, caller.unwrap_or_else(|| BACKGROUND.to_owned()));
                }
                Event::SystemEffect { call, system, effect } => {
                    let text = serde_json::json!([system, effect]).to_string();
                    let caller = callers.get(call).cloned().unwrap_or_default();
                    seen.effects.entry(caller).or_default().push(mask.text(&text));
                }
                Event::StateOpened { service, key, name, value } => {
                    let value = mask.text(&value.text());
                    seen.state.insert(format!("{service}/{key} {name}"), value);
                }
                Event::StateChanged { service, key, name, value, .. } => {
                    let place = format!("{service}/{key} {name}");
                    match value {
                        Some(value) => drop(seen.state.insert(place, mask.text(&value.text()))),
                        None => drop(seen.state.remove(&place)),
                    }
                }
                event => note(&mut invocations, event, until, mask),
            }
        }
        for (target, mut one) in invocations.into_values() {
            drop_late_answer(&mut one);
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

fn note(
    all: &mut BTreeMap<Inv, (String, SeenInvocation)>,
    event: &Event,
    until: VirtualTime,
    mask: Mask<'_>,
) {
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
            let (journal, contents) = (Vec::new(), Vec::new());
            let one = SeenInvocation { status, outcome, journal, contents };
            all.insert(*inv, (target.to_string(), one));
        }
        Event::EntryAppended { inv, kind, name, content, .. } => {
            if let Some((_, one)) = all.get_mut(inv) {
                let mut entry = kind.replace("Command: ", "").replace("Notification: ", "~");
                if *kind == "Command: Run" {
                    entry.push_str(&format!(":{name}"));
                }
                one.journal.push(entry);
                one.contents.push(mask.content(name, content));
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
                one.outcome = mask.outcome(outcome);
            }
        }
        Event::CancelRequested { inv, phase: Phase::Inboxed | Phase::Scheduled }
        | Event::Killed { inv, phase: Phase::Inboxed | Phase::Scheduled } => set(inv, "freed"),
        _ => {}
    }
}

/// The answer of a call that is cancelled with its caller comes before the caller's next entry, after it, or
/// too late for its journal: both runtimes do either.
fn drop_late_answer(one: &mut SeenInvocation) {
    let SeenInvocation { journal, contents, .. } = one;
    for at in (0..journal.len()).filter(|at| journal[*at] == "SendSignal").collect::<Vec<_>>() {
        let after = at + 1..journal.len().min(at + 3);
        if let Some(late) = after.into_iter().find(|i| journal[*i] == "~Call") {
            journal.remove(late);
            contents.remove(late);
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

/// Takes out of texts what is each runtime's own: ids and times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mask<'a> {
    /// What ids begin with that systems number: `bk_`.
    numbered_ids: &'a [String],
}

impl<'a> Mask<'a> {
    pub(super) const fn new(numbered_ids: &'a [String]) -> Self {
        Self { numbered_ids }
    }

    fn outcome(self, outcome: &Outcome) -> String {
        match outcome {
            Outcome::Success(body) => self.text(&body.text()),
            Outcome::Failure { code, message } => format!("[{code}] {}", self.words(message)),
        }
    }

    /// What an entry holds, and its name: `["charge","ch_N"]`.
    fn content(self, name: &str, content: &Content) -> String {
        let holds = match content {
            Content::Nothing => Value::Null,
            Content::Value(value) => match value.json() {
                Some(mut value) => {
                    self.value(&mut value);
                    value
                }
                None => self.words(&value.text()).into(),
            },
            Content::Failure { code, message } => {
                format!("[{code}] {}", self.words(message)).into()
            }
            Content::Until(_) => "TIME".into(),
        };
        serde_json::json!([self.words(name), holds]).to_string()
    }

    /// A body, JSON or not, masked.
    pub(super) fn text(self, body: &str) -> String {
        match serde_json::from_str::<Value>(body) {
            Ok(mut value) => {
                self.value(&mut value);
                value.to_string()
            }
            Err(_) => self.words(body),
        }
    }

    fn value(self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.words(text),
            Value::Number(number) => {
                let unix = |seconds: u64| (1_700_000_000..2_000_000_000).contains(&seconds);
                if number.as_u64().is_some_and(|n| unix(n) || unix(n / 1000)) {
                    *value = "TIME".into();
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.value(field)),
            Value::Bool(_) | Value::Null => {}
        }
    }

    /// Text with its ids and times masked: `bk_ann_12` becomes `bk_ann_N`.
    fn words(self, text: &str) -> String {
        let part = |c: char| c.is_ascii_alphanumeric() || "_-:.".contains(c);
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
            let (whole, after) = rest.split_at(end);
            let word = whole.trim_end_matches([':', '.']);
            out.push_str(&self.word(word));
            out.push_str(&whole[word.len()..]);
            let next = after.find(part).unwrap_or(after.len());
            out.push_str(&after[..next]);
            rest = &after[next..];
        }
        out
    }

    fn word(self, word: &str) -> String {
        if word.len() == 24 && word.as_bytes()[10] == b'T' && word.ends_with('Z') {
            return "TIME".to_owned();
        }
        if word.starts_with("inv_") || word.starts_with("sign_") || word.starts_with("prom_") {
            return word[..word.find('_').unwrap_or(0)].to_owned() + "_ID";
        }
        if is_uuid(word) {
            return "UUID".to_owned();
        }
        let numbered =
            self.numbered_ids.iter().any(|start| !start.is_empty() && word.starts_with(start));
        if !numbered {
            let masked = |part| if is_random(part) { "RANDOM" } else { part };
            return word.split('-').map(masked).collect::<Vec<_>>().join("-");
        }
        let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let masked = |part| if number(part) { "N" } else { part };
        word.split('_').map(masked).collect::<Vec<_>>().join("_")
    }
}

/// True for `f81d4fae-7dec-11d0-a765-00a0c91e6bf6`.
fn is_uuid(word: &str) -> bool {
    let hex = |part: &str| part.bytes().all(|b| b.is_ascii_hexdigit());
    let parts = word.split('-').map(|part| if hex(part) { part.len() } else { 0 });
    parts.eq([8, 4, 4, 4, 12])
}

/// True for what a handler drew from its context: eight hexadecimal digits or more, `4EE658B938`.
fn is_random(part: &str) -> bool {
    let hex = part.len() >= 8 && part.bytes().all(|b| b.is_ascii_hexdigit());
    hex && part.bytes().any(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::Target,
        history::{CallId, Cause, Change, Data, Effect, EffectRecord, Within},
    };

    #[test]
    fn ids_and_times_are_masked_and_nothing_else() {
        let ids = ["bk_".to_owned(), "cx_".to_owned()];
        for (text, expected) in [
            (r#"{"booking":"bk_room-12_3","n":3}"#, r#"{"booking":"bk_room-12_N","n":3}"#),
            (r#""cx_bk_ann_1_2""#, r#""cx_bk_ann_N_N""#),
            (r#"["2026-01-01T00:00:00.000Z"]"#, r#"["TIME"]"#),
            (r#"{"at":1767225600000,"in":1767225600}"#, r#"{"at":"TIME","in":"TIME"}"#),
            ("bk_a_1 is cancelled: too late", "bk_a_N is cancelled: too late"),
            ("inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz failed", "inv_ID failed"),
            (r#"{"room":"r_1"}"#, r#"{"room":"r_1"}"#),
            ("Booking BK-4EE658B938 of 2026-01-01", "Booking BK-RANDOM of 2026-01-01"),
            ("a-deadbeef", "a-deadbeef"),
            ("for abcdefab-cdef-abcd-efab-cdefabcdefab.", "for UUID."),
            ("abcdefab-cdef-abcd-efab-cdefabcdefag", "abcdefab-cdef-abcd-efab-cdefabcdefag"),
            ("", ""),
        ] {
            assert_eq!(Mask::new(&ids).text(text), expected);
        }
        assert_eq!(Mask::new(&[]).text("bk_a_1"), "bk_a_1");
    }

    #[test]
    fn effects_are_listed_by_caller_with_their_system_and_kind() {
        #[derive(Debug, serde::Serialize)]
        struct Booked(&'static str);
        impl Effect for Booked {
            const KIND: &'static str = "booked";
        }
        let mut history = History::new();
        let target = Target::new("Bookings", "b", "book");
        let within = Within::NoRun;
        let causes = [Some(Cause { inv: Inv(0), target, attempt: 1, within }), None];
        for (number, cause) in (0..).zip(causes) {
            let (call, system) = (CallId(number), "hotel".into());
            let request = Data::new("12");
            let called = Event::SystemCalled { call, system, operation: "book", request, cause };
            history.push(VirtualTime::ZERO, called);
            let effect = EffectRecord::new(Booked("bk_1"), Change::Made);
            let system = "hotel".into();
            history.push(VirtualTime::ZERO, Event::SystemEffect { call, system, effect });
        }
        let seen = Observed::of(&history, Duration::ZERO, &["bk_".to_owned()]);
        let effect = r#"["hotel",{"kind":"booked","change":"made","fields":"bk_N"}]"#;
        assert_eq!(seen.effects["Bookings/b/book"], [effect]);
        assert_eq!(seen.effects[BACKGROUND], [effect]);
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
        let seen = Observed::of(&history, Duration::from_secs(10), &[]);
        assert_eq!(seen.state["S/k x"], "1");
        assert_eq!(seen.replies["r"], "true");
        assert_eq!(Observed::of(&history, Duration::from_secs(4000), &[]).state["S/k x"], "2");
    }
}
