//! Every sealed text in the database, for the rotation of the master key (OPS-4).

use overture_domain::{AccountId, WebhookId, WorkspaceId};
use serde_json::json;

use crate::{
    Read, Result, Row, Tx,
    query::{query, sql},
};

/// The sealed texts of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedWebhook {
    pub workspace_id: WorkspaceId,
    pub id: WebhookId,
    pub url: String,
    pub secret: String,
    pub old_secret: Option<String>,
}

/// A text in a table where a row has one, and its key there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed<K> {
    pub workspace_id: WorkspaceId,
    pub key: K,
    pub text: String,
}

/// The credentials of all accounts that have some.
pub async fn credentials(on: &mut impl Read) -> Result<Vec<Sealed<AccountId>>> {
    let rows = query(sql!(
        "SELECT id, workspace_id, credentials FROM sending_accounts WHERE credentials IS NOT NULL ORDER BY id"
    ));
    let read = |row: &Row| {
        Ok(Sealed {
            workspace_id: row.id("workspace_id")?,
            key: row.id("id")?,
            text: row.text("credentials")?,
        })
    };
    rows.rows(on).await?.iter().map(read).collect()
}

/// Writes credentials sealed anew.
pub async fn set_credentials(tx: &mut Tx, sealed: &[Sealed<AccountId>]) -> Result<u64> {
    let rows: Vec<_> = sealed
        .iter()
        .map(|one| json!({"id": one.key, "text": one.text}))
        .collect();
    query(sql!(
        "UPDATE sending_accounts SET credentials = r.value->>'text' FROM {rows $1} WHERE sending_accounts.id = r.value->>'id'"
    ))
    .bind_json(&rows)
    .execute(tx)
    .await
}

/// URL and secrets of all webhooks; those of a deleted one are gone.
pub async fn webhooks(on: &mut impl Read) -> Result<Vec<SealedWebhook>> {
    let rows = query(sql!(
        "SELECT id, workspace_id, url, secret, old_secret FROM webhooks WHERE deleted_at IS NULL ORDER BY id"
    ));
    let read = |row: &Row| {
        Ok(SealedWebhook {
            workspace_id: row.id("workspace_id")?,
            id: row.id("id")?,
            url: row.text("url")?,
            secret: row.text("secret")?,
            old_secret: row.opt_text("old_secret")?,
        })
    };
    rows.rows(on).await?.iter().map(read).collect()
}

/// Writes URL and secrets of webhooks sealed anew.
pub async fn set_webhooks(tx: &mut Tx, sealed: &[SealedWebhook]) -> Result<u64> {
    let rows: Vec<_> = sealed
        .iter()
        .map(|one| json!({"id": one.id, "url": one.url, "secret": one.secret, "old": one.old_secret}))
        .collect();
    query(sql!(
        "UPDATE webhooks SET url = r.value->>'url', secret = r.value->>'secret', old_secret = r.value->>'old'
         FROM {rows $1} WHERE webhooks.id = r.value->>'id'"
    ))
    .bind_json(&rows)
    .execute(tx)
    .await
}

/// Answers that are kept for their idempotency keys.
pub async fn answers(on: &mut impl Read) -> Result<Vec<Sealed<String>>> {
    let rows = query(sql!(
        "SELECT workspace_id, key, answer FROM idempotency_keys WHERE answer IS NOT NULL ORDER BY workspace_id, key"
    ));
    let read = |row: &Row| {
        Ok(Sealed {
            workspace_id: row.id("workspace_id")?,
            key: row.text("key")?,
            text: row.text("answer")?,
        })
    };
    rows.rows(on).await?.iter().map(read).collect()
}

/// Writes answers sealed anew.
pub async fn set_answers(tx: &mut Tx, sealed: &[Sealed<String>]) -> Result<u64> {
    let rows: Vec<_> = sealed
        .iter()
        .map(|one| json!({"ws": one.workspace_id, "key": one.key, "text": one.text}))
        .collect();
    query(sql!(
        "UPDATE idempotency_keys SET answer = r.value->>'text' FROM {rows $1}
         WHERE idempotency_keys.workspace_id = r.value->>'ws' AND idempotency_keys.key = r.value->>'key'"
    ))
    .bind_json(&rows)
    .execute(tx)
    .await
}
