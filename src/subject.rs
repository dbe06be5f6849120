//! The services under test as one value: how to build them, what they call, what must hold of them.
//!
//! Both ways in, the [`Simulation`](crate::Simulation) builder and the command line, start here.
//!
//! Must not know: arguments, reports.

use std::{collections::BTreeMap, sync::Arc};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    host::{Endpoint, Factory},
    oracle::{Facts, Oracle, generic},
    scenario::{
        CheckInput, ShortForm,
        plan::{Action, OpeningState, Revision, Scenario, Step, TWIN},
    },
    system::{ConfigError, System, SystemSpec, World, read_config},
};

mod entries;
mod variants;

pub use variants::{Variant, Variants};

pub use crate::sim::{Deployment, DeploymentError};

/// Why the services cannot be simulated.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// They do not answer discovery.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// There is no such variant of a service.
    #[error("service `{service}` has no variant `{variant}`; `onceproof list` shows what there is")]
    Variant {
        /// The service.
        service: String,
        /// The variant that was asked for.
        variant: String,
    },
    /// There is no such revision of the services.
    #[error("there is no revision `{0}` of the services; add `.revision(\"{0}\", ...)`")]
    Revision(String),
    /// There is no such handler here.
    #[error("there is no handler `{0}` here; use the program whose services these are")]
    Handler(String),
    /// There is no such oracle here.
    #[error("there is no oracle `{0}` here; use the program that has it")]
    Oracle(String),
    /// There is no such system here.
    #[error("there is no system `{0}` here; use the program that has it")]
    System(String),
}

type Build = Arc<dyn Fn(&Variants, &World) -> Endpoint + Send + Sync>;
type Aftermath = Arc<dyn Fn(&Facts<'_>) -> Vec<String> + Send + Sync>;

/// The services under test.
///
/// ```
/// use onceproof::subject::{Subject, Variant};
/// # use onceproof::system::{Context, Rejected, System};
/// # use restate_sdk::prelude::*;
/// # struct Hotel;
/// # impl System for Hotel {
/// #     const NAME: &'static str = "hotel";
/// #     type Config = ();
/// #     type Request = String;
/// #     type Response = ();
/// #     fn new(_: &()) -> Self { Self }
/// #     fn handle(&mut self, _: &String, _: &mut Context<'_>) -> Result<(), Rejected> { Ok(()) }
/// # }
/// # struct Bookings { hotel: onceproof::system::Connection<Hotel>, twice: bool }
/// # #[object] impl Bookings { #[handler] async fn book(&self, _c: ObjectContext<'_>) -> HandlerResult<()> { Ok(()) } }
/// let subject = Subject::with_variants(|variants, world| {
///     let twice = variants.is("Bookings", "books-twice");
///     let bookings = Bookings { hotel: world.connect::<Hotel>(), twice };
///     onceproof::endpoint!(Endpoint::builder().bind(bookings).build())
/// })
/// .system::<Hotel>()
/// .variant("Bookings", Variant::new("books-twice", "a retry books another room"));
/// # let deployment = subject.deployment(&Default::default()).expect("the services answer discovery");
/// # assert!(deployment.catalog().handler("Bookings", "book").is_some());
/// ```
pub struct Subject {
    build: Build,
    systems: Vec<SystemSpec>,
    short_forms: BTreeMap<String, ShortForm>,
    checks: BTreeMap<(String, String), CheckInput>,
    schemas: BTreeMap<(String, String), Arc<Value>>,
    keys: BTreeMap<String, String>,
    variants: BTreeMap<String, Vec<Variant>>,
    revisions: BTreeMap<String, (String, Build)>,
    oracles: Vec<Arc<dyn Oracle>>,
    generic: Vec<Arc<dyn Oracle>>,
    aftermath: Option<Aftermath>,
    scenarios: Vec<(String, String)>,
    examples: Vec<(String, String)>,
    serve_world: Value,
    ids: Vec<String>,
}

impl Subject {
    /// Services of any domain: `build` makes one process, with empty memory, around the outside world of its
    /// run.
    pub fn new(build: impl Fn(&World) -> Endpoint + Send + Sync + 'static) -> Self {
        Self::with_variants(move |_, world| build(world))
    }

    /// Services that come in variants: `build` is told which a run has.
    pub fn with_variants(
        build: impl Fn(&Variants, &World) -> Endpoint + Send + Sync + 'static,
    ) -> Self {
        Self {
            build: Arc::new(build),
            systems: Vec::new(),
            short_forms: BTreeMap::new(),
            checks: BTreeMap::new(),
            schemas: BTreeMap::new(),
            keys: BTreeMap::new(),
            variants: BTreeMap::new(),
            revisions: BTreeMap::new(),
            oracles: Vec::new(),
            generic: generic(),
            aftermath: None,
            scenarios: Vec::new(),
            examples: Vec::new(),
            serve_world: Value::Object(serde_json::Map::new()),
            ids: Vec::new(),
        }
    }

    /// A system of the outside world that the services call.
    ///
    /// # Panics
    /// If there is another system of that name.
    #[must_use]
    pub fn system<S: System>(mut self) -> Self {
        let spec = SystemSpec::of::<S>();
        let other = self.systems.iter().any(|s| s.name == spec.name && s.type_id != spec.type_id);
        assert!(!other, "two systems are called `{}`", spec.name);
        self.systems.retain(|s| s.name != spec.name);
        self.systems.push(spec);
        self
    }

    /// Something that must hold. Oracles are asked in the order in which they are given; those that hold for all
    /// services come after them.
    #[must_use]
    pub fn oracle(mut self, oracle: impl Oracle + 'static) -> Self {
        self.oracles.push(Arc::new(oracle));
        self
    }

    /// Several oracles at once.
    #[must_use]
    pub fn oracles(mut self, oracles: impl IntoIterator<Item = Arc<dyn Oracle>>) -> Self {
        self.oracles.extend(oracles);
        self
    }

    /// A planted bug of `service`.
    #[must_use]
    pub fn variant(mut self, service: impl Into<String>, variant: Variant) -> Self {
        self.variants.entry(service.into()).or_default().push(variant);
        self
    }

    /// Another revision of the services, the next release for instance: what `"deploy": "NAME"` of a scenario registers
    /// while the first runs. Variants can be deployed without one: `"deploy": { "Bookings": "books-twice" }`.
    ///
    /// ```
    /// # use onceproof::subject::Subject;
    /// # use restate_sdk::prelude::*;
    /// # struct Bookings { step: u32 }
    /// # #[object] impl Bookings { #[handler] async fn book(&self, _c: ObjectContext<'_>) -> HandlerResult<()> { Ok(()) } }
    /// let build = |step| move |_: &_| onceproof::endpoint!(Endpoint::builder().bind(Bookings { step }).build());
    /// let subject = Subject::new(build(1)).revision("next", "books in two steps", build(2));
    /// # assert!(subject.catalog().expect("it answers").revisions.contains_key("next"));
    /// ```
    #[must_use]
    pub fn revision(
        mut self,
        name: impl Into<String>,
        summary: impl Into<String>,
        build: impl Fn(&World) -> Endpoint + Send + Sync + 'static,
    ) -> Self {
        let build: Build = Arc::new(move |_, world| build(world));
        self.revisions.insert(name.into(), (summary.into(), build));
        self
    }

    /// A short form of opening states: `world.NAME` of a scenario is a `T`, and `states` says what objects have
    /// before anything happens.
    ///
    /// ```
    /// # use onceproof::{scenario::plan::OpeningState, subject::Subject};
    /// # use std::collections::BTreeMap;
    /// # fn example(subject: Subject) -> Subject {
    /// subject.short_form("rooms", "free rooms of hotels", |rooms: BTreeMap<String, u32>| {
    ///     let state = |(hotel, free)| OpeningState {
    ///         service: "Hotel".into(),
    ///         key: hotel,
    ///         name: "free".into(),
    ///         value: serde_json::Value::from(free),
    ///     };
    ///     rooms.into_iter().map(state).collect()
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn short_form<T: DeserializeOwned + JsonSchema>(
        mut self,
        name: impl Into<String>,
        summary: impl AsRef<str>,
        states: impl Fn(T) -> Vec<OpeningState> + Send + Sync + 'static,
    ) -> Self {
        self.short_forms.insert(
            name.into(),
            ShortForm::new(summary.as_ref(), move |value: T| Ok(states(value))),
        );
        self
    }

    /// Looks at the bodies of requests to a handler before anything runs: `check` says what is wrong with one.
    /// [`Value::Null`] stands for no body. If the type of the body says it all, [`input`](Self::input) is shorter.
    #[must_use]
    pub fn check_input(
        mut self,
        service: impl Into<String>,
        handler: impl Into<String>,
        check: impl Fn(&Value) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let check = move |body: &Value| check(body).map_err(ConfigError::new);
        self.checks.insert((service.into(), handler.into()), Arc::new(check));
        self
    }

    /// The JSON schema of the bodies of requests to a handler, where discovery does not give it: bodies are checked
    /// against it before anything runs, and editors know them. [`input`](Self::input) makes it of a type.
    #[must_use]
    pub fn input_schema(
        mut self,
        service: impl Into<String>,
        handler: impl Into<String>,
        schema: Value,
    ) -> Self {
        self.schemas.insert((service.into(), handler.into()), Arc::new(schema));
        self
    }

    /// A key of `service` that goes with the examples of its bodies: `onceproof new` writes a first scenario with it.
    #[must_use]
    pub fn example_key(mut self, service: impl Into<String>, key: impl Into<String>) -> Self {
        self.keys.insert(service.into(), key.into());
        self
    }

    /// The body of a handler is a `T`: a step whose body is not is an error of the scenario, and not a request that
    /// fails in every run, unless the step says that it is to fail. An SDK whose `schemars` feature is on says this in
    /// its discovery already.
    ///
    /// ```
    /// # use onceproof::subject::Subject;
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct Stay {
    ///     #[schemars(range(min = 1))]
    ///     nights: u32,
    /// }
    ///
    /// # fn example(subject: Subject) -> Subject {
    /// subject.input::<Stay>("Bookings", "book")
    /// # }
    /// ```
    #[must_use]
    pub fn input<T: DeserializeOwned + JsonSchema>(
        mut self,
        service: impl Into<String>,
        handler: impl Into<String>,
    ) -> Self {
        let handler = (service.into(), handler.into());
        let check = |body: &Value| read_config::<T>(body).map(drop);
        self.checks.insert(handler.clone(), Arc::new(check));
        self.schemas.insert(handler, Arc::new(schemars::schema_for!(T).to_value()));
        self
    }

    /// What an operator's kill leaves half done, a sentence for each: no oracle can blame a service for it, and
    /// a report says it all the same.
    #[must_use]
    pub fn aftermath(
        mut self,
        left: impl Fn(&Facts<'_>) -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        self.aftermath = Some(Arc::new(left));
        self
    }

    /// A scenario that belongs to the services: the name of its file, and its text. `onceproof bugs` looks among
    /// these for the ones that show planted bugs.
    #[must_use]
    pub fn scenario(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.scenarios.push((name.into(), text.into()));
        self
    }

    /// The outside world of `onceproof serve`, as in a scenario's `world`.
    #[must_use]
    pub fn serve_world(mut self, world: Value) -> Self {
        self.serve_world = world;
        self
    }

    /// How ids begin that systems number: `ch_`. A comparison with a real server masks the numbers.
    #[must_use]
    pub fn numbered_ids<'s>(mut self, prefixes: impl IntoIterator<Item = &'s str>) -> Self {
        self.ids.extend(prefixes.into_iter().map(str::to_owned));
        self
    }

    /// The services with these variants, ready to simulate.
    ///
    /// # Errors
    /// If there is no such variant, or discovery fails.
    pub fn deployment(&self, variants: &Variants) -> Result<Deployment, SubjectError> {
        Ok(Deployment::new(self.factory(variants)?, self.systems.as_slice().into())?)
    }

    /// How a process with these variants is built.
    fn factory(&self, variants: &Variants) -> Result<Factory, SubjectError> {
        for (service, variant) in variants.iter() {
            if !self.variants_of(service).contains_key(variant) {
                let (service, variant) = (service.to_owned(), variant.to_owned());
                return Err(SubjectError::Variant { service, variant });
            }
        }
        let (build, variants) = (self.build.clone(), variants.clone());
        Ok(Arc::new(move |world| build(&variants, world)))
    }

    /// The services that `scenario` asks for, and those that its steps deploy.
    ///
    /// # Errors
    /// As [`deployment`](Self::deployment).
    pub fn deployment_of(&self, scenario: &Scenario) -> Result<Deployment, SubjectError> {
        let mut deployment = self.deployment(&scenario.plan.services.clone().into())?;
        for step in &scenario.plan.steps {
            let Action::Deploy { revision } = &step.action else { continue };
            if deployment.has(revision) {
                continue;
            }
            let factory = match revision {
                Revision::Services(changed) => {
                    let mut services = scenario.plan.services.clone();
                    services.extend(changed.clone());
                    self.factory(&services.into())?
                }
                Revision::Named(name) => self.named(name)?,
            };
            deployment = deployment.with(revision.clone(), factory)?;
        }
        Ok(deployment)
    }

    fn named(&self, revision: &str) -> Result<Factory, SubjectError> {
        let found = self.revisions.get(revision);
        let (_, build) = found.ok_or_else(|| SubjectError::Revision(revision.to_owned()))?;
        let build = build.clone();
        Ok(Arc::new(move |world| build(&Variants::default(), world)))
    }

    /// Checks that everything that a recorded scenario names is there: what was recorded by another program would
    /// seem to be repaired otherwise.
    ///
    /// # Errors
    /// Names the first handler, oracle or system that is not.
    pub fn recognizes(
        &self,
        scenario: &Scenario,
        services: &Deployment,
    ) -> Result<(), SubjectError> {
        for action in scenario.plan.steps.iter().flat_map(Step::actions) {
            if let Action::Call { target, .. } = action
                && services.catalog().handler(&target.service, &target.handler).is_none()
            {
                let handler = format!("{}/{}", target.service, target.handler);
                return Err(SubjectError::Handler(handler));
            }
        }
        for name in scenario.plan.world.keys() {
            if !self.systems.iter().any(|system| system.name == name) {
                return Err(SubjectError::System(name.clone()));
            }
        }
        let own = |name: &str| self.all_oracles().any(|oracle| oracle.name() == name);
        let is_there = |name: &str| name == TWIN || own(name);
        match scenario.invariants.iter().find(|name| !is_there(name)) {
            Some(name) => Err(SubjectError::Oracle(name.clone())),
            None => Ok(()),
        }
    }

    /// Every oracle, in the order in which they are asked: the domain's own, then those that hold for all
    /// services.
    pub fn all_oracles(&self) -> impl Iterator<Item = &dyn Oracle> {
        self.oracles.iter().chain(&self.generic).map(|oracle| &**oracle)
    }

    /// The oracles that a scenario asks for; unknown names were refused with the file.
    #[must_use]
    pub fn oracles_of(&self, scenario: &Scenario) -> Vec<&dyn Oracle> {
        let wanted =
            |oracle: &&dyn Oracle| scenario.invariants.iter().any(|name| name == oracle.name());
        self.all_oracles().filter(wanted).collect()
    }

    /// Every planted bug, with its service.
    pub fn variants(&self) -> impl Iterator<Item = (&str, &Variant)> {
        let all = self.variants.iter();
        all.flat_map(|(service, variants)| variants.iter().map(move |v| (service.as_str(), v)))
    }

    /// The scenarios that belong to the services.
    #[must_use]
    pub fn scenarios(&self) -> &[(String, String)] {
        &self.scenarios
    }

    /// What a kill left half done in a run.
    pub(crate) fn left_behind(&self, facts: &Facts<'_>) -> Vec<String> {
        self.aftermath.as_ref().map_or_else(Vec::new, |left| left(facts))
    }

    pub(crate) fn world_to_serve(&self) -> &Value {
        &self.serve_world
    }

    #[cfg(feature = "serve")]
    pub(crate) fn id_prefixes(&self) -> &[String] {
        &self.ids
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        oracle::oracle,
        scenario,
        system::{Context, Rejected},
    };

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    struct Stay {
        #[expect(dead_code, reason = "only that it can be read matters")]
        #[schemars(range(min = 1))]
        nights: u32,
    }

    struct Hotel;

    impl System for Hotel {
        const NAME: &'static str = "hotel";
        type Config = ();
        type Request = ();
        type Response = ();

        fn new((): &()) -> Self {
            Self
        }

        fn handle(&mut self, (): &(), _: &mut Context<'_>) -> Result<(), Rejected> {
            Ok(())
        }
    }

    /// Services that say what they are and can do nothing.
    fn bookings() -> Subject {
        const MANIFEST: &str = r#"{"services": [{"name": "Bookings", "ty": "VIRTUAL_OBJECT", "handlers": [
            {"name": "book", "input": {"required": true}}]}]}"#;
        Subject::new(|_| {
            Endpoint::new(|_| {
                http::Response::new(Whole(Some(Bytes::from_static(MANIFEST.as_bytes()))))
            })
        })
    }

    struct Whole(Option<Bytes>);

    impl http_body::Body for Whole {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Ready(self.0.take().map(|bytes| Ok(http_body::Frame::data(bytes))))
        }
    }

    fn read(subject: &Subject, body: &str) -> Result<Scenario, String> {
        let catalog = subject.catalog().expect("it has a manifest");
        let text = format!(
            r#"{{ "title": "t", "world": {{ "hotel": {{ "latency_ms": 1 }} }},
                "steps": [{{ "id": "b", "call": "Bookings/b/book", "body": {body} }}] }}"#
        );
        scenario::parse("t", &text, &catalog).map_err(|wrong| wrong.to_string())
    }

    /// What is recorded names its oracles by the alphabet; they are asked in another order.
    #[test]
    fn a_recorded_scenario_is_recognized_by_the_program_that_recorded_it_and_by_no_other() {
        let hold = |name: &str| oracle(name, "", |_, _| {});
        let theirs = bookings().system::<Hotel>().oracle(hold("zebra")).oracle(hold("ape"));
        let scenario = read(&theirs, "{}").expect("it is valid");
        let check = |subject: &Subject, expected: Option<&str>| {
            let services = subject.deployment(&Variants::default()).expect("it has a manifest");
            let found = subject.recognizes(&scenario, &services).map_err(|e| e.to_string());
            assert_eq!(found.err().as_deref(), expected);
        };
        check(&theirs, None);
        let other = bookings().system::<Hotel>().oracle(hold("zebra"));
        check(&other, Some("there is no oracle `ape` here; use the program that has it"));
        let other = bookings().oracle(hold("zebra")).oracle(hold("ape"));
        check(&other, Some("there is no system `hotel` here; use the program that has it"));
    }

    #[test]
    fn a_body_is_checked_by_its_type() {
        let subject = bookings().system::<Hotel>().input::<Stay>("Bookings", "book");
        for (body, problem) in [
            (r#"{ "nights": "two" }"#, "expected a whole number for `nights`, found a text"),
            (r#"{ "nights": "2" }"#, "write 2 without quotes"),
            (r#"{ "nights": 0 }"#, "`nights` must be at least 1, found 0"),
            (r#"{ "nights": 5000000000 }"#, "expected a whole number from 0 to 4294967295"),
            (r#"{}"#, "the body of Bookings/book needs `nights`"),
            (r#"{ "nigths": 2 }"#, "did you mean `nights`?"),
        ] {
            let wrong = read(&subject, body).expect_err(body);
            assert!(wrong.contains(problem), "{wrong}");
            assert_eq!(wrong.matches("error: ").count(), 1, "{wrong}");
        }
        read(&subject, r#"{ "nights": 2 }"#).expect("it fits");
        // what is meant to be wrong says so
        read(&subject, r#"{ "nights": 0 }, "fails": 400"#).expect("it is to be refused");
        read(&subject, r#"{ "nights": 0 }, "fails": 404"#).expect_err("it is not about the body");
    }

    /// An SDK that knows the types of its handlers says them in its discovery; one that does not says that anything fits.
    #[test]
    fn a_body_is_checked_by_what_discovery_says() {
        let discovered = |input: &'static str| {
            let manifest = format!(
                r#"{{"services": [{{"name": "Bookings", "ty": "VIRTUAL_OBJECT", "handlers": [
                {{"name": "book", "documentation": "Books a room. Once.", "input": {{"required": true, {input}}}}}]}}]}}"#
            );
            let manifest = Bytes::from(manifest);
            let answer = move |_| http::Response::new(Whole(Some(manifest.clone())));
            Subject::new(move |_| Endpoint::new(answer.clone())).system::<Hotel>()
        };
        let schema = r##""jsonSchema": {"type": "object", "required": ["nights"],
            "properties": {"nights": {"$ref": "#/$defs/Nights"}}, "$defs": {"Nights": {"type": "integer", "minimum": 1}}}"##;
        let subject = discovered(schema);
        let wrong = read(&subject, r#"{ "nights": -1 }"#).expect_err("nobody stays so long");
        assert!(wrong.contains("`nights` must be at least 1, found -1"), "{wrong}");
        let catalog = subject.catalog().expect("it has a manifest");
        assert_eq!(catalog.services["Bookings"].handlers["book"].summary, "Books a room");
        let body = &subject.scenario_schema().expect("it has a manifest")["$defs"]["body-of-Bookings.book"];
        let nights = &body["properties"]["nights"]["$ref"];
        assert_eq!(
            nights, "#/$defs/body-of-Bookings.book/$defs/Nights",
            "references begin at the definition"
        );
        read(&discovered(r#""jsonSchema": {}"#), "[1]").expect("anything fits");
    }
}
