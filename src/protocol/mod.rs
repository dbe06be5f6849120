//! The Restate service protocol, versions 5 to 7: what a handler and Restate say to each other.
//!
//! A message is a [`Frame`]: a type, a flag and a protobuf payload. [`Decoder`] cuts a byte stream
//! into frames; [`messages`] has the payloads. Facts are from the protocol definition that ships with
//! `restate-sdk-shared-core`.
//!
//! Must not know: what the messages do.

mod codec;
mod frame;
pub mod messages;

pub use codec::{Decoder, FRAME_LENGTH_MAX, HEADER_LENGTH, ProtocolError};
pub use frame::{Frame, MessageType};

#[cfg(test)]
mod tests;
