//! Signals, by name or by number; an awakeable is a signal whose invocation and number are its id.
//!
//! Must not know: what handlers do about them.

use super::{
    Engine,
    content::{content_of, signal_result},
    promise::result_of,
    refusal::Refusal,
};
use crate::{
    base::{Name, VirtualTime},
    history::{Event, Inv, Outcome, Payload, Phase},
    protocol::{
        Frame, MessageType,
        messages::{
            CompleteAwakeableCommand, Failure, NotificationId, NotificationResult, SIGNAL_CANCEL,
            SIGNALS_RESERVED, SendSignalCommand, SignalId, Value,
        },
    },
};

/// What every awakeable's id begins with.
const AWAKEABLE: &str = "sign_1";

impl Engine {
    /// A client completes an awakeable of `inv`, its `number`th, from 1.
    pub fn complete_awakeable_of(
        &mut self,
        now: VirtualTime,
        inv: Inv,
        number: u32,
        outcome: Outcome,
    ) {
        let result = match outcome {
            Outcome::Success(Payload(content)) => NotificationResult::Value(Value { content }),
            Outcome::Failure { code, message } => {
                NotificationResult::Failure(Failure { code, message, metadata: Vec::new() })
            }
        };
        let index = SIGNALS_RESERVED.saturating_add(number);
        // An awakeable's id names its invocation by its id. One of an invocation that is not known is lost.
        if let Ok(inv) = self.holder(now, inv) {
            self.signal(now, inv, NotificationId::Signal(index), result);
        }
    }

    /// A client completes the awakeable with this id; false if it is no id. One of an invocation that is not known
    /// is lost.
    pub(super) fn complete_awakeable_by_id(
        &mut self,
        now: VirtualTime,
        id: &str,
        outcome: Outcome,
    ) -> bool {
        // what the server gave out before there were signals
        if id.starts_with("prom_1") {
            return true;
        }
        let Some((id, index)) = read_awakeable_id(id) else { return false };
        let known = std::str::from_utf8(&id).ok().and_then(|id| self.by_id.get(id).copied());
        if let Some(inv) = known {
            let number = index.saturating_sub(SIGNALS_RESERVED);
            self.complete_awakeable_of(now, inv, number, outcome);
        }
        true
    }

    pub(super) fn send_signal(
        &mut self,
        now: VirtualTime,
        inv: Inv,
        frame: Frame,
    ) -> Result<(), Refusal> {
        let signal: SendSignalCommand = frame.decode()?;
        let nothing = || Refusal::Violation("a signal has no id, or brings nothing".to_owned());
        let id = match signal.signal_id.ok_or_else(nothing)? {
            SignalId::Index(index) => NotificationId::Signal(index),
            SignalId::Name(name) => NotificationId::NamedSignal(name),
        };
        let result = signal_result(signal.result.ok_or_else(nothing)?);
        let name = match &id {
            NotificationId::NamedSignal(name) => name.as_str().into(),
            _ => self.no_name.clone(),
        };
        self.append(now, inv, frame, name, content_of(&result));
        // A signal to an invocation that does not exist is lost.
        if let Some(&target) = self.by_id.get(signal.target_invocation_id.as_str()) {
            match id {
                NotificationId::Signal(SIGNAL_CANCEL) => self.cancel_called(now, inv, target),
                id => self.signal(now, target, id, result),
            }
        }
        Ok(())
    }

    pub(super) fn complete_awakeable(
        &mut self,
        now: VirtualTime,
        inv: Inv,
        frame: Frame,
    ) -> Result<(), Refusal> {
        let CompleteAwakeableCommand { awakeable_id, result, .. } = frame.decode()?;
        let result = result_of(result)?;
        let (id, index) = read_awakeable_id(&awakeable_id).ok_or_else(|| {
            Refusal::CannotCall(format!("`{awakeable_id}` is not the id of an awakeable"))
        })?;
        self.append(now, inv, frame, self.no_name.clone(), content_of(&result));
        let target = std::str::from_utf8(&id).ok().and_then(|id| self.by_id.get(id));
        if let Some(&target) = target {
            self.signal(now, target, NotificationId::Signal(index), result);
        }
        Ok(())
    }

    /// Stores a signal in the journal of `inv`, whether it waits for it or not. It is lost if that did not
    /// start yet, or is over.
    fn signal(
        &mut self,
        now: VirtualTime,
        inv: Inv,
        id: NotificationId,
        result: NotificationResult,
    ) {
        let name: Name = match &id {
            NotificationId::NamedSignal(name) => name.as_str().into(),
            NotificationId::Signal(index) | NotificationId::Completion(index) => {
                awakeable_name(*index).into()
            }
        };
        let phase = self.phase(inv);
        self.record(Event::SignalSent { inv, name: name.clone(), phase });
        if !matches!(phase, Phase::Scheduled | Phase::Inboxed | Phase::Completed) {
            self.notify(now, inv, MessageType::SignalNotification, id, result, name);
        }
    }
}

/// What an entry is called that a signal with this number makes.
pub(crate) fn awakeable_name(index: u32) -> String {
    format!("awakeable {}", index.saturating_sub(SIGNALS_RESERVED))
}

/// The invocation's id and the signal's number in an awakeable's id.
fn read_awakeable_id(text: &str) -> Option<(Vec<u8>, u32)> {
    let mut bytes = base64url(text.strip_prefix(AWAKEABLE)?)?;
    let index = bytes.split_off(bytes.len().checked_sub(4)?);
    Some((bytes, u32::from_be_bytes(index.try_into().ok()?)))
}

/// Base64 with `-` and `_`, without padding.
fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0);
    for c in text.bytes() {
        let digit = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_an_awakeable_names_its_invocation_and_its_number() {
        let known = Some((b"inv_0123".to_vec(), 17));
        assert_eq!(read_awakeable_id("sign_1aW52XzAxMjMAAAAR"), known);
        for wrong in ["", "sign_1", "sign_1AAA", "prom_1aW52XzAxMjMAAAAR", "sign_1aW5 2XzAx"] {
            assert_eq!(read_awakeable_id(wrong), None, "{wrong}");
        }
    }
}
