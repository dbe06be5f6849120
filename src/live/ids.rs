//! The ids that a Restate server gives, read and made.
//!
//! Must not know: servers.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::protocol::messages::SIGNALS_RESERVED;

/// What an invocation's id begins with: its kind, and the version of its form.
const INVOCATION: &str = "inv_1";

/// The id of an invocation that no server has.
pub(super) const NO_INVOCATION: &str = "inv_1000000000000000000000000000000000";

/// The id of an invocation's awakeable number `number`, from 1, as server 1.7.12 gives it; none if `invocation` is no
/// invocation's id.
///
/// ```
/// use onceproof::live::awakeable_id;
///
/// let invocation = "inv_1dm9r6SWgdpV4WjigpVZd9wiueHvba1SQp";
/// assert!(awakeable_id(invocation, 1).is_some_and(|id| id.starts_with("sign_1")));
/// assert_eq!(awakeable_id("somebody", 1), None);
/// ```
#[must_use]
pub fn awakeable_id(invocation: &str, number: u32) -> Option<String> {
    // a partition key in 11 digits, a number in 22
    let (key, rest) = invocation.strip_prefix(INVOCATION)?.split_at_checked(11)?;
    let key = u64::try_from(base62(key)?).ok()?;
    let signal = SIGNALS_RESERVED.checked_add(number)?;
    let bytes = [&key.to_le_bytes()[..], &base62(rest)?.to_le_bytes(), &signal.to_be_bytes()];
    Some(format!("sign_1{}", URL_SAFE_NO_PAD.encode(bytes.concat())))
}

/// A number in digits, small and great letters.
fn base62(text: &str) -> Option<u128> {
    text.bytes().try_fold(0_u128, |sum, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'z' => digit - b'a' + 10,
            b'A'..=b'Z' => digit - b'A' + 36,
            _ => return None,
        };
        sum.checked_mul(62)?.checked_add(value.into())
    })
}
