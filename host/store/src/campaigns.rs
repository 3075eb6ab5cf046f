//! Campaigns, and the pool of accounts that they send from.

mod steps;

pub use steps::{list_steps, move_enrollments, set_steps, set_text};

use overture_domain::{
    AccountId, AuditId, CampaignId, Timestamp, WorkspaceId,
    campaigns::{Campaign, CampaignStatus, Pause, PoolAccount},
    names,
    people::Audit,
};
use serde_json::json;

use crate::{
    Read, Record, Result, Row, Tx, audit,
    query::{query, sql},
    slices::{self, Slice},
};

const COLUMNS: &str = "SELECT id, workspace_id, name, kind, status, status_audit_id, pauses, time_zone, windows, daily_send_limit, max_sends_per_mailbox_per_day, minutes_between_sends, stop_on_reply, stop_on_bounce, stop_on_company_reply, new_prospects_per_day, follow_ups_first, rotation, track_opens, track_clicks, safety, start_at, end_at, started_at, finished_at, created_at, updated_at FROM campaigns";

impl Record for Campaign {
    const TABLE: &'static str = "campaigns";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            workspace_id: row.id("workspace_id")?,
            name: row.text("name")?,
            kind: row.parsed("kind")?,
            status: row.parsed("status")?,
            status_audit_id: row.id("status_audit_id")?,
            pauses: row.json("pauses")?,
            time_zone: row.text("time_zone")?,
            windows: row.json("windows")?,
            daily_send_limit: row.int("daily_send_limit")?,
            max_sends_per_mailbox_per_day: row.int("max_sends_per_mailbox_per_day")?,
            minutes_between_sends: row.int("minutes_between_sends")?,
            stop_on_reply: row.bool("stop_on_reply")?,
            stop_on_bounce: row.bool("stop_on_bounce")?,
            stop_on_company_reply: row.bool("stop_on_company_reply")?,
            new_prospects_per_day: row.opt_int("new_prospects_per_day")?,
            follow_ups_first: row.bool("follow_ups_first")?,
            rotation: row.parsed("rotation")?,
            track_opens: row.bool("track_opens")?,
            track_clicks: row.bool("track_clicks")?,
            safety: row.json("safety")?,
            start_at: row.opt_time("start_at")?,
            end_at: row.opt_time("end_at")?,
            started_at: row.opt_time("started_at")?,
            finished_at: row.opt_time("finished_at")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

/// Who changed a status and why (SAFE-4): what its audit row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    pub audit_id: AuditId,
    /// What it must be now; None for a new campaign.
    pub from: Option<CampaignStatus>,
    pub to: CampaignStatus,
    /// For people.
    pub reason: String,
    /// What holds it from now on; something where it becomes paused, nothing else.
    pub pauses: Vec<Pause>,
    pub actor: String,
    pub at: Timestamp,
}

impl StatusChange {
    fn audit(&self, ws: WorkspaceId, id: CampaignId) -> Audit {
        Audit {
            id: self.audit_id,
            workspace_id: ws,
            subject_kind: "campaign".to_owned(),
            subject_id: id.to_string(),
            from_status: self.from.map(|status| status.name().to_owned()),
            to_status: self.to.name().to_owned(),
            reason: self.reason.clone(),
            actor: self.actor.clone(),
            at: self.at,
        }
    }
}

/// A new campaign with the audit row of its first status. Of `campaign`, status and audit id are
/// those of `change`.
pub async fn insert(tx: &mut Tx, campaign: &Campaign, change: &StatusChange) -> Result<()> {
    audit::insert(tx, &change.audit(campaign.workspace_id, campaign.id)).await?;
    query(sql!(
        "INSERT INTO campaigns (id, workspace_id, name, kind, status, status_audit_id, time_zone, windows, daily_send_limit,
             max_sends_per_mailbox_per_day, minutes_between_sends, stop_on_reply, stop_on_bounce, track_opens, track_clicks,
             start_at, end_at, created_at, updated_at, stop_on_company_reply, new_prospects_per_day, follow_ups_first, rotation, safety)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $18, $19, $20, $21, $22, $23)"
    ))
    .bind(campaign.id)
    .bind(campaign.workspace_id)
    .bind(&campaign.name)
    .bind(campaign.kind.name())
    .bind(change.to.name())
    .bind(change.audit_id)
    .bind(&campaign.time_zone)
    .bind_json(&campaign.windows)
    .bind(campaign.daily_send_limit)
    .bind(campaign.max_sends_per_mailbox_per_day)
    .bind(campaign.minutes_between_sends)
    .bind(campaign.stop_on_reply)
    .bind(campaign.stop_on_bounce)
    .bind(campaign.track_opens)
    .bind(campaign.track_clicks)
    .bind(campaign.start_at)
    .bind(campaign.end_at)
    .bind(campaign.created_at)
    .bind(campaign.stop_on_company_reply)
    .bind(campaign.new_prospects_per_day)
    .bind(campaign.follow_ups_first)
    .bind(campaign.rotation.name())
    .bind_json(&campaign.safety)
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes everything that a user may edit. Read the campaign, change it, write it.
pub async fn update(tx: &mut Tx, campaign: &Campaign) -> Result<bool> {
    let n = query(sql!(
        "UPDATE campaigns SET name = $3, time_zone = $4, windows = $5, daily_send_limit = $6, max_sends_per_mailbox_per_day = $7,
             minutes_between_sends = $8, stop_on_reply = $9, stop_on_bounce = $10, track_opens = $11, track_clicks = $12,
             start_at = $13, end_at = $14, updated_at = $15, stop_on_company_reply = $16, new_prospects_per_day = $17,
             follow_ups_first = $18, rotation = $19, safety = $20
         WHERE workspace_id = $1 AND id = $2"
    ))
    .bind(campaign.workspace_id)
    .bind(campaign.id)
    .bind(&campaign.name)
    .bind(&campaign.time_zone)
    .bind_json(&campaign.windows)
    .bind(campaign.daily_send_limit)
    .bind(campaign.max_sends_per_mailbox_per_day)
    .bind(campaign.minutes_between_sends)
    .bind(campaign.stop_on_reply)
    .bind(campaign.stop_on_bounce)
    .bind(campaign.track_opens)
    .bind(campaign.track_clicks)
    .bind(campaign.start_at)
    .bind(campaign.end_at)
    .bind(campaign.updated_at)
    .bind(campaign.stop_on_company_reply)
    .bind(campaign.new_prospects_per_day)
    .bind(campaign.follow_ups_first)
    .bind(campaign.rotation.name())
    .bind_json(&campaign.safety)
    .execute(tx)
    .await?;
    Ok(n == 1)
}

/// One campaign.
pub async fn find(on: &mut impl Read, ws: WorkspaceId, id: CampaignId) -> Result<Option<Campaign>> {
    query(sql!(COLUMNS))
        .push_bind(" WHERE workspace_id = ", ws)
        .push_bind(" AND id = ", id)
        .optional(on)
        .await
}

/// The campaigns with these ids, in no order; unknown ids are left out.
pub async fn list_by_ids(
    on: &mut impl Read,
    ws: WorkspaceId,
    ids: &[CampaignId],
) -> Result<Vec<Campaign>> {
    query(sql!(COLUMNS))
        .push_bind(" WHERE workspace_id = ", ws)
        .push_among(" AND id ", ids)
        .all(on)
        .await
}

/// A page of the workspace's campaigns, oldest first, after `after`.
pub async fn list(
    on: &mut impl Read,
    ws: WorkspaceId,
    filter: &Filter,
    slice: &Slice<Sort>,
) -> Result<Vec<Campaign>> {
    let mut page = query(sql!(COLUMNS)).push_bind(" WHERE workspace_id = ", ws);
    if let Some(status) = filter.status {
        page = page.push_bind(" AND status = ", status.name());
    }
    if let Some(account) = filter.account_id {
        page = page
            .push_bind(
                " AND id IN (SELECT a.campaign_id FROM campaign_accounts a WHERE a.account_id = ",
                account,
            )
            .push(" AND a.workspace_id = campaigns.workspace_id)");
    }
    page.slice("id", slice).all(on).await
}

names! {
    /// What lists of campaigns can be sorted by.
    Sort { CreatedAt = "createdAt", Name = "name" }
}

impl slices::Sort for Sort {
    const DEFAULT: Self = Self::CreatedAt;

    fn column(self) -> Option<&'static str> {
        match self {
            Self::CreatedAt => None,
            Self::Name => Some("name"),
        }
    }
}

/// What to list; empty fields don't filter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub status: Option<CampaignStatus>,
    /// Whose pool has this account.
    pub account_id: Option<AccountId>,
}

/// The campaigns of all workspaces with a status, for the part that starts and ends them.
pub async fn list_by_status(on: &mut impl Read, status: CampaignStatus) -> Result<Vec<Campaign>> {
    query(sql!(COLUMNS))
        .push_bind(" WHERE status = ", status.name())
        .push(" ORDER BY id")
        .all(on)
        .await
}

/// Running campaigns of all workspaces in which nothing can act any more (SEQ-11).
pub async fn list_through(on: &mut impl Read) -> Result<Vec<Campaign>> {
    query(sql!(COLUMNS))
        .push(
            " WHERE status = 'running' AND NOT EXISTS (SELECT 1 FROM enrollments e WHERE e.campaign_id = campaigns.id
               AND e.state IN ('queued', 'active', 'waiting', 'pending_template_fix', 'pending_template_variable_resolution',
                   'paused_account', 'unresolved_url', 'invalid_prospect', 'ambiguous_send')) ORDER BY id",
        )
        .all(on)
        .await
}

/// Changes a status together with its audit row (SAFE-4), and what hangs on it; also from paused to
/// paused, when other things hold it now. False, and nothing written, when the campaign is not there
/// or not in `change.from`.
pub async fn set_status(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: CampaignId,
    change: &StatusChange,
) -> Result<bool> {
    let now = query(sql!(
        "SELECT status FROM campaigns WHERE workspace_id = $1 AND id = $2 {for_update}"
    ))
    .bind(ws)
    .bind(id)
    .rows(tx)
    .await?;
    let now: Option<CampaignStatus> = now.first().map(|row| row.parsed("status")).transpose()?;
    if now.is_none() || now != change.from {
        return Ok(false);
    }
    audit::insert(tx, &change.audit(ws, id)).await?;
    let oldest = change.pauses.first();
    let n = query(sql!(
        "UPDATE campaigns SET status = $3, status_audit_id = $4, updated_at = $5, paused_at = $6, paused_reason = $7, pauses = $8,
             started_at = CASE WHEN $3 = 'running' THEN COALESCE(started_at, $5) ELSE started_at END,
             finished_at = CASE WHEN $3 = 'completed' THEN $5 WHEN $3 = 'running' THEN NULL ELSE finished_at END
         WHERE workspace_id = $1 AND id = $2"
    ))
    .bind(ws)
    .bind(id)
    .bind(change.to.name())
    .bind(change.audit_id)
    .bind(change.at)
    .bind(oldest.map(|pause| pause.since))
    .bind(oldest.map(|pause| pause.reason.name()))
    .bind_json(&change.pauses)
    .execute(tx)
    .await?;
    Ok(n == 1)
}

/// The pools of campaigns.
pub async fn list_pools(
    on: &mut impl Read,
    ws: WorkspaceId,
    campaigns: &[CampaignId],
) -> Result<Vec<(CampaignId, PoolAccount)>> {
    query(sql!(
        "SELECT campaign_id, account_id, weight, active FROM campaign_accounts
         WHERE workspace_id = $1 AND campaign_id {among $2} ORDER BY campaign_id, account_id"
    ))
    .bind(ws)
    .bind_ids(campaigns)
    .rows(on)
    .await?
    .iter()
    .map(|row| {
        let account = PoolAccount {
            account_id: row.id("account_id")?,
            weight: row.int("weight")?,
            active: row.bool("active")?,
        };
        Ok((row.id("campaign_id")?, account))
    })
    .collect()
}

/// Makes `pool` the pool of the campaign.
pub async fn set_pool(
    tx: &mut Tx,
    ws: WorkspaceId,
    campaign: CampaignId,
    pool: &[PoolAccount],
) -> Result<()> {
    let rows: Vec<_> = pool
        .iter()
        .map(|account| json!({"id": account.account_id, "weight": account.weight, "active": i64::from(account.active)}))
        .collect();
    query(sql!(
        "DELETE FROM campaign_accounts WHERE workspace_id = $1 AND campaign_id = $2
           AND account_id NOT IN (SELECT r.value->>'id' FROM {rows $3})"
    ))
    .bind(ws)
    .bind(campaign)
    .bind_json(&rows)
    .execute(tx)
    .await?;
    query(sql!(
        "INSERT INTO campaign_accounts (workspace_id, campaign_id, account_id, weight, active)
         SELECT $1, $2, r.value->>'id', CAST(r.value->>'weight' AS BIGINT), CAST(r.value->>'active' AS BIGINT) = 1
         FROM {rows $3} WHERE TRUE
         ON CONFLICT (campaign_id, account_id) DO UPDATE SET weight = excluded.weight, active = excluded.active"
    ))
    .bind(ws)
    .bind(campaign)
    .bind_json(&rows)
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes an account from all pools. The campaigns that are not over and had it: their names by their
/// ids (MB-5).
pub async fn leave_pools(
    tx: &mut Tx,
    ws: WorkspaceId,
    account: AccountId,
) -> Result<Vec<(CampaignId, String)>> {
    let left = query(sql!(
        "SELECT c.id, c.name FROM campaign_accounts a JOIN campaigns c ON c.id = a.campaign_id
         WHERE a.workspace_id = $1 AND a.account_id = $2 AND c.status NOT IN ('completed', 'archived')
         ORDER BY c.id"
    ))
    .bind(ws)
    .bind(account)
    .rows(tx)
    .await?
    .iter()
    .map(|row| Ok((row.id("id")?, row.text("name")?)))
    .collect::<Result<_>>()?;
    query(sql!(
        "DELETE FROM campaign_accounts WHERE workspace_id = $1 AND account_id = $2"
    ))
    .bind(ws)
    .bind(account)
    .execute(tx)
    .await?;
    Ok(left)
}

/// The longest minutes between sends among the running campaigns that share each account: those that
/// have it in their pools, and those whose follow-ups wait for it (SCH-4, SEQ-4).
pub async fn list_paces(
    on: &mut impl Read,
    ws: WorkspaceId,
    accounts: &[AccountId],
) -> Result<Vec<(AccountId, i64)>> {
    query(sql!(
        "SELECT a.account_id, MAX(c.minutes_between_sends) AS n FROM (
             SELECT account_id, campaign_id FROM campaign_accounts WHERE workspace_id = $1 AND active AND account_id {among $2}
             UNION ALL SELECT account_id, campaign_id FROM lanes WHERE {also workspace_id = $1} AND account_id {among $2}) a
         CROSS JOIN campaigns c WHERE c.id = a.campaign_id AND {also c.status = 'running'}
         GROUP BY a.account_id"
    ))
    .bind(ws)
    .bind_ids(accounts)
    .rows(on)
    .await?
    .iter()
    .map(|row| Ok((row.id("account_id")?, row.int("n")?)))
    .collect()
}
