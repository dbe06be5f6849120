//! `Service/key/handler`: the parts of a text that names a handler, each checked.
//!
//! Must not know: who calls.

use super::{
    catalog::{Catalog, HandlerEntry},
    diagnostic::{Diagnostic, Span},
    reader::Reader,
    suggest,
    syntax::Text,
};

/// A handler that exists, and the key it is called with.
#[derive(Clone, Debug)]
pub(crate) struct Addressed {
    pub(crate) service: String,
    /// Empty for a service without keys.
    pub(crate) key: String,
    pub(crate) handler: String,
    pub(crate) entry: HandlerEntry,
}

/// Reads `text[span]`: the first part is the service, the last the handler, the rest the key, which
/// may contain slashes. With `any_key`, `*` stands for every key, of a service without keys too.
pub(crate) fn read(
    reader: &mut Reader,
    text: &Text,
    span: Span,
    any_key: bool,
    catalog: &Catalog,
) -> Option<Addressed> {
    let written = &text.value[span.clone()];
    let place = |part: Span| text.part(span.start + part.start..span.start + part.end);
    let whole = place(0..written.len());
    if let Some(help) = no_target(written) {
        let problem = format!("`{written}` does not name a handler");
        reader.report(Diagnostic::new(whole, problem).help(help));
        return None;
    }
    let Some(first) = written.find('/') else {
        reader.report(
            Diagnostic::new(whole, format!("`{written}` does not name a handler"))
                .help(forms(written, catalog)),
        );
        return None;
    };
    let last = written.rfind('/').unwrap_or(first);
    let (service, handler) = (&written[..first], &written[last + 1..]);
    let handler_place = place(last + 1..written.len());
    let kind = catalog.service(reader, service, place(0..first))?;
    let key = if first < last { &written[first + 1..last] } else { "" };
    if kind.keyed && first == last {
        // Two parts: either the key or the handler is the one that was forgotten.
        let problem = if kind.handlers.contains_key(handler) {
            let key = if any_key { "*" } else { "KEY" };
            Diagnostic::new(whole, format!("{service} is an object: the call needs a key"))
                .help(format!("write `{service}/{key}/{handler}`"))
        } else {
            let handlers = suggest::list(kind.handlers.keys().map(String::as_str));
            Diagnostic::new(
                whole,
                format!("{service} is an object: the call needs a key and a handler"),
            )
            .help(format!("write `{service}/KEY/HANDLER`; handlers: {handlers}"))
        };
        reader.report(problem);
        return None;
    }
    let entry = catalog.handler(reader, service, handler, handler_place);
    if kind.keyed && key.is_empty() {
        reader.report(Diagnostic::new(whole, "the key is empty"));
        return None;
    }
    if !kind.keyed && first < last && !(any_key && key == "*") {
        reader.report(
            Diagnostic::new(place(first + 1..last), format!("{service} has no keys"))
                .help(format!("write `{service}/{handler}`")),
        );
        return None;
    }
    Some(Addressed {
        service: service.to_owned(),
        key: key.to_owned(),
        handler: handler.to_owned(),
        entry: entry?,
    })
}

/// What to write instead of a request's URL or path.
fn no_target(written: &str) -> Option<String> {
    let path = |text: &str| text.trim_start_matches('/').to_owned();
    if let Some((_, rest)) = written.split_once("://") {
        let (_, rest) = rest.split_once('/').unwrap_or(("", "Service/key/handler"));
        return Some(format!("write `{}`, without a host", path(rest)));
    }
    let (method, rest) = written.split_once(' ').unwrap_or(("", written));
    if !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase()) {
        let rest = path(rest);
        return Some(format!(
            "write `{rest}`; a request as it stands is `\"http\": \"{method} /{rest}\"`"
        ));
    }
    written
        .starts_with('/')
        .then(|| format!("write `{}`, without the slash before it", path(written)))
}

/// How to call the service that `written` looks like.
fn forms(written: &str, catalog: &Catalog) -> String {
    let names = catalog.services.keys().map(String::as_str);
    let Some((name, service)) = suggest::nearest(written, names.clone())
        .and_then(|name| catalog.services.get_key_value(name))
    else {
        return format!("write `Service/key/handler`; services: {}", suggest::list(names));
    };
    let key = if service.keyed { "/KEY" } else { "" };
    let handlers = suggest::list(service.handlers.keys().map(String::as_str));
    format!("write `{name}{key}/HANDLER`; handlers: {handlers}")
}
