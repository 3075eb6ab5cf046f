//! A new campaign (API-4).

use std::collections::BTreeSet;

use overture_domain::{
    AccountId, WorkspaceId,
    accounts::{Account, Channel},
    campaigns::{Campaign, CampaignKind, CampaignStatus, PoolAccount, Step, StepKind},
    pacing,
    people::Actor,
    variants::Variant,
};
use overture_store::{Read, accounts, campaigns as store, campaigns::StatusChange, people};

use crate::{Env, Error, FieldError, Result};

use super::{
    CampaignDetails, CampaignIn, MailboxSettingsIn, StepIn, VariantIn, details, input, templates,
};

/// Makes a draft.
///
/// # Errors
/// [`Error::Invalid`] with every field that is wrong, template errors with their places (TPL-3).
pub async fn create(
    env: &Env,
    ws: WorkspaceId,
    given: &CampaignIn,
    actor: &Actor,
) -> Result<CampaignDetails> {
    let now = env.now();
    let mut tx = env.db.begin().await?;
    let workspace = people::find_workspace(&mut tx, ws)
        .await?
        .ok_or(Error::NotFound("workspace"))?;
    let mut campaign = Campaign {
        kind: kind(&given.steps),
        time_zone: workspace.time_zone,
        start_at: given.start_at,
        end_at: given.end_at,
        ..Campaign::draft(env.id(), ws, env.id(), given.name.trim(), now)
    };
    input::set_given!(campaign, given);
    let mut wrong = input::check(&campaign, true, now);
    wrong.extend(input::check_steps(&given.steps));
    wrong.extend(templates::check(&given.steps));
    wrong.extend(check_pool(&mut tx, ws, &given.mailbox_ids, &channels(&given.steps)).await?);
    let pool = pool(&given.mailbox_ids, &[], &given.mailbox_settings, &mut wrong);
    for (place, step) in given.steps.iter().enumerate() {
        let variants = step.variants.iter().enumerate();
        let known = variants
            .filter(|(_, variant)| variant.id.is_some())
            .map(|(n, _)| format!("steps[{place}].variants[{n}].id"))
            .chain(step.id.map(|_| format!("steps[{place}].id")));
        wrong.extend(known.map(|field| {
            FieldError::new(
                field,
                "unknown",
                "a new campaign has only new steps and variants",
            )
        }));
    }
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    let change = StatusChange {
        audit_id: campaign.status_audit_id,
        from: None,
        to: CampaignStatus::Draft,
        reason: "created".to_owned(),
        pauses: Vec::new(),
        actor: actor.to_string(),
        at: now,
    };
    store::insert(&mut tx, &campaign, &change).await?;
    store::set_steps(
        &mut tx,
        ws,
        campaign.id,
        &sequence(env, &campaign, &given.steps),
        now,
    )
    .await?;
    store::set_pool(&mut tx, ws, campaign.id, &pool).await?;
    let created = details(&mut tx, ws, campaign.id).await?;
    tx.commit().await?;
    Ok(created)
}

/// The channels that steps go through.
pub(super) fn channels(steps: &[StepIn]) -> BTreeSet<Channel> {
    steps.iter().map(|step| step.kind().channel()).collect()
}

/// SEQ-1
fn kind(steps: &[StepIn]) -> CampaignKind {
    let channels = channels(steps);
    match (channels.contains(&Channel::Linkedin), channels.len()) {
        (true, 1) => CampaignKind::Linkedin,
        (true, _) => CampaignKind::Multichannel,
        (false, _) => CampaignKind::Email,
    }
}

/// The steps as they are kept: numbered, with their delays (SEQ-2).
pub(super) fn sequence(env: &Env, campaign: &Campaign, steps: &[StepIn]) -> Vec<Step> {
    const DAY: i64 = 1_440;
    steps
        .iter()
        .zip(0..)
        .map(|(step, step_index)| Step {
            id: step.id.unwrap_or_else(|| env.id()),
            workspace_id: campaign.workspace_id,
            campaign_id: campaign.id,
            step_index,
            channel: step.kind().channel(),
            kind: step.kind(),
            delay_minutes: match (step_index, step.kind()) {
                (0, _) => 0,
                (_, StepKind::WaitAccept) => {
                    step.delay_minutes.unwrap_or(pacing::WAIT_ACCEPT_MINUTES)
                }
                (_, _) => step.delay_minutes.unwrap_or(DAY),
            },
            subject: step.subject.clone(),
            body_html: step.body_html.clone(),
            body_text: step.body_text.clone(),
            variants: step
                .variants
                .iter()
                .map(|given| variant(env, given))
                .collect(),
        })
        .collect()
}

fn variant(env: &Env, given: &VariantIn) -> Variant {
    Variant {
        id: given.id.unwrap_or_else(|| env.id()),
        weight: given.weight.unwrap_or(1),
        subject: given.subject.clone(),
        body_html: given.body_html.clone(),
        body_text: given.body_text.clone(),
    }
}

/// The pool as it is kept; a mailbox that is named twice is in it once, and one that was in it
/// before keeps its settings.
pub(super) fn pool(
    ids: &[AccountId],
    before: &[PoolAccount],
    settings: &[MailboxSettingsIn],
    wrong: &mut Vec<FieldError>,
) -> Vec<PoolAccount> {
    let mut ids = ids.to_vec();
    ids.sort();
    ids.dedup();
    let as_before = |account_id: AccountId| {
        let known = before
            .iter()
            .find(|account| account.account_id == account_id);
        known.cloned().unwrap_or(PoolAccount {
            account_id,
            weight: 1,
            active: true,
        })
    };
    let mut pool: Vec<PoolAccount> = ids.into_iter().map(as_before).collect();
    for (place, given) in settings.iter().enumerate() {
        let field = |name: &str| format!("mailboxSettings[{place}].{name}");
        let Some(account) = pool
            .iter_mut()
            .find(|account| account.account_id == given.id)
        else {
            let message = "this mailbox isn't one of the campaign's mailboxIds";
            wrong.push(FieldError::new(field("id"), "unknown", message));
            continue;
        };
        account.weight = given.weight.unwrap_or(account.weight);
        account.active = given.active.unwrap_or(account.active);
        if !(1..=100).contains(&account.weight) {
            wrong.push(FieldError::new(
                field("weight"),
                "out_of_range",
                "a weight is 1 to 100",
            ));
        }
    }
    pool
}

/// What is wrong with the accounts that a user names: each must be one of the workspace's, on a
/// channel that the campaign goes through. Whether they can send is asked at the start (SEQ-6).
pub(super) async fn check_pool(
    on: &mut impl Read,
    ws: WorkspaceId,
    ids: &[AccountId],
    channels: &BTreeSet<Channel>,
) -> Result<Vec<FieldError>> {
    if ids.is_empty() {
        return Ok(vec![FieldError::new(
            "mailboxIds",
            "required",
            "name at least one mailbox to send from",
        )]);
    }
    let known = accounts::find_all(on, ws, ids).await?;
    // Without a step, which is wrong as well, it is one of mails.
    let fits = |channel| match channels.is_empty() {
        true => channel == Channel::Mail,
        false => channels.contains(&channel),
    };
    let is_mailbox = |id: &AccountId| {
        known
            .iter()
            .any(|account: &Account| account.id == *id && fits(account.channel))
    };
    Ok(ids
        .iter()
        .enumerate()
        .filter(|(_, id)| !is_mailbox(id))
        .map(|(place, id)| {
            FieldError::new(
                format!("mailboxIds[{place}]"),
                "unknown",
                format!("there is no mailbox {id}"),
            )
        })
        .collect())
}
