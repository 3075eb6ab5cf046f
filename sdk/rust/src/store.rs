//! A small key-value store of this plugin in this workspace, with the manifest's quota.

pub use crate::bindings::imports::overture::plugin::store::StoreError;

#[cfg(target_arch = "wasm32")]
use crate::bindings::imports::overture::plugin::store as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::store as host;

/// The value of a key.
///
/// # Errors
/// [`StoreError`]
pub fn get(key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    host::get(key)
}

/// Writes a value.
///
/// # Errors
/// [`StoreError`]
pub fn set(key: &str, value: &[u8]) -> Result<(), StoreError> {
    host::set(key, value)
}

/// Removes a key; one that isn't there is no error.
///
/// # Errors
/// [`StoreError`]
pub fn delete(key: &str) -> Result<(), StoreError> {
    host::delete(key)
}

/// Keys that start with `prefix`, sorted, at most 1,000.
///
/// # Errors
/// [`StoreError`]
pub fn keys(prefix: &str) -> Result<Vec<String>, StoreError> {
    host::keys(prefix)
}
