//! The whole file: each section read, then checked against the others.
//!
//! Must not know: text, rendering.

use super::{
    bodies,
    catalog::Catalog,
    checks,
    diagnostic::Diagnostic,
    expand, expectations, faults,
    outages::Window,
    plan::{Action, Millis, Plan, Scenario, Step, TWIN},
    reader::Reader,
    settings, steps,
    syntax::{Kind, Node},
    vocabulary, world,
};

const RUNS_DEFAULT: u64 = 100;

/// The scenario in `node`; worth something only if `reader` has no problem afterwards.
pub(crate) fn scenario(reader: &mut Reader, node: &Node, catalog: &Catalog) -> Option<Scenario> {
    if ["tape", "plan", "digest"].iter().all(|name| node.member(name).is_some()) {
        reader.report(
            Diagnostic::new(node.head(), "this is a reproducer, not a scenario")
                .help("show it with `onceproof replay FILE`"),
        );
        return None;
    }
    if let Kind::Array(_) = node.kind {
        let help = r#"write { "title": "...", "steps": [ ... ] } around it"#.to_owned();
        return reader.wrong_type(node, "an object for the scenario", Some(help));
    }
    let fields = reader.object(node, vocabulary::SCENARIO)?;
    if let Some(node) = fields.get("$schema") {
        reader.string(node, "the path of the schema");
    }
    let title = fields.get("title").and_then(|n| reader.string(n, "a title"));
    let why = fields.get("why").and_then(|n| reader.string(n, "a reason"));
    let services =
        fields.get("services").map(|n| settings::variants(reader, n, catalog)).unwrap_or_default();
    let mut opening = world::Opening::default();
    let world = fields.get("world").map(|n| world::world(reader, n, catalog, &mut opening));
    if let Some(node) = fields.get("state") {
        world::state(reader, node, catalog, &mut opening);
    }
    let state = opening.finish(reader);
    let clients = fields.get("clients").map(|n| settings::clients(reader, n));
    let restate = fields.get("restate").map(|n| settings::restate(reader, n));
    let mut docs = fields.get("steps").map_or_else(Vec::new, |n| steps::read(reader, n, catalog));
    bodies::spare_refused(&mut docs, fields.get("expect"));
    let steps = expand::expand(reader, &docs);
    let order = fields.get("order").map(|n| settings::order(reader, n)).unwrap_or_default();
    let faults = fields.get("faults").map(|n| faults::read(reader, n, catalog));
    let (faults, windows) = faults.unzip();
    let decisions = fields.get("decisions").map(|n| settings::decisions(reader, n));
    if let (Some(node), Some(faults), Some(_)) = (fields.get("faults"), &faults, &decisions)
        && !faults.rates.is_empty()
    {
        let problem = "with `decisions` nothing is left to chance: these faults would never strike";
        reader.report(Diagnostic::new(node.head(), problem).help(
            "remove one of the two; `crash_at`, `cancel_at` and `kill_at` go with `decisions`",
        ));
    }
    let bounds = fields.get("bounds").map(|n| settings::bounds(reader, n));
    let (invariants, without_twin) = checks::invariants(reader, fields.get("invariants"), catalog);
    if let Some(node) = fields.get("invariants")
        && invariants.iter().any(|name| name == TWIN)
        && steps.iter().any(|step| step.drawn.is_some())
    {
        let problem = format!(
            "`{TWIN}` compares runs that are asked the same; here each draws what it is asked"
        );
        reader.report(
            Diagnostic::new(node.head(), problem)
                .help("leave it out, or write steps of which nothing is drawn"),
        );
    }
    let must_violate = fields
        .get("must_violate")
        .and_then(|n| checks::must_violate(reader, n, &services, &invariants, catalog));
    let mut expect = fields
        .get("expect")
        .map(|n| expectations::read(reader, n, &docs, catalog))
        .unwrap_or_default();
    expect.extend(expectations::of_steps(&docs));
    let runs = reader.number(&fields, "runs").unwrap_or(RUNS_DEFAULT);
    if let Some(node) = fields.get("invariants")
        && matches!(&node.kind, Kind::Array(names) if names.is_empty())
        && expect.is_empty()
    {
        reader.report(
            Diagnostic::new(node.span.clone(), "nothing is checked: no invariant and no `expect`")
                .help("remove `invariants` to check all of them"),
        );
    }
    let text = |text: super::syntax::Text| text.value;
    let mut plan = Plan {
        services,
        world: world.unwrap_or_default(),
        state,
        clients: clients.unwrap_or_default(),
        restate: restate.unwrap_or_default(),
        start_unix_ms: None,
        order,
        decisions: decisions.unwrap_or_default(),
        steps,
        faults: faults.unwrap_or_default(),
        bounds: bounds.unwrap_or_default(),
    };
    windows.unwrap_or_default().into_iter().for_each(|window| take_down(&mut plan, window));
    if plan.restate.always_replay {
        plan.set_always_replay();
    }
    let why = why.map(text).unwrap_or_default();
    let is_hidden = plan.is_hidden();
    let title = text(title?);
    let mut scenario =
        Scenario { title, why, plan, invariants, without_twin, must_violate, expect, runs };
    if is_hidden {
        scenario.add_twin_by_default();
    }
    Some(scenario)
}

/// Has a system down in a window; the handlers' process goes down in a step of its own.
fn take_down(plan: &mut Plan, window: Window) {
    let Millis { from, to } = window.during;
    if let Some(system) = window.system {
        plan.world.entry(system).or_default().outages.push(window.during);
        return;
    }
    let mut request = "outage".to_owned();
    while plan.steps.iter().any(|step| step.step == request) {
        request.push('-');
    }
    plan.steps.push(Step {
        step: request.clone(),
        request,
        action: Action::EndpointDown { for_ms: Millis { from: to - from, to: to - from } },
        at_ms: Millis { from, to: from },
        after: None,
        ..Step::default()
    });
}
