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

fn state_key(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

/// The kind of an entry whose place has no name: a place's text is the site of choices, and stays as it is.
const fn entry_of(ty: MessageType) -> Option<EntryKind> {
    use MessageType as T;
    Some(match ty {
        T::GetEagerStateCommand | T::GetLazyStateCommand => EntryKind::Get,
        T::GetEagerStateKeysCommand | T::GetLazyStateKeysCommand => EntryKind::Keys,
        T::CompleteAwakeableCommand => EntryKind::Awakeable,
        T::SendSignalCommand => EntryKind::Signal,
        T::AttachInvocationCommand => EntryKind::Attach,
        T::GetInvocationOutputCommand => EntryKind::Outcome,
        _ => return None,
    })
}

/// The name of an entry whose place has none.
fn unnamed(frame: &Frame) -> Option<String> {
    use MessageType as T;
    Some(match frame.ty {
        T::GetEagerStateCommand => {
            state_key(&frame.decode::<messages::GetEagerStateCommand>().ok()?.key)
        }
        T::GetLazyStateCommand => {
            state_key(&frame.decode::<messages::GetLazyStateCommand>().ok()?.key)
        }
        T::SendSignalCommand => {
            match frame.decode::<messages::SendSignalCommand>().ok()?.signal_id? {
                messages::SignalId::Name(name) => name,
                messages::SignalId::Index(_) => return None,
            }
        }
        _ => return None,
    })
}

impl Spot {
    /// The spot of `frame`; a proposed run completion gets the name of `run`.
    pub(super) fn of(frame: &Frame, run: impl FnOnce(u32) -> Option<String>) -> Self {
        use EntryKind as E;
        use MessageType as T;
        let (entry, word, name) = match frame.ty {
            T::RunCommand => {
                (Some(E::Run), "Run", frame.decode::<messages::RunCommand>().map(|m| m.name))
            }
            T::ProposeRunCompletion => (
                Some(E::Run),
                "result of Run",
                frame
                    .decode::<messages::ProposeRunCompletion>()
                    .map(|m| run(m.result_completion_id).unwrap_or_default()),
            ),
            T::SetStateCommand => (
                Some(E::Set),
                "SetState",
                frame.decode::<messages::SetStateCommand>().map(|m| state_key(&m.key)),
            ),
            T::ClearStateCommand => (
                Some(E::Clear),
                "ClearState",
                frame.decode::<messages::ClearStateCommand>().map(|m| state_key(&m.key)),
            ),
            T::ClearAllStateCommand => (Some(E::Clear), "ClearAllState", Ok(String::new())),
            T::CallCommand => (
                Some(E::Call),
                "Call",
                frame
                    .decode::<messages::CallCommand>()
                    .map(|m| format!("{}/{}", m.service_name, m.handler_name)),
            ),
            T::OneWayCallCommand => (
                Some(E::Send),
                "Send",
                frame
                    .decode::<messages::OneWayCallCommand>()
                    .map(|m| format!("{}/{}", m.service_name, m.handler_name)),
            ),
            T::SleepCommand => (Some(E::Sleep), "Sleep", Ok(String::new())),
            T::OutputCommand => (Some(E::Output), "Output", Ok(String::new())),
            T::GetPromiseCommand => {
                let name = frame.decode::<messages::GetPromiseCommand>().map(|m| m.key);
                (Some(E::Promise), "GetPromise", name)
            }
            T::PeekPromiseCommand => {
                let name = frame.decode::<messages::PeekPromiseCommand>().map(|m| m.key);
                (Some(E::Peek), "PeekPromise", name)
            }
            T::CompletePromiseCommand => {
                let name = frame.decode::<messages::CompletePromiseCommand>().map(|m| m.key);
                (Some(E::Complete), "CompletePromise", name)
            }
            other => (entry_of(other), other.journal_name(), Ok(String::new())),
        };
        let proposal = frame.ty == T::ProposeRunCompletion;
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
    pub(super) fn asked_by(&self, frame: &Frame, point: &CrashPoint) -> Option<bool> {
        let named = point.name == "*"
            || point.name.is_empty()
            || point.name == self.name
            || (self.name.is_empty() && unnamed(frame).as_ref() == Some(&point.name));
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
