//! Whatever `check` accepts runs to a verdict, and whatever bytes a file has are told of: scenarios made at random from
//! the JSON schema, so that a new word of the language is tried without a change here.

use std::{collections::BTreeMap, sync::LazyLock};

use onceproof::{
    Simulation,
    explore::outcome::ScenarioVerdict,
    scenario::{Catalog, check, load},
    subject::{Subject, Variant},
    system::{Connection, Context as Call, OwnFault, Rejected, System},
};
use proptest::prelude::*;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng as _},
};
use restate_sdk::prelude::*;
use schemars::JsonSchema;
use serde_json::{Map, Value, json};

/// How many random scenarios are made.
const CASES: u32 = 200;
/// Of how many of them at least one in this many must be accepted: what is never accepted tests nothing.
const ACCEPTED_ONE_IN: u32 = 5;

#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize, JsonSchema)]
#[serde(default)]
struct Inn {
    rooms: Option<u32>,
}

#[derive(Debug, serde::Serialize)]
struct Booked {
    guest: String,
    nights: u32,
}

onceproof::effects! { Booked = "booked" }

struct Hotel(u32);

impl System for Hotel {
    const NAME: &'static str = "hotel";
    const FAULTS: &'static [OwnFault] = &[OwnFault { name: "full", summary: "no room is free" }];
    const EFFECTS: &'static [&'static str] = &["booked"];
    type Config = Inn;
    type Request = (String, u32);
    type Response = u32;

    fn new(inn: &Inn) -> Self {
        Self(inn.rooms.unwrap_or(3))
    }

    fn handle(
        &mut self,
        (guest, nights): &(String, u32),
        cx: &mut Call<'_>,
    ) -> Result<u32, Rejected> {
        if self.0 == 0 || cx.fault("full") {
            return Err(Rejected::new("full"));
        }
        self.0 -= 1;
        cx.effect(Booked { guest: guest.clone(), nights: *nights });
        Ok(self.0)
    }
}

#[derive(serde::Serialize, serde::Deserialize, JsonSchema)]
struct Stay {
    #[schemars(range(min = 1))]
    nights: u32,
    note: Option<String>,
}

struct Bookings {
    hotel: Connection<Hotel>,
    twice: bool,
}

#[object(client_visibility = "pub(crate)")]
impl Bookings {
    #[handler]
    async fn book(&self, ctx: ObjectContext<'_>, Json(stay): Json<Stay>) -> HandlerResult<u32> {
        for _ in 0..=u32::from(self.twice) {
            let (hotel, guest, nights) = (self.hotel.clone(), ctx.key().to_owned(), stay.nights);
            let call = || async move { Ok(hotel.call((guest, nights)).await?) };
            ctx.run(call).name("book").await?;
        }
        ctx.set("nights", stay.nights);
        Ok(stay.nights)
    }

    #[handler]
    async fn nights(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<u32> {
        Ok(ctx
            .get::<u32>("nights")
            .await?
            .ok_or_else(|| TerminalError::new_with_code(404, "none"))?)
    }

    #[handler]
    async fn wait(&self, ctx: ObjectContext<'_>) -> HandlerResult<u32> {
        let (_, promise) = ctx.awakeable::<u32>();
        Ok(promise.await?)
    }
}

struct Bell;

#[service(client_visibility = "pub(crate)")]
impl Bell {
    #[handler]
    async fn ring(&self, ctx: Context<'_>) -> HandlerResult<()> {
        ctx.sleep(std::time::Duration::from_millis(20)).await?;
        Ok(())
    }
}

fn subject() -> Subject {
    Subject::with_variants(|variants, world| {
        let bookings = Bookings { hotel: world.connect(), twice: variants.is("Bookings", "twice") };
        onceproof::endpoint!(Endpoint::builder().bind(bookings).bind(Bell).build())
    })
    .system::<Hotel>()
    .input::<Stay>("Bookings", "book")
    .variant("Bookings", Variant::new("twice", "books once more"))
}

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| subject().catalog().expect("it answers"));
static SCHEMA: LazyLock<Value> = LazyLock::new(|| subject().scenario_schema().expect("it answers"));

/// Values made at random of a schema.
struct Maker(ChaCha8Rng);

impl Maker {
    fn below(&mut self, n: usize) -> usize {
        usize::try_from(Rng::next_u32(&mut self.0)).unwrap() % n.max(1)
    }

    fn pick<'v>(&mut self, all: &'v [Value]) -> &'v Value {
        &all[self.below(all.len())]
    }

    fn value(&mut self, schema: &Value, depth: usize) -> Value {
        if let Some(name) = schema["$ref"].as_str() {
            let target = SCHEMA.pointer(name.trim_start_matches('#')).expect("it is there");
            return self.value(target, depth + 1);
        }
        for word in ["enum", "examples"] {
            if let Some(all) = schema[word].as_array().filter(|all| !all.is_empty()) {
                return self.pick(all).clone();
            }
        }
        if let Some(only) = schema.get("const") {
            return only.clone();
        }
        if let Some(several) = schema["anyOf"].as_array() {
            let one = self.pick(several).clone();
            return self.value(&one, depth + 1);
        }
        match schema["type"].as_str() {
            Some("object") => self.object(schema, depth),
            Some("array") => {
                let least = usize::try_from(schema["minItems"].as_u64().unwrap_or(1)).unwrap();
                (0..least + self.below(2))
                    .map(|_| self.value(&schema["items"], depth + 1))
                    .collect()
            }
            Some("integer") => {
                let least = schema["minimum"].as_u64().unwrap_or(0);
                let most = schema["maximum"].as_u64().unwrap_or(u64::MAX);
                json!((least + self.below(40) as u64).min(most))
            }
            Some("number") => json!([0.0, 0.05, 0.5, 1.0][self.below(4)]),
            Some("boolean") => json!(self.below(2) == 0),
            Some("string") => json!(["a", "b", "c", "k-1"][self.below(4)]),
            _ => json!(["text", "a"][self.below(2)]),
        }
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Value {
        let empty = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&empty);
        let required = |name: &str| {
            schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name))
        };
        let deeds: Vec<&str> = schema["oneOf"]
            .as_array()
            .map(|all| all.iter().filter_map(|one| one["required"][0].as_str()).collect())
            .unwrap_or_default();
        // calls are what most steps are
        let deed = if self.below(2) == 0 { 0 } else { self.below(deeds.len()) };
        let deed = deeds.get(deed).copied();
        // some fields go with some deeds only
        let rules = schema["allOf"].as_array().cloned().unwrap_or_default();
        let goes_with = |name: &str| {
            rules.iter().filter(|rule| rule["if"]["required"][0] == name).all(|rule| {
                let deeds = rule["then"]["anyOf"].as_array().expect("deeds");
                deeds.iter().any(|one| one["required"][0].as_str() == deed)
            })
        };
        let mut out = Map::new();
        for (name, inner) in properties {
            let wanted = match deeds.contains(&name.as_str()) {
                true => deed == Some(name),
                false => required(name) || (goes_with(name) && self.below(8) == 0),
            };
            if wanted {
                out.insert(name.clone(), self.value(inner, depth + 1));
            }
        }
        Value::Object(out)
    }

    /// A scenario whose parts fit together more often than not.
    fn scenario(&mut self) -> Value {
        let mut scenario = self.value(&SCHEMA, 0);
        let count = 1 + self.below(4);
        let steps: Vec<Value> = (0..count).map(|index| self.step(index)).collect();
        scenario["steps"] = json!(steps);
        scenario["runs"] = json!(2);
        scenario["bounds"] = json!({ "events": 3_000, "virtual_days": 60 });
        let fields = scenario.as_object_mut().expect("it is an object");
        for unlikely in ["decisions", "must_violate"] {
            if self.below(4) > 0 {
                fields.remove(unlikely);
            }
        }
        scenario
    }

    fn step(&mut self, index: usize) -> Value {
        let name = |index: usize| ["a", "b", "c", "d", "e"][index].to_owned();
        // the others are about the first one, so that is a call
        let mut step = loop {
            let step = self.value(&json!({ "$ref": "#/$defs/step" }), 0);
            if index > 0 || step.get("call").is_some() {
                break step;
            }
        };
        let before = name(0);
        let fields = step.as_object_mut().expect("it is an object");
        fields.insert("id".to_owned(), json!(name(index)));
        fields.remove("for");
        for of in [
            "after", "attach", "output", "cancel", "kill", "pause", "resume", "purge", "resolve",
            "reject",
        ] {
            if fields.contains_key(of) {
                fields.insert(of.to_owned(), json!(before));
            }
        }
        fields.entry("copies").and_modify(|copies| *copies = json!(2));
        // a row has a length, and a delivery its sender
        if ["every", "every_ms", "until"].iter().any(|name| fields.contains_key(*name)) {
            fields.insert("calls".to_owned(), json!([1, 3]));
        }
        if fields.contains_key("calls") {
            fields.remove("copies");
        }
        if fields.contains_key("faults") {
            fields.insert("from".to_owned(), json!("hotel"));
        }
        let target =
            ["call", "send"].iter().find_map(|deed| fields.get(*deed)).and_then(Value::as_str);
        let handler = target.map(|target| target.replace("/KEY", "").replace('/', "."));
        if let Some(handler) = handler {
            fields.remove("body");
            let body = &SCHEMA["$defs"][format!("body-of-{handler}")];
            if !body.is_null() {
                let body = self.value(body, 0);
                step["body"] = body;
            }
        }
        step
    }
}

#[test]
fn what_is_accepted_runs_to_a_verdict() {
    let mut accepted = 0;
    let mut refused: BTreeMap<String, u32> = BTreeMap::new();
    for case in 0..CASES {
        let text = format!("{:#}", Maker(ChaCha8Rng::seed_from_u64(case.into())).scenario());
        let found = check("made.json", &text, &CATALOG);
        assert!(!found.render(onceproof::scenario::Style::Plain).is_empty() || found.count() == 0);
        if found.errors() > 0 {
            *refused.entry(found.items()[0].message.clone()).or_default() += 1;
            continue;
        }
        accepted += 1;
        let simulation = Simulation::of(subject()).scenario_text("made.json", text.as_str());
        let (_, explored) = crate::world::explored(&simulation.shrink_runs(0).jobs(1));
        let verdict = explored.report.verdict;
        let is_ours = matches!(
            verdict,
            ScenarioVerdict::OraclePanicked
                | ScenarioVerdict::Crashed
                | ScenarioVerdict::Hung
                | ScenarioVerdict::Nondeterministic
        );
        assert!(!is_ours, "case {case}: {verdict:?} {:?}\n{text}", explored.report.notes);
    }
    assert!(
        accepted * ACCEPTED_ONE_IN >= CASES,
        "{accepted} of {CASES} are accepted: {refused:#?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_told_of(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.json");
        std::fs::write(&file, &bytes).unwrap();
        let refused = load(&file, &CATALOG).expect_err("random bytes are no scenario");
        prop_assert!(!refused.to_string().is_empty());
    }
}
