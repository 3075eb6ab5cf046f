//! When the next step of an enrollment runs (SCH-3): previous action + delay + jitter, clamped
//! into the window.

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    time::Duration,
};

use jiff::tz::TimeZone;
use overture_domain::{
    AccountId, CampaignId, EnrollmentId, Timestamp, WorkspaceId,
    campaigns::{Campaign, StepKind},
    enrollments::{EnrollmentState, Lane},
    pacing,
    planted::{Bug, planted},
    windows,
};
use overture_store::{
    campaigns, enrollments, events, jobs,
    jobs::{NextStep, Planned, Unplanned},
    people,
};

use crate::{Env, Failpoint, Result, failpoints};

use super::finished_events;

/// Enrollments that are planned in one transaction.
const BATCH: i64 = 1_000;

/// No window within the days that are scanned: looked at again then.
const NO_WINDOW: Duration = Duration::from_secs(8 * 86_400);

/// Plans open enrollments of running campaigns that have no job; ends those whose sequence is
/// through. Whether more are waiting.
pub(super) async fn tick(env: &Env) -> Result<bool> {
    let unplanned = jobs::list_unplanned(&mut env.db.reader(), BATCH).await?;
    if unplanned.is_empty() {
        return Ok(false);
    }
    let now = env.now();
    let mut tx = env.db.begin().await?;
    // Before anything is put into a lane, and always in this order.
    let workspaces: BTreeSet<WorkspaceId> =
        unplanned.iter().map(|open| open.workspace_id).collect();
    for ws in workspaces {
        people::lock_workspace(&mut tx, ws).await?;
    }
    let mut known: HashMap<CampaignId, Option<Campaign>> = HashMap::new();
    let mut planned = Vec::new();
    let mut through: HashMap<WorkspaceId, Vec<EnrollmentId>> = HashMap::new();
    for open in &unplanned {
        let campaign = match known.entry(open.campaign_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let found = campaigns::find(&mut tx, open.workspace_id, open.campaign_id).await?;
                place.insert(found)
            }
        };
        let Some(campaign) = campaign else { continue };
        match open.step {
            None => through
                .entry(open.workspace_id)
                .or_default()
                .push(open.enrollment_id),
            Some(step) => planned.push(next_run(env, campaign, open, step, now)),
        }
    }
    jobs::plan(&mut tx, &planned, now).await?;
    for (ws, ids) in through {
        let state = EnrollmentState::Completed;
        let finished =
            enrollments::finish(&mut tx, ws, &ids, state, "the sequence is through", now).await?;
        events::insert(&mut tx, &finished_events(env, &finished)).await?;
    }
    tx.commit().await?;
    failpoints::reached(Failpoint::Planned, &"plan").await;
    env.wakes.wake(crate::Part::Campaigns);
    Ok(unplanned.len() as i64 == BATCH)
}

fn next_run(
    env: &Env,
    campaign: &Campaign,
    open: &Unplanned,
    step: NextStep,
    now: Timestamp,
) -> Planned {
    let begun = campaign.started_at.unwrap_or(now).max(open.enrolled_at);
    let last = open.last_done_at.unwrap_or(begun);
    let mut earliest = pacing::step_due(last, step.delay_minutes, &*env.rng);
    let waits = step.kind.waits() && !step.done;
    if step.done {
        earliest = now;
    }
    // What was held back for a while doesn't come all at once (SAFE-1, TPL-4).
    if earliest < now {
        earliest = now + pacing::jitter(pacing::REARM_JITTER, &*env.rng);
    }
    let held = open.not_before.filter(|until| *until > earliest);
    let earliest = held.unwrap_or(earliest);
    let zone = zone_of(campaign, &open.time_zone);
    let (run_at, outside) = clamp(campaign, &zone, earliest);
    let reason = match (held, outside) {
        _ if waits => NOT_ACCEPTED,
        (Some(_), _) => AWAY,
        (None, true) => OUTSIDE,
        (None, false) => "",
    };
    Planned {
        job_id: env.id(),
        workspace_id: open.workspace_id,
        enrollment_id: open.enrollment_id,
        run_at,
        // Who sends nothing needs no room.
        lane: (!step.kind.waits()).then(|| {
            let (sticky, place) = (open.account_id, (open.step_index, step.kind));
            lane_of(open.campaign_id, sticky, place, &zone)
        }),
        reason: reason.to_owned(),
        waits,
    }
}

/// Why something waits for a person's return (CLS-2).
pub(super) const AWAY: &str = "out of office until then";

/// Why something waits for the other side (SEQ-2).
pub(super) const NOT_ACCEPTED: &str = "waits until the invitation is accepted";

/// Why something waits for the window.
pub(super) const OUTSIDE: &str = "outside the sending window";

/// The zone in which a campaign's windows stand for a prospect: theirs where it is known (SCH-1).
pub(super) fn zone_of(campaign: &Campaign, prospect_zone: &str) -> TimeZone {
    if planted(Bug::WindowInUtc) {
        return TimeZone::UTC;
    }
    windows::zone(prospect_zone)
        .or_else(|| windows::zone(&campaign.time_zone))
        .unwrap_or(TimeZone::UTC)
}

/// Where a step waits for room (SCH-8).
pub(super) fn lane_of(
    campaign: CampaignId,
    sticky: Option<AccountId>,
    (step_index, kind): (i64, StepKind),
    zone: &TimeZone,
) -> Lane {
    let zone = zone.iana_name().unwrap_or_default();
    match (sticky, step_index) {
        (None, 0) => Lane::of_first_steps(campaign, zone),
        _ => Lane::new(campaign, sticky, kind, zone),
    }
}

/// The first moment of the campaign's windows from `earliest` on, and whether that is later.
pub(super) fn clamp(
    campaign: &Campaign,
    zone: &TimeZone,
    earliest: Timestamp,
) -> (Timestamp, bool) {
    let at =
        windows::clamp_to_window(earliest, &campaign.windows, zone).unwrap_or(earliest + NO_WINDOW);
    (at, at > earliest)
}
