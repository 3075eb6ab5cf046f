//! Search in all fields of prospects (PR-3; decision 15): which prospects may hold a text is told by
//! an index of the trigrams of their texts, whether one does by its text alone. So the index may say
//! too much, and what waits to come into it is looked through beside it: answers never depend on it.

use std::collections::BTreeSet;

use overture_domain::{
    ProspectId, WorkspaceId,
    prospects::{Prospect, search_key},
};
use serde_json::json;

use crate::{
    Read, Result, Tx,
    dialect::Dialect,
    query::{in_sizes, query, sql},
};

/// So many candidates are looked at one by one. A text of which there are more is common: then
/// reading the list in its order finds a page of it soon.
const MOST: i64 = 2_000;
/// Trigrams of a long text that are looked up.
const TRIGRAMS: usize = 48;

/// All fields as one folded text, each on a line; first and last name stand together.
pub(crate) fn text(prospect: &Prospect) -> String {
    let name = format!("{} {}", prospect.first_name, prospect.last_name);
    let fields = [
        &prospect.email,
        name.trim(),
        &prospect.company,
        &prospect.role,
        &prospect.phone,
        &prospect.linkedin_url,
        &prospect.website,
        &prospect.country,
        &prospect.city,
        &prospect.industry,
    ];
    let tags = prospect.tags.iter().map(String::as_str);
    let custom = prospect.custom.values().map(String::as_str);
    let mut text = String::new();
    for field in fields.into_iter().chain(tags).chain(custom) {
        if !field.is_empty() {
            text.push_str(&search_key(field));
            text.push('\n');
        }
    }
    text
}

/// Notes that the texts of prospects have changed, in the transaction of the change.
pub(crate) async fn queue(
    tx: &mut Tx,
    prospects: impl Iterator<Item = (ProspectId, WorkspaceId)>,
) -> Result<()> {
    let rows: Vec<_> = prospects.collect();
    for some in in_sizes(&rows) {
        query(sql!(
            "INSERT INTO search_queue (prospect_id, workspace_id) VALUES {values 2} ON CONFLICT DO NOTHING"
        ))
        .bind_rows(some.iter().map(|(id, ws)| [(*id).into(), (*ws).into()]))
        .execute(tx)
        .await?;
    }
    Ok(())
}

/// Whether prospects wait to come into the index.
pub async fn waits(on: &mut impl Read) -> Result<bool> {
    let rows = query(sql!("SELECT q.prospect_id FROM search_queue q LIMIT 1"))
        .rows(on)
        .await?;
    Ok(!rows.is_empty())
}

/// Brings at most `limit` prospects that wait into the index; how many.
pub async fn index(tx: &mut Tx, limit: i64) -> Result<usize> {
    let waiting = query(sql!(
        "SELECT q.workspace_id, q.prospect_id FROM search_queue q ORDER BY q.workspace_id, q.prospect_id LIMIT $1 {skip_locked}"
    ))
    .bind(limit)
    .rows(tx)
    .await?
    .iter()
    .map(|row| row.text("prospect_id"))
    .collect::<Result<Vec<_>>>()?;
    // A prospect that is being changed comes later: its change stands in the queue already.
    let texts = query(sql!(
        "SELECT p.id, p.workspace_id, p.search FROM prospects p WHERE p.id {among $1} {skip_locked}"
    ))
    .bind_ids(&waiting)
    .rows(tx)
    .await?;
    let mut rows = Vec::with_capacity(texts.len());
    for row in &texts {
        let text = row.text("search")?;
        let trigrams = match tx.dialect() {
            Dialect::Sqlite => String::new(),
            Dialect::Postgres => numbers(&trigrams(&text)),
        };
        let (id, ws) = (row.text("id")?, row.text("workspace_id")?);
        rows.push(json!({ "v": id, "ws": ws, "text": text, "trigrams": trigrams }));
    }
    query(sql!("{search_rows $1}"))
        .bind_json(&rows)
        .execute(tx)
        .await?;
    query(sql!("{search_index $1}"))
        .bind_json(&rows)
        .execute(tx)
        .await?;
    query(sql!(
        "DELETE FROM search_queue WHERE (workspace_id, prospect_id) IN (SELECT r.value->>'ws', r.value->>'v' FROM {rows $1})"
    ))
    .bind_json(&rows)
    .execute(tx)
    .await?;
    Ok(rows.len())
}

/// The ids of all prospects, of any workspace, whose texts may hold all of the `folded` texts; `None`
/// where they are too many, or the texts too short.
pub(crate) async fn candidates(
    on: &mut impl Read,
    ws: WorkspaceId,
    folded: &[String],
) -> Result<Option<Vec<String>>> {
    let trigrams: BTreeSet<_> = folded.iter().flat_map(|text| trigrams(text)).collect();
    let trigrams: BTreeSet<_> = trigrams.into_iter().take(TRIGRAMS).collect();
    if trigrams.is_empty() {
        return Ok(None);
    }
    // First those that wait: one that comes into the index meanwhile is found there.
    let waiting = query(sql!(
        "SELECT q.prospect_id AS id FROM search_queue q WHERE q.workspace_id = $1 LIMIT $2"
    ))
    .bind(ws)
    .bind(MOST + 1);
    let mut rows = waiting.rows(on).await?;
    let wanted = match on.dialect() {
        Dialect::Sqlite => phrases(&trigrams),
        Dialect::Postgres => numbers(&trigrams),
    };
    let found = query(sql!("SELECT i.id FROM {search_found $1} AS i LIMIT $2"));
    rows.extend(found.bind(wanted).bind(MOST + 1).rows(on).await?);
    if rows.len() as i64 > MOST {
        return Ok(None);
    }
    let ids: Result<BTreeSet<_>> = rows.iter().map(|row| row.text("id")).collect();
    Ok(Some(ids?.into_iter().collect()))
}

/// Every three characters that stand beside each other.
fn trigrams(text: &str) -> BTreeSet<String> {
    let chars: Vec<char> = text.chars().collect();
    chars
        .windows(3)
        .map(|three| three.iter().collect())
        .collect()
}

/// As SQLite's index is asked: all of them.
fn phrases(trigrams: &BTreeSet<String>) -> String {
    let quoted = trigrams
        .iter()
        .map(|trigram| format!("\"{}\"", trigram.replace('"', "\"\"")));
    quoted.collect::<Vec<_>>().join(" AND ")
}

/// As PostgreSQL's index holds them: FNV-1a of each. Two that have the same number cost a second look.
fn numbers(trigrams: &BTreeSet<String>) -> String {
    let number = |trigram: &String| {
        let hash = trigram.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        hash.cast_signed().to_string()
    };
    let numbers: Vec<_> = trigrams.iter().map(number).collect();
    format!("{{{}}}", numbers.join(","))
}
