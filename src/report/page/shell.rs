//! The file around a page's data: one style, one program, and a policy that lets nothing else run.
//!
//! Must not know: what the data are.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::base::printable::{printable, printable_json};

/// Which page it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of one run.
    Trace,
    /// Of many.
    Campaign,
}

const STYLE: &str = include_str!("assets/page.css");
const COMMON: &str = include_str!("assets/common.js");
const TRACE: [&str; 4] = [
    include_str!("assets/rows.js"),
    include_str!("assets/detail.js"),
    include_str!("assets/beside.js"),
    include_str!("assets/trace.js"),
];
const CAMPAIGN: [&str; 1] = [include_str!("assets/campaign.js")];

/// What every page begins with.
const FIRST_LINES: &str = "<!doctype html>\n<!-- a page of onceproof -->\n";

/// Whether a text is a page that was made here.
#[must_use]
pub fn is_page(text: &[u8]) -> bool {
    text.starts_with(FIRST_LINES.as_bytes())
}

/// The whole file. Ends with a line break.
pub(super) fn page(kind: Kind, title: &str, data: &impl Serialize) -> String {
    let parts = match kind {
        Kind::Trace => &TRACE[..],
        Kind::Campaign => &CAMPAIGN[..],
    };
    let program = program(parts);
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; base-uri 'none'; form-action 'none'",
        hash(&program),
        hash(STYLE)
    );
    let title = escaped(&printable(title));
    let data = embedded(data);
    format!(
        "{FIRST_LINES}<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <noscript>This page draws itself with a script, and scripts are off.</noscript>\n\
         <script type=\"application/json\" id=\"data\">{data}</script>\n\
         <script>{program}</script>\n</body>\n</html>\n"
    )
}

/// The parts of a program as one, in a scope of its own.
fn program(parts: &[&str]) -> String {
    format!("\"use strict\";\n(() => {{\n{COMMON}\n{}\n}})();\n", parts.join("\n"))
}

/// What a content security policy calls a script or a style by.
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}

/// JSON that can stand in a script element: nothing in it ends the element, or begins a comment in it.
pub(super) fn embedded(data: &impl Serialize) -> String {
    let text = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
    printable_json(text).replace('<', "\\u003c")
}

/// Text as HTML.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What stands between two texts, the first time.
    fn between<'t>(text: &'t str, open: &str, close: &str) -> &'t str {
        let (_, rest) = text.split_once(open).expect("it opens");
        rest.split_once(close).expect("it closes").0
    }

    #[test]
    fn the_policy_allows_the_scripts_and_the_style_of_the_page_and_no_other() {
        for kind in [Kind::Trace, Kind::Campaign] {
            let page = page(kind, "a page", &serde_json::json!({ "a": 1 }));
            let policy = between(&page, "Content-Security-Policy\" content=\"", "\"");
            let style = between(&page, "<style>", "</style>");
            let program = between(&page, "<script>", "</script>");
            // as a browser has it: a line end is one character
            assert!(!program.contains('\r') && !style.contains('\r'));
            for (of, text) in [("script-src", program), ("style-src", style)] {
                let hash = BASE64_STANDARD.encode(Sha256::digest(text));
                assert!(policy.contains(&format!("{of} 'sha256-{hash}';")), "{policy}");
            }
            assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"));
            assert_eq!(page.matches("<script").count(), 2, "its data, and its program");
            assert!(is_page(page.as_bytes()));
        }
    }

    #[test]
    fn a_program_has_nothing_that_a_policy_or_an_html_parser_stumbles_over() {
        for text in TRACE.iter().chain(&CAMPAIGN).chain([&COMMON, &STYLE]) {
            for banned in [
                "</",
                "<!--",
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
                "fetch(",
                "XMLHttpRequest",
                "http:",
                "url(",
                "@import",
            ] {
                let svg = "http://www.w3.org/2000/svg";
                assert!(!text.replace(svg, "").contains(banned), "{banned}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_embedded_is_read_as_it_was_and_ends_no_element(text in any::<String>(), tail in "[<>!/sSc-]{0,12}") {
            let said = format!("{text}</script>{tail}<!--\u{2028}\u{202e}");
            let json = embedded(&said);
            prop_assert!(!json.contains('<'), "{json}");
            prop_assert!(!json.contains(['\u{2028}', '\u{202e}', '\r']), "{json}");
            let read: String = serde_json::from_str(&json).expect("JSON");
            prop_assert_eq!(read, said);
        }

        #[test]
        fn a_title_is_text(text in any::<String>()) {
            let html = escaped(&text);
            prop_assert!(!html.contains(['<', '>', '"', '\'']), "{html}");
        }
    }
}
