//! What is under way to Restate.
//!
//! Must not know: how it gets there.

use crate::{host::Step, protocol::Frame, sim::network::Delivery};

/// What is left of a poll whose messages come later.
pub(super) struct UnderWay {
    pub(super) deliveries: std::vec::IntoIter<Delivery>,
    pub(super) frames: Vec<Frame>,
    pub(super) step: Step,
    /// Whether one of them ends the attempt: then nothing comes between them.
    pub(super) is_mortal: bool,
}

impl UnderWay {
    /// The index, in its poll, of the message that comes next.
    pub(super) fn message(&self) -> Option<usize> {
        self.deliveries.as_slice().iter().find_map(|delivery| match delivery {
            Delivery::Store(index) => Some(*index),
            _ => None,
        })
    }

    /// How many messages Restate would still get.
    pub(super) fn messages(self) -> u32 {
        let messages = self.deliveries.filter(|delivery| matches!(delivery, Delivery::Store(_)));
        u32::try_from(messages.count()).unwrap_or(u32::MAX)
    }
}

/// How far the messages of a poll got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivered {
    All,
    /// The others come later.
    Later,
    /// Something else goes before the others.
    Passed,
    /// The attempt died.
    Dead,
}
