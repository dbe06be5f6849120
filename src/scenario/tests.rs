//! Scenario files of a small domain, a hotel: what they come to, and what is said of one that is wrong.

use std::{collections::BTreeMap, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Catalog, HandlerEntry, Input, ServiceEntry, ShortForm, SystemEntry, parse,
    plan::{Action, ClientPlan, Fault, FaultName, FaultPlan, Millis, OpeningState, Plan, Scope},
};
use crate::{
    choice::Rate,
    system::{ConfigError, Context, OwnFault, Rejected, System},
};

struct Hotel;

#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct HotelConfig {
    /// How likely a room is gone.
    sold_out: Rate,
    stars: u8,
    keeps_keys: bool,
    hold_ms: u64,
    closed: Vec<String>,
    prices: BTreeMap<String, Price>,
    season: Option<Season>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct Price {
    night: i64,
    #[serde(default)]
    breakfast: bool,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Season {
    High,
    Low,
}

#[derive(Debug, Serialize, Deserialize)]
struct Book;

impl System for Hotel {
    const NAME: &'static str = "hotel";
    const SUMMARY: &'static str = "books rooms";
    const FAULTS: &'static [OwnFault] = &[
        OwnFault { name: "overbooked", summary: "a room is sold twice" },
        OwnFault { name: "forged", summary: "somebody else's notice" },
    ];
    type Config = HotelConfig;
    type Request = Book;
    type Response = ();

    fn new(_: &HotelConfig) -> Self {
        Self
    }

    fn handle(&mut self, _: &Book, _: &mut Context<'_>) -> Result<(), Rejected> {
        Ok(())
    }
}

struct Weather;

impl System for Weather {
    const NAME: &'static str = "weather";
    type Config = ();
    type Request = Book;
    type Response = ();

    fn new((): &()) -> Self {
        Self
    }

    fn handle(&mut self, _: &Book, _: &mut Context<'_>) -> Result<(), Rejected> {
        Ok(())
    }
}

/// `"rooms": { "12": { "beds": 2 } }`
#[derive(Serialize, Deserialize, JsonSchema)]
struct RoomState {
    beds: u8,
}

fn rooms(rooms: BTreeMap<String, RoomState>) -> Result<Vec<OpeningState>, ConfigError> {
    let room = |(key, room): (String, RoomState)| {
        if room.beds == 0 {
            return Err(ConfigError::new("a room has a bed").at("beds").at(key));
        }
        let (service, name) = ("Rooms".to_owned(), "room".to_owned());
        Ok(OpeningState { service, key, name, value: json!({ "beds": room.beds }) })
    };
    rooms.into_iter().map(room).collect()
}

/// A mistake of the domain: a clock is no object.
fn clock(hour: u8) -> Result<Vec<OpeningState>, ConfigError> {
    let (service, key, name) = ("Clock".to_owned(), "c".to_owned(), "hour".to_owned());
    Ok(vec![OpeningState { service, key, name, value: json!(hour) }])
}

fn catalog() -> Catalog {
    let service = |keyed: bool, handlers: &[(&str, Input)]| ServiceEntry {
        keyed,
        handlers: handlers
            .iter()
            .map(|(name, input)| {
                let check_input = (*input == Input::Needed).then(|| -> super::CheckInput {
                    Arc::new(|body| match body["nights"].as_u64() {
                        Some(_) => Ok(()),
                        None => Err(ConfigError::new("missing field `nights`")),
                    })
                });
                let input = *input;
                ((*name).to_owned(), HandlerEntry { input, check_input, ..Default::default() })
            })
            .collect(),
        variants: BTreeMap::from([("reference".to_owned(), "as it should be".to_owned())]),
        ..Default::default()
    };
    Catalog {
        services: BTreeMap::from([
            ("Bookings".into(), service(true, &[("Book", Input::Needed), ("Get", Input::None)])),
            ("Rooms".into(), service(true, &[("Get", Input::None)])),
            ("Clock".into(), service(false, &[("tick", Input::None)])),
        ]),
        systems: BTreeMap::from([
            ("hotel".into(), SystemEntry::of::<Hotel>()),
            ("weather".into(), SystemEntry::of::<Weather>()),
        ]),
        short_forms: BTreeMap::from([
            ("clock".into(), ShortForm::new("the hour", clock)),
            ("rooms".into(), ShortForm::new("rooms with beds", rooms)),
        ]),
        revisions: BTreeMap::new(),
        invariants: BTreeMap::from([("booked_once".into(), "no room is booked twice".into())]),
    }
}

/// A valid scenario, with these members too.
fn file(members: &str) -> String {
    let step = r#"{ "id": "get", "call": "Bookings/b-1/Get" }"#;
    format!(r#"{{ "title": "a room", "steps": [{step}], {members} }}"#)
}

/// A scenario of one step.
fn step(members: &str) -> String {
    format!(r#"{{ "title": "a room", "steps": [{{ "id": "book", {members} }}] }}"#)
}

fn plan(text: &str) -> Plan {
    match parse("hotel.json", text, &catalog()) {
        Ok(scenario) => scenario.plan,
        Err(problems) => panic!("{problems}"),
    }
}

/// What is underlined, what is said, and the way out.
type Expected<'a> = (&'a str, &'a str, &'a str);

/// Each text has these problems.
fn check(cases: &[(String, &[Expected<'_>])]) {
    for (text, expected) in cases {
        let problems = parse("hotel.json", text, &catalog()).expect_err(text);
        let found: Vec<_> = problems
            .items()
            .iter()
            .map(|problem| {
                let underlined = &text[problem.span.clone()];
                (underlined, problem.message.as_str(), problem.help.as_deref().unwrap_or_default())
            })
            .collect();
        assert_eq!(found, *expected, "{text}\n{problems}");
    }
}

#[test]
fn a_system_has_what_the_file_says_and_its_defaults() {
    let plan = plan(&file(
        r#""world": {
            "hotel": {
                "latency_ms": [20, 200], "timeout_ms": 500, "outages": [[1000, 3000], [5000, 5001]],
                "stars": 3, "sold_out": 0.05, "prices": { "12": { "night": -5 } }, "season": "low"
            },
            "weather": {}
        }"#,
    ));
    assert_eq!(plan.world.keys().collect::<Vec<_>>(), ["hotel", "weather"]);
    let hotel = &plan.world["hotel"];
    assert_eq!(hotel.latency_ms, Millis { from: 20, to: 200 });
    assert_eq!(hotel.timeout_ms, 500);
    let outages = [Millis { from: 1_000, to: 3_000 }, Millis { from: 5_000, to: 5_001 }];
    assert_eq!(hotel.outages, outages);
    let own = json!({ "stars": 3, "sold_out": 0.05, "prices": { "12": { "night": -5 } }, "season": "low" });
    assert_eq!(hotel.config, own);
    assert_eq!(plan.world["weather"], super::plan::SystemPlan::default());
    assert_eq!(self::plan(&file(r#""runs": 1"#)).world, BTreeMap::new());
}

#[test]
fn opening_states_come_in_the_order_of_the_file() {
    let plan = plan(&file(
        r#""state": { "Bookings/b/1": { "guests": [1, null], "paid": false } },
           "world": { "rooms": { "12": { "beds": 2 } } },
           "clients": { "patience_ms": 100, "tries": 3 }"#,
    ));
    let states: Vec<_> = plan
        .state
        .iter()
        .map(|s| format!("{}|{}|{}={}", s.service, s.key, s.name, s.value))
        .collect();
    let expected =
        ["Bookings|b/1|guests=[1,null]", "Bookings|b/1|paid=false", "Rooms|12|room={\"beds\":2}"];
    assert_eq!(states, expected);
    assert_eq!(plan.clients, ClientPlan { patience_ms: 100, tries: 3 });
}

#[test]
fn faults_have_rates_scopes_and_measures() {
    let plan = plan(&file(
        r#""faults": {
            "crash": 0.1,
            "hotel.overbooked": { "rate": 0.2 },
            "outage": { "rate": 0.3, "on": ["hotel", "Bookings"], "up_to_ms": 500 },
            "delivery_delayed": { "rate": 1, "on": ["hotel"] },
            "kill": 0
        }"#,
    ));
    let rates: Vec<_> =
        plan.faults.rates.iter().map(|(name, rate)| format!("{} {rate}", name.name())).collect();
    assert_eq!(rates, ["crash 0.1", "outage 0.3", "delivery_delayed 1", "hotel.overbooked 0.2"]);
    assert_eq!(plan.faults.up_to_ms(Fault::Outage), 500);
    assert_eq!(plan.faults.up_to_ms(Fault::DeliveryDelayed), 172_800_000);
    let bookings = Scope::Service { service: "Bookings".into(), handler: None };
    let only = &plan.faults.only[&FaultName::BuiltIn(Fault::Outage)];
    assert_eq!(*only, [Scope::System("hotel".into()), bookings]);
}

#[test]
fn with_always_replay_no_fault_asks_to_suspend() {
    let faults = r#""faults": { "crash": 0.5, "suspend": 0.5 }"#;
    let rated = |plan: &Plan| -> Vec<String> {
        plan.faults.rates.keys().map(|fault| fault.name().into_owned()).collect()
    };
    let mut asked = plan(&file(faults));
    assert_eq!(rated(&asked), ["crash", "suspend"]);
    asked.set_always_replay();
    assert!(asked.restate.always_replay);
    // nothing would come of it: each await suspends already
    assert_eq!(rated(&asked), ["crash"]);
    let said = plan(&file(&format!(r#""restate": {{ "always_replay": true }}, {faults}"#)));
    assert_eq!(said, asked);
}

#[test]
fn the_usual_mix_can_be_asked_for_and_changed() {
    let usual = plan(&file(r#""faults": "default""#)).faults;
    assert_eq!(usual, FaultPlan::usual());
    for absent in [Fault::Cancel, Fault::Kill, Fault::ClockSkew, Fault::TimeSkipped] {
        assert!(absent.default_rate().is_never(), "{absent}");
    }
    assert_eq!(usual.rates.len(), Fault::ALL.len() - 4);

    let changed = plan(&file(
        r#""faults": { "cancel": 0.05, "crash": 0, "zombie": 0.5, "default": true, "until_ms": 5 }"#,
    ));
    let rate = |fault| changed.faults.rates.get(&FaultName::BuiltIn(fault)).copied();
    assert_eq!(rate(Fault::Cancel), Some(Rate::from_ppm(50_000)));
    assert_eq!(rate(Fault::Crash), None);
    assert_eq!(rate(Fault::Zombie), Some(Rate::from_ppm(500_000)));
    assert_eq!(rate(Fault::Suspend), Some(Fault::Suspend.default_rate()));
    assert_eq!(changed.faults.until_ms, 5);
    let is_usual = |fault| changed.faults.usual.contains(&FaultName::BuiltIn(fault));
    assert_eq!([Fault::Suspend, Fault::Zombie, Fault::Crash].map(is_usual), [true, false, false]);
    let none = plan(&file(r#""faults": { "default": false, "crash": 0.1 }"#)).faults;
    assert_eq!(none.rates.len(), 1);
}

#[test]
fn a_step_can_come_from_a_system() {
    let plan = plan(&step(r#""call": "Bookings/b-1/Get", "from": "hotel""#));
    let Action::Call { from, .. } = &plan.steps[0].action else { panic!("it is a call") };
    assert_eq!(from.as_deref(), Some("hotel"));
    check(&[
        (
            step(r#""call": "Bookings/b-1/Get", "from": "hotl""#),
            &[(r#""hotl""#, "unknown system `hotl`", "did you mean `hotel`?")],
        ),
        (
            step(r#""call": "Bookings/b-1/Get", "webhook": true"#),
            &[(
                r#""webhook""#,
                "unknown key `webhook` in a step",
                r#"write `"from": "SYSTEM"`: the system that sends it"#,
            )],
        ),
        (
            step(r#""call": "Bookings/b-1/Get", "repeat": 2"#),
            &[(
                r#""repeat""#,
                "unknown key `repeat` in a step",
                "write `copies` for equal requests at once, `for` for a variable",
            )],
        ),
        (
            step(r#""send": "Bookings/b-1/Get", "from": "hotel""#),
            &[(r#""from""#, "a send has no `from`", "only `call` has one")],
        ),
        (
            step(r#""call": "Bookings/b-1/Book", "body": { "night": 2 }"#),
            &[(
                "{",
                "the body of Bookings/Book needs `nights`",
                "if the handler is to refuse it, add `\"fails\": 400` to the step",
            )],
        ),
    ]);
}

#[test]
fn names_in_the_world_are_checked_all_at_once() {
    let known = "known here: `hotel`, `weather`, `clock`, `rooms`";
    check(&[
        (
            file(r#""world": { "hotle": {}, "banana": 1 }"#),
            &[
                (r#""hotle""#, "unknown key `hotle` in the outside world", "did you mean `hotel`?"),
                (r#""banana""#, "unknown key `banana` in the outside world", known),
            ],
        ),
        (
            file(r#""world": []"#),
            &[(
                "[",
                "expected an object for the outside world, found a list",
                "write { ... } with `hotel`, `weather`, `clock`, `rooms`",
            )],
        ),
        (
            file(
                r#""world": { "hotel": { "latency_s": 5, "star": 5, "closd": [], "hold_s": 1, "sold_out": 5 } }"#,
            ),
            &[
                (
                    r#""latency_s""#,
                    "unknown key `latency_s` in the hotel",
                    r#"write `latency`, and the unit in the value: for example "500ms", "2s", "1h30m", "10 days""#,
                ),
                (r#""star""#, "unknown key `star` in the hotel", "did you mean `stars`?"),
                (r#""closd""#, "unknown key `closd` in the hotel", "did you mean `closed`?"),
                (
                    r#""hold_s""#,
                    "unknown key `hold_s` in the hotel",
                    r#"write `hold`, and the unit in the value: for example "500ms", "2s", "1h30m", "10 days""#,
                ),
                (
                    "5",
                    "expected a probability from 0 to 1, found 5: that is more than always",
                    "5 means 500 %: write 0.05 for 5 %",
                ),
            ],
        ),
        (
            file(
                r#""world": { "hotel": { "prices": { "12": { "nigth": 5 } } }, "weather": { "stars": 1 } }"#,
            ),
            &[
                (
                    r#""nigth""#,
                    "unknown key `nigth` in `prices.12` of the hotel",
                    "did you mean `night`?",
                ),
                (
                    r#""stars""#,
                    "unknown key `stars` in the weather",
                    "`stars` belongs to the hotel",
                ),
            ],
        ),
        (
            file(r#""stars": 5"#),
            &[(
                r#""stars""#,
                "unknown key `stars` in the scenario",
                "`stars` belongs to the hotel",
            )],
        ),
    ]);
}

#[test]
fn values_in_the_world_are_refused_where_they_stand() {
    let hotel = |members: &str| file(&format!(r#""world": {{ "hotel": {{ {members} }} }}"#));
    check(&[
        (hotel(r#""stars": null"#), &[("null", "expected a whole number, found null", "")]),
        (
            hotel(r#""stars": "five, expected six""#),
            &[(r#""five, expected six""#, "expected a whole number, found a string", "")],
        ),
        (
            hotel(r#""keeps_keys": "false", "timeout_ms": "5 ss", "hold_ms": "1 mo""#),
            &[
                (
                    r#""false""#,
                    "expected true or false, found a string",
                    "write false without quotes",
                ),
                (
                    r#""5 ss""#,
                    r#"expected a time, found "5 ss""#,
                    r#"for example "500ms", "2s", "1h30m", "10 days""#,
                ),
                (
                    r#""1 mo""#,
                    r#"expected a time, found "1 mo""#,
                    "months and years have no fixed length: say it in days",
                ),
            ],
        ),
        (
            hotel(r#""outages": [1000, [3, 2]]"#),
            &[
                (
                    "1000",
                    "expected a range [from, to], found a number",
                    "both ends are included: [1, 20]",
                ),
                ("[3, 2]", "the range ends before it starts: 3 is more than 2", "write [2, 3]"),
            ],
        ),
        (
            hotel(r#""stars": "5""#),
            &[(r#""5""#, "expected a whole number, found a string", "write 5 without quotes")],
        ),
        (
            hotel(r#""stars": 300"#),
            &[("300", "expected a whole number from 0 to 255, found 300", "")],
        ),
        (
            hotel(r#""prices": { "1": { "night": 5 }, "2": { "night": 1.5 } }"#),
            &[("1.5", "expected a whole number, found 1.5: write it in plain digits", "")],
        ),
        (
            hotel(r#""prices": { "1": { "breakfast": true } }"#),
            &[("{", "`prices.1` of the hotel needs `night`", "")],
        ),
        (hotel(r#""closed": ["a", 5]"#), &[("5", "expected a string, found a number", "")]),
        (hotel(r#""closed": "a""#), &[(r#""a""#, "expected a list, found a string", "")]),
        (
            hotel(r#""season": "hihg""#),
            &[(r#""hihg""#, "unknown value `hihg`", "did you mean `high`?")],
        ),
        (
            file(r#""world": { "rooms": { "12": { "beds": 2 }, "13": { "beds": 0 } } }"#),
            &[("0", "a room has a bed", "")],
        ),
        (
            file(r#""world": { "rooms": { "12": { "bed": 2 } } }"#),
            &[(r#""bed""#, "unknown key `bed` in `12` of `rooms`", "did you mean `beds`?")],
        ),
        (file(r#""world": { "rooms": [] }"#), &[("[", "expected an object, found a list", "")]),
    ]);
}

#[test]
fn state_needs_an_object_that_exists() {
    let state = |object: &str| file(&format!(r#""state": {{ "{object}": {{ "a": 1 }} }}"#));
    check(&[
        (
            state("Booking/b-1"),
            &[("Booking", "unknown service `Booking`", "did you mean `Bookings`?")],
        ),
        (
            state("Clock/c"),
            &[(r#""Clock/c""#, "Clock has no keys, and so no state", "only objects have state")],
        ),
        (
            state("Bookings"),
            &[(
                r#""Bookings""#,
                "Bookings is an object: its state needs a key",
                "write `Bookings/KEY`",
            )],
        ),
        (state("Bookings/"), &[(r#""Bookings/""#, "the key is empty", "")]),
        (
            file(r#""state": { "Bookings/b-1": 5 }"#),
            &[("5", "expected an object { name: value }, found a number", "")],
        ),
        (
            file(
                r#""state": { "Rooms/12": { "room": 1 } }, "world": { "rooms": { "12": { "beds": 1 } } }"#,
            ),
            &[(
                r#""rooms""#,
                "`Rooms/12` is given `room` twice",
                "only one of them can count: remove the other",
            )],
        ),
        (
            file(r#""world": { "clock": 12 }"#),
            &[(
                r#""clock""#,
                "`clock` is state of Clock, which is no object",
                "objects: `Bookings`, `Rooms`",
            )],
        ),
        (
            file(r#""clients": { "patience_h": 5, "tries": 0 }"#),
            &[
                (
                    r#""patience_h""#,
                    "unknown key `patience_h` in the clients",
                    r#"write `patience`, and the unit in the value: for example "500ms", "2s", "1h30m", "10 days""#,
                ),
                ("0", "expected a number of tries, found 0: at least 1", ""),
            ],
        ),
    ]);
}

mod faults;
mod language;
mod workloads;
