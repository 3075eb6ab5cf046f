//! The only crate that knows SQL: SQLite (one file, the default) and PostgreSQL from one text.
//!
//! A statement is plain text beside the function that runs it, wrapped in [`sql!`](crate::query):
//! the macro registers it, so that one test prepares every statement of the crate on both
//! databases. The few places where the engines differ are named pieces in [`dialect`].
//!
//! - Reads take anything that implements [`Read`] (a [`Reader`] or a [`Tx`]), writes a [`Tx`].
//! - The workspace comes first in every function that a request reaches (WS-1).
//! - Writes are set-based: a slice travels as one JSON parameter, read by `{rows $n}`.
//! - Ids and times are made by the caller, never here.
//!
//! One module a table family; its records live in `overture-domain`.

pub mod accounts;
pub mod actions;
pub mod alerts;
pub mod audit;
pub mod campaigns;
pub mod caps;
mod checkpoint;
pub mod counts;
#[cfg(feature = "failpoints")]
pub mod crash;
mod db;
pub mod deliveries;
pub mod dialect;
pub mod enrollments;
mod error;
pub mod events;
pub mod evidence;
pub mod filters;
mod flush;
pub mod gauges;
pub mod hosts;
pub mod idempotency;
pub mod imports;
pub mod jobs;
pub mod lanes;
pub mod lists;
pub mod mail_domains;
pub mod messages;
mod migrate;
pub mod outcomes;
pub mod people;
pub mod plugins;
pub mod profiles;
pub mod prospects;
mod query;
mod revisions;
mod row;
pub mod safety;
pub mod scratch;
pub mod search;
mod slices;
pub mod suppressions;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tracking;
pub mod upkeep;
pub mod vault;
#[cfg(feature = "failpoints")]
pub mod watch;
pub mod webhooks;
mod writer;

pub use db::{Alone, Database, Read, Reader, Snapshot, Tx, Write};
pub use error::{Error, Result};
pub use migrate::{Migrations, schema};
pub use query::{Query, Sql, Value, statements};
pub use revisions::{Concerns, Revision};
pub use row::{Record, Row};
pub use slices::{ByAge, Place, Slice, Sort};
