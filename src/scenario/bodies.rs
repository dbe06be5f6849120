//! Checks a request's body against what its handler takes, before anything runs: all that the JSON schema tells at
//! once, each at its field; then what the type itself says.
//!
//! Must not know: any handler.

use serde_json::{Value, json};

use super::{
    catalog::{CheckInput, HandlerEntry},
    config,
    diagnostic::Diagnostic,
    doc::{Does, StepDoc},
    reader::Reader,
    schema::Schema,
    suggest,
    syntax::{Kind, Node, Text},
    template,
    vocabulary::{Field, Form, written},
};
use crate::system::ConfigError;

/// The codes with which handlers refuse their input; 500 is what a handler answers that does not say which.
pub(crate) const REFUSED: [u64; 3] = [400, 422, 500];

/// How a body says that it is meant to be wrong.
const ON_PURPOSE: &str = "if the handler is to refuse it, add `\"fails\": 400` to the step";

/// Takes the bodies of steps out of the check whose replies are expected to say that their input is refused: by the
/// step itself, or by `expect`.
pub(crate) fn spare_refused(docs: &mut [StepDoc<'_>], expect: Option<&Node>) {
    let Some(Node { kind: Kind::Array(expected), .. }) = expect else { return spare(docs, &[]) };
    let refused = |node: &&Node| node.member("fails").is_some_and(|code| is_refusal(&code.value));
    let step = |node: &Node| match &node.member("reply")?.value.kind {
        Kind::String(id) => Some(id.clone()),
        _ => None,
    };
    let refused: Vec<String> = expected.iter().filter(refused).filter_map(step).collect();
    spare(docs, &refused);
}

fn is_refusal(code: &Node) -> bool {
    matches!(&code.kind, Kind::Number(digits) if digits.parse().is_ok_and(|code: u64| REFUSED.contains(&code)))
}

fn spare(docs: &mut [StepDoc<'_>], refused: &[String]) {
    for doc in docs {
        let own = doc.fails.is_some_and(|code| REFUSED.contains(&code.into()));
        if !own && !refused.contains(&doc.id.value) {
            continue;
        }
        let calls: Vec<&mut Does<'_>> = match &mut doc.does {
            Some(Does::Mix(calls)) => calls.iter_mut().map(|(_, does)| does).collect(),
            one => one.iter_mut().collect(),
        };
        for does in calls {
            if let Does::Call { entry, .. } = does {
                *entry = HandlerEntry { schema: None, check_input: None, ..entry.clone() };
            }
        }
    }
}

/// Reports what does not fit; `text` is the body as it is sent, with what stands at `node` filled in as `with` says in
/// words. False if there is anything.
pub(crate) fn check(
    reader: &mut Reader,
    node: &Node,
    text: &str,
    (entry, handler): (&HandlerEntry, &str),
    (with, uses): (&str, &[Text]),
) -> bool {
    let with = if with.is_empty() { String::new() } else { format!("with {with}") };
    if entry.schema.is_none() && entry.check_input.is_none() {
        return true;
    }
    let value: Value = serde_json::from_str(text).expect("the tree is written as JSON");
    let before = reader.problems.len();
    if let Some(schema) = &entry.schema {
        let look = Look { owner: format!("the body of {handler}"), with: &with, uses };
        let found = look.value(reader, node, &value, Schema::new(schema), &[]);
        reader.problems.extend(found);
    }
    if reader.problems.len() > before {
        return false;
    }
    let Some(Err(error)) = entry.check_input.as_ref().map(|check| checked(check, &value, uses))
    else {
        return true;
    };
    config::misfit(reader, node, &format!("the body of {handler}"), &placed(node, handler, error));
    for problem in &mut reader.problems[before..] {
        if problem.label.is_empty() {
            problem.label.clone_from(&with);
        }
        problem.help.get_or_insert_with(|| ON_PURPOSE.to_owned());
    }
    false
}

/// Whether a handler's input type takes a body. What comes from a reply is known when that is there: it is refused here
/// if nothing that could come would do.
fn checked(check: &CheckInput, body: &Value, uses: &[Text]) -> Result<(), ConfigError> {
    let first = check(body);
    if first.is_ok() || uses.is_empty() {
        return first;
    }
    let mut refused = Vec::new();
    for stand_in in [json!("1"), json!(1), json!(true), json!([]), json!({})] {
        let mut body = body.clone();
        stand(&mut body, &stand_in, uses);
        match check(&body) {
            Ok(()) => return Ok(()),
            Err(why) => refused.push(why),
        }
    }
    // a field that is missing, or that there is not, is so whatever comes
    let always = |why: &ConfigError| {
        refused.iter().all(|other| (&other.path, &other.message) == (&why.path, &why.message))
    };
    match refused.iter().position(always) {
        Some(at) => Err(refused.swap_remove(at)),
        None => Ok(()),
    }
}

/// Puts `stand_in` wherever a string is nothing but what comes from a reply.
fn stand(value: &mut Value, stand_in: &Value, uses: &[Text]) {
    match value {
        Value::String(text) if uses.iter().any(|taken| taken.value == *text) => {
            *value = stand_in.clone();
        }
        Value::Array(items) => items.iter_mut().for_each(|item| stand(item, stand_in, uses)),
        Value::Object(fields) => {
            fields.values_mut().for_each(|field| stand(field, stand_in, uses));
        }
        _ => {}
    }
}

/// How serde begins its messages, which need no words around them.
const WORDED: &[&str] = &[
    "invalid type: ",
    "invalid value: ",
    "unknown field `",
    "unknown variant `",
    "missing field `",
];

/// An error without a place, at the field that it names; and in words of its own, with what it is about.
fn placed(node: &Node, handler: &str, error: ConfigError) -> ConfigError {
    if !error.path.is_empty() || WORDED.iter().any(|begin| error.message.starts_with(begin)) {
        return error;
    }
    let named = error.message.split('`').nth(1).filter(|name| node.member(name).is_some());
    ConfigError {
        path: named.map(str::to_owned).into_iter().collect(),
        message: format!("the body does not fit {handler}: {}", error.message),
    }
}

struct Look<'a> {
    /// `the body of Bookings/book`.
    owner: String,
    /// `with i = 3`; empty without variables.
    with: &'a str,
    /// What stands for parts of replies, which nobody knows yet.
    uses: &'a [Text],
}

impl Look<'_> {
    /// What is wrong with `value`, which stands at `node` and at `path` of the body.
    fn value(
        &self,
        reader: &Reader,
        node: &Node,
        value: &Value,
        schema: Schema<'_>,
        path: &[&str],
    ) -> Vec<Diagnostic> {
        let is_taken = matches!(&node.kind, Kind::String(text) if self.uses.iter().any(|taken| taken.value == *text));
        if is_taken || (value.is_null() && schema.may_be_null()) {
            return Vec::new();
        }
        let mut problems: Vec<Diagnostic> = schema
            .layers()
            .find_map(|words| self.plain(node, value, words, path))
            .into_iter()
            .collect();
        if !problems.is_empty() {
            return problems;
        }
        let several: Vec<_> = ["oneOf", "anyOf"]
            .iter()
            .flat_map(|word| schema.alternatives(word))
            .map(|part| schema.at(part))
            .collect();
        match (&several[..], value) {
            ([], Value::Array(values)) => {
                let Some(items) = schema.items() else { return problems };
                let none = Vec::new();
                let nodes = if let Kind::Array(nodes) = &node.kind { nodes } else { &none };
                for (index, value) in values.iter().enumerate() {
                    let index_text = index.to_string();
                    let node = nodes.get(index).unwrap_or(node);
                    let path = [path, &[index_text.as_str()]].concat();
                    problems.extend(self.value(reader, node, value, items, &path));
                }
            }
            ([], Value::Object(_)) => {
                problems.extend(self.object(reader, node, value, schema, path));
            }
            ([], _) => {}
            (several, _) => problems.extend(self.one_of(reader, node, value, several, path)),
        }
        for part in schema.alternatives("allOf") {
            problems.extend(self.value(reader, node, value, schema.at(part), path));
        }
        problems
    }

    /// What the least unfitting alternative says, if none fits.
    fn one_of(
        &self,
        reader: &Reader,
        node: &Node,
        value: &Value,
        several: &[Schema<'_>],
        path: &[&str],
    ) -> Vec<Diagnostic> {
        let words: Vec<&str> = several.iter().flat_map(|one| one.words()).collect();
        if let Value::String(text) = value
            && !words.is_empty()
            && several.iter().all(|one| !one.words().is_empty() || !one.is("string"))
        {
            return if words.contains(&text.as_str()) {
                Vec::new()
            } else {
                vec![self.unknown_word(node, text, &words)]
            };
        }
        let found = several.iter().map(|one| self.value(reader, node, value, *one, path));
        found.min_by_key(Vec::len).unwrap_or_default()
    }

    fn unknown_word(&self, node: &Node, text: &str, words: &[&str]) -> Diagnostic {
        Diagnostic::new(node.head(), format!("unknown value `{text}`"))
            .label(self.label(node))
            .help(suggest::hint(text, "values", words.iter().copied()))
    }

    fn object(
        &self,
        reader: &Reader,
        node: &Node,
        value: &Value,
        schema: Schema<'_>,
        path: &[&str],
    ) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        let what = place(&self.owner, path);
        let fields = schema.named_with_needed();
        let form = Form { what: &what, fields: &fields, open: schema.is_open() };
        let is_known = |name: &str| schema.field(name).is_some();
        let unknown: Vec<_> =
            node.members().iter().filter(|member| !is_known(&member.name.value)).collect();
        let mut meant = Vec::new();
        for member in &unknown {
            let name = member.name.value.as_str();
            let near = suggest::nearest(name, form.names());
            meant.extend(near);
            let help = match near {
                _ if fields.is_empty() => "it has no fields: write {}".to_owned(),
                Some(near) => format!("did you mean `{near}`?"),
                None => reader.field_hint(name, form, form.names()),
            };
            let problem = format!("unknown key `{name}` in {what}");
            problems.push(Diagnostic::new(member.name.span.clone(), problem).help(help));
        }
        for field in fields.iter().filter(|field| field.needed) {
            if value.get(field.name).is_none() && !meant.contains(&field.name) {
                problems.push(self.missing(node, &what, field));
            }
        }
        for (name, value) in value.as_object().into_iter().flatten() {
            let Some(inner) = schema.field(name) else { continue };
            let node = node.member(name).map_or(node, |member| &member.value);
            problems.extend(self.value(reader, node, value, inner, &[path, &[name]].concat()));
        }
        problems
    }

    fn missing(&self, node: &Node, what: &str, field: &Field<'_>) -> Diagnostic {
        let summary = if field.summary.is_empty() {
            String::new()
        } else {
            format!(": {}", field.summary.trim_end_matches('.'))
        };
        let example = field.example.map_or_else(String::new, |value| written(field.name, value));
        Diagnostic::new(node.head(), format!("{what} needs `{}`", field.name))
            .help(format!("`{}`{summary}{example}; {ON_PURPOSE}", field.name))
    }

    /// What the words of one schema say of a value, whatever is in it.
    fn plain(
        &self,
        node: &Node,
        value: &Value,
        words: &Value,
        path: &[&str],
    ) -> Option<Diagnostic> {
        let report = |problem: String, help: String| {
            Some(Diagnostic::new(node.head(), problem).label(self.label(node)).help(help))
        };
        let name = match path.last() {
            Some(name) if name.bytes().all(|b| b.is_ascii_digit()) => "this".to_owned(),
            Some(name) => format!("`{name}`"),
            None => "the body".to_owned(),
        };
        if let Some(expected) = unfitting_type(value, words) {
            let as_number = || filled_in(node).filter(|_| matches!(expected, "integer" | "number"));
            let help = as_number()
                .or_else(|| unquoted(value, expected))
                .unwrap_or_else(|| ON_PURPOSE.to_owned());
            let problem = format!("expected {} for {name}, found {}", an(expected), found(value));
            return report(problem, help);
        }
        let on_purpose = || ON_PURPOSE.to_owned();
        match value {
            Value::Number(number) => {
                let at_least = words.get("minimum").and_then(Value::as_i64);
                let more_than = words.get("exclusiveMinimum").and_then(Value::as_i64);
                let least = at_least.or(more_than.map(|n| n.saturating_add(1)));
                let most = words.get("maximum").and_then(Value::as_i64);
                let below = |least: i64| number.as_i64().is_some_and(|n| n < least);
                let above = |most: i64| {
                    number.as_i64().is_some_and(|n| n > most)
                        || (number.as_u64().is_some() && number.as_i64().is_none())
                };
                if let Some(least) = least.filter(|least| below(*least)) {
                    return report(
                        format!("{name} must be at least {least}, found {number}"),
                        on_purpose(),
                    );
                }
                if let Some(most) = most.filter(|most| above(*most)) {
                    return report(
                        format!("{name} must be at most {most}, found {number}"),
                        on_purpose(),
                    );
                }
            }
            Value::String(text) => {
                let least = words.get("minLength").and_then(Value::as_u64).unwrap_or(0);
                if (text.chars().count() as u64) < least {
                    let problem = match least {
                        1 => format!("{name} must not be empty"),
                        _ => format!("{name} must have at least {least} characters"),
                    };
                    return report(problem, on_purpose());
                }
                let one_of = words.get("enum").and_then(Value::as_array);
                if let Some(one_of) = one_of
                    && !one_of.iter().any(|one| one == text)
                {
                    let known: Vec<&str> = one_of.iter().filter_map(Value::as_str).collect();
                    return Some(self.unknown_word(node, text, &known));
                }
                let only = words.get("const").and_then(Value::as_str);
                if let Some(only) = only.filter(|only| only != text) {
                    return Some(self.unknown_word(node, text, &[only]));
                }
            }
            Value::Array(values) => {
                let least = words.get("minItems").and_then(Value::as_u64).unwrap_or(0);
                if (values.len() as u64) < least {
                    let problem = match least {
                        1 => format!("{name} must not be empty"),
                        _ => format!("{name} must have at least {least} elements"),
                    };
                    return report(problem, on_purpose());
                }
            }
            _ => {}
        }
        None
    }

    /// Whose body it is; and the values of variables, if they matter at `node`.
    fn label(&self, node: &Node) -> String {
        let is_filled = matches!(&node.kind, Kind::String(text) if template::placeholders(text).next().is_some());
        if is_filled { self.with.to_owned() } else { format!("in {}", self.owner) }
    }
}

/// `the body of Bookings/book`, or `` `items.0` of the body of Bookings/book``.
fn place(owner: &str, path: &[&str]) -> String {
    if path.is_empty() { owner.to_owned() } else { format!("`{}` of {owner}", path.join(".")) }
}

/// The type that a schema asks for, if the value is of another one.
fn unfitting_type<'a>(value: &Value, words: &'a Value) -> Option<&'a str> {
    let fits = |name: &str| match value {
        Value::Null => name == "null",
        Value::Bool(_) => name == "boolean",
        Value::Number(number) => {
            name == "number" || (name == "integer" && (number.is_i64() || number.is_u64()))
        }
        Value::String(_) => name == "string",
        Value::Array(_) => name == "array",
        Value::Object(_) => name == "object",
    };
    match words.get("type")? {
        Value::String(only) => (!fits(only)).then_some(only),
        Value::Array(several) => {
            let several: Vec<&str> = several.iter().filter_map(Value::as_str).collect();
            let first = several.iter().find(|name| **name != "null").copied();
            (!several.iter().any(|name| fits(name))).then_some(first).flatten()
        }
        _ => None,
    }
}

/// A type of JSON schema in words.
fn an(name: &str) -> &'static str {
    match name {
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a text",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "an object",
        _ => "null",
    }
}

/// What a value is, in words.
fn found(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// For a variable that is filled in as a text: how to write it as a number.
fn filled_in(node: &Node) -> Option<String> {
    let Kind::String(text) = &node.kind else { return None };
    let placeholder = template::whole(text).filter(|this| this.kind == template::As::ItIs)?;
    Some(format!(r#"write "{{{}:number}}" for a number"#, placeholder.name))
}

/// For a value in quotes, or without: how to write it.
fn unquoted(value: &Value, expected: &str) -> Option<String> {
    match (value, expected) {
        (Value::String(text), "integer" | "number") => Some(match text.trim().parse() {
            Ok::<serde_json::Number, _>(number) => format!("write {number} without quotes"),
            Err(_) => "write a number, without quotes".to_owned(),
        }),
        (Value::Number(_), "integer") => Some("write a whole number, such as 5".to_owned()),
        (Value::String(text), "boolean") if matches!(text.as_str(), "true" | "false") => {
            Some(format!("write {text} without quotes"))
        }
        (Value::Number(_) | Value::Bool(_), "string") => {
            Some(format!("write \"{value}\", in quotes"))
        }
        (Value::Object(_) | Value::Number(_) | Value::String(_), "array") => {
            Some("write it in square brackets: [ ... ]".to_owned())
        }
        _ => None,
    }
}
