//! Where attempts and outcomes are committed. Every send passes here twice and nowhere else, so
//! that commits can be grouped across connections.

use overture_domain::enrollments::Attempt;
use overture_store::{Tx, actions};

use crate::{Env, Result};

/// Commits an attempt right before the body goes out (SAFE-3). False: it may not go out, because
/// the step was cancelled meanwhile or may have gone out before.
pub(super) async fn attempt(env: &Env, attempt: Attempt) -> Result<bool> {
    let mut tx = env.db.begin().await?;
    let allowed = actions::insert_attempts(&mut tx, &[attempt]).await?;
    tx.commit().await?;
    Ok(!allowed.is_empty())
}

/// Commits an outcome: whatever `write` makes of it, in one transaction.
pub(super) async fn outcome(
    env: &Env,
    write: impl AsyncFnOnce(&mut Tx) -> Result<()>,
) -> Result<()> {
    let mut tx = env.db.begin().await?;
    write(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}
