//! `run --time`: as many seeds as there is time for, most of them where new things are found.
//!
//! Which seeds a scenario gets depends on how fast the machine is; what each of them does, does not. The report says
//! how many each got, from 0 on, so that `--seeds` runs the same again.

use std::{path::PathBuf, time::Duration};

use super::{Command, Ran, warn_of_one_process};
use crate::{
    cli::{
        exit::Failure,
        second::Second,
        terminal::{self, now, since},
    },
    explore::{
        Campaign, Exploration,
        outcome::{Interrupted, ScenarioReport, ScenarioVerdict},
    },
    scenario::plan::Scenario,
};

/// How many seeds each scenario gets first.
const FIRST_SEEDS: u64 = 20;
/// Into how many rounds the time is cut, as long as each is not shorter than this.
const ROUNDS: u32 = 20;
const SHORTEST_ROUND: Duration = Duration::from_millis(500);
/// How often a person is told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// One scenario, and what it got so far.
struct Share<'a> {
    exploration: Exploration<'a>,
    spent: Duration,
    /// How many things its last turn showed that none before had.
    news: u64,
}

impl Command<'_> {
    /// Runs every scenario again and again, until the time is over, and shows all of them then.
    pub(super) fn run_timed(
        &self,
        scenarios: &[(PathBuf, Scenario)],
        time: Duration,
    ) -> Result<Ran, Failure> {
        let started = now();
        let stop = || self.is_stopped() || since(started) >= time;
        let names: Vec<_> = scenarios.iter().map(|(file, _)| file.display().to_string()).collect();
        let deployments: Result<Vec<_>, _> =
            scenarios.iter().map(|(_, scenario)| self.subject.deployment_of(scenario)).collect();
        let deployments = deployments?;
        let campaigns: Vec<Campaign<'_>> = (names.iter().zip(&deployments).zip(scenarios))
            .map(|((name, deployment), (_, scenario))| {
                let campaign = self.campaign(name, deployment, scenario);
                Campaign { stop: &stop, ..campaign }
            })
            .collect();
        let mut shares: Vec<Share<'_>> = campaigns
            .iter()
            .map(|campaign| {
                let exploration = Exploration::new(campaign);
                Share { exploration, spent: Duration::ZERO, news: 0 }
            })
            .collect();
        shares.iter_mut().for_each(|share| share.turn(FIRST_SEEDS));
        let round = (time / ROUNDS).max(SHORTEST_ROUND);
        let mut tell_at = TELL_EVERY;
        while !stop() && shares.iter().any(|share| share.exploration.goes_on()) {
            for (share, turn) in divide(&shares, round).into_iter().enumerate() {
                let share = &mut shares[share];
                share.turn(share.seeds_in(turn));
                if since(started) >= tell_at && !stop() {
                    let (runs, things) = totals(&shares);
                    let (spent, all) = (since(started).as_secs(), time.as_secs());
                    terminal::complain(&format!(
                        "{spent} s of {all} s: {runs} runs have shown {things} things"
                    ));
                    tell_at = since(started) + TELL_EVERY;
                }
            }
        }
        self.end_timed(scenarios, &campaigns, shares)
    }

    fn end_timed(
        &self,
        scenarios: &[(PathBuf, Scenario)],
        campaigns: &[Campaign<'_>],
        shares: Vec<Share<'_>>,
    ) -> Result<Ran, Failure> {
        let mut second = (!self.args.one_process).then(Second::start);
        let mut uncompared = None;
        let mut reports = Vec::new();
        for ((campaign, share), (_, scenario)) in campaigns.iter().zip(shares).zip(scenarios) {
            let (runs, spent) = (share.exploration.runs(), share.spent);
            if let Some(second) = &mut second {
                second.begin(campaign);
                second.ask_for_sample(0..runs);
            }
            let mut explored = share.exploration.end();
            explored.report.elapsed = spent;
            let why_not = self.compare_and_explain(campaign, &mut explored, &mut second);
            if let Some(why) = why_not.filter(|_| uncompared.is_none() && !self.is_stopped()) {
                uncompared = Some(warn_of_one_process(&why, campaign.name));
            }
            if runs < scenario.runs {
                out_of_time(&mut explored.report);
            }
            self.keep_and_show(campaign.name, scenario, &mut explored);
            reports.push(explored.report);
        }
        let asked = scenarios.len() as u64;
        let interrupted = self.is_stopped().then_some(Interrupted { asked, partly: true });
        Ok(Ran { reports, interrupted, uncompared })
    }
}

impl Share<'_> {
    /// Runs the next seeds.
    fn turn(&mut self, seeds: u64) {
        let (started, before) = (now(), self.exploration.things());
        let first = self.exploration.runs();
        self.exploration.run(first..first.saturating_add(seeds));
        self.spent += since(started);
        self.news = self.exploration.things() - before;
    }

    /// How many seeds take about this long, as far as is known.
    fn seeds_in(&self, time: Duration) -> u64 {
        let (runs, spent) = (u128::from(self.exploration.runs()), self.spent.as_nanos().max(1));
        u64::try_from(time.as_nanos() * runs / spent).unwrap_or(u64::MAX)
    }
}

/// What was not seen in fewer runs than the scenario asks for proves nothing.
fn out_of_time(report: &mut ScenarioReport) {
    let unproved = match report.verdict {
        ScenarioVerdict::NotFound => true,
        ScenarioVerdict::Ineffective => report.runs == 0,
        _ => false,
    };
    if unproved {
        report.notes.push(format!("there was time for {} runs (`--time`)", report.runs));
        report.verdict = ScenarioVerdict::Inconclusive;
    }
}

/// Half of the time goes to all alike that go on, half to them by what their last turns showed.
fn divide(shares: &[Share<'_>], time: Duration) -> Vec<Duration> {
    let news: Vec<Option<u64>> =
        shares.iter().map(|share| share.exploration.goes_on().then_some(share.news)).collect();
    divided(&news, time)
}

fn divided(news: &[Option<u64>], time: Duration) -> Vec<Duration> {
    let part = |n: u64, of: u64| {
        let nanos = time.as_nanos() / 2 * u128::from(n) / u128::from(of.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    };
    let going = news.iter().flatten().count() as u64;
    let all: u64 = news.iter().flatten().sum();
    news.iter().map(|n| n.map_or(Duration::ZERO, |n| part(1, going) + part(n, all))).collect()
}

fn totals(shares: &[Share<'_>]) -> (u64, u64) {
    let all = || shares.iter().map(|share| &share.exploration);
    (all().map(Exploration::runs).sum(), all().map(Exploration::things).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_time_is_for_all_alike_and_half_for_what_is_new() {
        let ms = Duration::from_millis;
        let check = |news: &[Option<u64>], expected: &[u64]| {
            let expected: Vec<_> = expected.iter().copied().map(ms).collect();
            assert_eq!(divided(news, ms(1_000)), expected, "{news:?}");
        };
        check(&[], &[]);
        check(&[Some(7)], &[1_000]);
        // what shows nothing new leaves its half to nobody: the round is shorter
        check(&[Some(0), Some(0)], &[250, 250]);
        check(&[Some(3), Some(1)], &[625, 375]);
        check(&[Some(0), None, Some(4)], &[250, 0, 750]);
    }
}
