//! From an event to a receiver on loopback, on both databases (API-6 to API-10).
#![expect(clippy::unwrap_used, reason = "a test's helpers panic like the test")]

mod dispatch;
mod fairness;
mod held;
mod kit;
mod ladder;
mod log;
mod settings;
mod signing;
