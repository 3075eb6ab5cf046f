//! Keys, hashes and signatures. Everything secret that Overture stores or checks goes through
//! here, and no other crate calls a cryptographic primitive.
//!
//! - [`Vault`] holds the master key. It seals credentials for the database (a data key per record,
//!   wrapped by the master key, bound to its record), and derives the keys of signed tokens.
//! - [`Secret`] is text that is wiped from memory when dropped and never printed.
//! - [`password`] hashes with argon2id; [`bearer`] makes API keys, session cookies and one-time
//!   links, which are stored as a hash.
//! - [`webhook`] makes `whsec_…` secrets and the two signatures of a delivery (API-7).
//! - [`token`] signs what stands in tracking and unsubscribe links (TRK-1, TRK-4).
//!
//! What it must not know: the database (it hands out text to store), campaigns, HTTP, the clock
//! (moments come in), and where configuration comes from. Chance comes in through
//! [`overture_domain::Rng`]; [`OsRng`] is the real one, and the only one fit for secrets.

pub mod bearer;
mod error;
mod keys;
pub mod password;
mod rng;
mod seal;
mod secret;
pub mod token;
mod vault;
pub mod webhook;

pub use bearer::Bearer;
pub use error::Error;
pub use rng::OsRng;
pub use seal::Binding;
pub use secret::Secret;
pub use token::TokenError;
pub use vault::{KeyState, Vault};
pub use webhook::{Signatures, WebhookSecret};

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
