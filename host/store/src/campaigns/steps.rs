//! The steps of campaigns, and their texts.

use overture_domain::{CampaignId, StepId, Timestamp, WorkspaceId, campaigns::Step};
use serde_json::json;

use crate::{
    Read, Record, Result, Row, Tx,
    query::{query, sql},
};

impl Record for Step {
    const TABLE: &'static str = "steps";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            workspace_id: row.id("workspace_id")?,
            campaign_id: row.id("campaign_id")?,
            step_index: row.int("step_index")?,
            channel: row.parsed("channel")?,
            kind: row.parsed("kind")?,
            delay_minutes: row.int("delay_minutes")?,
            subject: row.text("subject")?,
            body_html: row.text("body_html")?,
            body_text: row.opt_text("body_text")?,
            variants: row.json("variants")?,
        })
    }
}

/// The steps of campaigns in the order of their sequence; removed ones are left out.
pub async fn list_steps(
    on: &mut impl Read,
    ws: WorkspaceId,
    campaigns: &[CampaignId],
) -> Result<Vec<Step>> {
    query(sql!(
        "SELECT id, workspace_id, campaign_id, step_index, channel, kind, delay_minutes, subject, body_html, body_text, variants
         FROM steps WHERE workspace_id = $1 AND step_index IS NOT NULL AND campaign_id {among $2}
         ORDER BY campaign_id, step_index"
    ))
    .bind(ws)
    .bind_ids(campaigns)
    .all(on)
    .await
}

/// Makes `steps` the sequence of the campaign. Those that are known by their id are changed in
/// place; those that are missing leave the sequence, but stay for what was sent (SEQ-8).
pub async fn set_steps(
    tx: &mut Tx,
    ws: WorkspaceId,
    campaign: CampaignId,
    steps: &[Step],
    now: Timestamp,
) -> Result<()> {
    query(sql!(
        "UPDATE steps SET step_index = NULL WHERE workspace_id = $1 AND campaign_id = $2"
    ))
    .bind(ws)
    .bind(campaign)
    .execute(tx)
    .await?;
    let rows: Vec<_> = steps
        .iter()
        .map(|step| {
            json!({
                "id": step.id,
                "step_index": step.step_index,
                "channel": step.channel,
                "kind": step.kind,
                "delay_minutes": step.delay_minutes,
                "subject": step.subject,
                "body_html": step.body_html,
                "body_text": step.body_text,
                "variants": step.variants,
            })
        })
        .collect();
    query(sql!(
        "INSERT INTO steps (id, workspace_id, campaign_id, step_index, channel, kind, delay_minutes, subject, body_html, body_text, variants, created_at, updated_at)
         SELECT r.value->>'id', $1, $2, CAST(r.value->>'step_index' AS BIGINT), r.value->>'channel', r.value->>'kind',
                CAST(r.value->>'delay_minutes' AS BIGINT), r.value->>'subject', r.value->>'body_html', r.value->>'body_text', r.value->'variants', $4, $4
         FROM {rows $3} WHERE TRUE
         ON CONFLICT (id) DO UPDATE SET step_index = excluded.step_index, delay_minutes = excluded.delay_minutes,
             subject = excluded.subject, body_html = excluded.body_html, body_text = excluded.body_text, variants = excluded.variants,
             updated_at = excluded.updated_at"
    ))
    .bind(ws)
    .bind(campaign)
    .bind_json(&rows)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// Where enrollments stand after the sequence has changed: from the old place of their next step
/// to the new one (SEQ-8).
pub async fn move_enrollments(
    tx: &mut Tx,
    ws: WorkspaceId,
    campaign: CampaignId,
    places: &[(i64, i64)],
) -> Result<()> {
    let rows: Vec<_> = places
        .iter()
        .map(|(from, to)| json!({"from": from, "to": to}))
        .collect();
    query(sql!(
        "UPDATE enrollments SET step_index = CAST(r.value->>'to' AS BIGINT) FROM {rows $3}
         WHERE enrollments.workspace_id = $1 AND enrollments.campaign_id = $2
           AND enrollments.step_index = CAST(r.value->>'from' AS BIGINT)"
    ))
    .bind(ws)
    .bind(campaign)
    .bind_json(&rows)
    .execute(tx)
    .await?;
    Ok(())
}

/// One step's text, live (SEQ-1). False when it is not there.
pub async fn set_text(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: StepId,
    subject: &str,
    body_html: &str,
    body_text: Option<&str>,
    now: Timestamp,
) -> Result<bool> {
    let n = query(sql!(
        "UPDATE steps SET subject = $3, body_html = $4, body_text = $5, updated_at = $6 WHERE workspace_id = $1 AND id = $2"
    ))
    .bind(ws)
    .bind(id)
    .bind(subject)
    .bind(body_html)
    .bind(body_text.map(str::to_owned))
    .bind(now)
    .execute(tx)
    .await?;
    Ok(n == 1)
}
