//! Which of several things that may happen comes first: what is offered, and how it is written on a tape.
//!
//! A decision reads `order @ THIS before THAT`: `THAT` would have been the next, first in, first out. Its number says
//! how often something went before `THAT` by then, so that several that did keep their order. What has a name that
//! others had before it is numbered. `patience_ms @ order` says what there was to choose from; without it, a tape is
//! repeated as well as it goes.
//!
//! Must not know: what is being ordered.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::VirtualTime;

/// The kind of these decisions.
pub const ORDER: &str = "order";
/// The decision for how long what is ready may be passed over by what is due later, in milliseconds.
pub(super) const PATIENCE: &str = "patience_ms @ order";
const BEFORE: &str = " before ";

/// What something that may happen next does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Code goes on; nothing that others see changes before its messages arrive.
    Code,
    /// A message of running code arrives, or is given to it.
    Message,
    /// Something is due at a time: a request arrives, a timer fires, a call returns.
    Due,
}

/// Something that may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The same as long as it waits, and nothing else's in a run.
    pub number: u64,
    /// The same for all that one piece of code does, or that one request is.
    pub task: u64,
    /// What it does.
    pub step: Step,
    /// Since when it could happen; of what is due later: when.
    pub at: VirtualTime,
}

/// What candidates are called.
pub trait Words {
    /// The candidate with this index, in the domain's words: unique among those of one decision.
    fn name(&self, index: usize) -> String;

    /// The service and handler whose code or message it is, if it is one.
    fn handler(&self, index: usize) -> Option<(&str, &str)>;
}

/// The text of a decision.
#[must_use]
pub fn text(first: &str, before: &str) -> String {
    format!("{ORDER} @ {first}{BEFORE}{before}")
}

/// Writes decisions on order as a tape holds them.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// How often something went before this.
    passed: BTreeMap<String, u32>,
    firsts: Numbers,
    pairs: Numbers,
}

impl Written {
    /// The text and number of the decision for the candidate `index`; none if that is the first.
    pub(super) fn decision(&mut self, index: usize, words: &dyn Words) -> Option<(String, u32)> {
        if index == 0 {
            self.firsts.next(words.name(0));
            return None;
        }
        let before = self.firsts.numbered(words.name(0));
        let text = self.pairs.next(text(&words.name(index), &before));
        let passed = self.passed.entry(before).or_default();
        *passed += 1;
        Some((text, *passed))
    }
}

/// Tells apart what has one text.
#[derive(Clone, Debug, Default)]
struct Numbers(BTreeMap<String, u32>);

impl Numbers {
    /// `text`, numbered if it was there before.
    fn numbered(&self, text: String) -> String {
        match self.0.get(&text) {
            None => text,
            Some(times) => format!("{text} #{}", times + 1),
        }
    }

    /// The same; from now on it was there once more.
    fn next(&mut self, text: String) -> String {
        let numbered = self.numbered(text.clone());
        *self.0.entry(text).or_default() += 1;
        numbered
    }
}

/// Finds decisions on order on a tape.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorded {
    /// Everything that something goes before.
    passed: BTreeSet<String>,
    firsts: Numbers,
    pairs: Numbers,
}

impl Recorded {
    /// What `picks` say of order.
    pub(super) fn of<'t>(picks: impl Iterator<Item = &'t String>) -> Self {
        let decisions = picks.filter_map(|site| site.strip_prefix(ORDER)?.strip_prefix(" @ "));
        let mut passed = BTreeSet::new();
        for place in decisions {
            // a name may have the word in it, and a numbered decision speaks of the same thing: one too many is no harm
            for (at, _) in place.match_indices(BEFORE) {
                let name = &place[at + BEFORE.len()..];
                let mut names = vec![name];
                while let Some((plain, _)) = names[names.len() - 1].rsplit_once(" #") {
                    names.push(plain);
                }
                passed.extend(names.into_iter().map(str::to_owned));
            }
        }
        Self { passed, firsts: Numbers::default(), pairs: Numbers::default() }
    }

    /// Whether there are any.
    pub(super) fn any(&self) -> bool {
        !self.passed.is_empty()
    }

    /// Which of `count` candidates comes next; its decision is taken from `left`.
    pub(super) fn order(
        &mut self,
        left: &mut BTreeMap<String, u32>,
        count: usize,
        words: &dyn Words,
    ) -> usize {
        let first = self.firsts.numbered(words.name(0));
        if !self.passed.contains(&first) {
            self.firsts.next(words.name(0));
            return 0;
        }
        let recorded = (1..count).filter_map(|index| {
            let pair = text(&words.name(index), &first);
            let number = left.get(&self.pairs.numbered(pair.clone()))?;
            Some((*number, index, pair))
        });
        let Some((_, index, pair)) = recorded.min() else {
            self.firsts.next(words.name(0));
            return 0;
        };
        left.remove(&self.pairs.next(pair));
        index
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::choice::{Options, Recorder, Site, Source, Tape};

    struct Named<'a>(&'a [&'a str]);

    impl Words for Named<'_> {
        fn name(&self, index: usize) -> String {
            self.0[index].to_owned()
        }

        fn handler(&self, _: usize) -> Option<(&str, &str)> {
            None
        }
    }

    /// Chooses these, one after the other.
    struct Given(Vec<usize>);

    impl Source for Given {
        fn pick(&mut self, _: Site<'_>, _: Options) -> u32 {
            0
        }

        fn patience(&self) -> Option<Duration> {
            Some(Duration::from_millis(7))
        }

        fn order(&mut self, _: &[Candidate], _: &dyn Words) -> usize {
            self.0.remove(0)
        }
    }

    fn candidates(count: usize) -> Vec<Candidate> {
        let one = |number| Candidate { number, task: 0, step: Step::Code, at: VirtualTime::ZERO };
        (0..count as u64).map(one).collect()
    }

    /// Records `choices` among `offers`, and gives the tape if it repeats them.
    #[track_caller]
    fn repeated(offers: &[&[&str]], choices: &[usize]) -> Tape {
        let mut recorder = Recorder::new(Given(choices.to_vec()), true);
        for offer in offers {
            recorder.order(&candidates(offer.len()), &Named(offer));
        }
        let (_, tape) = recorder.finish();
        let mut player = tape.player();
        let again: Vec<usize> = offers
            .iter()
            .map(|offer| player.order(&candidates(offer.len()), &Named(offer)))
            .collect();
        assert_eq!(again, choices);
        assert_eq!(
            player.patience(),
            choices.iter().any(|c| *c != 0).then_some(Duration::from_millis(7))
        );
        assert_eq!(player.stale(), Vec::<String>::new());
        tape
    }

    #[test]
    fn what_went_first_is_written_in_words_and_repeated_in_its_order() {
        let tape = repeated(&[&["a", "b", "c"], &["a", "b"], &["a", "d"]], &[2, 1, 0]);
        let picks: Vec<(&str, u32)> = tape.picks().iter().map(|(s, n)| (s.as_str(), *n)).collect();
        assert_eq!(
            picks,
            [("order @ b before a", 2), ("order @ c before a", 1), ("patience_ms @ order", 7)]
        );
    }

    #[test]
    fn equal_names_are_told_apart() {
        // the first `t` goes on undisturbed, the second is passed by one of another that was there before
        let tape = repeated(&[&["t", "a"], &["t", "a"], &["t", "a"]], &[0, 1, 1]);
        assert!(tape.picks().contains_key("order @ a before t #2 #2"), "{tape:?}");
        repeated(&[&["x before y", "z"], &["y", "x"]], &[1, 1]);
    }

    #[test]
    fn without_any_order_nothing_is_asked() {
        assert_eq!(repeated(&[&["a", "b"]], &[0]).picks().len(), 0);
        let tape = Tape::new([("order @ b before a".to_owned(), 1)].into());
        assert_eq!(tape.player().patience(), Some(Duration::MAX));
        let left = tape.player().stale();
        assert_eq!(left, ["order @ b before a: this decision was never made"]);
    }
}
