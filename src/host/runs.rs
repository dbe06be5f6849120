//! Which `ctx.run` of an attempt is running, told from the messages that pass.

use crate::{
    base::Name,
    protocol::{Frame, MessageType, messages},
};

/// The runs of an attempt that have no result yet, in order.
#[derive(Debug, Default)]
pub(crate) struct OpenRuns(Vec<(u32, Name)>);

impl OpenRuns {
    /// The `ctx.run` whose closure is running, if one is.
    pub(crate) fn current(&self) -> Option<&Name> {
        self.0.first().map(|(_, name)| name)
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
