//! What is wrong with a scenario file, and how a person is shown it.
//!
//! Must not know: what a scenario means.

use std::{fmt, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

use crate::base::printable::{printable, printable_lines};

/// Bytes of the file.
pub(crate) type Span = Range<usize>;

/// How many problems of one file are shown; the rest is counted.
const SHOWN_MAX: usize = 50;

/// How much a problem matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The scenario cannot be used.
    Error,
    /// The scenario can be used, and something in it cannot have the effect that it seems to have.
    Warning,
}

impl Severity {
    /// As JSON has it: `error`, `warning`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong with a scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the scenario can be used all the same.
    pub severity: Severity,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// Where: bytes of the file's text.
    pub span: Range<usize>,
    /// What is said beside the underlined text; may be empty.
    pub label: String,
    /// Other places that explain it, each with what is said there.
    pub related: Vec<(Range<usize>, String)>,
    /// How to put it right.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A problem at `span`.
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            span,
            label: String::new(),
            related: Vec::new(),
            help: None,
        }
    }

    /// Something at `span` that cannot have the effect that it seems to have.
    pub(crate) fn warning(span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::new(span, message) }
    }

    /// Says `label` beside the underlined text.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Shows another place.
    pub(crate) fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }

    /// Says how to put it right.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says how to put it right, if that is known.
    pub(crate) fn help_if(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }
}

/// Whether a rendering has terminal colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Text only.
    Plain,
    /// With ANSI escape codes.
    Coloured,
}

/// Everything that is wrong with one scenario file, in the order of its text.
///
/// Displayed plain; see [`Diagnostics::render`] for colours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    file: String,
    text: String,
    items: Vec<Diagnostic>,
    omitted: usize,
    errors: usize,
}

impl Diagnostics {
    /// The problems of the file named `file` with this `text`: sorted, the first 50 kept.
    pub(crate) fn new(file: &str, text: &str, mut items: Vec<Diagnostic>) -> Self {
        items.sort_by_key(|item| (item.span.start, item.span.end));
        items.dedup();
        let errors = items.iter().filter(|item| item.severity == Severity::Error).count();
        let omitted = items.len().saturating_sub(SHOWN_MAX);
        items.truncate(SHOWN_MAX);
        Self { file: file.to_owned(), text: text.to_owned(), items, omitted, errors }
    }

    /// The file's name, as it was given.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The problems, in the order of the text; at most 50.
    #[must_use]
    pub fn items(&self) -> &[Diagnostic] {
        &self.items
    }

    /// How many problems there are, those beyond the first 50 included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.items.len() + self.omitted
    }

    /// How many of them are errors: with one, the scenario cannot be used.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// The line and column of `diagnostic`, both from 1, the column in characters.
    #[must_use]
    pub fn line_column(&self, diagnostic: &Diagnostic) -> (usize, usize) {
        self.place(diagnostic.span.start)
    }

    /// The line and column of a byte of the text.
    fn place(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// Every problem as JSON, for editors: `severity`, `message`, `line`, `column`, `end_line`, `end_column` (from 1, in
    /// characters; the end is the first place behind it), and if there are any, `label`, `help` and `related`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let spanned = |span: &Span, message: &str| {
            let span = self.clamp(span);
            let ((line, column), (end_line, end_column)) =
                (self.place(span.start), self.place(span.end));
            json!({
                "message": message, "line": line, "column": column, "end_line": end_line,
                "end_column": end_column,
            })
        };
        let items = self.items.iter().map(|item| {
            let mut out = json!({ "severity": item.severity.name() });
            let fields = out.as_object_mut().expect("it is an object");
            fields.extend(
                spanned(&item.span, &item.message).as_object().cloned().unwrap_or_default(),
            );
            if !item.label.is_empty() {
                fields.insert("label".to_owned(), json!(item.label));
            }
            if let Some(help) = &item.help {
                fields.insert("help".to_owned(), json!(help));
            }
            if !item.related.is_empty() {
                let related = item.related.iter().map(|(span, label)| spanned(span, label));
                fields.insert("related".to_owned(), related.collect());
            }
            out
        });
        items.collect()
    }

    /// Every problem with its place, the source line underlined, and its hint.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let renderer = match style {
            Style::Plain => Renderer::plain(),
            Style::Coloured => Renderer::styled(),
        };
        let mut out = String::new();
        for item in &self.items {
            out.push_str(&renderer.render(&[self.group(item)]));
            out.push_str("\n\n");
        }
        if self.omitted > 0 {
            let kind = if self.errors > 0 { "errors" } else { "warnings" };
            out.push_str(&format!("and {} more {kind} in {}\n", self.omitted, self.file));
        }
        printable_lines(out.trim_end()).into_owned()
    }

    fn group<'a>(&'a self, item: &'a Diagnostic) -> Group<'a> {
        let mut primary = AnnotationKind::Primary.span(self.clamp(&item.span));
        if !item.label.is_empty() {
            primary = primary.label(printable(&item.label));
        }
        let file = printable(&self.file);
        let snippet = Snippet::source(self.text.as_str()).path(file).annotation(primary);
        let snippet = snippet.annotations(item.related.iter().map(|(span, label)| {
            AnnotationKind::Context.span(self.clamp(span)).label(printable(label))
        }));
        let level = match item.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let group = level.primary_title(printable(&item.message)).element(snippet);
        match &item.help {
            Some(help) => group.element(Level::HELP.message(printable(help))),
            None => group,
        }
    }

    /// A span that lies in the text, on character boundaries: a bad span must not hide its message.
    fn clamp(&self, span: &Span) -> Span {
        let floor = |at: usize| {
            (0..=at.min(self.text.len())).rev().find(|i| self.text.is_char_boundary(*i))
        };
        let start = floor(span.start).unwrap_or(0);
        start..floor(span.end).unwrap_or(0).max(start)
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Style::Plain))
    }
}

impl std::error::Error for Diagnostics {}
