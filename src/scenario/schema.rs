//! A JSON schema, as far as the reader of scenario files looks into one: which fields there are, and which values
//! are booleans, probabilities or milliseconds.
//!
//! Must not know: whose schema it is.

use serde_json::Value;

use super::vocabulary::{Field, Holds, field};
use crate::choice::Rate;

/// References to references are not followed for ever.
const REFERENCES_MAX: usize = 16;

/// A part of a JSON schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schema<'a> {
    root: &'a Value,
    /// As it stands where the value is; `here` is what it refers to.
    written: &'a Value,
    here: &'a Value,
}

impl<'a> Schema<'a> {
    /// The whole of a schema.
    pub(crate) fn new(root: &'a Value) -> Self {
        Self { root, written: root, here: root }.resolved()
    }

    /// A part of the same schema.
    pub(crate) fn at(self, here: &'a Value) -> Self {
        Self { root: self.root, written: here, here }.resolved()
    }

    /// What stands at the value, and what it refers to: each may say something.
    pub(crate) fn layers(self) -> impl Iterator<Item = &'a Value> {
        let same = std::ptr::eq(self.written, self.here);
        [self.written, self.here].into_iter().take(if same { 1 } else { 2 })
    }

    /// Follows references, and goes to the only alternative to null if there is just one.
    fn resolved(mut self) -> Self {
        for _ in 0..REFERENCES_MAX {
            let reference = self.here.get("$ref").and_then(Value::as_str);
            if let Some(pointer) = reference.and_then(|reference| reference.strip_prefix('#')) {
                let Some(target) = self.root.pointer(pointer) else { break };
                self.here = target;
                continue;
            }
            let mut others = self.alternatives("anyOf").filter(|other| other["type"] != "null");
            let (Some(only), None) = (others.next(), others.next()) else { break };
            self.here = only;
        }
        self
    }

    /// The schemas in the list `word`: `anyOf`.
    pub(crate) fn alternatives(self, word: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.here.get(word).and_then(Value::as_array).into_iter().flatten()
    }

    /// True if the value may be of the type `name`.
    pub(crate) fn is(self, name: &str) -> bool {
        match self.here.get("type") {
            Some(Value::String(only)) => only == name,
            Some(Value::Array(several)) => several.iter().any(|one| one == name),
            _ => false,
        }
    }

    /// True if there may be no value.
    pub(crate) fn may_be_null(self) -> bool {
        let null = |words: &Value| {
            let mut alternatives = ["anyOf", "oneOf"]
                .iter()
                .filter_map(|word| words.get(word).and_then(Value::as_array))
                .flatten();
            words.is_boolean() || alternatives.any(|other| other["type"] == "null")
        };
        self.is("null") || self.layers().any(null)
    }

    /// The texts that the value can be, if they are listed.
    pub(crate) fn words(self) -> Vec<&'a str> {
        let listed = self.here.get("enum").and_then(Value::as_array).into_iter().flatten();
        listed.chain(self.here.get("const")).filter_map(Value::as_str).collect()
    }

    /// True if the value is `true` or `false`.
    pub(crate) fn is_boolean(self) -> bool {
        self.is("boolean")
    }

    /// True if the value is a whole number.
    pub(crate) fn is_whole(self) -> bool {
        self.is("integer")
    }

    /// True if the value is a probability.
    pub(crate) fn is_rate(self) -> bool {
        self.here.get("format").is_some_and(|format| format == Rate::FORMAT)
    }

    /// What each element of a list is, if the schema says so.
    pub(crate) fn items(self) -> Option<Self> {
        self.here.get("items").map(|items| self.at(items))
    }

    /// The fields that have names, those of all variants of an enum together.
    fn fields(self) -> Vec<(&'a str, &'a Value)> {
        let mut fields: Vec<(&str, &Value)> = Vec::new();
        self.collect(&mut fields, 0);
        fields
    }

    fn collect(self, fields: &mut Vec<(&'a str, &'a Value)>, depth: usize) {
        let own = self.here.get("properties").and_then(Value::as_object);
        for (name, schema) in own.into_iter().flatten() {
            if fields.iter().all(|(other, _)| other != name) {
                fields.push((name, schema));
            }
        }
        for part in ["oneOf", "anyOf", "allOf"].iter().flat_map(|word| self.alternatives(word)) {
            if depth < REFERENCES_MAX {
                self.at(part).collect(fields, depth + 1);
            }
        }
    }

    /// What fields without a name of their own are: none if there can be no others.
    fn others(self) -> Option<&'a Value> {
        const ANYTHING: &Value = &Value::Bool(true);
        match self.here.get("additionalProperties") {
            Some(Value::Bool(false)) => None,
            Some(schema) => Some(schema),
            None if self.is("object") || self.is("null") || !self.fields().is_empty() => None,
            None => Some(ANYTHING),
        }
    }

    /// What a field of any name is, of what has only such fields.
    pub(crate) fn any_field(self) -> Option<Self> {
        self.others().filter(|_| self.fields().is_empty()).map(|schema| self.at(schema))
    }

    /// What the field `name` is; none if there is no such field.
    pub(crate) fn field(self, name: &str) -> Option<Self> {
        let named = self.fields().into_iter().find(|(field, _)| *field == name);
        named.map(|(_, schema)| schema).or_else(|| self.others()).map(|schema| self.at(schema))
    }

    /// The fields that have names, each with a line for people.
    pub(crate) fn named(self) -> Vec<Field<'a>> {
        let summary = |schema: &'a Value| schema["description"].as_str().unwrap_or_default();
        let named = |(name, schema)| field(name, Holds::Typed(schema), summary(schema));
        self.fields().into_iter().map(named).collect()
    }

    /// The same; those that must be there are marked.
    pub(crate) fn named_with_needed(self) -> Vec<Field<'a>> {
        let required = self.here.get("required").and_then(Value::as_array);
        let needed = |name: &str| required.is_some_and(|all| all.iter().any(|one| one == name));
        let named = self.named().into_iter();
        named.map(|field| Field { needed: needed(field.name), ..field }).collect()
    }

    /// True if there may be fields without a name of their own.
    pub(crate) fn is_open(self) -> bool {
        self.others().is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use schemars::JsonSchema;

    use super::*;

    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is used")]
    struct Config {
        full: Rate,
        open: Option<bool>,
        rooms: BTreeMap<String, Room>,
        best: Option<Room>,
        any: Value,
        policy: Policy,
        list: Vec<Room>,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is used")]
    struct Room {
        beds: u32,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is used")]
    enum Policy {
        Strict,
        Lenient { days: u32 },
    }

    #[test]
    fn fields_are_found_through_references_options_maps_lists_and_enums() {
        let root = schemars::schema_for!(Config).to_value();
        let field = |path: &[&str]| {
            path.iter().try_fold(Schema::new(&root), |schema, name| match *name {
                "[]" => schema.items(),
                name => schema.field(name),
            })
        };
        assert!(field(&["full"]).is_some_and(Schema::is_rate));
        assert!(field(&["open"]).is_some_and(Schema::is_boolean));
        for beds in [
            &["rooms", "12", "beds"][..],
            &["best", "beds"],
            &["list", "[]", "beds"],
            &["policy", "Lenient", "days"],
        ] {
            assert!(field(beds).is_some_and(Schema::is_whole), "{beds:?}");
        }
        assert!(field(&["any", "thing", "at", "all"]).is_some());
        for absent in
            [&["ful"][..], &["best", "bed"], &["rooms", "12", "bed"], &["policy", "Strct"]]
        {
            assert!(field(absent).is_none(), "{absent:?}");
        }
        let unit = schemars::schema_for!(()).to_value();
        assert!(!Schema::new(&unit).is_open());
    }
}
