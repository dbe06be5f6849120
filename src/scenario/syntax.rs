//! JSON with comments to a tree in which every value and name knows its place.
//!
//! Must not know: what the values mean.

use jsonc_parser::{
    ParseOptions, ast,
    common::Ranged as _,
    errors::{ParseError, ParseErrorKind},
    parse_to_ast,
};

use super::diagnostic::{Diagnostic, Span};

/// How deep values may be nested: as deep as the reader of request bodies allows.
const DEPTH_MAX: usize = 100;

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    /// As it is written: no digit is lost.
    Number(String),
    String(String),
    Array(Vec<Node>),
    Object(Vec<Member>),
}

/// A name and a value of an object.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: Text,
    pub(crate) value: Node,
}

/// A string and its place.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) value: String,
    /// Quotes included.
    pub(crate) span: Span,
}

impl Text {
    /// The place of a part of the string; the whole if escapes make it inexact.
    pub(crate) fn part(&self, part: Span) -> Span {
        // An escape is always longer than what it stands for.
        if self.span.len() == self.value.len() + 2 {
            self.span.start + 1 + part.start..self.span.start + 1 + part.end
        } else {
            self.span.clone()
        }
    }
}

impl Node {
    /// Where to point for the value as such: at its opening brace if it has one.
    pub(crate) fn head(&self) -> Span {
        match self.kind {
            Kind::Array(_) | Kind::Object(_) => self.span.start..self.span.start + 1,
            _ => self.span.clone(),
        }
    }

    /// What the value is, in words.
    pub(crate) fn found(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "a boolean",
            Kind::Number(_) => "a number",
            Kind::String(_) => "a string",
            Kind::Array(_) => "a list",
            Kind::Object(_) => "an object",
        }
    }

    /// The value's members; none if it is no object.
    pub(crate) fn members(&self) -> &[Member] {
        match &self.kind {
            Kind::Object(members) => members,
            _ => &[],
        }
    }

    /// The value's member `name`, if it is an object and has one.
    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        self.members().iter().find(|member| member.name.value == name)
    }

    /// The value as JSON that other code reads.
    pub(crate) fn to_value(&self) -> serde_json::Value {
        let text = self.to_json(&mut quote);
        serde_json::from_str(&text).expect("the tree is written as JSON")
    }

    /// The value as JSON text without white space, `string` writes each of its strings as JSON.
    pub(crate) fn to_json(&self, string: &mut dyn FnMut(&str) -> String) -> String {
        let mut out = String::new();
        self.write_json(&mut out, string);
        out
    }

    fn write_json(&self, out: &mut String, string: &mut dyn FnMut(&str) -> String) {
        match &self.kind {
            Kind::Null => out.push_str("null"),
            Kind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Kind::Number(digits) => out.push_str(digits),
            Kind::String(value) => out.push_str(&string(value)),
            Kind::Array(values) => {
                out.push('[');
                for (i, value) in values.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    value.write_json(out, string);
                }
                out.push(']');
            }
            Kind::Object(members) => {
                out.push('{');
                for (i, member) in members.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    out.push_str(&quote(&member.name.value));
                    out.push(':');
                    member.value.write_json(out, string);
                }
                out.push('}');
            }
        }
    }
}

/// A string as JSON text.
pub(crate) fn quote(s: &str) -> String {
    serde_json::to_string(s).expect("a string is JSON")
}

/// Parses `text`; adds what is wrong to `problems`. None if there is no tree to go on with.
pub(crate) fn parse(text: &str, problems: &mut Vec<Diagnostic>) -> Option<Node> {
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    if let Some(span) = unclosed_string(text) {
        problems.push(
            Diagnostic::new(span, "this string is not closed on its line")
                .help("add the closing `\"`; a line break inside of a string is written \\n"),
        );
        return None;
    }
    match parse_to_ast(text, &jsonc_parser::CollectOptions::default(), &options) {
        Err(error) => problems.push(explain(&error, text)),
        Ok(parsed) => match parsed.value {
            Some(value) => return convert(value, problems, 0),
            None => problems.push(nothing(text)),
        },
    }
    None
}

/// A file without a value.
fn nothing(text: &str) -> Diagnostic {
    let message = if text.trim().is_empty() {
        "the file is empty"
    } else {
        "the file has nothing but comments"
    };
    Diagnostic::new(0..0, message)
        .help(r#"the smallest scenario: { "title": "...", "steps": [ { "id": "a", "call": "Service/key/handler" } ] }"#)
}

/// A syntax error in words, at the place that a person has to change.
fn explain(error: &ParseError, text: &str) -> Diagnostic {
    use ParseErrorKind as E;
    let range = error.range();
    let span = range.start..range.end.max(range.start);
    let first = span.start..(span.start + 1).min(text.len());
    match error.kind() {
        E::UnterminatedObject => Diagnostic::new(first, "this `{` is never closed")
            .help("add the missing `}`; if braces look balanced, one further down closes the wrong object"),
        E::UnterminatedArray => Diagnostic::new(first, "this `[` is never closed")
            .help("add the missing `]`; if brackets look balanced, one further down closes the wrong list"),
        E::UnterminatedCommentBlock => {
            Diagnostic::new(first, "this comment is never closed").help("add `*/`")
        }
        E::MultipleRootJsonValues => {
            Diagnostic::new(span, "there is text after the end of the scenario")
                .label("the scenario ended before this")
                .help("a file holds one scenario: one `{ ... }`")
        }
        E::ExpectedComma if text[..span.start].ends_with('0') && digit_at(text, span.start) => {
            Diagnostic::new(span.start - 1..span.start, "a number does not start with 0")
        }
        E::ExpectedComma => Diagnostic::new(span, "a comma is missing").label("after this"),
        E::ExpectedStringObjectProperty => {
            Diagnostic::new(span, "names are written in double quotes")
        }
        E::SingleQuotedStringsNotAllowed => {
            Diagnostic::new(span, "strings are written in double quotes")
        }
        E::ExpectedColonAfterObjectKey => {
            Diagnostic::new(span, "a colon is missing between a name and its value")
        }
        E::ExpectedObjectValue => Diagnostic::new(span, "the value after this colon is missing"),
        E::UnexpectedCloseBrace
        | E::UnexpectedCloseBracket
        | E::UnexpectedComma
        | E::UnexpectedColon => {
            let message = format!("expected a value, found `{}`", &text[first.clone()]);
            Diagnostic::new(first, message)
                .help("a value is missing before it, or a list or an object is not closed")
        }
        E::UnexpectedTokenInObject => {
            let message = format!("expected a name or `}}`, found `{}`", &text[first.clone()]);
            Diagnostic::new(first, message)
                .help("an object is { \"name\": value, ... }; is one not closed?")
        }
        E::UnexpectedWord => Diagnostic::new(span, "this is not a JSON value")
            .help("text is written in double quotes; the bare words are true, false and null"),
        kind => {
            let kind = kind.to_string();
            let mut letters = kind.chars();
            let lower = letters.next().map(|c| c.to_ascii_lowercase());
            Diagnostic::new(span, lower.into_iter().chain(letters).collect::<String>())
                .help("scenario files are JSON, with comments and trailing commas allowed")
        }
    }
}

fn digit_at(text: &str, at: usize) -> bool {
    text[at..].starts_with(|c: char| c.is_ascii_digit())
}

/// The first string that runs over the end of its line: the parser would go on to the next quote, and
/// complain far from the mistake.
fn unclosed_string(text: &str) -> Option<Span> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'/')) => at += text[at..].find('\n').unwrap_or(text.len() - at),
            (b'/', Some(b'*')) => at = text[at + 2..].find("*/").map(|end| at + end + 4)?,
            (b'"', _) => {
                let open = at;
                at += 1;
                loop {
                    match bytes.get(at) {
                        Some(b'"') => break,
                        Some(b'\\') if bytes.get(at + 1).is_some_and(|b| *b != b'\n') => at += 2,
                        Some(b'\n') | None => {
                            return Some(open..open + text[open..at].trim_end().len());
                        }
                        Some(_) => at += 1,
                    }
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    None
}

fn convert(value: ast::Value<'_>, problems: &mut Vec<Diagnostic>, depth: usize) -> Option<Node> {
    let range = value.range();
    let span = range.start..range.end;
    if depth > DEPTH_MAX {
        problems.push(Diagnostic::new(
            span.start..span.start + 1,
            format!("values are nested deeper than {DEPTH_MAX} levels"),
        ));
        return None;
    }
    let kind = match value {
        ast::Value::NullKeyword(_) => Kind::Null,
        ast::Value::BooleanLit(value) => Kind::Bool(value.value),
        ast::Value::StringLit(value) => Kind::String(value.value.into_owned()),
        ast::Value::NumberLit(value) => {
            if serde_json::from_str::<serde_json::Number>(value.value).is_err() {
                let message = format!("`{}` is not a JSON number", value.value);
                problems.push(Diagnostic::new(span, message));
                return None;
            }
            Kind::Number(value.value.to_owned())
        }
        ast::Value::Array(array) => Kind::Array(
            array.elements.into_iter().filter_map(|v| convert(v, problems, depth + 1)).collect(),
        ),
        ast::Value::Object(object) => Kind::Object(members(object, problems, depth)),
    };
    Some(Node { span, kind })
}

fn members(object: ast::Object<'_>, problems: &mut Vec<Diagnostic>, depth: usize) -> Vec<Member> {
    let mut members: Vec<Member> = Vec::with_capacity(object.properties.len());
    let mut seen = std::collections::BTreeMap::<String, Span>::new();
    for property in object.properties {
        let range = property.name.range();
        let name = Text { span: range.start..range.end, value: property.name.into_string() };
        if let Some(first) = seen.get(&name.value) {
            problems.push(
                Diagnostic::new(name.span, format!("`{}` is given twice", name.value))
                    .label("again here")
                    .related(first.clone(), "first here")
                    .help("only one of them can count: remove the other"),
            );
            continue;
        }
        seen.insert(name.value.clone(), name.span.clone());
        if let Some(value) = convert(property.value, problems, depth + 1) {
            members.push(Member { name, value });
        }
    }
    members
}
