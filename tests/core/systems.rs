//! Systems of a user: which attempt their calls belong to, which faults strike them, how long what they share lives,
//! and what becomes of their mistakes.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    reason = "what users' handlers may do is what is tested"
)]

use std::sync::{Mutex, Weak};

use crate::world::*;

// ---- callers ------------------------------------------------------------------------------------

/// A system that does nothing but say who called it.
struct Porter;

#[derive(Debug, serde::Serialize)]
struct Carried {
    bag: String,
    by: Option<String>,
}

impl Effect for Carried {
    const KIND: &'static str = "carried";
}

impl System for Porter {
    const NAME: &'static str = "porter";
    type Config = ();
    type Request = String;
    type Response = ();

    fn new(_: &()) -> Self {
        Self
    }

    fn handle(&mut self, bag: &String, cx: &mut Call<'_>) -> Result<(), Rejected> {
        let by = cx.caller().map(|c| format!("{} attempt {}", c.label, c.attempt));
        cx.effect(Carried { bag: bag.clone(), by });
        Ok(())
    }
}

struct Hall {
    porter: Connection<Porter>,
}

#[object(client_visibility = "pub(crate)")]
impl Hall {
    /// Leaves a task behind that calls after a while.
    #[handler]
    async fn leaves_a_task(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        let (porter, bag) = (self.porter.clone(), ctx.key().to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            porter.call(bag).await
        });
        ctx.run(|| async { Ok(()) }).name("point").await?;
        Ok(())
    }

    /// Leaves a task behind that awaits what the handler called, after a while.
    #[handler]
    async fn leaves_a_call(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        let call = self.porter.call(ctx.key().to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            call.await
        });
        ctx.run(|| async { Ok(()) }).name("point").await?;
        Ok(())
    }

    /// Waits for a task that calls.
    #[handler]
    async fn joins_a_task(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        let (porter, bag) = (self.porter.clone(), ctx.key().to_owned());
        tokio::spawn(async move { porter.call(bag).await }).await??;
        Ok(())
    }

    #[handler]
    async fn calls(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        let (porter, bag) = (self.porter.clone(), ctx.key().to_owned());
        ctx.run(|| async move { Ok(porter.call(bag).await?) }).name("carry").await?;
        Ok(())
    }
}

fn hall(steps: &str, rest: &str) -> Replayed {
    let simulation = Simulation::new(|world| {
        onceproof::endpoint!(Endpoint::builder().bind(Hall { porter: world.connect() }).build())
    })
    .system::<Porter>();
    replayed_twice(&simulation.scenario_text("hall.json", scenario(steps, rest)).jobs(1), 0)
}

/// Whose calls they are, by bag: what the history says. The system sees the same.
#[track_caller]
fn callers(seen: &Replayed) -> Vec<(String, Option<String>)> {
    let label = |inv: u32| format!("inv {inv}");
    let mut by_history = pick(seen, |r| match &r.event {
        Event::SystemCalled { request, cause, .. } => {
            let cause = cause.as_ref().map(|c| format!("{} attempt {}", label(c.inv.0), c.attempt));
            Some((request.downcast::<String>().unwrap().clone(), cause))
        }
        _ => None,
    });
    let by_system = pick(seen, |r| match &r.event {
        Event::SystemEffect { effect, .. } => effect.downcast::<Carried>(),
        _ => None,
    });
    assert_eq!(by_history.len(), by_system.len(), "each call is carried out once");
    for ((bag, cause), carried) in by_history.iter().zip(by_system) {
        let attempt = |text: &String| text.rsplit(' ').next().map(str::to_owned);
        assert_eq!(*bag, carried.bag);
        assert_eq!(cause.as_ref().map(attempt), carried.by.as_ref().map(attempt), "{bag}");
    }
    by_history.sort();
    by_history
}

/// Objects a, b and c meet in time: each leaves something behind while others run.
fn three(handler: &str) -> String {
    let step = |key: &str, at: u64| {
        format!(r#"{{ "id": "{key}", "call": "Hall/{key}/{handler}", "at_ms": {at} }}"#)
    };
    let other = r#"{ "id": "d", "call": "Hall/d/calls", "at_ms": 10 }"#;
    [step("a", 0), step("b", 4), step("c", 10), other.to_owned()].join(", ")
}

#[test]
fn a_call_by_a_background_task_belongs_to_no_attempt() {
    for handler in ["leaves_a_task", "joins_a_task"] {
        let seen = hall(&three(handler), "");
        let none = |bag: &str| (bag.to_owned(), None);
        let own = pick(&seen, |r| match &r.event {
            Event::InvocationCreated { inv, target, .. } if &*target.key == "d" => Some(inv.0),
            _ => None,
        });
        let d = ("d".to_owned(), Some(format!("inv {} attempt 1", own[0])));
        assert_eq!(callers(&seen), [none("a"), none("b"), none("c"), d], "{handler}");
        assert!(seen.violations.is_empty(), "{:?}", seen.violations);
    }
}

#[test]
fn a_call_that_a_handler_made_belongs_to_its_attempt_wherever_it_is_awaited() {
    let seen = hall(&three("leaves_a_call"), "");
    let by = |bag: &str, inv: u32| (bag.to_owned(), Some(format!("inv {inv} attempt 1")));
    let created = pick(&seen, |r| match &r.event {
        Event::InvocationCreated { inv, target, .. } => Some((target.key.to_string(), inv.0)),
        _ => None,
    });
    let expected: BTreeSet<_> = created.iter().map(|(key, inv)| by(key, *inv)).collect();
    assert_eq!(callers(&seen).into_iter().collect::<BTreeSet<_>>(), expected);
    assert_eq!(expected.len(), 4);
}

#[test]
fn a_call_of_an_attempt_that_died_belongs_to_it_and_not_to_the_next() {
    let crash = r#""faults": { "crash_at": ["Hall/*/leaves_a_call before run point"] }"#;
    let seen = hall(r#"{ "id": "a", "call": "Hall/a/leaves_a_call" }"#, crash);
    let by = |attempt: u32| ("a".to_owned(), Some(format!("inv 0 attempt {attempt}")));
    assert_eq!(callers(&seen), [by(1), by(2)]);
    let causes = pick(&seen, |r| match &r.event {
        Event::SystemCalled { cause, .. } => Some((cause.as_ref()?.attempt, r.at.as_millis())),
        _ => None,
    });
    assert_eq!(causes[0], (1, 10), "the task of the dead attempt lives on in its process");
}

#[test]
fn a_crash_in_a_run_strikes_no_attempt_that_is_dead() {
    // the dead attempt's call leaves at 10 ms
    let faults = r#""faults": { "crash_at": ["Hall/*/leaves_a_call before run point"], "crash_in_run": 1, "until_ms": 20 }"#;
    let seen = hall(r#"{ "id": "a", "call": "Hall/a/leaves_a_call" }"#, faults);
    assert_eq!(fired(&seen, "crash_in_run"), [""; 0]);
    assert_eq!(fates(&seen), [CallFate::Answered; 2], "its task gets an answer");
}

// ---- faults -------------------------------------------------------------------------------------

#[test]
fn every_fault_of_the_outside_world_strikes_a_users_system_and_is_counted() {
    for fault in Fault::ALL.iter().map(|(fault, _)| *fault).filter(|fault| fault.strikes_systems())
    {
        let text = one(
            "book",
            &format!(
                r#""faults": {{ "{fault}": {{ "rate": 1, "on": ["hotel"] }}, "until_ms": 0 }}, "runs": 10"#
            ),
        );
        let seen = run(&text, 1);
        let places = fired(&seen, fault.name());
        assert_eq!(places, ["Bookings/a/book#1 attempt 1 at hotel book in Run(book)"], "{fault}");
        let simulation = simulation(&text);
        let (_, explored) = explored(&simulation);
        let counts = explored.report.faults[fault.name()];
        assert_eq!((counts.planned, counts.fired, counts.effective), (10, 10, 10), "{fault}");
        assert_eq!(
            explored.report.verdict,
            ScenarioVerdict::Held,
            "{fault}: {:?}",
            explored.report.notes
        );
    }
}

#[test]
fn a_system_is_down_when_the_scenario_says_so() {
    let text = one("book", r#""world": { "hotel": { "outages": [[0, 3000], [5000, 60000]] } }"#);
    let seen = run(&text, 0);
    let calls =
        pick(&seen, |r| matches!(r.event, Event::SystemCalled { .. }).then_some(r.at.as_millis()));
    let fates = fates(&seen);
    assert_eq!(calls.len(), fates.len());
    assert!(calls.len() > 2, "{calls:?}");
    for (at, fate) in calls.iter().zip(&fates) {
        let down = (0..3_000).contains(at) || (5_000..60_000).contains(at);
        assert_eq!(*fate == CallFate::Refused, down, "at {at} ms");
    }
    assert_eq!((rooms(&seen), fates.last()), (1, Some(&CallFate::Answered)));
    let any = pick(&seen, |r| matches!(r.event, Event::FaultFired { .. }).then_some(()));
    assert!(any.is_empty(), "it is the world as planned, and no fault");
}

#[test]
fn faults_of_a_systems_own_are_counted_under_its_name() {
    let step = r#"{ "id": "news", "call": "Bookings/a/hook", "body": 1, "from": "agency" }"#;
    let faults =
        r#""faults": { "agency.forged": 1, "agency.stale": 0.5, "until_ms": 0 }, "runs": 40"#;
    let (_, explored) = explored(&simulation(&scenario(step, faults)));
    let names: Vec<_> = explored.report.faults.keys().map(String::as_str).collect();
    assert_eq!(names, ["agency.forged", "agency.stale"]);
    let counts = explored.report.faults["agency.forged"];
    assert_eq!((counts.planned, counts.fired, counts.effective), (40, 40, 40));
    let stale = explored.report.faults["agency.stale"];
    assert!((5..35).contains(&stale.fired), "{stale:?}");
    let unknown = simulation(&scenario(step, r#""faults": { "agency.forgd": 1 }"#)).explore();
    let message = unknown.unwrap_err().to_string();
    assert!(message.contains("did you mean `forged`"), "{message}");
}

// ---- what outlives processes --------------------------------------------------------------------

/// Which processes were built around it, in order.
#[derive(Default)]
struct Ledger(Mutex<Vec<u32>>);

/// Every ledger that any run had; each as long as something holds it.
type Ledgers = Arc<Mutex<Vec<Weak<Ledger>>>>;

#[test]
fn what_a_world_shares_lives_as_long_as_its_run() {
    let ledgers = Ledgers::default();
    let processes = Arc::new(Mutex::new(Vec::new()));
    let (seen, built) = (ledgers.clone(), processes.clone());
    let simulation = Simulation::new(move |world| {
        let ledger: Arc<Ledger> = world.shared();
        ledger.0.lock().unwrap().push(world.run().process);
        seen.lock().unwrap().push(Arc::downgrade(&ledger));
        built.lock().unwrap().push((world.run().seed, ledger.0.lock().unwrap().clone()));
        assert!(Arc::ptr_eq(&ledger, &world.shared()), "there is one of each type");
        let hall = Hall { porter: world.connect() };
        onceproof::endpoint!(Endpoint::builder().bind(hall).bind(Held(ledger)).build())
    })
    .system::<Porter>()
    .scenario_text(
        "shared.json",
        scenario(
            r#"{ "id": "a", "call": "Hall/a/calls" }, { "id": "b", "call": "Hall/b/calls", "at_ms": 10 }"#,
            r#""faults": { "process_crash": 1, "until_ms": 10 }, "order": "fifo""#,
        ),
    )
    .jobs(1);
    for seed in 1..4 {
        processes.lock().unwrap().clear();
        let replayed = simulation.replay(seed).unwrap();
        let crashes =
            pick(&replayed, |r| matches!(r.event, Event::ProcessCrashed { .. }).then_some(()));
        assert_eq!(crashes.len(), 2);
        let of_this: Vec<_> = processes
            .lock()
            .unwrap()
            .iter()
            .filter(|(s, _)| *s == Seed(seed))
            .map(|(_, l)| l.clone())
            .collect();
        assert_eq!(
            of_this,
            [vec![1], vec![1, 2], vec![1, 2, 3]],
            "each finds what the one before it left"
        );
        let alive =
            ledgers.lock().unwrap().iter().filter(|ledger| ledger.strong_count() > 0).count();
        assert_eq!(alive, 0, "nothing is left when the run is over");
    }
}

/// A service that holds a ledger, as a user's fake does.
struct Held(Arc<Ledger>);

#[service]
impl Held {
    #[handler]
    async fn count(&self, _ctx: Context<'_>) -> HandlerResult<u32> {
        Ok(u32::try_from(self.0.0.lock().unwrap().len())?)
    }
}

// ---- mistakes -----------------------------------------------------------------------------------

#[test]
fn a_connection_to_a_system_that_is_not_registered_is_an_error_that_names_it() {
    let without = || {
        Simulation::new(|world| {
            onceproof::endpoint!(Endpoint::builder().bind(Hall { porter: world.connect() }).build())
        })
        .scenario_text("hall.json", scenario(r#"{ "id": "a", "call": "Hall/a/calls" }"#, ""))
    };
    let why = "the services are built with a connection to the system `porter`, which is not registered; add `.system::<...>()`";
    assert_eq!(without().replay(0).unwrap_err().to_string(), why);
    assert_eq!(without().explore().unwrap_err().to_string(), why);
    assert_eq!(without().system::<Hotel>().try_check().unwrap_err().to_string(), why);
    assert_eq!(without().system::<Porter>().try_check().map_err(|e| e.to_string()), Ok(()));
    assert_eq!(
        without().system::<OtherPorter>().try_check().unwrap_err().to_string(),
        why,
        "another type of the same name is another system"
    );
}

/// Another system of the same name, whose books never agree.
struct OtherPorter;

impl System for OtherPorter {
    const NAME: &'static str = "porter";
    type Config = ();
    type Request = String;
    type Response = ();

    fn new(_: &()) -> Self {
        Self
    }

    fn handle(&mut self, bag: &String, cx: &mut Call<'_>) -> Result<(), Rejected> {
        let carried = || Carried { bag: bag.clone(), by: None };
        cx.effect(carried());
        // neither changes anything, and neither is audited
        cx.repeated(carried());
        cx.note(carried());
        Ok(())
    }

    fn audit(&self, effects: &[&EffectRecord]) -> Result<(), String> {
        match effects.len() {
            0 => Ok(()),
            some => Err(format!("{some} bags were carried, and none was counted")),
        }
    }
}

struct Door {
    porter: Connection<OtherPorter>,
}

#[service]
impl Door {
    #[handler]
    async fn opens(&self, _ctx: Context<'_>) -> HandlerResult<()> {
        Ok(self.porter.call("bag".to_owned()).await?)
    }
}

#[test]
fn books_that_differ_fail_the_scenario_whatever_it_asks_for() {
    let simulation = || {
        Simulation::new(|world| {
            onceproof::endpoint!(Endpoint::builder().bind(Door { porter: world.connect() }).build())
        })
        .system::<OtherPorter>()
        .scenario_text(
            "door.json",
            scenario(r#"{ "id": "a", "call": "Door/opens" }"#, r#""runs": 3"#),
        )
        .jobs(1)
    };
    let seen = replayed_twice(&simulation(), 0);
    let differ = pick(&seen, |r| match &r.event {
        Event::BooksDiffer { system, difference } => {
            Some((system.to_string(), difference.as_str()))
        }
        _ => None,
    });
    let difference = "1 bags were carried, and none was counted";
    assert_eq!(differ, [("porter".to_owned(), difference)]);
    assert_eq!(violated(&seen), ["systems"]);
    let (_, explored) = explored(&simulation());
    assert_eq!(explored.report.verdict, ScenarioVerdict::Violated);
    let message = simulation().try_check().unwrap_err().to_string();
    assert!(
        message.contains("the porter's books differ") && message.contains(difference),
        "{message}"
    );
}

/// A system with a defect.
struct Fragile;

impl System for Fragile {
    const NAME: &'static str = "fragile";
    type Config = ();
    type Request = String;
    type Response = ();

    fn new(_: &()) -> Self {
        Self
    }

    fn handle(&mut self, what: &String, cx: &mut Call<'_>) -> Result<(), Rejected> {
        let breaks = what == "a vase" || cx.fault("cracked");
        assert!(!breaks, "it broke at {what}");
        Ok(())
    }
}

struct Shelf {
    fragile: Connection<Fragile>,
}

#[service]
impl Shelf {
    #[handler]
    async fn touches(&self, _ctx: Context<'_>, what: String) -> HandlerResult<()> {
        Ok(self.fragile.call(what).await?)
    }
}

fn shelf(what: &str) -> Simulation {
    Simulation::new(|world| {
        onceproof::endpoint!(Endpoint::builder().bind(Shelf { fragile: world.connect() }).build())
    })
    .system::<Fragile>()
    .scenario_text(
        "shelf.json",
        scenario(
            &format!(r#"{{ "id": "a", "call": "Shelf/touches", "body": "{what}" }}"#),
            r#""runs": 3, "bounds": { "attempts": 3 }"#,
        ),
    )
    .jobs(2)
}

#[test]
fn a_system_that_panics_is_reported_with_its_name_and_a_seed() {
    let cases = [
        ("a vase", "systems: the fragile panicked: it broke at a vase at tests/core/systems.rs:"),
        // a fault that no scenario could name
        (
            "a lock",
            "systems: the fragile panicked: the fragile has no fault `cracked`; its FAULTS are [] at tests/core/systems.rs:",
        ),
    ];
    for (what, message) in cases {
        let simulation = shelf(what);
        let seen = replayed_twice(&simulation, 0);
        let refused = fates(&seen).iter().all(|fate| *fate == CallFate::Refused);
        assert!(refused, "its caller does not wait for ever");
        let report = simulation.try_check().unwrap_err().to_string();
        for part in [message, "seed 0"] {
            assert!(report.contains(part), "{part:?} is not in {report}");
        }
    }
}
