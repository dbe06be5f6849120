//! `{i}` in a repeated step's strings, and `{pay.id}` for what another step was answered.
//!
//! `{name}` stands for the value of a variable of the step's `for`, or for the reply to the step of that name;
//! `{step.field}` for a field of the reply, `{step[2].field}` for that to its second repetition. A string that is nothing but
//! `{i:number}` is a number, and one that is nothing but a reply has the reply's type; `{step.field:text}` is a text. Doubled
//! braces are left as they are, both of them, so that a body can hold a template of its own: `Dear {{name}}`.
//!
//! Must not know: what the strings are for.

use super::{
    diagnostic::Span,
    syntax::{Node, quote},
};

/// The variables of a step's `for`, each with its value.
pub(crate) type Values<'a> = [(&'a str, u64)];

/// What stands in braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placeholder<'t> {
    /// A variable, or the id of a step.
    pub(crate) name: &'t str,
    /// Which repetition of the step, as `[3]`; empty if it does not say.
    pub(crate) index: &'t str,
    /// A field of its reply, as `charge.id`; empty for all of it.
    pub(crate) path: &'t str,
    /// What it is written as.
    pub(crate) kind: As,
}

/// What a placeholder is written as, where it is the whole string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum As {
    /// A text if it is a variable; what it is if it is a reply.
    ItIs,
    /// A number.
    Number,
    /// A text.
    Text,
}

impl<'t> Placeholder<'t> {
    /// What `inner` says, between its braces; none if it is no placeholder.
    fn of(inner: &'t str) -> Option<Self> {
        let (named, kind) = match inner.rsplit_once(':') {
            None => (inner, As::ItIs),
            Some((named, "number")) => (named, As::Number),
            Some((named, "text")) => (named, As::Text),
            Some(_) => return None,
        };
        let end = named.find(['[', '.']).unwrap_or(named.len());
        let (name, rest) = named.split_at(end);
        let (index, path) = match rest.find(']') {
            Some(close) if rest.starts_with('[') => rest.split_at(close + 1),
            _ => ("", rest),
        };
        let inside = |c: char| c.is_ascii_digit() || matches!(c, ',' | ' ');
        let index_fits =
            index.is_empty() || (index.len() > 2 && index[1..index.len() - 1].chars().all(inside));
        let path = match path.strip_prefix('.') {
            Some(path) if !path.is_empty() => path,
            None if path.is_empty() => "",
            _ => return None,
        };
        let is_step = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let fits = name.starts_with(|c: char| is_step(c) && !c.is_numeric() && c != '-')
            && name.chars().all(is_step)
            && path.split('.').all(|part| path.is_empty() || !part.is_empty())
            && path.chars().all(|c| is_step(c) || c == '.');
        (fits && index_fits).then_some(Self { name, index, path, kind })
    }

    /// True if it can be nothing but a variable, or a whole reply.
    pub(crate) fn is_plain(&self) -> bool {
        self.index.is_empty() && self.path.is_empty()
    }

    fn value(&self, values: &Values<'_>) -> Option<u64> {
        let named = values.iter().find(|(variable, _)| *variable == self.name);
        named.filter(|_| self.is_plain()).map(|(_, value)| *value)
    }
}

/// The placeholder of a variable.
pub(crate) fn variable(name: &str, kind: As) -> Placeholder<'_> {
    Placeholder { name, index: "", path: "", kind }
}

/// The placeholders of `text`: their places, braces included, and what stands in them.
pub(crate) fn placeholders(text: &str) -> impl Iterator<Item = (Span, Placeholder<'_>)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(open) = text[from..].find('{').map(|at| from + at) {
            let braces = text[open..].bytes().take_while(|b| *b == b'{').count();
            from = open + braces;
            let Some(end) = text[from..].find(['{', '}']).map(|at| from + at) else { break };
            let closing = text[end..].bytes().take_while(|b| *b == b'}').count();
            let inner = &text[from..end];
            if braces == 1
                && closing == 1
                && let Some(placeholder) = Placeholder::of(inner)
            {
                from = end + 1;
                return Some((open..from, placeholder));
            }
        }
        None
    })
}

/// The placeholder that is the whole of `text`.
pub(crate) fn whole(text: &str) -> Option<Placeholder<'_>> {
    let (span, placeholder) = placeholders(text).next()?;
    (span == (0..text.len())).then_some(placeholder)
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// True if `name` can be a variable.
pub(crate) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| is_name(c) && !c.is_ascii_digit()) && name.chars().all(is_name)
}

/// `text` with every placeholder of `values` replaced; others stay as they are.
pub(crate) fn fill(text: &str, values: &Values<'_>) -> String {
    replaced(text, |placeholder| placeholder.value(values).map(|value| value.to_string()))
}

/// `text` with what `by` puts in the place of placeholders; those for which there is nothing stay as they are.
pub(crate) fn replaced(text: &str, by: impl Fn(&Placeholder<'_>) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (span, placeholder) in placeholders(text) {
        if let Some(value) = by(&placeholder) {
            out.push_str(&text[copied..span.start]);
            out.push_str(&value);
            copied = span.end;
        }
    }
    out.push_str(&text[copied..]);
    out
}

/// `node` as JSON text, with every variable in its strings replaced.
pub(crate) fn json_text(node: &Node, values: &Values<'_>) -> String {
    let string = |text: &str| {
        let number = whole(text).filter(|placeholder| placeholder.kind == As::Number);
        match number.and_then(|placeholder| placeholder.value(values)) {
            Some(value) => value.to_string(),
            None => quote(&fill(text, values)),
        }
    };
    node.to_json(&mut { string })
}

/// `node` as JSON, with every variable in its strings replaced.
pub(crate) fn json(node: &Node, values: &Values<'_>) -> serde_json::Value {
    serde_json::from_str(&json_text(node, values)).expect("the tree is written as JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_and_doubled_braces_stay() {
        for (text, filled) in [
            ("token-{i}", "token-3"),
            ("{i}{n}{i}", "343"),
            ("{x} {i}", "{x} 3"),
            ("Dear {{i}}, {i}", "Dear {{i}}, 3"),
            ("{{i} {i}} { i } {} {", "{{i} {i}} { i } {} {"),
            (r#"{"i": {i}}"#, r#"{"i": {i}}"#),
            ("{1} ü{i}ü", "{1} ü3ü"),
            ("{i:number} {i:text} {i:other}", "3 3 {i:other}"),
            ("{i.n} {i[1].n} {i[1]}", "{i.n} {i[1].n} {i[1]}"),
            ("", ""),
        ] {
            assert_eq!(fill(text, &[("i", 3), ("n", 4)]), filled, "{text}");
        }
    }

    #[test]
    fn what_stands_in_braces_is_a_variable_or_a_reply() {
        let of = |name, index, path, kind| Some(Placeholder { name, index, path, kind });
        for (text, expected) in [
            ("{i}", of("i", "", "", As::ItIs)),
            ("{i:number}", of("i", "", "", As::Number)),
            ("{pay.id}", of("pay", "", "id", As::ItIs)),
            ("{pay-2[3,4].charges.0.id:text}", of("pay-2", "[3,4]", "charges.0.id", As::Text)),
            ("{pay[2]}", of("pay", "[2]", "", As::ItIs)),
            ("{pay.}", None),
            ("{pay..id}", None),
            ("{pay[].id}", None),
            ("{pay[x].id}", None),
            ("{pay.id:string}", None),
            ("{2nd.id}", None),
            ("{{pay.id}}", None),
            ("a {pay.id}", None),
        ] {
            assert_eq!(whole(text), expected, "{text}");
        }
    }
}
