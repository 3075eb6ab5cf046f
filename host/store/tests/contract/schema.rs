//! The two schemas are one, and every statement of the crate is understood by both databases.

use overture_store::{
    Database, Error, dialect::Dialect, on_both, schema, statements, testing::TestDatabase,
};

on_both! {
    async fn every_statement_prepares(test: TestDatabase) {
        let dialect = test.db.dialect();
        let mut wrong = Vec::new();
        for sql in statements() {
            if let Err(error) = test.prepare(sql).await {
                wrong.push(format!("{}\n  {}\n  {error}", sql.place(), sql.text(dialect)));
            }
        }
        assert!(statements().len() > 3, "linkme collects the statements");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    // OPS-1: running twice changes nothing.
    async fn migrations_are_done_once(test: TestDatabase) {
        let found = test.db.migrations().await.unwrap();
        assert_eq!(found.found, found.known);
        test.db.migrate().await.unwrap();
        test.db.check_schema().await.unwrap();
    }

    async fn a_newer_database_is_refused(test: TestDatabase) {
        test.execute_raw("UPDATE _sqlx_migrations SET version = 999 WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)").await.unwrap();
        for error in [test.db.migrate().await.map(|_| ()).unwrap_err(), test.db.check_schema().await.unwrap_err()] {
            assert!(matches!(error, Error::Newer { found: 999, .. }), "{error}");
        }
    }

    // SAFE-4
    async fn a_status_needs_a_new_audit_row(test: TestDatabase) {
        test.execute_raw("INSERT INTO workspaces (id, name, created_at) VALUES ('w', 'W', 0)").await.unwrap();
        test.execute_raw("INSERT INTO audit (id, workspace_id, subject_kind, subject_id, to_status, reason, actor, at) VALUES ('a1', 'w', 'campaign', 'c', 'draft', '', 'test', 0)").await.unwrap();
        let insert = "INSERT INTO campaigns (id, workspace_id, name, kind, status, status_audit_id, time_zone, windows, daily_send_limit, max_sends_per_mailbox_per_day, minutes_between_sends, created_at, updated_at) VALUES ('c', 'w', 'C', 'email', 'draft', 'a1', 'UTC', '[]', 1, 1, 1, 0, 0)";
        test.execute_raw(insert).await.unwrap();
        // The old row again, a row about another change, and none at all.
        test.execute_raw("INSERT INTO audit (id, workspace_id, subject_kind, subject_id, from_status, to_status, reason, actor, at) VALUES ('a2', 'w', 'campaign', 'c', 'draft', 'completed', '', 'test', 0)").await.unwrap();
        for wrong in [
            "UPDATE campaigns SET status = 'running' WHERE id = 'c'",
            "UPDATE campaigns SET status = 'running', status_audit_id = 'a2' WHERE id = 'c'",
        ] {
            let error = test.execute_raw(wrong).await.unwrap_err();
            assert!(matches!(&error, Error::Refused(text) if text.starts_with("SAFE-4")), "{error}");
        }
        test.execute_raw("UPDATE campaigns SET status = 'completed', status_audit_id = 'a2' WHERE id = 'c'").await.unwrap();
        for frozen in ["UPDATE audit SET reason = 'x'", "DELETE FROM audit"] {
            let error = test.execute_raw(frozen).await.unwrap_err();
            assert!(matches!(&error, Error::Refused(text) if text.starts_with("SAFE-4")), "{error}");
        }
    }

    // SAFE-4: a paused campaign says since when and why.
    async fn a_paused_campaign_has_time_and_reason(test: TestDatabase) {
        test.execute_raw("INSERT INTO workspaces (id, name, created_at) VALUES ('w', 'W', 0)").await.unwrap();
        test.execute_raw("INSERT INTO audit (id, workspace_id, subject_kind, subject_id, to_status, reason, actor, at) VALUES ('a1', 'w', 'campaign', 'c', 'paused', '', 'test', 0)").await.unwrap();
        let error = test.execute_raw("INSERT INTO campaigns (id, workspace_id, name, kind, status, status_audit_id, time_zone, windows, daily_send_limit, max_sends_per_mailbox_per_day, minutes_between_sends, created_at, updated_at) VALUES ('c', 'w', 'C', 'email', 'paused', 'a1', 'UTC', '[]', 1, 1, 1, 0, 0)").await.unwrap_err();
        assert!(matches!(error, Error::Refused(_)), "{error}");
    }
}

/// In an index of ids a language's rules cost time, and lists of both databases stand in one order
/// (API-2).
#[tokio::test]
async fn texts_compare_by_their_bytes() {
    let test = TestDatabase::new(Dialect::Postgres).await;
    let look = "DO $$
        DECLARE found TEXT;
        BEGIN
            SELECT string_agg(table_name || '.' || column_name, ', ') INTO found FROM information_schema.columns
            WHERE table_schema = current_schema() AND data_type = 'text' AND table_name <> '_sqlx_migrations'
              AND collation_name IS DISTINCT FROM 'C';
            IF found IS NOT NULL THEN
                RAISE EXCEPTION 'they lack COLLATE \"C\": %', found;
            END IF;
        END $$";
    test.execute_raw(look).await.unwrap();
}

/// SQLite has no statistics, and takes a partial index only where a statement has its very words: a
/// change of one row must not go through its whole table.
#[tokio::test]
async fn no_write_looks_for_its_rows_in_a_whole_table() {
    let test = TestDatabase::new(Dialect::Sqlite).await;
    let mut found = Vec::new();
    for sql in statements() {
        let text = sql.text(Dialect::Sqlite);
        let Some(table) = written(text) else { continue };
        let plan = test.plan(sql).await.unwrap();
        if plan.contains(&format!("SCAN {table}")) {
            found.push(format!("{}: {text}", sql.place()));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Rows that a batch names are looked up one by one: SQLite begins with a condition on a constant
/// where it may, and then goes through a whole workspace for a page of mails.
#[tokio::test]
async fn no_batch_goes_through_a_whole_workspace() {
    let test = TestDatabase::new(Dialect::Sqlite).await;
    let mut found = Vec::new();
    for sql in statements() {
        let text = sql.text(Dialect::Sqlite);
        if !["b_each($", "FROM json_each($"]
            .iter()
            .any(|rows| text.contains(rows))
        {
            continue;
        }
        let plan = test.plan(sql).await.unwrap();
        if plan.iter().any(|step| step.ends_with("(workspace_id=?)")) {
            found.push(format!("{}: {text}\n{plan:#?}", sql.place()));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The table of an UPDATE or a DELETE that is complete and grows with what is sent. Texts that end
/// with a parameter get their filters behind them.
fn written(text: &'static str) -> Option<&'static str> {
    let words = text
        .strip_prefix("UPDATE ")
        .or(text.strip_prefix("DELETE FROM "))?;
    let table = words.split_whitespace().next()?;
    let large = [
        "actions",
        "attempts",
        "enrollments",
        "events",
        "jobs",
        "messages",
        "prospects",
    ];
    (large.contains(&table) && !text.ends_with("WHERE state = $1")).then_some(table)
}

/// OPS-2: both schemas hold the same tables, columns and indexes.
#[tokio::test]
async fn the_schemas_are_equal() {
    let sqlite = TestDatabase::new(Dialect::Sqlite).await;
    let postgres = TestDatabase::new(Dialect::Postgres).await;
    let look = async |db: &Database| {
        let mut reader = db.reader();
        [
            schema::tables(&mut reader).await.unwrap(),
            schema::columns(&mut reader).await.unwrap(),
            schema::indexes(&mut reader).await.unwrap(),
        ]
    };
    let (a, b) = (look(&sqlite.db).await, look(&postgres.db).await);
    for (a, b) in a.iter().zip(&b) {
        let only = |x: &[String], y: &[String]| {
            x.iter()
                .filter(|name| !y.contains(name))
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (only(a, b), only(b, a)),
            (vec![], vec![]),
            "(only SQLite, only PostgreSQL)"
        );
    }
}
