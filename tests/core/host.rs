//! Handlers are ordinary async Rust: tokio's clock and tasks, shared memory and panics behave in a simulated
//! process as in a real one, in virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "what users' handlers may do is what is tested"
)]

use std::{
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use onceproof::{
    Simulation,
    explore::Replayed,
    history::{CallFate, Crash, End, Event, Outcome},
    host,
    system::{Connection, World},
};
use restate_sdk::prelude::*;
use tokio::time::{Instant, sleep, timeout};

use crate::world::{Hotel, HotelRequest, pick, replayed_twice};

struct Lobby {
    hotel: Connection<Hotel>,
    /// The memory of one process.
    memory: Arc<AtomicU32>,
    gate: Arc<tokio::sync::Semaphore>,
}

impl Lobby {
    fn book(&self) -> impl Future<Output = bool> + Send + 'static {
        let call = self.hotel.call(HotelRequest::Book { guest: "bob".into(), key: None });
        async move { call.await.is_ok() }
    }
}

fn ms(of: Duration) -> u64 {
    u64::try_from(of.as_millis()).unwrap()
}

#[service(client_visibility = "pub(crate)")]
impl Lobby {
    #[handler]
    async fn sleeps(&self, ctx: Context<'_>) -> HandlerResult<u64> {
        let from = Instant::now();
        sleep(Duration::from_millis(70)).await;
        ctx.run(|| async { Ok(()) }).await?;
        Ok(ms(from.elapsed()))
    }

    /// How long a call takes, by tokio's clock.
    #[handler]
    async fn measures(&self, _ctx: Context<'_>) -> HandlerResult<u64> {
        let from = Instant::now();
        self.book().await;
        Ok(ms(from.elapsed()))
    }

    #[handler]
    async fn gives_up(&self, _ctx: Context<'_>) -> HandlerResult<u64> {
        let from = Instant::now();
        assert!(timeout(Duration::from_millis(30), self.book()).await.is_err());
        Ok(ms(from.elapsed()))
    }

    #[handler]
    async fn waits_long_enough(&self, _ctx: Context<'_>) -> HandlerResult<u64> {
        let from = Instant::now();
        assert_eq!(timeout(Duration::from_millis(300), self.book()).await, Ok(true));
        Ok(ms(from.elapsed()))
    }

    #[handler]
    async fn spawns(&self, _ctx: Context<'_>) -> HandlerResult<u64> {
        let from = Instant::now();
        let task = tokio::spawn(async {
            sleep(Duration::from_millis(40)).await;
            7
        });
        assert_eq!(task.await?, 7);
        Ok(ms(from.elapsed()))
    }

    #[handler]
    async fn spawns_a_call(&self, _ctx: Context<'_>) -> HandlerResult<u64> {
        let from = Instant::now();
        let call = self.book();
        let task = tokio::spawn(async move {
            sleep(Duration::from_millis(5)).await;
            call.await
        });
        assert!(task.await?);
        Ok(ms(from.elapsed()))
    }

    #[handler]
    async fn ticks(&self, _ctx: Context<'_>) -> HandlerResult<u64> {
        let from = Instant::now();
        let mut interval = tokio::time::interval(Duration::from_millis(25));
        for _ in 0..4 {
            interval.tick().await;
        }
        Ok(ms(from.elapsed()))
    }

    #[handler]
    async fn calls_twice_at_once(&self, _ctx: Context<'_>) -> HandlerResult<u64> {
        let from = Instant::now();
        let other = tokio::spawn(self.book());
        assert!(self.book().await && other.await?);
        Ok(ms(from.elapsed()))
    }

    /// One at a time passes: the others of the process wait for its memory.
    #[handler]
    async fn takes_turns(&self, _ctx: Context<'_>) -> HandlerResult<u64> {
        let from = Instant::now();
        let _turn = self.gate.acquire().await?;
        self.book().await;
        Ok(ms(from.elapsed()))
    }

    /// What the process has counted to, after a nap.
    #[handler]
    async fn counts(&self, ctx: Context<'_>) -> HandlerResult<u32> {
        let counted = self.memory.fetch_add(1, Ordering::Relaxed) + 1;
        ctx.sleep(Duration::from_secs(1)).await?;
        Ok(counted)
    }

    /// Leaves a task behind that calls later.
    #[handler]
    async fn leaves(&self, ctx: Context<'_>) -> HandlerResult<()> {
        let call = self.book();
        tokio::spawn(async move {
            sleep(Duration::from_millis(100)).await;
            call.await
        });
        ctx.run(|| async { Ok(()) }).name("point").await?;
        Ok(())
    }

    #[handler]
    async fn panics_once(&self, _ctx: Context<'_>) -> HandlerResult<u64> {
        if self.memory.fetch_add(1, Ordering::Relaxed) == 0 {
            panic!("first {}", "time");
        }
        Ok(0)
    }

    #[handler]
    async fn task_panics(&self, _ctx: Context<'_>) -> HandlerResult<u64> {
        let joined = tokio::spawn(async { panic!("in a task") }).await;
        assert!(joined.is_err_and(|e| e.is_panic()));
        Ok(0)
    }

    /// Polls a future that is over: the panic is in a crate from the registry.
    #[handler]
    async fn polls_too_much(&self, ctx: Context<'_>) -> HandlerResult<u64> {
        let mut over = std::pin::pin!(ctx.sleep(Duration::ZERO).into_future());
        over.as_mut().await?;
        over.await?;
        Ok(0)
    }

    #[handler]
    async fn hangs(&self, _ctx: Context<'_>) -> HandlerResult<u64> {
        std::future::pending().await
    }

    #[handler]
    async fn spins(&self, _ctx: Context<'_>) -> HandlerResult<u64> {
        loop {
            tokio::task::yield_now().await;
        }
    }

    #[handler]
    async fn greets(&self, ctx: Context<'_>) -> HandlerResult<String> {
        let header = |name| ctx.headers().get(name).map_or("none", |value| value.as_str());
        Ok(format!("{}, {}", header("x-guest"), header("content-type")))
    }
}

struct Knot;

#[object(client_visibility = "pub(crate)")]
impl Knot {
    #[handler]
    async fn ask(&self, ctx: ObjectContext<'_>, other: String) -> HandlerResult<()> {
        let me = ctx.key().to_owned();
        ctx.sleep(Duration::from_millis(10)).await?;
        ctx.object_client::<KnotClient<'_>>(other).ask(me).call().await?;
        Ok(())
    }
}

fn lobby(world: &World) -> host::Endpoint {
    let (memory, gate) = (Arc::default(), Arc::new(tokio::sync::Semaphore::new(1)));
    let lobby = Lobby { hotel: world.connect(), memory, gate };
    onceproof::endpoint!(Endpoint::builder().bind(lobby).bind(Knot).build())
}

fn one(handler: &str, rest: &str) -> String {
    steps(&format!(r#"{{ "id": "one", "call": "Lobby/{handler}" }}"#), rest)
}

fn steps(steps: &str, rest: &str) -> String {
    let comma = if rest.is_empty() { "" } else { "," };
    format!(
        r#"{{ "title": "t", "steps": [{steps}], "world": {{ "hotel": {{ "latency_ms": 100 }} }},
              "invariants": ["nothing_stuck", "invocations_complete"] {comma} {rest} }}"#
    )
}

/// Runs seed 0, twice.
#[track_caller]
fn run(text: &str) -> Replayed {
    let simulation = Simulation::new(lobby).system::<Hotel>();
    replayed_twice(&simulation.scenario_text("host.json", text).jobs(1), 0)
}

/// Successful answers, and when they came.
fn answers(seen: &Replayed) -> Vec<(String, u64)> {
    pick(seen, |r| match &r.event {
        Event::ReplyReceived { outcome: Outcome::Success(body), .. } => {
            Some((body.text().into_owned(), r.at.as_millis()))
        }
        _ => None,
    })
}

fn messages(seen: &Replayed) -> Vec<&str> {
    pick(seen, |r| match &r.event {
        Event::AttemptFailed { message, .. } => Some(message.as_str()),
        _ => None,
    })
}

// ---- time and tasks -----------------------------------------------------------------------------

/// The handler answers after `took` ms, and has measured `took` itself; its world calls end so, at these times.
#[track_caller]
fn check_time(handler: &str, took: u64, calls: &[(CallFate, u64)]) {
    let seen = run(&one(handler, ""));
    assert_eq!(answers(&seen), [(took.to_string(), took)], "{handler}: {:?}", messages(&seen));
    let ends = pick(&seen, |r| match r.event {
        Event::SystemReturned { fate, .. } => Some((fate, r.at.as_millis())),
        _ => None,
    });
    assert_eq!(ends, calls, "{handler}");
    assert!(seen.violations.is_empty(), "{handler}: {:?}", seen.violations);
}

#[test]
fn tokio_in_a_handler_lives_in_virtual_time() {
    use CallFate::{Answered, CallerGone};
    check_time("sleeps", 70, &[]);
    check_time("measures", 100, &[(Answered, 100)]);
    check_time("gives_up", 30, &[(CallerGone, 100)]);
    check_time("waits_long_enough", 100, &[(Answered, 100)]);
    check_time("spawns", 40, &[]);
    check_time("spawns_a_call", 105, &[(Answered, 105)]);
    check_time("ticks", 75, &[]);
    check_time("calls_twice_at_once", 100, &[(Answered, 100), (Answered, 100)]);
    check_time("takes_turns", 100, &[(Answered, 100)]);
    check_time("task_panics", 0, &[]);
}

#[test]
fn handlers_of_one_process_wake_each_other() {
    let three = r#"{ "id": "one", "call": "Lobby/takes_turns", "copies": 3 }"#;
    let seen = run(&steps(three, ""));
    let came: Vec<u64> = answers(&seen).into_iter().map(|(_, at)| at).collect();
    assert_eq!(came, [100, 200, 300]);
}

// ---- processes ----------------------------------------------------------------------------------

#[test]
fn a_process_crash_loses_memory_and_tasks() {
    let two = r#"{ "id": "one", "call": "Lobby/counts" }, { "id": "two", "call": "Lobby/counts", "at_ms": 10 },
                 { "id": "left", "call": "Lobby/leaves", "at_ms": 50 }"#;
    let quiet = run(&steps(two, ""));
    let counted: Vec<_> = answers(&quiet).into_iter().map(|(text, _)| text).collect();
    assert_eq!(counted, ["", "1", "2"].map(String::from));
    let called = |seen| {
        pick(seen, |r| matches!(r.event, Event::SystemCalled { .. }).then_some(r.at.as_millis()))
    };
    assert_eq!(called(&quiet), [150]);

    // faults begin with the first message, so the first process dies young, and again and again
    let seen = run(&steps(two, r#""faults": { "process_crash": 1, "until_ms": 50 }"#));
    let crashed: Vec<_> = pick(&seen, |r| {
        matches!(r.event, Event::ProcessCrashed { .. }).then_some(r.at.as_millis())
    });
    assert_eq!(crashed, [0, 10, 50]);
    let how =
        pick(
            &seen,
            |r| if let Event::AttemptCrashed { how, .. } = r.event { Some(how) } else { None },
        );
    assert_eq!(how, [Crash::Process; 3]);
    assert_eq!(called(&seen).len(), 1, "only the second attempt leaves a task that lives");
    assert!(called(&seen)[0] > 600);
    let counted: Vec<_> = answers(&seen).into_iter().map(|(text, _)| text).collect();
    assert_eq!(counted, ["", "1", "2"].map(String::from), "the count began again");
    assert!(seen.violations.is_empty(), "{:?}", seen.violations);
}

#[test]
fn a_crashed_attempts_task_lives_on_in_its_process() {
    let seen =
        run(&one("leaves", r#""faults": { "crash_at": ["Lobby/leaves before run point"] }"#));
    let called =
        pick(&seen, |r| matches!(r.event, Event::SystemCalled { .. }).then_some(r.at.as_millis()));
    assert_eq!(called.len(), 2, "{called:?}");
    assert_eq!(called[0], 100);
}

#[test]
fn each_deployment_has_a_process_with_a_clock_and_tasks_of_its_own() {
    let two = r#"{ "id": "sleeps", "call": "Lobby/sleeps" }, { "id": "ticks", "call": "Lobby/ticks", "at_ms": 5 },
                 { "id": "next", "deploy": {}, "at_ms": 10 },
                 { "id": "later", "call": "Lobby/sleeps", "at_ms": 20 },
                 { "id": "spawns", "call": "Lobby/spawns", "at_ms": 75 }"#;
    let seen = run(&steps(two, ""));
    let took = [("70", 70), ("75", 80), ("70", 90), ("40", 115)];
    assert_eq!(answers(&seen), took.map(|(took, at)| (took.to_owned(), at)));
    assert!(seen.violations.is_empty(), "{:?}", seen.violations);

    // the process of the second dies again and again; a task of the first does what it is to do
    let two = r#"{ "id": "left", "call": "Lobby/leaves" }, { "id": "next", "deploy": {}, "at_ms": 10 },
                 { "id": "counts", "call": "Lobby/counts", "at_ms": 50 }"#;
    let faults =
        r#""faults": { "process_crash": { "rate": 1, "on": ["Lobby/counts"] }, "until_ms": 60 }"#;
    let seen = run(&steps(two, faults));
    let crashed = pick(&seen, |r| match r.event {
        Event::ProcessCrashed { process } => Some(process),
        _ => None,
    });
    assert_eq!(crashed, [2]);
    let called =
        pick(&seen, |r| matches!(r.event, Event::SystemCalled { .. }).then_some(r.at.as_millis()));
    assert_eq!(called, [100]);
    assert!(seen.violations.is_empty(), "{:?}", seen.violations);
}

// ---- panics and hangs ---------------------------------------------------------------------------

#[test]
fn a_panic_is_kept_and_retried() {
    let seen = run(&one("panics_once", ""));
    let panics = pick(&seen, |r| match &r.event {
        Event::HandlerPanicked { attempt, message, .. } => Some((*attempt, message.clone())),
        _ => None,
    });
    assert_eq!(panics.len(), 1);
    assert_eq!(panics[0].0, 1);
    assert!(panics[0].1.starts_with("first time at tests/core/host.rs:"), "{}", panics[0].1);
    assert_eq!(messages(&seen).len(), 1);
    assert_eq!(answers(&seen)[0].0, "0");
}

#[test]
fn a_panic_in_a_dependency_names_no_folder_of_this_machine() {
    let seen = run(&one("polls_too_much", r#""restate": { "retry_max_attempts": 1 }"#));
    let panics = pick(&seen, |r| match &r.event {
        Event::HandlerPanicked { message, .. } => Some(message.as_str()),
        _ => None,
    });
    assert_eq!(panics.len(), 1, "{:?}", messages(&seen));
    assert!(panics[0].contains(" at futures-util-"), "{}", panics[0]);
}

/// Not a test of its own: what the other process does.
#[test]
fn other_process() {
    if std::env::var_os("ONCEPROOF_PANICS").is_some() {
        run(&one("panics_once", ""));
        run(&one("task_panics", ""));
    }
}

#[test]
fn a_panic_of_a_handler_is_not_printed() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "host::other_process", "--nocapture"])
        .env("ONCEPROOF_PANICS", "1")
        .output()
        .unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(!printed.contains("panicked"), "{printed}");
}

#[test]
fn a_handler_that_hangs_is_reported() {
    let seen = run(&one("hangs", ""));
    assert!(matches!(
        seen.history.records().last().unwrap().event,
        Event::Ended { end: End::Quiet }
    ));
    // each attempt is asked to suspend after a minute, and cut off when it does not
    let found: Vec<_> =
        seen.violations.iter().map(|v| (v.oracle.as_str(), v.message.as_str())).collect();
    let [("nothing_stuck", message)] = found[..] else { panic!("{found:?}") };
    assert!(message.contains("Lobby/hangs is paused since"), "{message}");
    assert!(message.contains("its retries used up"), "{message}");
}

#[test]
fn a_handler_that_spins_is_cut_off() {
    let seen = run(&one("spins", r#""restate": { "retry_max_attempts": 2 }"#));
    let messages = messages(&seen);
    assert_eq!(messages.len(), 2);
    assert!(messages[0].contains("woke itself 100000 times in a row"), "{}", messages[0]);
}

// ---- services and circles -----------------------------------------------------------------------

#[test]
fn a_service_without_keys_sees_headers_and_takes_requests_at_once() {
    let greeted = r#"{ "id": "one", "call": "Lobby/greets", "headers": { "x-guest": "anne" } }"#;
    let seen = run(&steps(greeted, ""));
    assert_eq!(answers(&seen)[0].0, r#""anne, none""#, "without a body there is no type of it");
    let seen = run(&steps(r#"{ "id": "one", "call": "Lobby/measures", "copies": 5 }"#, ""));
    assert_eq!(answers(&seen), vec![("100".to_owned(), 100); 5]);
}

#[test]
fn objects_that_wait_for_each_other_are_named() {
    let seen = run(&steps(
        r#"{ "id": "one", "call": "Knot/a/ask", "body": "b" }, { "id": "two", "call": "Knot/b/ask", "body": "a" }"#,
        "",
    ));
    let found: Vec<_> =
        seen.violations.iter().map(|v| (v.oracle.as_str(), v.message.as_str())).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "nothing_stuck");
    assert!(found[0].1.contains("Knot/a/ask") && found[0].1.contains("Knot/b/ask"), "{found:?}");
}

#[test]
fn handlers_share_nothing_between_runs() {
    let factories = Arc::new(Mutex::new(0));
    let counter = factories.clone();
    let simulation = Simulation::new(move |world| {
        *counter.lock().unwrap() += 1;
        lobby(world)
    })
    .system::<Hotel>()
    .scenario_text("host.json", one("counts", ""))
    .jobs(1);
    for _ in 0..3 {
        let seen = simulation.replay(0).unwrap();
        assert_eq!(answers(&seen), [("1".to_owned(), 1_000)]);
    }
    assert!(*factories.lock().unwrap() >= 3, "each run builds a process of its own");
}
