//! Values that every other module speaks in: seeds, virtual time, names and hashes.
//!
//! Must not know: anything of this crate.

pub(crate) mod panics;
pub(crate) mod printable;

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed, xxh3_128};

/// A name that is shared rather than copied: a service, a key, a handler.
pub type Name = Arc<str>;

/// The number a whole run is a function of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

impl Seed {
    /// A number that depends on this seed and on `label`, and on nothing else.
    ///
    /// Streams with different labels are independent: using one more never shifts another.
    #[must_use]
    pub fn derive(self, label: &str) -> u64 {
        xxh3_64_with_seed(label.as_bytes(), self.0)
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Seed {
    type Err = std::num::ParseIntError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        s.parse().map(Self)
    }
}

/// Nanoseconds of virtual time since the start of a run.
///
/// Displayed in seconds, to the millisecond: `3.100s`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct VirtualTime(u64);

impl VirtualTime {
    /// The start of a run.
    pub const ZERO: Self = Self(0);
    /// What the clock of the simulated machines shows at [`VirtualTime::ZERO`]:
    /// 2026-01-01T00:00:00Z, in milliseconds since the Unix epoch.
    pub const EPOCH_UNIX_MS: u64 = 1_767_225_600_000;

    /// The time `ns` nanoseconds after the start.
    #[must_use]
    pub const fn from_nanos(ns: u64) -> Self {
        Self(ns)
    }

    /// The time `ms` milliseconds after the start.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// The time at which a simulated wall clock shows `unix_ms`; before the start: the start.
    #[must_use]
    pub const fn from_unix_millis(unix_ms: u64) -> Self {
        Self::from_millis(unix_ms.saturating_sub(Self::EPOCH_UNIX_MS))
    }

    /// Nanoseconds since the start.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the start.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// What a simulated wall clock shows, in milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_unix_millis(self) -> u64 {
        Self::EPOCH_UNIX_MS + self.as_millis()
    }

    /// This time plus `d`; stops at the end of time instead of overflowing.
    #[must_use]
    pub fn after(self, d: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` to this; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for VirtualTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.as_millis();
        f.pad(&format!("{}.{:03}s", ms / 1000, ms % 1000))
    }
}

/// What a call is addressed to: `Service/key/handler`, or `Service/handler` for a service without keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The service or virtual object.
    pub service: Name,
    /// The object's key; empty for a plain service.
    pub key: Name,
    /// The handler.
    pub handler: Name,
}

impl Target {
    /// A target from its parts; an empty `key` means a plain service.
    #[must_use]
    pub fn new(service: &str, key: &str, handler: &str) -> Self {
        Self { service: service.into(), key: key.into(), handler: handler.into() }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            write!(f, "{}/{}", self.service, self.handler)
        } else {
            write!(f, "{}/{}/{}", self.service, self.key, self.handler)
        }
    }
}

/// A fingerprint of a run's whole history: equal digests mean equal histories.
///
/// Displayed and parsed as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub u128);

impl Digest {
    /// The fingerprint of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(xxh3_128(bytes))
    }

    /// The fingerprint of bytes that come in parts: equal to that of all of them together.
    pub(crate) fn builder() -> DigestBuilder {
        DigestBuilder(Xxh3::new())
    }
}

/// A fingerprint in the making.
pub(crate) struct DigestBuilder(Xxh3);

impl DigestBuilder {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(&self) -> Digest {
        Digest(self.0.digest128())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        if s.len() != 32 {
            return Err(format!("a digest has 32 hexadecimal digits, this has {}", s.len()));
        }
        u128::from_str_radix(s, 16).map(Self).map_err(|e| e.to_string())
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_shown_in_seconds_and_kept_in_nanoseconds() {
        let t = VirtualTime::from_millis(3_100).after(Duration::from_nanos(999_999));
        assert_eq!(t.to_string(), "3.100s");
        assert_eq!(t.as_nanos(), 3_100_999_999);
        assert_eq!(VirtualTime::from_unix_millis(t.as_unix_millis()).as_millis(), 3_100);
        assert_eq!(VirtualTime::from_unix_millis(0), VirtualTime::ZERO);
    }

    #[test]
    fn derived_streams_depend_on_seed_and_label() {
        assert_eq!(Seed(7).derive("a"), Seed(7).derive("a"));
        assert_ne!(Seed(7).derive("a"), Seed(7).derive("b"));
        assert_ne!(Seed(7).derive("a"), Seed(8).derive("a"));
    }

    #[test]
    fn a_digest_survives_its_text() {
        let d = Digest::of(b"x");
        assert_eq!(d.to_string().parse(), Ok(d));
        assert!("zz".parse::<Digest>().is_err());
    }
}
