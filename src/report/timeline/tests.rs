//! What a person sees of a history.

use super::*;
use crate::{
    base::Target,
    history::{
        CallFate, CallId, Cause, Change, Crash, EffectRecord, End, Event, Inv, Origin, Outcome,
        Phase, Within,
    },
    report::fixture::{Booked, Cancelled, Story, book, double_booking},
};

#[test]
fn brief_shows_what_led_to_the_violation_and_marks_it() {
    let (history, violations) = double_booking();
    insta::assert_snapshot!(timeline(&history, &violations, Look::default()), @r#"
      0.000s  client   book → Bookings/alice/Book, key alice-key {"guest":"guest-alice","from":"2026-03-01","nights":2,"wis…
      0.000s  restate  attempt 1 of Bookings/alice/Book
      0.003s  handler  INFO booking guest=guest-alice
      0.003s  restate  state Bookings/alice booking = {"status":"pending"}
    > 0.053s  hotel    booked: room 101, guest guest-alice (in run book, attempt 1)
      0.053s  fault    ⚡ crash: inside run, after the effect; 2 messages lost
      0.053s  restate  retry at 0.612s
      0.612s  restate  attempt 2 of Bookings/alice/Book, replays 2 entries
      0.612s  handler  INFO booking guest=guest-alice
    > 0.672s  hotel    booked: room 103, guest guest-alice (in run book, attempt 2)
      0.672s  restate  journal 2 Run book
      0.672s  restate  journal 3 Run result
      0.700s  restate  Bookings/alice/Book ends: 200 {"booking":"alice","status":"booked","room":"103","from":"2026-03-01",…
      0.700s  client   book ← 200 {"booking":"alice","status":"booked","room":"103","from":"2026-03-01","nights":2}
      0.700s  end      nothing is left to happen
              (18 more events are left out)
    "#);
}

#[test]
fn full_shows_every_event_of_every_invocation() {
    let (history, violations) = double_booking();
    let look = Look { detail: Detail::Full, ..Look::default() };
    insta::assert_snapshot!(timeline(&history, &violations, look), @r#"
      0.000s  process  process 1 started
      0.000s  client   book → Bookings/alice/Book, key alice-key {"guest":"guest-alice","from":"2026-03-01","nights":2,"wis…
      0.000s  restate  accepts Bookings/alice/Book for book as inv_0, key alice-key {"guest":"guest-alice","from":"2026-03-…
      0.000s  restate  attempt 1 of Bookings/alice/Book
      0.000s  restate  journal 0 Input (Bookings/alice/Book)
      0.002s  client   other → Bookings/bob/Book, key bob-key {"guest":"guest-bob","from":"2026-03-01","nights":2,"wishes":…
      0.002s  restate  accepts Bookings/bob/Book for other as inv_1, key bob-key {"guest":"guest-bob","from":"2026-03-01","…
      0.002s  restate  attempt 1 of Bookings/bob/Book
      0.003s  handler  INFO booking guest=guest-alice (Bookings/alice/Book)
      0.003s  restate  journal 1 SetState booking (Bookings/alice/Book)
      0.003s  restate  state Bookings/alice booking = {"status":"pending"} (Bookings/alice/Book)
      0.053s  handler  asks the hotel: book (in run book, attempt 1 of Bookings/alice/Book)
    > 0.053s  hotel    booked: room 101, guest guest-alice (in run book, attempt 1 of Bookings/alice/Book)
      0.053s  fault    crash_in_run at Bookings/alice/Book#1 attempt 1 at hotel book in Run(book)
      0.053s  fault    ⚡ crash: inside run, after the effect; 2 messages lost (attempt 1 of Bookings/alice/Book)
      0.053s  restate  attempt 1 of Bookings/alice/Book: the connection broke: connection reset
      0.053s  restate  retry of Bookings/alice/Book at 0.612s
      0.060s  handler  asks the hotel: book (in run book, attempt 1 of Bookings/bob/Book)
      0.060s  hotel    booked: room 102, guest guest-bob (in run book, attempt 1 of Bookings/bob/Book)
      0.060s  hotel    answered (in run book, attempt 1 of Bookings/bob/Book)
      0.060s  fault    request_delayed at Bookings/bob/Book
      0.080s  restate  Bookings/bob/Book ends: 200 {"status":"booked"}
      0.080s  client   other ← 200 {"status":"booked"}
      0.612s  restate  attempt 2 of Bookings/alice/Book, replays 2 entries
      0.612s  handler  INFO booking guest=guest-alice (Bookings/alice/Book)
      0.672s  handler  asks the hotel: book (in run book, attempt 2 of Bookings/alice/Book)
    > 0.672s  hotel    booked: room 103, guest guest-alice (in run book, attempt 2 of Bookings/alice/Book)
      0.672s  hotel    answered (in run book, attempt 2 of Bookings/alice/Book)
      0.672s  restate  journal 2 Run book (Bookings/alice/Book)
      0.672s  restate  journal 3 Run result (Bookings/alice/Book)
      0.700s  restate  Bookings/alice/Book ends: 200 {"booking":"alice","status":"booked","room":"103","from":"2026-03-01",…
      0.700s  client   book ← 200 {"booking":"alice","status":"booked","room":"103","from":"2026-03-01","nights":2}
      0.700s  end      nothing is left to happen
    "#);
}

#[test]
fn every_event_of_restate_and_its_clients_has_words() {
    let mut story = Story::default();
    let inv = Inv(0);
    let failure = Outcome::Failure { code: 409, message: "cancelled".into() };
    story.at(1_000).event(Event::StateOpened {
        service: "Hotel".into(),
        key: "seaside".into(),
        name: "free".into(),
        value: "12".into(),
    });
    story.event(Event::RequestSent {
        request: "get".into(),
        attempt: 2,
        target: Target::new("Bookings", "p", "Get"),
        idempotency_key: None,
        body: "".into(),
    });
    story.event(Event::InvocationCreated {
        inv,
        id: "inv_0".into(),
        target: book("p"),
        exclusive: true,
        origin: Origin::Send(Inv(7)),
        idempotency_key: None,
        input: "".into(),
        due: Some(VirtualTime::from_millis(86_400_000)),
    });
    for event in [
        Event::RequestLost { request: "get".into(), attempt: 1 },
        Event::AnswerLost { request: "get".into(), attempt: 2 },
        Event::ReplyReceived { request: "get".into(), attempt: 3, outcome: failure.clone() },
        Event::GaveUp { request: "get".into() },
        Event::RequestAttached { request: "get".into(), inv },
        Event::Inboxed { inv },
        Event::StateChanged {
            inv,
            service: "Bookings".into(),
            key: "p".into(),
            name: "booking".into(),
            value: None,
        },
        Event::Suspended { inv, attempt: 1 },
        Event::AttemptFailed { inv, attempt: 1, code: 570, message: "journal\nmismatch".into() },
        Event::Paused { inv },
        Event::Resumed { inv },
        Event::CancelRequested { inv, phase: Phase::BackingOff },
        Event::Killed { inv, phase: Phase::Inboxed },
        Event::Completed { inv, outcome: failure },
        Event::ProcessCrashed { process: 1 },
        Event::AttemptCrashed { inv, attempt: 3, how: Crash::MessageLost, lost: 1 },
        Event::AttemptCrashed { inv, attempt: 4, how: Crash::Zombie, lost: 0 },
        Event::HandlerPanicked { inv, attempt: 5, message: "index out of bounds".into() },
        Event::OutcomeAsked { request: "ask".into(), attempt: 1, of: "get".into(), waits: true },
        Event::OutcomeAsked { request: "ask".into(), attempt: 2, of: "get".into(), waits: false },
        Event::RequestAccepted { request: "get".into(), attempt: 1, inv },
        Event::SignalSent { inv, name: "awakeable 1".into(), phase: Phase::Suspended },
        Event::PausedByOperator { inv },
        Event::Purged { inv },
        Event::Restarted,
        Event::FaultsOver,
        Event::Ended { end: End::Bound { name: "events", limit: 200_000 } },
    ] {
        story.event(event);
    }
    let look = Look { detail: Detail::Full, ..Look::default() };
    let history = story.end();
    insta::assert_snapshot!(timeline(&history, &[], look), @r"
    1.000s  restate  state Hotel/seaside free starts as 12
    1.000s  client   get (try 2) → Bookings/p/Get
    1.000s  restate  accepts Bookings/p/Book sent by invocation 7, due at 86400.000s as inv_0
    1.000s  fault    ⚡ get: the request was lost
    1.000s  fault    ⚡ get (try 2): the answer was lost
    1.000s  client   get (try 3) ← 409 cancelled
    1.000s  client   get: gave up
    1.000s  restate  get joins Bookings/p/Book
    1.000s  restate  Bookings/p/Book waits for its object's lock
    1.000s  restate  state Bookings/p booking is cleared
    1.000s  restate  attempt 1 suspends
    1.000s  restate  attempt 1 failed: 570 journal\nmismatch
    1.000s  restate  Bookings/p/Book is paused: its retries are used up
    1.000s  restate  Bookings/p/Book is resumed
    1.000s  restate  ✂ cancel of Bookings/p/Book (backing off)
    1.000s  restate  ✂ kill of Bookings/p/Book (inboxed)
    1.000s  restate  Bookings/p/Book ends: 409 cancelled
    1.000s  fault    ⚡ process 1 crashed: its attempts and its memory are gone
    1.000s  fault    ⚡ crash: message lost; 1 message lost
    1.000s  fault    ⚡ crash: zombie
    1.000s  handler  panicked in attempt 5: index out of bounds
    1.000s  client   ask → waits for the outcome of get
    1.000s  client   ask (try 2) → asks for the outcome of get
    1.000s  client   get ← accepted: Bookings/p/Book
    1.000s  restate  signal awakeable 1 for Bookings/p/Book (suspended)
    1.000s  restate  ⏸ Bookings/p/Book is paused by an operator
    1.000s  restate  ✂ Bookings/p/Book is purged
    1.000s  restate  ⚡ restarts: attempts and connections are lost
    1.000s  fault    no more faults from here
    1.000s  end      the bound events (200000) was reached
    1.000s  end      nothing is left to happen
    ");
}

/// The code of invocation 0 that calls a system.
fn cause(within: Within) -> Option<Cause> {
    Some(Cause { inv: Inv(0), target: book("p"), attempt: 1, within })
}

fn run(name: &str) -> Within {
    Within::Run { id: 0, name: name.into() }
}

fn booked(room: &str, change: Change) -> EffectRecord {
    let booked = Booked { room: room.into(), guest: "guest-p".into(), key: Some("k1".to_owned()) };
    EffectRecord::new(booked, change)
}

#[test]
fn what_systems_do_has_words() {
    let mut story = Story::default();
    let cancelled = EffectRecord::new(Cancelled { room: "12".into() }, Change::Made);
    for (call, within, effect) in [
        (0, run("book"), booked("12", Change::Made)),
        (1, run(""), booked("12", Change::Made).repeated()),
        (2, Within::NoRun, booked("14", Change::Nothing)),
        (3, Within::Unknown, cancelled),
    ] {
        story.asked(call, "hotel", cause(within)).effect(call, "hotel", effect);
    }
    let rejected = Event::SystemRejected { call: CallId(3), reason: "no room 13".into() };
    story.event(rejected).returned(3, CallFate::Rejected);
    for fate in [CallFate::Answered, CallFate::Refused, CallFate::AnswerLost, CallFate::CallerGone]
    {
        story.returned(0, fate);
    }
    story.asked(4, "locks", None).effect(4, "locks", booked("12", Change::Made));
    story.event(Event::FaultFired {
        fault: String::from("hotel.overbooked").into(),
        place: "Bookings/p/Book#1 attempt 1 at hotel book".into(),
    });
    story.event(Event::BooksDiffer {
        system: "hotel".into(),
        difference: "room 12 is free in its books".into(),
    });
    story.event(Event::SystemPanicked {
        call: CallId(0),
        system: "hotel".into(),
        message: "no floor 13 at src/hotel.rs:7".into(),
    });
    let history = story.end();
    let text = timeline(&history, &[], Look { detail: Detail::Full, ..Look::default() });
    insta::assert_snapshot!(text, @r"
    0.000s  handler  asks the hotel: book (in run book, attempt 1)
    0.000s  hotel    booked: room 12, guest guest-p, key k1 (in run book, attempt 1)
    0.000s  handler  asks the hotel: book (in a run without a name, attempt 1)
    0.000s  hotel    knows the request, does nothing again: booked: room 12, guest guest-p, key k1 (in a run without a na…
    0.000s  handler  asks the hotel: book (outside of any run, attempt 1)
    0.000s  hotel    booked: room 14, guest guest-p, key k1 (outside of any run, attempt 1)
    0.000s  handler  asks the hotel: book (in one of its runs, attempt 1)
    0.000s  hotel    room 12 is free again (in one of its runs, attempt 1)
    0.000s  hotel    rejected: no room 13 (in one of its runs, attempt 1)
    0.000s  hotel    answered with the rejection (in one of its runs, attempt 1)
    0.000s  hotel    answered (in run book, attempt 1)
    0.000s  hotel    ⚡ refused, nothing happened (in run book, attempt 1)
    0.000s  hotel    ⚡ the answer was lost, the handler saw a timeout (in run book, attempt 1)
    0.000s  hotel    the caller was gone, no answer reached it (in run book, attempt 1)
    0.000s  handler  asks the locks: book (by a background task)
    0.000s  locks    booked: room 12, guest guest-p, key k1 (by a background task)
    0.000s  fault    hotel.overbooked at Bookings/p/Book#1 attempt 1 at hotel book
    0.000s  hotel    its books differ from its effects: room 12 is free in its books
    0.000s  hotel    panicked: no floor 13 at src/hotel.rs:7 (in run book, attempt 1)
    0.000s  end      nothing is left to happen
    ");
}

#[test]
fn deliveries_have_words() {
    let mut story = Story::default();
    for (request, attempt, copy) in [
        ("note", 1, None),
        ("note", 2, None),
        ("note~forged", 1, Some("forged")),
        ("note~old", 1, Some("old")),
    ] {
        story.event(Event::Delivered {
            request: request.into(),
            attempt,
            system: "hotel".into(),
            copy: copy.map(Into::into),
            headers: vec![("signature".into(), "s1".into())],
        });
    }
    let history = story.end();
    insta::assert_snapshot!(timeline(&history, &[], Look::default()), @r"
    0.000s  client  note arrives from hotel
    0.000s  client  note (try 2) arrives from hotel
    0.000s  fault   ⚡ note~forged arrives: a forged copy, not sent by hotel
    0.000s  fault   ⚡ note~old arrives: an old copy, not sent by hotel
    0.000s  end     nothing is left to happen
    ");
}

#[test]
fn columns_are_as_wide_as_the_names_that_occur_up_to_a_limit() {
    for (system, expected) in [
        ("spa", "  0.000s  spa  booked: room 12, guest guest-p, key k1 (by a background task)"),
        ("concierges", "  0.000s  concierges  booked: room 12, guest guest-p, key k1 (by a b"),
        ("twelve-chars", "  0.000s  twelve-chars  booked: room 12, guest guest-p, key k1"),
        ("thirteen-char", "  0.000s  thirteen-ch…  booked: room 12, guest guest-p, key k1"),
    ] {
        let mut story = Story::default();
        story.asked(0, system, None).effect(0, system, booked("12", Change::Made));
        let text = timeline(&story.end(), &[], Look::default());
        assert!(text.starts_with(expected), "{expected:?} in\n{text}");
        let [effect, end] = text.lines().collect::<Vec<_>>()[..2] else { panic!("{text}") };
        let column = |line: &str, what| line[..line.find(what).expect(what)].chars().count();
        assert_eq!(column(effect, "booked"), column(end, "nothing is left"), "{text}");
    }
}

#[test]
fn a_call_of_no_attempt_is_shown_only_with_everything() {
    let mut story = Story::default();
    story.request("book", 0, "alice").booked(0, 0, "alice", 1);
    let effect = story.len() - 1;
    story.asked(1, "cleaners", None).effect(1, "cleaners", booked("12", Change::Made));
    let unowned = story.len() - 1;
    story.event(Event::SystemRejected { call: CallId(1), reason: "room 12 is taken".into() });
    story.returned(1, CallFate::AnswerLost);
    story.returned(9, CallFate::AnswerLost);
    let history = story.end();
    for (records, lines) in [(vec![], 4), (vec![effect], 0), (vec![effect, unowned], 1)] {
        let violation = Violation::new("o", "", records.clone());
        let text = timeline(&history, &[violation], Look::default());
        let of_no_attempt = |line: &&str| line.contains("cleaners") || line.contains("system  ");
        assert_eq!(text.lines().filter(of_no_attempt).count(), lines, "{records:?} in\n{text}");
        assert!(text.contains("guest-alice"), "{text}");
    }
}

#[test]
fn a_rejection_is_shown_once_and_books_that_differ_always() {
    let mut story = Story::default();
    story.request("book", 0, "alice").asked(0, "hotel", cause(run("book")));
    let rejected = Event::SystemRejected { call: CallId(0), reason: "full".into() };
    story.event(rejected).returned(0, CallFate::Rejected);
    let record = story.len() - 2;
    story.event(Event::BooksDiffer { system: "spa".into(), difference: "no guest".into() });
    let history = story.end();
    let text = timeline(&history, &[Violation::new("o", "", [record])], Look::default());
    assert_eq!(text.matches("rejected: full").count(), 1, "{text}");
    assert!(!text.contains("with the rejection"), "{text}");
    assert!(text.contains("its books differ from its effects: no guest"), "{text}");
}

#[test]
fn a_fault_at_a_delivery_is_shown_if_its_copy_is_concerned() {
    let mut story = Story::default();
    let target = Target::new("Notes", "", "Receive");
    for (request, copy) in [("note", None), ("note~forged", Some("forged")), ("other", None)] {
        if copy.is_none() {
            story.event(Event::RequestSent {
                request: request.into(),
                attempt: 1,
                target: target.clone(),
                idempotency_key: None,
                body: "".into(),
            });
            let place = format!("{request} try 1");
            story.event(Event::FaultFired { fault: "hotel.forged".into(), place });
        }
        story.event(Event::Delivered {
            request: request.into(),
            attempt: 1,
            system: "hotel".into(),
            copy: copy.map(Into::into),
            headers: Vec::new(),
        });
    }
    let history = story.end();
    let forged = history
        .records()
        .iter()
        .position(|r| matches!(&r.event, Event::Delivered { copy: Some(_), .. }))
        .expect("the story has a copy");
    let text = timeline(&history, &[Violation::new("o", "", [forged])], Look::default());
    assert!(text.contains("hotel.forged at note try 1"), "{text}");
    assert!(!text.contains("other"), "{text}");
}

#[test]
fn brief_follows_calls_and_leaves_out_the_unrelated() {
    let mut story = Story::default();
    story.request("book", 0, "alice").attempt(0, 1, 1);
    for (inv, origin, key) in [
        (1, Origin::Call(Inv(0)), "12"),
        (2, Origin::Send(Inv(1)), "14"),
        (3, Origin::Send(Inv(9)), "16"),
    ] {
        story.event(Event::InvocationCreated {
            inv: Inv(inv),
            id: "inv".into(),
            target: Target::new("Rooms", key, "Take"),
            exclusive: true,
            origin,
            idempotency_key: None,
            input: "".into(),
            due: None,
        });
        story.attempt(inv, 1, 1);
    }
    story.request("again", 4, "alice").attempt(4, 1, 1).request("other", 5, "bob").attempt(5, 1, 1);
    let history = story.end();
    let taken = history
        .records()
        .iter()
        .position(|r| matches!(r.event, Event::AttemptStarted { inv: Inv(1), .. }))
        .expect("the fixture starts it");
    let violation = Violation::new("o", "", [taken]);
    let text = timeline(&history, &[violation], Look::default());
    for (what, shown) in [
        ("attempt 1 of Bookings/alice/Book#1", true),
        ("book → ", true),
        ("> 0.000s  restate  attempt 1 of Rooms/12/Take", true),
        ("attempt 1 of Rooms/14/Take", true),
        ("Rooms/16", false),
        ("bob", false),
    ] {
        assert_eq!(text.contains(what), shown, "{what:?} in\n{text}");
    }
}

#[test]
fn a_violation_without_records_shows_everything_of_interest() {
    let (history, mut violations) = double_booking();
    violations[0].records.clear();
    let text = timeline(&history, &violations, Look::default());
    assert!(text.contains("guest-alice") && text.contains("guest-bob"), "{text}");
    assert!(!text.contains("\n>"), "{text}");
}

#[test]
fn lines_fit_the_width() {
    let (history, violations) = double_booking();
    for width in [40, 80, 120] {
        let look = Look { width, detail: Detail::Full, ..Look::default() };
        for line in timeline(&history, &violations, look).lines() {
            assert!(line.chars().count() <= width, "{line}");
        }
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let (history, violations) = double_booking();
    let plain = timeline(&history, &violations, Look::default());
    let coloured = timeline(&history, &violations, Look { paint: Paint::Ansi, ..Look::default() });
    assert_ne!(plain, coloured);
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
}

#[test]
fn what_adds_little_is_folded_at_its_place() {
    let (history, violations) = double_booking();
    let look = Look { detail: Detail::Folded, ..Look::default() };
    let text = timeline(&history, &violations, look);
    for line in [
        "0.000s  …        4 events: 2 invocation, 1 journal, 1 request",
        "0.060s  …        6 events: 2 call, 1 effect, 1 fault, 1 invocation, 1 request",
        "0.672s  …        3 events: 1 call, 2 journal",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("restate  journal"), "{text}");
    assert_eq!(text.matches("…        ").count(), 3, "{text}");
    let shown = text.lines().count() - 4;
    let hidden = format!("({} more events are left out)", history.len() + 2 - shown);
    assert!(text.ends_with(&format!("{hidden}\n")), "{hidden} in\n{text}");
}

#[test]
fn a_state_is_shown_as_what_is_other_than_before() {
    let mut story = Story::default();
    story.request("book", 0, "alice").attempt(0, 1, 1);
    for value in [r#"{"free":2,"guests":{}}"#, r#"{"free":1,"guests":{"g":"alice"}}"#] {
        story.event(Event::StateChanged {
            inv: Inv(0),
            service: "Hotel".into(),
            key: "sea".into(),
            name: "rooms".into(),
            value: Some(value.into()),
        });
    }
    let text = timeline(&story.end(), &[], Look::default());
    assert!(text.contains(r#"state Hotel/sea rooms = {"free":2,"guests":{}}"#), "{text}");
    assert!(text.contains(r#"state Hotel/sea rooms: free 2 → 1, guests.g = "alice""#), "{text}");
}

#[test]
fn with_no_width_lines_are_whole() {
    let (history, violations) = double_booking();
    for detail in [Detail::Brief, Detail::Folded, Detail::Full] {
        let text =
            timeline(&history, &violations, Look { width: WHOLE, detail, ..Look::default() });
        assert!(text.contains(&"a long text ".repeat(12)), "{text}");
        assert!(!text.contains("…\""), "{text}");
    }
}

#[test]
fn a_long_story_is_made_to_fit_a_screen_and_keeps_what_shows_the_violation() {
    let mut story = Story::default();
    story.request("book", 0, "alice").attempt(0, 1, 1);
    story.booked(0, 0, "alice", 1);
    let first = story.len() - 1;
    for inv in 1..20 {
        story.event(Event::InvocationCreated {
            inv: Inv(inv),
            id: "inv".into(),
            target: Target::new("Rooms", &inv.to_string(), "Take"),
            exclusive: true,
            origin: Origin::Call(Inv(0)),
            idempotency_key: None,
            input: "".into(),
            due: None,
        });
        story.attempt(inv, 1, 1).entry(inv, 0, "Command: Run", "take");
        story.event(Event::Completed { inv: Inv(inv), outcome: Outcome::Success("".into()) });
    }
    story.event(Event::CancelRequested { inv: Inv(7), phase: Phase::Running });
    story.booked(1, 0, "alice", 1);
    let second = story.len() - 1;
    story.answer("book", 0, "{}");
    let history = story.end();
    let violation = Violation::new("o", "", [first, second]);
    let text = timeline(&history, std::slice::from_ref(&violation), Look::default());
    assert!(text.lines().count() <= story::SCREEN + 1, "{text}");
    for kept in ["> 0.000s  hotel    booked: room 100", "> 0.000s  hotel    booked: room 101"] {
        assert!(text.contains(kept), "{kept} in\n{text}");
    }
    for kept in ["book → Bookings/alice/Book", "✂ cancel of Rooms/7/Take", "book ← 200"] {
        assert!(text.contains(kept), "{kept} in\n{text}");
    }
    // the invocation that was cancelled is no other's detail
    assert!(text.contains("accepts Rooms/7/Take") && !text.contains("journal"), "{text}");
    let folded = Look { detail: Detail::Folded, ..Look::default() };
    assert!(timeline(&history, &[violation], folded).lines().count() > story::SCREEN);
}
