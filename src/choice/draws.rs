//! One stream of numbers that a seed gives: for decisions that depend on those before them.
//!
//! Must not know: what is decided.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use crate::base::Seed;

/// Numbers drawn one after the other.
#[derive(Clone, Debug)]
pub struct Draws(ChaCha8Rng);

impl Draws {
    /// The numbers of `seed`.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed.0))
    }

    /// A uniform number of `0..n`; 0 if `n` is.
    pub fn below(&mut self, n: u32) -> u32 {
        below(&mut self.0, n)
    }

    /// A uniform index into `count` things.
    pub fn index(&mut self, count: usize) -> usize {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        usize::try_from(self.below(count)).expect("an index fits")
    }

    /// An index into `count` things, each as likely as its weight, which may be drawn itself. The weights are asked
    /// for twice.
    pub fn weighted(
        &mut self,
        count: usize,
        mut weight: impl FnMut(&mut Self, usize) -> u32,
    ) -> usize {
        let all = (0..count).fold(0, |all: u32, index| all.saturating_add(weight(self, index)));
        let mut left = self.below(all);
        for index in 0..count {
            let weight = weight(self, index);
            if left < weight {
                return index;
            }
            left -= weight;
        }
        0
    }
}

/// A uniform value of `0..n`, by multiplication; the bias is below `n / 2^64`.
pub(super) fn below(rng: &mut ChaCha8Rng, n: u32) -> u32 {
    let wide = u128::from(rng.next_u64()) * u128::from(n);
    u32::try_from(wide >> 64).expect("a product below n * 2^64, shifted by 64, is below n or 0")
}
