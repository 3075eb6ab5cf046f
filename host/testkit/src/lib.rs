//! Test-only: both databases, servers, virtual clock, fakes.

pub mod dns;

pub use overture_server_kit as servers;
