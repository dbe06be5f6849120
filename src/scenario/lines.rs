//! On which lines of a scenario file stand those parts that a report points at.
//!
//! Must not know: what came of the scenario.

use std::collections::BTreeMap;

use super::{
    diagnostic::Span,
    syntax::{Kind, Node, parse},
};

/// Lines of a scenario file, from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    /// That of `title`, or of the first brace.
    pub(crate) title: u64,
    /// That of `must_violate`.
    pub(crate) must_violate: Option<u64>,
    /// That of each name under `invariants`.
    pub(crate) invariants: BTreeMap<String, u64>,
    /// That of `expect`.
    pub(crate) expect: Option<u64>,
    /// That of each value under `expect`.
    pub(crate) expected: Vec<u64>,
}

/// The lines of a scenario; none if the text is no JSON object.
pub(crate) fn lines(text: &str) -> Option<Lines> {
    let tree = parse(text, &mut Vec::new())?;
    let Kind::Object(_) = tree.kind else { return None };
    let line = |span: &Span| {
        let before = text.as_bytes().iter().take(span.start);
        1 + before.filter(|byte| **byte == b'\n').count() as u64
    };
    let of = |name: &str| tree.member(name).map(|member| line(&member.name.span));
    let listed = |name: &str| -> &[Node] {
        match tree.member(name).map(|member| &member.value.kind) {
            Some(Kind::Array(values)) => values,
            _ => &[],
        }
    };
    let named = |node: &Node| match &node.kind {
        Kind::String(name) => Some((name.clone(), line(&node.span))),
        _ => None,
    };
    Some(Lines {
        title: of("title").unwrap_or_else(|| line(&tree.span)),
        must_violate: of("must_violate"),
        invariants: listed("invariants").iter().filter_map(named).collect(),
        expect: of("expect"),
        expected: listed("expect").iter().map(|node| line(&node.span)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_found_on_its_line() {
        let text = "// a comment\n{\n  \"title\": \"é\",\n  \"invariants\": [\n    \"booked_once\", \"twin\"],\r\n  \"expect\": [\n\
                    { \"reply\": \"a\" },\n\n{ \"reply\":\n\"b\" } ],\n\"must_violate\": \"booked_once\" }";
        let lines = lines(text).expect("an object");
        assert_eq!(lines.title, 3);
        let invariants = [("booked_once".to_owned(), 5), ("twin".to_owned(), 5)];
        assert_eq!(lines.invariants, invariants.into());
        assert_eq!((lines.expect, &lines.expected[..]), (Some(6), &[7, 9][..]));
        assert_eq!(lines.must_violate, Some(11));
        assert_eq!(super::lines("{}").map(|lines| lines.title), Some(1));
        assert_eq!(super::lines("[1]"), None);
        assert_eq!(super::lines("{"), None);
    }
}
