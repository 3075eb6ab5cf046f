//! What was used of the caps (CAP-2): one row a civil day, or one a sixtieth of a sliding window.

pub mod heal;

use std::collections::BTreeMap;

use overture_domain::{
    Timestamp, WorkspaceId,
    caps::{Cap, Limit, Usage},
};

use crate::{
    Read, Result, Tx,
    query::{query, row, sql},
};

/// What counts under these limits at `now` or later.
pub async fn usage(
    on: &mut impl Read,
    ws: WorkspaceId,
    limits: &[Limit],
    now: Timestamp,
) -> Result<Usage> {
    let rows: Vec<_> = limits
        .iter()
        .map(|limit| row! { ws: ws, kind: limit.cap, subject: &limit.subject, from: limit.first_bucket(now) })
        .collect();
    // Hundreds of rows of four small fields: as one text they cost a third.
    let found = query(sql!(
        "SELECT {array u.kind, u.subject, u.bucket, u.used} AS found FROM {rows $1}
         JOIN cap_usage u ON u.workspace_id = r.value->>'ws' AND u.kind = r.value->>'kind' AND u.subject = r.value->>'subject'
          AND u.bucket >= CAST(r.value->>'from' AS BIGINT)"
    ))
    .bind_json(&rows)
    .rows(on)
    .await?;
    let mut usage = Usage::default();
    for row in &found {
        let counted: Vec<(Cap, String, i64, i64)> = row.array("found")?;
        for (cap, subject, bucket, used) in counted {
            usage.add(cap, &subject, bucket, used);
        }
    }
    Ok(usage)
}

/// One row of a cap and what is added to it; negative where a reservation is released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    pub cap: Cap,
    pub subject: String,
    pub bucket: i64,
    pub n: i64,
}

/// Reserves or releases (CAP-2). Whoever reserves holds the workspace's lock
/// ([`lock_workspace`](crate::people::lock_workspace)) since it read the usage. Nothing falls
/// below 0.
pub async fn add(tx: &mut Tx, ws: WorkspaceId, uses: &[Use]) -> Result<()> {
    if uses.is_empty() {
        return Ok(());
    }
    // Mails of a batch share most of their rows. Sorted, as they stand: two batches lock them in the
    // same order.
    let mut sums: BTreeMap<(&str, &str, i64), i64> = BTreeMap::new();
    for u in uses {
        *sums
            .entry((&u.subject, u.cap.name(), u.bucket))
            .or_default() += u.n;
    }
    let rows: Vec<_> = sums
        .into_iter()
        .map(|((subject, kind, bucket), n)| row! { kind: kind, subject: subject, bucket: bucket, n: n })
        .collect();
    query(sql!(
        "INSERT INTO cap_usage (workspace_id, kind, subject, bucket, used)
         SELECT $1, r.value->>'kind', r.value->>'subject', CAST(r.value->>'bucket' AS BIGINT), CAST(r.value->>'n' AS BIGINT)
         FROM {rows $2} WHERE TRUE
         ON CONFLICT (workspace_id, subject, kind, bucket)
         DO UPDATE SET used = CASE WHEN cap_usage.used + excluded.used < 0 THEN 0 ELSE cap_usage.used + excluded.used END"
    ))
    .bind(ws)
    .bind_json(&rows)
    .later(tx);
    Ok(())
}

/// Carries a daily cap over when its calendar moves to another zone: what was used on the old
/// zone's day counts on the new zone's too, so that no hour has a second quota (CAP-2).
pub async fn move_zone(
    tx: &mut Tx,
    ws: WorkspaceId,
    cap: Cap,
    subject: &str,
    from_bucket: i64,
    to_bucket: i64,
    now: Timestamp,
) -> Result<()> {
    if from_bucket != to_bucket {
        query(sql!(
            "INSERT INTO cap_usage (workspace_id, kind, subject, bucket, used)
             SELECT u.workspace_id, u.kind, u.subject, $5, u.used FROM cap_usage u
             WHERE u.workspace_id = $1 AND u.kind = $2 AND u.subject = $3 AND u.bucket = $4
             ON CONFLICT (workspace_id, subject, kind, bucket) DO UPDATE SET used = cap_usage.used + excluded.used"
        ))
        .bind(ws)
        .bind(cap.name())
        .bind(subject)
        .bind(from_bucket)
        .bind(to_bucket)
        .execute(tx)
        .await?;
    }
    query(sql!(
        "UPDATE cap_usage SET carried = used, carried_at = $5
         WHERE workspace_id = $1 AND kind = $2 AND subject = $3 AND bucket = $4"
    ))
    .bind(ws)
    .bind(cap.name())
    .bind(subject)
    .bind(to_bucket)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}
