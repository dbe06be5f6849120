//! Reads `after`: the step, the effect, the state or the status that a step waits for.
//!
//! Must not know: other steps.

use super::{
    catalog::Catalog,
    diagnostic::Diagnostic,
    named,
    plan::{Status, Wait},
    reader::{Fields, Reader},
    suggest,
    syntax::{Kind, Node, Text},
    template::{self, Values},
    vocabulary,
};

/// What a step waits for, as it is written.
#[derive(Debug)]
pub(crate) enum After<'n> {
    /// The answer to the step with this id.
    Reply(Text),
    /// So many effects of a kind.
    Effects { kind: String, fields: Option<&'n Node>, count: u64 },
    /// A state: the service, the key and the name.
    State { of: (String, String, String), matches: Option<&'n Node> },
    /// Where the invocation of the step with this id is.
    Status { of: Text, is: Status },
}

impl After<'_> {
    /// The step that is named.
    pub(crate) fn step(&self) -> Option<&Text> {
        match self {
            Self::Reply(of) | Self::Status { of, .. } => Some(of),
            Self::Effects { .. } | Self::State { .. } => None,
        }
    }

    /// The same for one repetition of a step, whose `request` is the one that is named; none for an answer.
    pub(crate) fn wait(&self, values: &Values<'_>, request: Option<String>) -> Option<Wait> {
        let filled = |node: &Node| template::json(node, values);
        Some(match self {
            Self::Reply(_) => return None,
            Self::Effects { kind, fields, count } => {
                Wait::Effects { kind: kind.clone(), fields: fields.map(filled), count: *count }
            }
            Self::State { of: (service, key, name), matches } => Wait::State {
                service: service.clone(),
                key: template::fill(key, values),
                name: template::fill(name, values),
                matches: matches.map(filled),
            },
            Self::Status { is, .. } => Wait::Status { request: request?, is: *is },
        })
    }
}

/// What stands for each kind of condition, and the fields that only go with it.
const CONDITIONS: &[(&str, &[&str])] = &[
    ("effect", &["where", "count"]),
    ("state", &["matches"]),
    ("status", &["is"]),
    ("reply", &[]),
];

/// A condition of any kind.
pub(crate) enum Condition<'n> {
    /// An answer of one's own that has this.
    Reply(&'n Node),
    After(After<'n>),
}

/// `after`.
pub(crate) fn read<'n>(
    reader: &mut Reader,
    node: &'n Node,
    catalog: &Catalog,
) -> Option<After<'n>> {
    if !matches!(node.kind, Kind::Object(_)) {
        const WHAT: &str = "the id of a step, or an object for what a step waits for";
        return reader.string(node, WHAT).map(After::Reply);
    }
    let fields = reader.object(node, vocabulary::AWAITED)?;
    match condition(reader, node, &fields, "step", catalog)? {
        Condition::After(after) => Some(after),
        Condition::Reply(_) => None,
    }
}

/// The one condition of `fields`, which a `waiter` waits for.
pub(crate) fn condition<'n>(
    reader: &mut Reader,
    node: &'n Node,
    fields: &Fields<'n>,
    waiter: &str,
    catalog: &Catalog,
) -> Option<Condition<'n>> {
    let known: Vec<&str> =
        CONDITIONS.iter().map(|(name, _)| *name).filter(|name| fields.knows(name)).collect();
    let given: Vec<&str> =
        known.iter().copied().filter(|name| fields.member(name).is_some()).collect();
    let names = || suggest::list(known.iter().copied());
    match given.as_slice() {
        [one] => {
            misplaced(reader, fields, one);
            match *one {
                "effect" => effects(reader, fields, catalog).map(Condition::After),
                "state" => state(reader, fields, catalog).map(Condition::After),
                "status" => status(reader, fields).map(Condition::After),
                _ => fields.get(one).map(Condition::Reply),
            }
        }
        [] => {
            if !fields.misspells(&known) {
                let problem = Diagnostic::new(node.head(), "this waits for nothing");
                reader.report(problem.help(format!("add one of {}", names())));
            }
            None
        }
        [.., last] => {
            let place = fields.member(last).map_or(node.head(), |member| member.name.span.clone());
            reader.report(
                Diagnostic::new(place, format!("a {waiter} waits for one of {}", names()))
                    .help("make two steps of it; `after` puts one after the other"),
            );
            None
        }
    }
}

/// Reports fields that go with other conditions than `condition`.
fn misplaced(reader: &mut Reader, fields: &Fields<'_>, condition: &str) {
    for (other, names) in CONDITIONS.iter().filter(|(other, _)| *other != condition) {
        let names = names.iter().filter(|name| fields.knows(name));
        for member in names.filter_map(|name| fields.member(name)) {
            let problem = format!("`{}` goes with `{other}`", member.name.value);
            reader.report(
                Diagnostic::new(member.name.span.clone(), problem)
                    .help(format!("remove it, or write `{other}` in place of `{condition}`")),
            );
        }
    }
}

fn effects<'n>(reader: &mut Reader, fields: &Fields<'n>, catalog: &Catalog) -> Option<After<'n>> {
    let name = reader.string(fields.get("effect")?, "the kind of an effect: `SYSTEM.KIND`")?;
    let count =
        fields.get("count").map_or(Some(1), |n| reader.whole(n, vocabulary::AWAITED_EFFECTS));
    let given = fields.get("where");
    if let Some(node) = given
        && !matches!(node.kind, Kind::Object(_))
    {
        return reader.wrong_type(node, "an object { field: value }", None);
    }
    let (system, kind) = named::effect(reader, &name, catalog)?;
    Some(After::Effects { kind: format!("{system}.{kind}"), fields: given, count: count? })
}

fn state<'n>(reader: &mut Reader, fields: &Fields<'n>, catalog: &Catalog) -> Option<After<'n>> {
    const WHAT: &str = "`Service/key/name`: the object, and the state's name";
    let text = reader.string(fields.get("state")?, WHAT)?;
    let of = named::state(reader, &text, catalog)?;
    Some(After::State { of, matches: fields.get("matches") })
}

/// Words that others have for a status.
const OTHER_WORDS: &[(&str, &str)] = &[
    ("inboxed", "pending"),
    ("ready", "running"),
    ("invoked", "running"),
    ("backing off", "backing-off"),
    ("backing_off", "backing-off"),
    ("retrying", "backing-off"),
    ("succeeded", "completed"),
    ("failed", "completed"),
    ("done", "completed"),
];

fn status<'n>(reader: &mut Reader, fields: &Fields<'n>) -> Option<After<'n>> {
    let node = fields.get("status")?;
    let of = reader.string(node, "the id of a step");
    let names = Status::ALL.iter().map(|(name, _)| *name);
    let Some(is) = fields.get("is") else {
        let help = format!(r#"add "is": one of {}"#, suggest::list(names));
        reader.report(Diagnostic::new(node.head(), "which status is waited for?").help(help));
        return None;
    };
    let is = reader.string(is, "a status")?;
    let Some((_, status)) = Status::ALL.iter().find(|(name, _)| *name == is.value) else {
        let instead = OTHER_WORDS.iter().find(|(word, _)| *word == is.value);
        let help = match instead {
            Some((_, name)) => format!("write `{name}`"),
            None => suggest::hint(&is.value, "statuses", names),
        };
        let problem = format!("unknown status `{}`", is.value);
        reader.report(Diagnostic::new(is.span, problem).help(help));
        return None;
    };
    Some(After::Status { of: of?, is: *status })
}
