//! The fields that oracles read in the bodies of the payment services.
//!
//! Must not know: histories, oracles.

use std::borrow::Cow;

use serde::Deserialize;

use crate::history::Payload;

/// A string in a body, borrowed unless it has escapes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The fields of a JSON object that mean something to an oracle; all others are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Body<'a> {
    #[serde(borrow)]
    status: Option<Text<'a>>,
    #[serde(borrow)]
    charge_id: Option<Text<'a>>,
    #[serde(borrow)]
    refund_id: Option<Text<'a>>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow)]
    account_id: Option<Text<'a>>,
    #[serde(borrow, alias = "id", alias = "transfer")]
    transfer_id: Option<Text<'a>>,
    /// In cents.
    #[serde(alias = "amountCents")]
    pub(super) amount: Option<i64>,
    /// In cents.
    balance: Option<i64>,
    pub(super) success: Option<bool>,
}

impl<'a> Body<'a> {
    /// The fields of `payload`; none if it is not a JSON object, or a field has another type.
    pub(super) fn parse(payload: &'a Payload) -> Option<Self> {
        // Unit and string answers are common, and not worth an error.
        if payload.0.first() != Some(&b'{') {
            return None;
        }
        serde_json::from_slice(&payload.0).ok()
    }

    /// `completed`, `CANCELLED`, ...
    pub(super) fn status(&self) -> Option<&str> {
        filled(self.status.as_ref())
    }

    /// `ch_...`
    pub(super) fn charge_id(&self) -> Option<&str> {
        filled(self.charge_id.as_ref())
    }

    /// `re_...`
    pub(super) fn refund_id(&self) -> Option<&str> {
        filled(self.refund_id.as_ref())
    }

    /// Why something was not done.
    pub(super) fn reason(&self) -> Option<&str> {
        filled(self.reason.as_ref())
    }

    /// The account to take the money from.
    pub(super) fn account_id(&self) -> Option<&str> {
        filled(self.account_id.as_ref())
    }

    /// What makes two transfers one.
    pub(super) fn transfer_id(&self) -> Option<&str> {
        filled(self.transfer_id.as_ref())
    }
}

/// An empty string stands for an absent one, as it does in the tutorial's Go structs.
fn filled<'t>(text: Option<&'t Text<'_>>) -> Option<&'t str> {
    text.map(|t| &*t.0).filter(|t| !t.is_empty())
}

/// A JSON string, or the `status` field of a JSON object.
pub(super) fn status_of(payload: &Payload) -> Option<Cow<'_, str>> {
    match payload.0.first()? {
        b'"' => serde_json::from_slice::<Text<'_>>(&payload.0).ok().map(|t| t.0),
        _ => Body::parse(payload)?.status.map(|t| t.0),
    }
}

/// A JSON integer, or the amount of a JSON object.
pub(super) fn cents_of(payload: &Payload) -> Option<i64> {
    match payload.0.first()? {
        b'{' => Body::parse(payload)?.amount,
        _ => serde_json::from_slice(&payload.0).ok(),
    }
}

/// A JSON integer, or the `balance` of a JSON object.
pub(super) fn balance_of(payload: &Payload) -> Option<i64> {
    match payload.0.first()? {
        b'{' => Body::parse(payload)?.balance,
        _ => serde_json::from_slice(&payload.0).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_in_every_shape_the_services_use() {
        let body = Payload::from(
            r#"{"chargeId":"ch_1","refundId":"","amountCents":5,"success":true,"other":[{}]}"#,
        );
        let parsed = Body::parse(&body).expect("an object");
        assert_eq!(parsed.charge_id(), Some("ch_1"));
        assert_eq!(parsed.refund_id(), None);
        assert_eq!((parsed.amount, parsed.success), (Some(5), Some(true)));
        assert!(matches!(parsed.charge_id.as_ref().map(|t| &t.0), Some(Cow::Borrowed(_))));

        let cases = [
            (r#""NEW""#, Some("NEW"), None),
            (r#"{"status":"a\"b","amount":7}"#, Some("a\"b"), Some(7)),
            ("12", None, Some(12)),
            ("", None, None),
            ("null", None, None),
            ("{", None, None),
        ];
        for (text, status, cents) in cases {
            let payload = Payload::from(text);
            assert_eq!(status_of(&payload).as_deref(), status, "{text}");
            assert_eq!(cents_of(&payload), cents, "{text}");
        }
    }
}
