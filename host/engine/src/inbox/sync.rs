//! Reading one account through its provider. No sync fails silently (MB-3).

use std::{sync::Arc, time::Duration};

use overture_domain::{
    Timestamp,
    accounts::{Account, AccountStatus, Channel, SyncError},
    people::Actor,
};
use overture_mail::Code;
use overture_plugin_host::{
    CallError, Problem, SyncPage,
    capabilities::mailbox::{Failure, Reply, Stage},
};
use overture_store::accounts::SyncDone;

use crate::{
    Env, Error, Part, Result,
    mailboxes::{Session, status},
    sends,
    sends::Roomier,
};

use super::{arrivals, attribution, effects, judgement, network, signals};

/// Pages that one sync takes before other mailboxes have their turn.
pub(super) const MAX_PAGES: usize = 20;

/// Between two looks into a mailbox whose provider asks for none (MB-8: polling).
const POLL: Duration = Duration::from_secs(5 * 60);

/// Never sooner than this after a look, whatever the provider asks for.
const SOONEST: Duration = Duration::from_secs(1);

/// Reads a mailbox that was claimed.
pub(super) async fn run(env: Env, account: Account) {
    if let Err(error) = sync(&env, account.clone()).await {
        tracing::error!(
            account.id = %account.id,
            %error,
            "a mailbox was read, but the outcome could not be saved; it is read again"
        );
    }
}

async fn sync(env: &Env, account: Account) -> Result<()> {
    match account.channel {
        Channel::Mail => mailbox(env, account).await,
        Channel::Linkedin => network::sync(env, account).await,
    }
}

async fn mailbox(env: &Env, mut account: Account) -> Result<()> {
    let session = match Session::open(env, &account).await {
        Ok(session) => Arc::new(session),
        Err(Error::Store(error)) => return Err(error.into()),
        Err(error) => return save_failure(env, &account, &unreadable(env, &error)).await,
    };
    let result = pages(env, &session, &mut account).await;
    session.close().await;
    let result = result?;
    let outcome = if result.is_ok() { "read" } else { "failed" };
    metrics::counter!("overture_mailbox_reads_total", "outcome" => outcome).increment(1);
    match result {
        Ok(()) => Ok(()),
        Err(failed) => save_failure(env, &account, &failed).await,
    }
}

/// Takes page after page; each is saved with its cursor in one transaction.
async fn pages(
    env: &Env,
    session: &Arc<Session>,
    account: &mut Account,
) -> Result<Result<(), Failed>> {
    for page in 1..=MAX_PAGES {
        let (ws, cursor) = (account.workspace_id, account.sync_cursor.as_deref());
        let answer = env
            .providers
            .sync(ws, &account.provider, session.clone(), cursor)
            .await;
        let taken = match answer {
            Ok(Ok(page)) => page,
            Ok(Err(problem)) => return Ok(Err(of_problem(env, problem, session.last_failure()))),
            Err(error) => return Ok(Err(of_call(env, &error))),
        };
        let more = taken.more;
        let next = match (more, page == MAX_PAGES) {
            (true, false) => account.sync_due_at,
            (true, true) => env.now(),
            (false, _) => next_look(env.now(), taken.check_again_at),
        };
        match take(env, session, account, taken, next).await? {
            Ok(true) if more => {}
            Ok(_) => return Ok(Ok(())),
            Err(failure) => return Ok(Err(of_failure(env, &failure))),
        }
    }
    Ok(Ok(()))
}

/// Takes one page in. False when another host has read on from the same cursor: then nothing of
/// it is kept.
async fn take(
    env: &Env,
    session: &Session,
    account: &mut Account,
    page: SyncPage,
    next: Timestamp,
) -> Result<Result<bool, Failure>> {
    let mails = match arrivals::fetch(session, page.mails).await {
        Ok(mails) => mails,
        Err(failure) => return Ok(Err(failure)),
    };
    let mails = attribution::attribute(env, account, mails).await?;
    let mails = judgement::judge(env, account, mails).await;
    let reports = signals::find(env, account, page.signals).await?;

    let mut tx = env.db.begin().await?;
    if account.status == AccountStatus::Disconnected {
        let back = Roomier::Mailbox(account.id);
        sends::call_up_in(&mut tx, env, account.workspace_id, back).await?;
    }
    let done = SyncDone {
        claimed: account,
        next,
        at: env.now(),
    };
    if !done.save(&mut tx, &page.cursor, &page.watch).await? {
        return Ok(Ok(false));
    }
    if account.status == AccountStatus::Disconnected {
        let actor = Actor::Engine("MB-3");
        let reason = "the server accepts the sign-in again";
        status::set_in(
            &mut tx,
            env,
            account,
            AccountStatus::Connected,
            reason,
            &actor,
        )
        .await?;
    }
    let any = !mails.is_empty() || !reports.is_empty();
    let reported = !reports.is_empty();
    effects::apply(&mut tx, env, account, mails).await?;
    signals::apply(&mut tx, env, account, reports).await?;
    tx.commit().await?;
    if any || reported || account.status == AccountStatus::Disconnected {
        env.wakes.wake(Part::Dispatch);
        env.wakes.wake(Part::Campaigns);
        env.wakes.wake(Part::Safety);
    }
    if reported {
        env.wakes.wake(Part::Tracking);
    }
    if any || account.status == AccountStatus::Disconnected {
        env.wakes.wake(Part::Sends);
    }
    if account.status == AccountStatus::Disconnected {
        account.status = AccountStatus::Connected;
    }
    account.sync_cursor = Some(page.cursor);
    Ok(Ok(true))
}

pub(super) fn next_look(now: Timestamp, asked: Option<Timestamp>) -> Timestamp {
    asked.unwrap_or(now + POLL).max(now + SOONEST)
}

/// A sync that failed: what is shown, and whether the server refused the sign-in for good.
pub(super) struct Failed {
    error: SyncError,
    auth_refused: bool,
}

pub(super) async fn save_failure(env: &Env, account: &Account, failed: &Failed) -> Result<()> {
    tracing::info!(
        account.id = %account.id,
        sync.stage = failed.error.stage,
        sync.code = failed.error.code,
        "a mailbox could not be read"
    );
    let now = env.now();
    let mut tx = env.db.begin().await?;
    let mut next = now + retry_in(now.since(account.synced_at.unwrap_or(account.created_at)));
    if failed.auth_refused {
        let reason = failed
            .error
            .reply
            .as_deref()
            .unwrap_or(&failed.error.detail);
        status::auth_refused_in(&mut tx, env, account, reason).await?;
        next = now + sign_in_again_in(account.auth_failures);
    }
    let done = SyncDone {
        claimed: account,
        next,
        at: now,
    };
    done.fail(&mut tx, &failed.error).await?;
    tx.commit().await?;
    if failed.auth_refused {
        env.wakes.wake(Part::Campaigns);
    }
    Ok(())
}

/// The longer it has not worked, the longer until the next try: from a minute to half an hour.
fn retry_in(since_success: Duration) -> Duration {
    (since_success / 4).clamp(Duration::from_secs(60), Duration::from_secs(30 * 60))
}

/// Trying a refused password again brings the account nearer to being locked: 5, 10, 20, 40
/// minutes, then every hour, ten times in all.
fn sign_in_again_in(failures_before: i64) -> Duration {
    let doublings = u32::try_from(failures_before.clamp(0, 4)).unwrap_or(4);
    Duration::from_secs((300 << doublings).min(3_600))
}

fn unreadable(env: &Env, error: &Error) -> Failed {
    failed(
        env,
        "auth",
        "credentials_unreadable",
        None,
        &error.to_string(),
    )
}

pub(super) fn of_call(env: &Env, error: &CallError) -> Failed {
    failed(env, "plugin", error.code(), None, &error.to_string())
}

fn of_failure(env: &Env, failure: &Failure) -> Failed {
    failed(
        env,
        stage_name(failure.stage),
        &failure.code,
        failure.reply.as_ref().map(words).as_deref(),
        &failure.detail,
    )
}

/// What the guest says; where it says only words, what the host saw itself.
fn of_problem(env: &Env, problem: Problem, seen: Option<Failure>) -> Failed {
    match problem {
        Problem::Auth(failure) => Failed {
            auth_refused: failure
                .code
                .parse()
                .is_ok_and(Code::is_definite_auth_failure),
            ..of_failure(env, &failure)
        },
        Problem::RateLimited(reply) => {
            let text = "the server asks for patience";
            failed(env, "fetch", "rate_limited", Some(&words(&reply)), text)
        }
        Problem::Temporary(detail) => match seen {
            Some(failure) => of_failure(env, &failure),
            None => failed(env, "fetch", "temporary", None, &detail),
        },
        Problem::Denied(detail) => failed(env, "plugin", "denied", None, &detail),
        Problem::RecipientRejected(reply) | Problem::PolicyRejected(reply) => failed(
            env,
            "fetch",
            "protocol",
            Some(&words(&reply)),
            "the server refused",
        ),
        Problem::Unclear(detail) => failed(env, "fetch", "protocol", None, &detail),
    }
}

pub(super) fn failed(
    env: &Env,
    stage: &str,
    code: &str,
    reply: Option<&str>,
    detail: &str,
) -> Failed {
    let clean = |text: &str| text.replace('\0', "").chars().take(500).collect::<String>();
    Failed {
        error: SyncError {
            stage: stage.to_owned(),
            code: clean(code),
            reply: reply.map(clean),
            detail: clean(detail),
            at: env.now(),
        },
        auth_refused: false,
    }
}

fn words(reply: &Reply) -> String {
    let codes = [
        reply.code.map(|code| code.to_string()),
        reply.enhanced.clone(),
    ];
    let parts: Vec<String> = codes
        .into_iter()
        .flatten()
        .chain([reply.text.clone()])
        .collect();
    parts.join(" ")
}

/// The words of MB-3.
fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Dns => "dns",
        Stage::Tcp => "tcp",
        Stage::Tls => "tls",
        Stage::Greeting => "greeting",
        Stage::Auth => "auth",
        Stage::Sender => "sender",
        Stage::Recipient => "recipient",
        Stage::Data => "data",
        Stage::Body => "body",
        Stage::Select => "select",
        Stage::Fetch => "fetch",
        Stage::Append => "append",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_grow_apart() {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        assert_eq!(retry_in(Duration::ZERO), minutes(1));
        assert_eq!(retry_in(minutes(40)), minutes(10));
        assert_eq!(retry_in(minutes(60 * 24)), minutes(30));
        let ladder: Vec<_> = (0..6).map(sign_in_again_in).collect();
        assert_eq!(ladder, [5, 10, 20, 40, 60, 60].map(minutes));
    }

    #[test]
    fn a_provider_can_ask_for_any_time_but_the_past() {
        let now = Timestamp::from_secs(1_000);
        assert_eq!(next_look(now, None), now + POLL);
        assert_eq!(
            next_look(now, Some(now + Duration::from_secs(9))),
            now + Duration::from_secs(9)
        );
        assert_eq!(next_look(now, Some(Timestamp::from_secs(1))), now + SOONEST);
    }
}
