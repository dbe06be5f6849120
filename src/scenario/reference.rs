//! The reference of scenario files as a page of Markdown: everything that a file may say, made of the vocabulary and of a
//! [`Catalog`], as the JSON schema is.
//!
//! Must not know: how a file is read; any service.

mod names;
mod parts;
mod words;

use std::fmt::Write as _;

use super::{catalog::Catalog, form::Field};
use parts::{PARTS, Part, Shows};
use words::{cell, code, holds};

/// The page for everything that `catalog` names. `examples` are scenarios that these services can run, each with the
/// part of the page that it belongs to: `waiting`.
#[must_use]
pub fn reference(catalog: &Catalog, examples: &[(String, String)]) -> String {
    let mut page = Page { catalog, examples, text: String::new() };
    page.text.push_str(OPENING);
    for part in PARTS {
        let title = part.title;
        page.text.push_str(&format!("- [{title}](#{})\n", words::anchor(title)));
    }
    for part in PARTS {
        page.part(part);
    }
    page.text
}

/// The names of the parts that examples can belong to.
pub fn reference_parts() -> impl Iterator<Item = &'static str> {
    PARTS.iter().map(|part| part.name)
}

const OPENING: &str = "<!-- made by `onceproof schema --format markdown` -->\n\n\
# What a scenario file may say\n\n\
A scenario file is JSON with comments (`// ...`, `/* ... */`) and trailing commas. This page names everything that one may say about \
these services; the same stands in the JSON schema, with which editors complete files. Fields that must be there are **bold**. Every \
example on this page is a whole file: it runs as it stands.\n\n";

struct Page<'a> {
    catalog: &'a Catalog,
    examples: &'a [(String, String)],
    text: String,
}

impl Page<'_> {
    fn part(&mut self, part: &Part) {
        self.text.push_str(&format!("\n## {}\n\n{}\n", part.title, part.intro));
        for shown in part.shows {
            match shown {
                Shows::Fields(form) => self.fields(form.fields.iter()),
                Shows::Heading(heading, words) => {
                    self.text.push_str(&format!("\n### {heading}\n\n{words}\n"));
                }
                Shows::Chosen(form, names) => {
                    let chosen = names.iter().filter_map(|name| form.field(name));
                    self.fields(chosen);
                }
                Shows::Deeds => self.deeds(),
                Shows::DeedFields => self.deed_fields(),
                Shows::Systems => self.systems(),
                Shows::Faults => self.faults(),
                Shows::Entries => self.entries(),
                Shows::Invariants => self.invariants(),
                Shows::Services => self.services(),
            }
        }
        let examples = self.examples;
        for (_, text) in examples.iter().filter(|(name, _)| name == part.name) {
            self.text.push_str(&format!("\n```jsonc\n{}\n```\n", text.trim_end()));
        }
    }

    /// A table of fields.
    fn fields<'f>(&mut self, fields: impl Iterator<Item = &'f Field<'f>>) {
        self.text.push_str("\n| field | holds | what it is |\n|---|---|---|\n");
        fields.for_each(|field| self.field(field));
    }

    fn field(&mut self, field: &Field<'_>) {
        let name = code(field.written());
        let name = if field.needed { format!("**{name}**") } else { name };
        self.row(&[&name, &holds(field.holds), &about(field)]);
    }

    /// A row of a table.
    fn row(&mut self, cells: &[&str]) {
        let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
        writeln!(self.text, "| {} |", cells.join(" | ")).expect("writing to a String cannot fail");
    }
}

/// What a field is, with what it may hold and what it holds if it is left out.
fn about(field: &Field<'_>) -> String {
    let mut text = words::prose(field.summary);
    let mut add = |words: String| {
        let separator = if text.is_empty() { "" } else { "; " };
        text.push_str(&format!("{separator}{words}"));
    };
    if let Some(example) = field.example {
        add(format!("for example {}", code(example)));
    }
    if let Some(usual) = field.usual {
        add(format!("{} if it is left out", code(usual)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::vocabulary::FORMS;

    /// A field that is added to the vocabulary stands on the page, or this fails.
    #[test]
    fn every_field_of_the_vocabulary_is_on_the_page() {
        let page = reference(&Catalog::default(), &[]);
        for form in FORMS {
            for field in form.fields {
                let row = format!("| `{}` |", field.written());
                let needed = format!("| **`{}`** |", field.written());
                let is_there = page.contains(&row) || page.contains(&needed);
                assert!(is_there, "`{}` of {} is not on the page", field.name, form.what);
                assert!(
                    page.contains(&words::prose(field.summary).replace('|', "\\|")),
                    "{}",
                    field.summary
                );
            }
        }
    }

    #[test]
    fn every_link_leads_to_a_heading() {
        let page = reference(&Catalog::default(), &[]);
        let headings: Vec<String> = page
            .lines()
            .filter_map(|line| line.strip_prefix("## ").or(line.strip_prefix("### ")))
            .map(words::anchor)
            .collect();
        for link in page.split("](#").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(headings.iter().any(|heading| heading == link), "#{link}: {headings:?}");
        }
    }

    #[test]
    fn an_example_stands_at_its_part() {
        let example = ("waiting".to_owned(), "{ \"title\": \"t\" }\n".to_owned());
        let page = reference(&Catalog::default(), &[example]);
        let (_, part) = page.split_once("\n## Waiting for something\n").expect("the part");
        let (part, _) = part.split_once("\n## ").expect("another part");
        assert!(part.ends_with("\n```jsonc\n{ \"title\": \"t\" }\n```\n"), "{part}");
    }
}
