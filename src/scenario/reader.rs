//! A small typed decoder: takes values out of the tree, and notes everything that is wrong on the way.
//!
//! A value that cannot be taken is reported and `None`; reading goes on, so that one look at a file
//! finds all its errors.
//!
//! Must not know: what a scenario means.

use super::{
    diagnostic::{Diagnostic, Span},
    plan::Millis,
    suggest,
    syntax::{Kind, Member, Node, Text},
    vocabulary::{FORMS, Form},
};
use crate::choice::Rate;

/// No delay is longer: a hundred years.
const MILLIS_MAX: u64 = 100 * 365 * 24 * 3_600_000;

/// What a whole number stands for, and which ones are allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole {
    /// `a number of milliseconds`.
    pub(crate) what: &'static str,
    pub(crate) min: u64,
    pub(crate) max: u64,
}

/// A number of milliseconds.
pub(crate) const MILLIS: Whole =
    Whole { what: "a number of milliseconds", min: 0, max: MILLIS_MAX };

/// Reads values and collects problems.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) problems: Vec<Diagnostic>,
}

/// An object of the file whose fields are those of a [`Form`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'n> {
    form: &'static Form,
    node: &'n Node,
}

impl<'n> Fields<'n> {
    /// The field `name`, if it is there.
    pub(crate) fn member(&self, name: &str) -> Option<&'n Member> {
        debug_assert!(self.form.field(name).is_some(), "{name} is not in the vocabulary");
        self.node.member(name)
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
    /// Notes a problem.
    pub(crate) fn report(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    fn wrong_type<T>(&mut self, node: &Node, what: &str, help: Option<String>) -> Option<T> {
        self.report(
            Diagnostic::new(node.head(), format!("expected {what}, found {}", node.found()))
                .help_if(help),
        );
        None
    }

    /// An object with the fields of `form`: unknown and missing ones are reported.
    pub(crate) fn object<'n>(&mut self, node: &'n Node, form: &'static Form) -> Option<Fields<'n>> {
        let Kind::Object(members) = &node.kind else {
            return self.wrong_type(
                node,
                &format!("an object for {}", form.what),
                Some(shape(form)),
            );
        };
        for member in members {
            if form.field(&member.name.value).is_none() {
                self.report(unknown_field(&member.name, form, form.names()));
            }
        }
        self.missing(node, form);
        Some(Fields { form, node })
    }

    /// Reports the needed fields of `form` that `node` lacks.
    fn missing(&mut self, node: &Node, form: &'static Form) {
        for field in form.fields.iter().filter(|field| field.needed) {
            let misspelt = || misspelt(node, form).any(|meant| meant == field.name);
            if node.member(field.name).is_none() && !misspelt() {
                let place = node.member("id").map_or(node.head(), |id| id.value.head());
                self.report(
                    Diagnostic::new(place, format!("{} needs `{}`", form.what, field.name))
                        .help(format!("`{}`: {}", field.name, field.summary)),
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
            Kind::String(_) => {
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
            _ => self.wrong_type(node, "true or false", None),
        }
    }

    /// A whole number in bounds.
    pub(crate) fn whole(&mut self, node: &Node, form: Whole) -> Option<u64> {
        let Kind::Number(digits) = &node.kind else {
            return self.wrong_type(node, form.what, unquoted(node, form));
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
        self.report(Diagnostic::new(node.head(), problem));
        None
    }

    /// A number of milliseconds, or a range of them.
    pub(crate) fn millis(&mut self, node: &Node) -> Option<Millis> {
        if let Kind::Array(_) = node.kind {
            let (from, to) = self.range(node, MILLIS)?;
            return Some(Millis { from, to });
        }
        if let Kind::Number(_) = node.kind {
            return self.whole(node, MILLIS).map(|ms| Millis { from: ms, to: ms });
        }
        let what = "a number of milliseconds or a range of them";
        self.wrong_type(
            node,
            what,
            unquoted(node, MILLIS).or(Some("for example 500, or [0, 500]".into())),
        )
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
        let (why, help) = match ppm(digits) {
            Ok(ppm) => return Some(Rate::from_ppm(ppm)),
            Err(NotARate::Negative) => ("it cannot be negative", None),
            Err(NotARate::AboveOne) => ("that is more than always", Some(percent_hint(digits))),
            Err(NotARate::TooFine) => (
                "it has more than six decimals",
                Some("the least that can be asked for is 0.000001, one in a million".to_owned()),
            ),
        };
        self.report(
            Diagnostic::new(node.head(), format!("expected {WHAT}, found {digits}: {why}"))
                .help_if(help),
        );
        None
    }
}

/// The fields of `form` that the unknown names of `node` seem to mean.
fn misspelt(node: &Node, form: &'static Form) -> impl Iterator<Item = &'static str> {
    let members = match &node.kind {
        Kind::Object(members) => members.as_slice(),
        _ => &[],
    };
    let unknown = members.iter().filter(|member| form.field(&member.name.value).is_none());
    unknown.filter_map(|member| suggest::nearest(&member.name.value, form.names()))
}

/// An unknown name of a field: the one that is meant, if that can be told.
pub(crate) fn unknown_field<'a>(
    name: &Text,
    form: &Form,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Diagnostic {
    let written = name.value.as_str();
    let help = match (in_milliseconds(written, form), suggest::nearest(written, known.clone())) {
        (Some(known), _) => format!("write `{known}`: times are in milliseconds"),
        (None, Some(near)) => format!("did you mean `{near}`?"),
        (None, None) => match FORMS.iter().find(|other| other.field(written).is_some()) {
            Some(other) => format!("`{written}` belongs to {}", other.what),
            None => format!("known here: {}", suggest::list(known)),
        },
    };
    Diagnostic::new(name.span.clone(), format!("unknown key `{written}` in {}", form.what))
        .help(help)
}

/// The field that `written` names in another unit, or without one: `at_s`, `latency`.
fn in_milliseconds(written: &str, form: &Form) -> Option<&'static str> {
    const UNITS: &[&str] = &[
        "s", "sec", "secs", "second", "seconds", "m", "min", "minutes", "h", "hours", "us", "ns",
        "millis",
    ];
    let base = match written.rsplit_once('_') {
        Some((base, unit)) if UNITS.contains(&unit) => base,
        _ => written,
    };
    form.names().find(|name| name.strip_suffix("_ms") == Some(base))
}

/// For a number in quotes: how to write it.
fn unquoted(node: &Node, form: Whole) -> Option<String> {
    let Kind::String(text) = &node.kind else { return None };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let value: u64 = digits.parse().ok()?;
    let unit = text[digits.len()..].trim();
    if unit.is_empty() {
        return Some(format!("write {value} without quotes"));
    }
    let in_ms = match (form.what == MILLIS.what, unit) {
        (true, "ms") => 1,
        (true, "s") => 1_000,
        (true, "m" | "min") => 60_000,
        (true, "h") => 3_600_000,
        _ => return None,
    };
    Some(format!("write {}", value.checked_mul(in_ms)?))
}

/// What an object of this form looks like.
fn shape(form: &Form) -> String {
    format!("write {{ ... }} with {}", suggest::list(form.names()))
}

/// Why a number is not a probability.
#[derive(Debug, PartialEq, Eq)]
enum NotARate {
    Negative,
    AboveOne,
    TooFine,
}

/// A JSON number in parts per million, by its digits: a float would round.
fn ppm(number: &str) -> Result<u32, NotARate> {
    let (unsigned, negative) = match number.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (number, false),
    };
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (int, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{int}{fraction}");
    let digits = all.trim_start_matches('0');
    let leading_zeros = all.len() - digits.len();
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return Ok(0);
    }
    if negative {
        return Err(NotARate::Negative);
    }
    // The value is 0.DIGITS times ten to the power of `point`. An exponent beyond i32 is far out either way.
    let far = if exponent.starts_with('-') { -1_000_000 } else { 1_000_000 };
    let exponent = exponent.parse::<i32>().map_or(far, i64::from);
    let length = |n: usize| i64::try_from(n).expect("a file is shorter than that");
    let point = length(int.len()) - length(leading_zeros) + exponent;
    match point {
        1 if digits == "1" => Ok(1_000_000),
        1.. => Err(NotARate::AboveOne),
        _ => {
            let zeros = u32::try_from(6 + point - length(digits.len()));
            let zeros = zeros.map_err(|_| NotARate::TooFine)?;
            let digits: u32 = digits.parse().expect("at most six digits are left");
            Ok(digits * 10_u32.pow(zeros))
        }
    }
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

/// A problem with a name that must be one of a known set.
pub(crate) fn unknown_name<'a>(
    span: Span,
    kind: &str,
    plural: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Diagnostic {
    Diagnostic::new(span, format!("unknown {kind} `{name}`"))
        .help(suggest::hint(name, plural, known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_read_exactly() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("0.0", Ok(0)),
            ("-0", Ok(0)),
            ("0e99999999999", Ok(0)),
            ("1", Ok(1_000_000)),
            ("1.000", Ok(1_000_000)),
            ("10e-1", Ok(1_000_000)),
            ("0.05", Ok(50_000)),
            ("5e-2", Ok(50_000)),
            ("0.5E-1", Ok(50_000)),
            ("0.000001", Ok(1)),
            ("0.999999", Ok(999_999)),
            ("0.1000000000", Ok(100_000)),
            ("0.0000001", Err(NotARate::TooFine)),
            ("0.1234567", Err(NotARate::TooFine)),
            ("1e-99999999999", Err(NotARate::TooFine)),
            ("1.5", Err(NotARate::AboveOne)),
            ("1.0000001", Err(NotARate::AboveOne)),
            ("5", Err(NotARate::AboveOne)),
            ("1e99999999999", Err(NotARate::AboveOne)),
            ("-0.1", Err(NotARate::Negative)),
        ] {
            assert_eq!(ppm(text), expected, "{text}");
        }
    }

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
