//! The append-only events (SAFE-5) and the cursors of those who read them.

use overture_domain::{
    EventId, Timestamp, WorkspaceId,
    events::{Event, EventKind, EventPosition},
};

use crate::{
    Read, Record, Result, Row, Tx,
    query::{Query, query, row, sql},
};

/// An event and its place in the order.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    pub position: EventPosition,
    pub event: Event,
}

impl Record for Event {
    const TABLE: &'static str = "events";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            workspace_id: row.id("workspace_id")?,
            kind: row.parsed("kind")?,
            channel: row.opt_parsed("channel")?,
            campaign_id: row.opt_id("campaign_id")?,
            enrollment_id: row.opt_id("enrollment_id")?,
            prospect_id: row.opt_id("prospect_id")?,
            account_id: row.opt_id("account_id")?,
            occurred_at: row.time("occurred_at")?,
            dedup_key: row.opt_text("dedup_key")?,
            data: row.json("data")?,
        })
    }
}

impl Record for Placed {
    const TABLE: &'static str = "events";

    fn from_row(row: &Row) -> Result<Self> {
        let position = EventPosition {
            tx: row.int("tx")?,
            seq: row.int("seq")?,
        };
        Ok(Self {
            position,
            event: Event::from_row(row)?,
        })
    }
}

/// Writes events, in the transaction of what they tell. One whose dedup key the workspace has
/// seen is left out (API-6). The commit counts them ([`counts`](crate::counts)).
pub async fn insert(tx: &mut Tx, events: &[Event]) -> Result<()> {
    if !events.is_empty() {
        writing(events).later(tx);
        tx.count_later(events.iter().map(|event| event.id));
    }
    Ok(())
}

/// Writes an event, unless the workspace has seen its dedup key. Whether it did.
pub async fn insert_new(tx: &mut Tx, event: &Event) -> Result<bool> {
    let is_new = writing(std::slice::from_ref(event)).execute(tx).await? > 0;
    if is_new {
        tx.count_later([event.id].into_iter());
    }
    Ok(is_new)
}

fn writing(events: &[Event]) -> Query {
    let rows: Vec<_> = events
        .iter()
        .map(|event| {
            row! {
                id: event.id,
                workspace_id: event.workspace_id,
                kind: event.kind,
                channel: event.channel,
                campaign_id: event.campaign_id,
                enrollment_id: event.enrollment_id,
                prospect_id: event.prospect_id,
                account_id: event.account_id,
                occurred_at: event.occurred_at.as_micros(),
                dedup_key: &event.dedup_key,
                data: &event.data,
            }
        })
        .collect();
    query(sql!(
        "INSERT INTO events (id, workspace_id, kind, channel, campaign_id, enrollment_id, prospect_id, account_id, occurred_at, dedup_key, data)
         SELECT r.value->>'id', r.value->>'workspace_id', r.value->>'kind', r.value->>'channel', r.value->>'campaign_id',
                r.value->>'enrollment_id', r.value->>'prospect_id', r.value->>'account_id',
                CAST(r.value->>'occurred_at' AS BIGINT), r.value->>'dedup_key', r.value->'data'
         FROM {rows $1} WHERE TRUE
         ON CONFLICT DO NOTHING"
    ))
    .bind_json(&rows)
}

const COLUMNS: &str = "SELECT tx, seq, id, workspace_id, kind, channel, campaign_id, enrollment_id, prospect_id, account_id, occurred_at, dedup_key, data FROM events WHERE {settled}";

/// What to list; empty fields don't filter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub kind: Option<EventKind>,
    pub campaign_id: Option<overture_domain::CampaignId>,
    pub prospect_id: Option<overture_domain::ProspectId>,
    pub account_id: Option<overture_domain::AccountId>,
    /// This moment or later.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// Newest first.
    pub descending: bool,
}

/// Events of a workspace after a position, oldest first unless the filter says otherwise.
pub async fn list(
    on: &mut impl Read,
    ws: WorkspaceId,
    filter: &Filter,
    after: impl Into<Option<EventPosition>>,
    limit: i64,
) -> Result<Vec<Placed>> {
    let mut page = query(sql!(COLUMNS)).push_bind(" AND workspace_id = ", ws);
    if let Some(kind) = filter.kind {
        page = page.push_bind(" AND kind = ", kind.name());
    }
    if let Some(id) = filter.campaign_id {
        page = page.push_bind(" AND campaign_id = ", id);
    }
    if let Some(id) = filter.prospect_id {
        page = page.push_bind(" AND prospect_id = ", id);
    }
    if let Some(id) = filter.account_id {
        page = page.push_bind(" AND account_id = ", id);
    }
    if let Some(since) = filter.since {
        page = page.push_bind(" AND occurred_at >= ", since);
    }
    if let Some(until) = filter.until {
        page = page.push_bind(" AND occurred_at < ", until);
    }
    let after = after.into();
    if !filter.descending {
        return after_position(page, after.unwrap_or_default(), limit)
            .all(on)
            .await;
    }
    if let Some(before) = after {
        page = page.push_bind(" AND (tx, seq) < (", before.tx);
        page = page.push_bind(", ", before.seq).push(")");
    }
    page.push_bind(" ORDER BY tx DESC, seq DESC LIMIT ", limit)
        .all(on)
        .await
}

/// Events of all workspaces after a position, oldest first: for the host's own readers.
pub async fn list_all(on: &mut impl Read, after: EventPosition, limit: i64) -> Result<Vec<Placed>> {
    after_position(query(sql!(COLUMNS)), after, limit)
        .all(on)
        .await
}

fn after_position(page: Query, after: EventPosition, limit: i64) -> Query {
    page.push_bind(" AND (tx, seq) > (", after.tx)
        .push_bind(", ", after.seq)
        .push_bind(") ORDER BY tx, seq LIMIT ", limit)
}

/// Whether there is any event after a position, also one that readers don't see yet because an
/// older transaction is still open (`{settled}`). Who wrote it has woken the readers already, so a
/// reader that finds nothing asks this, and looks again soon.
pub async fn has_after(on: &mut impl Read, after: EventPosition) -> Result<bool> {
    let rows = query(sql!(
        "SELECT id FROM events WHERE (tx, seq) > ($1, $2) LIMIT 1"
    ))
    .bind(after.tx)
    .bind(after.seq)
    .rows(on)
    .await?;
    Ok(!rows.is_empty())
}

/// One event.
pub async fn find(on: &mut impl Read, ws: WorkspaceId, id: EventId) -> Result<Option<Event>> {
    query(sql!(
        "SELECT id, workspace_id, kind, channel, campaign_id, enrollment_id, prospect_id, account_id, occurred_at, dedup_key, data
         FROM events WHERE workspace_id = $1 AND id = $2"
    ))
    .bind(ws)
    .bind(id)
    .optional(on)
    .await
}

/// The place after the newest event that readers may see.
pub async fn newest(on: &mut impl Read) -> Result<EventPosition> {
    let rows = query(sql!(
        "SELECT tx, seq FROM events WHERE {settled} ORDER BY tx DESC, seq DESC LIMIT 1"
    ))
    .rows(on)
    .await?;
    rows.first().map_or(Ok(EventPosition::default()), |row| {
        Ok(EventPosition {
            tx: row.int("tx")?,
            seq: row.int("seq")?,
        })
    })
}

/// How far a reader has come; the beginning for a new one.
pub async fn cursor(on: &mut impl Read, consumer: &str) -> Result<EventPosition> {
    let rows = query(sql!(
        "SELECT tx, seq FROM event_cursors WHERE consumer = $1"
    ))
    .bind(consumer)
    .rows(on)
    .await?;
    rows.first().map_or(Ok(EventPosition::default()), |row| {
        Ok(EventPosition {
            tx: row.int("tx")?,
            seq: row.int("seq")?,
        })
    })
}

/// Moves a reader's cursor, in the transaction of what it made of the events. False when another
/// host moved it first; then nothing may be kept.
pub async fn move_cursor(
    tx: &mut Tx,
    consumer: &str,
    from: EventPosition,
    to: EventPosition,
) -> Result<bool> {
    query(sql!(
        "INSERT INTO event_cursors (consumer, tx, seq) VALUES ($1, 0, 0) ON CONFLICT DO NOTHING"
    ))
    .bind(consumer)
    .execute(tx)
    .await?;
    let moved = query(sql!(
        "UPDATE event_cursors SET tx = $4, seq = $5 WHERE consumer = $1 AND tx = $2 AND seq = $3"
    ))
    .bind(consumer)
    .bind(from.tx)
    .bind(from.seq)
    .bind(to.tx)
    .bind(to.seq)
    .execute(tx)
    .await?;
    Ok(moved == 1)
}

/// Whether a key was used in the workspace, and when.
pub async fn find_by_dedup_key(
    on: &mut impl Read,
    ws: WorkspaceId,
    key: &str,
) -> Result<Option<Timestamp>> {
    let rows = query(sql!(
        "SELECT occurred_at FROM events WHERE workspace_id = $1 AND dedup_key = $2"
    ))
    .bind(ws)
    .bind(key)
    .rows(on)
    .await?;
    rows.first().map(|row| row.time("occurred_at")).transpose()
}
