//! What was seen of a case: by the driver that asks a real server, and in the simulation's history.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One question, and what was seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) case: String,
    /// True if each attempt is a request with a response: the input is closed after the known journal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) request_response: bool,
    /// As in a scenario file.
    pub(crate) steps: Vec<Value>,
    /// By request; null if none came.
    #[serde(default)]
    pub(crate) replies: BTreeMap<String, Option<Reply>>,
    /// What operators were told, by step.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) answers: BTreeMap<String, Reply>,
    /// Which requests got one invocation id: the first has number 1.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) ids: BTreeMap<String, usize>,
    /// By object key, then in order of creation. One that was freed before it started leaves no trace.
    #[serde(default)]
    pub(crate) invocations: Vec<Seen>,
    /// The state `x` by object key, where there is one.
    #[serde(default)]
    pub(crate) state: BTreeMap<String, u64>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Reply {
    Ok { ok: Value },
    Failed { code: u32, message: String },
}

/// An invocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) key: String,
    pub(crate) status: String,
    pub(crate) failure: Option<String>,
    pub(crate) journal: String,
    /// Milliseconds between the starts of its attempts; none if nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gaps_ms: Option<Vec<u64>>,
}

impl Seen {
    /// True if both did the same at about the same times: two delays of one length differ by their jitter,
    /// which is up to 30 %, and by what a server needs for its work.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        let about = |a: &u64, b: &u64| a * 10 <= b * 13 + 1500 && b * 10 <= a * 13 + 1500;
        let in_time = match (&self.gaps_ms, &other.gaps_ms) {
            (Some(one), Some(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(a, b)| about(a, b))
            }
            _ => true,
        };
        let rest = |seen: &Self| Self { gaps_ms: None, ..seen.clone() };
        in_time && rest(self) == rest(other)
    }
}

/// Gives each seed that a reply tells a number, in order of appearance: the values are each runtime's own.
pub(crate) fn number_seeds(replies: &mut BTreeMap<String, Option<Reply>>) {
    let mut known: Vec<String> = Vec::new();
    for reply in replies.values_mut().flatten() {
        let Reply::Ok { ok: Value::Array(log) } = reply else { continue };
        for told in log {
            let Some(text) = told.as_str() else { continue };
            let Some((before, rest)) = text.split_once("seed ") else { continue };
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (seed, after) = rest.split_at(digits);
            let number = known.iter().position(|k| k == seed).unwrap_or_else(|| {
                known.push(seed.to_owned());
                known.len() - 1
            });
            *told = format!("{before}seed #{}{after}", number + 1).into();
        }
    }
}

/// Numbers ids in the order of their requests.
pub(crate) fn number_ids(ids: &BTreeMap<String, String>) -> BTreeMap<String, usize> {
    let mut known: Vec<&String> = Vec::new();
    let number = |id| {
        known.iter().position(|k| *k == id).map_or_else(
            || {
                known.push(id);
                known.len()
            },
            |at| at + 1,
        )
    };
    let numbers: Vec<usize> = ids.values().map(number).collect();
    ids.keys().cloned().zip(numbers).collect()
}
