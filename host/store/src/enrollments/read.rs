//! Where enrollments stand.

use std::collections::HashSet;

use overture_domain::{
    AccountId, CampaignId, EnrollmentId, ProspectId, Timestamp, WorkspaceId,
    enrollments::{Enrollment, EnrollmentState},
    prospects::email_key,
};

use super::{BY_ID, BY_PROSPECT, COLUMNS};
use crate::{
    Read, Result,
    prospects::like_literal,
    query::{query, row, sql},
    slices::{ByAge, Slice},
};

/// Which of the prospects are in the campaign.
pub async fn among(
    on: &mut impl Read,
    ws: WorkspaceId,
    campaign: CampaignId,
    prospects: &[ProspectId],
) -> Result<HashSet<ProspectId>> {
    query(sql!(
        "SELECT prospect_id FROM enrollments WHERE {also workspace_id = $1} AND campaign_id = $2
           AND prospect_id {among $3}"
    ))
    .bind(ws)
    .bind(campaign)
    .bind_ids(prospects)
    .rows(on)
    .await?
    .iter()
    .map(|row| row.id("prospect_id"))
    .collect()
}

/// One enrollment.
pub async fn find(
    on: &mut impl Read,
    ws: WorkspaceId,
    id: EnrollmentId,
) -> Result<Option<Enrollment>> {
    query(sql!(COLUMNS))
        .bind(ws)
        .push_bind(" AND e.id = ", id)
        .optional(on)
        .await
}

/// The enrollments with these ids, in no order; unknown ids are left out.
pub async fn list_by_ids(
    on: &mut impl Read,
    ws: WorkspaceId,
    ids: &[EnrollmentId],
) -> Result<Vec<Enrollment>> {
    let rows: Vec<_> = ids.iter().map(|id| row! { ws: ws, v: id }).collect();
    query(sql!(BY_ID)).bind_json(&rows).all(on).await
}

/// A page of a campaign's enrollments, oldest first, after `after`.
pub async fn list(
    on: &mut impl Read,
    ws: WorkspaceId,
    campaign: CampaignId,
    filter: &Filter,
    slice: &Slice<ByAge>,
) -> Result<Vec<Enrollment>> {
    let mut page = query(sql!(COLUMNS))
        .bind(ws)
        .push_bind(" AND e.campaign_id = ", campaign);
    if let Some(state) = filter.state {
        page = page.push_bind(" AND e.state = ", state.name());
    }
    if let Some(account) = filter.account_id {
        page = page.push_bind(" AND e.account_id = ", account);
    }
    if let Some(prospect) = filter.prospect_id {
        page = page.push_bind(" AND e.prospect_id = ", prospect);
    }
    page.slice("e.id", slice).all(on).await
}

/// What to list; empty fields don't filter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    pub state: Option<EnrollmentState>,
    /// Whose mails leave from this account.
    pub account_id: Option<AccountId>,
    pub prospect_id: Option<ProspectId>,
}

/// Those in a campaign who may act next: the heads of its lanes, and who waits for a time of their
/// own. The first first, by what is planned and known now.
pub async fn list_next_of_campaign(
    on: &mut impl Read,
    ws: WorkspaceId,
    campaign: CampaignId,
    limit: i64,
) -> Result<Vec<Enrollment>> {
    query(sql!(COLUMNS))
        .bind(ws)
        .push_bind(" AND e.campaign_id = ", campaign)
        .push(NEXT)
        .push_bind(" LIMIT ", limit)
        .all(on)
        .await
}

/// The same among those in running campaigns whose next mail may leave from an account.
pub async fn list_next_of_account(
    on: &mut impl Read,
    ws: WorkspaceId,
    account: AccountId,
    limit: i64,
) -> Result<Vec<Enrollment>> {
    query(sql!(COLUMNS))
        .bind(ws)
        .push(" AND e.campaign_id IN (SELECT c.id FROM campaigns c WHERE c.workspace_id = $1 AND c.status = 'running')")
        .push_bind(" AND (e.account_id = ", account)
        .push(" OR (e.account_id IS NULL AND e.campaign_id IN (SELECT a.campaign_id FROM campaign_accounts a WHERE a.account_id = $2 AND a.active)))")
        .push(NEXT)
        .push_bind(" LIMIT ", limit)
        .all(on)
        .await
}

const NEXT: &str = " AND e.state IN ('queued', 'active', 'waiting')
    AND (e.next_action_at IS NULL OR e.id IN (
        SELECT (SELECT h.subject_id FROM jobs h WHERE h.lane = w.id AND h.state = 'pending' ORDER BY h.run_at, h.id LIMIT 1)
        FROM lanes w WHERE w.workspace_id = $1
        UNION ALL
        SELECT a.subject_id FROM jobs a WHERE a.kind = 'send_step' AND a.workspace_id = $1 AND a.lane IS NULL AND a.state IN ('pending', 'processing')))
    ORDER BY COALESCE(CASE WHEN l.room_at > e.next_action_at THEN l.room_at ELSE e.next_action_at END, 0), e.id";

/// The enrollments of prospects in all campaigns.
pub async fn list_by_prospects(
    on: &mut impl Read,
    ws: WorkspaceId,
    prospects: &[ProspectId],
) -> Result<Vec<Enrollment>> {
    let rows: Vec<_> = prospects.iter().map(|id| row! { ws: ws, v: id }).collect();
    query(sql!(BY_PROSPECT)).bind_json(&rows).all(on).await
}

/// How many enrollments of a campaign are in each state; states without any are left out.
pub async fn count_by_state(
    on: &mut impl Read,
    ws: WorkspaceId,
    campaign: CampaignId,
) -> Result<Vec<(EnrollmentState, i64)>> {
    query(sql!(
        "SELECT state, COUNT(*) AS n FROM enrollments WHERE workspace_id = $1 AND campaign_id = $2 GROUP BY state ORDER BY state"
    ))
    .bind(ws)
    .bind(campaign)
    .rows(on)
    .await?
    .iter()
    .map(|row| Ok((row.parsed("state")?, row.int("n")?)))
    .collect()
}

/// How many people stand before the same step at about the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub campaign_id: CampaignId,
    pub step_index: i64,
    /// The hour from which their step may go; None: from now on. Those who have not begun are held
    /// by nothing but their own absence.
    pub from: Option<Timestamp>,
    pub people: i64,
}

/// Where those who are on their way stand, for a forecast (ROT-2).
pub async fn standing(
    on: &mut impl Read,
    ws: WorkspaceId,
    campaigns: &[CampaignId],
) -> Result<Vec<Standing>> {
    let rows: Vec<_> = campaigns.iter().map(|id| row! { ws: ws, v: id }).collect();
    query(sql!(
        "SELECT campaign_id, step_index, hour * 3600000000 AS since, COUNT(*) AS people FROM (
             SELECT e.campaign_id, e.step_index,
                 CASE WHEN e.step_index = 0 THEN e.not_before ELSE COALESCE(e.next_action_at, e.not_before) END / 3600000000 AS hour
             FROM {rows $1} JOIN enrollments e ON e.campaign_id = r.value->>'v'
             WHERE {also e.workspace_id = r.value->>'ws'} AND e.state IN ('queued', 'active', 'waiting')) t
         GROUP BY campaign_id, step_index, hour ORDER BY campaign_id, step_index, hour"
    ))
    .bind_json(&rows)
    .rows(on)
    .await?
    .iter()
    .map(|row| {
        Ok(Standing {
            campaign_id: row.id("campaign_id")?,
            step_index: row.int("step_index")?,
            from: row.opt_time("since")?,
            people: row.int("people")?,
        })
    })
    .collect()
}

/// Those in a campaign that are not over whose prospects have their address at a domain. What may
/// have gone out waits for its answer.
pub async fn list_at_domain(
    on: &mut impl Read,
    ws: WorkspaceId,
    campaign: CampaignId,
    domain: &str,
) -> Result<Vec<EnrollmentId>> {
    let pattern = format!("%@{}", like_literal(&email_key(domain)));
    query(sql!(
        "SELECT e.id FROM enrollments e JOIN prospects p ON p.id = e.prospect_id
         WHERE e.workspace_id = $1 AND e.campaign_id = $2 AND p.email_key LIKE $3 ESCAPE '\\'
           AND e.state IN ('queued', 'active', 'waiting', 'pending_template_fix', 'pending_template_variable_resolution',
               'paused_account', 'unresolved_url', 'invalid_prospect')
         ORDER BY e.id"
    ))
    .bind(ws)
    .bind(campaign)
    .bind(&pattern)
    .rows(on)
    .await?
    .iter()
    .map(|row| row.id("id"))
    .collect()
}

/// When this prospect was last written to by each campaign: what keeps mails of different
/// campaigns a day apart (CAP-1).
pub async fn last_mails(
    on: &mut impl Read,
    ws: WorkspaceId,
    prospects: &[ProspectId],
) -> Result<Vec<(ProspectId, CampaignId, Timestamp)>> {
    let rows: Vec<_> = prospects.iter().map(|id| row! { ws: ws, v: id }).collect();
    query(sql!(
        "SELECT e.prospect_id, e.campaign_id, MAX(COALESCE(a.done_at, a.handed_out_at)) AS at
         FROM {rows $1} JOIN enrollments e ON e.prospect_id = r.value->>'v' AND e.workspace_id = r.value->>'ws'
         JOIN actions a ON a.enrollment_id = e.id
         WHERE a.channel = 'mail' AND a.state IN ('handed_out', 'done', 'ambiguous')
         GROUP BY e.prospect_id, e.campaign_id"
    ))
    .bind_json(&rows)
    .rows(on)
    .await?
    .iter()
    .map(|row| {
        Ok((
            row.id("prospect_id")?,
            row.id("campaign_id")?,
            row.time("at")?,
        ))
    })
    .collect()
}

/// The custom fields that the prospects of a campaign have (SEQ-6).
pub async fn custom_fields(
    on: &mut impl Read,
    ws: WorkspaceId,
    campaign: CampaignId,
) -> Result<Vec<String>> {
    query(sql!(
        "SELECT DISTINCT f.key AS name FROM enrollments e JOIN prospects p ON p.id = e.prospect_id, {fields p.custom}
         WHERE e.workspace_id = $1 AND e.campaign_id = $2 ORDER BY f.key"
    ))
    .bind(ws)
    .bind(campaign)
    .rows(on)
    .await?
    .iter()
    .map(|row| row.text("name"))
    .collect()
}
