//! Colours: what a piece of text means, and how that looks.
//!
//! Must not know: terminals. The caller decides whether colours are wanted.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paint {
    /// No escape sequences.
    #[default]
    Plain,
    /// ANSI escape sequences.
    Ansi,
}

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It is as it should be.
    Good,
    /// It is what went wrong.
    Bad,
    /// It was done to the system, or needs a look.
    Warning,
    /// It is what to look at first.
    Strong,
    /// It can be skipped.
    Faint,
}

impl Paint {
    /// `text` in the colour of `tone`.
    pub(crate) fn paint(self, tone: Tone, text: impl Display) -> String {
        match self {
            Self::Plain => text.to_string(),
            Self::Ansi => {
                let style = tone.style();
                format!("{style}{text}{style:#}")
            }
        }
    }
}

impl Tone {
    const fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Warning => AnsiColor::Yellow.on_default(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_has_no_escapes_and_coloured_text_ends_its_colour() {
        assert_eq!(Paint::Plain.paint(Tone::Bad, "no"), "no");
        let red = Paint::Ansi.paint(Tone::Bad, "no");
        assert!(red.starts_with('\u{1b}') && red.ends_with("\u{1b}[0m"), "{red:?}");
    }
}
