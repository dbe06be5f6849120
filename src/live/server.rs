//! A real Restate server's ingress and admin API.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value, json};

use super::{
    LiveError,
    clock::{Clock, pause},
};
use crate::base::Target;

/// How long a question to the admin API may take.
const ADMIN_PATIENCE: Duration = Duration::from_secs(15);

/// How long a run may take to say which one it is.
const KNOCK: Duration = Duration::from_secs(2);

/// Where a run says which one it is.
pub(super) const RUN_PATH: &str = "/onceproof/run";

/// How long to wait before a question is asked again that the server could not answer.
const AGAIN: Duration = Duration::from_millis(100);

/// Where a real Restate server is.
#[derive(Clone, Debug)]
pub struct Server {
    ingress: String,
    admin: String,
    agent: ureq::Agent,
}

/// The ingress's answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// The invocation's id, if the server named it.
    pub invocation: Option<String>,
}

/// A deployment that the server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deployed {
    pub(super) id: String,
    /// Where it is; empty for one that is not on the web.
    pub(super) uri: String,
    pub(super) services: Vec<String>,
    /// The run that registered it, if one did.
    pub(super) owner: Option<Owner>,
}

/// A run that has services on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) run: String,
    /// Where it says that it is alive.
    pub(super) answers: String,
}

/// The key of a deployment's metadata that names the run that registered it.
const RUN: &str = "onceproof.run";
/// The key that says where that run says that it is alive.
const ANSWERS: &str = "onceproof.answers";

/// A row of an answer to a query.
pub(super) type Row = Map<String, Value>;

impl Server {
    /// The server with these addresses: `http://127.0.0.1:8080`, `http://127.0.0.1:9070`.
    #[must_use]
    pub fn new(ingress: &str, admin: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(ADMIN_PATIENCE))
            .max_idle_connections_per_host(64)
            .build();
        let whole = |url: &str| {
            let url = url.trim_end_matches('/');
            if url.contains("://") { url.to_owned() } else { format!("http://{url}") }
        };
        Self { ingress: whole(ingress), admin: whole(admin), agent: config.into() }
    }

    /// Checks that both addresses are a Restate server's.
    ///
    /// # Errors
    /// Names the one that does not answer.
    pub fn check(&self) -> Result<(), LiveError> {
        let health = [
            ("ingress", &self.ingress, format!("{}/restate/health", self.ingress)),
            ("admin", &self.admin, format!("{}/health", self.admin)),
        ];
        for (what, url, path) in health {
            let gone = |problem| LiveError::Gone { what, url: url.clone(), problem };
            let answer = self.agent.get(&path).call().map_err(|e| gone(e.to_string()))?;
            if !answer.status().is_success() {
                return Err(gone(format!("its health is {}", answer.status())));
            }
        }
        Ok(())
    }

    /// Registers the services at `uri`; answers with the deployment's id. What is deployed there already, and differs,
    /// is not replaced.
    ///
    /// # Errors
    /// If the server is gone, or does not want them.
    pub fn register(&self, uri: &str) -> Result<String, LiveError> {
        // the server's own default is to replace
        self.register_as(uri, &json!({ "uri": uri, "force": false }))
    }

    /// Registers services of a run at `uri`; the deployment says whose it is. With `breaking` they may be of other types
    /// than those that the server knows.
    pub(super) fn register_run(
        &self,
        uri: &str,
        owner: &Owner,
        breaking: bool,
    ) -> Result<String, LiveError> {
        let metadata = json!({ RUN: owner.run, ANSWERS: owner.answers });
        let body =
            json!({ "uri": uri, "force": false, "breaking": breaking, "metadata": metadata });
        self.register_as(uri, &body)
    }

    fn register_as(&self, uri: &str, body: &Value) -> Result<String, LiveError> {
        let (status, answer) = self.admin("POST", "/deployments", Some(body))?;
        match answer.get("id").and_then(Value::as_str) {
            Some(id) if status < 300 => Ok(id.to_owned()),
            _ => {
                let said = answer.get("message").and_then(Value::as_str).map(str::to_owned);
                let problem = said.unwrap_or_else(|| format!("status {status}: {answer}"));
                Err(LiveError::Refused { uri: uri.to_owned(), problem })
            }
        }
    }

    /// Every deployment that the server knows.
    pub(super) fn deployments(&self) -> Result<Vec<Deployed>, LiveError> {
        let (status, answer) = self.admin("GET", "/deployments", None)?;
        let Some(Value::Array(all)) = answer.get("deployments") else {
            let answer = format!("status {status}: {answer}");
            return Err(LiveError::Unexpected { asked: "/deployments".to_owned(), answer });
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let deployed = |one: &Value| Deployed {
            id: text(&one["id"]),
            uri: text(&one["uri"]),
            services: match &one["services"] {
                Value::Array(all) => all.iter().map(|service| text(&service["name"])).collect(),
                _ => Vec::new(),
            },
            owner: one["metadata"][RUN].as_str().map(|run| Owner {
                run: run.to_owned(),
                // runs of older versions say it where their services are
                answers: text(one["metadata"].get(ANSWERS).unwrap_or(&one["uri"])),
            }),
        };
        Ok(all.iter().map(deployed).collect())
    }

    /// The run that is alive at `uri`, as it says itself; none if nobody there knows of one.
    ///
    /// # Errors
    /// If something is there and does not answer: it may be busy.
    pub(super) fn run_at(&self, uri: &str) -> Result<Option<String>, String> {
        let url = format!("{}{RUN_PATH}", uri.trim_end_matches('/'));
        let request = self.agent.get(&url).config().timeout_global(Some(KNOCK)).build();
        match request.call() {
            Ok(mut answer) if answer.status().is_success() => {
                Ok(answer.body_mut().read_to_string().ok())
            }
            Err(error @ ureq::Error::Timeout(_)) => Err(error.to_string()),
            Ok(_) | Err(_) => Ok(None),
        }
    }

    /// Removes a deployment, so that nothing is sent to it any more. Its services are again what they were before it
    /// was registered.
    ///
    /// # Errors
    /// If the server is gone.
    pub fn forget(&self, deployment: &str) -> Result<(), LiveError> {
        // without `force` a server 1.7.12 answers 501
        self.admin("DELETE", &format!("/deployments/{deployment}?force=true"), None).map(drop)
    }

    /// Sends `body` to `path` (`Service/key/handler`) and waits for the answer.
    ///
    /// # Errors
    /// If no answer comes within `patience`.
    pub fn call(
        &self,
        path: &str,
        headers: &[(String, String)],
        body: &[u8],
        patience: Duration,
    ) -> Result<Answer, LiveError> {
        self.ask("POST", path, headers, body, patience)
    }

    /// Sends a request to the ingress, whatever it thinks of its method and path, and waits for the answer.
    pub(super) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: &[u8],
        patience: Duration,
    ) -> Result<Answer, LiveError> {
        let url = format!("{}/{}", self.ingress, path.trim_start_matches('/'));
        let with_body = match method {
            "POST" => Ok(self.agent.post(&url)),
            "PUT" => Ok(self.agent.put(&url)),
            "PATCH" => Ok(self.agent.patch(&url)),
            "DELETE" => Err(self.agent.delete(&url)),
            "HEAD" => Err(self.agent.head(&url)),
            "OPTIONS" => Err(self.agent.options(&url)),
            _ => Err(self.agent.get(&url)),
        };
        // a server is to see wrong requests as they are: also a body where there is none by the books
        let with_body = match (with_body, body.is_empty()) {
            (Ok(request), _) => Ok(request),
            (Err(request), false) => Ok(request.force_send_body()),
            (Err(request), true) => Err(request),
        };
        let sent = match with_body {
            Ok(mut request) => {
                for (name, value) in headers {
                    request = request.header(name, value);
                }
                let request = request.config().timeout_global(Some(patience)).build();
                if body.is_empty() { request.send_empty() } else { request.send(body) }
            }
            Err(mut request) => {
                for (name, value) in headers {
                    request = request.header(name, value);
                }
                request.config().timeout_global(Some(patience)).build().call()
            }
        };
        let mut answer = sent.map_err(|error| self.failed("ingress", path, patience, &error))?;
        let invocation = answer.headers().get("x-restate-id");
        let invocation = invocation.and_then(|id| id.to_str().ok()).map(str::to_owned);
        let status = answer.status().as_u16();
        let body = answer.body_mut().read_to_vec();
        let body = body.map_err(|error| self.failed("ingress", path, patience, &error))?;
        Ok(Answer { status, body, invocation })
    }

    /// Does what an operator does to an invocation: `cancel`, `kill`, `pause`, `resume`, `purge`. Answers with the HTTP
    /// status, and why it was refused, if it was.
    ///
    /// # Errors
    /// If the server is gone.
    pub fn operate(&self, deed: &str, invocation: &str) -> Result<(u16, String), LiveError> {
        let path = format!("/invocations/{}/{deed}", in_path(invocation));
        let (status, mut answer) = self.admin("PATCH", &path, None)?;
        let why = match answer.get_mut("message").map(Value::take) {
            Some(Value::String(message)) if status >= 300 => message,
            _ => String::new(),
        };
        Ok((status, why))
    }

    /// Gives an object this state, by names, and no other.
    ///
    /// # Errors
    /// If the server is gone, or knows no such service.
    pub fn set_state(
        &self,
        service: &str,
        key: &str,
        state: &BTreeMap<String, Vec<u8>>,
    ) -> Result<(), LiveError> {
        let body = json!({ "object_key": key, "new_state": state });
        let path = format!("/services/{service}/state");
        let (status, answer) = self.admin("POST", &path, Some(&body))?;
        if status < 300 {
            return Ok(());
        }
        Err(LiveError::Unexpected { asked: path, answer: format!("status {status}: {answer}") })
    }

    /// Asks the server's tables.
    ///
    /// # Errors
    /// If the server is gone, or does not understand `sql`.
    pub(super) fn query(&self, sql: &str) -> Result<Vec<Row>, LiveError> {
        let ask = || self.admin("POST", "/query", Some(&json!({ "query": sql })));
        let (mut status, mut answer) = ask()?;
        // a server that has just started is healthy before it knows where its partitions are
        let since = Clock::start();
        while status >= 500 && since.elapsed() < ADMIN_PATIENCE {
            pause(AGAIN);
            (status, answer) = ask()?;
        }
        match answer.get_mut("rows").map(Value::take) {
            Some(Value::Array(rows)) => Ok(rows
                .into_iter()
                .filter_map(|row| if let Value::Object(row) = row { Some(row) } else { None })
                .collect()),
            _ => Err(LiveError::Unexpected {
                asked: sql.to_owned(),
                answer: format!("status {status}: {answer}"),
            }),
        }
    }

    fn admin(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value), LiveError> {
        let url = format!("{}{path}", self.admin);
        let text = body.map(ToString::to_string).unwrap_or_default();
        let sent = match method {
            "DELETE" => self.agent.delete(&url).call(),
            "GET" => self.agent.get(&url).call(),
            "PATCH" => self.agent.patch(&url).send_empty(),
            _ => {
                let request = self.agent.post(&url).header("accept", "application/json");
                request.header("content-type", "application/json").send(&text)
            }
        };
        let failed = |error: &ureq::Error| self.failed("admin", path, ADMIN_PATIENCE, error);
        let mut answer = sent.map_err(|error| failed(&error))?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(1 << 30).read_to_vec();
        let body = body.map_err(|error| failed(&error))?;
        let text = String::from_utf8_lossy(&body).into_owned();
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    fn failed(
        &self,
        what: &'static str,
        asked: &str,
        waited: Duration,
        error: &ureq::Error,
    ) -> LiveError {
        match error {
            ureq::Error::Timeout(_) => {
                LiveError::Timeout { what: format!("the {what}'s answer to {asked}"), waited }
            }
            error => {
                let url = if what == "admin" { &self.admin } else { &self.ingress };
                LiveError::Gone { what, url: url.clone(), problem: error.to_string() }
            }
        }
    }
}

/// A name as it stands in a path or in a query's literal.
pub(super) fn in_path(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let encode = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    name.bytes().map(encode).collect()
}

/// Where a handler is on the ingress.
pub(super) fn path(target: &Target) -> String {
    let Target { service, key, handler } = target;
    if key.is_empty() {
        format!("{service}/{handler}")
    } else {
        format!("{service}/{}/{handler}", in_path(key))
    }
}

/// Text as a literal of a query.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_travel_in_paths_and_queries() {
        let target = Target::new("Rooms", "room 1/a?b=ü", "book");
        assert_eq!(path(&target), "Rooms/room%201%2Fa%3Fb%3D%C3%BC/book");
        assert_eq!(path(&Target::new("Hotels", "", "list")), "Hotels/list");
        assert_eq!(quoted("o'neil"), "'o''neil'");
    }

    #[test]
    fn a_server_that_is_not_there_is_named() {
        // port 1 is reserved, and nothing listens there
        let server = Server::new("127.0.0.1:1", "http://127.0.0.1:1/");
        let error = server.check().expect_err("nothing is there");
        assert!(error.is_about_the_server());
        let text = error.to_string();
        assert!(text.starts_with("no Restate server answers at http://127.0.0.1:1 ("), "{text}");
        assert!(text.ends_with("--ingress"), "{text}");
    }
}
