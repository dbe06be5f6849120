//! Reads what asks for something: a call, a send, a request to the ingress as it stands, a mix of calls.
//!
//! Must not know: when it is asked for.

use super::{
    catalog::{Catalog, HandlerEntry, Input},
    diagnostic::Diagnostic,
    doc::{DEEDS, Does, How},
    example::example,
    plan::Fault,
    reader::{Fields, MILLIS, Reader},
    suggest,
    syntax::{Member, Node},
    target, vocabulary,
};

/// Reports fields that belong to other deeds than `deed`.
pub(crate) fn misplaced(reader: &mut Reader, fields: &Fields<'_>, deed: &str) {
    let own = DEEDS.iter().find(|(name, _)| *name == deed).map_or(&[][..], |(_, own)| own);
    let mut seen = Vec::new();
    let known = |name: &&str| fields.knows(name);
    for name in DEEDS.iter().flat_map(|(_, fields)| fields.iter().copied()).filter(known) {
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

/// The methods that an `http` step can have.
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// `http`: a method and a path, and nothing about them is checked that the ingress checks.
pub(crate) fn http<'n>(
    reader: &mut Reader,
    fields: &Fields<'n>,
    node: &'n Node,
) -> Option<Does<'n>> {
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

/// `call`, or `send` if it is `one_way`.
pub(crate) fn call<'n>(
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

/// `mix`: calls, of which one is drawn for each request.
pub(crate) fn mix<'n>(reader: &mut Reader, node: &'n Node, catalog: &Catalog) -> Option<Does<'n>> {
    let nodes = reader.list(node, "a list of calls")?;
    if nodes.is_empty() {
        let help = r#"for example { "weight": 3, "call": "Service/key/handler" }"#;
        reader.report(
            Diagnostic::new(node.span.clone(), "there are no calls to draw from").help(help),
        );
        return None;
    }
    let all: Vec<_> = nodes.iter().map(|node| mixed(reader, node, catalog)).collect();
    all.into_iter().collect::<Option<_>>().map(Does::Mix)
}

fn mixed<'n>(reader: &mut Reader, node: &'n Node, catalog: &Catalog) -> Option<(u32, Does<'n>)> {
    let fields = reader.object(node, vocabulary::MIXED)?;
    let weight = reader.number(&fields, "weight").unwrap_or(1);
    let weight = u32::try_from(weight).expect("the maximum fits");
    let does = match (fields.member("call"), fields.member("send")) {
        (Some(one), None) => {
            misplaced(reader, &fields, "call");
            call(reader, &fields, &one.value, false, catalog)
        }
        (None, Some(one)) => {
            misplaced(reader, &fields, "send");
            call(reader, &fields, &one.value, true, catalog)
        }
        (Some(one), Some(two)) => {
            let place = if one.name.span.start < two.name.span.start { two } else { one };
            let problem = "one of a mix is a `call` or a `send`";
            let help = "make two of it, each with a weight";
            reader.report(Diagnostic::new(place.name.span.clone(), problem).help(help));
            None
        }
        (None, None) => {
            if !fields.misspells(&["call", "send"]) {
                let problem = Diagnostic::new(node.head(), "this calls nothing");
                reader.report(problem.help(r#"add "call": "Service/key/handler", or `send`"#));
            }
            None
        }
    };
    Some((weight, does?))
}

/// A body that a handler takes, as text.
fn example_of(entry: &HandlerEntry) -> String {
    let made = entry.schema.as_ref().map(|schema| example(schema).to_string());
    made.unwrap_or_else(|| "{ ... }".to_owned())
}
