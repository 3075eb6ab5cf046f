//! The registry with real plugins: loading, grants, and what stands behind their capabilities
//! (PLG-1 to PLG-3).
#![expect(clippy::unwrap_used, reason = "a test's helpers panic like the test")]

mod capabilities;
mod kit;
mod loading;
mod receivers;
