//! The events that tell of enrollments.

use overture_domain::{
    AttemptId, ProspectId, Timestamp,
    campaigns::StepKind,
    enrollments::{Action, Enrollment},
    events::{Event, EventKind},
};
use serde_json::{Value, json};

use crate::Env;

/// An event about an enrollment, whose way may lead through several channels, with its ids in the
/// data.
pub(crate) fn enrollment_event(
    env: &Env,
    enrollment: &Enrollment,
    kind: EventKind,
    more: Value,
) -> Event {
    let mut data = json!({
        "campaignId": enrollment.campaign_id,
        "enrollmentId": enrollment.id,
        "prospectId": enrollment.prospect_id,
        "stepIndex": enrollment.step_index,
    });
    if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
        data.extend(more);
    }
    Event {
        id: env.id(),
        workspace_id: enrollment.workspace_id,
        kind,
        channel: None,
        campaign_id: Some(enrollment.campaign_id),
        enrollment_id: Some(enrollment.id),
        prospect_id: Some(enrollment.prospect_id),
        account_id: enrollment.account_id,
        occurred_at: env.now(),
        dedup_key: None,
        data,
    }
}

/// A step went out, to a prospect and their address (API-6). One for each time: a mail that came
/// back and is tried again is told again (decision 13).
pub(super) fn sent_event(
    env: &Env,
    action: &Action,
    attempt: Option<AttemptId>,
    (prospect, email): (ProspectId, &str),
    sent_at: Timestamp,
) -> Event {
    let once = attempt.map_or_else(|| action.id.to_string(), |id| id.to_string());
    let mut data = json!({
        "prospectId": prospect,
        "campaignId": action.campaign_id,
        "enrollmentId": action.enrollment_id,
        "stepIndex": action.step_index,
        "variantId": action.variant_id,
        "messageId": action.external_id,
        "sentAt": sent_at,
    });
    let kind = match action.kind {
        StepKind::Email => {
            data["prospectEmail"] = json!(email);
            data["mailboxId"] = json!(action.account_id);
            EventKind::EmailSent
        }
        StepKind::SendMessage => {
            data["linkedinAccountId"] = json!(action.account_id);
            data["kind"] = json!("message");
            EventKind::LinkedinMessageSent
        }
        StepKind::SendInvite | StepKind::WaitAccept => {
            data["linkedinAccountId"] = json!(action.account_id);
            EventKind::LinkedinInviteSent
        }
    };
    Event {
        id: env.id(),
        workspace_id: action.workspace_id,
        kind,
        channel: Some(action.channel),
        campaign_id: Some(action.campaign_id),
        enrollment_id: Some(action.enrollment_id),
        prospect_id: Some(prospect),
        account_id: Some(action.account_id),
        occurred_at: env.now(),
        dedup_key: Some(format!("sent:{once}")),
        data,
    }
}

/// The way of these enrollments has ended.
pub(crate) fn finished_events(env: &Env, finished: &[Enrollment]) -> Vec<Event> {
    let told = |enrollment: &Enrollment| {
        let more = json!({"state": enrollment.state, "reason": enrollment.reason});
        enrollment_event(env, enrollment, EventKind::EnrollmentFinished, more)
    };
    finished.iter().map(told).collect()
}

/// What held these enrollments is gone.
pub(crate) fn resumed_events(env: &Env, resumed: &[Enrollment], now: Timestamp) -> Vec<Event> {
    let told = |enrollment: &Enrollment| {
        let more = json!({"resumedAt": now});
        enrollment_event(env, enrollment, EventKind::EnrollmentResumed, more)
    };
    resumed.iter().map(told).collect()
}
