//! Deleting a mailbox keeps everything that it did (MB-5).

use overture_domain::{
    AccountId, WorkspaceId,
    accounts::{AccountStatus, Channel},
    people::Actor,
};
use overture_store::{accounts as store, accounts::StatusChange, enrollments};

use crate::{Env, Error, Part, Result};

use super::status;

/// Deletes a mailbox: its credentials go, its sends, messages and history stay. Enrollments that
/// stuck to it go on from another mailbox of their campaign, an hour later.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(env: &Env, ws: WorkspaceId, id: AccountId, actor: &Actor) -> Result<()> {
    let now = env.now();
    let mut tx = env.db.begin().await?;
    let account = store::lock(&mut tx, ws, id)
        .await?
        .filter(|account| account.channel == Channel::Mail)
        .ok_or(Error::NotFound("mailbox"))?;
    let (to, reason) = (AccountStatus::Disconnected, "deleted by hand");
    if !status::set_in(&mut tx, env, &account, to, reason, actor).await? {
        // It is disconnected already: the audit has it all the same.
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
    store::delete(&mut tx, ws, id, now).await?;
    tx.commit().await?;
    env.connections.forget(id);
    env.wakes.wake(Part::Sends);
    env.wakes.wake(Part::Campaigns);
    Ok(())
}
