//! What is wrong with bytes that are not the service protocol.
//!
//! Must not know: how they were read.

use super::MessageType;

/// The longest payload accepted, in bytes: 32 MiB, as a Restate server's default message limit.
pub const FRAME_LENGTH_MAX: u32 = 32 * 1024 * 1024;

/// Bytes that are not the service protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// No message has this type.
    #[error("unknown message type {0:#06x}")]
    UnknownType(u16),
    /// The announced length is over [`FRAME_LENGTH_MAX`].
    #[error("{ty} message of {length} bytes; at most {FRAME_LENGTH_MAX} are accepted")]
    TooLong {
        /// The type of the message.
        ty: MessageType,
        /// The announced length, in bytes.
        length: u32,
    },
    /// The stream ended inside a message.
    #[error("the stream ended inside a message, {missing} bytes too early")]
    Truncated {
        /// How many bytes are missing, at least: of the header if that is not complete.
        missing: usize,
    },
    /// A flag that this type of message does not have.
    #[error("{ty} message with unexpected flags {flags:#06x}")]
    UnexpectedFlag {
        /// The type of the message.
        ty: MessageType,
        /// Its flags.
        flags: u16,
    },
    /// The payload is not the protobuf message that its type promises.
    #[error("malformed {ty} message: {reason}")]
    Malformed {
        /// The type of the message.
        ty: MessageType,
        /// What is wrong with it.
        reason: String,
    },
}

impl TryFrom<u16> for MessageType {
    type Error = ProtocolError;

    fn try_from(code: u16) -> Result<Self, ProtocolError> {
        Self::of_code(code).ok_or(ProtocolError::UnknownType(code))
    }
}
