//! Under which address people are kept, and who has which profile (PR-1).

use overture_domain::{
    WorkspaceId,
    prospects::{Prospect, email_key},
};
use serde_json::json;

use crate::{
    Read, Result, Tx, mail_domains,
    query::{query, sql},
};

use super::COLUMNS;

/// The prospects with these profiles, as `linkedin::profile_url` writes them, oldest first.
pub async fn list_by_profiles(
    on: &mut impl Read,
    ws: WorkspaceId,
    profiles: &[String],
) -> Result<Vec<Prospect>> {
    query(sql!(COLUMNS))
        .bind(ws)
        // As the index says it.
        .push(" AND p.linkedin_url <> '' AND p.linkedin_url {among $2} ORDER BY p.id")
        .bind_ids(profiles)
        .all(on)
        .await
}

/// Keeps prospects under the addresses that their records have now; [`update`](super::update)
/// comes after it, for what is found by the search.
///
/// # Errors
/// [`Error::Unique`](crate::Error::Unique) where another prospect has one of them.
pub async fn set_addresses(tx: &mut Tx, prospects: &[Prospect]) -> Result<()> {
    let rows: Vec<_> = prospects
        .iter()
        .map(|prospect| {
            json!({
                "ws": prospect.workspace_id,
                "id": prospect.id,
                "email": prospect.email,
                "key": email_key(&prospect.email),
            })
        })
        .collect();
    query(sql!(
        "UPDATE prospects SET email = r.value->>'email', email_key = r.value->>'key'
         FROM {rows $1} WHERE prospects.workspace_id = r.value->>'ws' AND prospects.id = r.value->>'id'"
    ))
    .bind_json(&rows)
    .execute(tx)
    .await?;
    mail_domains::note(tx, prospects.iter()).await
}
