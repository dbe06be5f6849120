//! Signatures of webhooks, as Stripe makes them: `t=1700000000,v1=5257a869...`.
//!
//! The signature is an HMAC-SHA256 over `{t}.{body}`, in hexadecimal
//! (<https://docs.stripe.com/webhooks#verify-manually>). The time is part of it, so that a copy that
//! somebody kept cannot be sent again later.
//!
//! Must not know: who sends, who receives.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The header that carries the signature.
pub const HEADER: &str = "stripe-signature";
/// How old a signature may be, in seconds: five minutes, as in Stripe's own libraries.
pub const TOLERANCE_SECS: i64 = 300;

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is none, or it is not of the form `t=...,v1=...`.
    #[error("signature is missing or malformed")]
    Malformed,
    /// It was not made over this body with this secret.
    #[error("signature does not match")]
    Mismatch,
    /// It was made too long ago, or is from the future.
    #[error("signature is too old")]
    TooOld,
}

/// The header's value for `body`, signed at `at` seconds after 1970.
#[must_use]
pub fn sign(secret: &str, body: &[u8], at: i64) -> String {
    let code = mac(secret, body, at).finalize().into_bytes();
    let hex: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={hex}")
}

/// Checks the header's value; `now` is in seconds after 1970.
///
/// # Errors
/// If the signature is missing, is not of this body and secret, or is older than [`TOLERANCE_SECS`].
pub fn verify(
    secret: &str,
    header: Option<&str>,
    body: &[u8],
    now: i64,
) -> Result<(), SignatureError> {
    let mut at = None;
    let mut codes = Vec::new();
    for (name, value) in header.unwrap_or_default().split(',').filter_map(|p| p.split_once('=')) {
        match name.trim() {
            "t" => at = value.parse::<i64>().ok(),
            // While a secret is being replaced there is one for each.
            "v1" => codes.extend(unhex(value)),
            _ => {}
        }
    }
    let at = at.filter(|_| !codes.is_empty()).ok_or(SignatureError::Malformed)?;
    let matches = |code: &Vec<u8>| mac(secret, body, at).verify_slice(code).is_ok();
    if !codes.iter().any(matches) {
        return Err(SignatureError::Mismatch);
    }
    if now.saturating_sub(at).saturating_abs() > TOLERANCE_SECS {
        return Err(SignatureError::TooOld);
    }
    Ok(())
}

fn mac(secret: &str, body: &[u8], at: i64) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a secret of any length will do");
    mac.update(at.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).map(|d| u8::try_from(d).unwrap_or_default())).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_hmac_that_any_other_tool_computes() {
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac whsec_test
        assert_eq!(
            sign("whsec_test", b"{}", 1_700_000_000),
            "t=1700000000,v1=35495024f4ef3f94e5a93e22221544c4b75e9a42300cd965ab81cb85cd994e91"
        );
    }

    #[test]
    fn only_a_fresh_signature_of_this_body_and_secret_counts() {
        use SignatureError::{Malformed, Mismatch, TooOld};
        let good = sign("s", b"body", 1_000);
        let rolled = format!("{good},v1={}", sign("old", b"body", 1_000).split_off(10));
        for (header, body, now, expected) in [
            (Some(good.as_str()), "body", 1_000, Ok(())),
            (Some(rolled.as_str()), "body", 1_000, Ok(())),
            (Some(&good), "body", 1_300, Ok(())),
            (Some(&good), "body", 1_301, Err(TooOld)),
            (Some(&good), "body", 699, Err(TooOld)),
            (Some(&good), "other", 1_000, Err(Mismatch)),
            (Some("t=1000,v1=00"), "body", 1_000, Err(Mismatch)),
            (Some("t=1000,v1=0"), "body", 1_000, Err(Malformed)),
            (Some("t=x,v1=00"), "body", 1_000, Err(Malformed)),
            (Some("nonsense"), "body", 1_000, Err(Malformed)),
            (None, "body", 1_000, Err(Malformed)),
        ] {
            assert_eq!(verify("s", header, body.as_bytes(), now), expected, "{header:?} {now}");
        }
        assert_eq!(verify("t", Some(&good), b"body", 1_000), Err(Mismatch));
    }
}
