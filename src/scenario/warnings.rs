//! What a scenario that can be used says in vain: faults that cannot fire, and expectations that nothing can meet.
//!
//! Only what is certain is told: a warning that is wrong is worse than none.
//!
//! Must not know: how a scenario runs.

use std::collections::BTreeMap;

use super::{
    catalog::Catalog,
    diagnostic::Diagnostic,
    durations,
    plan::{Action, Fault, Scenario},
    reader::Reader,
    syntax::{Kind, Member, Node},
    template,
};

/// Adds a warning for each thing in `tree` that has no effect in `scenario`.
pub(crate) fn look(reader: &mut Reader, tree: &Node, scenario: &Scenario, catalog: &Catalog) {
    let mut look = Look { reader, tree, scenario, catalog };
    look.faults();
    look.clients();
    look.drawn();
    look.expectations();
    look.systems();
    look.too_late();
    look.invariants();
}

struct Look<'a> {
    reader: &'a mut Reader,
    tree: &'a Node,
    scenario: &'a Scenario,
    catalog: &'a Catalog,
}

impl<'a> Look<'a> {
    fn warn(&mut self, warning: Diagnostic) {
        self.reader.report(warning);
    }

    fn member(&self, name: &str) -> Option<&'a Member> {
        self.tree.member(name)
    }

    /// Faults that never strike.
    fn faults(&mut self) {
        let Some(faults) = self.member("faults") else { return };
        for member in faults.value.members() {
            let name = member.name.value.as_str();
            let rate = member.value.member("rate").map_or(&member.value, |rate| &rate.value);
            let is_usual = faults.value.member("default").is_some();
            if !matches!(name, "until_ms" | "until") && !is_usual && is_zero(rate) {
                let problem = format!("`{name}` never strikes: its probability is 0");
                let warning = Diagnostic::warning(member.value.head(), problem);
                self.warn(warning.help("remove it, or write a probability such as 0.05"));
            }
            if name == "default" && matches!(member.value.kind, Kind::Bool(false)) {
                let problem = "`default` is false unless it is said";
                let warning = Diagnostic::warning(member.value.head(), problem);
                self.warn(warning.help("remove it, or write true for the usual mix of faults"));
            }
            if let Ok(fault) = name.parse::<Fault>() {
                self.cannot_strike(fault, member);
            }
        }
        let plan = &self.scenario.plan.faults;
        if let Some(until) = time(&faults.value, "until_ms").filter(|_| plan.until_ms == 0)
            && !plan.rates.is_empty()
        {
            let problem = "with `until` 0 no fault is ever injected";
            let warning = Diagnostic::warning(until.value.head(), problem);
            self.warn(warning.help("remove it, or write until when faults may come"));
        }
        let chance = plan.rates.values().any(|rate| rate.ppm() < 1_000_000);
        if let Some(runs) = self.member("runs").filter(|_| chance && self.scenario.runs == 1) {
            let problem =
                "with 1 run these faults are drawn once: most of what they can do is not seen";
            let warning = Diagnostic::warning(runs.value.head(), problem);
            self.warn(warning.help("remove `runs` for 100 seeds, or write more"));
        }
    }

    /// A fault of what the scenario does not have.
    fn cannot_strike(&mut self, fault: Fault, member: &Member) {
        let steps = &self.scenario.plan.steps;
        let calls_system = !self.catalog.systems.is_empty();
        let delivers =
            steps.iter().any(|step| matches!(step.action, Action::Call { from: Some(_), .. }));
        let why = match fault {
            _ if fault.strikes_systems() && !calls_system => "there are no systems to call",
            _ if fault.strikes_deliveries() && !delivers && self.catalog.systems.is_empty() => {
                "no system sends anything"
            }
            _ => return,
        };
        let problem = format!("`{fault}` cannot strike: {why}");
        self.warn(Diagnostic::warning(member.name.span.clone(), problem).help("remove it"));
    }

    /// Settings of clients that are never asked.
    fn clients(&mut self) {
        let asks = |action: &Action| {
            matches!(
                action,
                Action::Call { .. }
                    | Action::Send { .. }
                    | Action::Http { .. }
                    | Action::Attach { .. }
                    | Action::Output { .. }
                    | Action::Resolve { .. }
                    | Action::Reject { .. }
            )
        };
        if self.scenario.plan.steps.iter().any(|step| asks(&step.action)) {
            return;
        }
        if let Some(steps) = self.member("steps") {
            let problem = "no client asks for anything: nothing happens that could be judged";
            let warning = Diagnostic::warning(steps.name.span.clone(), problem);
            self.warn(warning.help("add a step with a `call`"));
        }
    }

    /// Variables that are drawn and stand nowhere.
    fn drawn(&mut self) {
        let nodes = match self.member("steps").map(|member| &member.value.kind) {
            Some(Kind::Array(nodes)) => nodes.as_slice(),
            _ => &[],
        };
        for node in nodes {
            for drawn in node.member("draw").iter().flat_map(|draw| draw.value.members()) {
                let name = &drawn.name;
                if names(node, &name.value) {
                    continue;
                }
                let problem = format!("`{}` is drawn and used nowhere", name.value);
                let help = format!("write `{{{}}}` in what is sent, or remove it", name.value);
                self.warn(Diagnostic::warning(name.span.clone(), problem).help(help));
            }
        }
    }

    /// Expectations that contradict each other, or that nothing can meet.
    fn expectations(&mut self) {
        let Some(nodes) = self.member("expect").map(|member| &member.value) else { return };
        let Kind::Array(nodes) = &nodes.kind else { return };
        let always = |node: &&Node| {
            !node.member("sometimes").is_some_and(|m| matches!(m.value.kind, Kind::Bool(true)))
        };
        let mut fails: BTreeMap<&str, (&str, &Member)> = BTreeMap::new();
        let steps = self.member("steps").map(|m| &m.value);
        let empty = Vec::new();
        let steps = match steps.map(|node| &node.kind) {
            Some(Kind::Array(steps)) => steps,
            _ => &empty,
        };
        for node in nodes.iter().filter(always).chain(steps) {
            let (Some(code), Some(step)) =
                (node.member("fails"), text(node, "reply").or(text(node, "id")))
            else {
                continue;
            };
            let Kind::Number(digits) = &code.value.kind else { continue };
            match fails.get(step) {
                Some((other, first)) if other != digits => {
                    let problem = format!(
                        "the replies of `{step}` cannot fail with both {other} and {digits}"
                    );
                    let warning = Diagnostic::warning(code.value.head(), problem)
                        .related(first.value.head(), "this is the other")
                        .help("remove one of the two, or add `\"sometimes\": true` to both");
                    self.warn(warning);
                }
                Some(_) => {}
                None => {
                    fails.insert(step, (digits, code));
                }
            }
        }
        for node in nodes {
            let Some(matches) = node.member("matches") else { continue };
            if matches!(&matches.value.kind, Kind::Object(fields) if fields.is_empty()) {
                let problem = "this expects nothing: every object has the fields of {}";
                let warning = Diagnostic::warning(matches.value.head(), problem);
                self.warn(warning.help("name a field that must be there, with its value"));
            }
        }
        for node in nodes.iter().filter(always) {
            let Some(step) = text(node, "reply") else { continue };
            let success = node.member("matches").or(node.member("same_as"));
            if let (Some(success), Some((code, first))) = (success, fails.get(step)) {
                let problem =
                    format!("the replies of `{step}` cannot both succeed and fail with {code}");
                let warning = Diagnostic::warning(success.name.span.clone(), problem)
                    .related(first.value.head(), "they are to fail here")
                    .help("remove one of the two, or add `\"sometimes\": true` to both");
                self.warn(warning);
            }
        }
    }

    /// Systems that are down before anything can happen, and for as long as anything can.
    fn systems(&mut self) {
        let Some(world) = self.member("world") else { return };
        for member in world.value.members() {
            let Some(outages) = member.value.member("outages") else { continue };
            if let Kind::Array(windows) = &outages.value.kind
                && windows.is_empty()
            {
                let problem = format!("the {} has no outage", member.name.value);
                let warning = Diagnostic::warning(outages.value.head(), problem);
                self.warn(warning.help("write [[\"1s\", \"3s\"]], or remove `outages`"));
            }
        }
    }

    /// Steps that come when the run is over, and faults that are over when the first step comes.
    fn too_late(&mut self) {
        const DAY_MS: u64 = 24 * 3_600_000;
        let plan = &self.scenario.plan;
        let end_ms = plan.bounds.virtual_days.saturating_mul(DAY_MS);
        let nodes = match self.member("steps").map(|member| &member.value.kind) {
            Some(Kind::Array(nodes)) => nodes.as_slice(),
            _ => &[],
        };
        let id = |node: &Node| text(node, "id").map(str::to_owned);
        let late = |node: &&Node| {
            let step = plan.steps.iter().find(|step| Some(&step.step) == id(node).as_ref());
            step.is_some_and(|step| step.at_ms.from > end_ms)
        };
        for node in nodes.iter().filter(late) {
            let Some(at) = time(node, "at_ms") else { continue };
            let days = plan.bounds.virtual_days;
            let problem = format!("this step never comes: a run ends after {days} days");
            let warning = Diagnostic::warning(at.value.head(), problem);
            self.warn(warning.help("write it earlier, or raise `bounds.virtual_days`"));
        }
        let first_ms = plan.steps.iter().map(|step| step.at_ms.from).min().unwrap_or(0);
        let until = self.member("faults").and_then(|faults| time(&faults.value, "until_ms"));
        if let Some(until) = until.filter(|_| plan.faults.until_ms > 0)
            && plan.faults.until_ms < first_ms
            && !plan.faults.rates.is_empty()
        {
            let first = durations::text(first_ms);
            let problem = format!("these faults end before the first step, which comes at {first}");
            self.warn(Diagnostic::warning(until.value.head(), problem).help("write a later time"));
        }
    }

    /// What must hold, if that is nothing.
    fn invariants(&mut self) {
        if self.scenario.invariants.is_empty()
            && self.scenario.expect.is_empty()
            && let Some(invariants) = self.member("invariants")
        {
            let problem = "nothing is checked: no invariant is left, and there is no `expect`";
            let warning = Diagnostic::warning(invariants.value.head(), problem);
            self.warn(warning.help("except fewer, or add what you `expect`"));
        }
    }
}

/// Whether a text in `node` has the variable `name` in braces.
fn names(node: &Node, name: &str) -> bool {
    match &node.kind {
        Kind::String(text) => template::placeholders(text).any(|(_, this)| this.name == name),
        Kind::Array(nodes) => nodes.iter().any(|node| names(node, name)),
        Kind::Object(members) => members.iter().any(|member| names(&member.value, name)),
        Kind::Null | Kind::Bool(_) | Kind::Number(_) => false,
    }
}

/// The text that a field holds.
fn text<'n>(node: &'n Node, name: &str) -> Option<&'n str> {
    match &node.member(name)?.value.kind {
        Kind::String(text) => Some(text),
        _ => None,
    }
}

/// The time of this name, under either of its names.
fn time<'n>(node: &'n Node, name: &str) -> Option<&'n Member> {
    node.member(name).or_else(|| node.member(name.trim_end_matches("_ms")))
}

fn is_zero(node: &Node) -> bool {
    matches!(&node.kind, Kind::Number(digits) if digits.bytes().all(|b| matches!(b, b'0' | b'.')))
}
