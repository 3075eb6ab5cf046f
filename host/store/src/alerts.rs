//! What an admin must see to (OPS-7): one open row a code and subject.

use overture_domain::{
    AlertId, HostId, Timestamp, WorkspaceId,
    alerts::{Alert, AlertCode},
};
use serde_json::json;

use crate::{
    Read, Record, Result, Row, Tx,
    query::{query, sql},
    slices::{ByAge, Slice},
};

impl Record for Alert {
    const TABLE: &'static str = "alerts";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            workspace_id: row.opt_id("workspace_id")?,
            code: row.parsed("code")?,
            subject: row.text("subject")?,
            severity: row.parsed("severity")?,
            message: row.text("message")?,
            fix: row.text("fix")?,
            count: row.int("count")?,
            first_seen_at: row.time("first_seen_at")?,
            last_seen_at: row.time("last_seen_at")?,
            host_id: row.opt_id("host_id")?,
            acknowledged_by: row.opt_text("acknowledged_by")?,
            acknowledged_at: row.opt_time("acknowledged_at")?,
            closed_at: row.opt_time("closed_at")?,
        })
    }
}

/// Something that is wrong now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Of the alert, where it is a new one.
    pub id: AlertId,
    pub workspace_id: Option<WorkspaceId>,
    pub subject: String,
    pub message: String,
    pub count: i64,
}

/// Who has looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Any process sees the same.
    Any,
    /// This process sees its own alone; it speaks as well for those without a sign of life since
    /// the moment (real time).
    Host(HostId, Timestamp),
}

/// Whether any alert of a kind is open.
pub async fn is_open(on: &mut impl Read, code: AlertCode) -> Result<bool> {
    let open = query(sql!(
        "SELECT id FROM alerts WHERE code = $1 AND closed_at IS NULL LIMIT 1"
    ))
    .bind(code.name())
    .rows(on)
    .await?;
    Ok(!open.is_empty())
}

/// All that is wrong of a kind: opens alerts that are new, notes that the others were seen again,
/// and closes those whose cause is gone. How many were opened.
pub async fn tell(
    tx: &mut Tx,
    code: AlertCode,
    seen: &[Seen],
    who: Who,
    now: Timestamp,
) -> Result<u64> {
    let rows: Vec<_> = seen
        .iter()
        .map(|one| json!({"id": one.id, "ws": one.workspace_id, "subject": one.subject, "message": one.message, "count": one.count}))
        .collect();
    let (host, alive_since) = match who {
        Who::Any => (None, Timestamp::default()),
        Who::Host(host, since) => (Some(host), since),
    };
    query(sql!(
        "UPDATE alerts SET closed_at = $2
         WHERE code = $1 AND closed_at IS NULL
           AND (host_id IS NULL OR host_id = $3 OR NOT EXISTS (SELECT 1 FROM hosts h WHERE h.id = alerts.host_id AND h.heartbeat_at >= $4))
           AND subject NOT IN (SELECT r.value->>'subject' FROM {rows $5})"
    ))
    .bind(code.name())
    .bind(now)
    .bind(host)
    .bind(alive_since)
    .bind_json(&rows)
    .execute(tx)
    .await?;
    let again = query(sql!(
        "UPDATE alerts SET last_seen_at = $2, message = r.value->>'message', count = CAST(r.value->>'count' AS BIGINT), host_id = $3
         FROM {rows $4} WHERE alerts.code = $1 AND alerts.closed_at IS NULL AND alerts.subject = r.value->>'subject'"
    ))
    .bind(code.name())
    .bind(now)
    .bind(host)
    .bind_json(&rows)
    .execute(tx)
    .await?;
    if again == seen.len() as u64 {
        return Ok(0);
    }
    query(sql!(
        "INSERT INTO alerts (id, workspace_id, code, subject, severity, message, fix, count, first_seen_at, last_seen_at, host_id)
         SELECT r.value->>'id', r.value->>'ws', $1, r.value->>'subject', $2, r.value->>'message', $3, CAST(r.value->>'count' AS BIGINT), $4, $4, $5
         FROM {rows $6} WHERE TRUE ON CONFLICT DO NOTHING"
    ))
    .bind(code.name())
    .bind(code.severity().name())
    .bind(code.fix())
    .bind(now)
    .bind(host)
    .bind_json(&rows)
    .execute(tx)
    .await
}

const COLUMNS: &str = "SELECT id, workspace_id, code, subject, severity, message, fix, count, first_seen_at, last_seen_at, host_id, acknowledged_by, acknowledged_at, closed_at FROM alerts";

/// What to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Open ones, or those whose cause is gone; None: both.
    pub open: Option<bool>,
    /// Also those of the whole instance.
    pub of_instance: bool,
}

/// A page of a workspace's alerts.
pub async fn list(
    on: &mut impl Read,
    ws: WorkspaceId,
    filter: Filter,
    slice: &Slice<ByAge>,
) -> Result<Vec<Alert>> {
    let mut page = query(sql!(COLUMNS)).push_bind(" WHERE (workspace_id = ", ws);
    page = page.push(if filter.of_instance {
        " OR workspace_id IS NULL)"
    } else {
        ")"
    });
    page = match filter.open {
        Some(true) => page.push(" AND closed_at IS NULL"),
        Some(false) => page.push(" AND closed_at IS NOT NULL"),
        None => page,
    };
    page.slice("id", slice).all(on).await
}

/// All open alerts of the instance, oldest first.
pub async fn list_open(on: &mut impl Read) -> Result<Vec<Alert>> {
    query(sql!(COLUMNS))
        .push(" WHERE closed_at IS NULL ORDER BY id")
        .all(on)
        .await
}

/// Notes who has seen to an open alert, the first who did. None where there is no such open one.
pub async fn acknowledge(
    tx: &mut Tx,
    ws: WorkspaceId,
    of_instance: bool,
    id: AlertId,
    by: &str,
    now: Timestamp,
) -> Result<Option<Alert>> {
    query(sql!(
        "UPDATE alerts SET acknowledged_by = COALESCE(acknowledged_by, $4), acknowledged_at = COALESCE(acknowledged_at, $5)
         WHERE id = $3 AND (workspace_id = $1 OR ($2 AND workspace_id IS NULL)) AND closed_at IS NULL
         RETURNING id, workspace_id, code, subject, severity, message, fix, count, first_seen_at, last_seen_at, host_id, acknowledged_by,
             acknowledged_at, closed_at"
    ))
    .bind(ws)
    .bind(of_instance)
    .bind(id)
    .bind(by)
    .bind(now)
    .optional(tx)
    .await
}

/// Something wrong that stands in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub workspace_id: WorkspaceId,
    pub subject: String,
    /// The host of a webhook, the address of a mailbox.
    pub name: String,
    /// Why, where that is known.
    pub reason: String,
    pub count: i64,
}

impl Record for Found {
    const TABLE: &'static str = "alerts";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            workspace_id: row.id("workspace_id")?,
            subject: row.text("id")?,
            name: row.text("name")?,
            reason: row.text("reason")?,
            count: row.int("n")?,
        })
    }
}

/// Webhooks with deliveries that have used up their ladder, and how many (API-8).
pub async fn dead_letters(on: &mut impl Read) -> Result<Vec<Found>> {
    query(sql!(
        "SELECT w.workspace_id, w.id, w.url_host AS name, COALESCE(w.disabled_reason, '') AS reason, q.n
         FROM (SELECT webhook_id, COUNT(*) AS n FROM deliveries WHERE state = 'dead' GROUP BY webhook_id) q
         JOIN webhooks w ON w.id = q.webhook_id AND w.deleted_at IS NULL ORDER BY w.id"
    ))
    .all(on)
    .await
}

/// Accounts that need somebody to connect them again (MB-3).
pub async fn disconnected(on: &mut impl Read) -> Result<Vec<Found>> {
    query(sql!(
        "SELECT workspace_id, id, address AS name, status_reason AS reason, CAST(1 AS BIGINT) AS n FROM sending_accounts
         WHERE status IN ('disconnected', 'needs_verification') AND deleted_at IS NULL ORDER BY id"
    ))
    .all(on)
    .await
}
