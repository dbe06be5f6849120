//! Methods, paths, content types and bodies: what the ingress answered is answered here.

use serde::Deserialize;

use super::*;

const RECORDED: &str = include_str!("../../../tests/recordings/server-1.7.12-ingress.json");

/// The services that were asked, as far as the ingress looks at them.
const ASKED: &str = r#"{"protocolMode": "BIDI_STREAM", "minProtocolVersion": 5, "maxProtocolVersion": 6, "services": [
  {"name": "Probe", "ty": "VIRTUAL_OBJECT", "handlers": [
    {"name": "act", "ty": "EXCLUSIVE", "input": {"required": true, "contentType": "application/json"}},
    {"name": "look", "ty": "SHARED", "input": {}}]},
  {"name": "Plain", "ty": "SERVICE", "handlers": [
    {"name": "greet", "input": {"required": true, "contentType": "application/json"}}]},
  {"name": "Flow", "ty": "WORKFLOW", "handlers": [
    {"name": "run", "ty": "WORKFLOW", "input": {"required": true, "contentType": "application/json"}},
    {"name": "act", "ty": "SHARED", "input": {"required": true, "contentType": "application/json"}}]}]}"#;

/// What the handler answered, and not the ingress.
const HANDLERS: [&str; 1] = ["not_json"];
/// A server's ids have a length; the engine's are its own.
const IDS: [&str; 1] = ["output_bad_id"];
/// A way to tell queues apart that the server does not offer either, unless it is set up so.
const SCOPES: [&str; 1] = ["restate_scope"];

#[derive(Deserialize)]
struct Case {
    case: String,
    steps: [Step; 1],
    replies: Replies,
}

#[derive(Deserialize)]
struct Step {
    raw: Raw,
}

#[derive(Deserialize)]
struct Raw {
    method: String,
    path: String,
    headers: std::collections::BTreeMap<String, String>,
    body: String,
}

#[derive(Deserialize)]
struct Replies {
    a: Reply,
}

#[derive(Deserialize)]
struct Reply {
    code: Option<u32>,
    message: Option<String>,
}

#[test]
fn the_ingress_answers_what_the_server_answered() {
    let cases: Vec<Case> = serde_json::from_str(RECORDED).unwrap();
    assert!(cases.len() > 100);
    let catalog = Catalog::from_manifest(ASKED.as_bytes()).unwrap();
    let mut b = Bench::new();
    b.engine = Engine::new(Config::default(), Arc::new(catalog));
    let mut wrong = String::new();
    for (number, Case { case, steps: [Step { raw }], replies }) in (1..).zip(cases) {
        if HANDLERS.iter().chain(&IDS).chain(&SCOPES).any(|known| *known == case) {
            continue;
        }
        b.engine.http(
            b.now,
            HttpRequest {
                ticket: Ticket(number),
                request: case.as_str().into(),
                method: raw.method.clone(),
                path: raw.path,
                headers: raw.headers.into_iter().collect(),
                body: Bytes::from(raw.body),
            },
        );
        b.drain();
        let seen = match b.reply(number) {
            Some(Outcome::Failure { code, message }) => Some((*code, message.clone())),
            _ => None,
        };
        let mut server = replies.a.code.zip(replies.a.message);
        if let Some((_, message)) = &mut server {
            if raw.method == "HEAD" {
                *message = "method not allowed".to_owned();
            }
            // how a duration is wrong is told by the server's library
            if let Some(at) = message.find("duration: ") {
                message.truncate(at);
            }
        }
        let seen = seen.map(|(code, mut message)| {
            if let Some(at) = message.find("duration: ") {
                message.truncate(at);
            }
            (code, message)
        });
        if seen != server {
            wrong.push_str(&format!("{case}\n  engine {seen:?}\n  server {server:?}\n"));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn a_refused_request_leaves_no_trace() {
    let mut b = Bench::new();
    let catalog = Catalog::from_manifest(ASKED.as_bytes()).unwrap();
    b.engine = Engine::new(Config::default(), Arc::new(catalog));
    let ticket = b.request("Probe/k/act", None);
    let words = "input validation error: Empty content-type";
    assert_eq!(b.reply(ticket), Some(&failed(400, words)));
    assert!(b.events.is_empty());
}

#[test]
fn an_optional_body_may_be_missing_and_wildcards_match() {
    let accepts = Accepts::Body { content_type: "text/*".into(), needed: false };
    assert!(accepts.check(None, false).is_ok());
    assert!(accepts.check(Some("text/csv; header=present"), true).is_ok());
    assert!(accepts.check(Some("application/json"), true).is_err());
    let any = Accepts::Body { content_type: "*/*".into(), needed: true };
    assert!(any.check(Some("image/png"), true).is_ok());
}
