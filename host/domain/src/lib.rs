//! Ids, time, records, states, caps and windows: the rules of the product as pure code.
//!
//! Nothing here does IO, knows a database driver, or takes the clock: time comes in as a
//! [`Timestamp`], chance through [`Rng`].

pub mod id;
pub mod rng;
pub mod time;

pub use id::Id;
pub use rng::Rng;
pub use time::{Clock, Timestamp};
