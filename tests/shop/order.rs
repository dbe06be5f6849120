//! That order is a choice changes nothing where nothing is chosen.

use std::time::Duration;

use onceproof::{
    base::Seed,
    choice::{Candidate, Options, Seeded, Site, Source, Words},
    scenario::{self, plan::FaultPlan},
    sim::{self, Logs},
};

/// Is asked about order, and leaves it as it is.
struct Asked {
    seeded: Seeded,
    times: u32,
}

impl Source for Asked {
    fn pick(&mut self, site: Site<'_>, options: Options) -> u32 {
        self.seeded.pick(site, options)
    }

    fn patience(&self) -> Option<Duration> {
        Some(Duration::from_millis(50))
    }

    fn order(&mut self, _: &[Candidate], _: &dyn Words) -> usize {
        self.times += 1;
        0
    }
}

#[test]
fn the_first_of_all_candidates_is_the_first_in_first_out() {
    let subject = onceproof_shop::subject();
    let known = subject.catalog().unwrap();
    let mut asked = 0;
    for file in crate::scenarios() {
        let mut scenario = scenario::load(&file, &known).unwrap_or_else(|e| panic!("{e}"));
        // where an attempt dies among its messages, what is told of it at that instant stands in another order
        scenario.plan.faults = FaultPlan::default();
        let deployment = subject.deployment_of(&scenario).unwrap();
        for seed in (0..3).map(Seed) {
            // a thread of its own for each run, as `explore` does where entropy was drawn
            let run = |source: &mut (dyn Source + Send)| {
                let run = || sim::run(&deployment, &scenario.plan, seed, source, Logs::Discard);
                std::thread::scope(|scope| scope.spawn(run).join().unwrap()).history
            };
            let plain = run(&mut Seeded::new(seed));
            let mut source = Asked { seeded: Seeded::new(seed), times: 0 };
            let offered = run(&mut source);
            asked += source.times;
            let differing = plain.records().iter().zip(offered.records()).position(|(a, b)| a != b);
            if let Some(at) = differing {
                let (plain, offered) = (&plain.records()[at], &offered.records()[at]);
                panic!("{} seed {seed}, record {at}:\n{plain:?}\n{offered:?}", file.display());
            }
            assert_eq!(plain.digest(), offered.digest(), "{} seed {seed}", file.display());
        }
    }
    assert!(asked > 10_000, "it was asked {asked} times only");
}
