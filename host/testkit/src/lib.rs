//! Test-only: both databases, servers, virtual clock, fakes.

pub mod dns;
pub mod env;

pub use env::{MONDAY, TestEnv};
pub use overture_server_kit as servers;
