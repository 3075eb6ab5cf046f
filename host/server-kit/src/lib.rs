//! Real servers for tests: Postfix with Dovecot, and PostgreSQL, each in a temporary directory,
//! on free ports of 127.0.0.1, without touching a service of the system.
//!
//! ```no_run
//! let mail = overture_server_kit::mail()?;          // one pair a run, shared
//! let domain = mail.own_domain()?;                  // nobody else's addresses
//! let ada = format!("ada@{domain}");
//! mail.add_accounts(&[overture_server_kit::Account::new(&ada, "secret")])?;
//! // ... submit to mail.ports.submission, read from mail.ports.imaps, trust mail.ca_file
//! let arrived = mail.mails(&ada, "INBOX")?;
//! # Ok::<(), overture_server_kit::Error>(())
//! ```
//!
//! - [`mail`] and [`postgres`] are what tests call. `cargo xtask test` starts the servers once and
//!   says through [`MAIL_VARIABLE`] and [`POSTGRES_VARIABLE`] how to reach them; without these, a
//!   test process starts its own at first use and shares them within the process.
//! - [`start_mail`] and [`start_postgres`] give servers of one's own, with options.
//! - [`Running`] stops its servers and removes their directory when it is dropped. The same happens
//!   when the process that holds it is killed: a keeper process waits at the other end of a pipe.
//! - [`FATES`] says which addresses bounce, are refused or deferred, and how.
//!
//! What is missing is an error that names the command which installs it.

mod error;
mod fates;
mod keeper;
mod mail;
mod postgres;
mod program;
mod shared;
mod tls;
mod wait;

pub use error::{Error, Result};
pub use fates::{FATES, Fate};
pub use keeper::Running;
pub use mail::{Account, MailOptions, MailPorts, MailServers, prospect_address, start_mail};
pub use postgres::{Durability, Postgres, start_postgres};
pub use shared::{MAIL_VARIABLE, POSTGRES_VARIABLE, mail, postgres};
pub use wait::wait_until;
