//! Two histories side by side: what both have stands in one row.
//!
//! Must not know: what an event is, how rows are drawn.

use serde::Serialize;

/// Further apart than this, two histories are not compared event by event: events of one times events of the other.
const CELLS_MAX: usize = 4_000_000;

/// A row: the place of an event in the one history, and in the other; and whether they say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Pair(pub(super) Option<usize>, pub(super) Option<usize>, pub(super) bool);

/// What two events are compared by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Compared {
    /// Events with one key may stand in one row.
    pub(super) key: String,
    /// They say the same if these are the same too.
    pub(super) text: String,
}

/// The longest common subsequence by key; of several, that in which most events say the same.
pub(super) fn align(one: &[Compared], other: &[Compared]) -> Vec<Pair> {
    let same = |(a, b): &(&Compared, &Compared)| a == b;
    let head = one.iter().zip(other).take_while(same).count();
    let tail = one[head..].iter().rev().zip(other[head..].iter().rev()).take_while(same).count();
    let (a, b) = (&one[head..one.len() - tail], &other[head..other.len() - tail]);
    let mut pairs: Vec<Pair> = (0..head).map(|at| Pair(Some(at), Some(at), true)).collect();
    pairs.extend(between(a, b).into_iter().map(|Pair(one, other, same)| {
        Pair(one.map(|at| at + head), other.map(|at| at + head), same)
    }));
    let ends = (one.len() - tail, other.len() - tail);
    pairs.extend((0..tail).map(|at| Pair(Some(ends.0 + at), Some(ends.1 + at), true)));
    pairs
}

fn between(one: &[Compared], other: &[Compared]) -> Vec<Pair> {
    let (rows, columns) = (one.len(), other.len());
    let mut pairs = Vec::with_capacity(rows.max(columns));
    let (mut a, mut b) = (0, 0);
    if rows.saturating_mul(columns) <= CELLS_MAX {
        // what is common from here on: keys count more than texts
        let width = columns + 1;
        let mut best = vec![0_u32; (rows + 1) * width];
        for at in (0..rows).rev() {
            for beside in (0..columns).rev() {
                let worth = worth(&one[at], &other[beside]);
                let both = if worth > 0 { worth + best[(at + 1) * width + beside + 1] } else { 0 };
                let skip = best[(at + 1) * width + beside].max(best[at * width + beside + 1]);
                best[at * width + beside] = both.max(skip);
            }
        }
        while a < rows && b < columns {
            let worth = worth(&one[a], &other[b]);
            let here = best[a * width + b];
            if worth > 0 && here == worth + best[(a + 1) * width + b + 1] {
                pairs.push(Pair(Some(a), Some(b), one[a] == other[b]));
                (a, b) = (a + 1, b + 1);
            } else if here == best[(a + 1) * width + b] {
                pairs.push(Pair(Some(a), None, false));
                a += 1;
            } else {
                pairs.push(Pair(None, Some(b), false));
                b += 1;
            }
        }
    }
    pairs.extend((a..rows).map(|at| Pair(Some(at), None, false)));
    pairs.extend((b..columns).map(|at| Pair(None, Some(at), false)));
    pairs
}

fn worth(one: &Compared, other: &Compared) -> u32 {
    match one.key == other.key {
        false => 0,
        true if one.text == other.text => 3,
        true => 2,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(words: &[&str]) -> Vec<Compared> {
        let event = |word: &&str| {
            let (key, text) = word.split_once(':').unwrap_or((word, ""));
            Compared { key: key.to_owned(), text: text.to_owned() }
        };
        words.iter().map(event).collect()
    }

    #[test]
    fn what_both_have_stands_in_one_row() {
        let check =
            |one: &[&str], other: &[&str], expected: &[(Option<usize>, Option<usize>, bool)]| {
                let pairs: Vec<_> =
                    align(&events(one), &events(other)).iter().map(|p| (p.0, p.1, p.2)).collect();
                assert_eq!(pairs, expected, "{one:?} {other:?}");
            };
        check(&["a", "b"], &["a", "b"], &[(Some(0), Some(0), true), (Some(1), Some(1), true)]);
        check(
            &["a", "crash", "b:2"],
            &["a", "b:1", "c"],
            &[
                (Some(0), Some(0), true),
                (Some(1), None, false),
                (Some(2), Some(1), false),
                (None, Some(2), false),
            ],
        );
        // of two with one key, that which says the same
        check(
            &["x:1", "y"],
            &["x:2", "x:1", "z"],
            &[
                (None, Some(0), false),
                (Some(0), Some(1), true),
                (Some(1), None, false),
                (None, Some(2), false),
            ],
        );
        check(&[], &["a"], &[(None, Some(0), false)]);
    }

    proptest! {
        #[test]
        fn every_event_has_one_row_in_order(one in "[abc]{0,12}", other in "[abc]{0,12}") {
            let each = |text: &str| -> Vec<Compared> {
                text.chars().map(|c| Compared { key: c.into(), text: String::new() }).collect()
            };
            let (a, b) = (each(&one), each(&other));
            let pairs = align(&a, &b);
            let firsts: Vec<usize> = pairs.iter().filter_map(|pair| pair.0).collect();
            let seconds: Vec<usize> = pairs.iter().filter_map(|pair| pair.1).collect();
            prop_assert_eq!(firsts, (0..a.len()).collect::<Vec<_>>());
            prop_assert_eq!(seconds, (0..b.len()).collect::<Vec<_>>());
            for Pair(first, second, same) in pairs {
                if let (Some(first), Some(second)) = (first, second) {
                    prop_assert_eq!(&a[first].key, &b[second].key);
                    prop_assert!(same);
                }
            }
        }
    }
}
