//! The ingress as clients see it: methods and paths.
//!
//! Must not know: what invocations do.

use std::time::Duration;

use bytes::Bytes;

use super::{
    Attachable, Engine, IngressRequest, Mode, Output, ServiceKind, Ticket, refusal::CannotResolve,
};
use crate::{
    base::{Name, Target, VirtualTime},
    history::{Outcome, Payload},
};

/// An HTTP request to the ingress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// Where the reply goes.
    pub ticket: Ticket,
    /// The request's name, for the history.
    pub request: Name,
    /// `POST`, `GET`.
    pub method: String,
    /// The path, with its query: `/Counter/k/add/send?delay=1s`.
    pub path: String,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// A code, and a text in the server's words.
type Refused = (u32, String);

/// What a path asks for.
enum Route {
    /// A handler, and whether the client waits only until the request is accepted.
    Handler { target: Target, send: bool },
    /// The outcome of an invocation, at once or when there is one.
    Outcome { of: Attachable, waits: bool },
    /// The completion of an awakeable.
    Awakeable { id: String, resolve: bool },
    /// Whether the server is there.
    Health,
}

impl Engine {
    /// A client's HTTP request arrives: what [`Engine::ingress`] and [`Engine::attach`] are given is read from it.
    pub fn http(&mut self, now: VirtualTime, http: HttpRequest) {
        let ticket = http.ticket;
        if let Err((code, message)) = self.follow(now, http) {
            self.output(Output::Reply { ticket, outcome: Outcome::Failure { code, message } });
        }
    }

    fn follow(&mut self, now: VirtualTime, http: HttpRequest) -> Result<(), Refused> {
        let HttpRequest { ticket, request, method, path, headers, body } = http;
        if method == "OPTIONS" {
            self.answer(ticket, Payload::default());
            return Ok(());
        }
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let route = self.route(path)?;
        let reads = method == "GET";
        let allowed = match &route {
            Route::Handler { target, .. } => {
                self.resolve(target).map_err(refused)?;
                reads || method == "POST"
            }
            Route::Outcome { .. } | Route::Health => reads,
            Route::Awakeable { .. } => method == "POST",
        };
        if !allowed {
            return Err((405, "method not allowed".to_owned()));
        }
        match route {
            Route::Handler { target, send } => {
                let key =
                    headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("idempotency-key"));
                let idempotency_key = key.map(|(_, key)| Name::from(key.as_str()));
                let mode = Mode::Call;
                let mut asked = IngressRequest {
                    ticket,
                    request,
                    target,
                    idempotency_key,
                    headers,
                    body,
                    mode,
                };
                self.admissible(&asked, true).map_err(refused)?;
                asked.mode = match (send, delay(query)?) {
                    (true, delay) => Mode::Send { due: delay.map(|delay| now.after(delay)) },
                    (false, None) => Mode::Call,
                    (false, Some(_)) => return Err((400, DELAYED_CALL.to_owned())),
                };
                self.enter(now, asked, true);
            }
            Route::Outcome { of, waits: true } => self.attach(now, ticket, request, &of),
            Route::Outcome { of, waits: false } => self.output_of(now, ticket, &of),
            Route::Awakeable { id, resolve } => {
                let outcome = match resolve {
                    true => Outcome::Success(Payload(body)),
                    false => {
                        let message = String::from_utf8_lossy(&body).into_owned();
                        Outcome::Failure { code: 500, message }
                    }
                };
                if !self.complete_awakeable_by_id(now, &id, outcome) {
                    return Err((400, format!("bad awakeable id '{id}': bad format")));
                }
                self.answer(ticket, Payload::default());
            }
            Route::Health => self.answer(ticket, Payload::default()),
        }
        Ok(())
    }

    fn answer(&mut self, ticket: Ticket, body: Payload) {
        self.output(Output::Reply { ticket, outcome: Outcome::Success(body) });
    }

    fn route(&self, path: &str) -> Result<Route, Refused> {
        let bare = path.trim_start_matches('/');
        let parts: Vec<&str> = bare.strip_suffix('/').unwrap_or(bare).split('/').collect();
        match parts[..] {
            [_] => Err((400, format!("bad path: {path}"))),
            ["restate", "call", ref rest @ ..] => self.handler(rest, false),
            ["restate", "send", ref rest @ ..] => self.handler(rest, true),
            ["restate", ref rest @ ..] => self.built_in(rest),
            [ref rest @ .., "send"] if rest.len() > 1 => self.handler(rest, true),
            ref rest => self.handler(rest, false),
        }
    }

    /// `Service/handler`, `Object/key/handler`.
    fn handler(&self, parts: &[&str], send: bool) -> Result<Route, Refused> {
        let name = parts.first().copied().unwrap_or_default();
        let Some(service) = self.catalog.service(name) else { return Err(no_service(name)) };
        let (key, handler) = match (service.kind, parts) {
            (ServiceKind::Service, [_, handler]) => (String::new(), handler),
            (ServiceKind::VirtualObject | ServiceKind::Workflow, [_, key, handler]) => {
                (decoded(key)?, handler)
            }
            _ => return Err((400, BAD_PATH.to_owned())),
        };
        Ok(Route::Handler { target: Target::new(name, &key, handler), send })
    }

    /// What follows `/restate`.
    fn built_in(&self, parts: &[&str]) -> Result<Route, Refused> {
        let nothing = || Err((404, "not found".to_owned()));
        let waits = match parts.last() {
            Some(&"attach") => Some(true),
            Some(&"output") => Some(false),
            _ => None,
        };
        match (parts, waits) {
            (["health"], _) => Ok(Route::Health),
            (["awakeables", id, what @ ("resolve" | "reject")], _) => {
                Ok(Route::Awakeable { id: (*id).to_owned(), resolve: *what == "resolve" })
            }
            (["invocation", id, _], Some(waits)) => {
                if !id.starts_with("inv_") {
                    return Err((400, format!("bad invocation id '{id}': bad format")));
                }
                Ok(Route::Outcome { of: Attachable::Invocation((*id).into()), waits })
            }
            (["invocation", service, rest @ .., key, _], Some(waits)) => {
                let kind = self.catalog.service(service).ok_or_else(|| no_service(service))?.kind;
                let (object, handler) = match (kind, rest) {
                    (ServiceKind::Service, [handler]) => (String::new(), handler),
                    (ServiceKind::VirtualObject | ServiceKind::Workflow, [object, handler]) => {
                        (decoded(object)?, handler)
                    }
                    _ => return Err((400, BAD_INVOCATION_PATH.to_owned())),
                };
                let target = Target::new(service, &object, handler);
                Ok(Route::Outcome { of: Attachable::Keyed(target, (*key).into()), waits })
            }
            (["workflow", name, key, _], Some(waits)) => {
                let of = Attachable::Workflow((*name).into(), decoded(key)?.into());
                Ok(Route::Outcome { of, waits })
            }
            (["workflow", ..], Some(_)) => Err((400, BAD_WORKFLOW_PATH.to_owned())),
            _ => nothing(),
        }
    }
}

const BAD_PATH: &str =
    "bad path, expected either /:service-name/:handler or /:object-name/:object-key/:handler";
const BAD_INVOCATION_PATH: &str = "bad path, expected either /restate/invocation/:invocation_id/output or \
     /restate/invocation/:invocation_id/attach or \
     /restate/invocation/:invocation_target/:idempotency_key/output or \
     /restate/invocation/:invocation_target/:idempotency_key/attach";
const BAD_WORKFLOW_PATH: &str = "bad path, expected either \
     /restate/workflow/:workflow_name/:workflow_key/output or \
     /restate/workflow/:workflow_name/:workflow_key/attach";
const DELAYED_CALL: &str =
    "cannot use the delay query parameter with calls. The delay is supported only with sends";

fn no_service(service: &str) -> Refused {
    refused(CannotResolve::NoService { service: service.into() })
}

fn refused(why: CannotResolve) -> Refused {
    (why.code(), why.to_string())
}

/// A key without its percent signs. One that two hexadecimal digits do not follow stands for itself.
fn decoded(key: &str) -> Result<String, Refused> {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let digits = digits.filter(|two| two.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match (byte, digits.and_then(|two| u8::from_str_radix(two, 16).ok())) {
            (b'%', Some(meant)) => {
                bytes.push(meant);
                rest = &after[2..];
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes)
        .map_err(|error| (400, format!("bad path, cannot decode key: {error:?}")))
}

/// The delay that a query asks for: `delay=500ms`, `delay=PT1S`. Anything else in it is ignored.
fn delay(query: &str) -> Result<Option<Duration>, Refused> {
    let Some(text) = query.split('&').find_map(|pair| pair.strip_prefix("delay=")) else {
        return Ok(None);
    };
    let wrong = || {
        (400, format!("bad delay query parameter, must be a ISO8601 duration: '{text}' is none"))
    };
    let plain = text.strip_prefix("PT").map(str::to_ascii_lowercase);
    let plain = plain.as_deref().unwrap_or(text);
    let unit = plain.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = plain.split_at(unit);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    Ok(Some(Duration::from_millis(number.saturating_mul(ms))))
}
