//! Finds and replaces the keys with which std makes this thread's `RandomState`s.
//!
//! Std draws two keys per thread, once, and adds one to the first for every `RandomState`. There is
//! no way to set them, so a thread that is used again would order its hash maps otherwise. What is
//! known: a `RandomState` is its two keys, and the thread's own pair lies in one of its blocks of
//! thread-local memory. Nothing of this is promised by std, so each step is checked by making more
//! `RandomState`s; where one does not come out, the keys count as not found and stay untouched.
//!
//! Must not know: the simulation.

use std::{cell::OnceCell, hash::RandomState, mem, ptr};

use super::thread_locals::neighbours;

/// The keys of a `RandomState`: first the one that is counted up, then the fixed one.
type Keys = [u64; 2];

/// Where std keeps this thread's keys. Never leaves the thread.
#[derive(Clone, Copy)]
struct Place {
    counted: *mut u64,
    fixed: *mut u64,
}

thread_local! {
    /// What the search came to; empty before it.
    static PLACE: OnceCell<Option<Place>> = const { OnceCell::new() };
}

/// Whether this thread's keys were found; searches on the first call on a thread.
pub(crate) fn found() -> bool {
    place().is_some()
}

/// Sets this thread's keys and returns the former ones; `None`, and nothing done, if not found.
pub(crate) fn replace(keys: Keys) -> Option<Keys> {
    place().map(|place| {
        let former = place.read();
        place.write(keys);
        former
    })
}

fn place() -> Option<Place> {
    PLACE.with(|place| *place.get_or_init(search))
}

fn search() -> Option<Place> {
    let (a, b) = (new_random_state()?, new_random_state()?);
    // The order of the fields is the compiler's choice: the counted one gives itself away.
    let counted = (0..2).find(|&i| b[i] == a[i].wrapping_add(1) && b[1 - i] == a[1 - i])?;
    let in_order = |words: [u64; 2]| [words[counted], words[1 - counted]];

    let kept = [b[counted].wrapping_add(1), b[1 - counted]];
    let place = find_in_thread_locals(kept)?;
    let counts = |from: Keys| {
        let next = [from[0].wrapping_add(1), from[1]];
        new_random_state().map(in_order) == Some(from) && place.read() == next
    };
    if !counts(kept) {
        return None;
    }
    let trial = [!kept[0].rotate_left(7), !kept[1].rotate_left(31)];
    place.write(trial);
    let works = counts(trial);
    place.write(kept);
    works.then_some(place)
}

impl Place {
    fn read(self) -> Keys {
        // SAFETY: both point into this thread's thread-local memory, aligned, and the search has
        // seen them; that memory lives as long as the thread. Volatile, as std's code changes it.
        unsafe { [self.counted.read_volatile(), self.fixed.read_volatile()] }
    }

    fn write(self, keys: Keys) {
        // SAFETY: as for `read`; and the two words are a `Cell` of std's, which any code of this
        // thread may change between two uses, and no use is under way here.
        unsafe {
            self.counted.write_volatile(keys[0]);
            self.fixed.write_volatile(keys[1]);
        }
    }
}

/// The two words of a new `RandomState`, if it consists of two words.
#[expect(clippy::disallowed_methods, reason = "its keys are what is to be controlled")]
fn new_random_state() -> Option<[u64; 2]> {
    if mem::size_of::<RandomState>() != mem::size_of::<[u64; 2]>() {
        return None;
    }
    let state = RandomState::new();
    // SAFETY: the sizes are equal, and both keys are initialised integers that fill the value.
    Some(unsafe { mem::transmute_copy::<RandomState, [u64; 2]>(&state) })
}

/// The only place in this thread's thread-local memory that holds `wanted`, in either order.
fn find_in_thread_locals(wanted: Keys) -> Option<Place> {
    let mut hits = 0;
    let mut last = None;
    for first in neighbours::<u64>() {
        let second = first.wrapping_add(1);
        // SAFETY: both lie in a block that is mapped and this thread's own; volatile, as the words belong to other
        // code.
        let pair = unsafe { [ptr::read_volatile(first), ptr::read_volatile(second)] };
        let place = if pair == wanted {
            Place { counted: first, fixed: second }
        } else if pair == [wanted[1], wanted[0]] {
            Place { counted: second, fixed: first }
        } else {
            continue;
        };
        hits += 1;
        last = Some(place);
    }
    last.filter(|_| hits == 1)
}
