//! Accounts of a network: what happened there, attributed by the profiles that the host has written
//! to, and taken in like mail (LI-10).

use std::collections::{BTreeSet, HashSet};

use overture_domain::{
    Timestamp,
    accounts::{Account, AccountStatus},
    campaigns::StepKind,
    messages::Attribution,
    people::Actor,
};
use overture_mail::{inbound::Inbound, mime::Mailbox};
use overture_plugin_host::{AccountState, NetworkPage, NetworkProblem, NetworkSignal, Received};
use overture_store::{
    Tx,
    accounts::SyncDone,
    messages as store,
    profiles::{self, Sent},
};

use crate::{
    Env, Part, Result,
    mailboxes::status,
    networks,
    sends::{self, Accepted, Roomier},
};

use super::{
    arrivals::Arrival,
    attribution::Attributed,
    effects, judgement,
    sync::{self, Failed},
};

/// Reads an account that was claimed, page after page; each is saved with its cursor in one
/// transaction.
pub(super) async fn sync(env: &Env, mut account: Account) -> Result<()> {
    if let Err(failed) = connected(env, &mut account).await? {
        return sync::save_failure(env, &account, &failed).await;
    }
    let told = networks::told(&account);
    for page in 1..=sync::MAX_PAGES {
        let (ws, cursor) = (account.workspace_id, account.sync_cursor.as_deref());
        let networks = &env.networks;
        let answer = networks.sync(ws, &account.provider, &told, cursor).await;
        let taken = match answer {
            Ok(Ok(page)) => page,
            Ok(Err(problem)) => {
                return sync::save_failure(env, &account, &of_problem(env, &problem)).await;
            }
            Err(error) => {
                return sync::save_failure(env, &account, &sync::of_call(env, &error)).await;
            }
        };
        let more = taken.more;
        let next = match (more, page == sync::MAX_PAGES) {
            (true, false) => account.sync_due_at,
            (true, true) => env.now(),
            (false, _) => sync::next_look(env.now(), taken.check_again_at),
        };
        if !take(env, &mut account, taken, next).await? || !more {
            return Ok(());
        }
    }
    Ok(())
}

/// Asks after an account that is not connected (LI-2, LI-12): what its service says of it now is
/// its status.
async fn connected(env: &Env, account: &mut Account) -> Result<std::result::Result<(), Failed>> {
    if account.status == AccountStatus::Connected {
        return Ok(Ok(()));
    }
    let told = networks::told(account);
    let (ws, provider) = (account.workspace_id, account.provider.as_str());
    let state = match env.networks.check_status(ws, provider, &told).await {
        Ok(Ok(state)) => state,
        Ok(Err(problem)) => return Ok(Err(of_problem(env, &problem))),
        Err(error) => return Ok(Err(sync::of_call(env, &error))),
    };
    let mut tx = env.db.begin().await?;
    let reason = set_state(&mut tx, env, account, state).await?;
    tx.commit().await?;
    for part in [Part::Campaigns, Part::Sends, Part::Dispatch] {
        env.wakes.wake(part);
    }
    if account.status == AccountStatus::Connected {
        return Ok(Ok(()));
    }
    let code = account.status.name();
    Ok(Err(sync::failed(env, "auth", code, None, &reason)))
}

/// The status that the provider reports is the account's; its words.
async fn set_state(
    tx: &mut Tx,
    env: &Env,
    account: &mut Account,
    state: AccountState,
) -> Result<String> {
    let (to, reason) = networks::status_of(state);
    if account.status != to {
        if to == AccountStatus::Connected {
            let back = Roomier::Mailbox(account.id);
            sends::call_up_in(tx, env, account.workspace_id, back).await?;
        }
        let actor = Actor::Engine("LI-2");
        if status::set_in(tx, env, account, to, &reason, &actor).await? {
            account.status = to;
        }
    }
    Ok(reason)
}

/// Takes one page in. False when another host has read on from the same cursor: then nothing of
/// it is kept.
async fn take(
    env: &Env,
    account: &mut Account,
    page: NetworkPage,
    next: Timestamp,
) -> Result<bool> {
    let (mut accepted, mut received, mut states) = (Vec::new(), Vec::new(), Vec::new());
    for signal in page.signals {
        match signal {
            NetworkSignal::Accepted(one) => accepted.push((one.profile, one.at, "poll")),
            NetworkSignal::Message(one) => received.push(one),
            NetworkSignal::Status(state) => states.push(state),
        }
    }
    // A reply implies that the invitation was accepted (LI-10).
    accepted.extend((received.iter()).map(|one| (one.profile.clone(), one.at, "reply")));
    let profiles: BTreeSet<&str> = accepted.iter().map(|(who, ..)| who.as_str()).collect();
    let profiles: Vec<&str> = profiles.into_iter().collect();
    let (ws, channel) = (account.workspace_id, account.channel);
    let sent = profiles::sent_to(&mut env.db.reader(), ws, channel, &profiles).await?;
    let accepted: Vec<(&Sent, Accepted)> = accepted
        .iter()
        .filter_map(|(who, at, source)| {
            let invite = invite_to(&sent, who, account)?;
            let stamp = Accepted {
                invite: invite.action_id,
                at: *at,
                source,
            };
            Some((invite, stamp))
        })
        .collect();
    let messages = attribute(env, account, received, &sent).await?;
    let messages = judgement::judge(env, account, messages).await;

    let mut tx = env.db.begin().await?;
    if let Some(state) = states.pop() {
        set_state(&mut tx, env, account, state).await?;
    }
    let done = SyncDone {
        claimed: account,
        next,
        at: env.now(),
    };
    if !done.save(&mut tx, &page.cursor, &[]).await? {
        return Ok(false);
    }
    for (invite, stamp) in &accepted {
        sends::prove_in(&mut tx, env, ws, &[&invite.origin.external_id]).await?;
        sends::accepted_in(&mut tx, env, ws, stamp).await?;
    }
    effects::apply(&mut tx, env, account, messages).await?;
    tx.commit().await?;
    for part in [Part::Dispatch, Part::Campaigns, Part::Sends] {
        env.wakes.wake(part);
    }
    account.sync_cursor = Some(page.cursor);
    Ok(true)
}

/// The invitation that an acceptance answers: this account's own (LI-19).
fn invite_to<'a>(sent: &'a [Sent], profile: &str, account: &Account) -> Option<&'a Sent> {
    sent.iter().find(|sent| {
        sent.profile == profile
            && sent.kind == StepKind::SendInvite
            && sent.origin.account_id == Some(account.id)
    })
}

/// Whose messages are (TRK-3): whoever's profile was written to, from this account if it can be.
/// Those of nobody are left out, and those that are known.
async fn attribute(
    env: &Env,
    account: &Account,
    received: Vec<Received>,
    sent: &[Sent],
) -> Result<Vec<Attributed>> {
    let ids: Vec<&str> = received.iter().map(|one| one.id.as_str()).collect();
    let known: HashSet<String> = store::known(&mut env.db.reader(), account.id, &ids).await?;
    let attributed = |one: Received| {
        let of_profile = || sent.iter().filter(|sent| sent.profile == one.profile);
        let here = of_profile().find(|sent| sent.origin.account_id == Some(account.id));
        let origin = here.or_else(|| of_profile().next())?.origin.clone();
        Some(Attributed {
            arrival: arrival(one),
            origin,
            by: Attribution::Profile,
        })
    };
    Ok(received
        .into_iter()
        .filter(|one| !known.contains(&one.id))
        .filter_map(attributed)
        .collect())
}

/// A message as the inbox takes it: what only mail has stays empty.
fn arrival(message: Received) -> Arrival {
    let text = message.text.replace('\0', "");
    Arrival {
        external_id: message.id,
        mail: Inbound {
            from: Some(Mailbox {
                name: None,
                address: message.profile,
            }),
            date: Some(message.at),
            newest_text: text.clone(),
            text,
            ..Inbound::default()
        },
        received: Some(message.at),
        place: None,
    }
}

fn of_problem(env: &Env, problem: &NetworkProblem) -> Failed {
    let words = networks::words(problem);
    let (stage, code) = match problem {
        NetworkProblem::Auth(_) => ("auth", "disconnected"),
        NetworkProblem::Restricted(_) => ("auth", "restricted"),
        NetworkProblem::Limited(_) => ("fetch", "rate_limited"),
        NetworkProblem::Denied(_) => ("plugin", "denied"),
        NetworkProblem::Temporary(_) => ("fetch", "temporary"),
        NetworkProblem::NotFound(_)
        | NetworkProblem::NotConnected(_)
        | NetworkProblem::Unclear(_)
        | NetworkProblem::Rejected(_) => ("fetch", "protocol"),
    };
    sync::failed(env, stage, code, None, &words)
}
