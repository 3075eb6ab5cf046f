//! The host's clock. It is virtual in the simulator, so take the time from nowhere else.

use crate::Timestamp;

/// Now.
#[must_use]
pub fn now() -> Timestamp {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::imports::overture::plugin::clock::now();
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::now()
}
