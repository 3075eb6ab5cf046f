//! What can go wrong with a database, told apart as far as a caller acts on it.

/// The result of a store function.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the database could not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A row with the same unique key is there already. Told by kind: SQLite names no constraint.
    #[error("there is a row with the same key already")]
    Unique,
    /// A row points to one that doesn't exist.
    #[error("a row that this one refers to does not exist")]
    Reference,
    /// A trigger or CHECK refused the write (SAFE-4, SAFE-5): a mistake in the caller.
    #[error("the database refused the write: {0}")]
    Refused(String),
    /// A row that can't be understood; it was written by something else than this crate.
    #[error("{table}.{column} of row `{id}` can't be understood: {detail}")]
    Malformed {
        table: &'static str,
        column: String,
        id: String,
        detail: String,
    },
    /// The database was migrated by a newer version of the product.
    #[error(
        "the database has schema {found}, this program knows {known}: run the newer `overture`, or restore a backup from before the upgrade"
    )]
    Newer { found: i64, known: i64 },
    /// Migrations are waiting.
    #[error("the database has schema {found}, this program needs {needed}: run `overture migrate`")]
    Older { found: i64, needed: i64 },
    /// A migration failed or was changed after it ran.
    #[error("migrating the database failed: {0}")]
    Migrate(String),
    /// The database can't be reached or opened.
    #[error("the database can't be opened: {0}")]
    Unavailable(String),
    /// Nothing more can be written.
    #[error("there is no room left on the disk: make some. What was committed before is safe")]
    Full,
    /// Everything else, in the driver's words.
    #[error(transparent)]
    Driver(sqlx::Error),
}

impl Error {
    /// The database itself has refused what was asked, a deadlock included: nothing of the
    /// transaction is kept, and it may be asked anew, in smaller parts.
    pub const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Unique
                | Self::Reference
                | Self::Refused(_)
                | Self::Driver(sqlx::Error::Database(_))
        )
    }
}

const SQLITE_FULL: &str = "13";
const POSTGRES_FULL: &str = "53100";

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::error::ErrorKind;
        match &error {
            sqlx::Error::Database(database) => match database.kind() {
                ErrorKind::UniqueViolation => Self::Unique,
                ErrorKind::ForeignKeyViolation => Self::Reference,
                ErrorKind::CheckViolation => Self::Refused(database.message().to_owned()),
                _ if database.message().starts_with("SAFE-") => {
                    Self::Refused(database.message().to_owned())
                }
                _ if matches!(
                    database.code().as_deref(),
                    Some(SQLITE_FULL | POSTGRES_FULL)
                ) =>
                {
                    Self::Full
                }
                _ => Self::Driver(error),
            },
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => {
                Self::Unavailable(error.to_string())
            }
            _ => Self::Driver(error),
        }
    }
}
