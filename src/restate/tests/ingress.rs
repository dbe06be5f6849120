//! Clients' requests and idempotency keys.

use super::*;

#[test]
fn a_request_that_cannot_be_routed_is_answered_at_once() {
    #[track_caller]
    fn check(target: &str, code: u32, words: &str) {
        let mut b = Bench::new();
        let ticket = b.request(target, None);
        let Some(Outcome::Failure { code: got, message }) = b.reply(ticket) else {
            panic!("{target}: {:?}", b.replies)
        };
        assert!(*got == code && message.contains(words), "{got} {message}");
        assert!(b.events.is_empty());
    }
    check("Nope/k/add", 404, "service 'Nope' not found");
    check("Counter/k/nope", 404, "the handler 'nope' was not found");
    check("Counter/add", 400, "bad path");
    check("Plain/k/work", 400, "bad path");
}

#[test]
fn a_keyless_duplicate_runs_again() {
    let mut b = Bench::new();
    assert_ne!(b.invoke("Plain/work", None), b.invoke("Plain/work", None));
}

#[test]
fn a_duplicate_in_flight_joins_and_both_get_the_answer() {
    let mut b = Bench::new();
    let first = b.invoke("Plain/work", Some("a"));
    assert_eq!(b.invoke("Plain/work", Some("a")), first);
    assert!(b.events.contains(&Event::RequestAttached { request: "r2".into(), inv: first }));
    b.finish(first, "1");
    assert_eq!(b.replies, [(1, ok("1")), (2, ok("1"))]);
}

#[test]
fn the_id_is_service_key_handler_and_idempotency_key() {
    let mut b = Bench::new();
    let first = b.invoke("Counter/a/add", Some("k"));
    for (target, key) in [("Counter/b/add", "k"), ("Counter/a/other", "k"), ("Counter/a/add", "l")]
    {
        assert_ne!(b.invoke(target, Some(key)), first, "{target} {key}");
    }
}

#[test]
fn a_terminal_failure_is_stored_like_an_answer() {
    let mut b = Bench::new();
    let first = b.invoke("Plain/work", Some("a"));
    b.send(first, [output_failure(400, "no"), end()]);
    let again = b.request("Plain/work", Some("a"));
    assert_eq!(b.reply(again), Some(&failed(400, "no")));
    assert_eq!(b.starts.len(), 1);
}

#[test]
fn retention_starts_at_completion_and_frees_the_key() {
    let day = 24 * 60 * 60 * 1000;
    let mut b = Bench::new();
    let first = b.invoke("Plain/work", Some("a"));
    b.advance_ms(10 * day);
    b.finish(first, "1");
    b.advance_ms(day - 1);
    assert_eq!(b.invoke("Plain/work", Some("a")), first);
    b.advance_ms(1);
    assert_ne!(b.invoke("Plain/work", Some("a")), first);
}

#[test]
fn a_handlers_own_retention_wins() {
    let mut b = Bench::new();
    let first = b.invoke("Counter/k/impatient", Some("a"));
    b.finish(first, "1");
    b.advance_ms(1000);
    assert_ne!(b.invoke("Counter/k/impatient", Some("a")), first);
}

#[test]
fn labels_count_the_invocations_of_one_target_only() {
    let mut b = Bench::new();
    let other = b.invoke("Plain/work", None);
    let invs = [b.invoke("Counter/a/get", None), b.invoke("Counter/a/get", None)];
    let mut alone = Bench::new();
    let inv = alone.invoke("Counter/a/get", None);
    assert_eq!(&**b.engine.label(other), "Plain/work#1");
    assert_eq!(&**b.engine.label(invs[1]), "Counter/a/get#2");
    assert_eq!(alone.engine.id(inv), b.engine.id(invs[0]));
    assert_eq!(alone.start_of(inv).random_seed, b.start_of(invs[0]).random_seed);
    assert_ne!(b.start_of(invs[1]).random_seed, b.start_of(invs[0]).random_seed);
}
