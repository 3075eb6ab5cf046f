//! The capability `clock`: the host's time, which is virtual in the simulator.

use crate::{bindings::overture::plugin::clock as wit, state::GuestState, types::millis};

impl wit::Host for GuestState {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.host_calls.count()?;
        Ok(millis(self.services.clock.now()))
    }
}
