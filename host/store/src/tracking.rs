//! Fetches of pixels and clicks, as they came and as they were judged (TRK-1, TRK-2).

use overture_domain::{
    AccountId, CampaignId, HitId, ProspectId, Timestamp,
    messages::MailKey,
    tracking::{Hit, HitClass},
};

use crate::{
    Read, Record, Result, Row, Tx,
    query::{query, sql},
};

impl Record for MailKey {
    const TABLE: &'static str = "tracking_hits";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            workspace_id: row.id("workspace_id")?,
            enrollment_id: row.id("enrollment_id")?,
            step_index: row.int("step_index")?,
        })
    }
}

/// The mail that a hit belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackedMail {
    pub campaign_id: CampaignId,
    pub prospect_id: ProspectId,
    pub prospect_email: String,
    pub account_id: AccountId,
    pub message_id: String,
    /// Where its tracked links lead.
    pub links: Vec<String>,
    pub sent_at: Timestamp,
}

impl Record for TrackedMail {
    const TABLE: &'static str = "messages";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            campaign_id: row.id("campaign_id")?,
            prospect_id: row.id("prospect_id")?,
            prospect_email: row.text("prospect_email")?,
            account_id: row.id("account_id")?,
            message_id: row.text("external_id")?,
            links: row.json("links")?,
            sent_at: row.time("at")?,
        })
    }
}

/// A hit that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptHit {
    pub id: HitId,
    pub hit: Hit,
    /// None until it is judged.
    pub class: Option<HitClass>,
}

impl Record for KeptHit {
    const TABLE: &'static str = "tracking_hits";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            hit: Hit {
                kind: row.parsed("kind")?,
                link: row.opt_int("link")?,
                head: row.bool("head")?,
                user_agent: row.text("user_agent")?,
                at: row.time("at")?,
            },
            class: row.opt_parsed("class")?,
        })
    }
}

/// Hits of one mail that are kept; a flood adds nothing to what they tell.
const MOST_OF_A_MAIL: i64 = 1_000;

/// Keeps a hit. False when its enrollment is gone, or the mail has more hits than are kept.
pub async fn insert(tx: &mut Tx, id: HitId, mail: MailKey, hit: &Hit) -> Result<bool> {
    let n = query(sql!(
        "INSERT INTO tracking_hits (id, workspace_id, enrollment_id, step_index, kind, link, head, user_agent, at)
         SELECT CAST($1 AS TEXT), e.workspace_id, e.id, CAST($4 AS BIGINT), CAST($5 AS TEXT), CAST($6 AS BIGINT),
                CAST($7 AS BOOLEAN), CAST($8 AS TEXT), CAST($9 AS BIGINT)
         FROM enrollments e WHERE e.workspace_id = $2 AND e.id = $3
         AND (SELECT COUNT(*) FROM tracking_hits h WHERE h.enrollment_id = $3 AND h.step_index = $4) < $10"
    ))
    .bind(id)
    .bind(mail.workspace_id)
    .bind(mail.enrollment_id)
    .bind(mail.step_index)
    .bind(hit.kind.name())
    .bind(hit.link)
    .bind(hit.head)
    .bind(&hit.user_agent)
    .bind(hit.at)
    .bind(MOST_OF_A_MAIL)
    .execute(tx)
    .await?;
    Ok(n == 1)
}

/// A mail that went out.
pub async fn find_mail(on: &mut impl Read, mail: MailKey) -> Result<Option<TrackedMail>> {
    query(sql!(
        "SELECT m.campaign_id, m.prospect_id, p.email AS prospect_email, m.account_id, m.external_id, l.links, m.at
         FROM messages m JOIN mail_messages l ON l.message_id = m.id JOIN prospects p ON p.id = m.prospect_id
         WHERE m.workspace_id = $1 AND m.enrollment_id = $2 AND m.step_index = $3 AND m.direction = 'out'
         ORDER BY m.at DESC LIMIT 1"
    ))
    .bind(mail.workspace_id)
    .bind(mail.enrollment_id)
    .bind(mail.step_index)
    .optional(on)
    .await
}

/// Mails with hits up to `until` that nobody has judged, of all workspaces; the oldest first.
pub async fn to_judge(on: &mut impl Read, until: Timestamp, limit: i64) -> Result<Vec<MailKey>> {
    query(sql!(
        "SELECT workspace_id, enrollment_id, step_index FROM tracking_hits WHERE class IS NULL AND at <= $1
         GROUP BY workspace_id, enrollment_id, step_index ORDER BY MIN(at) LIMIT $2"
    ))
    .bind(until)
    .bind(limit)
    .all(on)
    .await
}

/// When the oldest hit came that nobody has judged.
pub async fn oldest_to_judge(on: &mut impl Read) -> Result<Option<Timestamp>> {
    let rows = query(sql!(
        "SELECT MIN(at) AS at FROM tracking_hits WHERE class IS NULL"
    ))
    .rows(on)
    .await?;
    rows.first().map_or(Ok(None), |row| row.opt_time("at"))
}

/// When the oldest hit came that is kept.
pub async fn oldest(on: &mut impl Read) -> Result<Option<Timestamp>> {
    let rows = query(sql!("SELECT at FROM tracking_hits ORDER BY id LIMIT 1"))
        .rows(on)
        .await?;
    rows.first().map(|row| row.time("at")).transpose()
}

/// Forgets hits that came before a moment, at most so many (OPS-8). How many. Their ids tell when
/// they came.
pub async fn forget(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64> {
    query(sql!(
        "DELETE FROM tracking_hits WHERE id IN (SELECT id FROM tracking_hits WHERE id < $1 ORDER BY id LIMIT $2)"
    ))
    .bind(HitId::first_of(before))
    .bind(limit)
    .execute(tx)
    .await
}

/// All hits of a mail, the oldest first.
pub async fn of_mail(on: &mut impl Read, mail: MailKey) -> Result<Vec<KeptHit>> {
    query(sql!(
        "SELECT id, kind, link, head, user_agent, class, at FROM tracking_hits
         WHERE enrollment_id = $1 AND step_index = $2 AND workspace_id = $3 ORDER BY at, id"
    ))
    .bind(mail.enrollment_id)
    .bind(mail.step_index)
    .bind(mail.workspace_id)
    .all(on)
    .await
}

/// Writes down who made hits, and by what that is known.
pub async fn set_classes(tx: &mut Tx, judged: &[(HitId, HitClass, &str)]) -> Result<()> {
    let rows: Vec<_> = judged
        .iter()
        .map(
            |(id, class, reason)| serde_json::json!({ "id": id, "class": class, "reason": reason }),
        )
        .collect();
    query(sql!(
        "UPDATE tracking_hits SET class = r.value->>'class', reason = r.value->>'reason'
         FROM {rows $1} WHERE tracking_hits.id = r.value->>'id'"
    ))
    .bind_json(&rows)
    .execute(tx)
    .await?;
    Ok(())
}
