//! Which `ctx.run` of an attempt is running, found from the messages that pass.

use crate::{
    base::Name,
    history::Within,
    protocol::{Frame, MessageType, messages},
};

/// The runs of an attempt that have no result yet, in order.
#[derive(Debug, Default)]
pub(crate) struct OpenRuns(Vec<(u32, Name)>);

impl OpenRuns {
    /// The `ctx.run` whose closure is running. Messages tell which runs are open, not whose closure is polled:
    /// of several that are open at once it cannot be said.
    pub(crate) fn within(&self) -> Within {
        match self.0.as_slice() {
            [] => Within::NoRun,
            [(id, name)] => Within::Run { id: *id, name: name.clone() },
            _ => Within::Unknown,
        }
    }

    /// Notes a message between the attempt and Restate, in either direction.
    pub(crate) fn note(&mut self, frame: &Frame) {
        match frame.ty {
            MessageType::RunCommand => {
                if let Ok(run) = frame.decode::<messages::RunCommand>() {
                    self.0.push((run.result_completion_id, run.name.into()));
                }
            }
            MessageType::ProposeRunCompletion => {
                if let Ok(done) = frame.decode::<messages::ProposeRunCompletion>() {
                    self.0.retain(|(id, _)| *id != done.result_completion_id);
                }
            }
            MessageType::RunCompletionNotification => {
                if let Ok(messages::Notification {
                    id: Some(messages::NotificationId::Completion(done)),
                    ..
                }) = frame.decode()
                {
                    self.0.retain(|(id, _)| *id != done);
                }
            }
            _ => {}
        }
    }
}
