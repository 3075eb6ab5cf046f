//! Which domains take mail, asked of the DNS once a domain for all workspaces, and what that means
//! for the prospects there (PR-7).

use std::collections::BTreeSet;

use overture_domain::{
    ProspectId, Timestamp, WorkspaceId, names,
    prospects::{NO_ADDRESS_DOMAIN, Prospect, email_domain},
};
use serde_json::json;

use crate::{
    Read, Result, Tx,
    query::{in_sizes, query, sql},
};

names! {
    /// What the DNS last said of a domain.
    Route {
        /// A mail server, or an address that takes its place (RFC 5321 §5.1).
        Found = "found",
        /// Neither MX nor A nor AAAA, or a null MX (RFC 7505).
        Missing = "no_mx",
    }
}

/// What is to be noted of a domain that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub domain: String,
    /// None where the DNS gave no answer: what was known stays.
    pub route: Option<Route>,
    pub next_check_at: Timestamp,
}

/// A domain of which not all prospects have its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    pub domain: String,
    pub route: Route,
    /// The number of the news, for [`settled`].
    pub number: i64,
}

/// Notes the domains of new prospects, in the transaction that adds them. One that is new is to be
/// checked at once; one that is known to take no mail has news.
pub(crate) async fn note(tx: &mut Tx, prospects: impl Iterator<Item = &Prospect>) -> Result<()> {
    // In one order, so that two who note the same don't wait in a circle.
    let domains: BTreeSet<String> = prospects
        .map(|prospect| email_domain(&prospect.email))
        .filter(|domain| domain != NO_ADDRESS_DOMAIN)
        .collect();
    let domains: Vec<String> = domains.into_iter().collect();
    for some in in_sizes(&domains) {
        query(sql!(
            "INSERT INTO mail_domains (domain) VALUES {values 1} ON CONFLICT DO NOTHING"
        ))
        .bind_rows(some.iter().map(|domain| [domain.into()]))
        .execute(tx)
        .await?;
    }
    if domains.is_empty() {
        return Ok(());
    }
    query(sql!(
        "UPDATE mail_domains SET news = news + 1
         WHERE route = 'no_mx' AND domain {among $1}"
    ))
    .bind_ids(&domains)
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes domains that are due at `now`, at most `limit`, out of turn until `until`: whoever took
/// them and died leaves them due then.
pub async fn claim(
    tx: &mut Tx,
    now: Timestamp,
    until: Timestamp,
    limit: i64,
) -> Result<Vec<(String, i64)>> {
    query(sql!(
        "UPDATE mail_domains SET next_check_at = $2 WHERE domain IN
             (SELECT d.domain FROM mail_domains d WHERE d.next_check_at <= $1 ORDER BY d.next_check_at, d.domain LIMIT $3 {skip_locked})
         RETURNING domain, failures"
    ))
    .bind(now)
    .bind(until)
    .bind(limit)
    .rows(tx)
    .await?
    .iter()
    .map(|row| Ok((row.text("domain")?, row.int("failures")?)))
    .collect()
}

/// Notes what was found. A domain that takes no mail, or takes some again, has news.
pub async fn record(tx: &mut Tx, checked: &[Checked], now: Timestamp) -> Result<()> {
    let rows: Vec<_> = checked
        .iter()
        .map(|one| json!({"v": one.domain, "route": one.route, "next": one.next_check_at.as_micros()}))
        .collect();
    query(sql!(
        "UPDATE mail_domains SET checked_at = $2, next_check_at = CAST(r.value->>'next' AS BIGINT),
             failures = CASE WHEN r.value->>'route' IS NULL THEN failures + 1 ELSE 0 END,
             news = CASE WHEN r.value->>'route' = 'no_mx' OR (r.value->>'route' = 'found' AND route = 'no_mx') THEN news + 1 ELSE news END,
             route = COALESCE(r.value->>'route', route)
         FROM {rows $1} WHERE mail_domains.domain = r.value->>'v'"
    ))
    .bind_json(&rows)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// When the next domain is due.
pub async fn next_check_at(on: &mut impl Read) -> Result<Option<Timestamp>> {
    let rows = query(sql!(
        "SELECT d.next_check_at FROM mail_domains d ORDER BY d.next_check_at LIMIT 1"
    ))
    .rows(on)
    .await?;
    rows.first()
        .map(|row| row.time("next_check_at"))
        .transpose()
}

/// Domains with news, at most `limit`.
pub async fn news(on: &mut impl Read, limit: i64) -> Result<Vec<News>> {
    query(sql!(
        "SELECT d.domain, d.route, d.news FROM mail_domains d WHERE d.news <> d.settled AND d.route IS NOT NULL ORDER BY d.domain LIMIT $1"
    ))
    .bind(limit)
    .rows(on)
    .await?
    .iter()
    .map(|row| {
        Ok(News {
            domain: row.text("domain")?,
            route: row.parsed("route")?,
            number: row.int("news")?,
        })
    })
    .collect()
}

/// Prospects of all workspaces, at most `limit`, whose status is not yet what the news of their
/// domain says. It goes through all prospects once, however many domains have news.
pub async fn unsettled(
    on: &mut impl Read,
    news: &[News],
    limit: i64,
) -> Result<Vec<(WorkspaceId, ProspectId, String)>> {
    let of = |route: Route| {
        let domains = news.iter().filter(move |one| one.route == route);
        domains.map(|one| &one.domain)
    };
    query(sql!(
        "SELECT p.workspace_id, p.id, {domain_of p.email_key} AS domain FROM prospects p
         WHERE (p.status = 'active' AND {domain_of p.email_key} {among $1})
            OR (p.status = 'invalid' AND p.status_reason = 'no_mx' AND {domain_of p.email_key} {among $2})
         LIMIT $3"
    ))
    .bind_ids(of(Route::Missing))
    .bind_ids(of(Route::Found))
    .bind(limit)
    .rows(on)
    .await?
    .iter()
    .map(|row| Ok((row.id("workspace_id")?, row.id("id")?, row.text("domain")?)))
    .collect()
}

/// All prospects of these domains have what this news says. News that came later stays.
pub async fn settled(tx: &mut Tx, news: &[News]) -> Result<()> {
    let rows: Vec<_> = news
        .iter()
        .map(|one| json!({"v": one.domain, "n": one.number}))
        .collect();
    query(sql!(
        "UPDATE mail_domains SET settled = CAST(r.value->>'n' AS BIGINT) FROM {rows $1} WHERE mail_domains.domain = r.value->>'v'"
    ))
    .bind_json(&rows)
    .execute(tx)
    .await?;
    Ok(())
}

/// Prospects of a domain that takes no mail are invalid for that reason, and active again when it
/// does; those with another status keep it. Those that changed.
pub async fn set_route(
    tx: &mut Tx,
    ws: WorkspaceId,
    ids: &[ProspectId],
    route: Route,
    now: Timestamp,
) -> Result<Vec<ProspectId>> {
    let set = match route {
        Route::Missing => query(sql!(
            "UPDATE prospects SET status = 'invalid', status_reason = 'no_mx', updated_at = $2
             WHERE workspace_id = $1 AND id {among $3} AND status = 'active' RETURNING id"
        )),
        Route::Found => query(sql!(
            "UPDATE prospects SET status = 'active', status_reason = '', updated_at = $2
             WHERE workspace_id = $1 AND id {among $3} AND status = 'invalid' AND status_reason = 'no_mx' RETURNING id"
        )),
    };
    set.bind(ws)
        .bind(now)
        .bind_ids(ids)
        .rows(tx)
        .await?
        .iter()
        .map(|row| row.id("id"))
        .collect()
}
