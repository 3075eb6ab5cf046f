//! Editing a campaign (SEQ-1, SEQ-8).

use std::collections::{HashMap, HashSet};

use overture_domain::{
    AccountId, CampaignId, StepId, Timestamp, WorkspaceId,
    campaigns::{Campaign, CampaignStatus, PoolAccount, Step},
    enrollments::EnrollmentState,
    people::Actor,
    planted::{Bug, planted},
    variants::Variant,
};
use overture_store::{Tx, campaigns as store, enrollments, events, jobs};

use crate::{Env, Error, FieldError, Part, Result, sends, sends::Roomier};

use super::{
    CampaignDetails, CampaignPatch, StepIn, VariantIn, create, details, input, status, templates,
};

/// Changes a campaign. In draft and paused everything may change; in scheduled, running and
/// cooldown only daily limits, mailbox pool, end date and the texts of the steps. Nothing is
/// applied unless all of it can be. Valid texts let those go on who waited for them (TPL-4).
///
/// # Errors
/// [`Error::NotFound`]; [`Error::InvalidStatus`] naming the fields that can't change now;
/// [`Error::Invalid`] with every field that is wrong.
pub async fn update(
    env: &Env,
    ws: WorkspaceId,
    id: CampaignId,
    patch: &CampaignPatch,
    actor: &Actor,
) -> Result<CampaignDetails> {
    let now = env.now();
    let mut tx = env.db.begin().await?;
    sends::call_up_in(&mut tx, env, ws, Roomier::Campaign(id)).await?;
    let before = details(&mut tx, ws, id).await?;
    check_status(&before, patch)?;

    let dates_given = patch.start_at.is_some() || patch.end_at.is_some();
    let campaign = changed(&before.campaign, patch, now);
    let mut wrong = input::check(&campaign, dates_given, now);
    if let Some(steps) = &patch.steps {
        wrong.extend(input::check_steps(steps));
        wrong.extend(templates::check(steps));
        wrong.extend(check_ids(&before.steps, steps));
    }
    if let Some(ids) = &patch.mailbox_ids {
        let channels = match &patch.steps {
            Some(steps) => create::channels(steps),
            None => before.steps.iter().map(|step| step.channel).collect(),
        };
        wrong.extend(create::check_pool(&mut tx, ws, ids, &channels).await?);
    }
    let pool = pool(&before.pool, patch, &mut wrong);
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }

    store::update(&mut tx, &campaign).await?;
    if campaign.time_zone != before.campaign.time_zone {
        move_zone(&mut tx, &before, &campaign, now).await?;
    }
    store::set_pool(&mut tx, ws, id, &pool).await?;
    if let Some(steps) = &patch.steps {
        let sequence = create::sequence(env, &campaign, steps);
        store::set_steps(&mut tx, ws, id, &sequence, now).await?;
        store::move_enrollments(&mut tx, ws, id, &places(&before.steps, &sequence)).await?;
        for state in [
            EnrollmentState::PendingTemplateFix,
            EnrollmentState::PendingTemplateVariableResolution,
        ] {
            if planted(Bug::TextMendedInVain) {
                continue;
            }
            let resumed = enrollments::resume_campaign(&mut tx, ws, id, state, now).await?;
            events::insert(&mut tx, &sends::resumed_events(env, &resumed, now)).await?;
        }
    }
    if is_planned_anew(&before, &campaign, patch) {
        jobs::unplan_campaign(&mut tx, ws, id, now).await?;
    }
    // SEQ-11: nothing starts without a person.
    if before.campaign.status == CampaignStatus::Completed && patch.end_at.is_some() {
        let reason = "the end date was moved";
        let why = status::by(actor);
        status::pause_in(&mut tx, env, &before.campaign, why, reason, actor).await?;
    }
    let after = details(&mut tx, ws, id).await?;
    tx.commit().await?;
    env.wakes.wake(Part::Campaigns);
    env.wakes.wake(Part::Sends);
    Ok(after)
}

fn changed(before: &Campaign, patch: &CampaignPatch, now: Timestamp) -> Campaign {
    let mut campaign = before.clone();
    if let Some(name) = &patch.name {
        campaign.name = name.trim().to_owned();
    }
    if let Some(start_at) = patch.start_at {
        campaign.start_at = start_at;
    }
    if let Some(end_at) = patch.end_at {
        campaign.end_at = end_at;
    }
    input::set_given!(campaign, patch);
    campaign.updated_at = now;
    campaign
}

/// The pool after the edit.
fn pool(
    before: &[PoolAccount],
    patch: &CampaignPatch,
    wrong: &mut Vec<FieldError>,
) -> Vec<PoolAccount> {
    let same: Vec<AccountId> = before.iter().map(|account| account.account_id).collect();
    let ids = patch.mailbox_ids.as_ref().unwrap_or(&same);
    create::pool(ids, before, &patch.mailbox_settings, wrong)
}

/// SEQ-1, API-4: what may change now.
fn check_status(before: &CampaignDetails, patch: &CampaignPatch) -> Result<()> {
    use CampaignStatus::{Completed, Cooldown, Draft, Paused, Running, Scheduled};
    let status = before.campaign.status;
    let fixed: Vec<&str> = match status {
        Draft | Paused => return Ok(()),
        Scheduled | Running | Cooldown => {
            let structure = patch
                .steps
                .as_ref()
                .is_some_and(|steps| !is_text_only(&before.steps, steps));
            [
                ("name", patch.name.is_some()),
                ("steps", structure),
                ("timezone", patch.time_zone.is_some()),
                ("windows", patch.windows.is_some()),
                ("minutesBetweenSends", patch.minutes_between_sends.is_some()),
                ("stopOnReply", patch.stop_on_reply.is_some()),
                ("stopOnBounce", patch.stop_on_bounce.is_some()),
                ("stopOnCompanyReply", patch.stop_on_company_reply.is_some()),
                ("trackOpens", patch.track_opens.is_some()),
                ("trackClicks", patch.track_clicks.is_some()),
                ("startDate", patch.start_at.is_some()),
            ]
            .into_iter()
            .filter_map(|(field, given)| given.then_some(field))
            .collect()
        }
        // Only the end date, which brings a completed one back.
        Completed
            if *patch
                == (CampaignPatch {
                    end_at: patch.end_at,
                    ..CampaignPatch::default()
                }) =>
        {
            return Ok(());
        }
        _ => vec!["status"],
    };
    if fixed.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the campaign is {status}: pause it to change {}",
        fixed.join(", ")
    );
    let details = fixed
        .into_iter()
        .map(|field| {
            FieldError::new(
                field,
                "not_live_editable",
                format!("can't change while the campaign is {status}"),
            )
        })
        .collect();
    Err(Error::InvalidStatus { message, details })
}

/// Whether the edit moves the times of its steps: those that were planned are planned anew (SCH-2,
/// MB-4).
fn is_planned_anew(before: &CampaignDetails, after: &Campaign, patch: &CampaignPatch) -> bool {
    before.campaign.windows != after.windows
        || before.campaign.time_zone != after.time_zone
        || patch
            .steps
            .as_ref()
            .is_some_and(|steps| !is_text_only(&before.steps, steps))
}

/// The same steps in the same order after the same delays, each with the same variants: only their
/// texts differ.
fn is_text_only(before: &[Step], steps: &[StepIn]) -> bool {
    before.len() == steps.len()
        && before.iter().zip(steps).all(|(old, new)| {
            let variants = |all: &[VariantIn]| {
                let same = |(old, new): (&Variant, &VariantIn)| {
                    new.id == Some(old.id) && new.weight.is_none_or(|weight| weight == old.weight)
                };
                old.variants.len() == all.len() && old.variants.iter().zip(all).all(same)
            };
            new.id == Some(old.id)
                && new
                    .delay_minutes
                    .is_none_or(|delay| delay == old.delay_minutes)
                && variants(&new.variants)
        })
}

fn check_ids(before: &[Step], steps: &[StepIn]) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    let mut check = |known: bool, once: bool, field: String, what: &str| {
        let message = match (known, once) {
            (true, true) => return,
            (true, false) => format!("this {what} stands in the sequence twice"),
            (false, _) => {
                format!("there is no {what} with this id here; leave it out for a new {what}")
            }
        };
        wrong.push(FieldError::new(field, "unknown", message));
    };
    let (mut seen, mut seen_variants) = (HashSet::new(), HashSet::new());
    for (place, step) in steps.iter().enumerate() {
        let old = before.iter().find(|old| Some(old.id) == step.id);
        if let Some(id) = step.id {
            let field = format!("steps[{place}].id");
            check(old.is_some(), seen.insert(id), field, "step");
        }
        for (n, id) in step
            .variants
            .iter()
            .enumerate()
            .filter_map(|(n, v)| Some((n, v.id?)))
        {
            let known = old.is_some_and(|old| old.variants.iter().any(|v| v.id == id));
            let field = format!("steps[{place}].variants[{n}].id");
            check(known, seen_variants.insert(id), field, "variant");
        }
    }
    wrong
}

/// Where an enrollment stands whose next step was the old one: at that step, or where it was
/// removed at the next one that is left; past the end when there is none (SEQ-8).
fn places(before: &[Step], after: &[Step]) -> Vec<(i64, i64)> {
    let new: HashMap<StepId, i64> = after
        .iter()
        .map(|step| (step.id, step.step_index))
        .collect();
    let end = after.len() as i64;
    // Who is past the old end stays past the new one, and steps added there come next for them.
    let past = (
        before.len() as i64,
        before
            .last()
            .and_then(|step| new.get(&step.id))
            .map_or(end, |place| place + 1),
    );
    before
        .iter()
        .enumerate()
        .map(|(place, step)| {
            let next = before[place..].iter().find_map(|step| new.get(&step.id));
            (step.step_index, next.copied().unwrap_or(end))
        })
        .chain([past])
        .collect()
}

/// CAP-2: moving the zone gives no second quota for the same hours.
async fn move_zone(
    tx: &mut Tx,
    before: &CampaignDetails,
    after: &Campaign,
    now: Timestamp,
) -> Result<()> {
    let pool: Vec<_> = (before.pool.iter())
        .map(|account| account.account_id)
        .collect();
    let moved = sends::of_campaign_calendar(after.id, &pool);
    let zones = (before.campaign.time_zone.as_str(), after.time_zone.as_str());
    sends::move_zone_in(tx, after.workspace_id, &moved, zones, now).await
}

#[cfg(test)]
mod tests {
    use overture_domain::{
        Id, WorkspaceId, accounts::Channel, campaigns::StepKind, rng::SeededRng,
    };

    use super::*;

    fn steps(names: &[u64]) -> Vec<Step> {
        let id = |n: u64| Id::new(Timestamp::default(), &SeededRng::new(n));
        names
            .iter()
            .zip(0..)
            .map(|(name, step_index)| Step {
                id: id(*name),
                workspace_id: WorkspaceId::from_uuid(id(0).uuid()),
                campaign_id: CampaignId::from_uuid(id(0).uuid()),
                step_index,
                channel: Channel::Mail,
                kind: StepKind::Email,
                delay_minutes: 0,
                subject: String::new(),
                body_html: String::new(),
                body_text: None,
                variants: Vec::new(),
            })
            .collect()
    }

    // SEQ-8
    #[test]
    fn enrollments_move_with_their_step() {
        let check = |before: &[u64], after: &[u64], expected: &[(i64, i64)]| {
            assert_eq!(
                places(&steps(before), &steps(after)),
                expected,
                "{before:?} {after:?}"
            );
        };
        check(&[1, 2, 3], &[1, 2, 3], &[(0, 0), (1, 1), (2, 2), (3, 3)]);
        // Removed: on to the next one that is left.
        check(&[1, 2, 3], &[1, 3], &[(0, 0), (1, 1), (2, 1), (3, 2)]);
        check(&[1, 2, 3], &[2, 3], &[(0, 0), (1, 0), (2, 1), (3, 2)]);
        check(&[1, 2, 3], &[1, 2], &[(0, 0), (1, 1), (2, 2), (3, 2)]);
        // Added in the middle, and at the end.
        check(&[1, 2], &[1, 9, 2], &[(0, 0), (1, 2), (2, 3)]);
        check(&[1, 2], &[1, 2, 9], &[(0, 0), (1, 1), (2, 2)]);
    }
}
