//! Migrations go forward only and come in pairs: `migrations/sqlite` and `migrations/postgres`
//! hold the same numbers and names.

use std::borrow::Cow;

use sqlx::{
    SqlSafeStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use crate::{Database, Error, Result, dialect::Dialect};

macro_rules! migrations {
    ($($version:literal $name:literal;)*) => {
        fn list(dialect: Dialect) -> Vec<(i64, &'static str, &'static str)> {
            match dialect {
                Dialect::Sqlite => vec![$(($version, $name, include_str!(concat!("../../../migrations/sqlite/", $name, ".sql"))),)*],
                Dialect::Postgres => vec![$(($version, $name, include_str!(concat!("../../../migrations/postgres/", $name, ".sql"))),)*],
            }
        }
    };
}
migrations! {
    1 "0001_workspaces";
    2 "0002_outreach";
    3 "0003_work";
    4 "0004_events";
    5 "0005_plugins";
    6 "0006_laws";
    7 "0007_sequences";
    8 "0008_counts";
    9 "0009_drift";
    10 "0010_imports";
    11 "0011_search";
    12 "0012_profiles";
    13 "0013_pauses";
    14 "0014_lean";
    15 "0015_safety";
    16 "0016_fewer_trees";
    17 "0017_incomplete";
    18 "0018_mail_domains";
    19 "0019_thresholds";
    20 "0020_people";
    21 "0021_jobs_by_subject";
    22 "0022_bytewise";
    23 "0023_lanes_by_account";
    24 "0024_contacted";
    25 "0025_once_in_an_index";
    26 "0026_side_by_side";
}

/// How far a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrations {
    /// The last migration that has run; 0 for an empty database.
    pub found: i64,
    /// The last one that this program knows.
    pub known: i64,
}

impl Database {
    /// Runs the migrations that are waiting, each in a transaction.
    ///
    /// # Errors
    /// [`Error::Newer`] when a newer program migrated this database; nothing is touched then.
    pub async fn migrate(&self) -> Result<Migrations> {
        let before = self.migrations().await?;
        if before.found > before.known {
            return Err(Error::Newer {
                found: before.found,
                known: before.known,
            });
        }
        let migrations = list(self.dialect())
            .into_iter()
            .map(|(version, name, text)| {
                Migration::new(
                    version,
                    Cow::Borrowed(name),
                    MigrationType::Simple,
                    text.into_sql_str(),
                    false,
                )
            })
            .collect();
        let migrator = Migrator::with_migrations(migrations);
        self.run_migrations(&migrator)
            .await
            .map_err(|error| match error {
                MigrateError::VersionMissing(found) => Error::Newer {
                    found,
                    known: before.known,
                },
                MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                    match Error::from(error) {
                        Error::Full => Error::Full,
                        other => Error::Migrate(other.to_string()),
                    }
                }
                error => Error::Migrate(error.to_string()),
            })?;
        Ok(Migrations {
            found: before.known,
            known: before.known,
        })
    }

    /// The last migration that this program knows.
    pub fn known_schema() -> i64 {
        list(Dialect::Sqlite)
            .last()
            .map_or(0, |migration| migration.0)
    }

    /// How far the database is, without changing it.
    pub async fn migrations(&self) -> Result<Migrations> {
        let known = Self::known_schema();
        let mut reader = self.reader();
        let here = schema::tables(&mut reader)
            .await?
            .iter()
            .any(|table| table == "_sqlx_migrations");
        let found = if here {
            schema::version(&mut reader).await?
        } else {
            0
        };
        Ok(Migrations { found, known })
    }

    /// Refuses a database that is not at this program's schema.
    ///
    /// # Errors
    /// [`Error::Older`] or [`Error::Newer`], each with what to do.
    pub async fn check_schema(&self) -> Result<()> {
        match self.migrations().await? {
            Migrations { found, known } if found < known => Err(Error::Older {
                found,
                needed: known,
            }),
            Migrations { found, known } if found > known => Err(Error::Newer { found, known }),
            _ => Ok(()),
        }
    }
}

/// Looks at the schema itself, for checks and tests.
pub mod schema {
    use crate::{
        Read, Result,
        query::{query, sql},
    };

    pub(super) async fn version(on: &mut impl Read) -> Result<i64> {
        query(sql!(
            "SELECT COALESCE(MAX(version), 0) AS n FROM _sqlx_migrations"
        ))
        .number(on)
        .await
    }

    /// The tables, sorted.
    pub async fn tables(on: &mut impl Read) -> Result<Vec<String>> {
        query(sql!("SELECT t.name FROM {tables} AS t ORDER BY t.name"))
            .rows(on)
            .await?
            .iter()
            .map(|row| row.text("name"))
            .collect()
    }

    /// The columns of every table as `table.column type null` or `not null`, sorted, in words that are
    /// the same for both databases.
    pub async fn columns(on: &mut impl Read) -> Result<Vec<String>> {
        query(sql!("SELECT c.name FROM {columns} AS c ORDER BY c.name"))
            .rows(on)
            .await?
            .iter()
            .map(|row| row.text("name"))
            .collect()
    }

    /// The named indexes as `table.index`, sorted.
    pub async fn indexes(on: &mut impl Read) -> Result<Vec<String>> {
        query(sql!("SELECT i.name FROM {indexes} AS i ORDER BY i.name"))
            .rows(on)
            .await?
            .iter()
            .map(|row| row.text("name"))
            .collect()
    }
}
