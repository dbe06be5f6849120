//! `onceproof serve` and `onceproof run --on restate`: a real Restate server.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{
    Exit, Failure, args,
    run::{interrupted, load_all, stop_on_interrupt},
    terminal,
};
use crate::{
    live::{self, LiveError, LiveOptions, Server, WorldOptions},
    scenario::plan::{Millis, WorldPlan},
    subject::Subject,
    world::{BillingCycle, Plan},
};

pub(super) fn serve(subject: &Subject, args: &args::Serve) -> Result<Exit, Failure> {
    let variants: BTreeMap<String, String> = args.variant.iter().cloned().collect();
    let known = subject.known()?;
    if let Some(unknown) = variants.keys().find(|s| !known.services.contains_key(*s)) {
        return Err(Failure(format!("error: there is no service `{unknown}`")));
    }
    let deployment = subject.deployment(&variants)?;
    let world = WorldOptions { plan: tutorial(args.latency_ms), ledger: args.ledger.clone() };
    let hosted = live::serve(&deployment, &world, args.port)?;
    terminal::say(&format!(
        "hosting {} services at {uri}\nregister them: curl -X POST http://127.0.0.1:9070/deployments \
         -H 'content-type: application/json' -d '{{\"uri\": \"{uri}\", \"force\": true}}'\nCtrl-C ends it\n",
        deployment.catalog().services().count(),
        uri = hosted.uri()
    ));
    let stop = stop_on_interrupt();
    while !stop.load(Ordering::Relaxed) {
        std::thread::park_timeout(Duration::from_millis(50));
    }
    drop(hosted);
    terminal::complain("ended");
    Ok(Exit::Held)
}

/// The world of the tutorials: every system answers after a moment, and there are plans to subscribe to.
fn tutorial(latency_ms: u64) -> WorldPlan {
    let plan = |plan_id: &str, name: &str, price, billing_cycle| {
        let price = crate::base::Cents(price);
        let plan =
            Plan { plan_id: plan_id.to_owned(), name: name.to_owned(), price, billing_cycle };
        (plan_id.to_owned(), plan)
    };
    let mut world = WorldPlan::default();
    let latency = Millis { from: latency_ms, to: latency_ms };
    world.gateway.latency_ms = latency;
    world.mailer.latency_ms = latency;
    world.carrier.latency_ms = latency;
    world.catalogue.plans = [
        plan("basic", "Basic", 1_000, BillingCycle::Monthly),
        plan("premium", "Premium", 3_000, BillingCycle::Monthly),
        plan("premium-yearly", "Premium, by the year", 30_000, BillingCycle::Yearly),
    ]
    .into();
    world
}

pub(super) fn run(subject: &Subject, args: &args::Run) -> Result<Exit, Failure> {
    let simulated_only = [
        ("--seeds", args.seeds.is_some()),
        ("--seed", args.seed.is_some()),
        ("--jobs", args.jobs.is_some()),
        ("--format json", args.format == args::Format::Json),
    ];
    if let Some((given, _)) = simulated_only.iter().find(|(_, given)| *given) {
        return Err(Failure(format!(
            "error: {given} is for the simulation; a scenario runs once on a real server, and is told as text"
        )));
    }
    let scenarios = load_all(subject, &args.paths)?;
    let server = Server::new(&args.live.ingress, &args.live.admin);
    let options = LiveOptions {
        port: args.live.serve_port,
        patience: Duration::from_secs(args.live.patience),
        ..LiveOptions::default()
    };
    let stop: Arc<_> = stop_on_interrupt();
    let mut exit = Exit::Held;
    for (file, scenario) in &scenarios {
        if stop.load(Ordering::Relaxed) {
            return Ok(interrupted(exit));
        }
        let deployment = subject.deployment(&scenario.plan.services)?;
        let invariants = subject.invariants_of(scenario);
        match live::run(&server, &deployment, scenario, &invariants, &options) {
            Ok(report) => {
                terminal::say(&report.text(&file.display().to_string()));
                if !report.held() {
                    exit = Exit::Violated;
                }
            }
            Err(error) => return Ok(failed(&error)),
        }
    }
    Ok(exit)
}

fn failed(error: &LiveError) -> Exit {
    terminal::complain(&format!("error: {error}"));
    if error.is_about_the_server() { Exit::Inconclusive } else { Exit::Usage }
}
