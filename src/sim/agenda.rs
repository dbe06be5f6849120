//! What is to happen, in order of virtual time; ties in the order of planning.

use std::{cmp::Ordering, collections::BinaryHeap};

use crate::base::VirtualTime;

#[derive(Debug)]
struct Item<T> {
    at: VirtualTime,
    planned: u64,
    what: T,
}

impl<T> PartialEq for Item<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Item<T> {}

impl<T> PartialOrd for Item<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Item<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        // a BinaryHeap gives the greatest first
        (other.at, other.planned).cmp(&(self.at, self.planned))
    }
}

#[derive(Debug)]
pub(super) struct Agenda<T> {
    items: BinaryHeap<Item<T>>,
    planned: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { items: BinaryHeap::new(), planned: 0 }
    }
}

impl<T> Agenda<T> {
    pub(super) fn plan(&mut self, at: VirtualTime, what: T) {
        self.planned += 1;
        self.items.push(Item { at, planned: self.planned, what });
    }

    pub(super) fn next_at(&self) -> Option<VirtualTime> {
        self.items.peek().map(|i| i.at)
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        self.items.pop().map(|i| i.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_comes_first_and_ties_keep_their_order() {
        let mut agenda = Agenda::default();
        for (at, what) in [(2, 'c'), (1, 'a'), (2, 'd'), (1, 'b')] {
            agenda.plan(VirtualTime::from_millis(at), what);
        }
        assert_eq!(agenda.next_at(), Some(VirtualTime::from_millis(1)));
        let order: String = std::iter::from_fn(|| agenda.pop()).collect();
        assert_eq!(order, "abcd");
    }
}
