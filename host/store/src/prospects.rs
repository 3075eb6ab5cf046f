//! Prospects: unique by folded address in a workspace (PR-1).

mod addresses;

pub use addresses::{list_by_profiles, set_addresses};
pub use overture_domain::filters::Filter;

use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
};

use overture_domain::{
    ProspectId, Timestamp, WorkspaceId, names,
    prospects::{Prospect, ProspectStatus, email_key, search_key},
};
use serde_json::json;

use crate::{
    Database, Read, Record, Result, Row, Tx, mail_domains,
    query::{Query, Value, in_sizes, query, row, sql},
    search,
    slices::{self, Slice},
};

macro_rules! select {
    ($from:literal) => {
        concat!(
            "SELECT p.id, p.workspace_id, p.email, p.first_name, p.last_name, p.company, p.role, p.phone, p.linkedin_url, \
             p.website, p.country, p.city, p.industry, p.time_zone, p.tags, p.custom, p.source, p.status, p.status_reason, \
             p.last_replied_at, p.created_at, p.updated_at FROM ",
            $from
        )
    };
}
const COLUMNS: &str = select!("prospects p WHERE p.workspace_id = $1");

/// CROSS: SQLite takes the rows first.
const AMONG: &str = select!(
    "{rows $2} CROSS JOIN prospects p WHERE p.id = r.value->>'v' AND {also p.workspace_id = $1}"
);

const BY_ID: &str = select!(
    "{rows $1} CROSS JOIN prospects p WHERE p.id = r.value->>'v' AND {also p.workspace_id = r.value->>'ws'}"
);

const BY_KEY: &str = select!(
    "{rows $1} CROSS JOIN prospects p WHERE p.email_key = r.value->>'v' AND p.workspace_id = r.value->>'ws'"
);

impl Record for Prospect {
    const TABLE: &'static str = "prospects";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            workspace_id: row.id("workspace_id")?,
            email: row.text("email")?,
            first_name: row.text("first_name")?,
            last_name: row.text("last_name")?,
            company: row.text("company")?,
            role: row.text("role")?,
            phone: row.text("phone")?,
            linkedin_url: row.text("linkedin_url")?,
            website: row.text("website")?,
            country: row.text("country")?,
            city: row.text("city")?,
            industry: row.text("industry")?,
            time_zone: row.text("time_zone")?,
            tags: row.json("tags")?,
            custom: row.json("custom")?,
            source: row.text("source")?,
            status: row.parsed("status")?,
            status_reason: row.text("status_reason")?,
            last_replied_at: row.opt_time("last_replied_at")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

fn rows(prospects: &[Prospect]) -> Vec<serde_json::Value> {
    prospects
        .iter()
        .map(|prospect| {
            json!({
                "id": prospect.id,
                "workspace_id": prospect.workspace_id,
                "first_name": prospect.first_name,
                "last_name": prospect.last_name,
                "company": prospect.company,
                "role": prospect.role,
                "phone": prospect.phone,
                "linkedin_url": prospect.linkedin_url,
                "website": prospect.website,
                "country": prospect.country,
                "city": prospect.city,
                "industry": prospect.industry,
                "time_zone": prospect.time_zone,
                "tags": prospect.tags,
                "custom": prospect.custom,
                "search": search::text(prospect),
                "updated_at": prospect.updated_at.as_micros(),
            })
        })
        .collect()
}

/// Adds prospects; one whose address the workspace knows is left out. How many were added.
pub async fn insert(tx: &mut Tx, prospects: &[Prospect]) -> Result<u64> {
    Ok(add(tx, prospects).await?.len() as u64)
}

/// Adds prospects; one whose address the workspace knows is left out. Those that were added.
pub async fn add(tx: &mut Tx, prospects: &[impl Borrow<Prospect>]) -> Result<HashSet<ProspectId>> {
    let mut added = HashSet::with_capacity(prospects.len());
    for some in in_sizes(prospects) {
        let rows = query(sql!(
            "INSERT INTO prospects (id, workspace_id, email, email_key, first_name, last_name, company, role, phone, linkedin_url, website, country, city, industry, time_zone, tags, custom, source, status, search, created_at, updated_at)
             VALUES {values 22} ON CONFLICT (workspace_id, email_key) DO NOTHING RETURNING id"
        ))
        .bind_rows(some.iter().map(Borrow::borrow).map(values))
        .rows(tx)
        .await?;
        for row in rows {
            added.insert(row.id("id")?);
        }
    }
    let new = prospects.iter().map(Borrow::borrow);
    let new = new.filter(|prospect| added.contains(&prospect.id));
    mail_domains::note(tx, new.clone()).await?;
    search::queue(tx, new.map(|prospect| (prospect.id, prospect.workspace_id))).await?;
    Ok(added)
}

/// After many were added: has PostgreSQL count them. Of a workspace in a table that has grown it
/// believes that it has a handful, and goes through all of them for everyone who is looked up by
/// address.
pub async fn count_again(db: &Database) -> Result<()> {
    let mut tx = db.begin().await?;
    query(sql!("{count prospects (workspace_id)}"))
        .execute(&mut tx)
        .await?;
    tx.commit().await
}

fn values(prospect: &Prospect) -> [Value; 22] {
    [
        prospect.id.into(),
        prospect.workspace_id.into(),
        (&prospect.email).into(),
        email_key(&prospect.email).into(),
        (&prospect.first_name).into(),
        (&prospect.last_name).into(),
        (&prospect.company).into(),
        (&prospect.role).into(),
        (&prospect.phone).into(),
        (&prospect.linkedin_url).into(),
        (&prospect.website).into(),
        (&prospect.country).into(),
        (&prospect.city).into(),
        (&prospect.industry).into(),
        (&prospect.time_zone).into(),
        Value::json(&prospect.tags),
        Value::json(&prospect.custom),
        (&prospect.source).into(),
        prospect.status.name().into(),
        search::text(prospect).into(),
        prospect.created_at.into(),
        prospect.updated_at.into(),
    ]
}

/// Writes all fields of known prospects but address, source, status and history.
pub async fn update(tx: &mut Tx, prospects: &[Prospect]) -> Result<u64> {
    let updated = query(sql!(
        "UPDATE prospects SET first_name = r.value->>'first_name', last_name = r.value->>'last_name', company = r.value->>'company',
                role = r.value->>'role', phone = r.value->>'phone', linkedin_url = r.value->>'linkedin_url', website = r.value->>'website',
                country = r.value->>'country', city = r.value->>'city', industry = r.value->>'industry', time_zone = r.value->>'time_zone',
                tags = r.value->'tags', custom = r.value->'custom', search = r.value->>'search', updated_at = CAST(r.value->>'updated_at' AS BIGINT)
         FROM {rows $1} WHERE prospects.id = r.value->>'id' AND {also prospects.workspace_id = r.value->>'workspace_id'}"
    ))
    .bind_json(&rows(prospects))
    .execute(tx)
    .await?;
    let changed = prospects
        .iter()
        .map(|prospect| (prospect.id, prospect.workspace_id));
    search::queue(tx, changed).await?;
    Ok(updated)
}

/// One prospect.
pub async fn find(on: &mut impl Read, ws: WorkspaceId, id: ProspectId) -> Result<Option<Prospect>> {
    query(sql!(COLUMNS))
        .bind(ws)
        .push_bind(" AND p.id = ", id)
        .optional(on)
        .await
}

/// The prospects with these ids, in no order; unknown ids are left out.
pub async fn list_by_ids(
    on: &mut impl Read,
    ws: WorkspaceId,
    ids: &[ProspectId],
) -> Result<Vec<Prospect>> {
    let rows: Vec<_> = ids.iter().map(|id| json!({"ws": ws, "v": id})).collect();
    query(sql!(BY_ID)).bind_json(&rows).all(on).await
}

/// The same, which nobody else changes until the transaction ends.
pub async fn lock(tx: &mut Tx, ws: WorkspaceId, ids: &[ProspectId]) -> Result<Vec<Prospect>> {
    query(sql!(COLUMNS))
        .bind(ws)
        // In one order, so that two who lock the same don't wait in a circle.
        .push(" AND p.id {among $2} ORDER BY p.id {for_update}")
        .bind_ids(ids)
        .all(tx)
        .await
}

/// The known prospects among these addresses, in any spelling.
pub async fn list_by_emails(
    on: &mut impl Read,
    ws: WorkspaceId,
    emails: &[String],
) -> Result<Vec<Prospect>> {
    let keys: BTreeSet<_> = emails.iter().map(|email| email_key(email)).collect();
    let rows: Vec<_> = keys.iter().map(|key| row! { ws: ws, v: key }).collect();
    query(sql!(BY_KEY)).bind_json(&rows).all(on).await
}

/// The prospects whose address is at one of these domains.
pub async fn list_by_domains(
    on: &mut impl Read,
    ws: WorkspaceId,
    domains: &[String],
) -> Result<Vec<Prospect>> {
    let patterns: Vec<_> = domains
        .iter()
        .map(|domain| json!({ "v": format!("%@{}", like_literal(&email_key(domain))) }))
        .collect();
    query(sql!(COLUMNS))
        .bind(ws)
        .push(" AND EXISTS (SELECT 1 FROM {rows $2} WHERE p.email_key LIKE r.value->>'v' ESCAPE '\\')")
        .bind_json(&patterns)
        .all(on)
        .await
}

/// A text that LIKE takes word for word, with `\` as its escape.
pub(crate) fn like_literal(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_")
}

names! {
    /// What lists of prospects can be sorted by.
    Sort { CreatedAt = "createdAt", Email = "email" }
}

impl slices::Sort for Sort {
    const DEFAULT: Self = Self::CreatedAt;

    fn column(self) -> Option<&'static str> {
        match self {
            Self::CreatedAt => None,
            Self::Email => Some("p.email_key"),
        }
    }
}

/// What stands in the folded text of whoever a filter lets through.
fn folded(filter: &Filter) -> Vec<String> {
    let at_domain = filter.domain.iter().map(|domain| format!("@{domain}"));
    let all = filter
        .search
        .iter()
        .chain(&filter.tag)
        .cloned()
        .chain(at_domain);
    all.map(|text| search_key(&text)).collect()
}

fn filtered(mut page: Query, filter: &Filter) -> Query {
    if let Some(email) = &filter.email {
        page = page.push_bind(" AND p.email_key = ", email_key(email));
    }
    if let Some(status) = filter.status {
        page = page.push_bind(" AND p.status = ", status.name());
        if status != ProspectStatus::Active {
            // As the index says it.
            page = page.push(" AND p.status <> 'active'");
        }
    }
    if let Some(list) = filter.list_id {
        page = page
            .push_bind(
                " AND p.id IN (SELECT m.prospect_id FROM list_members m WHERE m.list_id = ",
                list,
            )
            .push(" AND m.workspace_id = $1)");
    }
    if let Some(campaign) = filter.campaign_id {
        page = page
            .push_bind(
                " AND p.id IN (SELECT e.prospect_id FROM enrollments e WHERE e.campaign_id = ",
                campaign,
            )
            .push(" AND e.workspace_id = $1)");
    }
    if let Some(tag) = &filter.tag {
        page = page.push_bind(" AND {tagged ", tag).push("}");
    }
    let like = |page: Query, column, pattern| page.push_bind(column, pattern).push(" ESCAPE '\\'");
    if let Some(domain) = &filter.domain {
        let pattern = format!("%@{}", like_literal(&email_key(domain)));
        page = like(page, " AND p.email_key LIKE ", pattern);
    }
    if let Some(search) = &filter.search {
        let pattern = format!("%{}%", like_literal(&search_key(search)));
        page = like(page, " AND p.search LIKE ", pattern);
    }
    page
}

/// A page of prospects.
pub async fn list(
    on: &mut impl Read,
    ws: WorkspaceId,
    filter: &Filter,
    slice: &Slice<Sort>,
) -> Result<Vec<Prospect>> {
    let page = match search::candidates(on, ws, &folded(filter)).await? {
        None => query(sql!(COLUMNS)).bind(ws),
        Some(ids) => {
            let ids: Vec<_> = ids.iter().map(|id| json!({ "v": id })).collect();
            query(sql!(AMONG)).bind(ws).bind_json(&ids)
        }
    };
    filtered(page, filter).slice("p.id", slice).all(on).await
}

/// Sets the status of prospects; those that have it, or that a stronger one holds (a person's
/// do_not_contact, an unsubscribe against a bounce), keep theirs.
pub async fn set_status(
    tx: &mut Tx,
    ws: WorkspaceId,
    ids: &[ProspectId],
    status: ProspectStatus,
    now: Timestamp,
) -> Result<u64> {
    let set = query(sql!(
        "UPDATE prospects SET status = $2, status_reason = '', updated_at = $3
         WHERE workspace_id = $1 AND id {among $4} AND status <> $2 AND status <> 'do_not_contact'"
    ))
    .bind(ws)
    .bind(status.name())
    .bind(now)
    .bind_ids(ids);
    let set = match status {
        ProspectStatus::Active | ProspectStatus::DoNotContact | ProspectStatus::Unsubscribed => set,
        _ => set.push(" AND status <> 'unsubscribed'"),
    };
    set.execute(tx).await
}

/// Takes prospects from one of these statuses to another; those that changed.
pub async fn change_status(
    tx: &mut Tx,
    ws: WorkspaceId,
    ids: &[ProspectId],
    (from, to): (&[ProspectStatus], ProspectStatus),
    now: Timestamp,
) -> Result<Vec<ProspectId>> {
    query(sql!(
        "UPDATE prospects SET status = $2, status_reason = '', updated_at = $3
         WHERE workspace_id = $1 AND id {among $4} AND status {among $5} RETURNING id"
    ))
    .bind(ws)
    .bind(to.name())
    .bind(now)
    .bind_ids(ids)
    .bind_ids(from)
    .rows(tx)
    .await?
    .iter()
    .map(|row| row.id("id"))
    .collect()
}

/// When prospects were last contacted, of those who were (PR-4): their actions tell, in whatever
/// campaigns.
pub async fn last_contacted(
    on: &mut impl Read,
    ws: WorkspaceId,
    ids: &[ProspectId],
) -> Result<HashMap<ProspectId, Timestamp>> {
    let rows: Vec<_> = ids.iter().map(|id| row! { ws: ws, v: id }).collect();
    query(sql!(
        "SELECT e.prospect_id, MAX(a.done_at) AS at
         FROM {rows $1} CROSS JOIN enrollments e CROSS JOIN actions a
         WHERE e.prospect_id = r.value->>'v' AND {also e.workspace_id = r.value->>'ws'}
           AND a.enrollment_id = e.id AND a.done_at IS NOT NULL AND a.kind <> 'wait_accept'
         GROUP BY e.prospect_id"
    ))
    .bind_json(&rows)
    .rows(on)
    .await?
    .iter()
    .map(|row| Ok((row.id("prospect_id")?, row.time("at")?)))
    .collect()
}

/// Notes when prospects last replied (PR-4).
pub async fn set_replied(
    tx: &mut Tx,
    ws: WorkspaceId,
    ids: &[ProspectId],
    at: Timestamp,
) -> Result<()> {
    query(sql!(
        "UPDATE prospects SET last_replied_at = $2 WHERE workspace_id = $1 AND id {among $3}"
    ))
    .bind(ws)
    .bind(at)
    .bind_ids(ids)
    .execute(tx)
    .await?;
    Ok(())
}

/// The custom fields that prospects of the workspace have, each with how many have it (SEQ-6
/// names those that exist).
pub async fn custom_fields(on: &mut impl Read, ws: WorkspaceId) -> Result<BTreeMap<String, i64>> {
    query(sql!(
        "SELECT f.key AS name, COUNT(*) AS n FROM prospects p, {fields p.custom} WHERE p.workspace_id = $1 GROUP BY f.key"
    ))
    .bind(ws)
    .rows(on)
    .await?
    .iter()
    .map(|row| Ok((row.text("name")?, row.int("n")?)))
    .collect()
}
