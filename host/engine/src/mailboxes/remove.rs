//! Deleting a mailbox keeps everything that it did (MB-5).

use overture_domain::{AccountId, WorkspaceId, accounts::AccountStatus, people::Actor};
use overture_store::{accounts as store, accounts::StatusChange, enrollments};

use crate::{Env, Error, Part, Result};

use super::{get, status};

/// Deletes a mailbox: its credentials go, its sends, messages and history stay. Enrollments that
/// stuck to it go on from another mailbox of their campaign, an hour later.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(env: &Env, ws: WorkspaceId, id: AccountId, actor: &Actor) -> Result<()> {
    let account = get(env, ws, id).await?;
    let now = env.now();
    let mut tx = env.db.begin().await?;
    let (to, reason) = (AccountStatus::Disconnected, "deleted by hand");
    let changed = status::set_in(&mut tx, env, &account, to, reason, actor).await?;
    if !changed && account.status == to {
        // The audit has it all the same.
        let row = StatusChange {
            audit_id: env.id(),
            from: Some(to),
            to,
            reason: reason.to_owned(),
            actor: actor.to_string(),
            at: now,
        };
        store::set_status(&mut tx, ws, id, &row).await?;
    }
    enrollments::leave_account(&mut tx, ws, id, now).await?;
    if !store::delete(&mut tx, ws, id, now).await? {
        return Err(Error::NotFound("mailbox"));
    }
    tx.commit().await?;
    env.connections.forget(id);
    env.wakes.wake(Part::Sends);
    env.wakes.wake(Part::Campaigns);
    Ok(())
}
