//! Asks a real server: sends a case's steps at their times, and writes down what came of them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};

use crate::{
    deployments::Deployments,
    probe::recording::{Case, Reply, Seen, number_ids, number_seeds},
};

/// How long a client waits: one case waits for a minute.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long after the last step something may still move.
const AFTERMATH: Duration = Duration::from_secs(14);
/// The operators' steps, each named by the field that it has.
const OPERATORS: [&str; 5] = ["cancel", "kill", "pause", "resume", "purge"];

/// A message of the server without the address of an endpoint, which is another one each time.
fn without_address(text: &str) -> String {
    match text.split_once("http://127.0.0.1:") {
        Some((before, rest)) => {
            let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{before}http://endpoint{}", without_address(after))
        }
        None => text.to_owned(),
    }
}

/// When attempts started, by invocation id.
static STARTED: Mutex<BTreeMap<String, Vec<Instant>>> = Mutex::new(BTreeMap::new());

/// Notes that an attempt starts.
pub(crate) fn note_attempt(id: &str) {
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    started.entry(id.to_owned()).or_default().push(Instant::now());
}

/// A server, and what asks it.
pub(crate) struct Driver {
    ingress: String,
    admin: String,
    agent: ureq::Agent,
}

/// An HTTP answer.
struct Answer {
    status: u16,
    id: Option<String>,
    body: Value,
}

/// What is known while a case runs.
#[derive(Default)]
struct Progress {
    ids: BTreeMap<String, String>,
    replies: BTreeMap<String, Reply>,
    answers: BTreeMap<String, Reply>,
    /// Steps that are over.
    over: Vec<String>,
}

impl Driver {
    pub(crate) fn new(ingress: &str, admin: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(PATIENCE))
            .max_idle_connections_per_host(64)
            .build();
        Self { ingress: ingress.to_owned(), admin: admin.to_owned(), agent: config.into() }
    }

    /// Lets the server do everything once: it takes its time then.
    pub(crate) fn warm_up(&self) {
        let json = [("content-type".to_owned(), "application/json".to_owned())];
        for number in 0..20 {
            let url = format!("{}/Probe/warm-{number}/act", self.ingress);
            self.send("POST", &url, &json, r#"[{"run": 0}, {"sleep": 10}]"#);
        }
    }

    /// Runs a case, and gives it with what was seen.
    pub(crate) fn record(&self, case: &Case, deployments: Option<&Deployments>) -> Case {
        let progress = Mutex::new(Progress::default());
        let begun = Instant::now();
        thread::scope(|scope| {
            for step in &case.steps {
                let (progress, case) = (&progress, &case.case);
                scope.spawn(move || {
                    wait(step, begun, progress);
                    if deployments.is_none_or(|deployments| !deployments.step(step)) {
                        self.step(case, step, progress);
                    }
                    let name = text(step, "id").to_owned();
                    lock(progress).over.push(name);
                });
            }
        });
        self.wait_until_still(&case.case);
        let progress = progress.into_inner().unwrap_or_else(PoisonError::into_inner);
        let asked = |step: &&Value| {
            ["call", "send", "attach", "output", "raw"].iter().any(|f| step.get(f).is_some())
        };
        let requests = case.steps.iter().filter(asked).map(|step| text(step, "id").to_owned());
        let mut replies: BTreeMap<_, _> =
            requests.map(|id| (id.clone(), progress.replies.get(&id).cloned())).collect();
        number_seeds(&mut replies);
        Case {
            case: case.case.clone(),
            request_response: case.request_response,
            steps: case.steps.clone(),
            replies,
            answers: progress.answers,
            ids: number_ids(&progress.ids),
            invocations: self.invocations(&case.case),
            state: self.state(&case.case),
        }
    }

    fn step(&self, case: &str, step: &Value, progress: &Mutex<Progress>) {
        let name = text(step, "id").to_owned();
        if let Some(what) = OPERATORS.iter().find(|what| step.get(**what).is_some()) {
            let of = text(step, what);
            let Some(id) = self.id_of(case, of, progress) else { return };
            let answer =
                self.send("PATCH", &format!("{}/invocations/{id}/{what}", self.admin), &[], "");
            let mut reply = operators(answer);
            if let Reply::Failed { message, .. } = &mut reply {
                *message = message.replace(&id, "ID");
            }
            lock(progress).answers.insert(name, reply);
            return;
        }
        let answer = self.ask(case, step, progress);
        if let Some(answer) = answer {
            let reply = client_told(&answer);
            let mut progress = lock(progress);
            // a workflow's second run is refused, and has the id of the first
            let refused = matches!(&reply, Reply::Failed { code: 409, message } if message.contains("already invoked"));
            if let Some(id) = answer.id.filter(|_| !refused) {
                progress.ids.insert(name.clone(), id);
            }
            progress.replies.insert(name, reply);
        }
    }

    fn ask(&self, case: &str, step: &Value, progress: &Mutex<Progress>) -> Option<Answer> {
        let body = step.get("body").map(ToString::to_string).unwrap_or_default();
        let mut headers = Vec::new();
        if !body.is_empty() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        if let Some(key) = step.get("idempotency_key").and_then(Value::as_str) {
            headers.push(("idempotency-key".to_owned(), key.to_owned()));
        }
        let more = step.get("headers").and_then(Value::as_object).cloned().unwrap_or_default();
        headers.extend(more.iter().map(|(k, v)| (k.clone(), v.as_str().unwrap_or("").to_owned())));
        if let Some(raw) = step.get("raw") {
            let url = format!("{}{}", self.ingress, text(raw, "path"));
            let body = text(raw, "body");
            let headers =
                raw.get("headers").and_then(Value::as_object).cloned().unwrap_or_default();
            let headers: Vec<_> = headers
                .iter()
                .map(|(k, v)| (k.clone(), v.as_str().unwrap_or("").to_owned()))
                .collect();
            return self.send(text(raw, "method"), &url, &headers, body);
        }
        for (what, suffix) in [("call", ""), ("send", "/send")] {
            if let Some(target) = step.get(what).and_then(Value::as_str) {
                let delay = step.get("delay_ms").and_then(Value::as_u64);
                let delay = delay.map_or(String::new(), |ms| format!("?delay={ms}ms"));
                let url = format!("{}/{target}{suffix}{delay}", self.ingress);
                return self.send("POST", &url, &headers, &body);
            }
        }
        for what in ["attach", "output"] {
            if let Some(of) = step.get(what).and_then(Value::as_str) {
                let id = self.id_of(case, of, progress)?;
                let url = format!("{}/restate/invocation/{id}/{what}", self.ingress);
                return self.send("GET", &url, &[], "");
            }
        }
        let completes = step.get("resolve").or_else(|| step.get("reject"))?;
        let id = self.id_of(case, completes.as_str()?, progress)?;
        // the first awakeable of an invocation is its signal 17
        let awakeable = awakeable_id(&id, 17);
        let what = if step.get("resolve").is_some() { "resolve" } else { "reject" };
        let url = format!("{}/restate/awakeables/{awakeable}/{what}", self.ingress);
        let (headers, body) = match step.get("reason").and_then(Value::as_str) {
            Some(reason) => {
                (vec![("content-type".to_owned(), "text/plain".to_owned())], reason.to_owned())
            }
            None => (headers, body),
        };
        self.send("POST", &url, &headers, &body);
        None
    }

    /// The id of the invocation that a request started: as it was told, or as the server's tables say it.
    fn id_of(&self, case: &str, request: &str, progress: &Mutex<Progress>) -> Option<String> {
        if let Some(id) = lock(progress).ids.get(request) {
            return Some(id.clone());
        }
        // a request that was just sent may not be in the tables yet
        let begun = Instant::now();
        let mut rows = self.rows(case);
        while rows.is_empty() && begun.elapsed() < Duration::from_secs(2) {
            thread::sleep(Duration::from_millis(20));
            rows = self.rows(case);
        }
        let found = rows
            .iter()
            .find(|row| text_of(row, "idempotency_key").ends_with(&format!("-{request}")));
        let id = found.or_else(|| rows.first()).map(|row| text_of(row, "id").to_owned());
        if let Some(id) = &id {
            lock(progress).ids.insert(request.to_owned(), id.clone());
        }
        id
    }

    fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: &str,
    ) -> Option<Answer> {
        let mut request = http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = if body.is_empty() {
            self.agent.run(request.body(()).expect("a request"))
        } else {
            self.agent.run(request.body(body.to_owned()).expect("a request"))
        };
        let mut answer = answer.ok()?;
        let id =
            answer.headers().get("x-restate-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let text = answer.body_mut().read_to_string().ok()?;
        let body: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        let id = id.or_else(|| body.get("invocationId").and_then(Value::as_str).map(str::to_owned));
        Some(Answer { status: answer.status().as_u16(), id, body })
    }

    fn query(&self, sql: &str) -> Vec<Map<String, Value>> {
        let headers = [("content-type", "application/json"), ("accept", "application/json")]
            .map(|(a, b)| (a.to_owned(), b.to_owned()));
        let body = json!({ "query": sql }).to_string();
        let answer = self.send("POST", &format!("{}/query", self.admin), &headers, &body);
        let rows = answer.and_then(|a| a.body.get("rows").and_then(Value::as_array).cloned());
        rows.unwrap_or_default().into_iter().filter_map(|row| row.as_object().cloned()).collect()
    }

    fn rows(&self, case: &str) -> Vec<Map<String, Value>> {
        self.query(&format!(
            "select id, target_service_key, status, completion_failure, idempotency_key, created_at, retry_count, \
             journal_size from sys_invocation where target_service_key = '{case}' or \
             starts_with(target_service_key, '{case}-') order by created_at, id"
        ))
    }

    fn wait_until_still(&self, case: &str) {
        let begun = Instant::now();
        let mut last = Vec::new();
        loop {
            let rows = self.rows(case);
            let still = |row: &Map<String, Value>| {
                ["completed", "paused"].contains(&text_of(row, "status"))
            };
            if (rows.iter().all(still) && rows == last) || begun.elapsed() > AFTERMATH {
                return;
            }
            last = rows;
            thread::sleep(Duration::from_millis(300));
        }
    }

    fn invocations(&self, case: &str) -> Vec<Seen> {
        let started = STARTED.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let seen = |row: Map<String, Value>| {
            let id = text_of(&row, "id");
            let sql = format!(
                "select index, entry_type, name from sys_journal where id = '{id}' order by index"
            );
            let entries: Vec<String> = self.query(&sql).iter().map(entry).collect();
            let gaps = started.get(id).map(|times| {
                let gaps = times.windows(2).map(|two| two[1].duration_since(two[0]).as_millis());
                gaps.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX)).collect()
            });
            Seen {
                key: text_of(&row, "target_service_key").to_owned(),
                status: text_of(&row, "status").to_owned(),
                failure: row.get("completion_failure").and_then(Value::as_str).map(without_address),
                journal: entries.join(" "),
                gaps_ms: gaps,
            }
        };
        let mut all: Vec<Seen> = self.rows(case).into_iter().map(seen).collect();
        all.sort_by(|a, b| a.key.cmp(&b.key));
        all
    }

    fn state(&self, case: &str) -> BTreeMap<String, u64> {
        let rows = self.query(&format!(
            "select service_key, value_utf8 from state where key = 'x' and (service_key = '{case}' or \
             starts_with(service_key, '{case}-'))"
        ));
        let value = |row: &Map<String, Value>| text_of(row, "value_utf8").parse().ok();
        rows.iter()
            .filter_map(|row| Some((text_of(row, "service_key").to_owned(), value(row)?)))
            .collect()
    }
}

/// Waits until a step is due.
fn wait(step: &Value, begun: Instant, progress: &Mutex<Progress>) {
    if let Some(after) = step.get("after").and_then(Value::as_str) {
        while !lock(progress).over.iter().any(|name| name == after) {
            thread::sleep(Duration::from_millis(3));
        }
    }
    let at_ms = step.get("at_ms").and_then(Value::as_u64).unwrap_or(0);
    // after another step, the time counts from that one's end
    let from = if step.get("after").is_some() { Instant::now() } else { begun };
    thread::sleep((from + Duration::from_millis(at_ms)).saturating_duration_since(Instant::now()));
}

fn lock(progress: &Mutex<Progress>) -> std::sync::MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn text_of<'r>(row: &'r Map<String, Value>, field: &str) -> &'r str {
    row.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// `Run:work`, `~Signal`.
fn entry(row: &Map<String, Value>) -> String {
    let kind = text_of(row, "entry_type");
    let kind = kind.replace("Command: ", "").replace("Notification: ", "~");
    match kind.as_str() {
        "Run" => format!("Run:{}", text_of(row, "name")),
        _ => kind,
    }
}

fn message(body: &Value) -> String {
    let told = body.get("message").and_then(Value::as_str).or_else(|| body.as_str());
    told.map_or_else(|| body.to_string(), str::to_owned)
}

fn client_told(answer: &Answer) -> Reply {
    if answer.status < 300 {
        let mut body = answer.body.clone();
        if let Some(fields) = body.as_object_mut() {
            // the invocation's id and time are its own
            fields.remove("invocationId");
            fields.remove("executionTime");
        }
        return Reply::Ok { ok: body };
    }
    Reply::Failed { code: answer.status.into(), message: without_address(&message(&answer.body)) }
}

fn operators(answer: Option<Answer>) -> Reply {
    let Some(answer) = answer else {
        return Reply::Failed { code: 0, message: "no answer".to_owned() };
    };
    Reply::Failed {
        code: answer.status.into(),
        message: match answer.body.as_str() {
            Some(text) => text.to_owned(),
            None => message(&answer.body),
        },
    }
}

/// The id of an awakeable: the bytes of its invocation's id and the number of its signal.
fn awakeable_id(invocation: &str, signal: u32) -> String {
    let raw = decode_base62(invocation.trim_start_matches("inv_1"));
    let bytes: Vec<u8> = raw.into_iter().chain(signal.to_be_bytes()).collect();
    format!("sign_1{}", base64url(&bytes))
}

/// The bytes of an invocation's id as the server writes it: a partition key in 11 digits, a number in 22.
fn decode_base62(text: &str) -> Vec<u8> {
    let digits = text.as_bytes();
    let value = |digits: &[u8]| {
        digits.iter().fold(0_u128, |sum, digit| {
            let digit = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'z' => digit - b'a' + 10,
                b'A'..=b'Z' => digit - b'A' + 36,
                _ => 0,
            };
            sum.wrapping_mul(62).wrapping_add(digit.into())
        })
    };
    let (key, number) = digits.split_at(11.min(digits.len()));
    let key = u64::try_from(value(key)).unwrap_or(u64::MAX);
    key.to_le_bytes().into_iter().chain(value(number).to_le_bytes()).collect()
}

fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let all = chunk.iter().fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte));
        let all = all << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let digit = (all >> (18 - 6 * place)) & 63;
            text.push(char::from(DIGITS[digit as usize]));
        }
    }
    text
}
