//! Mailboxes and what comes in, on both databases: the clock stands still, the plugins are
//! scripted, and sessions speak with real servers.
#![expect(clippy::unwrap_used, reason = "a test's helpers panic like the test")]

mod connecting;
mod connections;
mod inbox;
mod reading;
mod script;
mod session;
mod world;
