//! Test-only: both databases, servers, virtual clock, fakes.

pub mod app;
pub mod dns;
pub mod env;
pub mod outreach;
pub mod proxy;
pub mod sink;
mod wait;

pub use app::App;
pub use env::{MONDAY, TestEnv, services, workspace};
pub use outreach::Outreach;
pub use overture_server_kit as servers;
pub use overture_store::{dialect::Dialect, on_both, testing::TestDatabase};
pub use sink::Sink;
pub use wait::eventually;
