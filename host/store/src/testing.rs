//! A fresh, migrated database of each kind for a test. Only with the feature `testing`.

use std::sync::atomic::{AtomicU32, Ordering};

use overture_domain::people::Audit;

use crate::{
    Database,
    dialect::Dialect,
    query::{Sql, query, sql},
};

/// A database of one test's own; a SQLite file goes away with it.
#[derive(Debug)]
pub struct TestDatabase {
    pub db: Database,
    /// What `serve` would be told.
    pub url: String,
    _folder: Option<tempfile::TempDir>,
}

impl TestDatabase {
    /// A fresh, migrated database.
    ///
    /// # Panics
    /// When PostgreSQL can't be had; the message says how to install it.
    pub async fn new(dialect: Dialect) -> Self {
        let test = Self::empty(dialect).await;
        if dialect == Dialect::Sqlite {
            test.db
                .migrate()
                .await
                .expect("an empty database can be migrated");
        }
        test
    }

    /// A database without any table; on PostgreSQL it is a copy of a migrated one.
    async fn empty(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Sqlite => {
                let folder = tempfile::tempdir().expect("a temporary folder can be made");
                let url = format!("sqlite:{}", folder.path().join("overture.db").display());
                let db = Database::open(&url)
                    .await
                    .expect("a new SQLite file can be opened");
                Self {
                    db,
                    url,
                    _folder: Some(folder),
                }
            }
            Dialect::Postgres => {
                let url = postgres::fresh().await;
                let db = Database::open(&url)
                    .await
                    .expect("the test's database can be opened");
                Self {
                    db,
                    url,
                    _folder: None,
                }
            }
        }
    }

    /// [`execute_raw`] here.
    ///
    /// # Errors
    /// What the database says.
    pub async fn execute_raw(&self, text: &'static str) -> crate::Result<u64> {
        execute_raw(&self.db, text).await
    }
}

/// Runs SQL of a test's or bench's own, for what no function of the product may do.
///
/// # Errors
/// What the database says.
pub async fn execute_raw(db: &Database, text: &'static str) -> crate::Result<u64> {
    let mut tx = db.begin().await?;
    let rows = query(sql!("")).push(text).execute(&mut tx).await?;
    tx.commit().await?;
    Ok(rows)
}

/// Takes the indexes of a table away, but those of its keys, so that a bench can fill it: the
/// statements that make them again.
///
/// # Errors
/// What the database says.
pub async fn drop_indexes(db: &Database, table: &str) -> crate::Result<Vec<String>> {
    let indexes = query(sql!(
        "SELECT i.name, i.definition FROM {indexes} AS i WHERE i.name LIKE $1 ORDER BY i.name"
    ));
    let mut tx = db.begin().await?;
    let mut definitions = Vec::new();
    for index in indexes.bind(format!("{table}.%")).rows(&mut tx).await? {
        let name = index.text("name")?;
        let drop = format!("DROP INDEX {}", &name[table.len() + 1..]);
        query(sql!("")).push(drop.leak()).execute(&mut tx).await?;
        definitions.push(index.text("definition")?);
    }
    tx.commit().await?;
    Ok(definitions)
}

impl TestDatabase {
    /// The status changes of one campaign, mailbox or send, oldest first (SAFE-4).
    ///
    /// # Panics
    /// When they can't be read.
    pub async fn audit(&self, subject_id: &str) -> Vec<Audit> {
        let found = query(sql!(
            "SELECT id, workspace_id, subject_kind, subject_id, from_status, to_status, reason, actor, at
             FROM audit WHERE subject_id = $1 ORDER BY at, id"
        ));
        let found = found.bind(subject_id).all(&mut self.db.reader()).await;
        found.expect("the audit rows can be read")
    }

    /// Waits until readers may see every event that was committed: PostgreSQL holds events back
    /// while an older transaction runs, also one of another test's database.
    ///
    /// # Panics
    /// When it takes longer than half a minute.
    #[expect(
        clippy::disallowed_methods,
        reason = "waits for transactions of other tests, which live on real time"
    )]
    pub async fn events_settled(&self) {
        let start = std::time::Instant::now();
        loop {
            let hidden = query(sql!(
                "SELECT COUNT(*) AS n FROM events WHERE NOT ({settled})"
            ));
            let hidden = hidden.number(&mut self.db.reader()).await;
            if hidden.expect("events can be counted") == 0 {
                return;
            }
            assert!(
                start.elapsed() < std::time::Duration::from_secs(30),
                "events stay hidden: some transaction never ends"
            );
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// How SQLite goes about a statement: a line for each table.
    ///
    /// # Errors
    /// What the database says.
    pub async fn plan(&self, sql: &'static Sql) -> crate::Result<Vec<String>> {
        let text = format!("EXPLAIN QUERY PLAN {}", sql.text(Dialect::Sqlite));
        let rows = self.db.sqlite_alone(text).await?;
        rows.iter().map(|row| row.text("detail")).collect()
    }

    /// Lets the database parse and plan a statement without running it.
    pub async fn prepare(&self, sql: &'static Sql) -> crate::Result<()> {
        self.db.prepare(sql.text(self.db.dialect())).await
    }
}

mod postgres {
    use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
    use tokio::sync::OnceCell;

    use super::*;

    /// Copies of this one are made in 30 ms; migrating each would take ten times as long.
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);

    fn server() -> String {
        let server = overture_server_kit::postgres().unwrap_or_else(|error| panic!("{error}"));
        server.url.clone()
    }

    fn with_name(server: &str, name: &str) -> String {
        let (before, _) = server
            .rsplit_once('/')
            .expect("a URL of PostgreSQL names a database");
        format!("{before}/{name}")
    }

    pub(super) async fn fresh() -> String {
        let server = server();
        let template = TEMPLATE
            .get_or_init(|| async {
                let name = format!("template_{}", std::process::id());
                create(&server, &format!("CREATE DATABASE {name}")).await;
                let db = Database::open(&with_name(&server, &name))
                    .await
                    .expect("a new database opens");
                db.migrate()
                    .await
                    .expect("an empty database can be migrated");
                db.close().await;
                name
            })
            .await;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        create(
            &server,
            &format!("CREATE DATABASE {name} TEMPLATE {template}"),
        )
        .await;
        with_name(&server, &name)
    }

    async fn create(server: &str, text: &str) {
        let mut connection = PgConnection::connect(server)
            .await
            .expect("PostgreSQL answers");
        connection
            .execute(AssertSqlSafe(text))
            .await
            .expect("a database can be created");
    }
}

/// Makes of one test two, `NAME::sqlite` and `NAME::postgres`; the run counts and compares them.
///
/// ```ignore
/// on_both! {
///     // CAP-2
///     async fn reserving_stops_at_the_limit(test: TestDatabase) { … }
/// }
/// ```
#[macro_export]
macro_rules! on_both {
    ($($(#[$attribute:meta])* async fn $name:ident($test:ident : TestDatabase) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "a test may need nothing of its file")]
            use super::*;

            async fn run($test: $crate::testing::TestDatabase) $body

            $(#[$attribute])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                run($crate::testing::TestDatabase::new($crate::dialect::Dialect::Sqlite).await).await;
            }

            $(#[$attribute])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                run($crate::testing::TestDatabase::new($crate::dialect::Dialect::Postgres).await).await;
            }
        }
    )*};
}
