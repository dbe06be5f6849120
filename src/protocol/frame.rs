//! One message on the wire.
//!
//! Must not know: how a stream is cut into messages.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

use super::{MessageType, ProtocolError};

/// The length of a frame's header, in bytes: type, flags, payload length.
pub const HEADER_LENGTH: usize = 8;

/// Set in a frame's flags when its sender wants an acknowledgement.
pub(super) const FLAG_ACK_REQUESTED: u16 = 0x8000;

/// One message. Cloning shares the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub ty: MessageType,
    /// True if the sender wants the acknowledgement only, not its own result back. Only
    /// [`MessageType::ProposeRunCompletion`] can ask for it.
    pub requested_ack: bool,
    /// The protobuf message.
    pub payload: Bytes,
}

impl Frame {
    /// A frame of type `ty` that carries `message`.
    #[must_use]
    pub fn new(ty: MessageType, message: &impl Message) -> Self {
        Self { ty, requested_ack: false, payload: message.encode_to_vec().into() }
    }

    /// The payload, decoded; bytes in it are shared with the frame.
    ///
    /// # Errors
    /// [`ProtocolError::Malformed`] if the payload is not a valid `M`.
    pub fn decode<M: Message + Default>(&self) -> Result<M, ProtocolError> {
        M::decode(self.payload.clone())
            .map_err(|e| ProtocolError::Malformed { ty: self.ty, reason: e.to_string() })
    }

    /// Appends the frame to `out` as it goes over the wire.
    ///
    /// # Panics
    /// If the payload is 4 GiB or more, which no decoder would accept.
    pub fn encode_into(&self, out: &mut BytesMut) {
        let length = u32::try_from(self.payload.len()).expect("a payload is shorter than 4 GiB");
        out.reserve(HEADER_LENGTH + self.payload.len());
        out.put_u16(self.ty.code());
        out.put_u16(if self.requested_ack { FLAG_ACK_REQUESTED } else { 0 });
        out.put_u32(length);
        out.put_slice(&self.payload);
    }
}
