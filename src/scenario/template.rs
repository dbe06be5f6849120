//! `{i}` in a repeated step's strings.
//!
//! `{name}` stands for the value of a variable of the step's `for`. Doubled braces are left as they
//! are, both of them, so that a body can hold a template of its own: `Dear {{name}}`.
//!
//! Must not know: what the strings are for.

use super::{diagnostic::Span, syntax::Node};

/// The variables of a step's `for`, each with its value.
pub(crate) type Values<'a> = [(&'a str, u64)];

/// The placeholders of `text`: their places, braces included, and the names in them.
pub(crate) fn placeholders(text: &str) -> impl Iterator<Item = (Span, &str)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(open) = text[from..].find('{').map(|at| from + at) {
            let braces = text[open..].bytes().take_while(|b| *b == b'{').count();
            from = open + braces;
            let name_end =
                text[from..].find(|c: char| !is_name(c)).map_or(text.len(), |n| from + n);
            let name = &text[from..name_end];
            let close = text[name_end..].bytes().take_while(|b| *b == b'}').count();
            let starts_well = name.starts_with(|c: char| !c.is_ascii_digit());
            if braces == 1 && close == 1 && starts_well {
                from = name_end + 1;
                return Some((open..from, name));
            }
        }
        None
    })
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
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (span, name) in placeholders(text) {
        if let Some((_, value)) = values.iter().find(|(variable, _)| *variable == name) {
            out.push_str(&text[copied..span.start]);
            out.push_str(&value.to_string());
            copied = span.end;
        }
    }
    out.push_str(&text[copied..]);
    out
}

/// `node` as JSON, with every placeholder in its strings replaced.
pub(crate) fn json(node: &Node, values: &Values<'_>) -> serde_json::Value {
    let text = node.to_json(&mut |s| fill(s, values));
    serde_json::from_str(&text).expect("the tree is written as JSON")
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
            ("", ""),
        ] {
            assert_eq!(fill(text, &[("i", 3), ("n", 4)]), filled, "{text}");
        }
    }
}
