//! Backups: one file with the whole database and a manifest that says what it is (OPS-1).
//!
//! A backup is a tar archive in zstd (`tar --zstd -tf FILE` lists it): `manifest.json`, then the
//! database as SQLite's own file or as `pg_dump` writes it. The master key, the configuration and the
//! folder of plugins are not in it: a stolen backup must not open the credentials.

pub mod archive;
pub mod postgres;

use anyhow::{Result, bail};
use overture_domain::Timestamp;
use overture_engine::master_key::KEY_CHECK;
use overture_store::{Database, dialect::Dialect, people};
use serde::{Deserialize, Serialize};

/// The form of the archive; it changes when an earlier program could not read it any more.
pub const FORMAT_VERSION: u32 = 1;
const FORMAT: &str = "overture-backup";

/// What a backup says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    format: String,
    format_version: u32,
    /// The version of the program that took it.
    pub program: String,
    /// The last migration that had run.
    pub schema: i64,
    /// `sqlite` or `postgres`.
    pub database: String,
    pub taken_at: Timestamp,
    /// A server worked on the database then: mails may have gone out afterwards.
    pub while_serving: bool,
    /// By this the master key is recognised that opens the credentials; it tells nothing about it.
    pub master_key: Option<String>,
    /// What follows in the archive.
    pub payload: Payload,
}

/// The database in the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    pub name: String,
    pub bytes: u64,
    /// In hex.
    pub sha256: String,
}

impl Manifest {
    /// Of a backup that is taken now.
    ///
    /// # Errors
    /// When the database can't be asked, or is empty.
    pub async fn of(
        db: &Database,
        taken_at: Timestamp,
        while_serving: bool,
        payload: Payload,
    ) -> Result<Self> {
        let schema = db.migrations().await?.found;
        if schema == 0 {
            bail!("the database is empty: there is nothing to back up");
        }
        Ok(Self {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            schema,
            database: db.dialect().name().to_owned(),
            taken_at,
            while_serving,
            master_key: people::instance_value(&mut db.reader(), KEY_CHECK).await?,
            payload,
        })
    }

    /// Whether this program can put it back into such a database.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn check(&self, into: Dialect, known_schema: i64) -> Result<()> {
        if self.format != FORMAT {
            bail!("its manifest is not Overture's: this is no backup of Overture");
        }
        if self.format_version > FORMAT_VERSION || self.schema > known_schema {
            bail!(
                "overture {} took it (format {}, schema {}), and this is overture {} (format {FORMAT_VERSION}, schema {known_schema}): restore it with that version or a newer one",
                self.program,
                self.format_version,
                self.schema,
                env!("CARGO_PKG_VERSION"),
            );
        }
        if self.database != into.name() {
            bail!(
                "it holds a {} database, and database.url names a {} one: name one of the same kind",
                self.database,
                into.name()
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            program: "0.1.0".to_owned(),
            schema: 12,
            database: "sqlite".to_owned(),
            taken_at: Timestamp::from_secs(1),
            while_serving: false,
            master_key: None,
            payload: Payload {
                name: archive::SQLITE.to_owned(),
                bytes: 1,
                sha256: String::new(),
            },
        }
    }

    // OPS-1
    #[test]
    fn only_what_this_program_understands_is_put_back() {
        let refused = |change: fn(&mut Manifest), into: Dialect| {
            let mut manifest = manifest();
            change(&mut manifest);
            manifest
                .check(into, 12)
                .err()
                .map(|error| error.to_string())
        };
        assert_eq!(refused(|_| {}, Dialect::Sqlite), None);
        assert_eq!(refused(|it| it.schema = 3, Dialect::Sqlite), None);
        let says = |found: Option<String>, words: &str| {
            let found = found.expect("it is refused");
            assert!(found.contains(words), "{found}");
        };
        says(
            refused(|it| it.schema = 13, Dialect::Sqlite),
            "that version or a newer one",
        );
        says(
            refused(|it| it.format_version = 2, Dialect::Sqlite),
            "that version or a newer one",
        );
        says(
            refused(|it| it.format = "other".into(), Dialect::Sqlite),
            "no backup of Overture",
        );
        says(refused(|_| {}, Dialect::Postgres), "of the same kind");
    }
}
