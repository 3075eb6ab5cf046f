//! Notes what becomes of rows, for simulations: every state that one enters, and every cap that
//! keeps something back, in the transaction that does it. Exists with the feature `failpoints`
//! alone.

use std::collections::BTreeMap;

use crate::{
    Database, Result,
    dialect::Dialect,
    query::{query, sql},
};

/// What is watched, the table and the column.
const STATES: [(&str, &str, &str); 5] = [
    ("enrollments", "enrollments", "state"),
    ("campaigns", "campaigns", "status"),
    ("mailboxes", "sending_accounts", "status"),
    ("jobs", "jobs", "state"),
    ("actions", "actions", "state"),
];

/// Tables with the reason for which something waits.
const REASONS: [&str; 2] = ["lanes", "enrollments"];

/// Begins to watch; once in the life of a database.
///
/// # Errors
/// What the database says.
pub async fn begin(db: &Database) -> Result<()> {
    let mut texts = vec![
        "CREATE TABLE changes_seen (what TEXT NOT NULL, was TEXT NOT NULL, became TEXT NOT NULL)"
            .to_owned(),
    ];
    texts.extend(match db.dialect() {
        Dialect::Sqlite => on_sqlite(),
        Dialect::Postgres => on_postgres(),
    });
    let mut tx = db.begin().await?;
    for text in texts {
        // It is made once for each database, of constants.
        let text: &'static str = Box::leak(text.into_boxed_str());
        query(sql!("")).push(text).execute(&mut tx).await?;
    }
    tx.commit().await
}

fn on_sqlite() -> Vec<String> {
    let mut texts = Vec::new();
    for (what, table, column) in STATES {
        let changed = format!("OLD.{column} <> NEW.{column}");
        texts.push(format!(
            "CREATE TRIGGER watch_{table}_{column} AFTER UPDATE OF {column} ON {table} WHEN {changed}
             BEGIN INSERT INTO changes_seen VALUES ('{what}', OLD.{column}, NEW.{column}); END"
        ));
        texts.push(format!(
            "CREATE TRIGGER watch_{table}_{column}_new AFTER INSERT ON {table}
             BEGIN INSERT INTO changes_seen VALUES ('{what}', '', NEW.{column}); END"
        ));
    }
    for table in REASONS {
        for event in ["INSERT", "UPDATE OF reason"] {
            let name = event.split(' ').next().unwrap_or_default();
            texts.push(format!(
                "CREATE TRIGGER watch_{table}_held_{name} AFTER {event} ON {table} WHEN instr(NEW.reason, ' is reached') > 0
                 BEGIN INSERT INTO changes_seen VALUES ('held', '', substr(NEW.reason, 1, instr(NEW.reason, ' is reached') - 1)); END"
            ));
        }
    }
    texts
}

fn on_postgres() -> Vec<String> {
    let mut texts = vec![
        "CREATE FUNCTION watch_state() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO changes_seen VALUES (TG_ARGV[0], CASE WHEN TG_OP = 'INSERT' THEN '' ELSE to_jsonb(OLD)->>TG_ARGV[1] END, to_jsonb(NEW)->>TG_ARGV[1]);
             RETURN NULL; END $$"
            .to_owned(),
        "CREATE FUNCTION watch_reason() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO changes_seen VALUES ('held', '', split_part(NEW.reason, ' is reached', 1));
             RETURN NULL; END $$"
            .to_owned(),
    ];
    for (what, table, column) in STATES {
        for (name, event, when) in [
            ("new", "INSERT", "TRUE".to_owned()),
            (
                "changed",
                "UPDATE",
                format!("OLD.{column} IS DISTINCT FROM NEW.{column}"),
            ),
        ] {
            texts.push(format!(
                "CREATE TRIGGER watch_{column}_{name} AFTER {event} ON {table} FOR EACH ROW WHEN ({when})
                 EXECUTE FUNCTION watch_state('{what}', '{column}')"
            ));
        }
    }
    for table in REASONS {
        texts.push(format!(
            "CREATE TRIGGER watch_held AFTER INSERT OR UPDATE ON {table} FOR EACH ROW
             WHEN (NEW.reason LIKE '% is reached%') EXECUTE FUNCTION watch_reason()"
        ));
    }
    texts
}

/// Ends waiting jobs of enrollments that somebody else might have ended: their steps are forgotten
/// (SCH-11). How many.
///
/// # Errors
/// What the database says.
pub async fn lose_jobs(db: &Database) -> Result<u64> {
    let mut tx = db.begin().await?;
    let text = "UPDATE jobs SET state = 'expired', lane = NULL WHERE id IN (
         SELECT id FROM jobs WHERE kind = 'send_step' AND state = 'pending' ORDER BY run_at, id LIMIT 5)";
    let lost = query(sql!("")).push(text).execute(&mut tx).await?;
    tx.commit().await?;
    Ok(lost)
}

/// How often each was seen: what (`enrollments`, `campaigns`, `mailboxes`, `jobs`, `actions`, or
/// `held` for a limit), the state before (empty for a new row) and after.
///
/// # Errors
/// What the database says.
pub async fn seen(db: &Database) -> Result<BTreeMap<(String, String, String), u64>> {
    let text =
        "SELECT what, was, became, COUNT(*) AS n FROM changes_seen GROUP BY what, was, became";
    let rows = query(sql!("")).push(text).rows(&mut db.reader()).await?;
    rows.iter()
        .map(|row| {
            let key = (row.text("what")?, row.text("was")?, row.text("became")?);
            Ok((key, row.int("n")?.unsigned_abs()))
        })
        .collect()
}
