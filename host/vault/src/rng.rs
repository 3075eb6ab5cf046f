//! The operating system's random source.

use overture_domain::Rng;

/// Random bytes of the operating system (`getrandom(2)` and its like): the source that a running
/// Overture is wired to, and the only one fit for keys and tokens.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRng;

impl Rng for OsRng {
    /// # Panics
    /// When the operating system gives no random bytes. Nothing safe can be done then.
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system's random source answers");
    }
}
