//! Who an invocation is: what has a key runs again under its id.

use super::*;

fn purge(b: &mut Bench, inv: Inv) {
    b.engine.purge(b.now, inv).unwrap();
    b.drain();
}

/// The id and the random seed of an invocation, as its handler gets them.
fn identity(b: &Bench, inv: Inv) -> (Bytes, u64) {
    let start = b.start_of(inv);
    (start.id, start.random_seed)
}

#[test]
fn a_purged_key_runs_again_as_the_same_invocation() {
    for (target, key) in [("Counter/k/add", Some("a")), ("Flow/k/run", None)] {
        let mut b = Bench::new();
        let first = b.invoke(target, key);
        b.finish(first, "1");
        purge(&mut b, first);
        let again = b.invoke(target, key);
        assert_ne!(again, first, "{target}");
        assert_eq!(identity(&b, again), identity(&b, first), "{target}");
    }
}

#[test]
fn an_expired_key_runs_again_as_the_same_invocation() {
    let mut b = Bench::new();
    let first = b.invoke("Counter/k/impatient", Some("a"));
    b.finish(first, "1");
    b.advance_ms(1_000);
    let again = b.invoke("Counter/k/impatient", Some("a"));
    assert_eq!(identity(&b, again), identity(&b, first));
}

#[test]
fn what_ended_before_it_started_runs_again_as_the_same_invocation() {
    let ends: [fn(&mut Bench, Inv); 2] = [Bench::cancel, Bench::kill];
    for end in ends {
        let mut b = Bench::new();
        let holder = b.invoke("Counter/k/add", None);
        let waiting = b.invoke("Counter/k/add", Some("a"));
        let id = b.engine.id(waiting).clone();
        end(&mut b, waiting);
        let again = b.invoke("Counter/k/add", Some("a"));
        b.finish(holder, "1");
        assert_eq!((b.engine.id(again).clone(), b.phase(again)), (id, Phase::Running));
    }
}

#[test]
fn what_has_no_key_is_another_invocation_each_time() {
    let mut b = Bench::new();
    let (one, two) = (b.invoke("Plain/work", None), b.invoke("Plain/work", None));
    let three = b.invoke("Plain/work", Some("a"));
    let four = b.invoke("Plain/work", Some("b"));
    let all: std::collections::BTreeSet<_> =
        [one, two, three, four].iter().map(|inv| identity(&b, *inv)).collect();
    assert_eq!(all.len(), 4);
}

#[test]
fn a_handlers_call_with_the_clients_key_is_the_same_invocation() {
    let mut b = Bench::new();
    let first = b.invoke("Counter/k/add", Some("a"));
    b.finish(first, "1");
    purge(&mut b, first);
    let parent = b.invoke("Plain/work", None);
    b.send(parent, [call((1, 2), ("Counter", "k", "add"), Some("a"))]);
    let child = Inv(2);
    assert_eq!(identity(&b, child), identity(&b, first));
}

#[test]
fn operators_reach_what_has_the_id_now() {
    let mut b = Bench::new();
    let first = b.invoke("Counter/k/add", Some("a"));
    b.finish(first, "1");
    purge(&mut b, first);
    let unknown = AdminError::Unknown(b.engine.id(first).to_string());
    assert_eq!(b.engine.cancel(b.now, first), Err(unknown.clone()));
    assert_eq!(b.engine.kill(b.now, first), Err(unknown.clone()));
    assert_eq!(b.engine.pause(b.now, first), Err(unknown.clone()));
    assert_eq!(b.engine.resume(b.now, first), Err(unknown.clone()));
    assert_eq!(b.engine.purge(b.now, first), Err(unknown));
    let again = b.invoke("Counter/k/add", Some("a"));
    assert_eq!(b.engine.kill(b.now, first), Ok(200));
    b.drain();
    assert_eq!(b.phase(again), Phase::Completed);
}

#[test]
fn what_ended_before_it_started_is_known_no_more() {
    let mut b = Bench::new();
    let holder = b.invoke("Counter/k/add", None);
    let waiting = b.invoke("Counter/k/add", None);
    let id = Attachable::Invocation(b.engine.id(waiting).clone());
    b.kill(waiting);
    b.engine.attach(b.now, Ticket(90), "r90".into(), &id);
    b.engine.output_of(b.now, Ticket(91), &id);
    assert_eq!(b.engine.kill(b.now, waiting).unwrap_err().code(), 404);
    b.drain();
    assert_eq!(b.reply(90), Some(&failed(404, "not found")));
    assert_eq!(b.reply(91), Some(&failed(404, "invocation not found")));
    assert_eq!(b.phase(holder), Phase::Running);
}

/// What an operator asks.
type Ask = fn(&mut Engine, VirtualTime, Inv) -> Result<u32, AdminError>;

/// What the server answers an operator, by where the invocation is: the cases `*_operators` of the recording.
#[test]
fn operators_are_answered_in_the_servers_codes() {
    #[track_caller]
    fn check(bring: fn(&mut Bench) -> Inv, codes: [u32; 5]) {
        let ask: [Ask; 5] =
            [Engine::cancel, Engine::kill, Engine::pause, Engine::resume, Engine::purge];
        let told = ask.map(|ask| {
            let mut b = Bench::new();
            let inv = bring(&mut b);
            ask(&mut b.engine, b.now, inv).unwrap_or_else(|error| error.code())
        });
        assert_eq!(told, codes, "cancel, kill, pause, resume, purge");
    }
    fn running(b: &mut Bench) -> Inv {
        b.invoke("Counter/k/add", None)
    }
    fn suspended(b: &mut Bench) -> Inv {
        let inv = running(b);
        b.send(inv, [sleep(1, 100), suspension(&[1])]);
        inv
    }
    fn backing_off(b: &mut Bench) -> Inv {
        let inv = running(b);
        b.crash(inv);
        inv
    }
    fn paused(b: &mut Bench) -> Inv {
        let inv = backing_off(b);
        b.engine.pause(b.now, inv).unwrap();
        inv
    }
    fn inboxed(b: &mut Bench) -> Inv {
        running(b);
        running(b)
    }
    fn completed(b: &mut Bench) -> Inv {
        let inv = running(b);
        b.finish(inv, "1");
        inv
    }
    check(running, [202, 200, 202, 200, 409]);
    check(suspended, [202, 200, 200, 200, 409]);
    check(backing_off, [202, 200, 202, 200, 409]);
    check(paused, [202, 200, 200, 200, 409]);
    check(inboxed, [200, 200, 409, 425, 409]);
    check(completed, [409, 409, 409, 409, 200]);
}
