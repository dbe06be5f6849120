//! Pages of runs that no real service makes: hostile in every place, and long. What is checked here is checked again in
//! a browser, by `tests/pages/check.mjs`, for which the pages are left in the target folder.

use std::{collections::BTreeMap, fs, path::PathBuf};

use onceproof::{
    base::{Digest, Seed, Target, VirtualTime},
    history::{
        CallFate, CallId, Cause, Change, Content, Crash, Data, EffectRecord, End, Event, History,
        Inv, LogLine, Origin, Outcome, Payload, Within,
    },
    oracle::Violation,
    report::page::{Ending, Trace, trace},
};

#[derive(Debug, serde::Serialize)]
struct Booked {
    guest: String,
    room: u32,
}

onceproof::effects! { Booked = "booked" }

/// Builds a history of guests who book rooms.
#[derive(Default)]
struct Story {
    history: History,
    at: u64,
    calls: u32,
}

impl Story {
    fn event(&mut self, event: Event) -> usize {
        self.history.push(VirtualTime::from_nanos(self.at * 1_000), event);
        self.history.len() - 1
    }

    fn later(&mut self, us: u64) {
        self.at += us;
    }

    fn accepted(&mut self, inv: u32, request: &str, target: &Target, body: &Payload) {
        self.event(Event::RequestSent {
            request: request.into(),
            attempt: 1,
            target: target.clone(),
            idempotency_key: Some(request.into()),
            body: body.clone(),
        });
        self.event(Event::InvocationCreated {
            inv: Inv(inv),
            id: format!("inv_{inv:08x}").as_str().into(),
            target: target.clone(),
            exclusive: true,
            origin: Origin::Client(request.into()),
            idempotency_key: Some(request.into()),
            input: body.clone(),
            due: None,
        });
    }

    fn began(&mut self, inv: u32, attempt: u32) {
        let started =
            Event::AttemptStarted { inv: Inv(inv), attempt, replayed: attempt, deployment: 1 };
        self.event(started);
        self.history.log(LogLine {
            after: 0,
            at: VirtualTime::from_nanos(self.at * 1_000),
            attempt: Some((Inv(inv), attempt)),
            level: "INFO",
            module: "rooms".into(),
            message: format!("attempt {attempt} books guest=<b>{inv}</b>"),
        });
    }

    fn entry(&mut self, inv: u32, index: u32, kind: &'static str, name: &str, content: Content) {
        let (inv, name) = (Inv(inv), name.into());
        self.event(Event::EntryAppended { inv, index, kind, name, content });
    }

    /// The effect's record.
    fn booked(
        &mut self,
        inv: u32,
        attempt: u32,
        target: &Target,
        system: &str,
        guest: &str,
    ) -> usize {
        let call = CallId(self.calls);
        self.calls += 1;
        self.event(Event::SystemCalled {
            call,
            system: system.into(),
            operation: "book",
            request: Data::new(guest.to_owned()),
            cause: Some(Cause {
                inv: Inv(inv),
                target: target.clone(),
                attempt,
                within: Within::Run { id: 1, name: "book".into() },
            }),
        });
        self.later(7_000);
        let booked = Booked { guest: guest.to_owned(), room: self.calls };
        let effect = EffectRecord::new(booked, Change::Made);
        let did = self.event(Event::SystemEffect { call, system: system.into(), effect });
        self.event(Event::SystemReturned { call, fate: CallFate::Answered });
        did
    }

    fn state(&mut self, inv: u32, target: &Target, name: &str, value: Payload) -> usize {
        self.event(Event::StateChanged {
            inv: Inv(inv),
            service: target.service.clone(),
            key: target.key.clone(),
            name: name.into(),
            value: Some(value),
        })
    }

    fn done(&mut self, inv: u32, request: &str, outcome: &Outcome) {
        self.event(Event::Completed { inv: Inv(inv), outcome: outcome.clone() });
        let (request, outcome) = (request.into(), outcome.clone());
        self.event(Event::ReplyReceived { request, attempt: 1, outcome });
    }
}

/// So many bookings, one of which is made twice.
fn long(bookings: u32) -> (History, Vec<Violation>) {
    let mut story = Story::default();
    story.event(Event::ProcessStarted { process: 1 });
    let mut twice = Vec::new();
    for inv in 0..bookings {
        let (request, key) = (format!("book[{inv}]"), format!("room-{}", inv % 40));
        let target = Target::new("Rooms", &key, "book");
        let body =
            format!(r#"{{"guest":"guest-{inv}","nights":{},"note":"late arrival"}}"#, inv % 7);
        story.accepted(inv, &request, &target, &Payload::from(&*body));
        story.later(300);
        story.began(inv, 1);
        story.entry(inv, 0, "Command: Input", "", Content::Value(Payload::from(&*body)));
        let guest = format!("guest-{inv}");
        let first = story.booked(inv, 1, &target, "hotel", &guest);
        if inv == bookings / 2 {
            let how = Crash::AfterEffect;
            story.event(Event::AttemptCrashed { inv: Inv(inv), attempt: 1, how, lost: 1 });
            story.later(600_000);
            story.began(inv, 2);
            twice = vec![first, story.booked(inv, 2, &target, "hotel", &guest)];
        }
        let room = Payload::from(&*format!(r#"{{"room":{inv}}}"#));
        story.entry(inv, 1, "Command: Run", "book", Content::Nothing);
        story.entry(inv, 2, "Notification: Run", "book", Content::Value(room.clone()));
        story.state(inv, &target, "booking", room.clone());
        story.entry(inv, 3, "Command: Output", "", Content::Value(room.clone()));
        story.later(900);
        story.done(inv, &request, &Outcome::Success(room));
        story.later(if inv % 50 == 0 { 3_600_000_000 } else { 20_000 });
    }
    story.event(Event::Ended { end: End::Quiet });
    let message = format!("guest-{} was booked twice", bookings / 2);
    (story.history, vec![Violation::new("booked_at_most_once", message, twice)])
}

const MARKUP: &str = "</script><script>globalThis.hostile = 1</script><img src=x onerror=\"globalThis.hostile = 2\">";

/// Two bookings with something hostile in every place.
fn hostile() -> (History, Vec<Violation>) {
    let mut story = Story::default();
    let target = Target::new(
        "<svg/onload=globalThis.hostile=3>",
        "key'\"><!--<script>\u{202e}gnp\u{2066}",
        "javascript:globalThis.hostile=4",
    );
    let megabyte = Payload::from(&*format!("{{\"all\":\"{}\"}}", "x".repeat(1 << 20)));
    let not_text = Payload(bytes::Bytes::from(vec![0xff, 0xfe, b'<', b'b', b'>', 0x80, 0x00]));
    story.accepted(0, MARKUP, &target, &megabyte);
    story.began(0, 1);
    story.entry(0, 0, "Command: Input", MARKUP, Content::Value(megabyte.clone()));
    story.entry(
        0,
        1,
        "Command: Run",
        "\u{1b}]0;title\u{7}\r\n\u{2028}",
        Content::Value(not_text.clone()),
    );
    let first = story.booked(0, 1, &target, "ho\"tel</style>", MARKUP);
    story.event(Event::FaultFired { fault: "crash".into(), place: MARKUP.to_owned() });
    story.event(Event::AttemptCrashed {
        inv: Inv(0),
        attempt: 1,
        how: Crash::AfterEffect,
        lost: 1,
    });
    story.later(500_000);
    story.began(0, 2);
    let second = story.booked(0, 2, &target, "ho\"tel</style>", MARKUP);
    story.state(0, &target, "__proto__", not_text);
    story.state(0, &target, "constructor", megabyte);
    story.state(0, &target, "constructor", Payload::from("{\"a\":18446744073709551617}"));
    story.done(
        0,
        MARKUP,
        &Outcome::Failure { code: 500, message: format!("{MARKUP}&amp;{{{{7*7}}}}") },
    );
    story.event(Event::Ended { end: End::Quiet });
    let violation =
        Violation::new(format!("oracle{MARKUP}"), format!("{MARKUP} twice"), [first, second]);
    (story.history, vec![violation])
}

static NO_DEMANDS: BTreeMap<String, String> = BTreeMap::new();

fn page(name: &str, (history, violations): &(History, Vec<Violation>)) -> String {
    trace(&Trace {
        title: name,
        about: MARKUP,
        file: "rooms/<b>.json",
        seed: Seed(7),
        history,
        digest: Digest(7),
        violations,
        ending: Ending::Rest,
        demands: &NO_DEMANDS,
        expected: None,
        why: None,
        passing: None,
        notes: &[MARKUP.to_owned()],
        command: "onceproof replay '<b>.json'",
    })
}

/// Leaves a page for the browser.
fn leave(name: &str, page: &str) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pages");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(name), page).expect("a page");
}

fn data_of(page: &str) -> serde_json::Value {
    let (_, data) = page.split_once("id=\"data\">").expect("it has data");
    serde_json::from_str(data.split_once("</script>").expect("an end").0).expect("JSON")
}

#[test]
fn pages_of_hostile_runs_have_no_markup_of_theirs_and_stay_small() {
    let page = page(MARKUP, &hostile());
    leave("hostile.html", &page);
    // the data, the program, and nothing else
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script").count(), 2);
    assert!(!page.contains("<img") && !page.contains("<svg"), "markup came through");
    assert!(
        !page.contains(['\u{202e}', '\u{2066}', '\u{1b}', '\u{2028}']),
        "it would be turned around"
    );
    assert!(page.len() < 300_000, "{} bytes", page.len());
    let data = data_of(&page);
    let texts = data["texts"].as_array().expect("texts");
    let has = |part: &str| texts.iter().any(|text| text.as_str().is_some_and(|t| t.contains(part)));
    assert!(has(MARKUP), "nothing is lost");
    assert!(has("… cut here: these are ") && has(" of 1048591 bytes"), "it is said what was cut");
    assert!(has("not UTF-8 text; its 7 bytes, in hexadecimal:\nff fe 3c 62 3e 80 00"));
    assert!(has("18446744073709551617"), "no digit is lost");
}

#[test]
fn a_page_of_ten_thousand_events_is_complete() {
    let run = long(830);
    assert!(run.0.len() > 10_000, "{} events", run.0.len());
    let page = page("many bookings", &run);
    leave("long.html", &page);
    let data = data_of(&page);
    assert_eq!(data["events"].as_array().map(Vec::len), Some(run.0.len()));
    let lanes = data["lanes"].as_array().expect("lanes");
    assert!(lanes.len() <= 24, "more lanes than can be seen: {}", lanes.len());
    // what broke the rule has a lane of its own
    assert!(lanes.iter().any(|lane| lane["name"] == "Rooms/room-15"), "{lanes:?}");
    assert!(page.len() < 12_000_000, "{} bytes", page.len());
}

#[test]
fn a_page_of_a_run_in_which_everything_held_says_so() {
    let (history, _) = long(3);
    let data = data_of(&page("held", &(history, Vec::new())));
    assert_eq!((&data["verdict"], &data["version"]), (&"held".into(), &1.into()));
    let briefs = data["events"].as_array().expect("events").iter().filter(|e| e["brief"] == true);
    assert_eq!(
        briefs.count(),
        data["events"].as_array().map_or(0, Vec::len),
        "nothing is left out"
    );
}
