//! Reads `steps`: each as it is written, checked as far as one step alone can be.
//!
//! Must not know: other steps; see `expand`.

use std::collections::BTreeMap;

use super::{
    catalog::{Catalog, HandlerEntry, Input},
    diagnostic::Diagnostic,
    example::example,
    plan::{Fault, Millis, Revision},
    reader::{Fields, MILLIS, Reader, unknown_name},
    repeats::{Repeat, placeholders, repeats, variables},
    settings::variants,
    suggest,
    syntax::{Kind, Member, Node, Text},
    target, vocabulary,
    waits::{self, After},
};

/// A step as it is written.
#[derive(Debug)]
pub(crate) struct StepDoc<'n> {
    pub(crate) id: Text,
    /// None if it is unknown.
    pub(crate) does: Option<Does<'n>>,
    pub(crate) repeats: Vec<Repeat>,
    pub(crate) at_ms: Millis,
    pub(crate) copies: u64,
    pub(crate) after: Option<After<'n>>,
    /// Placeholders in what it sends that are no variables.
    pub(crate) uses: Vec<Text>,
    /// The error code that every reply must have.
    pub(crate) fails: Option<u32>,
    /// False if something about it was reported.
    pub(crate) sound: bool,
}

/// What a step does.
#[derive(Debug)]
pub(crate) enum Does<'n> {
    Call {
        service: String,
        key: String,
        handler: String,
        body: Option<&'n Node>,
        entry: HandlerEntry,
        idempotency_key: Option<String>,
        headers: Vec<(String, String)>,
        how: How,
    },
    /// A request to the ingress, as it stands.
    Http {
        method: String,
        path: String,
        headers: Vec<(String, String)>,
        body: Option<&'n Node>,
        /// Instead of a body.
        text: Option<String>,
    },
    /// Something to what another step started.
    To(Verb, Text),
    Complete {
        of: Text,
        awakeable: u32,
        with: Completion<'n>,
    },
    EndpointDown(Millis),
    Deploy(Revision),
}

/// How a handler is called.
#[derive(Clone, Debug)]
pub(crate) enum How {
    /// The system that sends it, if it is not a client.
    Call {
        from: Option<String>,
        /// What goes wrong with what it sends.
        faults: Vec<String>,
    },
    Send {
        delay_ms: u64,
    },
}

/// What can be done to what another step started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Attach,
    Output,
    Cancel,
    Kill,
    Pause,
    Resume,
    Purge,
}

/// What an awakeable is completed with.
#[derive(Debug)]
pub(crate) enum Completion<'n> {
    Value(Option<&'n Node>),
    Failure(String),
}

impl Verb {
    const ALL: &'static [(&'static str, Self)] = &[
        ("attach", Self::Attach),
        ("output", Self::Output),
        ("cancel", Self::Cancel),
        ("kill", Self::Kill),
        ("pause", Self::Pause),
        ("resume", Self::Resume),
        ("purge", Self::Purge),
    ];

    /// As written in the file.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, verb)| *verb == self).map_or("", |(name, _)| name)
    }

    /// True if a client asks, and is answered.
    pub(crate) const fn is_answered(self) -> bool {
        matches!(self, Self::Attach | Self::Output)
    }
}

/// What a step can do, and the fields that only go with it.
pub(crate) const DEEDS: &[(&str, &[&str])] = &[
    ("call", &["body", "idempotency_key", "headers", "from", "faults", "fails"]),
    ("send", &["body", "idempotency_key", "headers", "delay_ms"]),
    ("http", &["body", "text", "headers", "fails"]),
    ("attach", &[]),
    ("output", &[]),
    ("resolve", &["body", "awakeable"]),
    ("reject", &["awakeable", "reason"]),
    ("cancel", &[]),
    ("kill", &[]),
    ("pause", &[]),
    ("resume", &[]),
    ("purge", &[]),
    ("endpoint_down", &[]),
    ("deploy", &[]),
];

/// The fields whose texts are sent: they may have something of earlier replies.
const SENT: [&str; 8] =
    ["call", "send", "http", "body", "text", "headers", "idempotency_key", "reason"];

impl Does<'_> {
    /// True if there is an answer to wait for.
    pub(crate) const fn is_answered(&self) -> bool {
        match self {
            Self::Call { .. } | Self::Http { .. } => true,
            Self::To(verb, _) => verb.is_answered(),
            Self::Complete { .. } | Self::EndpointDown(_) | Self::Deploy(_) => false,
        }
    }
}

impl StepDoc<'_> {
    /// How many requests it stands for; saturates.
    pub(crate) fn requests(&self) -> u64 {
        self.repeats.iter().map(Repeat::times).fold(self.copies, u64::saturating_mul)
    }
}

/// `steps`: those that have an id, each id once.
pub(crate) fn read<'n>(reader: &mut Reader, node: &'n Node, catalog: &Catalog) -> Vec<StepDoc<'n>> {
    let Some(nodes) = reader.list(node, "a list of steps") else { return Vec::new() };
    if nodes.is_empty() {
        reader.report(
            Diagnostic::new(node.span.clone(), "there are no steps: nothing would happen")
                .help(r#"for example { "id": "book", "call": "Service/key/handler" }"#),
        );
    }
    let mut steps = Vec::with_capacity(nodes.len());
    let mut seen = BTreeMap::new();
    for node in nodes {
        let Some(step) = step(reader, node, catalog) else { continue };
        if let Some(first) = seen.get(&step.id.value) {
            reader.report(
                Diagnostic::new(step.id.span, format!("two steps have the id `{}`", step.id.value))
                    .label("again here")
                    .related(std::ops::Range::clone(first), "first here")
                    .help("give each step an id of its own; `copies` repeats one at once, `for` with a variable"),
            );
            continue;
        }
        seen.insert(step.id.value.clone(), step.id.span.clone());
        steps.push(step);
    }
    steps
}

fn step<'n>(reader: &mut Reader, node: &'n Node, catalog: &Catalog) -> Option<StepDoc<'n>> {
    let problems_before = reader.problems.len();
    let fields = reader.object(node, vocabulary::STEP)?;
    let id = fields.get("id").and_then(|n| step_id(reader, n));
    let repeats = fields.get("for").map_or_else(Vec::new, |n| repeats(reader, n));
    let does = does(reader, node, &fields, catalog);
    let at_ms = fields.get("at_ms").and_then(|n| reader.millis(n)).unwrap_or_default();
    let copies =
        fields.get("copies").and_then(|n| reader.whole(n, vocabulary::COPIES)).unwrap_or(1);
    let fails =
        reader.number(&fields, "fails").map(|code| u32::try_from(code).expect("the maximum fits"));
    let after = fields.get("after").and_then(|n| waits::read(reader, n, catalog));
    let mut uses = Vec::new();
    let deeds = DEEDS.iter().map(|(name, _)| *name).filter(|name| !SENT.contains(name));
    for name in deeds.chain(["after"]).chain(SENT) {
        let Some(node) = fields.get(name) else { continue };
        if SENT.contains(&name) {
            placeholders(reader, node, &repeats, &mut uses);
        } else {
            variables(reader, node, &repeats);
        }
    }
    let sound = reader.problems.len() == problems_before;
    Some(StepDoc { id: id?, does, repeats, at_ms, copies, after, uses, fails, sound })
}

/// An id that leaves room for `[3].2` in the names of requests.
fn step_id(reader: &mut Reader, node: &Node) -> Option<Text> {
    let id = reader.string(node, "an id")?;
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    if let Some((at, c)) = id.value.char_indices().find(|(_, c)| !plain(*c)) {
        reader.report(
            Diagnostic::new(id.part(at..at + c.len_utf8()), format!("an id cannot contain `{c}`"))
                .help("ids are letters, digits, `-` and `_`"),
        );
        return None;
    }
    Some(id)
}

/// The one of [`DEEDS`] that is there.
fn does<'n>(
    reader: &mut Reader,
    node: &Node,
    fields: &Fields<'n>,
    catalog: &Catalog,
) -> Option<Does<'n>> {
    let place = fields.get("id").map_or(node.head(), Node::head);
    let given: Vec<_> = DEEDS.iter().filter_map(|(name, _)| fields.member(name)).collect();
    match given.as_slice() {
        [] => {
            let names: Vec<&str> = DEEDS.iter().map(|(name, _)| *name).collect();
            if !fields.misspells(&names) {
                let names = suggest::list(names);
                reader.report(
                    Diagnostic::new(place, "this step does nothing")
                        .help(format!("add one of {names}")),
                );
            }
            None
        }
        [one] => {
            misplaced(reader, fields, &one.name.value);
            match one.name.value.as_str() {
                "call" => call(reader, fields, &one.value, false, catalog),
                "send" => call(reader, fields, &one.value, true, catalog),
                "endpoint_down" => reader.millis(&one.value).map(Does::EndpointDown),
                "deploy" => revision(reader, &one.value, catalog).map(Does::Deploy),
                "http" => http(reader, fields, &one.value),
                verb => to(reader, fields, verb, &one.value),
            }
        }
        [first, second, ..] => {
            let (one, two) = if first.name.span.start < second.name.span.start {
                (first, second)
            } else {
                (second, first)
            };
            reader.report(
                Diagnostic::new(
                    two.name.span.clone(),
                    format!("a step does one thing: `{}` or `{}`", one.name.value, two.name.value),
                )
                .related(one.name.span.clone(), "this is the first")
                .help("make two steps of it; `after` puts one after the other"),
            );
            None
        }
    }
}

/// Reports fields that belong to other deeds than `deed`.
fn misplaced(reader: &mut Reader, fields: &Fields<'_>, deed: &str) {
    let own = DEEDS.iter().find(|(name, _)| *name == deed).map_or(&[][..], |(_, own)| own);
    let mut seen = Vec::new();
    for name in DEEDS.iter().flat_map(|(_, fields)| fields.iter().copied()) {
        let Some(member) = fields.member(name).filter(|_| !own.contains(&name)) else { continue };
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        let having: Vec<_> = DEEDS
            .iter()
            .filter(|(_, fields)| fields.contains(&name))
            .map(|(deed, _)| format!("`{deed}`"))
            .collect();
        let article = if deed.starts_with(['a', 'e', 'h', 'o']) { "an" } else { "a" };
        let help = match having.as_slice() {
            [only] => format!("only {only} has one"),
            [first @ .., last] => format!("only {} and {last} have one", first.join(", ")),
            [] => String::new(),
        };
        reader.report(
            Diagnostic::new(
                member.name.span.clone(),
                format!("{article} {deed} has no `{}`", member.name.value),
            )
            .help(help),
        );
    }
}

/// `deploy`: `"second"`, or `{ "Bookings": "books-twice" }`.
fn revision(reader: &mut Reader, node: &Node, catalog: &Catalog) -> Option<Revision> {
    if matches!(node.kind, Kind::Object(_)) {
        return Some(Revision::Services(variants(reader, node, catalog)));
    }
    let name = reader.string(node, "the name of a revision, or an object { service: variant }")?;
    if !catalog.revisions.contains_key(&name.value) {
        let names = catalog.revisions.keys().map(String::as_str);
        let problem = unknown_name(name.span.clone(), "revision", "revisions", &name.value, names);
        reader.report(match catalog.revisions.is_empty() {
            true => problem
                .help("write { \"Service\": \"variant\" }, or {} for the same services once more"),
            false => problem,
        });
        return None;
    }
    Some(Revision::Named(name.value))
}

/// A deed that is done to what another step started.
fn to<'n>(
    reader: &mut Reader,
    fields: &Fields<'n>,
    deed: &str,
    node: &'n Node,
) -> Option<Does<'n>> {
    let of = reader.string(node, "the id of a step");
    if let Some((_, verb)) = Verb::ALL.iter().find(|(name, _)| *name == deed) {
        return Some(Does::To(*verb, of?));
    }
    let number = reader.number(fields, "awakeable").unwrap_or(1);
    let awakeable = u32::try_from(number).expect("the maximum fits");
    let with = if deed == "resolve" {
        Completion::Value(fields.get("body"))
    } else {
        let reason = fields.get("reason").and_then(|n| reader.string(n, "a reason"));
        Completion::Failure(reason.map_or_else(|| "rejected".to_owned(), |text| text.value))
    };
    Some(Does::Complete { of: of?, awakeable, with })
}

/// The methods that an `http` step can have.
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// `http`: a method and a path, and nothing about them is checked that the ingress checks.
fn http<'n>(reader: &mut Reader, fields: &Fields<'n>, node: &'n Node) -> Option<Does<'n>> {
    let line = reader.string(node, "`METHOD /path`")?;
    let headers = fields.get("headers").map_or_else(Vec::new, |n| headers(reader, n, true));
    let body = fields.get("body");
    let text = fields.get("text").and_then(|n| reader.string(n, "a text")).map(|text| text.value);
    if let (Some(_), Some(member)) = (body, fields.member("text")) {
        reader.report(
            Diagnostic::new(member.name.span.clone(), "a request has one body: `body` or `text`")
                .help("`body` is JSON and says so; `text` is sent as it stands, and says nothing"),
        );
    }
    let (method, path) = line.value.split_once(' ').unwrap_or((&line.value, ""));
    let help = format!("write a method, a blank and a path; methods are {}", METHODS.join(", "));
    let problem = if !METHODS.contains(&method) {
        Some((0..method.len(), format!("`{method}` is no method")))
    } else if !path.starts_with('/') {
        Some((0..line.value.len(), "a path begins with `/`".to_owned()))
    } else {
        let wrong = path.char_indices().find(|(_, c)| !c.is_ascii_graphic());
        let from = method.len() + 1;
        wrong.map(|(at, c)| {
            let span = from + at..from + at + c.len_utf8();
            (span, format!("a path cannot contain {c:?}: write %20 for a blank"))
        })
    };
    if let Some((span, message)) = problem {
        reader.report(Diagnostic::new(line.part(span), message).help(help));
        return None;
    }
    Some(Does::Http { method: method.to_owned(), path: path.to_owned(), headers, body, text })
}

/// `headers`; those of a request that is sent as it stands may be any.
fn headers(reader: &mut Reader, node: &Node, any: bool) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for member in reader.map(node, "an object { name: value }").unwrap_or(&[]) {
        let name = member.name.value.to_ascii_lowercase();
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || !name.chars().all(fits) {
            let problem = format!("`{}` cannot be the name of a header", member.name.value);
            reader.report(
                Diagnostic::new(member.name.span.clone(), problem)
                    .help("names of headers are letters, digits, `-` and `_`"),
            );
        } else if name == "idempotency-key" && !any {
            reader.report(
                Diagnostic::new(member.name.span.clone(), "this header is not for the handler")
                    .help("write `idempotency_key` beside `headers`"),
            );
        }
        if let Some(value) = reader.string(&member.value, "the value of a header") {
            headers.push((name, value.value));
        }
    }
    headers
}

/// `from`: the name of a system.
fn sender(reader: &mut Reader, node: &Node, catalog: &Catalog) -> Option<String> {
    let name = reader.string(node, "the name of a system")?;
    catalog.system(reader, &name.value, name.span.clone()).map(|_| name.value)
}

/// `faults` of a delivery: those of its system, each by its own name, and those of all deliveries.
fn faults_of(
    reader: &mut Reader,
    member: &Member,
    fields: &Fields<'_>,
    from: &Option<String>,
    catalog: &Catalog,
) -> Vec<String> {
    let Some(system) = from else {
        if fields.get("from").is_none() {
            let problem = "only what a system sends can go wrong so";
            let help =
                r#"add "from": "SYSTEM", or say what goes wrong under `faults` of the scenario"#;
            reader.report(Diagnostic::new(member.name.span.clone(), problem).help(help));
        }
        return Vec::new();
    };
    let entry = catalog.systems.get(system);
    let own = || entry.iter().flat_map(|entry| entry.faults.keys().map(String::as_str));
    let of_all = [Fault::DeliveryDelayed.name(), Fault::DeliveryDuplicated.name()];
    let mut faults: Vec<String> = Vec::new();
    for node in reader.list(&member.value, "a list of faults").unwrap_or(&[]) {
        let Some(text) = reader.string(node, "the name of a fault") else { continue };
        let prefix = format!("{system}.");
        let name = text.value.strip_prefix(&prefix).unwrap_or(&text.value);
        if !own().chain(of_all).any(|known| known == name) {
            let names: Vec<&str> = own().chain(of_all).collect();
            let problem = format!("the {system} has no fault `{name}`");
            let help = suggest::hint(name, "faults", names.iter().copied());
            reader.report(Diagnostic::new(text.span, problem).help(help));
        } else if !faults.iter().any(|known| known == name) {
            faults.push(name.to_owned());
        }
    }
    faults
}

fn call<'n>(
    reader: &mut Reader,
    fields: &Fields<'n>,
    node: &'n Node,
    one_way: bool,
    catalog: &Catalog,
) -> Option<Does<'n>> {
    let idempotency_key = fields
        .get("idempotency_key")
        .and_then(|n| reader.string(n, "an idempotency key"))
        .map(|text| text.value);
    let how = if one_way {
        let delay_ms = fields.get("delay_ms").and_then(|n| reader.whole(n, MILLIS)).unwrap_or(0);
        How::Send { delay_ms }
    } else {
        let from = fields.get("from").and_then(|n| sender(reader, n, catalog));
        let faults = fields.member("faults");
        let faults = faults.map_or_else(Vec::new, |m| faults_of(reader, m, fields, &from, catalog));
        How::Call { from, faults }
    };
    let headers = fields.get("headers").map_or_else(Vec::new, |n| headers(reader, n, false));
    let text = reader.string(node, "`Service/key/handler`")?;
    let addressed = target::read(reader, &text, 0..text.value.len(), false, catalog)?;
    let body = fields.member("body");
    let (service, handler) = (&addressed.service, &addressed.handler);
    match (body, addressed.entry.input) {
        (None, Input::Needed) if !fields.misspells(&["body"]) => reader.report(
            Diagnostic::new(
                text.part(text.value.len() - handler.len()..text.value.len()),
                format!("{service}.{handler} takes an input: the step needs a `body`"),
            )
            .help(format!("for example \"body\": {}", example_of(&addressed.entry))),
        ),
        (Some(body), Input::None) => reader.report(
            Diagnostic::new(body.name.span.clone(), format!("{service}.{handler} takes no input"))
                .help("remove `body`"),
        ),
        _ => {}
    }
    Some(Does::Call {
        service: addressed.service,
        key: addressed.key,
        handler: addressed.handler,
        body: body.map(|member| &member.value),
        entry: addressed.entry,
        idempotency_key,
        headers,
        how,
    })
}

/// A body that a handler takes, as text.
fn example_of(entry: &HandlerEntry) -> String {
    let made = entry.schema.as_ref().map(|schema| example(schema).to_string());
    made.unwrap_or_else(|| "{ ... }".to_owned())
}
