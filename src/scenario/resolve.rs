//! The whole file: each section read, then checked against the others.
//!
//! Must not know: text, rendering.

use super::{
    bodies,
    catalog::Catalog,
    checks,
    diagnostic::Diagnostic,
    expand, expectations, faults,
    plan::{Plan, Scenario},
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
    let invariants = checks::invariants(reader, fields.get("invariants"), catalog);
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
    if plan.restate.always_replay {
        plan.set_always_replay();
    }
    let why = why.map(text).unwrap_or_default();
    Some(Scenario { title: text(title?), why, plan, invariants, must_violate, expect, runs })
}
