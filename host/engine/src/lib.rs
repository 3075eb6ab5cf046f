//! What the product does: operations that the API and the command line call, and the parts that
//! work by themselves.
//!
//! - An **operation** is a free function of a feature's module: `campaigns::start(&env, &actor,
//!   ws, id)`. It checks, writes in one transaction together with the events that tell of it, and
//!   wakes the parts that have work now.
//! - A **part** ([`Part`]) does what is due at a moment and answers when it wants to be called
//!   again; it never sleeps. `overture serve` loops every part on its own task, tests and the
//!   simulator call them by hand.
//! - [`Env`] is the one bag of services. It is built in `overture`, in `testkit` and by the
//!   simulator, nowhere else.
//!
//! Features meet in the store and in its events, not inside each other.

pub mod alerts;
pub mod campaigns;
pub mod classifiers;
pub mod clock;
pub mod config;
pub mod counters;
mod env;
mod error;
pub mod failpoints;
pub mod filters;
pub mod formatters;
pub mod idempotency;
pub mod imports;
pub mod inbox;
pub mod leases;
pub mod lists;
mod mail_domains;
pub mod mailboxes;
pub mod master_key;
pub mod networks;
pub mod parts;
pub mod people;
pub mod plugins;
pub mod prospects;
pub mod providers;
pub mod restored;
pub mod safety;
mod search;
pub mod sends;
pub mod suppressions;
mod tokens;
pub mod tracking;
pub mod under_way;
pub mod unsubscribe;
pub mod webhooks;

pub use alerts::PluginHealth;
pub use classifiers::{ClassifierEntry, Classifiers};
pub use clock::DatabaseClock;
pub use config::Config;
pub use env::Env;
pub use error::{Error, FieldError, Result};
pub use failpoints::Failpoint;
pub use formatters::{FormatterEntry, Formatters};
pub use parts::{Due, Part};
pub use providers::{BeforeBody, MailProviders, NetworkAnswer, NetworkProviders, ProviderPreset};
pub use under_way::{Aside, UnderWay};

/// What callers hand over and nobody prints.
pub use overture_vault::Secret;
