//! Receivers of events: their settings and how well they answer.

use overture_domain::{Timestamp, WebhookId, WorkspaceId, webhooks::Webhook};
use serde_json::json;

use crate::{
    Read, Record, Result, Row, Tx,
    query::{query, sql},
};

impl Record for Webhook {
    const TABLE: &'static str = "webhooks";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            workspace_id: row.id("workspace_id")?,
            url: row.text("url")?,
            url_host: row.text("url_host")?,
            formatter: row.text("formatter")?,
            settings: row.json("settings")?,
            events: row.json("events")?,
            secret: row.text("secret")?,
            old_secret: row.opt_text("old_secret")?,
            old_secret_until: row.opt_time("old_secret_until")?,
            active: row.bool("active")?,
            disabled_reason: row.opt_text("disabled_reason")?,
            last_success_at: row.opt_time("last_success_at")?,
            last_failure_at: row.opt_time("last_failure_at")?,
            failures_in_a_row: row.int("failures_in_a_row")?,
            last_good_at: row.time("last_good_at")?,
            rest_until: row.opt_time("rest_until")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

/// A new webhook.
pub async fn insert(tx: &mut Tx, webhook: &Webhook) -> Result<()> {
    query(sql!(
        "INSERT INTO webhooks (id, workspace_id, url, url_host, formatter, settings, events, secret, active, last_good_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)"
    ))
    .bind(webhook.id)
    .bind(webhook.workspace_id)
    .bind(&webhook.url)
    .bind(&webhook.url_host)
    .bind(&webhook.formatter)
    .bind_json(&webhook.settings)
    .bind_json(&webhook.events)
    .bind(&webhook.secret)
    .bind(webhook.active)
    .bind(webhook.last_good_at)
    .bind(webhook.created_at)
    .execute(tx)
    .await?;
    Ok(())
}

const COLUMNS: &str = "SELECT id, workspace_id, url, url_host, formatter, settings, events, secret, old_secret, old_secret_until, active, disabled_reason, last_success_at, last_failure_at, failures_in_a_row, last_good_at, rest_until, created_at, updated_at FROM webhooks WHERE deleted_at IS NULL";

/// One webhook.
pub async fn find(on: &mut impl Read, ws: WorkspaceId, id: WebhookId) -> Result<Option<Webhook>> {
    query(sql!(COLUMNS))
        .push_bind(" AND workspace_id = ", ws)
        .push_bind(" AND id = ", id)
        .optional(on)
        .await
}

/// One webhook, locked until the transaction ends: for a change of what it was.
pub async fn lock(tx: &mut Tx, ws: WorkspaceId, id: WebhookId) -> Result<Option<Webhook>> {
    query(sql!(COLUMNS))
        .push_bind(" AND workspace_id = ", ws)
        .push_bind(" AND id = ", id)
        .push(" {for_update}")
        .optional(tx)
        .await
}

/// A page of the workspace's webhooks, oldest first, after `after`.
pub async fn list(
    on: &mut impl Read,
    ws: WorkspaceId,
    after: Option<WebhookId>,
    limit: i64,
) -> Result<Vec<Webhook>> {
    let mut page = query(sql!(COLUMNS)).push_bind(" AND workspace_id = ", ws);
    if let Some(after) = after {
        page = page.push_bind(" AND id > ", after);
    }
    page.push_bind(" ORDER BY id LIMIT ", limit).all(on).await
}

/// All webhooks of these workspaces, also paused ones: their deliveries wait.
pub async fn list_of(on: &mut impl Read, workspaces: &[WorkspaceId]) -> Result<Vec<Webhook>> {
    let ids: Vec<_> = workspaces.iter().map(|id| json!({"id": id})).collect();
    query(sql!(COLUMNS))
        .push_bind(
            " AND workspace_id IN (SELECT r.value->>'id' FROM {rows ",
            serde_json::Value::Array(ids),
        )
        .push("}) ORDER BY id")
        .all(on)
        .await
}

/// Writes what a person may change: URL, formatter, settings, events, and whether it is active.
/// A resumption begins with [`Webhook::last_good_at`], and without the rest that was asked for.
pub async fn update(tx: &mut Tx, webhook: &Webhook) -> Result<bool> {
    let changed = query(sql!(
        "UPDATE webhooks SET url = $3, url_host = $4, formatter = $5, settings = $6, events = $7,
             active = $8, disabled_reason = $9, last_good_at = $10, rest_until = $11, updated_at = $12
         WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL"
    ))
    .bind(webhook.workspace_id)
    .bind(webhook.id)
    .bind(&webhook.url)
    .bind(&webhook.url_host)
    .bind(&webhook.formatter)
    .bind_json(&webhook.settings)
    .bind_json(&webhook.events)
    .bind(webhook.active)
    .bind(webhook.disabled_reason.clone())
    .bind(webhook.last_good_at)
    .bind(webhook.rest_until)
    .bind(webhook.updated_at)
    .execute(tx)
    .await?;
    Ok(changed == 1)
}

/// A new sealed secret; the one before signs beside it until `old_until` (API-7).
pub async fn rotate_secret(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: WebhookId,
    secret: &str,
    old_until: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    let changed = query(sql!(
        "UPDATE webhooks SET old_secret = secret, old_secret_until = $4, secret = $3, updated_at = $5
         WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL"
    ))
    .bind(ws)
    .bind(id)
    .bind(secret)
    .bind(old_until)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(changed == 1)
}

/// Deletes a webhook; URL and secrets are wiped, its delivery log stays for its time. Deliveries
/// that wait are given up.
pub async fn delete(tx: &mut Tx, ws: WorkspaceId, id: WebhookId, now: Timestamp) -> Result<bool> {
    let changed = query(sql!(
        "UPDATE webhooks SET deleted_at = $3, active = FALSE, url = '', secret = '', old_secret = NULL
         WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL"
    ))
    .bind(ws)
    .bind(id)
    .bind(now)
    .execute(tx)
    .await?;
    query(sql!(
        "UPDATE deliveries SET state = 'dead', held_reason = 'the webhook was deleted', finished_at = $3
         WHERE workspace_id = $1 AND webhook_id = $2 AND state = 'pending'"
    ))
    .bind(ws)
    .bind(id)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(changed == 1)
}

/// Active webhooks without a success since `good_before` and with a dead letter since their last
/// one (API-8).
pub async fn list_hopeless(on: &mut impl Read, good_before: Timestamp) -> Result<Vec<Webhook>> {
    query(sql!(COLUMNS))
        .push_bind(" AND active AND last_good_at <= ", good_before)
        .push(
            " AND EXISTS (SELECT 1 FROM deliveries d WHERE d.webhook_id = webhooks.id AND d.state = 'dead'
                 AND d.finished_at > webhooks.last_good_at) ORDER BY id",
        )
        .all(on)
        .await
}

/// The product switches a webhook off, for a reason that people can read. False when it was off.
pub async fn disable(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: WebhookId,
    reason: &str,
    now: Timestamp,
) -> Result<bool> {
    let changed = query(sql!(
        "UPDATE webhooks SET active = FALSE, disabled_reason = $3, updated_at = $4
         WHERE workspace_id = $1 AND id = $2 AND active AND deleted_at IS NULL"
    ))
    .bind(ws)
    .bind(id)
    .bind(reason)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(changed == 1)
}
