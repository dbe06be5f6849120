//! One fault of a run, alone: what shows with it needs nothing else to be blamed.
//!
//! Must not know: what is compared.

use std::time::Duration;

use crate::{
    choice::{Candidate, Options, Site, Source, Words},
    history::{Event, History},
    scenario::plan::Fault,
    sim::CRASH_AT,
};

/// A fault that is more than a delay: its name, and where it struck. None stands for the places of the plan at which an
/// attempt dies in every run.
pub(super) type Struck<'h> = Option<(&'h str, &'h str)>;

/// The faults of a run that are more than delays, in their order.
pub(super) fn struck(history: &History) -> Vec<Struck<'_>> {
    let mut all = Vec::new();
    for record in history.records() {
        let Event::FaultFired { fault, place } = &record.event else { continue };
        let is_delay = matches!(
            fault.parse(),
            Ok(Fault::HandlerSlow | Fault::WorldSlow | Fault::MessageDelayed)
        );
        match (fault == CRASH_AT, is_delay) {
            (true, _) if !all.contains(&None) => all.push(None),
            (false, false) => all.push(Some((&**fault, place.as_str()))),
            _ => {}
        }
    }
    all
}

/// The decisions of another run, with one of its faults.
pub(super) struct Alone<'s> {
    source: Box<dyn Source + 's>,
    kept: Struck<'s>,
}

impl<'s> Alone<'s> {
    pub(super) fn new(source: Box<dyn Source + 's>, kept: Struck<'s>) -> Self {
        Self { source, kept }
    }
}

impl Source for Alone<'_> {
    fn pick(&mut self, site: Site<'_>, options: Options) -> u32 {
        let is_fault = site.kind.parse::<Fault>().is_ok();
        if is_fault && self.kept != Some((site.kind, site.place)) {
            return 0;
        }
        self.source.pick(site, options)
    }

    fn polled(&mut self) {
        self.source.polled();
    }

    fn patience(&self) -> Option<Duration> {
        self.source.patience()
    }

    fn order(&mut self, candidates: &[Candidate], words: &dyn Words) -> usize {
        self.source.order(candidates, words)
    }
}
