//! Chance that can be repeated.

/// Chance that is the same for the same words (splitmix64 over FNV-1a).
#[derive(Clone, Copy, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Seeded by a number and some texts.
    #[must_use]
    pub fn of(seed: u64, texts: &[&str]) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325 ^ seed;
        for text in texts {
            for byte in text.bytes().chain([0]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        Chance(hash)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.number() % (high - low + 1)
    }

    pub(crate) fn percent(mut self) -> u64 {
        self.between(0, 99)
    }
}
