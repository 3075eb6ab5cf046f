//! The index of the search in prospects follows their changes (PR-3). Answers don't wait for it.

use std::time::Duration;

use overture_store::search as store;

use crate::{Due, Env, Result};

/// Prospects a transaction.
const BATCH: i64 = 500;

/// Between two looks at a queue that was empty. All of it on real time.
const LOOK: Duration = Duration::from_secs(1);

/// Brings waiting prospects into the index.
///
/// # Errors
/// Only the store's.
pub(crate) async fn tick(env: &Env) -> Result<Due> {
    if store::waits(&mut env.db.reader()).await? {
        let mut tx = env.db.begin().await?;
        let indexed = store::index(&mut tx, BATCH).await?;
        tx.commit().await?;
        if indexed as i64 == BATCH {
            return Ok(Due::Now);
        }
    }
    Ok(Due::At(env.real.now() + LOOK))
}
