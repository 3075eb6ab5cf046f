//! A person's word on a mail that may have gone out (SAFE-3).

use overture_domain::{
    EnrollmentId, WorkspaceId,
    accounts::Channel,
    enrollments::{ActionState, EnrollmentState, Outcome},
    events::{Event, EventKind},
    people::Actor,
};
use overture_store::{actions, actions::Ended, enrollments, events, prospects};
use serde_json::json;

use crate::{Env, Error, Part, Result};

use super::resumed_events;

/// Decides an ambiguous send: it went out, and the sequence goes on; or it did not, and it is sent
/// again with the same Message-ID.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::InvalidStatus`] when the enrollment's send isn't ambiguous.
pub async fn resolve(
    env: &Env,
    ws: WorkspaceId,
    id: EnrollmentId,
    went_out: bool,
    actor: &Actor,
) -> Result<()> {
    let now = env.now();
    let mut tx = env.db.begin().await?;
    let enrollment = enrollments::find(&mut tx, ws, id)
        .await?
        .ok_or(Error::NotFound("enrollment"))?;
    let action = actions::list_by_enrollments(&mut tx, ws, &[id])
        .await?
        .into_iter()
        .find(|action| action.state == ActionState::Ambiguous);
    let Some(action) = action.filter(|_| enrollment.state == EnrollmentState::AmbiguousSend) else {
        let message = format!(
            "the enrollment is {}: there is nothing to decide",
            enrollment.state
        );
        return Err(Error::InvalidStatus {
            message,
            details: Vec::new(),
        });
    };
    let (state, outcome) = if went_out {
        (ActionState::Done, Outcome::Sent)
    } else {
        (ActionState::Retrying, Outcome::NotSent)
    };
    let ended = Ended {
        action_id: action.id,
        state,
        deferrals: action.deferrals,
        error: None,
        outcome,
        detail: Some(format!("decided by {actor}")),
    };
    actions::end(&mut tx, &[ended], now).await?;
    if went_out {
        let prospect = prospects::find(&mut tx, ws, enrollment.prospect_id).await?;
        prospects::set_contacted(&mut tx, ws, &[enrollment.prospect_id], now).await?;
        enrollments::advance(&mut tx, ws, &[(id, action.step_index)], now).await?;
        let event = Event {
            id: env.id(),
            workspace_id: ws,
            kind: EventKind::EmailSent,
            channel: Some(Channel::Mail),
            campaign_id: Some(action.campaign_id),
            enrollment_id: Some(id),
            prospect_id: Some(enrollment.prospect_id),
            account_id: Some(action.account_id),
            occurred_at: now,
            dedup_key: Some(format!("sent:{}", action.id)),
            data: json!({
                "prospectId": enrollment.prospect_id,
                "prospectEmail": prospect.map(|prospect| prospect.email),
                "campaignId": action.campaign_id,
                "enrollmentId": id,
                "mailboxId": action.account_id,
                "stepIndex": action.step_index,
                "messageId": action.external_id,
                "sentAt": now,
            }),
        };
        events::insert(&mut tx, &[event]).await?;
    } else {
        let resumed =
            enrollments::resume(&mut tx, ws, &[id], EnrollmentState::AmbiguousSend, now).await?;
        events::insert(&mut tx, &resumed_events(env, &resumed, now)).await?;
    }
    tx.commit().await?;
    for part in [Part::Sends, Part::Campaigns, Part::Dispatch] {
        env.wakes.wake(part);
    }
    Ok(())
}
