//! What a field of a scenario file is: its name, what it holds, and a line for people. Readers, hints and the JSON
//! schema take it from here.
//!
//! Must not know: which fields there are; how values are read.

use serde_json::Value;

/// No delay is longer: a hundred years.
const MILLIS_MAX: u64 = 100 * 365 * 24 * 3_600_000;

/// What a whole number stands for, and which ones are allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole {
    /// `a number of runs`.
    pub(crate) what: &'static str,
    pub(crate) min: u64,
    pub(crate) max: u64,
}

/// A time: a duration in quotes, or a number of milliseconds.
pub(crate) const MILLIS: Whole = Whole { what: "a time", min: 0, max: MILLIS_MAX };

/// A time, and not none.
pub(crate) const SOME_MILLIS: Whole = Whole { min: 1, ..MILLIS };

/// What a text names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// Anything: a variable, a header, a field of a value.
    Any,
    /// `Service/key/handler`, or `Service/handler` for a service without keys.
    Handler,
    /// `Service/key`.
    Object,
    /// `Service/key/name`.
    State,
    /// `Service/key/handler after run NAME`.
    Place,
    /// The id of a step.
    Step,
    /// A system of the outside world.
    System,
    /// `system.kind`.
    Effect,
    /// A system, a service, or `Service/handler`.
    Scope,
    /// Another revision of the services.
    Revision,
    /// An invariant.
    Invariant,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Holds<'a> {
    /// Any JSON.
    Json,
    /// A text that is not empty.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Whole(Whole),
    /// A whole number, or the least and the greatest: `[from, to]`.
    Range(Whole),
    /// The least and the greatest: `[from, to]`.
    Ends(Whole),
    /// A time.
    Time(Whole),
    /// A time, or the shortest and the longest: `[from, to]`.
    Times(Whole),
    /// A probability.
    Rate,
    /// One of these words.
    Word(&'a [&'a str]),
    /// The name of something.
    Name(Names),
    /// An object with fixed fields.
    Object(&'a Form<'a>),
    /// An object with fields that have these names.
    Map(Names, &'a Holds<'a>),
    /// A list.
    List(&'a Holds<'a>),
    /// One of these.
    Either(&'a [Holds<'a>]),
    /// An object { service: variant }.
    Variants,
    /// The systems of the outside world, and the short forms of states.
    World,
    /// The faults, those of the systems too.
    Faults,
    /// A value whose type belongs to a domain, by its JSON schema.
    Typed(&'a Value),
}

impl Holds<'_> {
    /// Which whole numbers are allowed, if it is one.
    pub(crate) const fn whole(self) -> Option<Whole> {
        match self {
            Self::Whole(whole)
            | Self::Range(whole)
            | Self::Ends(whole)
            | Self::Time(whole)
            | Self::Times(whole) => Some(whole),
            _ => None,
        }
    }
}

/// An object of the file with a fixed set of fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form<'a> {
    /// What it is: `a step`.
    pub(crate) what: &'a str,
    /// Its fields.
    pub(crate) fields: &'a [Field<'a>],
    /// True if it may have other fields too.
    pub(crate) open: bool,
}

/// A field of a [`Form`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    /// As written in the file.
    pub(crate) name: &'a str,
    /// True if it must be there.
    pub(crate) needed: bool,
    /// What it holds.
    pub(crate) holds: Holds<'a>,
    /// One line for people.
    pub(crate) summary: &'a str,
    /// A value that it may have: JSON.
    pub(crate) example: Option<&'a str>,
    /// What it is if it is left out: JSON.
    pub(crate) usual: Option<&'a str>,
}

/// A field that must be there.
pub(crate) const fn needed<'a>(name: &'a str, holds: Holds<'a>, summary: &'a str) -> Field<'a> {
    Field { name, needed: true, holds, summary, example: None, usual: None }
}

/// A field that may be left out.
pub(crate) const fn field<'a>(name: &'a str, holds: Holds<'a>, summary: &'a str) -> Field<'a> {
    Field { name, needed: false, holds, summary, example: None, usual: None }
}

/// An object with these fields and no others.
pub(crate) const fn form(what: &'static str, fields: &'static [Field<'static>]) -> Form<'static> {
    Form { what, fields, open: false }
}

impl<'a> Field<'a> {
    /// Its name as it is best written: `at` for `at_ms`. The unit stands in the value, as in `"2s"`; a number without
    /// one is in milliseconds.
    pub(crate) fn written(self) -> &'a str {
        self.name.strip_suffix("_ms").unwrap_or(self.name)
    }

    /// The same, with a value that it may have: JSON.
    pub(crate) const fn example(self, example: &'a str) -> Self {
        Self { example: Some(example), ..self }
    }

    /// The same, with what it is if it is left out: JSON.
    pub(crate) const fn usual(self, usual: &'a str) -> Self {
        Self { usual: Some(usual), ..self }
    }
}

impl<'a> Form<'a> {
    /// The names of its fields, as they are best written.
    pub(crate) fn names(self) -> impl Iterator<Item = &'a str> + Clone {
        self.fields.iter().map(|field| field.written())
    }

    /// Its field of this name; that of a time has two names.
    pub(crate) fn field(self, name: &str) -> Option<&'a Field<'a>> {
        let exactly = self.fields.iter().find(|field| field.name == name);
        exactly.or_else(|| self.fields.iter().find(|field| field.written() == name))
    }
}

/// `; for example "rate": 0.05`.
pub(crate) fn written(name: &str, example: &str) -> String {
    format!("; for example \"{name}\": {example}")
}
