//! Is there an order of an object's operations that a sequential model explains?
//!
//! The search of Wing and Gong with memoization of what was already tried (Lowe): operations are placed
//! one by one; one can be next if no other that is still to be placed ended before it began.
//!
//! Must not know: histories, services.

use std::collections::BTreeSet;

/// Most operations that may be in progress around one that is still to be placed.
pub(super) const CONCURRENT_MAX: usize = 64;
/// Most configurations that one search visits.
pub(super) const CONFIGURATIONS_MAX: usize = 20_000;

/// A sequential specification.
pub(super) trait Model {
    /// What is remembered between operations.
    type State: Clone + Ord + Default;
    /// An operation with what it answered.
    type Op;

    /// Appends every state that `op` can lead to from `state`; none if it cannot answer that there.
    fn step(state: &Self::State, op: &Self::Op, next: &mut Vec<Self::State>);
}

/// An operation and the time it took, in records: both ends belong to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timed<Op> {
    pub(super) op: Op,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// An order exists.
    Explained,
    /// None does; the index of the operation at which the longest attempt got stuck.
    Stuck(usize),
    /// Too many operations at once, or too many orders: nothing is said.
    TooLarge,
}

/// Searches for an order of `ops`, which are sorted by `from`.
pub(super) fn linearize<M: Model>(ops: &[Timed<M::Op>]) -> Search {
    // A configuration: all before `first` are placed, and of those from it on the set bits.
    let mut seen: BTreeSet<(usize, u64, M::State)> = BTreeSet::new();
    let mut open = vec![(0_usize, 0_u64, M::State::default())];
    let mut next = Vec::new();
    let mut deepest = (0, 0);
    let mut too_wide = false;
    while let Some((first, placed, state)) = open.pop() {
        if first == ops.len() {
            return Search::Explained;
        }
        let depth = first + placed.count_ones() as usize;
        let candidates = candidates(&ops[first..], placed);
        too_wide |= candidates.is_none();
        let Some((candidates, urgent)) = candidates else { continue };
        if depth >= deepest.0 {
            deepest = (depth, first + urgent);
        }
        // Pushed in reverse, so that the order of beginning is tried first.
        for i in (0..CONCURRENT_MAX).rev().filter(|i| candidates & (1 << i) != 0) {
            next.clear();
            M::step(&state, &ops[first + i].op, &mut next);
            for state in next.drain(..) {
                let placed = placed | (1 << i);
                let shift = placed.trailing_ones();
                let rest = placed.checked_shr(shift).unwrap_or(0);
                let configuration = (first + shift as usize, rest, state);
                // With one way on there is nothing to remember.
                if candidates.count_ones() == 1 || seen.insert(configuration.clone()) {
                    open.push(configuration);
                }
            }
        }
        if seen.len() > CONFIGURATIONS_MAX {
            return Search::TooLarge;
        }
    }
    if too_wide { Search::TooLarge } else { Search::Stuck(deepest.1) }
}

/// The operations that can be next, as bits, and the one of them that ends first; none if there are
/// too many at once. The first of `ops` is not placed.
fn candidates<Op>(ops: &[Timed<Op>], placed: u64) -> Option<(u64, usize)> {
    let mut candidates = 0;
    let mut urgent = 0;
    for (i, op) in ops.iter().enumerate() {
        if op.from > ops[urgent].to {
            break;
        }
        if i == CONCURRENT_MAX {
            return None;
        }
        if placed & (1 << i) == 0 {
            candidates |= 1 << i;
            if op.to < ops[urgent].to {
                urgent = i;
            }
        }
    }
    Some((candidates, urgent))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A register: `Write(v)` and `Read(v)`.
    #[derive(Clone, Copy, Debug)]
    enum Op {
        Write(u8),
        Read(u8),
    }
    use Op::{Read, Write};

    struct Register;

    impl Model for Register {
        type State = u8;
        type Op = Op;

        fn step(state: &u8, op: &Op, next: &mut Vec<u8>) {
            match op {
                Write(v) => next.push(*v),
                Read(v) if v == state => next.push(*v),
                Read(_) => {}
            }
        }
    }

    fn check(ops: &[(Op, usize, usize)], expect: Search) {
        let ops: Vec<_> = ops.iter().map(|&(op, from, to)| Timed { op, from, to }).collect();
        assert_eq!(linearize::<Register>(&ops), expect, "{ops:?}");
    }

    #[test]
    fn an_order_is_found_if_and_only_if_there_is_one() {
        check(&[], Search::Explained);
        check(&[(Write(1), 0, 1), (Read(1), 2, 3)], Search::Explained);
        check(&[(Write(1), 0, 1), (Read(0), 2, 3)], Search::Stuck(1));
        // A read beside the write sees either; two reads one after the other do not go back.
        check(&[(Write(1), 0, 9), (Read(0), 1, 2)], Search::Explained);
        check(&[(Write(1), 0, 9), (Read(1), 1, 2), (Read(1), 3, 4)], Search::Explained);
        check(&[(Write(1), 0, 9), (Read(1), 1, 2), (Read(0), 3, 4)], Search::Stuck(2));
        // The write that must come last began first.
        check(
            &[(Write(1), 0, 9), (Write(2), 1, 2), (Read(2), 3, 4), (Read(1), 5, 6)],
            Search::Explained,
        );
    }

    #[test]
    fn long_sequences_are_no_matter_and_wide_ones_are_left_alone() {
        let long: Vec<_> = (0..1000).map(|i| (Write(1), i * 2, i * 2 + 1)).collect();
        check(&long, Search::Explained);
        let wide: Vec<_> = (0..65).map(|i| (Write(1), i, 1000)).collect();
        check(&wide, Search::TooLarge);
        let tangled: Vec<_> =
            (0..30).map(|i| (Write(i as u8 + 1), i, 1000)).chain([(Read(99), 30, 1000)]).collect();
        check(&tangled, Search::TooLarge);
    }
}
