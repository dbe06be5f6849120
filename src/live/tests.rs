//! Services on a port, asked over HTTP/2 as a Restate server asks them, that book rooms in a hotel.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use bytes::BytesMut;
use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    HostOptions, Hosted, LiveError, Server, WorldOptions,
    clock::{Clock, pause},
    deliveries::Deliveries,
    hosted::watch,
    log::{Log, Rows},
    mark::Mark,
    names::Names,
    serve,
    world::Systems,
};
use crate::{
    choice::Rate,
    history::{CallFate, Effect, Event, Outcome, Within},
    protocol::{Decoder, Frame, MessageType, messages},
    scenario::plan::{Millis, Plan, SystemPlan},
    sim::Deployment,
    subject::Subject,
    system::{
        Connection, Context as Cx, Delivery, Hub, Rejected, Schedule, Sending, System, SystemSpec,
    },
};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    Book { room: String, key: String },
    Look(()),
}

#[derive(Debug, Serialize)]
struct Booked {
    room: String,
}

impl Effect for Booked {
    const KIND: &'static str = "booked";
}

/// It gives bookings numbers, and half of them a view.
#[derive(Default)]
struct Hotel {
    booked: u32,
}

impl System for Hotel {
    const NAME: &'static str = "hotel";
    const RETRIES: Schedule = Schedule(&[10, 10]);
    type Config = ();
    type Request = Request;
    type Response = String;

    fn new(_: &()) -> Self {
        Self::default()
    }

    fn handle(&mut self, request: &Request, cx: &mut Cx<'_>) -> Result<String, Rejected> {
        let Request::Book { room, key } = request else { return Ok(String::new()) };
        if room == "0" {
            return Err(Rejected::new("there is no room 0"));
        }
        cx.once(key.as_str(), request, |cx| {
            self.booked += 1;
            cx.effect(Booked { room: room.clone() });
            let half = Rate::from_ppm(500_000);
            let view = cx.chance("view", half) as u32 + cx.between("floor", 1, 1_000) as u32;
            let at = cx.unix_ms();
            let by = cx.caller().map(|caller| caller.label.to_string());
            Ok(format!("{} {view} {} {at} {by:?}", self.booked, cx.chance_of("sea", room, half)))
        })
    }

    fn sending(&mut self, _: &Delivery, cx: &mut Sending<'_>) {
        cx.copy("forged", 0, vec![("x-signature".to_owned(), "none".to_owned())]);
    }

    fn headers(&self, delivery: &Delivery, _: u64) -> Vec<(String, String)> {
        let signature = String::from_utf8_lossy(&delivery.body).replace('"', "'");
        vec![("x-signature".to_owned(), signature)]
    }
}

struct Bookings(Connection<Hotel>);

#[object]
impl Bookings {
    /// Books the room of its key, and has a task look at the hotel.
    #[handler]
    async fn book(
        &self,
        ctx: ObjectContext<'_>,
        Json(key): Json<String>,
    ) -> HandlerResult<Json<String>> {
        let answer = self.0.call(Request::Book { room: ctx.key().to_owned(), key }).await;
        let hotel = self.0.clone();
        #[expect(clippy::disallowed_methods, reason = "its call belongs to no attempt")]
        drop(tokio::spawn(async move { hotel.call(Request::Look(())).await.map(drop) }));
        Ok(Json(answer.unwrap_or_else(|error| error.to_string())))
    }
}

fn deployment() -> Deployment {
    let subject = Subject::new(|world| {
        let bookings = Bookings(world.connect::<Hotel>());
        crate::endpoint!(Endpoint::builder().bind(bookings).build())
    });
    subject.system::<Hotel>().deployment(&Default::default()).expect("it answers discovery")
}

/// One HTTP/2 exchange: what came back. The request's stream ends once the handler has ended.
fn exchange(hosted: &Hosted, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", hosted.port())).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket has one");
    let frame = |ty: u8, flags: u8, id: u8, payload: &[u8]| {
        let length = u32::try_from(payload.len()).expect("it is short").to_be_bytes();
        [&length[1..], &[ty, flags, 0, 0, 0, id], payload].concat()
    };
    let mut block = Vec::new();
    for (name, value) in headers {
        for text in [name, value] {
            // a literal without an index, its name before its value
            if text == name {
                block.push(0);
            }
            block.push(u8::try_from(text.len()).expect("it is short"));
            block.extend_from_slice(text.as_bytes());
        }
    }
    let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    out.extend(frame(4, 0, 0, &[]));
    out.extend(frame(1, if body.is_empty() { 5 } else { 4 }, 1, &block));
    if !body.is_empty() {
        // in two parts, as a network may cut it
        let (one, other) = body.split_at(body.len() / 2);
        out.extend(frame(0, 0, 1, one));
        out.extend(frame(0, 0, 1, other));
    }
    stream.write_all(&out).expect("it reads");
    let (mut answer, mut decoder, mut over) = (Vec::new(), Decoder::new(), body.is_empty());
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).expect("an answer comes");
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut payload).expect("an answer comes whole");
        let (ty, flags) = (head[3], head[4]);
        if ty == 0 {
            answer.extend_from_slice(&payload);
            decoder.push(&payload);
            while let Ok(Some(Frame { ty, .. })) = decoder.next() {
                if ty == MessageType::End && !over {
                    over = true;
                    stream.write_all(&frame(0, 1, 1, &[])).expect("it reads");
                }
            }
        }
        assert_ne!(ty, 3, "the stream was reset");
        if ty <= 1 && flags & 1 == 1 {
            return answer;
        }
    }
}

/// Has `key` book `room`, as invocation `id`, and gives back what the handler answers.
fn book(hosted: &Hosted, id: &str, room: &str, key: &str) -> String {
    let start = messages::Start {
        id: id.to_owned().into(),
        debug_id: id.to_owned(),
        known_entries: 1,
        key: room.to_owned(),
        ..Default::default()
    };
    let value = messages::Value { content: json!(key).to_string().into() };
    let input = messages::InputCommand { value: Some(value), ..Default::default() };
    let mut body = BytesMut::new();
    Frame::new(MessageType::Start, &start).encode_into(&mut body);
    Frame::new(MessageType::InputCommand, &input).encode_into(&mut body);
    let headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", "/invoke/Bookings/book"),
        ("content-type", "application/vnd.restate.invocation.v6"),
    ];
    let answer = exchange(hosted, &headers, &body);
    let mut decoder = Decoder::new();
    decoder.push(&answer);
    while let Ok(Some(frame)) = decoder.next() {
        if frame.ty == MessageType::OutputCommand
            && let Ok(messages::OutputCommand {
                result: Some(messages::OutputResult::Value(value)),
                ..
            }) = frame.decode()
        {
            return serde_json::from_slice(&value.content).expect("it is a text");
        }
    }
    panic!("the handler gave no answer: {answer:?}");
}

fn get(hosted: &Hosted, path: &str) -> String {
    let manifest = "application/vnd.restate.endpointmanifest.v4+json";
    let headers = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", path),
        ("accept", manifest),
    ];
    String::from_utf8(exchange(hosted, &headers, &[])).expect("it is text")
}

#[test]
fn services_say_what_they_are_and_that_they_speak_both_ways() {
    let hosted = serve(&deployment(), &WorldOptions::default(), &HostOptions::default())
        .expect("a port is free");
    let manifest: serde_json::Value =
        serde_json::from_str(&get(&hosted, "/discover")).expect("it is JSON");
    assert_eq!(manifest["protocolMode"], "BIDI_STREAM");
    assert_eq!(manifest["services"][0]["name"], "Bookings");
    assert_eq!(get(&hosted, "/health"), "");
    let same = HostOptions { port: hosted.port(), ..HostOptions::default() };
    let taken = serve(&deployment(), &WorldOptions::default(), &same);
    assert!(matches!(taken, Err(LiveError::Port { option: "port", .. })), "{taken:?}");
}

#[test]
fn a_hotel_with_a_ledger_remembers_what_was_booked_through_a_dead_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.jsonl");
    let options = WorldOptions { ledger: Some(path.clone()), ..Default::default() };
    let serve = || serve(&deployment(), &options, &HostOptions::default());
    let first = {
        let hosted = serve().expect("the ledger is new");
        assert_eq!(book(&hosted, "inv_2", "0", "k0"), "there is no room 0");
        book(&hosted, "inv_1", "12", "k")
    };
    let label = r#"Some("Bookings/12/book#1")"#;
    assert!(first.starts_with("1 ") && first.ends_with(label), "{first}");
    {
        let hosted = serve().expect("the ledger can be read");
        assert_eq!(book(&hosted, "inv_1", "12", "k"), first, "the key is known");
        let second = book(&hosted, "inv_3", "12", "k2");
        assert!(second.starts_with("2 "), "{second}");
        let sea = |answer: &str| answer.split(' ').nth(2).map(str::to_owned);
        assert_eq!(sea(&second), sea(&first), "a choice of the room is made once");
    }
    let text = fs::read_to_string(&path).expect("it was written");
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    let asked = json!({ "asked": { "system": "hotel", "operation": "book" } });
    assert_eq!(lines.iter().filter(|line| **line == asked).count(), 4);
    let done = lines.iter().filter_map(|line| line.pointer("/done/request/book/key")?.as_str());
    assert_eq!(done.collect::<Vec<_>>(), ["k0", "k", "k", "k2"]);

    let wrong = |line: &str| {
        fs::write(&path, format!("{line}\n")).expect("written");
        serve().expect_err("it is wrong").to_string()
    };
    assert!(wrong("nonsense").contains("ledger.jsonl: line 1: "));
    let other = r#"{"done":{"system":"spa","request":1,"unix_ms":1}}"#;
    assert!(wrong(other).ends_with("line 1: there is no system `spa`"));
    let request = r#"{"done":{"system":"hotel","request":"fly","unix_ms":1}}"#;
    assert!(wrong(request).contains("line 1: unknown variant `fly`"));
}

/// The history of what `act` does to hosted services; all invocations are of room 12.
fn history(world: &WorldOptions, ids: &[&str], act: impl FnOnce(&Hosted)) -> Vec<Event> {
    let deployment = deployment();
    let log = Log::new(Clock::start(), "op1-");
    let (hosted, _) =
        watch(&deployment, world, &HostOptions::default(), &log).expect("a port is free");
    act(&hosted);
    let row = |id: &&str| {
        let row = json!({ "id": id, "target_service_name": "Bookings", "target_service_key": "op1-12",
            "target_handler_name": "book", "created_at": "2026-01-01T00:00:00.000Z", "status": "open" });
        row.as_object().expect("it is one").clone()
    };
    let rows = Rows { invocations: ids.iter().map(row).collect(), ..Rows::default() };
    let events = |log: &Log| -> Vec<Event> {
        let history = log.history(&rows, deployment.catalog());
        history.records().iter().map(|record| record.event.clone()).collect()
    };
    // what the handlers' tasks ask is answered after the handlers have ended
    let returned = |event: &&Event| matches!(event, Event::SystemReturned { .. });
    let started = Clock::start();
    while events(&log).iter().filter(returned).count() < 2 * ids.len() {
        assert!(started.elapsed() < Duration::from_secs(20), "{:#?}", events(&log));
        pause(Duration::from_millis(5));
    }
    events(&log)
}

#[test]
fn calls_have_the_attempt_as_their_cause_whose_code_made_them() {
    let events = history(&WorldOptions::default(), &["inv_1"], |hosted| {
        let answer = book(hosted, "inv_1", "op1-12", "op1-k");
        assert!(answer.contains("Bookings/12/book#1"), "{answer}");
    });
    let calls = events.iter().filter_map(|event| match event {
        Event::SystemCalled { operation, request, cause, .. } => {
            let cause = cause.as_ref().map(|cause| {
                assert_eq!((cause.attempt, &cause.within), (1, &Within::NoRun));
                cause.target.to_string()
            });
            Some((*operation, request.json(), cause))
        }
        _ => None,
    });
    let book = json!({ "book": { "room": "12", "key": "k" } });
    let expected = [
        ("book", book, Some("Bookings/12/book".to_owned())),
        ("look", json!({ "look": null }), None),
    ];
    assert_eq!(calls.collect::<Vec<_>>(), expected);
    let effect = |event: &Event| match event {
        Event::SystemEffect { effect, .. } => Some(effect.text()),
        _ => None,
    };
    assert_eq!(events.iter().filter_map(effect).collect::<Vec<_>>(), ["booked: room 12"]);
}

#[test]
fn a_system_is_down_when_the_plan_says_so() {
    let down = Millis { from: 0, to: 3_600_000 };
    let hotel = SystemPlan { outages: vec![down], ..Default::default() };
    let world = WorldOptions { plan: [("hotel".to_owned(), hotel)].into(), ..Default::default() };
    let events = history(&world, &["inv_1"], |hosted| {
        assert_eq!(book(hosted, "inv_1", "op1-12", "k"), "hotel is unavailable");
    });
    let refused =
        |event: &&Event| matches!(event, Event::SystemReturned { fate: CallFate::Refused, .. });
    assert_eq!(events.iter().filter(refused).count(), 2);
}

/// An ingress that answers each request with the next of `statuses`, and each forged copy with success; gives
/// back what it was asked, without the copies.
fn ingress(statuses: Vec<u16>) -> (Server, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let address = listener.local_addr().expect("it has one").to_string();
    let requests = std::thread::spawn(move || {
        let (mut own, mut copies) = (Vec::new(), 0);
        while own.len() < statuses.len() || copies < statuses.len() {
            let (mut stream, _) = listener.accept().expect("a request comes");
            let mut text = String::new();
            let mut buffer = [0; 4096];
            while !text.contains("op1-12\"}") {
                let read = stream.read(&mut buffer).expect("a request comes whole");
                text.push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
            let status = if text.contains("x-signature: none") {
                copies += 1;
                200
            } else {
                own.push(text);
                statuses[own.len() - 1]
            };
            let answer =
                format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: 1\r\n\r\n1");
            stream.write_all(answer.as_bytes()).expect("it is read");
        }
        own
    });
    (Server::new(&address, &address), requests)
}

#[test]
fn a_delivery_is_signed_and_sent_until_it_is_taken() {
    let log = Log::new(Clock::start(), "op1-");
    let specs = [SystemSpec::of::<Hotel>()];
    let systems = Systems::new(&specs, Hub::default(), &WorldOptions::default(), log.clone());
    let (server, requests) = ingress(vec![500, 200]);
    let (names, mark) =
        (Names::new(&Plan::default(), Default::default(), "op1-"), Mark::new(log.clock()));
    let systems = systems.unwrap_or_else(|error| panic!("{error}"));
    let patience = Duration::from_secs(20);
    let deliveries = Deliveries::start(systems, &server, (&names, &mark), &log, patience);
    let delivery = Delivery::to("Rooms/12/changed").expect("it is a target").named("change");
    let delivery = delivery.body(&json!({ "room": "12" }));
    deliveries.send(0, &delivery, &[]).expect("the server is there");
    let requests = requests.join().expect("it does not panic");
    for text in &requests {
        assert!(text.starts_with("POST /Rooms/op1-12/changed HTTP/1.1\r\n"), "{text}");
        assert!(text.contains("x-signature: {'room':'op1-12'}"), "{text}");
    }
    while deliveries.busy(log.clock().now()) {
        pause(Duration::from_millis(5));
    }
    assert_eq!((deliveries.waits(), deliveries.left()), (false, 0));
    let history = log.history(&Rows::default(), deployment().catalog());
    let (mut own, mut copies) = (Vec::new(), Vec::new());
    for record in history.records() {
        match &record.event {
            Event::RequestSent { attempt, body, .. } => {
                own.push(format!("{attempt} {}", body.text()));
            }
            Event::Delivered { copy: None, headers, .. } => own.push(headers[0].1.to_string()),
            Event::Delivered { copy: Some(_), request, attempt, headers, .. } => {
                copies.push(format!("{request} {attempt} {}", headers[0].1));
            }
            Event::ReplyReceived { request, attempt, outcome } => {
                let taken = matches!(outcome, Outcome::Success(_));
                own.push(format!("{request} {attempt} {taken}"));
            }
            _ => {}
        }
    }
    // a history has no prefix of the run in it, and neither has what is signed there
    let (body, signature) = (r#"{"room":"12"}"#, "{'room':'12'}");
    let tries = [(1, false), (2, true)].map(|(attempt, taken)| {
        [format!("{attempt} {body}"), signature.to_owned(), format!("change {attempt} {taken}")]
    });
    assert_eq!(own, tries.concat());
    copies.sort();
    assert_eq!(copies, ["change~forged 1 none", "change~forged 2 none"]);
}

#[test]
fn a_delivery_that_is_due_after_the_run_is_not_waited_for() {
    let log = Log::new(Clock::start(), "");
    let specs = [SystemSpec::of::<Hotel>()];
    let systems = Systems::new(&specs, Hub::default(), &WorldOptions::default(), log.clone());
    let systems = systems.unwrap_or_else(|error| panic!("{error}"));
    let server = Server::new("127.0.0.1:1", "127.0.0.1:1");
    let (names, mark) =
        (Names::new(&Plan::default(), Default::default(), ""), Mark::new(log.clock()));
    let patience = Duration::from_secs(20);
    let deliveries = Deliveries::start(systems, &server, (&names, &mark), &log, patience);
    let delivery = Delivery::to("Rooms/12/changed").expect("it is a target");
    let later = delivery.clone().after(Duration::from_secs(60));
    deliveries.send(0, &later, &[]).expect("nothing is sent");
    assert_eq!((deliveries.waits(), deliveries.left()), (false, 1));
    let gone = deliveries.send(0, &delivery, &[]).expect_err("nothing listens there");
    assert!(gone.is_about_the_server(), "{gone}");
}

/// What `hosted` answers to a request over HTTP/1.1, until it closes the connection.
fn plainly(hosted: &Hosted, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", hosted.port())).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket has one");
    let head = format!("{head}\r\nhost: a\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("it reads");
    // it may not want to hear the rest
    drop(stream.write_all(body));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_request_that_brings_too_much_is_cut_off() {
    let options = HostOptions { max_body_bytes: 4096, ..HostOptions::default() };
    let hosted = serve(&deployment(), &WorldOptions::default(), &options).expect("a port is free");
    let invoke = "POST /invoke/Bookings/book HTTP/1.1\r\n\
        content-type: application/vnd.restate.invocation.v6";
    let announced = plainly(&hosted, &format!("{invoke}\r\ncontent-length: 4097"), &[]);
    assert!(announced.starts_with("HTTP/1.1 413 "), "{announced}");
    assert!(
        announced.contains("at most 4096 are let in; --max-body-mib lets in more"),
        "{announced}"
    );
    // what does not say how long it is, is counted; and the response has no end then
    let chunked = |body: &[u8]| {
        let chunk = [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n"].concat();
        plainly(&hosted, &format!("{invoke}\r\ntransfer-encoding: chunked"), &chunk)
    };
    let start = |length: u32| [&[0, 0, 0, 0][..], &length.to_be_bytes()].concat();
    let large = chunked(&[start(1 << 20), vec![0; 5000]].concat());
    assert!(!large.contains("\r\n0\r\n"), "{large}");
    // a message of 4 GiB is not waited for
    let started = Clock::start();
    let endless = chunked(&start(u32::MAX));
    assert!(!endless.contains("\r\n0\r\n"), "{endless}");
    assert!(started.elapsed() < Duration::from_secs(10));
    // others are served as before
    let answer = book(&hosted, "inv_1", "12", "k");
    assert!(answer.starts_with("1 "), "{answer}");
}

#[test]
fn services_answer_only_who_signs_if_they_have_a_key() {
    let key = "publickeyv1_w7YHemBctH5Ck2nQRQ47iBBqhNHy4FV7t2Usbye2A6f";
    let identity_keys = vec![key.parse().expect("it is a key")];
    let options = HostOptions { identity_keys, ..HostOptions::default() };
    let hosted = serve(&deployment(), &WorldOptions::default(), &options).expect("a port is free");
    for (line, status) in [
        ("GET /discover HTTP/1.1", "401 "),
        ("POST /invoke/Bookings/book HTTP/1.1\r\ncontent-length: 0", "401 "),
        ("GET /health HTTP/1.1", "200 "),
    ] {
        let answer = plainly(&hosted, line, &[]);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{line}: {answer}");
    }
}

#[test]
fn a_run_says_that_it_is_alive_and_its_services_take_requests_one_by_one_if_they_are_to() {
    let run = |always_replay| {
        let options = HostOptions { always_replay, ..HostOptions::default() };
        serve(&deployment(), &WorldOptions::default(), &options).expect("a port is free")
    };
    let server = Server::new("127.0.0.1:1", "127.0.0.1:1");
    let (mine, other) = (run(true), run(false));
    let answers = mine.answer_for("op1-").expect("a port is free");
    assert_eq!(server.run_at(&answers), Ok(Some("op1-".to_owned())));
    assert_eq!(server.run_at(&other.uri()), Ok(None));
    assert_eq!(server.run_at("http://127.0.0.1:1/"), Ok(None), "nobody is there");
    let mode = |hosted| {
        let manifest: serde_json::Value =
            serde_json::from_str(&get(hosted, "/discover")).expect("it is JSON");
        manifest["protocolMode"].clone()
    };
    assert_eq!([mode(&mine), mode(&other)], ["REQUEST_RESPONSE", "BIDI_STREAM"]);
}

#[test]
fn services_that_are_down_refuse_connections_and_come_back_without_their_memory() {
    let log = Log::new(Clock::start(), "");
    let options = HostOptions::default();
    let deployment = deployment();
    let (hosted, _) =
        watch(&deployment, &WorldOptions::default(), &options, &log).expect("a port is free");
    let answers = hosted.answer_for("op1-").expect("a port is free");
    let beside = hosted.add(deployment.first()).expect("a port is free");
    assert_ne!(beside.uri(), hosted.uri());
    // a connection that is open is cut off
    let mut open = TcpStream::connect(("127.0.0.1", hosted.port())).expect("it listens");
    open.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket has one");
    open.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("it reads");
    assert_ne!(open.read(&mut [0; 9]).expect("it answers"), 0);
    hosted.take_down(Duration::from_millis(400));
    let mut rest = Vec::new();
    drop(open.read_to_end(&mut rest));
    let refused = |uri: &str| TcpStream::connect(uri.trim_start_matches("http://")).is_err();
    assert!(refused(&hosted.uri()) && refused(&beside.uri()) && hosted.is_down());
    let server = Server::new("127.0.0.1:1", "127.0.0.1:1");
    assert_eq!(server.run_at(&answers), Ok(Some("op1-".to_owned())), "the run is not down");
    // one that is registered meanwhile is up, and the longer of two times counts
    let later = hosted.add(deployment.first()).expect("a port is free");
    assert!(!refused(&later.uri()));
    hosted.take_down(Duration::from_millis(100));
    assert!(refused(&later.uri()));
    let started = Clock::start();
    while hosted.is_down() {
        assert!(started.elapsed() < Duration::from_secs(20), "it never came back");
        pause(Duration::from_millis(5));
    }
    assert!(started.elapsed() > Duration::from_millis(200), "{:?}", started.elapsed());
    for uri in [hosted.uri(), beside.uri(), later.uri()] {
        assert!(!refused(&uri), "{uri}");
    }
    assert!(book(&hosted, "inv_1", "12", "k").starts_with("1 "));
    let history = log.history(&Rows::default(), deployment.catalog());
    let told = history.records().iter().filter_map(|record| match &record.event {
        Event::ProcessStarted { process } => Some(format!("+{process}")),
        Event::ProcessCrashed { process } => Some(format!("-{process}")),
        Event::EndpointDown { .. } => Some("down".to_owned()),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told.join(" "), "+1 +2 -1 -2 down +3 -3 down +4 +5 +6");
}
