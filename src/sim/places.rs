//! Names for the places where faults can strike: the messages of an attempt.

use crate::{
    protocol::{Frame, MessageType, messages},
    scenario::plan::{CrashPoint, EntryKind, Side},
};

/// A message from a handler, as people and crash points name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// The kind of entry, if crash points can name it.
    pub(super) entry: Option<EntryKind>,
    /// For an entry that a crash point names: which side of it a loss of this message is.
    pub(super) proposal: bool,
    /// The entry's name; empty if it has none.
    pub(super) name: String,
    word: &'static str,
}

impl Spot {
    /// The spot of `frame`; a proposed run completion gets the name of `run`.
    pub(super) fn of(frame: &Frame, run: impl FnOnce(u32) -> Option<String>) -> Self {
        use MessageType as T;
        let state_key = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
        let (entry, proposal, word, name) = match frame.ty {
            T::RunCommand => (
                Some(EntryKind::Run),
                false,
                "Run",
                frame.decode::<messages::RunCommand>().map(|m| m.name),
            ),
            T::ProposeRunCompletion => (
                Some(EntryKind::Run),
                true,
                "result of Run",
                frame
                    .decode::<messages::ProposeRunCompletion>()
                    .map(|m| run(m.result_completion_id).unwrap_or_default()),
            ),
            T::SetStateCommand => (
                Some(EntryKind::Set),
                false,
                "SetState",
                frame.decode::<messages::SetStateCommand>().map(|m| state_key(&m.key)),
            ),
            T::ClearStateCommand => (
                Some(EntryKind::Clear),
                false,
                "ClearState",
                frame.decode::<messages::ClearStateCommand>().map(|m| state_key(&m.key)),
            ),
            T::ClearAllStateCommand => {
                (Some(EntryKind::Clear), false, "ClearAllState", Ok(String::new()))
            }
            T::CallCommand => (
                Some(EntryKind::Call),
                false,
                "Call",
                frame
                    .decode::<messages::CallCommand>()
                    .map(|m| format!("{}/{}", m.service_name, m.handler_name)),
            ),
            T::OneWayCallCommand => (
                Some(EntryKind::Send),
                false,
                "Send",
                frame
                    .decode::<messages::OneWayCallCommand>()
                    .map(|m| format!("{}/{}", m.service_name, m.handler_name)),
            ),
            T::SleepCommand => (Some(EntryKind::Sleep), false, "Sleep", Ok(String::new())),
            T::OutputCommand => (Some(EntryKind::Output), false, "Output", Ok(String::new())),
            T::GetPromiseCommand => {
                let name = frame.decode::<messages::GetPromiseCommand>().map(|m| m.key);
                (None, false, "GetPromise", name)
            }
            T::PeekPromiseCommand => {
                let name = frame.decode::<messages::PeekPromiseCommand>().map(|m| m.key);
                (None, false, "PeekPromise", name)
            }
            T::CompletePromiseCommand => {
                let name = frame.decode::<messages::CompletePromiseCommand>().map(|m| m.key);
                (None, false, "CompletePromise", name)
            }
            other => (None, false, other.journal_name(), Ok(String::new())),
        };
        Self { entry, proposal, name: name.unwrap_or_default(), word }
    }

    /// `Run(charge)`, `result of Run(charge)`, `Output`.
    pub(super) fn text(&self) -> String {
        if self.name.is_empty() {
            self.word.to_owned()
        } else {
            format!("{}({})", self.word, self.name)
        }
    }

    /// Whether losing (`Some(true)`) or storing (`Some(false)`) this message and dying is what
    /// `point` asks for.
    pub(super) fn asked_by(&self, point: &CrashPoint) -> Option<bool> {
        let named = point.name == "*" || point.name.is_empty() || point.name == self.name;
        if self.entry != Some(point.entry) || !named {
            return None;
        }
        match (point.entry, point.side, self.proposal) {
            // before a run's effect: its command is stored, its closure is cut off
            (EntryKind::Run, Side::Before, false) => Some(false),
            // after a run's effect: the result is lost
            (EntryKind::Run, Side::After, true) => Some(true),
            (EntryKind::Run, _, _) => None,
            (_, Side::Before, _) => Some(true),
            (_, Side::After, _) => Some(false),
        }
    }
}
