//! `onceproof serve` and `onceproof run --on restate`: a real Restate server.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{
    args,
    exit::{Exit, Failure},
    interrupt::{interrupted, stop_on_interrupt},
    load::{load_all, render},
    terminal,
};
use crate::{
    live::{self, HostOptions, LiveError, LiveOptions, Server, WorldOptions},
    scenario::{self, Catalog, plan::Millis},
    subject::Subject,
};

pub(super) fn serve(subject: &Subject, args: &args::Serve) -> Result<Exit, Failure> {
    let variants: BTreeMap<String, String> = args.variant.iter().cloned().collect();
    let catalog = subject.catalog()?;
    if let Some(unknown) = variants.keys().find(|s| !catalog.services.contains_key(*s)) {
        return Err(Failure(format!("error: there is no service `{unknown}`")));
    }
    let deployment = subject.deployment(&variants.into())?;
    let world = world_to_serve(subject, &catalog, args)?;
    let options = HostOptions {
        port: args.port,
        max_body_bytes: args.max_body_mib << 20,
        identity_keys: args.identity_key.clone(),
        always_replay: args.always_replay,
    };
    let hosted = live::serve(&deployment, &world, &options)?;
    terminal::say(&format!(
        "hosting {} services at {uri}\nregister them: curl -X POST http://127.0.0.1:9070/deployments \
         -H 'content-type: application/json' -d '{{\"uri\": \"{uri}\", \"force\": false}}'\nCtrl-C ends it\n",
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

/// The outside world of the services: as it was given, or the services' own. Systems answer after a moment.
fn world_to_serve(
    subject: &Subject,
    catalog: &Catalog,
    args: &args::Serve,
) -> Result<WorldOptions, Failure> {
    let own = subject.world_to_serve().to_string();
    let text = args.world.as_ref().unwrap_or(&own);
    let (mut plan, state) = scenario::parse_world("--world", text, catalog)
        .map_err(|wrong| Failure(wrong.render(terminal::style_on_stderr())))?;
    let latency_ms = Millis { from: args.latency_ms, to: args.latency_ms };
    for name in catalog.systems.keys() {
        let system = plan.entry(name.clone()).or_default();
        if system.latency_ms == Millis::default() {
            system.latency_ms = latency_ms;
        }
    }
    Ok(WorldOptions { plan, state, ledger: args.ledger.clone() })
}

pub(super) fn run(subject: &Subject, args: &args::Run) -> Result<Exit, Failure> {
    let simulated_only = [
        ("--seeds", args.seeds.is_some()),
        ("--seed", args.seed.is_some()),
        ("--jobs", args.jobs.is_some()),
        ("--run-limit", args.run_limit.is_some()),
        ("--html", args.html),
        ("--shard", args.shard.is_some()),
        ("--format json", args.format == args::Format::Json),
        ("--format junit", args.format == args::Format::Junit),
        ("--format github", args.format == args::Format::Github),
        ("--report", !args.report.is_empty()),
    ];
    if let Some((given, _)) = simulated_only.iter().find(|(_, given)| *given) {
        return Err(Failure(format!(
            "error: {given} is for the simulation; a scenario runs once on a real server, for as long as --patience allows, \
             and is reported as text"
        )));
    }
    let scenarios = load_all(subject, &args.paths, args.always_replay, false)?;
    let catalog = subject.catalog()?;
    let server = Server::new(&args.live.ingress, &args.live.admin);
    let stop: Arc<_> = stop_on_interrupt();
    let options = LiveOptions {
        port: args.live.serve_port,
        patience: Duration::from_secs(args.live.patience),
        take_over: args.live.take_over,
        stop: stop.clone(),
        ..LiveOptions::default()
    };
    let mut exit = Exit::Held;
    for (file, _) in &scenarios {
        if stop.load(Ordering::Relaxed) {
            return Ok(interrupted(exit));
        }
        // what was read above was checked; its dates count from now
        let mut scenario =
            scenario::load_at(file, &catalog, Some(live::unix_ms_now())).map_err(render)?;
        if args.always_replay {
            scenario.plan.set_always_replay();
        }
        let deployment = subject.deployment_of(&scenario)?;
        match live::run(&server, subject, &deployment, &scenario, &options) {
            Ok(report) => {
                terminal::say(&report.text(&file.display().to_string()));
                if !report.held() {
                    exit = Exit::Violated;
                }
            }
            Err(LiveError::Interrupted) => return Ok(interrupted(exit)),
            Err(error) => return Ok(failed(&error)),
        }
    }
    Ok(exit)
}

fn failed(error: &LiveError) -> Exit {
    terminal::complain(&format!("error: {error}"));
    if error.is_about_the_server() { Exit::Inconclusive } else { Exit::Usage }
}
