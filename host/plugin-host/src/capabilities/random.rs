//! The capability `random`: the host's chance, which a seed reproduces in tests.

use crate::{bindings::overture::plugin::random as wit, state::GuestState};

/// The most that one call gets; more is cut.
const MAX_BYTES: u32 = 4_096;

impl wit::Host for GuestState {
    fn bytes(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        self.host_calls.count()?;
        let mut bytes = vec![0; length.min(MAX_BYTES) as usize];
        self.services.rng.fill(&mut bytes);
        Ok(bytes)
    }
}
