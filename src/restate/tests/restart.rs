//! A restart loses attempts and connections, and nothing that was stored.

use super::*;

#[test]
fn running_and_backing_off_invocations_start_anew_at_once_with_all_their_retries() {
    let mut b = Bench::new();
    let running = b.invoke("Plain/work", None);
    b.send(running, [run(1, "x")]);
    let backing_off = b.invoke("Plain/work", None);
    b.crash(backing_off);
    let waiting = b.invoke("Counter/k/add", None);
    let inboxed = b.invoke("Counter/k/add", None);
    assert_eq!(b.phase(inboxed), Phase::Inboxed);

    let lost = b.engine.restart(b.now);
    b.drain();
    assert_eq!(lost.len(), 4, "every client waits for an answer");
    assert_eq!(b.events.iter().filter(|e| **e == Event::Restarted).count(), 1);
    for inv in [running, backing_off, waiting] {
        assert_eq!(b.phase(inv), Phase::Running);
        assert_eq!(b.start_of(inv).retry_count_since_last_stored_entry, 0);
    }
    // The input and the run's command were stored.
    assert_eq!(b.start_of(running).known_entries, 2);
    assert_eq!(b.phase(inboxed), Phase::Inboxed);
    assert_eq!(b.engine.next_timer(), None, "the retry has happened");
    // Nobody is told how it ended.
    b.send(backing_off, [output("1"), end()]);
    assert_eq!(b.replies, []);
}
