//! What an operator does with a database as a whole: copies it, checks it, asks for its clock.

use std::path::Path;

use overture_domain::{ActionId, AttemptId, Timestamp, WorkspaceId};
use serde_json::json;

use crate::{
    Database, Read, Result, Row, Tx,
    dialect::Dialect,
    query::{query, sql},
};

impl Database {
    /// Writes the whole database into a new file, as it is at one moment and while others write.
    /// Only SQLite can: `pg_dump` is PostgreSQL's way.
    ///
    /// # Errors
    /// When the file is there already or can't be written.
    pub async fn copy_to(&self, file: &Path) -> Result<()> {
        let file = file.display().to_string().replace('\'', "''");
        self.sqlite_alone(format!("VACUUM INTO '{file}'")).await?;
        Ok(())
    }

    /// What is broken in the file, in SQLite's words; nothing on PostgreSQL, which checks its pages
    /// itself when it reads them. `thorough` also compares every index with its table.
    ///
    /// # Errors
    /// When it can't be read at all.
    pub async fn damages(&self, thorough: bool) -> Result<Vec<String>> {
        if self.dialect() == Dialect::Postgres {
            return Ok(Vec::new());
        }
        let check = if thorough {
            "integrity_check"
        } else {
            "quick_check"
        };
        let found = self.sqlite_alone(format!("PRAGMA {check}(20)")).await?;
        let said: Vec<String> = found
            .iter()
            .map(|row| row.text(check))
            .collect::<Result<_>>()?;
        Ok(said.into_iter().filter(|line| line != "ok").collect())
    }

    /// Tries a write and takes it back.
    ///
    /// # Errors
    /// Why nothing can be written.
    pub async fn try_writing(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        crate::people::set_instance_value(&mut tx, "write_probe", "1").await
    }
}

/// What the database's clock shows. The one place where it is asked (SCH-7).
pub async fn clock(on: &mut impl Read) -> Result<Timestamp> {
    let rows = query(sql!("SELECT {clock} AS at")).rows(on).await?;
    rows.first()
        .map_or(Ok(Timestamp::default()), |row| row.time("at"))
}

/// When the last event happened.
pub async fn last_event_at(on: &mut impl Read) -> Result<Option<Timestamp>> {
    let rows = query(sql!(
        "SELECT occurred_at FROM events ORDER BY tx DESC, seq DESC LIMIT 1"
    ))
    .rows(on)
    .await?;
    rows.first().map(|row| row.time("occurred_at")).transpose()
}

/// When a process that shares the database last gave a sign of life (real time).
pub async fn last_heartbeat(on: &mut impl Read) -> Result<Option<Timestamp>> {
    let rows = query(sql!("SELECT MAX(heartbeat_at) AS at FROM hosts"))
        .rows(on)
        .await?;
    rows.first().map_or(Ok(None), |row| row.opt_time("at"))
}

/// A step that was handed out, or waits for its next turn, when a backup was taken: it may have
/// gone out since (SAFE-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InHands {
    pub workspace_id: WorkspaceId,
    pub action_id: ActionId,
}

/// Steps in hands that have no attempt of which nobody knows the end.
pub async fn list_in_hands(on: &mut impl Read) -> Result<Vec<InHands>> {
    let read = |row: &Row| {
        Ok(InHands {
            workspace_id: row.id("workspace_id")?,
            action_id: row.id("id")?,
        })
    };
    query(sql!(
        "SELECT id, workspace_id FROM actions WHERE state IN ('handed_out', 'retrying')
           AND NOT EXISTS (SELECT 1 FROM attempts t WHERE t.action_id = actions.id AND (t.outcome IS NULL OR t.outcome <> 'not_sent'))
         ORDER BY id"
    ))
    .rows(on)
    .await?
    .iter()
    .map(read)
    .collect()
}

/// Notes for steps in hands that they may have gone out at a moment: whoever takes one up again finds
/// the attempt, and the step is ambiguous until evidence or a person settles it (SAFE-3).
pub async fn doubt(tx: &mut Tx, doubts: &[(AttemptId, ActionId)], at: Timestamp) -> Result<u64> {
    let rows: Vec<_> = doubts
        .iter()
        .map(|(attempt, action)| json!({"id": attempt, "action": action}))
        .collect();
    query(sql!(
        "INSERT INTO attempts (id, workspace_id, action_id, external_id, at)
         SELECT r.value->>'id', a.workspace_id, a.id, a.external_id, $2
         FROM {rows $1} JOIN actions a ON a.id = r.value->>'action' WHERE TRUE
         ON CONFLICT DO NOTHING"
    ))
    .bind_json(&rows)
    .bind(at)
    .execute(tx)
    .await
}
