//! What a system sends to handlers of its own accord: a webhook, a callback.
//!
//! Must not know: how it travels.

use std::{collections::BTreeMap, time::Duration};

use crate::base::{Name, Target};

/// A request that a system sends to a handler, at least once: late, repeated and out of order as callbacks come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its name within the run: a scenario step's, or the one given with [`named`](Self::named).
    pub name: Name,
    /// The handler.
    pub target: Target,
    /// The body.
    pub body: bytes::Bytes,
    /// Headers that it has whatever the system adds when it arrives.
    pub headers: BTreeMap<String, String>,
    /// The idempotency key, if it has one.
    pub idempotency_key: Option<Name>,
    /// How much later it is sent, in milliseconds.
    pub after_ms: u64,
    /// When it is sent again; none: as the system's [`RETRIES`](super::System::RETRIES) say.
    pub retries: Option<Schedule>,
}

/// A text that names no handler.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no handler; write `Service/handler`, or `Service/key/handler` for an object")]
pub struct ParseTargetError(String);

impl Delivery {
    /// A delivery to `Service/key/handler`, or `Service/handler` for a service without keys.
    ///
    /// # Errors
    /// If `target` is neither.
    pub fn to(target: &str) -> Result<Self, ParseTargetError> {
        let wrong = || ParseTargetError(target.to_owned());
        let (service, rest) = target.split_once('/').ok_or_else(wrong)?;
        let (key, handler) = rest.rsplit_once('/').unwrap_or(("", rest));
        let no_key = rest.starts_with('/') && key.is_empty();
        if service.is_empty() || handler.is_empty() || no_key {
            return Err(wrong());
        }
        Ok(Self {
            name: target.into(),
            target: Target::new(service, key, handler),
            body: bytes::Bytes::new(),
            headers: BTreeMap::new(),
            idempotency_key: None,
            after_ms: 0,
            retries: None,
        })
    }

    /// Its name in reports; it should be unique in a run.
    #[must_use]
    pub fn named(mut self, name: impl Into<Name>) -> Self {
        self.name = name.into();
        self
    }

    /// The body: `value` as JSON.
    ///
    /// # Panics
    /// If `value` cannot be written as JSON.
    #[must_use]
    pub fn body<T: serde::Serialize>(mut self, value: &T) -> Self {
        self.body =
            serde_json::to_vec(value).expect("a delivery's body can be written as JSON").into();
        self
    }

    /// A header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// The idempotency key.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<Name>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Sent so much later.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.after_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// Sent again like this until it is answered with success.
    #[must_use]
    pub fn retry(mut self, schedule: Schedule) -> Self {
        self.retries = Some(schedule);
        self
    }
}

/// After how many milliseconds each next try follows the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule(pub &'static [u64]);

impl Schedule {
    /// There is no second try.
    pub const NEVER: Self = Self(&[]);

    /// How long after try number `attempt` (from 1) the next follows, in milliseconds; none after the last.
    #[must_use]
    pub fn after(self, attempt: u32) -> Option<u64> {
        self.0.get(attempt.checked_sub(1)? as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_a_key_or_none() {
        let target = |text| Delivery::to(text).map(|d| d.target.to_string());
        assert_eq!(target("Hooks/a/b/receive"), Ok("Hooks/a/b/receive".into()));
        assert_eq!(Delivery::to("Hooks/a/b/receive").expect("valid").target.key, "a/b".into());
        assert_eq!(target("Hooks/receive"), Ok("Hooks/receive".into()));
        for wrong in ["", "Hooks", "/receive", "Hooks/", "Hooks//receive"] {
            assert!(target(wrong).expect_err(wrong).to_string().contains("is no handler"));
        }
    }

    #[test]
    fn a_schedule_ends() {
        let schedule = Schedule(&[10, 20]);
        assert_eq!([1, 2, 3].map(|n| schedule.after(n)), [Some(10), Some(20), None]);
        assert_eq!(Schedule::NEVER.after(1), None);
    }
}
