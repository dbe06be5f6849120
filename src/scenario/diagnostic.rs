//! What is wrong with a scenario file, and how a person is shown it.
//!
//! Must not know: what a scenario means.

use std::{fmt, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::base::printable::{printable, printable_lines};

/// Bytes of the file.
pub(crate) type Span = Range<usize>;

/// How many problems of one file are shown; the rest is counted.
const SHOWN_MAX: usize = 50;

/// One thing that is wrong with a scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
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
            message: message.into(),
            span,
            label: String::new(),
            related: Vec::new(),
            help: None,
        }
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
}

impl Diagnostics {
    /// The problems of the file named `file` with this `text`: sorted, the first 50 kept.
    pub(crate) fn new(file: &str, text: &str, mut items: Vec<Diagnostic>) -> Self {
        items.sort_by_key(|item| (item.span.start, item.span.end));
        items.dedup();
        let omitted = items.len().saturating_sub(SHOWN_MAX);
        items.truncate(SHOWN_MAX);
        Self { file: file.to_owned(), text: text.to_owned(), items, omitted }
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

    /// The line and column of `diagnostic`, both from 1, the column in characters.
    #[must_use]
    pub fn line_column(&self, diagnostic: &Diagnostic) -> (usize, usize) {
        let before = self.text.get(..diagnostic.span.start).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
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
            out.push_str(&format!("and {} more errors in {}\n", self.omitted, self.file));
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
        let group = Level::ERROR.primary_title(printable(&item.message)).element(snippet);
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
