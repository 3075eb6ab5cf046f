//! The status of a mailbox: every change with its audit row and its event, in one transaction
//! (MB-3, SAFE-4).

use overture_domain::{
    AccountId, WorkspaceId,
    accounts::{Account, AccountStatus, Channel},
    events::{Event, EventKind},
    people::Actor,
};
use overture_store::{Tx, accounts as store, accounts::StatusChange, events};
use serde_json::json;

use crate::{Env, Error, Part, Result, campaigns, sends, sends::Roomier};

use super::get;

/// Changes the status in the caller's transaction. False, and nothing written, when the account
/// has another status than `account` says, or has this one already. When it connects, the caller
/// calls up who waits for it ([`sends::call_up_in`]) first in the transaction, and wakes
/// [`Part::Sends`] and [`Part::Inboxes`] after the commit.
///
/// # Errors
/// Only the store's.
pub async fn set_in(
    tx: &mut Tx,
    env: &Env,
    account: &Account,
    to: AccountStatus,
    reason: &str,
    actor: &Actor,
) -> Result<bool> {
    if account.status == to {
        return Ok(false);
    }
    let change = StatusChange {
        audit_id: env.id(),
        from: Some(account.status),
        to,
        reason: reason.to_owned(),
        actor: actor.to_string(),
        at: env.now(),
    };
    let (ws, id) = (account.workspace_id, account.id);
    if !store::set_status(tx, ws, id, &change).await? {
        return Ok(false);
    }
    events::insert(
        tx,
        &[changed(env, account, Some(account.status), to, reason)],
    )
    .await?;
    if account.channel == Channel::Linkedin {
        // LI-2
        let account = account.id;
        match to {
            AccountStatus::Connected => campaigns::lift_in(tx, env, ws, account, actor).await?,
            AccountStatus::Disconnected | AccountStatus::NeedsVerification => {
                campaigns::hold_in(tx, env, ws, account, reason, actor).await?;
            }
            _ => {}
        }
    }
    Ok(true)
}

/// The event that tells of a status change.
pub(crate) fn changed(
    env: &Env,
    account: &Account,
    from: Option<AccountStatus>,
    to: AccountStatus,
    reason: &str,
) -> Event {
    Event {
        id: env.id(),
        workspace_id: account.workspace_id,
        kind: EventKind::AccountStatusChanged,
        channel: Some(account.channel),
        campaign_id: None,
        enrollment_id: None,
        prospect_id: None,
        account_id: Some(account.id),
        occurred_at: env.now(),
        dedup_key: None,
        data: json!({
            "accountId": account.id,
            "address": account.address,
            "from": from,
            "to": to,
            "reason": reason,
        }),
    }
}

/// A server refused the sign-in for good: counted, and disconnected at once. A sync tries again
/// by itself until it was refused ten times in a row; then only a person connects it (MB-3,
/// SAF-3).
///
/// # Errors
/// Only the store's.
pub async fn auth_refused_in(
    tx: &mut Tx,
    env: &Env,
    account: &Account,
    reason: &str,
) -> Result<()> {
    store::add_auth_failure(tx, account.workspace_id, account.id).await?;
    // Whatever comes of the transaction: it would not sign in again.
    env.connections.forget(account.id);
    let actor = Actor::Engine("MB-3");
    set_in(
        tx,
        env,
        account,
        AccountStatus::Disconnected,
        reason,
        &actor,
    )
    .await?;
    Ok(())
}

/// A sign-in worked again: what was disconnected or in error is connected, its sync is due now and
/// its sends go on at their pace (MB-11). A paused mailbox stays paused.
///
/// # Errors
/// Only the store's.
pub async fn connect_again(
    env: &Env,
    account: &Account,
    reason: &str,
    actor: &Actor,
) -> Result<()> {
    let mut tx = env.db.begin().await?;
    let back = Roomier::Mailbox(account.id);
    sends::call_up_in(&mut tx, env, account.workspace_id, back).await?;
    connect_again_in(&mut tx, env, account, reason, actor).await?;
    tx.commit().await?;
    env.wakes.wake(Part::Inboxes);
    env.wakes.wake(Part::Sends);
    Ok(())
}

/// The same in the caller's transaction, which has called up who waits for the mailbox.
pub(super) async fn connect_again_in(
    tx: &mut Tx,
    env: &Env,
    account: &Account,
    reason: &str,
    actor: &Actor,
) -> Result<()> {
    let (ws, id) = (account.workspace_id, account.id);
    store::clear_auth_failures(tx, ws, id).await?;
    if account.status != AccountStatus::Paused {
        set_in(tx, env, account, AccountStatus::Connected, reason, actor).await?;
    }
    store::request_sync(tx, ws, id, env.now()).await?;
    Ok(())
}

/// A person pauses a mailbox: it neither sends nor is read.
///
/// # Errors
/// [`Error::NotFound`], [`Error::InvalidStatus`] when it is not connected.
pub async fn pause(env: &Env, ws: WorkspaceId, id: AccountId, actor: &Actor) -> Result<Account> {
    let from = [AccountStatus::Connected];
    by_hand(
        env,
        ws,
        id,
        &from,
        AccountStatus::Paused,
        "paused by hand",
        actor,
    )
    .await
}

/// A person resumes a paused mailbox.
///
/// # Errors
/// [`Error::NotFound`], [`Error::InvalidStatus`] when it is not paused.
pub async fn resume(env: &Env, ws: WorkspaceId, id: AccountId, actor: &Actor) -> Result<Account> {
    let from = [AccountStatus::Paused];
    by_hand(
        env,
        ws,
        id,
        &from,
        AccountStatus::Connected,
        "resumed by hand",
        actor,
    )
    .await
}

/// Why a mailbox is disconnected that a person has disconnected.
pub(crate) const BY_HAND: &str = "disconnected by hand";

/// A person disconnects a mailbox; a passing test connects it again.
///
/// # Errors
/// [`Error::NotFound`], [`Error::InvalidStatus`] when it is disconnected already.
pub async fn disconnect(
    env: &Env,
    ws: WorkspaceId,
    id: AccountId,
    actor: &Actor,
) -> Result<Account> {
    let from = [
        AccountStatus::Connected,
        AccountStatus::Paused,
        AccountStatus::Error,
    ];
    by_hand(
        env,
        ws,
        id,
        &from,
        AccountStatus::Disconnected,
        BY_HAND,
        actor,
    )
    .await
}

async fn by_hand(
    env: &Env,
    ws: WorkspaceId,
    id: AccountId,
    from: &[AccountStatus],
    to: AccountStatus,
    reason: &str,
    actor: &Actor,
) -> Result<Account> {
    let account = get(env, ws, id).await?;
    if !from.contains(&account.status) {
        let message = format!("the mailbox is {}, so it can't become {to}", account.status);
        return Err(Error::InvalidStatus {
            message,
            details: Vec::new(),
        });
    }
    let mut tx = env.db.begin().await?;
    if to == AccountStatus::Connected {
        sends::call_up_in(&mut tx, env, ws, Roomier::Mailbox(id)).await?;
    }
    if !set_in(&mut tx, env, &account, to, reason, actor).await? {
        let message = "the mailbox has changed meanwhile: look at it and try again";
        return Err(Error::Conflict(message.to_owned()));
    }
    // Tried again by itself is only what a server refused.
    store::clear_auth_failures(&mut tx, ws, id).await?;
    if to == AccountStatus::Connected {
        store::request_sync(&mut tx, ws, id, env.now()).await?;
    }
    tx.commit().await?;
    if to != AccountStatus::Connected {
        env.connections.forget(id);
    }
    env.wakes.wake(Part::Inboxes);
    env.wakes.wake(Part::Sends);
    get(env, ws, id).await
}
