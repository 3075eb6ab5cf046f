//! Mailboxes and what comes in, on both databases: the clock stands still, the plugins are
//! scripted, and sessions speak with real servers.
#![expect(clippy::unwrap_used, reason = "a test's helpers panic like the test")]

mod connecting;
mod connections;
mod conversations;
mod host_limits;
mod inbox;
mod native;
mod proof;
mod reading;
mod real;
mod relabel;
mod returned;
mod script;
mod session;
mod trial;
mod watching;
mod world;
