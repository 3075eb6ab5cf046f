//! Messages that went out and came in, what belongs to a campaign among them, and every
//! classifier's word on them.

use std::collections::{HashMap, HashSet};

use overture_domain::{
    AccountId, CampaignId, EnrollmentId, MessageId, ProspectId, Timestamp, WorkspaceId,
    enrollments::EnrollmentState,
    messages::{Direction, Label, MailMessage, Message, Verdict},
    prospects::email_key,
};

use crate::{
    Read, Record, Result, Row, Tx,
    query::{Query, query, row, sql},
    slices::{ByAge, Slice},
};

impl Record for Message {
    const TABLE: &'static str = "messages";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            workspace_id: row.id("workspace_id")?,
            channel: row.parsed("channel")?,
            direction: row.parsed("direction")?,
            account_id: row.id("account_id")?,
            campaign_id: row.opt_id("campaign_id")?,
            enrollment_id: row.opt_id("enrollment_id")?,
            prospect_id: row.opt_id("prospect_id")?,
            step_index: row.opt_int("step_index")?,
            external_id: row.text("external_id")?,
            sender: row.text("sender")?,
            recipient: row.text("recipient")?,
            subject: row.text("subject")?,
            text: row.text("text")?,
            newest_text: row.text("newest_text")?,
            html: row.opt_text("html")?,
            attribution: row.opt_parsed("attribution")?,
            label: row.opt_parsed("label")?,
            label_by: row.opt_text("label_by")?,
            at: row.time("at")?,
        })
    }
}

impl Record for MailMessage {
    const TABLE: &'static str = "mail_messages";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            in_reply_to: row.json("in_reply_to")?,
            references: row.json("reference_ids")?,
            folder: row.text("folder")?,
            uid_validity: row.opt_int("uid_validity")?,
            uid: row.opt_int("uid")?,
            links: row.json("links")?,
        })
    }
}

impl Record for Verdict {
    const TABLE: &'static str = "verdicts";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            classifier: row.text("classifier")?,
            label: row.parsed("label")?,
            confidence: row.float("confidence")?,
            language: row.opt_text("language")?,
            evidence: row.json("evidence")?,
            until_day: row.opt_text("until_day")?,
        })
    }
}

/// Writes messages of either direction, mails with what only they have. One that its account has
/// already, by direction and external id, is left out: a mail seen twice is one mail (MB-8).
pub async fn insert(
    tx: &mut Tx,
    mails: &[(Message, Option<MailMessage>)],
    now: Timestamp,
) -> Result<()> {
    writing(mails, now).later(tx);
    write_headers(tx, mails);
    Ok(())
}

/// The same; the ids of those that were written.
pub async fn insert_new(
    tx: &mut Tx,
    mails: &[(Message, Option<MailMessage>)],
    now: Timestamp,
) -> Result<HashSet<MessageId>> {
    let written = writing(mails, now).push(" RETURNING id").rows(tx).await?;
    write_headers(tx, mails);
    written.iter().map(|row| row.id("id")).collect()
}

fn writing(mails: &[(Message, Option<MailMessage>)], now: Timestamp) -> Query {
    let rows: Vec<_> = mails
        .iter()
        .map(|(message, _)| {
            row! {
                id: message.id,
                workspace_id: message.workspace_id,
                channel: message.channel,
                direction: message.direction,
                account_id: message.account_id,
                campaign_id: message.campaign_id,
                enrollment_id: message.enrollment_id,
                prospect_id: message.prospect_id,
                step_index: message.step_index,
                external_id: &message.external_id,
                sender: &message.sender,
                recipient: &message.recipient,
                subject: &message.subject,
                text: &message.text,
                newest_text: &message.newest_text,
                html: &message.html,
                attribution: &message.attribution,
                label: &message.label,
                label_by: &message.label_by,
                at: message.at.as_micros(),
            }
        })
        .collect();
    query(sql!(
        "INSERT INTO messages (id, workspace_id, channel, direction, account_id, campaign_id, enrollment_id, prospect_id,
             step_index, external_id, sender, recipient, subject, text, newest_text, html, attribution, label, label_by, at, created_at)
         SELECT r.value->>'id', r.value->>'workspace_id', r.value->>'channel', r.value->>'direction', r.value->>'account_id',
                r.value->>'campaign_id', r.value->>'enrollment_id', r.value->>'prospect_id',
                CAST(r.value->>'step_index' AS BIGINT), r.value->>'external_id', r.value->>'sender', r.value->>'recipient',
                r.value->>'subject', r.value->>'text', r.value->>'newest_text', r.value->>'html', r.value->>'attribution',
                r.value->>'label', r.value->>'label_by', CAST(r.value->>'at' AS BIGINT), CAST($2 AS BIGINT)
         FROM {rows $1} WHERE TRUE
         ON CONFLICT DO NOTHING"
    ))
    .bind_json(&rows)
    .bind(now)
}

/// What only mails have, of those that were written.
fn write_headers(tx: &mut Tx, mails: &[(Message, Option<MailMessage>)]) {
    let rows: Vec<_> = mails
        .iter()
        .filter_map(|(message, mail)| Some((message, mail.as_ref()?)))
        .map(|(message, mail)| {
            row! {
                message_id: message.id,
                in_reply_to: &mail.in_reply_to,
                reference_ids: &mail.references,
                folder: &mail.folder,
                uid_validity: mail.uid_validity,
                uid: mail.uid,
                links: &mail.links,
            }
        })
        .collect();
    query(sql!(
        "INSERT INTO mail_messages (message_id, in_reply_to, reference_ids, folder, uid_validity, uid, links)
         SELECT r.value->>'message_id', r.value->'in_reply_to', r.value->'reference_ids', r.value->>'folder',
                CAST(r.value->>'uid_validity' AS BIGINT), CAST(r.value->>'uid' AS BIGINT), r.value->'links'
         FROM {rows $1} JOIN messages m ON m.id = r.value->>'message_id'"
    ))
    .bind_json(&rows)
    .later(tx);
}

/// Those of the external ids that the account has received already.
pub async fn known(
    on: &mut impl Read,
    account: AccountId,
    external_ids: &[&str],
) -> Result<HashSet<String>> {
    let ids: Vec<_> = external_ids.iter().map(|id| row! { id: id }).collect();
    query(sql!(
        "SELECT external_id FROM messages WHERE account_id = $1 AND direction = 'in'
         AND external_id IN (SELECT r.value->>'id' FROM {rows $2})"
    ))
    .bind(account)
    .bind_json(&ids)
    .rows(on)
    .await?
    .iter()
    .map(|row| row.text("external_id"))
    .collect()
}

/// A step that went out, or may have, and whose it was: what an incoming mail is attributed to.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The Message-ID by which it was found; empty when it was found by address.
    pub external_id: String,
    pub campaign_id: CampaignId,
    pub enrollment_id: EnrollmentId,
    pub prospect_id: ProspectId,
    pub prospect_email: String,
    pub enrollment_state: EnrollmentState,
    /// The account that it went out from.
    pub account_id: Option<AccountId>,
    pub step_index: Option<i64>,
    /// Of our mail, where one is kept.
    pub subject: Option<String>,
    pub sent_at: Option<Timestamp>,
}

impl Record for Origin {
    const TABLE: &'static str = "enrollments";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            external_id: row.text("external_id")?,
            campaign_id: row.id("campaign_id")?,
            enrollment_id: row.id("enrollment_id")?,
            prospect_id: row.id("prospect_id")?,
            prospect_email: row.text("prospect_email")?,
            enrollment_state: row.parsed("state")?,
            account_id: row.opt_id("account_id")?,
            step_index: row.opt_int("step_index")?,
            subject: row.opt_text("subject")?,
            sent_at: row.opt_time("sent_at")?,
        })
    }
}

/// What these Message-IDs of the workspace belong to (TRK-3): our own mails, and mails of the
/// thread that came in before. Ids that belong to nothing are not in the answer.
pub async fn origins(
    on: &mut impl Read,
    ws: WorkspaceId,
    external_ids: &[&str],
) -> Result<Vec<Origin>> {
    let ids: Vec<_> = external_ids
        .iter()
        .map(|id| row! { ws: ws, id: id })
        .collect();
    query(sql!(
        "SELECT a.external_id, e.campaign_id, a.enrollment_id, e.prospect_id, p.email AS prospect_email, e.state,
                a.account_id, a.step_index, m.subject, COALESCE(a.done_at, a.handed_out_at) AS sent_at
         FROM {rows $1}
         JOIN actions a ON a.external_id = r.value->>'id' AND a.workspace_id = r.value->>'ws'
         JOIN enrollments e ON e.id = a.enrollment_id
         JOIN prospects p ON p.id = e.prospect_id
         LEFT JOIN messages m ON m.account_id = a.account_id AND m.direction = 'out' AND m.external_id = a.external_id
         UNION ALL
         SELECT m.external_id, e.campaign_id, m.enrollment_id, e.prospect_id, p.email AS prospect_email, e.state,
                m.account_id, m.step_index, NULL AS subject, NULL AS sent_at
         FROM {rows $1}
         JOIN messages m ON m.workspace_id = r.value->>'ws' AND m.external_id = r.value->>'id' AND m.direction = 'in'
         JOIN enrollments e ON e.id = m.enrollment_id
         JOIN prospects p ON p.id = e.prospect_id"
    ))
    .bind_json(&ids)
    .all(on)
    .await
}

/// The enrollments of the prospects with these addresses that any account sent to: those that go
/// on first, then those that are through, each the newest step first (TRK-3).
pub async fn origins_by_address(
    on: &mut impl Read,
    ws: WorkspaceId,
    addresses: &[&str],
) -> Result<Vec<Origin>> {
    let keys: Vec<_> = addresses
        .iter()
        .map(|address| row! { ws: ws, key: email_key(address) })
        .collect();
    query(sql!(
        "SELECT a.external_id, e.campaign_id, a.enrollment_id, e.prospect_id, p.email AS prospect_email, e.state,
                a.account_id, a.step_index, m.subject, COALESCE(a.done_at, a.handed_out_at) AS sent_at
         FROM {rows $1}
         JOIN prospects p ON p.workspace_id = r.value->>'ws' AND p.email_key = r.value->>'key'
         JOIN enrollments e ON e.prospect_id = p.id
         JOIN actions a ON a.enrollment_id = e.id 
         LEFT JOIN messages m ON m.account_id = a.account_id AND m.direction = 'out' AND m.external_id = a.external_id
         WHERE a.state IN ('done', 'ambiguous', 'handed_out', 'retrying')
         ORDER BY CASE WHEN e.state IN ('replied', 'bounced', 'unsubscribed', 'stopped', 'failed', 'suppressed') THEN 2 WHEN e.state = 'completed' THEN 1 ELSE 0 END, COALESCE(a.done_at, a.handed_out_at) DESC, a.id DESC"
    ))
    .bind_json(&keys)
    .all(on)
    .await
}

/// An enrollment with the last step that went out for it.
pub async fn origin_of(
    on: &mut impl Read,
    ws: WorkspaceId,
    enrollment: EnrollmentId,
) -> Result<Option<Origin>> {
    query(sql!(
        "SELECT '' AS external_id, e.campaign_id, e.id AS enrollment_id, e.prospect_id, p.email AS prospect_email, e.state,
                e.account_id, (SELECT MAX(a.step_index) FROM actions a WHERE a.enrollment_id = e.id) AS step_index,
                CAST(NULL AS TEXT) AS subject, CAST(NULL AS BIGINT) AS sent_at
         FROM enrollments e JOIN prospects p ON p.id = e.prospect_id
         WHERE e.workspace_id = $1 AND e.id = $2"
    ))
    .bind(ws)
    .bind(enrollment)
    .optional(on)
    .await
}

/// Writes every classifier's verdicts on a message, in the order of its answer (CLS-4).
pub async fn insert_verdicts(
    tx: &mut Tx,
    ws: WorkspaceId,
    verdicts: &[(MessageId, &[Verdict])],
    at: Timestamp,
) -> Result<()> {
    let rows: Vec<_> = verdicts
        .iter()
        .flat_map(|(message, all)| all.iter().enumerate().map(move |one| (message, one)))
        .map(|(message, (place, verdict))| {
            row! {
                message: message,
                place: place,
                classifier: &verdict.classifier,
                label: &verdict.label,
                confidence: verdict.confidence,
                language: &verdict.language,
                evidence: &verdict.evidence,
                until_day: &verdict.until_day,
            }
        })
        .collect();
    query(sql!(
        "INSERT INTO verdicts (message_id, workspace_id, classifier, place, label, confidence, language, evidence, until_day, at)
         SELECT r.value->>'message', CAST($2 AS TEXT), r.value->>'classifier', CAST(r.value->>'place' AS BIGINT), r.value->>'label',
                CAST(r.value->>'confidence' AS DOUBLE PRECISION), r.value->>'language', r.value->'evidence',
                r.value->>'until_day', CAST($3 AS BIGINT)
         FROM {rows $1}"
    ))
    .bind_json(&rows)
    .bind(ws)
    .bind(at)
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes one more verdict on a message, a person's.
pub async fn add_verdict(
    tx: &mut Tx,
    ws: WorkspaceId,
    message: MessageId,
    verdict: &Verdict,
    at: Timestamp,
) -> Result<()> {
    query(sql!(
        "INSERT INTO verdicts (message_id, workspace_id, classifier, place, label, confidence, language, evidence, until_day, at)
         SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), COALESCE(MAX(v.place) + 1, 0), CAST($4 AS TEXT),
                CAST($5 AS DOUBLE PRECISION), CAST($6 AS TEXT), $7, CAST($8 AS TEXT), CAST($9 AS BIGINT)
         FROM verdicts v WHERE v.message_id = $1"
    ))
    .bind(message)
    .bind(ws)
    .bind(&verdict.classifier)
    .bind(verdict.label.name())
    .bind(verdict.confidence)
    .bind(verdict.language.clone())
    .bind_json(&verdict.evidence)
    .bind(verdict.until_day.clone())
    .bind(at)
    .execute(tx)
    .await?;
    Ok(())
}

/// Every verdict on a message, in the order in which they were given.
pub async fn list_verdicts(
    on: &mut impl Read,
    ws: WorkspaceId,
    message: MessageId,
) -> Result<Vec<Verdict>> {
    query(sql!(
        "SELECT classifier, label, confidence, language, evidence, until_day FROM verdicts
         WHERE workspace_id = $1 AND message_id = $2 ORDER BY place"
    ))
    .bind(ws)
    .bind(message)
    .all(on)
    .await
}

/// Sets what a message is taken for, and whose word that is.
pub async fn set_label(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: MessageId,
    label: Label,
    by: &str,
) -> Result<bool> {
    let n = query(sql!(
        "UPDATE messages SET label = $3, label_by = $4 WHERE workspace_id = $1 AND id = $2"
    ))
    .bind(ws)
    .bind(id)
    .bind(label.name())
    .bind(by)
    .execute(tx)
    .await?;
    Ok(n == 1)
}

const COLUMNS: &str = "SELECT id, workspace_id, channel, direction, account_id, campaign_id, enrollment_id, prospect_id, step_index, external_id, sender, recipient, subject, text, newest_text, html, attribution, label, label_by, at FROM messages";

/// One message.
pub async fn find(on: &mut impl Read, ws: WorkspaceId, id: MessageId) -> Result<Option<Message>> {
    query(sql!(COLUMNS))
        .push_bind(" WHERE workspace_id = ", ws)
        .push_bind(" AND id = ", id)
        .optional(on)
        .await
}

/// What only mail has of a message.
pub async fn find_mail(on: &mut impl Read, id: MessageId) -> Result<Option<MailMessage>> {
    query(sql!(
        "SELECT in_reply_to, reference_ids, folder, uid_validity, uid, links FROM mail_messages WHERE message_id = $1"
    ))
    .bind(id)
    .optional(on)
    .await
}

/// The subjects of mails that were sent, by their Message-IDs.
pub async fn sent_subjects(
    on: &mut impl Read,
    ws: WorkspaceId,
    external_ids: &[&str],
) -> Result<HashMap<String, String>> {
    if external_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<_> = external_ids
        .iter()
        .map(|id| row! { ws: ws, id: id })
        .collect();
    query(sql!(
        "SELECT m.external_id, m.subject FROM {rows $1}
         JOIN messages m ON m.workspace_id = r.value->>'ws' AND m.external_id = r.value->>'id' AND m.direction = 'out'"
    ))
    .bind_json(&rows)
    .rows(on)
    .await?
    .iter()
    .map(|row| Ok((row.text("external_id")?, row.text("subject")?)))
    .collect()
}

/// The messages of an enrollment in both directions, oldest first.
pub async fn list_by_enrollment(
    on: &mut impl Read,
    ws: WorkspaceId,
    enrollment: EnrollmentId,
) -> Result<Vec<Message>> {
    query(sql!(COLUMNS))
        .push_bind(" WHERE workspace_id = ", ws)
        .push_bind(" AND enrollment_id = ", enrollment)
        .push(" ORDER BY at, id")
        .all(on)
        .await
}

/// A page of the workspace's messages, oldest first, after `after`.
pub async fn list(
    on: &mut impl Read,
    ws: WorkspaceId,
    filter: &Filter,
    slice: &Slice<ByAge>,
) -> Result<Vec<Message>> {
    let mut page = query(sql!(COLUMNS)).push_bind(" WHERE workspace_id = ", ws);
    if let Some(direction) = filter.direction {
        page = page.push_bind(" AND direction = ", direction.name());
    }
    if let Some(label) = filter.label {
        page = page.push_bind(" AND label = ", label.name());
    }
    if let Some(account) = filter.account_id {
        page = page.push_bind(" AND account_id = ", account);
    }
    if let Some(campaign) = filter.campaign_id {
        page = page.push_bind(" AND campaign_id = ", campaign);
    }
    if let Some(prospect) = filter.prospect_id {
        page = page.push_bind(" AND prospect_id = ", prospect);
    }
    if let Some(since) = filter.since {
        page = page.push_bind(" AND at >= ", since);
    }
    if let Some(until) = filter.until {
        page = page.push_bind(" AND at < ", until);
    }
    page.slice("id", slice).all(on).await
}

/// What to list; empty fields don't filter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    pub direction: Option<Direction>,
    pub label: Option<Label>,
    pub account_id: Option<AccountId>,
    pub campaign_id: Option<CampaignId>,
    pub prospect_id: Option<ProspectId>,
    /// This moment or later.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}
