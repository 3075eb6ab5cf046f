//! Mails on their way out: plan → reserve → hand out → send → record.
//!
//! | module | what it does |
//! | --- | --- |
//! | `plan` | when the next step of an enrollment runs (SCH-3) |
//! | `hand_out` | one transaction a workspace: decides, reserves the caps, hands out (CAP-2) |
//! | `world`, `writes` | what it reads, and what it writes |
//! | `slots` | when, and from which mailbox, a mail may go (SCH-1, SCH-4, CAP-1, ROT-1) |
//! | `limits` | the limits that a mail counts under (CAP-1) |
//! | `compose` | the mail itself: texts, headers, footer (TPL-4, TRK-4, SEQ-4) |
//! | `deliver` | to the provider and back (SAFE-3) |
//! | `verdict` | what became of it |
//! | `journal`, `groups` | attempts and outcomes are committed here, many at once |
//! | `record` | what follows from an outcome (SAF-4, CAP-3) |
//! | `resolve` | a person's word on a mail that may have gone out |
//!
//! Nothing is dropped: what can't go now is put off to its next legal time, with the reason on the
//! enrollment (SAFE-2).

mod compose;
mod deliver;
mod groups;
mod hand_out;
mod journal;
mod limits;
mod plan;
mod record;
mod resolve;
mod slots;
mod told;
mod verdict;
mod world;
mod writes;

use std::{collections::BTreeMap, time::Duration};

use overture_domain::{
    AccountId, CampaignId, ProspectId, WorkspaceId,
    enrollments::{EnrollmentState, Job, JobKind},
};
use overture_store::{Tx, enrollments, events, jobs};

use crate::{Due, Env, Part, Result};

pub use journal::Journal;
pub(crate) use limits::{move_zone_in, of_mailbox_calendar};
pub use resolve::resolve;
pub(crate) use told::{enrollment_event, finished_events, resumed_events};

/// Jobs that one tick takes. What can't go now gets its turn far ahead, so a tick looks at much
/// more than it sends.
const BATCH: i64 = 500;

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
    let now = env.now();
    let from = EnrollmentState::PendingTemplateVariableResolution;
    let resumed = enrollments::resume_prospects(tx, ws, prospects, from, now).await?;
    events::insert(tx, &resumed_events(env, &resumed, now)).await?;
    Ok(())
}

/// Plans what is unplanned, hands out what is due, and begins to send it. The sends go on after
/// the tick ([`UnderWay`](crate::UnderWay)); each wakes this part when it has ended.
///
/// # Errors
/// Only the store's. What fails in one workspace doesn't keep the others back.
pub async fn tick(env: &Env) -> Result<Due> {
    let now = env.now();
    let mut tx = env.db.begin().await?;
    let resumed = enrollments::resume_with_accounts(&mut tx, now).await?;
    events::insert(&mut tx, &resumed_events(env, &resumed, now)).await?;
    tx.commit().await?;
    let more_to_plan = plan::tick(env).await?;

    let under_way = env.under_way.count(Part::Sends);
    let mut hands = env.config.concurrent_sends.saturating_sub(under_way);
    if hands == 0 {
        return Ok(if more_to_plan {
            Due::Now
        } else {
            Due::WhenWoken
        });
    }
    let mut tx = env.db.begin().await?;
    let claimed = jobs::claim(
        &mut tx,
        JobKind::SendStep,
        env.host,
        now,
        env.real.now(),
        BATCH,
    )
    .await?;
    tx.commit().await?;
    let any = !claimed.is_empty();
    let full = claimed.len() as i64 == BATCH;
    let mut failed = false;
    let mut by_workspace: BTreeMap<WorkspaceId, Vec<Job>> = BTreeMap::new();
    for job in claimed {
        by_workspace.entry(job.workspace_id).or_default().push(job);
    }
    for (ws, claimed) in by_workspace {
        let ids: Vec<_> = claimed.iter().map(|job| job.id).collect();
        match hand_out::hand_out(env, ws, claimed, hands).await {
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
    if full {
        return Ok(Due::Now);
    }
    Ok(Due::at(
        jobs::next_run_at(&mut env.db.reader(), JobKind::SendStep).await?,
    ))
}
