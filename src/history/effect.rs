//! What a system of the outside world did, as data: typed for the crate that wrote it, JSON for reports and
//! scenarios, bytes for the digest.
//!
//! Must not know: any system, any domain.

use std::{any::Any, fmt, sync::Arc};

use serde::{Serialize, Serializer};
use serde_json::Value;

/// Something that a system did: money was taken, a room was booked.
///
/// The type is the kind of effect; its fields say what exactly happened. [`effects!`](crate::effects!) implements it for
/// several types at once. Oracles get it back typed, with
/// [`Facts::effects`](crate::oracle::Facts::effects).
///
/// ```
/// #[derive(Debug, serde::Serialize)]
/// struct Booked {
///     room: String,
///     nights: u32,
/// }
///
/// impl onceproof::history::Effect for Booked {
///     const KIND: &'static str = "booked";
/// }
///
/// assert_eq!(
///     onceproof::history::Effect::text(&Booked { room: "12".into(), nights: 2 }),
///     "booked: room 12, nights 2",
/// );
/// ```
pub trait Effect: Serialize + fmt::Debug + Send + Sync + 'static {
    /// The kind's name in scenario files and reports: `booked`.
    const KIND: &'static str;

    /// One line for people; the system's name stands before it.
    fn text(&self) -> String {
        words(Self::KIND, &json(self))
    }
}

/// Makes types [`Effect`](crate::history::Effect)s, each with its kind, and with the words that all effects have.
///
/// ```
/// #[derive(Debug, serde::Serialize)]
/// struct Booked {
///     room: u32,
/// }
///
/// #[derive(Debug, serde::Serialize)]
/// struct Cancelled {
///     room: u32,
/// }
///
/// onceproof::effects! { Booked = "booked", Cancelled = "cancelled" }
///
/// assert_eq!(onceproof::history::Effect::text(&Cancelled { room: 12 }), "cancelled: room 12");
/// ```
#[macro_export]
macro_rules! effects {
    ($($effect:ty = $kind:literal),+ $(,)?) => {
        $(impl $crate::history::Effect for $effect {
            const KIND: &'static str = $kind;
        })+
    };
}

/// `booked: room 12, nights 2`
fn words(kind: &str, fields: &Value) -> String {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match fields {
        Value::Object(fields) => {
            let shown = fields.iter().filter(|(_, value)| !value.is_null());
            let list: Vec<_> =
                shown.map(|(name, value)| format!("{name} {}", plain(value))).collect();
            if list.is_empty() { kind.to_owned() } else { format!("{kind}: {}", list.join(", ")) }
        }
        Value::Null => kind.to_owned(),
        other => format!("{kind}: {}", plain(other)),
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_else(|e| Value::String(format!("cannot be shown: {e}")))
}

/// What an effect was to its system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It changed the world: a charge, a booking, an email.
    Made,
    /// The system knew the request, by its idempotency key, and gave its first answer again: nothing changed.
    Repeated,
    /// Nothing changed: something was looked up, or refused.
    Nothing,
}

/// An [`Effect`] of any type, as the history holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EffectRecord {
    /// Its kind: `booked`.
    pub kind: &'static str,
    /// What it was to its system.
    pub change: Change,
    /// Its fields.
    pub fields: Data,
    #[serde(skip)]
    text: Text,
}

/// How an effect is worded; a function of its type.
#[derive(Clone, Copy)]
struct Text(fn(&Data) -> String);

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text")
    }
}

/// The fields say all: two effects with the same fields have the same words.
impl PartialEq for Text {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Text {}

impl EffectRecord {
    /// The record of `effect`.
    #[must_use]
    pub fn new<E: Effect>(effect: E, change: Change) -> Self {
        let text = |data: &Data| data.downcast::<E>().map_or_else(String::new, Effect::text);
        Self { kind: E::KIND, change, fields: Data::new(effect), text: Text(text) }
    }

    /// The same effect, given again for a known key.
    #[must_use]
    pub fn repeated(&self) -> Self {
        Self { change: Change::Repeated, ..self.clone() }
    }

    /// The effect, if it is of type `E`.
    #[must_use]
    pub fn downcast<E: Effect>(&self) -> Option<&E> {
        self.fields.downcast()
    }

    /// One line for people.
    #[must_use]
    pub fn text(&self) -> String {
        (self.text.0)(&self.fields)
    }
}

/// A value of a user's type that passes through a run: a request to a system, the fields of an effect.
/// Clones share it.
#[derive(Clone)]
pub struct Data(Arc<dyn AnyData>);

trait AnyData: erased_serde::Serialize + Any + fmt::Debug + Send + Sync {}

impl<T: Serialize + fmt::Debug + Send + Sync + 'static> AnyData for T {}

impl Data {
    /// Wraps `value`.
    #[must_use]
    pub fn new<T: Serialize + fmt::Debug + Send + Sync + 'static>(value: T) -> Self {
        Self(Arc::new(value))
    }

    /// The value, if it is a `T`.
    #[must_use]
    pub fn downcast<T: 'static>(&self) -> Option<&T> {
        let any: &dyn Any = &*self.0;
        any.downcast_ref()
    }

    /// The value as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json(self)
    }

    /// The compact encoding that equality and digests are taken over.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        postcard::to_allocvec(self)
            .unwrap_or_else(|e| format!("cannot be encoded: {e}").into_bytes())
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.bytes() == other.bytes()
    }
}

impl Eq for Data {}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        erased_serde::serialize(&*self.0, serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize)]
    struct Booked {
        room: &'static str,
        key: Option<&'static str>,
    }

    impl Effect for Booked {
        const KIND: &'static str = "booked";
    }

    #[test]
    fn an_effect_comes_back_typed_as_json_and_in_words() {
        let record = EffectRecord::new(Booked { room: "12", key: None }, Change::Made);
        assert_eq!(record.downcast::<Booked>(), Some(&Booked { room: "12", key: None }));
        assert_eq!(record.fields.json(), serde_json::json!({ "room": "12", "key": null }));
        assert_eq!(record.text(), "booked: room 12");
        assert_eq!(record.repeated().change, Change::Repeated);
    }

    #[test]
    fn effects_are_equal_if_their_fields_are() {
        let record = |room| EffectRecord::new(Booked { room, key: Some("k") }, Change::Made);
        assert_eq!(record("1"), record("1"));
        assert_ne!(record("1"), record("2"));
    }
}
