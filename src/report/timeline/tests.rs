//! What a person sees of a history.

use super::*;
use crate::{
    base::{Cents, Target},
    history::{
        CallFate, CallId, Cause, Crash, Effect, End, Event, Inv, Origin, Outcome, Phase, System,
    },
    report::fixture::{Story, create_payment, double_charge},
};

#[test]
fn brief_shows_what_led_to_the_violation_and_marks_it() {
    let (history, violations) = double_charge();
    insta::assert_snapshot!(timeline(&history, &violations, Look::default()), @r#"
      0.000s  client   pay → PaymentService/alice/CreatePayment, key alice-key {"customerId":"cust-alice","amountCents":100…
      0.000s  restate  attempt 1 of PaymentService/alice/CreatePayment
      0.003s  handler  INFO charging customer=cust-alice
      0.003s  restate  state PaymentService/alice payment = {"status":"pending"}
    > 0.053s  gateway  charged cust-alice 10000 USD: ch_1 (in run charge, attempt 1)
      0.053s  fault    ⚡ crash: inside run, after the effect; 2 messages lost
      0.053s  restate  retry at 0.612s
      0.612s  restate  attempt 2 of PaymentService/alice/CreatePayment, replays 2 entries
      0.612s  handler  INFO charging customer=cust-alice
    > 0.672s  gateway  charged cust-alice 10000 USD: ch_3 (in run charge, attempt 2)
      0.672s  restate  journal 2 Run charge
      0.672s  restate  journal 3 Run result
      0.700s  restate  PaymentService/alice/CreatePayment ends: 200 {"paymentId":"alice","status":"completed","chargeId":"c…
      0.700s  client   pay ← 200 {"paymentId":"alice","status":"completed","chargeId":"ch_3"}
      0.700s  end      nothing is left to happen
              (18 more events are left out)
    "#);
}

#[test]
fn full_shows_every_event_of_every_invocation() {
    let (history, violations) = double_charge();
    let look = Look { detail: Detail::Full, ..Look::default() };
    insta::assert_snapshot!(timeline(&history, &violations, look), @r#"
      0.000s  process  process 1 started
      0.000s  client   pay → PaymentService/alice/CreatePayment, key alice-key {"customerId":"cust-alice","amountCents":100…
      0.000s  restate  accepts PaymentService/alice/CreatePayment for pay as inv_0, key alice-key {"customerId":"cust-alice…
      0.000s  restate  attempt 1 of PaymentService/alice/CreatePayment
      0.000s  restate  journal 0 Input (PaymentService/alice/CreatePayment)
      0.002s  client   other → PaymentService/bob/CreatePayment, key bob-key {"customerId":"cust-bob","amountCents":10000,"…
      0.002s  restate  accepts PaymentService/bob/CreatePayment for other as inv_1, key bob-key {"customerId":"cust-bob","a…
      0.002s  restate  attempt 1 of PaymentService/bob/CreatePayment
      0.003s  handler  INFO charging customer=cust-alice (PaymentService/alice/CreatePayment)
      0.003s  restate  journal 1 SetState payment (PaymentService/alice/CreatePayment)
      0.003s  restate  state PaymentService/alice payment = {"status":"pending"} (PaymentService/alice/CreatePayment)
      0.053s  handler  asks the gateway: charge (in run charge, attempt 1 of PaymentService/alice/CreatePayment)
    > 0.053s  gateway  charged cust-alice 10000 USD: ch_1 (in run charge, attempt 1 of PaymentService/alice/CreatePayment)
      0.053s  fault    crash_in_run at PaymentService/alice/CreatePayment#1 attempt 1 after Run(charge)
      0.053s  fault    ⚡ crash: inside run, after the effect; 2 messages lost (attempt 1 of PaymentService/alice/CreatePaym…
      0.053s  restate  attempt 1 of PaymentService/alice/CreatePayment: the connection broke: connection reset
      0.053s  restate  retry of PaymentService/alice/CreatePayment at 0.612s
      0.060s  handler  asks the gateway: charge (in run charge, attempt 1 of PaymentService/bob/CreatePayment)
      0.060s  gateway  charged cust-bob 10000 USD: ch_2 (in run charge, attempt 1 of PaymentService/bob/CreatePayment)
      0.060s  gateway  answered (in run charge, attempt 1 of PaymentService/bob/CreatePayment)
      0.060s  fault    request_delayed at PaymentService/bob/CreatePayment
      0.080s  restate  PaymentService/bob/CreatePayment ends: 200 {"status":"completed"}
      0.080s  client   other ← 200 {"status":"completed"}
      0.612s  restate  attempt 2 of PaymentService/alice/CreatePayment, replays 2 entries
      0.612s  handler  INFO charging customer=cust-alice (PaymentService/alice/CreatePayment)
      0.672s  handler  asks the gateway: charge (in run charge, attempt 2 of PaymentService/alice/CreatePayment)
    > 0.672s  gateway  charged cust-alice 10000 USD: ch_3 (in run charge, attempt 2 of PaymentService/alice/CreatePayment)
      0.672s  gateway  answered (in run charge, attempt 2 of PaymentService/alice/CreatePayment)
      0.672s  restate  journal 2 Run charge (PaymentService/alice/CreatePayment)
      0.672s  restate  journal 3 Run result (PaymentService/alice/CreatePayment)
      0.700s  restate  PaymentService/alice/CreatePayment ends: 200 {"paymentId":"alice","status":"completed","chargeId":"c…
      0.700s  client   pay ← 200 {"paymentId":"alice","status":"completed","chargeId":"ch_3"}
      0.700s  end      nothing is left to happen
    "#);
}

#[test]
fn every_event_of_restate_and_its_clients_has_words() {
    let mut story = Story::default();
    let inv = Inv(0);
    let failure = Outcome::Failure { code: 409, message: "cancelled".into() };
    story.at(1_000).event(Event::StateSeeded {
        service: "Account".into(),
        key: "abc".into(),
        name: "balance".into(),
        value: "1000".into(),
    });
    story.event(Event::RequestSent {
        request: "get".into(),
        attempt: 2,
        target: Target::new("PaymentService", "p", "GetPayment"),
        idempotency_key: None,
        body: "".into(),
    });
    story.event(Event::InvocationCreated {
        inv,
        id: "inv_0".into(),
        target: create_payment("p"),
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
            service: "PaymentService".into(),
            key: "p".into(),
            name: "payment".into(),
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
        Event::FaultsOver,
        Event::Ended { end: End::Bound { name: "events", limit: 200_000 } },
    ] {
        story.event(event);
    }
    let look = Look { detail: Detail::Full, ..Look::default() };
    let history = story.end();
    insta::assert_snapshot!(timeline(&history, &[], look), @r"
    1.000s  restate  state Account/abc balance starts as 1000
    1.000s  client   get (try 2) → PaymentService/p/GetPayment
    1.000s  restate  accepts PaymentService/p/CreatePayment sent by invocation 7, due at 86400.000s as inv_0
    1.000s  fault    ⚡ get: the request was lost
    1.000s  fault    ⚡ get (try 2): the answer was lost
    1.000s  client   get (try 3) ← 409 cancelled
    1.000s  client   get: gave up
    1.000s  restate  get joins PaymentService/p/CreatePayment
    1.000s  restate  PaymentService/p/CreatePayment waits for its object's lock
    1.000s  restate  state PaymentService/p payment is cleared
    1.000s  restate  attempt 1 suspends
    1.000s  restate  attempt 1 failed: 570 journal mismatch
    1.000s  restate  PaymentService/p/CreatePayment is paused: its retries are used up
    1.000s  restate  PaymentService/p/CreatePayment is resumed
    1.000s  restate  ✂ cancel of PaymentService/p/CreatePayment (backing off)
    1.000s  restate  ✂ kill of PaymentService/p/CreatePayment (inboxed)
    1.000s  restate  PaymentService/p/CreatePayment ends: 409 cancelled
    1.000s  fault    ⚡ process 1 crashed: its attempts and its memory are gone
    1.000s  fault    ⚡ crash: message lost; 1 message lost
    1.000s  fault    ⚡ crash: zombie
    1.000s  handler  panicked in attempt 5: index out of bounds
    1.000s  fault    no more faults from here
    1.000s  end      the bound events (200000) was reached
    1.000s  end      nothing is left to happen
    ");
}

#[test]
fn every_effect_on_the_world_has_words() {
    let mut story = Story::default();
    let key = || "k1".into();
    let effects = [
        (
            System::Gateway,
            Effect::Declined {
                customer: "cust".into(),
                reason: "card expired".into(),
                key: Some(key()),
            },
        ),
        (System::Gateway, Effect::ChargeRepeated { charge: Some("ch_1".into()), key: key() }),
        (System::Gateway, Effect::ChargeRepeated { charge: None, key: key() }),
        (
            System::Gateway,
            Effect::Refunded {
                refund: "re_1".into(),
                charge: "ch_1".into(),
                amount: Cents(30),
                key: None,
            },
        ),
        (System::Gateway, Effect::RefundRepeated { refund: Some("re_1".into()), key: key() }),
        (System::Gateway, Effect::RefundRepeated { refund: None, key: key() }),
        (System::Gateway, Effect::Voided { key: key() }),
        (System::Gateway, Effect::Rejected { reason: "no charge ch_9".into(), key: None }),
        (
            System::Mailer,
            Effect::Mailed {
                message: "msg_1".into(),
                recipient: "a@example.com".into(),
                subject: "Receipt".into(),
                key: Some(key()),
            },
        ),
        (System::Mailer, Effect::MailRepeated { message: "msg_1".into(), key: key() }),
    ];
    for (call, (system, effect)) in (0..).map(CallId).zip(effects) {
        let cause = Cause { inv: Inv(0), target: create_payment("p"), attempt: 1, run: None };
        story.event(Event::WorldCalled { call, system, operation: "do", cause });
        story.event(Event::WorldEffect { call, effect });
    }
    for fate in [CallFate::Refused, CallFate::AnswerLost, CallFate::CallerGone] {
        story.returned(0, fate);
    }
    let history = story.end();
    let text = timeline(&history, &[], Look { detail: Detail::Full, ..Look::default() });
    let effects: Vec<&str> = text.lines().filter(|line| !line.contains("asks the")).collect();
    insta::assert_snapshot!(effects.join("\n"), @r#"
    0.000s  gateway  declined cust: card expired, key k1 (outside of any run, attempt 1)
    0.000s  gateway  knows key k1, charges nothing: ch_1 again (outside of any run, attempt 1)
    0.000s  gateway  knows key k1, charges nothing: declined again (outside of any run, attempt 1)
    0.000s  gateway  refunded 30 of ch_1: re_1 (outside of any run, attempt 1)
    0.000s  gateway  knows key k1, refunds nothing: re_1 again (outside of any run, attempt 1)
    0.000s  gateway  knows key k1, refunds nothing: rejected again (outside of any run, attempt 1)
    0.000s  gateway  voided key k1 (outside of any run, attempt 1)
    0.000s  gateway  rejected: no charge ch_9 (outside of any run, attempt 1)
    0.000s  mailer   mailed a@example.com "Receipt": msg_1, key k1 (outside of any run, attempt 1)
    0.000s  mailer   knows key k1, sends nothing: msg_1 again (outside of any run, attempt 1)
    0.000s  gateway  ⚡ refused, nothing happened (outside of any run, attempt 1)
    0.000s  gateway  ⚡ the answer was lost, the handler saw a timeout (outside of any run, attempt 1)
    0.000s  gateway  answered, nobody was left to hear it (outside of any run, attempt 1)
    0.000s  end      nothing is left to happen
    "#);
}

#[test]
fn brief_follows_calls_and_leaves_out_strangers() {
    let mut story = Story::default();
    story.request("pay", 0, "alice").attempt(0, 1, 1);
    for (inv, origin, key) in [
        (1, Origin::Call(Inv(0)), "abc"),
        (2, Origin::Send(Inv(1)), "def"),
        (3, Origin::Send(Inv(9)), "xyz"),
    ] {
        story.event(Event::InvocationCreated {
            inv: Inv(inv),
            id: "inv".into(),
            target: Target::new("Account", key, "withdraw"),
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
    let withdraw = history
        .records()
        .iter()
        .position(|r| matches!(r.event, Event::AttemptStarted { inv: Inv(1), .. }))
        .expect("the fixture starts it");
    let violation = Violation { invariant: "i", message: String::new(), records: vec![withdraw] };
    let text = timeline(&history, &[violation], Look::default());
    for (what, shown) in [
        ("attempt 1 of PaymentService/alice/CreatePayment#1", true),
        ("pay → ", true),
        ("> 0.000s  restate  attempt 1 of Account/abc/withdraw", true),
        ("attempt 1 of Account/def/withdraw", true),
        ("Account/xyz", false),
        ("bob", false),
    ] {
        assert_eq!(text.contains(what), shown, "{what:?} in\n{text}");
    }
}

#[test]
fn a_violation_without_records_shows_everything_of_interest() {
    let (history, mut violations) = double_charge();
    violations[0].records.clear();
    let text = timeline(&history, &violations, Look::default());
    assert!(text.contains("cust-alice") && text.contains("cust-bob"), "{text}");
    assert!(!text.contains("\n>"), "{text}");
}

#[test]
fn text_fits_its_width_on_one_line() {
    for (text, width, expected) in [
        ("", 5, ""),
        ("abcde", 5, "abcde"),
        ("abcdef", 5, "abcd…"),
        ("äöüßé!", 5, "äöüß…"),
        ("a\n  b\tc", 9, "a b c"),
        ("\u{1b}[31mred", 9, "\u{fffd}[31mred"),
        ("abc", 0, "…"),
    ] {
        assert_eq!(shortened(text, width), expected, "{text:?}");
    }
    let (history, violations) = double_charge();
    for width in [40, 80, 120] {
        let look = Look { width, detail: Detail::Full, ..Look::default() };
        for line in timeline(&history, &violations, look).lines() {
            assert!(line.chars().count() <= width, "{line}");
        }
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let (history, violations) = double_charge();
    let plain = timeline(&history, &violations, Look::default());
    let coloured = timeline(&history, &violations, Look { paint: Paint::Ansi, ..Look::default() });
    assert_ne!(plain, coloured);
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
}
