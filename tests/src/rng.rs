//! Random numbers, deterministic: the same seed, the same run.

/// A source of random numbers (xorshift, Marsaglia 2003).
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// From a seed; any will do.
    pub fn new(seed: u64) -> Self {
        // The generator never leaves 0.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap_or(usize::MAX) % end
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of several.
    pub fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// The seed of tests, the same every time: what is new is found by `make soak` and `make outcome`. The environment
/// variable `NETLAB_SEED` gives another.
pub fn seed() -> u64 {
    given().unwrap_or(1)
}

/// A seed from the clock, or from the environment variable `NETLAB_SEED` to run the same again.
pub fn new_seed() -> u64 {
    given().unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(1, |now| now.as_secs() ^ u64::from(now.subsec_micros()))
    })
}

fn given() -> Option<u64> {
    std::env::var("NETLAB_SEED").ok().and_then(|text| text.parse().ok())
}
