//! Evidence on mails that may have gone out (SAFE-3): where a mailbox's server files what it sends,
//! the mail is looked for by its Message-ID. Found, it went out; absent after the time within which
//! the server files every mail, it did not. Elsewhere a bounce, an answer or a person decides.
//!
//! The copies that the host files by itself (MB-9) are no evidence: they stand only where the
//! server files none, and there nobody looks.

use std::{collections::BTreeMap, time::Duration};

use overture_domain::{
    AccountId, ActionId, Timestamp, WorkspaceId,
    accounts::{Account, MailSettings},
    enrollments::{Job, JobKind, JobState},
    people::Actor,
};
use overture_plugin_host::capabilities::mailbox::{Failure, MailSession as _, SpecialUse};
use overture_store::{
    Tx, accounts,
    evidence::{self as store, Ambiguous},
    jobs,
};

use crate::{Due, Env, Part, Result, mailboxes};

use super::resolve::{Word, settle_in, wake};

/// When to look, counted from the moment since which nobody knows. Servers that say within how many
/// minutes they file have a look at that moment as well, and it decides.
const LOOKS: [Duration; 7] = [
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
    Duration::from_hours(6),
    Duration::from_hours(24),
    Duration::from_hours(72),
];

/// A look that failed is repeated at the latest after this.
const AGAIN: Duration = Duration::from_hours(1);

/// No dialogue with a server lives longer after its attempt: ten minutes for the body and its
/// answer, and some air.
const LONGEST_DIALOGUE: Duration = Duration::from_mins(12);

/// Sends that one tick takes.
const BATCH: i64 = 200;

/// Where a mail lies that the server has filed: in Sent, or where its owner has moved it.
const FOLDERS: [SpecialUse; 4] = [
    SpecialUse::Sent,
    SpecialUse::All,
    SpecialUse::Trash,
    SpecialUse::Archive,
];

/// Sends of a mailbox have become ambiguous, in the caller's transaction: evidence is looked for
/// where there can be any.
pub(super) async fn expect_in(
    tx: &mut Tx,
    env: &Env,
    account: &Account,
    actions: &[ActionId],
    now: Timestamp,
) -> Result<()> {
    let Some(at) = Habit::of(account).and_then(|habit| habit.next_look(now, now, now)) else {
        return Ok(());
    };
    let looks: Vec<_> = actions.iter().map(|id| (env.id(), *id, at)).collect();
    store::plan_look(tx, account.workspace_id, &looks, now).await?;
    // The caller has not committed yet: the tick that this brings may come too early, and the
    // wake of the send's end brings another.
    env.wakes.wake(Part::Evidence);
    Ok(())
}

/// The part [`Part::Evidence`]: looks up the sends whose turn it is, a mailbox a task.
///
/// # Errors
/// Only the store's.
pub async fn look_for_evidence(env: &Env) -> Result<Due> {
    let (now, real) = (env.now(), env.real.now());
    let mut tx = env.db.begin().await?;
    let claimed = jobs::claim(&mut tx, JobKind::FindSend, env.host, now, real, BATCH).await?;
    tx.commit().await?;
    let full = claimed.len() as i64 == BATCH;
    let mut by_workspace: BTreeMap<WorkspaceId, Vec<Job>> = BTreeMap::new();
    for job in claimed {
        by_workspace.entry(job.workspace_id).or_default().push(job);
    }
    for (ws, jobs) in by_workspace {
        for (account, looks) in by_mailbox(env, ws, jobs).await? {
            let look = look(env.clone(), ws, account, looks);
            env.under_way.spawn(&env.wakes, Part::Evidence, look);
        }
    }
    if full {
        return Ok(Due::Now);
    }
    Ok(Due::at(
        jobs::next_run_at(&mut env.db.reader(), JobKind::FindSend).await?,
    ))
}

type Look = (Job, Ambiguous);

/// The looks of a workspace by mailbox; those of sends that were settled meanwhile are done.
async fn by_mailbox(
    env: &Env,
    ws: WorkspaceId,
    claimed: Vec<Job>,
) -> Result<BTreeMap<AccountId, Vec<Look>>> {
    let ids: Vec<ActionId> = claimed
        .iter()
        .filter_map(|job| job.subject_id.parse().ok())
        .collect();
    let mut sends: BTreeMap<String, Ambiguous> = store::find(&mut env.db.reader(), ws, &ids)
        .await?
        .into_iter()
        .map(|send| (send.action.id.to_string(), send))
        .collect();
    let (mut by_mailbox, mut over) = (BTreeMap::<_, Vec<_>>::new(), Vec::new());
    for job in claimed {
        match sends.remove(&job.subject_id) {
            Some(send) => {
                let looks = by_mailbox.entry(send.action.account_id).or_default();
                looks.push((job, send));
            }
            None => over.push((job.id, JobState::Completed, None)),
        }
    }
    if !over.is_empty() {
        let mut tx = env.db.begin().await?;
        jobs::finish(&mut tx, &over, env.now()).await?;
        tx.commit().await?;
    }
    Ok(by_mailbox)
}

async fn look(env: Env, ws: WorkspaceId, account: AccountId, looks: Vec<Look>) {
    // What is not found by this moment was not filed by it.
    let begun = env.now();
    let outcome = async {
        let found = accounts::find(&mut env.db.reader(), ws, account).await?;
        let habit = found.as_ref().and_then(Habit::of);
        let Some((account, habit)) = found.zip(habit) else {
            return record(&env, ws, None, begun, looks, Answer::Nowhere).await;
        };
        let answer = match mailboxes::Session::open(&env, &account).await {
            Ok(session) => {
                let answer = search(&session, &looks).await;
                session.close().await;
                answer
            }
            Err(error) => Answer::Failed(error.to_string()),
        };
        record(&env, ws, Some(habit), begun, looks, answer).await
    };
    if let Err(error) = outcome.await {
        tracing::error!(account.id = %account, %error, "what was found out about sends could not be recorded; their leases give them back");
        return;
    }
    wake(&env);
}

/// What a look has brought.
enum Answer {
    /// Whether each was found, in their order.
    Looked(Vec<bool>),
    /// There is no folder in which the server files.
    Nowhere,
    /// The server could not be asked; why.
    Failed(String),
}

async fn search(session: &mailboxes::Session, looks: &[Look]) -> Answer {
    let search = async {
        let folders = session.folders().await?;
        let named = |special_use: &SpecialUse| {
            let mut usable = folders.iter().filter(|folder| folder.selectable);
            usable.find(|folder| folder.special_use == Some(*special_use))
        };
        if named(&SpecialUse::Sent).is_none() {
            return Ok(Answer::Nowhere);
        }
        let mut found = vec![false; looks.len()];
        for folder in FOLDERS.iter().filter_map(named) {
            // The folder as it is now, not as an earlier search has left it.
            session.select(&folder.name).await?;
            for ((_, send), found) in looks.iter().zip(&mut found).filter(|(_, found)| !**found) {
                let uids = session.find(&folder.name, &send.action.external_id).await?;
                *found = !uids.is_empty();
            }
        }
        Ok::<_, Failure>(Answer::Looked(found))
    };
    search
        .await
        .unwrap_or_else(|failure| Answer::Failed(failure.detail))
}

async fn record(
    env: &Env,
    ws: WorkspaceId,
    habit: Option<Habit>,
    begun: Timestamp,
    looks: Vec<Look>,
    answer: Answer,
) -> Result<()> {
    let now = env.now();
    let (mut sent, mut not_sent) = (Vec::new(), Vec::new());
    let (mut later, mut over) = (Vec::new(), Vec::new());
    let failed = match &answer {
        Answer::Failed(why) => Some(why.clone()),
        Answer::Looked(_) | Answer::Nowhere => None,
    };
    for (n, (job, send)) in looks.into_iter().enumerate() {
        let next = habit.and_then(|habit| habit.next_look(send.since, send.attempted_at, now));
        match (&answer, habit) {
            (Answer::Looked(found), _) if found[n] => sent.push(send),
            (Answer::Looked(_), Some(habit))
                if habit
                    .decides_at(send.since, send.attempted_at)
                    .is_some_and(|at| at <= begun) =>
            {
                not_sent.push(send);
            }
            (Answer::Failed(why), Some(habit)) => {
                let again = habit.within.map(|_| now + AGAIN);
                match next.into_iter().chain(again).min() {
                    Some(at) => later.push((job.id, at, why.clone())),
                    None => over.push((job.id, JobState::Completed, Some(why.clone()))),
                }
            }
            (Answer::Looked(_), _) => match next {
                Some(at) => later.push((job.id, at, String::new())),
                None => over.push((job.id, JobState::Completed, None)),
            },
            (Answer::Nowhere | Answer::Failed(_), _) => {
                over.push((job.id, JobState::Completed, None));
            }
        }
    }
    tracing::info!(
        sent = sent.len(),
        not_sent = not_sent.len(),
        unclear = later.len() + over.len(),
        failed,
        "sends that may have gone out were looked up"
    );
    let actor = &Actor::Engine("SAFE-3");
    let found = Word {
        actor,
        reason: "found by its Message-ID where the server files what it sends",
    };
    let absent = Word {
        actor,
        reason: "not among what the server files, after the time within which it files everything",
    };
    let mut tx = env.db.begin().await?;
    settle_in(&mut tx, env, ws, &sent, true, &found, now).await?;
    settle_in(&mut tx, env, ws, &not_sent, false, &absent, now).await?;
    jobs::defer(&mut tx, &later, now).await?;
    jobs::finish(&mut tx, &over, now).await?;
    tx.commit().await?;
    Ok(())
}

/// What a mailbox's server does with what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Habit {
    /// It files every mail within this time.
    within: Option<Duration>,
}

impl Habit {
    /// None: it files nothing, or nobody can look there.
    fn of(account: &Account) -> Option<Self> {
        let settings: MailSettings = serde_json::from_value(account.settings.clone()).ok()?;
        let within = settings
            .sent_within_minutes
            .map(|n| Duration::from_mins(n.into()));
        settings.files_sent.then_some(Self { within })
    }

    /// When its absence says that a mail was not sent: its time has passed, and also where the
    /// sender lives on the connection is gone.
    fn decides_at(self, since: Timestamp, attempted_at: Timestamp) -> Option<Timestamp> {
        let within = self.within?;
        Some((since + within).max(attempted_at + LONGEST_DIALOGUE))
    }

    fn next_look(
        self,
        since: Timestamp,
        attempted_at: Timestamp,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let looks = LOOKS.into_iter().map(|after| since + after);
        let looks = looks.chain(self.decides_at(since, attempted_at));
        looks.filter(|at| *at > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // SAFE-3
    #[test]
    fn it_is_looked_again_and_again_until_it_is_decided() {
        let since = Timestamp::from_secs(1_000_000);
        let minutes = |n| since + Duration::from_mins(n);
        let attempted_at = minutes(0);
        let check = |within: Option<u64>, now: u64, next: Option<u64>| {
            let within = within.map(Duration::from_mins);
            let found = Habit { within }.next_look(since, attempted_at, minutes(now));
            assert_eq!(found, next.map(minutes), "{within:?} {now}");
        };
        check(None, 0, Some(1));
        check(None, 1, Some(5));
        check(None, 72 * 60, None);
        // The connection may live so long.
        check(Some(2), 5, Some(12));
        check(Some(13), 5, Some(13));
        check(Some(13), 13, Some(15));
        let decides = |within: Option<u64>| {
            let within = within.map(Duration::from_mins);
            Habit { within }.decides_at(since, attempted_at)
        };
        assert_eq!(decides(None), None);
        assert_eq!(decides(Some(5)), Some(minutes(12)));
        assert_eq!(decides(Some(60)), Some(minutes(60)));
    }
}
