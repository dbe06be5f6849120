//! A value that fits a JSON schema, and what its fields are, for people.
//!
//! Must not know: whose schema it is.

use serde_json::{Map, Value, json};

use super::schema::Schema;

/// No example is nested deeper.
const DEPTH_MAX: usize = 8;

/// A value that fits `schema`: its own example if it has one, or else made of its types. Fields that may be left out are
/// left out.
#[must_use]
pub fn example(schema: &Value) -> Value {
    of(Schema::new(schema), 0)
}

fn of(schema: Schema<'_>, depth: usize) -> Value {
    for words in schema.layers() {
        let first = words.get("examples").and_then(|all| all.get(0));
        if let Some(given) = first.or(words.get("const")).or_else(|| words.get("enum")?.get(0)) {
            return given.clone();
        }
    }
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    for word in ["oneOf", "anyOf", "allOf"] {
        if let Some(part) = schema.alternatives(word).next() {
            return of(schema.at(part), depth + 1);
        }
    }
    let least = |word: &str| schema.layers().find_map(|words| words.get(word)?.as_i64());
    if schema.is("object") {
        let fields = schema.named_with_needed();
        let needed = fields.iter().filter(|field| field.needed);
        let value =
            |name: &str| schema.field(name).map_or(Value::Null, |inner| of(inner, depth + 1));
        let made: Map<String, Value> =
            needed.map(|field| (field.name.to_owned(), value(field.name))).collect();
        return Value::Object(made);
    }
    if schema.is("array") {
        let one = schema.items().map(|items| of(items, depth + 1));
        return one.into_iter().collect();
    }
    if schema.is("integer") || schema.is("number") {
        return json!(least("minimum").unwrap_or(1).max(1));
    }
    if schema.is("string") {
        return json!("text");
    }
    if schema.is("boolean") { json!(true) } else { Value::Null }
}

/// A line for each field of a value: its name, what it holds, whether it may be left out, and what it is.
pub(crate) fn fields(schema: &Value) -> Vec<String> {
    let schema = Schema::new(schema);
    let line = |field: super::vocabulary::Field<'_>| {
        let holds = schema.field(field.name).map_or_else(String::new, |inner| words(inner, 0));
        let optional = if field.needed { "" } else { ", may be left out" };
        let summary = match field.summary.split_whitespace().collect::<Vec<_>>().join(" ") {
            none if none.is_empty() => String::new(),
            some => format!(": {some}"),
        };
        format!("{}: {holds}{optional}{summary}", field.name)
    };
    schema.named_with_needed().into_iter().map(line).collect()
}

/// What a value is, in words.
pub(crate) fn words(schema: Schema<'_>, depth: usize) -> String {
    let listed = schema.words();
    if !listed.is_empty() {
        return listed.join(", ");
    }
    let bound = |word: &str| schema.layers().find_map(|words| words.get(word)?.as_i64());
    if schema.is("integer") || schema.is("number") {
        let what = if schema.is("integer") { "a whole number" } else { "a number" };
        return match (bound("minimum"), bound("maximum")) {
            (Some(least), Some(most)) => format!("{what} from {least} to {most}"),
            (Some(least), None) => format!("{what} of at least {least}"),
            (None, Some(most)) => format!("{what} of at most {most}"),
            (None, None) => what.to_owned(),
        };
    }
    if schema.is("array") {
        let of = schema.items().filter(|_| depth < 2).map(|items| words(items, depth + 1));
        return of.map_or_else(|| "a list".to_owned(), |of| format!("a list of {of}"));
    }
    let named = schema.named_with_needed();
    if !named.is_empty() {
        let names: Vec<&str> = named.iter().map(|field| field.name).collect();
        return format!("{{ {} }}", names.join(", "));
    }
    let plain = [("string", "a text"), ("boolean", "true or false"), ("object", "an object")];
    let known = plain.iter().find(|(name, _)| schema.is(name));
    known.map_or("anything", |(_, words)| words).to_owned()
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;

    use super::*;

    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is used")]
    struct Stay {
        #[schemars(range(min = 2))]
        nights: u32,
        /// Who stays.
        guests: Vec<Guest>,
        view: Option<View>,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is used")]
    #[schemars(extend("examples" = [{ "name": "Alice" }]))]
    struct Guest {
        name: String,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is used")]
    enum View {
        Sea,
        Yard,
    }

    #[test]
    fn an_example_has_what_is_needed_and_fields_are_told() {
        let schema = schemars::schema_for!(Stay).to_value();
        assert_eq!(example(&schema), json!({ "nights": 2, "guests": [{ "name": "Alice" }] }));
        assert_eq!(
            fields(&schema),
            [
                "nights: a whole number of at least 2",
                "guests: a list of { name }: Who stays.",
                "view: Sea, Yard, may be left out",
            ]
        );
    }
}
