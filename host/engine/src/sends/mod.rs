//! Steps on their way out: plan → reserve → hand out → send → record.
//!
//! | module | what it does |
//! | --- | --- |
//! | `plan` | when the next step of an enrollment runs (SCH-3) |
//! | `hand_out` | one transaction a workspace, several workspaces at a time: decides, reserves the caps, hands out (CAP-2) |
//! | `world`, `writes` | what it reads, and what it writes |
//! | `slots` | when, and from which mailbox, a mail may go (SCH-1, SCH-4, CAP-1, ROT-1) |
//! | `limits` | the limits that a mail counts under (CAP-1) |
//! | `actuals`, `heal` | what the counters of caps should say, and setting them right (SAFE-5) |
//! | `compose` | the mail itself: texts, headers, footer (TPL-4, TRK-4, SEQ-4) |
//! | `deliver` | to the provider and back (SAFE-3) |
//! | `network` | the same for the steps of a network (LI-4) |
//! | `verdict` | what became of it |
//! | `journal`, `groups` | attempts and outcomes are committed here, many at once |
//! | `record` | what follows from an outcome (SAF-4, CAP-3) |
//! | `evidence` | looks for mails that may have gone out (SAFE-3) |
//! | `returned` | mails that went out and came back: tried again, or given up (SAF-4) |
//! | `forecast` | when a campaign will be through (ROT-2) |
//! | `why` | why a mail has not gone out, and what would change that (SCH-9) |
//! | `resolve` | settles them: by evidence, or by a person's word |
//!
//! Nothing is dropped: what can't go now is put off to its next legal time, with the reason on the
//! enrollment (SAFE-2). Who waits for room stands in a lane, and only its head is looked at (SCH-8,
//! decision 11).

mod actuals;
mod compose;
mod deliver;
mod evidence;
mod forecast;
mod groups;
mod hand_out;
mod heal;
mod journal;
mod limits;
mod network;
mod plan;
mod record;
mod resolve;
mod returned;
mod slots;
mod told;
mod verdict;
mod why;
mod world;
mod writes;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use overture_domain::{
    AccountId, CampaignId, ProspectId, Rng, Timestamp, WorkspaceId,
    enrollments::{EnrollmentState, Job, JobKind, Lane},
};
use overture_store::{Tx, enrollments, events, jobs, lanes, lanes::DueLane, people};

use tokio::task::JoinSet;

use crate::{Due, Env, Failpoint, Part, Result, failpoints};

pub use evidence::look_for_evidence;
pub use forecast::forecast;
pub(crate) use heal::heal_counters;
pub use journal::Journal;
pub(crate) use limits::{move_zone_in, of_campaign_calendar, of_mailbox_calendar};
pub(crate) use network::{Accepted, accepted_in};
pub use resolve::resolve;
pub(crate) use resolve::{prove_in, prove_step_in};
pub(crate) use returned::{Again, Returned, returned_in};
pub(crate) use told::{enrollment_event, finished_events, resumed_events};
pub use why::{About, Answer as WhyNot, why};

/// Jobs of a kind that one tick takes: heads of lanes, and those with a time of their own.
const BATCH: i64 = 500;

/// Heads that are taken of a lane beyond its mailboxes that are free: some can't go for reasons of
/// their own.
const SPARE: i64 = 3;

/// The part looks at what is due when one in so many of its hands is free: a look costs much the
/// same for one mail and for many.
const HANDFUL: usize = 4;

/// A workspace that has its turn may have one in so many of all hands, at least: few workspaces
/// with many mails each cost less than many with few. So many have their turns at the same time.
const SHARES: usize = 4;

/// Lanes that one tick looks at.
const LANES: i64 = BATCH / SPARE;

/// A workspace's sends could not be handed out: all are looked at again then.
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// The subject of a campaign's caps for one of its mailboxes.
pub(crate) fn pair(campaign: CampaignId, account: AccountId) -> String {
    format!("{campaign} {account}")
}

/// The data of prospects has changed, in the caller's transaction: those of their enrollments that
/// wait for a value look again (TPL-4). The caller wakes [`Part::Sends`] after the commit.
///
/// # Errors
/// Only the store's.
pub(crate) async fn data_changed_in(
    tx: &mut Tx,
    env: &Env,
    ws: WorkspaceId,
    prospects: &[ProspectId],
) -> Result<()> {
    let waited = EnrollmentState::PendingTemplateVariableResolution;
    resume_in(tx, env, ws, prospects, waited).await
}

/// Where prospects are reached has changed, their address or their profile: the same for those of
/// their enrollments that could not reach them (SAFE-2).
///
/// # Errors
/// Only the store's.
pub(crate) async fn reach_changed_in(
    tx: &mut Tx,
    env: &Env,
    ws: WorkspaceId,
    prospects: &[ProspectId],
) -> Result<()> {
    resume_in(tx, env, ws, prospects, EnrollmentState::InvalidProspect).await
}

async fn resume_in(
    tx: &mut Tx,
    env: &Env,
    ws: WorkspaceId,
    prospects: &[ProspectId],
    from: EnrollmentState,
) -> Result<()> {
    let now = env.now();
    let resumed = enrollments::resume_prospects(tx, ws, prospects, from, now).await?;
    events::insert(tx, &resumed_events(env, &resumed, now)).await?;
    Ok(())
}

/// Who has more room than before.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Roomier {
    /// Its limits, window, pool or pace may have changed.
    Campaign(CampaignId),
    /// Its limit may have been raised, or it is back.
    Mailbox(AccountId),
}

/// Whoever waits for room there is looked at at the next tick, in turn and at the pace of the
/// mailboxes (MB-4, SAFE-1). It locks the workspace, so that no decision by the old limits comes
/// after it: call it first in the transaction that makes the change, and wake [`Part::Sends`] after
/// the commit.
///
/// # Errors
/// Only the store's.
pub(crate) async fn call_up_in(
    tx: &mut Tx,
    env: &Env,
    ws: WorkspaceId,
    roomier: Roomier,
) -> Result<()> {
    people::lock_workspace(tx, ws).await?;
    match roomier {
        Roomier::Campaign(id) => lanes::call_up_campaign(tx, ws, id, env.now()).await?,
        Roomier::Mailbox(id) => lanes::call_up_account(tx, ws, id, env.now()).await?,
    };
    Ok(())
}

/// Plans what is unplanned, hands out what is due, and begins to send it. The sends go on after
/// the tick ([`UnderWay`](crate::UnderWay)); each wakes this part when it has ended. While it is not
/// certain how late it is, nothing (SCH-7); the part leases wakes this one then.
///
/// # Errors
/// Only the store's. What fails in one workspace doesn't keep the others back.
pub async fn tick(env: &Env) -> Result<Due> {
    let under_way = env.under_way.count(Part::Sends);
    let mut hands = env.config.concurrent_sends.saturating_sub(under_way);
    // Sends are under way, so one will wake the part.
    if hands < env.config.concurrent_sends.div_ceil(HANDFUL) {
        return Ok(Due::WhenWoken);
    }
    if let Some(clock) = env
        .database_clock
        .as_ref()
        .filter(|clock| !clock.is_certain())
    {
        let offset = clock.offset();
        tracing::warn!(
            ?offset,
            "nothing is sent until it is known how late it is by the database's clock"
        );
        return Ok(Due::WhenWoken);
    }
    let now = env.now();
    if enrollments::has_returned(&mut env.db.reader()).await? {
        let mut tx = env.db.begin().await?;
        let resumed = enrollments::resume_with_accounts(&mut tx, now).await?;
        events::insert(&mut tx, &resumed_events(env, &resumed, now)).await?;
        tx.commit().await?;
    }
    let more_to_plan = plan::tick(env).await?;

    // Most looks find nothing, and shall not keep those who write waiting.
    let next = Next::read(env).await?;
    let due = match next.at() {
        Some(at) if at <= now => claim(env, now, hands, next).await?,
        at if !more_to_plan => return Ok(Due::at(at)),
        _ => Vec::new(),
    };
    let any = !due.is_empty();
    if any {
        failpoints::reached(Failpoint::Planned, &"claim").await;
    }
    let mut failed = false;
    let (mut left, mut promised) = (due.len(), 0);
    let mut due = due.into_iter();
    let turn = env.under_way.turn().await;
    let at_once = match turn {
        Some(_) => 1,
        None => SHARES.min(env.config.concurrent_sends).max(1),
    };
    let mut turns = JoinSet::new();
    loop {
        while turns.len() < at_once
            && let Some((ws, due)) = due.next()
        {
            // None takes the hands of those that come after it (SCH-8).
            let share = (hands - promised).div_ceil(left);
            (left, promised) = (left - 1, promised + share);
            let env = env.clone();
            turns.spawn(async move {
                let ids: Vec<_> = due.jobs.iter().map(|job| job.id).collect();
                let mails = hand_out::hand_out(&env, ws, due.lanes, due.jobs, share).await;
                (ws, ids, share, mails)
            });
        }
        let (ws, ids, share, mails) = match turns.join_next().await {
            None => break,
            Some(Ok(turn)) => turn,
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        };
        promised -= share;
        match mails {
            Ok(mails) => {
                hands -= mails.len();
                for mail in mails {
                    env.under_way
                        .spawn(&env.wakes, Part::Sends, deliver::run(env.clone(), mail));
                }
            }
            Err(error) => {
                tracing::error!(workspace.id = %ws, %error, "sends could not be handed out");
                let mut tx = env.db.begin().await?;
                jobs::release(&mut tx, &ids).await?;
                tx.commit().await?;
                failed = true;
            }
        }
    }
    if any {
        env.wakes.wake(Part::Dispatch);
        env.wakes.wake(Part::Campaigns);
    }
    if failed {
        return Ok(Due::At(now + AFTER_FAILURE));
    }
    if more_to_plan {
        return Ok(Due::Now);
    }
    // With no hand free, the send that ends first wakes the part.
    if hands == 0 {
        return Ok(Due::WhenWoken);
    }
    Ok(match Next::read(env).await?.at() {
        Some(at) if at <= now => Due::Now,
        at => Due::at(at),
    })
}

/// When there is something to do next.
#[derive(Clone, Copy)]
struct Next {
    /// The next job with a time of its own is due.
    alone: Option<Timestamp>,
    /// The head of a lane is to be looked at.
    in_lanes: Option<Timestamp>,
}

impl Next {
    async fn read(env: &Env) -> Result<Self> {
        let on = &mut env.db.reader();
        Ok(Self {
            alone: jobs::next_run_at(on, JobKind::SendStep).await?,
            in_lanes: lanes::next_due_at(on).await?,
        })
    }

    fn at(self) -> Option<Timestamp> {
        self.alone.into_iter().chain(self.in_lanes).min()
    }
}

/// What a workspace has to do now.
#[derive(Default)]
struct DueWork {
    /// Lanes whose heads are among the jobs, or of which nobody could be taken.
    lanes: Vec<Lane>,
    jobs: Vec<Job>,
}

/// Takes due jobs, by workspace, in an order of chance: each is the first now and then (SCH-8). Of
/// each lane no more than its share of the hands, and a few to spare.
async fn claim(
    env: &Env,
    now: Timestamp,
    hands: usize,
    next: Next,
) -> Result<Vec<(WorkspaceId, DueWork)>> {
    let real = env.real.now();
    let mut due_lanes = lanes::list_due(&mut env.db.reader(), now, BATCH, LANES).await?;
    take_turns(env, &mut due_lanes, hands);
    let share = hands.div_ceil(due_lanes.len().max(1)) as i64;
    // Where nobody can go, hands don't matter.
    let heads_of = |due: &DueLane| match due.width {
        BATCH => BATCH,
        width => width.min(share) + SPARE,
    };
    let mut taken = 0;
    due_lanes.retain(|due| {
        let fits = taken < BATCH;
        taken += heads_of(due);
        fits
    });
    let heads: Vec<(&Lane, i64)> = due_lanes
        .iter()
        .map(|due| (&due.lane, heads_of(due)))
        .collect();
    let mut tx = env.db.begin().await?;
    let in_lanes = lanes::claim(&mut tx, &heads, env.host, now, real).await?;
    let alone = if next.alone.is_some_and(|at| at <= now) {
        jobs::claim(&mut tx, JobKind::SendStep, env.host, now, real, BATCH).await?
    } else {
        Vec::new()
    };
    tx.commit().await?;

    let mut by_workspace: BTreeMap<WorkspaceId, DueWork> = BTreeMap::new();
    for due in due_lanes {
        let work = by_workspace.entry(due.workspace_id).or_default();
        work.lanes.push(due.lane);
    }
    for job in in_lanes.into_iter().chain(alone) {
        let work = by_workspace.entry(job.workspace_id).or_default();
        work.jobs.push(job);
    }
    let mut order: Vec<_> = by_workspace.into_iter().collect();
    shuffle(&mut order, &*env.rng);
    Ok(order)
}

/// Leaves the lanes of so many workspaces as have enough hands, chosen by chance; the others are
/// still due.
fn take_turns(env: &Env, due: &mut Vec<DueLane>, hands: usize) {
    let turns = hands.div_ceil(env.config.concurrent_sends.div_ceil(SHARES).max(1));
    let workspaces: BTreeSet<WorkspaceId> = due.iter().map(|due| due.workspace_id).collect();
    if workspaces.len() <= turns {
        return;
    }
    let mut order: Vec<_> = workspaces.into_iter().collect();
    shuffle(&mut order, &*env.rng);
    due.retain(|due| order[..turns].contains(&due.workspace_id));
}

fn shuffle<T>(all: &mut [T], rng: &dyn Rng) {
    for last in (1..all.len()).rev() {
        let other = rng.below(last as u64 + 1) as usize;
        all.swap(last, other);
    }
}
