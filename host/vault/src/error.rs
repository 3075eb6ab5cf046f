//! What can go wrong with keys and sealed text. No variant carries a secret.

use std::{io, path::PathBuf};

/// An error of the vault, in words for the person who runs the instance.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No key file where one was expected.
    #[error(
        "there is no master key at {path}. It opens the credentials in the database, so a new one is \
         made only beside an empty database: put the file back from your backup, or give the key \
         in the environment variable OVERTURE_MASTER_KEY"
    )]
    KeyMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A new key would overwrite one.
    #[error(
        "{path} exists already; a master key is never overwritten. Use it, or move it away first"
    )]
    KeyExists {
        /// The existing file.
        path: PathBuf,
    },
    /// The key file is open to other users of the machine.
    #[error(
        "the master key {path} can be read by other users (mode {mode:o}). Close it with: \
         chmod 600 {path}"
    )]
    KeyReadable {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file can't be read or written.
    #[error("the master key {path} can't be {doing}: {source}")]
    KeyIo {
        /// The key file.
        path: PathBuf,
        /// `read` or `written`.
        doing: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// The text is no master key.
    #[error(
        "the master key in {origin} is malformed: {reason}. It is one line `omk1_` followed by 43 \
         letters, digits, `-` or `_`, as Overture wrote it; put back the copy from your backup"
    )]
    KeyMalformed {
        /// The file or variable.
        origin: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The key is a good one, but of another database.
    #[error(
        "the master key in {origin} is not the one that this database was sealed with (the database \
         wants key {wanted}, given: {given}). Put back the key that belongs to this database"
    )]
    WrongKey {
        /// The file or variable.
        origin: String,
        /// The id of the key that the database was sealed with, or `unknown`.
        wanted: String,
        /// The ids of the keys at hand.
        given: String,
    },
    /// A record was sealed with a key that is not at hand.
    #[error(
        "{record} was sealed with master key {id}, which is not at hand. Add that key as a further \
         line to the master key file"
    )]
    UnknownKey {
        /// Which record.
        record: String,
        /// The key's id.
        id: String,
    },
    /// The sealed text is not in its form.
    #[error(
        "the sealed text of {record} is malformed; restore the row from a backup, or enter the credential anew"
    )]
    SealedMalformed {
        /// Which record.
        record: String,
    },
    /// The sealed text was altered, or belongs to another record.
    #[error(
        "the sealed text of {record} does not belong to it or was altered; restore the row from a \
         backup, or enter the credential anew"
    )]
    SealedForged {
        /// Which record.
        record: String,
    },
    /// Not a webhook secret.
    #[error("a webhook secret is `whsec_` followed by 24 to 64 bytes in base64")]
    WebhookSecret,
    /// A stored password hash that can't be read.
    #[error("the stored password hash is malformed; set the password anew")]
    PasswordHash,
}
