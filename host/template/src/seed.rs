//! The choice among spintax options as a pure function, so that a retry sends the same text.

use std::fmt::{self, Display, Write as _};

/// Decides every spintax choice of one message. It follows from the enrollment and the step
/// alone (TPL-5), and it is stable: the same ids give the same choices in every release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Seed(u64);

impl Seed {
    /// The seed of one step for one enrollment, made from the text of their ids.
    pub fn new(enrollment: impl Display, step: impl Display) -> Self {
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        // Writing into the hash cannot fail; an id whose Display fails hashes what it wrote.
        let _ = write!(hash, "{enrollment}\u{1f}{step}");
        Self(mix(hash.0))
    }

    /// The option, below `options`, that group number `group` takes.
    pub(crate) fn choose(self, salt: u64, group: u32, options: usize) -> usize {
        let z = mix(self.0 ^ mix(salt << 32 | u64::from(group)));
        ((u128::from(z) * options as u128) >> 64) as usize
    }
}

/// FNV-1a, 64 bits.
struct Fnv(u64);

impl fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }
}

/// The finaliser of SplitMix64: every bit of the input reaches every bit of the output.
fn mix(z: u64) -> u64 {
    let z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    // TPL-5: stable across releases. These numbers must not change.
    #[test]
    fn choices_are_stable() {
        let seed = Seed::new("enr_1", "stp_1");
        let picks: Vec<_> = (0..8).map(|g| seed.choose(1, g, 5)).collect();
        let again: Vec<_> = (0..8)
            .map(|g| Seed::new("enr_1", "stp_1").choose(1, g, 5))
            .collect();
        assert_eq!(picks, again);
        assert_ne!(seed, Seed::new("enr_1s", "tp_1"));
        assert_ne!(seed, Seed::new("enr_1", "stp_2"));
    }

    #[test]
    fn choices_are_even() {
        let mut counts = [0u32; 4];
        for n in 0..8_000 {
            counts[Seed::new(n, "stp").choose(2, 3, 4)] += 1;
        }
        assert!(
            counts.iter().all(|&c| (1_800..2_200).contains(&c)),
            "{counts:?}"
        );
    }
}
