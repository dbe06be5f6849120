//! The ledger file of the outside world: what was asked and done, a line of JSON each, and how it is read again.
//!
//! Must not know: any system, time.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::LiveError;
use crate::{
    base::{Name, Target},
    choice::Rate,
    history::Inv,
    system::{Caller, Chooser},
};

/// A line of a ledger.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// A request arrived.
    Asked(Asked),
    /// It took effect, or was refused for good.
    Done(DoneEntry),
}

/// A request that arrived.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) system: String,
    pub(super) operation: String,
}

/// A request that took effect, with all that the system saw beside it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DoneEntry {
    pub(super) system: String,
    pub(super) request: Value,
    /// What the system's clock showed.
    pub(super) unix_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    caller: Option<CallerEntry>,
    /// The answers to the system's choices, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) choices: Vec<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CallerEntry {
    inv: u32,
    label: Name,
    target: Target,
    attempt: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<Name>,
}

impl DoneEntry {
    pub(super) fn new(
        system: &str,
        request: Value,
        unix_ms: u64,
        caller: Option<&Caller>,
        choices: Vec<u64>,
    ) -> Self {
        let caller = caller.map(|caller| CallerEntry {
            inv: caller.inv.0,
            label: caller.label.clone(),
            target: caller.target.clone(),
            attempt: caller.attempt,
            run: caller.run.clone(),
        });
        Self { system: system.to_owned(), request, unix_ms, caller, choices }
    }

    /// The caller, as the system saw it.
    pub(super) fn caller(&self) -> Option<Caller> {
        let entry = self.caller.as_ref()?;
        Some(Caller {
            inv: Inv(entry.inv),
            label: entry.label.clone(),
            target: entry.target.clone(),
            attempt: entry.attempt,
            run: entry.run.clone(),
        })
    }
}

/// A ledger that is open for more.
#[derive(Debug)]
pub(super) struct Ledger(Mutex<File>);

impl Ledger {
    /// Opens the ledger at `path`, or begins it; `repeat` gets what was done before.
    ///
    /// # Errors
    /// If the file cannot be used, or a line of it is not understood.
    pub(super) fn open(
        path: &Path,
        mut repeat: impl FnMut(DoneEntry) -> Result<(), String>,
    ) -> Result<Self, LiveError> {
        let failed =
            |problem: String| LiveError::Ledger { path: path.display().to_string(), problem };
        if path.exists() {
            let file = File::open(path).map_err(|e| failed(e.to_string()))?;
            for (number, line) in BufReader::new(file).lines().enumerate() {
                let wrong = |problem| failed(format!("line {}: {problem}", number + 1));
                let line = line.map_err(|e| failed(e.to_string()))?;
                let entry = serde_json::from_str(&line).map_err(|e| wrong(e.to_string()))?;
                if let Entry::Done(done) = entry {
                    repeat(done).map_err(wrong)?;
                }
            }
        }
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.map(|file| Self(Mutex::new(file))).map_err(|e| failed(e.to_string()))
    }

    /// Writes a line, whole: its reader may end this process next.
    pub(super) fn write(&self, entry: &Entry) {
        let mut text = serde_json::to_string(entry).expect("an entry is plain data");
        text.push('\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(text.as_bytes()).expect("the ledger can be written");
    }
}

/// The choices of a [`DoneEntry`], once more.
pub(super) struct Recorded<'a> {
    choices: std::vec::IntoIter<u64>,
    remembered: &'a mut BTreeMap<(&'static str, String), bool>,
}

impl<'a> Recorded<'a> {
    pub(super) fn new(
        choices: Vec<u64>,
        remembered: &'a mut BTreeMap<(&'static str, String), bool>,
    ) -> Self {
        Self { choices: choices.into_iter(), remembered }
    }
}

impl Chooser for Recorded<'_> {
    fn chance(&mut self, name: &'static str, key: Option<&str>, _: Rate) -> bool {
        let answer = self.choices.next().is_some_and(|answer| answer != 0);
        if let Some(key) = key {
            self.remembered.insert((name, key.to_owned()), answer);
        }
        answer
    }

    fn between(&mut self, _: &'static str, from: u64, to: u64) -> u64 {
        if to <= from { from } else { self.choices.next().unwrap_or(from).clamp(from, to) }
    }

    fn fault(&mut self, _: &'static str, _: u32) -> Result<u32, String> {
        Ok(0)
    }
}
