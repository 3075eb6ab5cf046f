//! The host's source of chance; a seed reproduces a run.

/// That many random bytes, at most 4,096 a call.
#[must_use]
pub fn bytes(length: u32) -> Vec<u8> {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::imports::overture::plugin::random::bytes(length);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::random_bytes(length)
}
