//! Finds and replaces the state of the generator by which `tokio::select!` without `biased` chooses its first branch.
//!
//! Tokio keeps one generator per thread, seeded from a counter of the whole process, and lets nobody set it (the
//! runtime's `rng_seed` is unstable). What is known: it is two words of 32 bits side by side, in one of the thread's
//! blocks of thread-local memory, and `tokio::select!` itself draws from it through a function that any crate can call.
//! Nothing of this is promised by tokio, so each step is checked by drawing more; where one does not come out, the
//! generator counts as not found and stays untouched.
//!
//! Must not know: the simulation.

use std::{cell::OnceCell, ptr};

use super::thread_locals::neighbours;

/// The state of the generator.
type State = [u32; 2];

/// Where tokio keeps this thread's state. Never leaves the thread.
#[derive(Clone, Copy)]
struct Place {
    words: *mut u32,
    /// Whether the first word in memory is the second of the state.
    swapped: bool,
}

thread_local! {
    /// What the search came to; empty before it.
    static PLACE: OnceCell<Option<Place>> = const { OnceCell::new() };
}

/// Sets this thread's state and returns the former one; `None`, and nothing done, if it is not found.
pub(in super::super) fn replace(state: State) -> Option<State> {
    place().map(|place| {
        let former = place.read();
        // all zeros would stay zeros
        place.write(if state == [0, 0] { [0, 1] } else { state });
        former
    })
}

/// Whether this thread's state was found; searches on the first call on a thread.
pub(in super::super) fn found() -> bool {
    place().is_some()
}

fn place() -> Option<Place> {
    PLACE.with(|place| *place.get_or_init(search))
}

/// What tokio draws next, as the branch of a `select!` of most branches: all but one bit of a word of the generator.
fn draw() -> u32 {
    tokio::macros::support::thread_rng_n(u32::MAX)
}

/// The next state, and what is drawn with it: the generator's xorshift, as `draw` scales it.
fn next([one, two]: State) -> (State, u32) {
    let mut one = one;
    one ^= one << 17;
    one = one ^ two ^ (one >> 7) ^ (two >> 16);
    let word = two.wrapping_add(one);
    let scaled = (u64::from(word) * u64::from(u32::MAX)) >> 32;
    ([two, one], u32::try_from(scaled).expect("the upper half of a product of two words"))
}

fn search() -> Option<Place> {
    // makes the generator, if the thread has none
    draw();
    let before = candidates();
    let drawn = draw();
    let mut hits = before.into_iter().filter(|(place, state)| {
        let (after, expected) = next(*state);
        expected == drawn && place.read() == after
    });
    let (place, _) = hits.next()?;
    if hits.next().is_some() {
        return None;
    }
    let kept = place.read();
    let trial = [!kept[0].rotate_left(7) | 1, !kept[1].rotate_left(11)];
    place.write(trial);
    let works = draw() == next(trial).1 && place.read() == next(trial).0;
    place.write(kept);
    works.then_some(place)
}

/// Every two neighbouring words of this thread's memory, in both orders.
fn candidates() -> Vec<(Place, State)> {
    let mut all = Vec::new();
    for words in neighbours() {
        for swapped in [false, true] {
            let place = Place { words, swapped };
            let state = place.read();
            // no generator is at zero, and most of the memory is
            if state != [0, 0] {
                all.push((place, state));
            }
        }
    }
    all
}

impl Place {
    fn read(self) -> State {
        // SAFETY: both words lie in this thread's thread-local memory, aligned, and that lives as long as the
        // thread. Volatile, as the words belong to other code.
        let [a, b] = unsafe {
            [ptr::read_volatile(self.words), ptr::read_volatile(self.words.wrapping_add(1))]
        };
        if self.swapped { [b, a] } else { [a, b] }
    }

    fn write(self, [one, two]: State) {
        let [a, b] = if self.swapped { [two, one] } else { [one, two] };
        // SAFETY: as for `read`; the search has seen that the words are tokio's `Cell`, which any code of this
        // thread may change between two uses, and no use is under way here.
        unsafe {
            ptr::write_volatile(self.words, a);
            ptr::write_volatile(self.words.wrapping_add(1), b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_state_chooses_the_same_branches() {
        std::thread::spawn(|| {
            assert!(found());
            let choose = |state| {
                replace(state).expect("it is found");
                (0..32).map(|_| tokio::macros::support::thread_rng_n(2)).collect::<Vec<_>>()
            };
            assert_eq!(choose([7, 9]), choose([7, 9]));
            assert_ne!(choose([7, 9]), choose([7, 10]));
            let zero = choose([0, 0]);
            assert!(zero.contains(&0) && zero.contains(&1), "{zero:?}");
        })
        .join()
        .unwrap();
    }
}
