//! The events that tell of enrollments.

use overture_domain::{
    Timestamp,
    accounts::Channel,
    enrollments::Enrollment,
    events::{Event, EventKind},
};
use serde_json::{Value, json};

use crate::Env;

/// An event about an enrollment, with its ids in the data.
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
        channel: Some(Channel::Mail),
        campaign_id: Some(enrollment.campaign_id),
        enrollment_id: Some(enrollment.id),
        prospect_id: Some(enrollment.prospect_id),
        account_id: enrollment.account_id,
        occurred_at: env.now(),
        dedup_key: None,
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
