//! Files of reproducers: what they survive, and what they refuse.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    base::Target,
    choice::Rate,
    scenario::plan::{
        Action, Calls, CrashPoint, Drawn, EntryKind, Fault, FaultName, Goal, Millis, Mixed,
        OpeningState, Plan, Side, Step, SystemPlan, Taken, Until, Values, Wait,
    },
};

fn scenario(plan: Plan) -> Scenario {
    Scenario {
        title: "book twice".to_owned(),
        why: String::new(),
        plan,
        invariants: vec!["booked_at_most_once".to_owned()],
        without_twin: false,
        must_violate: None,
        expect: Vec::new(),
        runs: 100,
    }
}

fn example() -> Reproducer {
    let steps = vec![Step {
        request: "book".to_owned(),
        step: "book".to_owned(),
        action: Action::Call {
            target: Target::new("Bookings", "b-1", "Book"),
            body: r#"{"nights":2}"#.to_owned(),
            idempotency_key: None,
            from: None,
            faults: Vec::new(),
            headers: BTreeMap::new(),
        },
        at_ms: Millis { from: 0, to: 5 },
        ..Step::default()
    }];
    Reproducer::new(
        "scenarios/book twice.json".to_owned(),
        scenario(Plan { steps, ..Plan::default() }),
        Seed(42),
        Tape::new(BTreeMap::from([("crash @ Bookings/b-1".to_owned(), 1)])),
        ReproducedVerdict {
            oracle: "booked_at_most_once".to_owned(),
            message: "b-1 was booked twice".to_owned(),
        },
        Digest(7),
    )
}

/// What `read` says about this text, the folder left out.
fn refusal(text: &str) -> String {
    let path = Path::new("r.json");
    let error = Reproducer::from_json(path, text.as_bytes()).expect_err("it must be refused");
    error.to_string()
}

#[test]
fn a_written_file_is_read_back_and_leaves_nothing_beside_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("out/deep");
    let reproducer = example();
    let path = reproducer.write(&out).expect("writable");
    assert_eq!(path, out.join("book_twice-booked_at_most_once-42.json"));
    assert_eq!(Reproducer::read(&path).expect("readable"), reproducer);
    assert_eq!(reproducer.write(&out).expect("writable again"), path);
    assert_eq!(fs::read_dir(&out).expect("a folder").count(), 1);
    let text = fs::read_to_string(&path).expect("text");
    assert!(is_reproducer(&text) && !is_reproducer("{}") && !is_reproducer(&text[1..]));
}

#[test]
fn no_reproducer_takes_anothers_place_whoever_writes_at_the_same_time() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    // two of each: files of one stem, as scenarios of two folders and runs of two versions have them
    let each = |n: u64| Reproducer { digest: Digest(u128::from(n / 2)), ..example() };
    let start = std::sync::Barrier::new(16);
    let write = |n| {
        start.wait();
        let mut reproducer = each(n);
        reproducer.checksum = reproducer.sum();
        (reproducer.write(dir.path()).expect("writable"), reproducer)
    };
    let written: Vec<(PathBuf, Reproducer)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|n| {
                scope.spawn({
                    let write = &write;
                    move || write(n)
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().expect("it wrote")).collect()
    });
    for (path, reproducer) in &written {
        assert_eq!(Reproducer::read(path).expect("readable"), *reproducer, "{path:?}");
    }
    assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 8);
    assert!(dir.path().join("book_twice-booked_at_most_once-42.8.json").exists());
}

#[test]
fn any_words_make_a_name_that_a_file_system_takes() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for file in
        ["s/\u{1b}]0;x\u{7}\n\u{202e}.json", "..", "", &"\u{65e5}".repeat(300), "a/../b c.json"]
    {
        let mut reproducer = Reproducer { file: file.to_owned(), ..example() };
        reproducer.verdict.oracle = "\u{1d400}".repeat(300);
        let path = reproducer.write(dir.path()).expect(file);
        assert_eq!(path.parent(), Some(dir.path()));
        let name = path.file_name().and_then(|name| name.to_str()).expect("text");
        assert_eq!(printable(name), name);
    }
}

#[test]
fn what_may_never_end_is_not_read() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let told = |path: &Path| Reproducer::read(path).expect_err("refused").to_string();
    assert!(told(dir.path()).contains("is a folder, not a file"));
    let large = dir.path().join("large.json");
    fs::File::create(&large).and_then(|file| file.set_len(1 << 40)).expect("a sparse file");
    assert!(told(&large).contains("has more than 268435456 bytes"));
    #[cfg(unix)]
    {
        assert!(told(Path::new("/dev/zero")).contains("/dev/zero: is a device, not a file"));
        let socket = dir.path().join("socket");
        let _bound = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
        assert!(told(&socket).contains("is a socket, not a file"));
    }
}

#[test]
fn other_files_are_refused_with_a_way_out() {
    let text = example().to_json();
    let edited = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} is not in {text}");
        text.replacen(from, to, 1)
    };
    for (file, said) in [
        (String::new(), "r.json:1:0: EOF while parsing a value"),
        ("{\n  \"version\": 2,\n  oops".to_owned(), "r.json:3:3: key must be a string"),
        ("{}".to_owned(), "is not a reproducer: it lacks `version`"),
        ("[1]".to_owned(), "is not a reproducer: it lacks `version`"),
        (
            "// a comment\n{ \"title\": \"a\", \"steps\": [] }".to_owned(),
            "r.json: is a scenario, not a reproducer; run it with `onceproof run r.json`",
        ),
        ("{ \"title\": \"a\", \"steps\": [] }".to_owned(), "is a scenario"),
        (
            edited("\"version\": 2", "\"version\": 1"),
            concat!("has format version 1 (written by onceproof ", env!("CARGO_PKG_VERSION")),
        ),
        (edited("\"version\": 2", "\"version\": \"x\""), "has format version \"x\""),
        (edited("\"seed\": 42", "\"seed\": 43"), "was changed after it was written"),
        (
            edited("\"seed\": 42", "\"seed\": 43"),
            "`onceproof run scenarios/book twice.json --seed 43`",
        ),
        (edited("Bookings/b-1", "Bookings/b-2"), "was changed"),
        (edited("booked twice", "booked thrice"), "was changed"),
        (edited("\"seed\": 42", "\"seed\": -1"), "invalid value: integer `-1`"),
        (edited("\"seed\"", "\"sead\""), "unknown field `sead`"),
    ] {
        let refusal = refusal(&file);
        assert!(refusal.contains(said), "{refusal}\nmust say\n{said}");
    }
    // White space is not content.
    let folded = text.replace("\n  ", " ");
    assert!(Reproducer::from_json(Path::new("r.json"), folded.as_bytes()).is_ok());
    let missing = Reproducer::read(Path::new("nowhere/r.json")).expect_err("not there");
    assert_eq!(missing.to_string(), "nowhere/r.json: no such file");
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let action = prop_oneof![
        (any::<[String; 4]>(), any::<Option<String>>(), any::<Option<String>>()).prop_map(
            |([s, k, h, body], idempotency_key, from)| {
                let target = Target::new(&s, &k, &h);
                let headers = BTreeMap::from([(s, k)]);
                let faults = Vec::from_iter(from.clone());
                Action::Call { target, body, idempotency_key, from, faults, headers }
            }
        ),
        (any::<[String; 4]>(), any::<Option<String>>(), any::<u64>()).prop_map(
            |([s, k, h, body], idempotency_key, delay_ms)| {
                let target = Target::new(&s, &k, &h);
                let headers = BTreeMap::new();
                Action::Send { target, body, idempotency_key, headers, delay_ms }
            }
        ),
        (any::<[String; 2]>(), any::<u32>()).prop_map(|([request, body], awakeable)| {
            Action::Resolve { request, awakeable, body }
        }),
        (any::<String>(), any::<String>()).prop_map(|(path, body)| {
            let (method, headers) = ("PUT".to_owned(), [("a".to_owned(), path.clone())].into());
            Action::Http { method, path, headers, body }
        }),
        any::<String>().prop_map(|request| Action::Attach { request }),
        any::<String>().prop_map(|request| Action::Cancel { request }),
        any::<String>().prop_map(|request| Action::Kill { request }),
    ];
    let step = (any::<[String; 2]>(), action, any::<[u64; 2]>(), any::<Option<String>>());
    let step = step.prop_map(|([request, step], action, [from, to], after)| Step {
        request,
        step,
        action,
        takes: Vec::from_iter(
            after.clone().map(|request| Taken { placeholder: request.clone(), request }),
        ),
        when: after.clone().map(|kind| Wait::Effects { kind, fields: None, count: from }),
        at_ms: Millis { from, to },
        until: after.clone().map(|of| Until { of, what: Goal::Reply(from.into()) }),
        drawn: after.clone().map(|of| {
            let mix = vec![Mixed { weight: 1, action: Action::Attach { request: of.clone() } }];
            let values = Values::OneOf(vec![of.clone()]);
            let values =
                [(of.clone(), values), ("n".to_owned(), Values::Range { from, to })].into();
            let copy_of = Some(of.clone());
            let calls = Some(Calls { of, number: from, from, to });
            Box::new(Drawn { mix, values, calls, copy_of })
        }),
        after,
    });
    proptest::collection::vec(step, 0..4)
}

proptest! {
    #[test]
    fn every_reproducer_survives_its_text(
        words in any::<[String; 5]>(),
        numbers in any::<(u64, u128, u32, i64)>(),
        picks in proptest::collection::btree_map(any::<String>(), any::<u32>(), 0..5),
        steps in steps(),
    ) {
        let [file, invariant, message, name, other] = words;
        let (seed, digest, ppm, number) = numbers;
        let mut plan = Plan { steps, ..Plan::default() };
        plan.services.insert(name.clone(), other.clone());
        let config = serde_json::json!({ &name: number });
        plan.world.insert(name.clone(), SystemPlan { config, ..SystemPlan::default() });
        plan.state.push(OpeningState {
            service: name.clone(),
            key: other.clone(),
            name: name.clone(),
            value: serde_json::json!([number, null]),
        });
        let rate = Rate::from_ppm(ppm % 1_000_001);
        plan.faults.rates.insert(FaultName::BuiltIn(Fault::CrashInRun), rate);
        plan.faults.rates.insert(FaultName::Own(format!("{name}.{other}")), rate);
        plan.faults.up_to_ms.insert(FaultName::BuiltIn(Fault::Outage), seed);
        plan.faults.crash_at.push(CrashPoint {
            service: name.clone(),
            key: "*".to_owned(),
            handler: name.clone(),
            side: Side::Before,
            entry: EntryKind::Run,
            name,
        });
        let verdict = ReproducedVerdict { oracle: invariant, message };
        let written = Reproducer::new(
            file, scenario(plan), Seed(seed), Tape::new(picks), verdict, Digest(digest),
        );
        let read = Reproducer::from_json(Path::new("r"), written.to_json().as_bytes());
        prop_assert_eq!(read.expect("it was just written"), written);
    }
}
