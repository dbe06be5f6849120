//! What the entries of a server's journal hold. The server keeps them as the service protocol has them, and so they are
//! read: an entry has the name and the content that it has in a simulated journal.
//!
//! Must not know: how rows are asked for, what is compared.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::clock::Clock;
use crate::{
    history::{Content, Payload},
    protocol::{
        Frame, MessageType as T, ProtocolError,
        messages::{
            CallCommand, ClearStateCommand, CompleteAwakeableCommand, CompletePromiseCommand,
            GetEagerStateCommand, GetLazyStateCommand, GetPromiseCommand, InputCommand,
            Notification, NotificationId, NotificationResult, OneWayCallCommand, OutputCommand,
            PeekPromiseCommand, RunCommand, SIGNAL_CANCEL, SendSignalCommand, SetStateCommand,
            SignalId, SleepCommand,
        },
    },
    restate::{
        awakeable_name,
        content::{self, content_of},
    },
};

/// Reads one journal, entry by entry.
pub(super) struct Journal {
    clock: Clock,
    /// The names of commands, by the ids of their completions.
    names: BTreeMap<u32, String>,
}

impl Journal {
    /// A journal with nothing in it; times are those of `clock`.
    pub(super) const fn new(clock: Clock) -> Self {
        Self { clock, names: BTreeMap::new() }
    }

    /// The next entry's name and content; `raw` is what the server shows, in hexadecimal digits. What is not understood
    /// has neither.
    pub(super) fn read(&mut self, ty: T, raw: &str) -> (String, Content) {
        let payload = bytes_of(raw).unwrap_or_default();
        self.entry(&Frame { ty, requested_ack: false, payload }).unwrap_or_default()
    }

    fn entry(&mut self, frame: &Frame) -> Result<(String, Content), ProtocolError> {
        if frame.ty.is_notification() {
            return Ok(self.notification(frame.decode()?));
        }
        let text = |key: &Bytes| String::from_utf8_lossy(key).into_owned();
        Ok(match frame.ty {
            T::InputCommand => {
                let input: InputCommand = frame.decode()?;
                (String::new(), value(input.value.unwrap_or_default().content))
            }
            T::OutputCommand => {
                let output: OutputCommand = frame.decode()?;
                (String::new(), content::of_output(output.result))
            }
            T::GetEagerStateCommand => {
                let get: GetEagerStateCommand = frame.decode()?;
                (text(&get.key), content::of_eager(get.result))
            }
            T::GetLazyStateCommand => {
                let get: GetLazyStateCommand = frame.decode()?;
                (self.named(get.result_completion_id, text(&get.key)), Content::Nothing)
            }
            T::SetStateCommand => {
                let set: SetStateCommand = frame.decode()?;
                (text(&set.key), value(set.value.unwrap_or_default().content))
            }
            T::ClearStateCommand => {
                (text(&frame.decode::<ClearStateCommand>()?.key), Content::Nothing)
            }
            T::SleepCommand => {
                let sleep: SleepCommand = frame.decode()?;
                let at = self.clock.at_unix_ms(sleep.wake_up_time);
                (self.named(sleep.result_completion_id, sleep.name), Content::Until(at))
            }
            T::CallCommand => {
                let call: CallCommand = frame.decode()?;
                let name = format!("{}/{}", call.service_name, call.handler_name);
                self.named(call.invocation_id_notification_idx, name.clone());
                (self.named(call.result_completion_id, name), value(call.parameter))
            }
            T::OneWayCallCommand => {
                let send: OneWayCallCommand = frame.decode()?;
                let name = format!("{}/{}", send.service_name, send.handler_name);
                (self.named(send.invocation_id_notification_idx, name), value(send.parameter))
            }
            T::SendSignalCommand => {
                let signal: SendSignalCommand = frame.decode()?;
                let name = match signal.signal_id {
                    Some(SignalId::Name(name)) => name,
                    Some(SignalId::Index(_)) | None => String::new(),
                };
                (name, brought(signal.result.map(content::signal_result)))
            }
            T::RunCommand => {
                let run: RunCommand = frame.decode()?;
                (self.named(run.result_completion_id, run.name), Content::Nothing)
            }
            T::GetPromiseCommand => {
                let get: GetPromiseCommand = frame.decode()?;
                (self.named(get.result_completion_id, get.key), Content::Nothing)
            }
            T::PeekPromiseCommand => {
                let peek: PeekPromiseCommand = frame.decode()?;
                (self.named(peek.result_completion_id, peek.key), Content::Nothing)
            }
            T::CompletePromiseCommand => {
                let complete: CompletePromiseCommand = frame.decode()?;
                let content = brought(complete.completion.map(content::completion_result));
                (self.named(complete.result_completion_id, complete.key), content)
            }
            T::CompleteAwakeableCommand => {
                let complete: CompleteAwakeableCommand = frame.decode()?;
                (String::new(), brought(complete.result.map(content::completion_result)))
            }
            // they have neither
            _ => <(String, Content)>::default(),
        })
    }

    fn notification(&self, notification: Notification) -> (String, Content) {
        let name = match notification.id {
            Some(NotificationId::Completion(id)) => {
                self.names.get(&id).cloned().unwrap_or_default()
            }
            Some(NotificationId::NamedSignal(name)) => name,
            Some(NotificationId::Signal(SIGNAL_CANCEL)) | None => String::new(),
            Some(NotificationId::Signal(index)) => awakeable_name(index),
        };
        (name, brought(notification.result))
    }

    /// Remembers the name of what completes a command.
    fn named(&mut self, completion: u32, name: String) -> String {
        self.names.insert(completion, name.clone());
        name
    }
}

fn value(bytes: Bytes) -> Content {
    Content::Value(Payload(bytes))
}

/// What a notification brings; nothing if it has nothing.
fn brought(result: Option<NotificationResult>) -> Content {
    result.as_ref().map_or(Content::Nothing, content_of)
}

/// The bytes that hexadecimal digits stand for; none if they stand for none.
fn bytes_of(digits: &str) -> Option<Bytes> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        live::clock::Clock,
        protocol::messages::{Failure, StateKeys, Void},
    };

    fn hex(message: &impl prost::Message) -> String {
        message.encode_to_vec().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn entries_have_the_names_and_contents_of_simulated_ones() {
        let mut journal = Journal::new(Clock::start());
        let mut read = |ty, raw: &str| {
            let (name, content) = journal.read(ty, raw);
            match content {
                Content::Nothing => name,
                Content::Value(value) => format!("{name} = {}", value.text()),
                Content::Failure { code, message } => {
                    format!("{name} failed with {code} {message}")
                }
                Content::Until(at) => format!("{name} until {}", at.as_millis()),
            }
        };
        // as server 1.7.12 shows them
        assert_eq!(read(T::RunCommand, "58026204626f6f6b"), "book");
        let ty = T::RunCompletionNotification;
        assert_eq!(read(ty, "08022a060a0422723122"), r#"book = "r1""#);
        assert_eq!(read(T::GetEagerStateCommand, "0a04726f6f6d6a00"), "room");
        // what completes a command has its name
        let call = CallCommand {
            service_name: "Rooms".to_owned(),
            handler_name: "book".to_owned(),
            parameter: r#"{"room":"12"}"#.into(),
            invocation_id_notification_idx: 4,
            result_completion_id: 5,
            ..Default::default()
        };
        assert_eq!(read(T::CallCommand, &hex(&call)), r#"Rooms/book = {"room":"12"}"#);
        let brings = |id, result| {
            hex(&Notification { id: Some(NotificationId::Completion(id)), result: Some(result) })
        };
        let id = NotificationResult::InvocationId("inv_1".to_owned());
        let ty = T::CallInvocationIdCompletionNotification;
        assert_eq!(read(ty, &brings(4, id)), "Rooms/book = inv_1");
        let failure =
            Failure { code: 409, message: "12 is taken".to_owned(), metadata: Vec::new() };
        let failed = NotificationResult::Failure(failure);
        let ty = T::CallCompletionNotification;
        assert_eq!(read(ty, &brings(5, failed)), "Rooms/book failed with 409 12 is taken");
        let keys = NotificationResult::StateKeys(StateKeys { keys: vec!["a".into()] });
        assert_eq!(
            read(T::GetLazyStateKeysCompletionNotification, &brings(9, keys)),
            r#" = ["a"]"#
        );
        let signal = |id| {
            hex(&Notification { id: Some(id), result: Some(NotificationResult::Void(Void {})) })
        };
        let mut told = |id| read(T::SignalNotification, &signal(id));
        assert_eq!(told(NotificationId::Signal(SIGNAL_CANCEL)), "");
        assert_eq!(told(NotificationId::Signal(18)), "awakeable 2");
        assert_eq!(told(NotificationId::NamedSignal("go".to_owned())), "go");
        // what is no message is no entry
        assert_eq!(read(T::RunCommand, "zz"), "");
        assert_eq!(read(T::RunCommand, "5"), "");
    }
}
