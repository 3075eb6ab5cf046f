//! Test-only: both databases, servers, virtual clock, fakes.

pub mod dns;
