//! Who prospects are on a network, and what was sent to whom there.

use overture_domain::{
    ActionId, ProspectId, Timestamp, WorkspaceId, accounts::Channel, campaigns::StepKind,
};
use serde_json::json;

use crate::{
    Read, Record, Result, Row, Tx,
    messages::Origin,
    query::{query, sql},
};

/// What the network calls the prospect behind this URL, where it was asked before.
pub async fn find(
    on: &mut impl Read,
    ws: WorkspaceId,
    channel: Channel,
    prospect: ProspectId,
    url: &str,
) -> Result<Option<String>> {
    let rows = query(sql!(
        "SELECT profile_id FROM profiles WHERE workspace_id = $1 AND channel = $2 AND prospect_id = $3 AND url = $4"
    ))
    .bind(ws)
    .bind(channel.name())
    .bind(prospect)
    .bind(url)
    .rows(on)
    .await?;
    rows.first().map(|row| row.text("profile_id")).transpose()
}

/// Keeps what the network calls a prospect.
pub async fn save(
    tx: &mut Tx,
    ws: WorkspaceId,
    channel: Channel,
    prospect: ProspectId,
    (profile, url): (&str, &str),
    now: Timestamp,
) -> Result<()> {
    query(sql!(
        "INSERT INTO profiles (workspace_id, channel, prospect_id, profile_id, url, found_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (prospect_id, channel) DO UPDATE SET profile_id = excluded.profile_id, url = excluded.url, found_at = excluded.found_at"
    ))
    .bind(ws)
    .bind(channel.name())
    .bind(prospect)
    .bind(profile)
    .bind(url)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// A step that went out to a profile, or may have.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    pub profile: String,
    pub action_id: ActionId,
    pub kind: StepKind,
    pub origin: Origin,
}

impl Record for Sent {
    const TABLE: &'static str = "actions";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            profile: row.text("profile_id")?,
            action_id: row.id("action_id")?,
            kind: row.parsed("kind")?,
            origin: Origin::from_row(row)?,
        })
    }
}

/// What was sent to these profiles: what goes on first, then what is through, each the newest step
/// first (TRK-3).
pub async fn sent_to(
    on: &mut impl Read,
    ws: WorkspaceId,
    channel: Channel,
    profiles: &[&str],
) -> Result<Vec<Sent>> {
    let rows: Vec<_> = profiles.iter().map(|id| json!({"v": id})).collect();
    query(sql!(
        "SELECT f.profile_id, a.id AS action_id, a.kind, a.external_id, e.campaign_id, a.enrollment_id, e.prospect_id, p.email AS prospect_email,
                e.state, a.account_id, a.step_index, m.subject, COALESCE(a.done_at, a.handed_out_at) AS sent_at
         FROM {rows $3}
         JOIN profiles f ON f.workspace_id = $1 AND f.channel = $2 AND f.profile_id = r.value->>'v'
         JOIN prospects p ON p.id = f.prospect_id
         JOIN enrollments e ON e.prospect_id = p.id
         JOIN actions a ON a.enrollment_id = e.id AND a.channel = f.channel
         LEFT JOIN messages m ON m.account_id = a.account_id AND m.direction = 'out' AND m.external_id = a.external_id
         WHERE a.kind <> 'wait_accept' AND a.state IN ('done', 'ambiguous', 'handed_out', 'retrying')
         ORDER BY CASE WHEN e.state IN ('replied', 'bounced', 'unsubscribed', 'stopped', 'failed', 'suppressed') THEN 2 WHEN e.state = 'completed' THEN 1 ELSE 0 END,
             COALESCE(a.done_at, a.handed_out_at) DESC, a.id DESC"
    ))
    .bind(ws)
    .bind(channel.name())
    .bind_json(&rows)
    .all(on)
    .await
}
