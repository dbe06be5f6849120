//! The Restate service protocol, versions 5 to 7: what a handler and Restate say to each other.
//!
//! A message is a [`Frame`]: a type, a flag and a protobuf payload. [`Decoder`] cuts a byte stream
//! into frames; [`messages`] has the payloads. Facts are from the protocol definition that ships with
//! `restate-sdk-shared-core`.
//!
//! Must not know: what the messages do.

mod codec;
mod error;
mod frame;
mod message_type;
pub mod messages;

pub use codec::Decoder;
pub use error::{FRAME_LENGTH_MAX, ProtocolError};
pub use frame::{Frame, HEADER_LENGTH};
pub use message_type::MessageType;

#[cfg(test)]
mod tests;
