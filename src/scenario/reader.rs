//! A small typed decoder: takes values out of the tree, and notes everything that is wrong on the way.
//!
//! A value that cannot be taken is reported and `None`; reading goes on, so that one look at a file
//! finds all its errors.
//!
//! Must not know: what a scenario means.

use std::collections::BTreeMap;

pub(crate) use super::form::{MILLIS, Whole};
use super::{
    diagnostic::{Diagnostic, Span},
    durations,
    plan::Millis,
    suggest,
    syntax::{Kind, Member, Node, Text},
    vocabulary::{CODE, FORMS, Field, Form, written},
    wrong_words::{INSTEAD, Instead},
};
use crate::choice::{ParseRateError, Rate};

/// Reads values and collects problems.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) problems: Vec<Diagnostic>,
    /// What has fields that are not in the vocabulary, by the field's name: the hint for a misplaced one.
    owners: BTreeMap<String, String>,
}

/// An object of the file whose fields are those of a [`Form`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'n> {
    form: Form<'n>,
    node: &'n Node,
}

impl<'n> Fields<'n> {
    /// All of its members.
    pub(crate) fn members(&self) -> &'n [Member] {
        self.node.members()
    }

    /// The field `name`, if it is there, by either of its names.
    pub(crate) fn member(&self, name: &str) -> Option<&'n Member> {
        let field = self.form.field(name);
        debug_assert!(field.is_some(), "{name} is not in the vocabulary");
        field.and_then(|field| member(self.node, field))
    }

    /// Whether it can have the field `name`.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.form.field(name).is_some()
    }

    /// The value of the field `name`, if it is there.
    pub(crate) fn get(&self, name: &str) -> Option<&'n Node> {
        self.member(name).map(|member| &member.value)
    }

    /// True if one of `names` seems to be there, misspelt: that is reported, its absence need not be.
    pub(crate) fn misspells(&self, names: &[&str]) -> bool {
        misspelt(self.node, self.form).any(|meant| names.contains(&meant))
    }
}

impl Reader {
    /// A reader that has found nothing yet; `owners` have fields beside those of the vocabulary, by the field.
    pub(crate) fn new(owners: BTreeMap<String, String>) -> Self {
        Self { owners, ..Self::default() }
    }

    /// Notes a problem.
    pub(crate) fn report(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// Notes that `name` is none of the fields of `form`, nor of `names`.
    pub(crate) fn unknown_field<'a>(
        &mut self,
        name: &Text,
        form: Form<'_>,
        names: impl Iterator<Item = &'a str> + Clone,
    ) {
        let problem = format!("unknown key `{}` in {}", name.value, form.what);
        let help = self.field_hint(&name.value, form, names);
        self.report(Diagnostic::new(name.span.clone(), problem).help(help));
    }

    /// What is meant by a field that `form` does not have, if a name is close enough; or else what it has.
    pub(crate) fn field_hint<'a>(
        &self,
        written: &str,
        form: Form<'_>,
        names: impl Iterator<Item = &'a str> + Clone,
    ) -> String {
        if let Some(usual) = instead(written, form) {
            return usual.help.to_owned();
        }
        if let Some(name) = in_milliseconds(written, form) {
            return format!("write `{name}`, and the unit in the value: {}", durations::EXAMPLES);
        }
        let near = suggest::nearest(written, names.clone()).or_else(|| near_time(written, form));
        match (near, self.owner(written)) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, Some(owner)) => format!("`{written}` belongs to {owner}"),
            (None, None) => format!("known here: {}", suggest::list(names)),
        }
    }

    /// What has the field `name`.
    fn owner(&self, name: &str) -> Option<&str> {
        let form = FORMS.iter().find(|form| form.field(name).is_some());
        form.map(|form| form.what).or_else(|| self.owners.get(name).map(String::as_str))
    }

    /// Notes that `node` is not `what`.
    pub(crate) fn wrong_type<T>(
        &mut self,
        node: &Node,
        what: &str,
        help: Option<String>,
    ) -> Option<T> {
        self.report(
            Diagnostic::new(node.head(), format!("expected {what}, found {}", node.found()))
                .help_if(help),
        );
        None
    }

    /// An object with the fields of `form`: unknown and missing ones are reported.
    pub(crate) fn object<'n>(&mut self, node: &'n Node, form: Form<'n>) -> Option<Fields<'n>> {
        let Kind::Object(members) = &node.kind else {
            return self.wrong_type(
                node,
                &format!("an object for {}", form.what),
                Some(shape(form)),
            );
        };
        for member in members {
            if form.field(&member.name.value).is_none() && !form.open {
                self.unknown_field(&member.name, form, form.names());
            }
        }
        self.missing(node, form);
        self.named_twice(node, form);
        Some(Fields { form, node })
    }

    /// Reports the times of `node` that are there by both of their names.
    pub(crate) fn named_twice(&mut self, node: &Node, form: Form<'_>) {
        for field in form.fields.iter().filter(|field| field.written() != field.name) {
            let both = node.member(field.name).zip(node.member(field.written()));
            let Some((one, other)) =
                both.filter(|_| form.field(field.written()).is_some_and(|f| f.name == field.name))
            else {
                continue;
            };
            let problem = format!("`{}` and `{}` are the same", one.name.value, other.name.value);
            self.report(
                Diagnostic::new(one.name.span.clone(), problem)
                    .related(other.name.span.clone(), "the other is here")
                    .help(format!("remove `{}`", one.name.value)),
            );
        }
    }

    /// Reports the needed fields of `form` that `node` lacks.
    fn missing(&mut self, node: &Node, form: Form<'_>) {
        for field in form.fields.iter().filter(|field| field.needed) {
            let misspelt = || misspelt(node, form).any(|meant| meant == field.written());
            if member(node, field).is_none() && !misspelt() {
                let place = node.member("id").map_or(node.head(), |id| id.value.head());
                let example = field.example.map_or_else(String::new, |e| written(field.name, e));
                self.report(
                    Diagnostic::new(place, format!("{} needs `{}`", form.what, field.written()))
                        .help(format!("`{}`: {}{example}", field.written(), field.summary)),
                );
            }
        }
    }

    /// An object with any names.
    pub(crate) fn map<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Member]> {
        match &node.kind {
            Kind::Object(members) => Some(members),
            _ => self.wrong_type(node, what, None),
        }
    }

    /// A list.
    pub(crate) fn list<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        match &node.kind {
            Kind::Array(values) => Some(values),
            Kind::String(_) | Kind::Object(_) => {
                self.wrong_type(node, what, Some("write it in square brackets: [ ... ]".to_owned()))
            }
            _ => self.wrong_type(node, what, None),
        }
    }

    /// A string that is not empty.
    pub(crate) fn string(&mut self, node: &Node, what: &str) -> Option<Text> {
        let Kind::String(value) = &node.kind else {
            return self.wrong_type(node, what, None);
        };
        if value.trim().is_empty() {
            self.report(Diagnostic::new(node.head(), format!("expected {what}, found nothing")));
            return None;
        }
        Some(Text { value: value.clone(), span: node.span.clone() })
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&mut self, node: &Node) -> Option<bool> {
        match &node.kind {
            Kind::Bool(value) => Some(*value),
            Kind::String(text) if matches!(text.as_str(), "true" | "false") => {
                let help = format!("write {text} without quotes");
                self.wrong_type(node, "true or false", Some(help))
            }
            Kind::String(_) => {
                let help = "write true or false, without quotes".to_owned();
                self.wrong_type(node, "true or false", Some(help))
            }
            _ => self.wrong_type(node, "true or false", None),
        }
    }

    /// A whole number in bounds; a time may be a duration in quotes.
    pub(crate) fn whole(&mut self, node: &Node, form: Whole) -> Option<u64> {
        let is_time = form.what == MILLIS.what;
        let digits = match &node.kind {
            Kind::Number(digits) => digits,
            Kind::String(text) if is_time => return self.duration(node, text, form),
            _ => {
                let help = is_time.then(|| durations::EXAMPLES.to_owned());
                return self.wrong_type(node, form.what, help.or_else(|| unquoted(node)));
            }
        };
        let problem = if digits.starts_with('-') {
            format!("expected {}, found {digits}: it cannot be negative", form.what)
        } else if !digits.bytes().all(|b| b.is_ascii_digit()) {
            format!("expected {}, found {digits}: write a whole number, in plain digits", form.what)
        } else {
            match digits.parse::<u64>() {
                Ok(value) if value < form.min => {
                    format!("expected {}, found {digits}: at least {}", form.what, form.min)
                }
                Ok(value) if value <= form.max => return Some(value),
                _ => format!("expected {}, found {digits}: at most {}", form.what, form.max),
            }
        };
        let is_success = form.what == CODE.what && matches!(digits.parse::<u64>(), Ok(200..400));
        let help = is_success
            .then(|| "what succeeds is told by `matches`; 400 to 599 are errors".to_owned());
        self.report(Diagnostic::new(node.head(), problem).help_if(help));
        None
    }

    /// A time in quotes.
    fn duration(&mut self, node: &Node, text: &str, form: Whole) -> Option<u64> {
        let plain: Option<u64> = text.trim().parse().ok();
        let problem = match durations::parse(text) {
            Err(_) if plain.is_some() => {
                let help = format!(r#"write {text} without quotes, or with its unit: "{text}ms""#);
                return self.wrong_type(node, form.what, Some(help));
            }
            Err(why) => {
                let problem = format!("expected {}, found {text:?}", form.what);
                Diagnostic::new(node.head(), problem).help(why)
            }
            Ok(ms) if ms < form.min => {
                let (what, least) = (form.what, durations::text(form.min));
                Diagnostic::new(
                    node.head(),
                    format!("expected {what}, found {text:?}: at least {least}"),
                )
            }
            Ok(ms) if ms > form.max => {
                let (what, most) = (form.what, durations::text(form.max));
                Diagnostic::new(
                    node.head(),
                    format!("expected {what}, found {text:?}: at most {most}"),
                )
            }
            Ok(ms) => return Some(ms),
        };
        self.report(problem);
        None
    }

    /// The whole number that the field `name` holds, in the bounds that the vocabulary gives.
    pub(crate) fn number(&mut self, fields: &Fields<'_>, name: &str) -> Option<u64> {
        let form = fields.form.field(name)?.holds.whole()?;
        fields.get(name).and_then(|node| self.whole(node, form))
    }

    /// A time, or a range of which each run draws one.
    pub(crate) fn millis(&mut self, node: &Node) -> Option<Millis> {
        match node.kind {
            Kind::Array(_) => {
                let (from, to) = self.range(node, MILLIS)?;
                Some(Millis { from, to })
            }
            Kind::Number(_) | Kind::String(_) => {
                self.whole(node, MILLIS).map(|ms| Millis { from: ms, to: ms })
            }
            _ => {
                let help = r#"for example "2s", or ["1s", "3s"]"#.to_owned();
                self.wrong_type(node, "a time, or a range of times", Some(help))
            }
        }
    }

    /// Two whole numbers `[from, to]`, the first not above the second.
    pub(crate) fn range(&mut self, node: &Node, form: Whole) -> Option<(u64, u64)> {
        let Kind::Array(ends) = &node.kind else {
            let help = "both ends are included: [1, 20]".to_owned();
            return self.wrong_type(node, "a range [from, to]", Some(help));
        };
        let [from, to] = ends.as_slice() else {
            let message = format!("expected a range [from, to], found a list of {}", ends.len());
            self.report(Diagnostic::new(node.span.clone(), message));
            return None;
        };
        let (from, to) = (self.whole(from, form), self.whole(to, form));
        let (from, to) = (from?, to?);
        if from > to {
            self.report(
                Diagnostic::new(
                    node.span.clone(),
                    format!("the range ends before it starts: {from} is more than {to}"),
                )
                .help(format!("write [{to}, {from}]")),
            );
            return None;
        }
        Some((from, to))
    }

    /// A probability, exactly as its digits say.
    pub(crate) fn rate(&mut self, node: &Node) -> Option<Rate> {
        const WHAT: &str = "a probability from 0 to 1";
        let Kind::Number(digits) = &node.kind else {
            let help = "0 is never, 1 is always, 0.05 is 5 %".to_owned();
            return self.wrong_type(node, WHAT, Some(help));
        };
        let why = match digits.parse() {
            Ok(rate) => return Some(rate),
            Err(why) => why,
        };
        let help = match why {
            ParseRateError::AboveOne => Some(percent_hint(digits)),
            ParseRateError::TooFine => {
                Some("the least that can be asked for is 0.000001, one in a million".to_owned())
            }
            ParseRateError::Negative | ParseRateError::NotANumber => None,
        };
        self.report(
            Diagnostic::new(node.head(), format!("expected {WHAT}, found {digits}: {why}"))
                .help_if(help),
        );
        None
    }
}

/// What `node` has under either name of `field`.
fn member<'n>(node: &'n Node, field: &Field<'_>) -> Option<&'n Member> {
    node.member(field.name).or_else(|| node.member(field.written()))
}

/// What to write for one of the usual wrong words.
fn instead(written: &str, form: Form<'_>) -> Option<&'static Instead> {
    INSTEAD.iter().find(|usual| usual.form.what == form.what && usual.written.contains(&written))
}

/// The fields of `form` that the unknown names of `node` seem to mean.
fn misspelt<'f>(node: &'f Node, form: Form<'f>) -> impl Iterator<Item = &'f str> {
    let unknown =
        node.members().iter().filter(move |member| form.field(&member.name.value).is_none());
    unknown.filter_map(move |member| {
        let name = member.name.value.as_str();
        let usual = instead(name, form).map(|usual| usual.meant);
        usual.or_else(|| suggest::nearest(name, form.names())).or_else(|| near_time(name, form))
    })
}

/// The field of a time whose other name is near to `written`.
fn near_time<'f>(written: &str, form: Form<'f>) -> Option<&'f str> {
    let times = form.fields.iter().filter(|field| field.written() != field.name);
    let near = suggest::nearest(written, times.map(|field| field.name))?;
    form.field(near).map(|field| field.written())
}

/// The field that `written` names with another unit: `at_s`.
fn in_milliseconds<'f>(written: &str, form: Form<'f>) -> Option<&'f str> {
    const UNITS: &[&str] = &[
        "s", "sec", "secs", "second", "seconds", "m", "min", "minutes", "h", "hours", "us", "ns",
        "millis",
    ];
    let base = match written.rsplit_once('_') {
        Some((base, unit)) if UNITS.contains(&unit) => base,
        _ => written,
    };
    let times = form.fields.iter().filter(|field| field.written() != field.name);
    times.map(|field| field.written()).find(|name| *name == base)
}

/// For a whole number in quotes: how to write it.
pub(crate) fn unquoted(node: &Node) -> Option<String> {
    let Kind::String(text) = &node.kind else { return None };
    let value: u64 = text.trim_end().parse().ok()?;
    Some(format!("write {value} without quotes"))
}

/// What an object of this form looks like.
fn shape(form: Form<'_>) -> String {
    format!("write {{ ... }} with {}", suggest::list(form.names()))
}

/// What a probability above 1 says, and what may be meant.
fn percent_hint(digits: &str) -> String {
    match digits.parse::<u32>() {
        Ok(percent @ 1..=100) => {
            let hundredths = format!("{:03}", percent);
            let (whole, part) = hundredths.split_at(1);
            let meant = format!("{whole}.{part}");
            let meant = meant.trim_end_matches('0').trim_end_matches('.');
            format!("{percent} means {percent}00 %: write {meant} for {percent} %")
        }
        _ => "1 is always; 0.05 is 5 %".to_owned(),
    }
}

/// A problem with a name that must be one of `names`.
pub(crate) fn unknown_name<'a>(
    span: Span,
    kind: &str,
    plural: &str,
    name: &str,
    names: impl IntoIterator<Item = &'a str> + Clone,
) -> Diagnostic {
    Diagnostic::new(span, format!("unknown {kind} `{name}`"))
        .help(suggest::hint(name, plural, names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_hints_name_the_probability() {
        for (digits, hint) in [
            ("5", "5 means 500 %: write 0.05 for 5 %"),
            ("50", "50 means 5000 %: write 0.5 for 50 %"),
            ("100", "100 means 10000 %: write 1 for 100 %"),
            ("1.5", "1 is always; 0.05 is 5 %"),
        ] {
            assert_eq!(percent_hint(digits), hint);
        }
    }
}
