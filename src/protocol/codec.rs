//! A byte stream in, messages out.
//!
//! Whatever the bytes are, the answer is a frame, "not yet" or an error: never a panic, and never an
//! allocation that an announced length alone decides.
//!
//! Must not know: what the messages do.

use bytes::{Buf, BytesMut};

use super::{
    FRAME_LENGTH_MAX, Frame, HEADER_LENGTH, MessageType, ProtocolError, frame::FLAG_ACK_REQUESTED,
};

/// Cuts a byte stream, that arrives in pieces of any size, into frames.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
}

impl Decoder {
    /// A decoder at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next piece of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame; none if more bytes are needed first.
    ///
    /// # Errors
    /// If the bytes are not a frame. The stream has no next frame then: every later call gives the
    /// same error.
    #[allow(
        clippy::should_implement_trait,
        reason = "an iterator's `None` is final, this one is not"
    )]
    pub fn next(&mut self) -> Result<Option<Frame>, ProtocolError> {
        let Some(header) = Header::peek(&self.buffer)? else { return Ok(None) };
        if self.buffer.len() < HEADER_LENGTH + header.length {
            return Ok(None);
        }
        self.buffer.advance(HEADER_LENGTH);
        Ok(Some(Frame {
            ty: header.ty,
            requested_ack: header.requested_ack,
            payload: self.buffer.split_to(header.length).freeze(),
        }))
    }

    /// Checks that the stream ended between two frames.
    ///
    /// # Errors
    /// [`ProtocolError::Truncated`] if bytes of an incomplete frame are left, or what is wrong with them.
    pub fn finish(&self) -> Result<(), ProtocolError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let needed = HEADER_LENGTH + Header::peek(&self.buffer)?.map_or(0, |header| header.length);
        match needed.checked_sub(self.buffer.len()) {
            None | Some(0) => Ok(()),
            Some(missing) => Err(ProtocolError::Truncated { missing }),
        }
    }
}

struct Header {
    ty: MessageType,
    requested_ack: bool,
    length: usize,
}

impl Header {
    /// The header at the start of `bytes`, if it is complete.
    fn peek(bytes: &[u8]) -> Result<Option<Self>, ProtocolError> {
        let Some((mut header, _)) = bytes.split_at_checked(HEADER_LENGTH) else { return Ok(None) };
        let ty = MessageType::try_from(header.get_u16())?;
        let flags = header.get_u16();
        let length = header.get_u32();
        let requested_ack = flags == FLAG_ACK_REQUESTED && ty == MessageType::ProposeRunCompletion;
        if flags != 0 && !requested_ack {
            return Err(ProtocolError::UnexpectedFlag { ty, flags });
        }
        if length > FRAME_LENGTH_MAX {
            return Err(ProtocolError::TooLong { ty, length });
        }
        Ok(Some(Self { ty, requested_ack, length: length as usize }))
    }
}
