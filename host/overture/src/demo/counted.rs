//! What a campaign came to, counted from its events.

use std::collections::BTreeSet;

use anyhow::Result;
use overture_domain::{
    CampaignId, EnrollmentId, Timestamp, WorkspaceId,
    enrollments::EnrollmentState,
    events::{Event, EventKind, EventPosition},
};
use overture_engine::{Env, campaigns};
use overture_store::events;
use serde_json::Value;

use super::expected::{Counts, Row};

/// What happened in a campaign, in its order.
///
/// # Errors
/// Only the store's.
pub async fn events(env: &Env, ws: WorkspaceId, campaign: CampaignId) -> Result<Vec<Event>> {
    let filter = events::Filter {
        campaign_id: Some(campaign),
        ..events::Filter::default()
    };
    let mut after = EventPosition::default();
    let mut all = Vec::new();
    loop {
        let page = events::list(&mut env.db.reader(), ws, &filter, after, 500).await?;
        let Some(last) = page.last() else {
            return Ok(all);
        };
        after = last.position;
        all.extend(page.into_iter().map(|placed| placed.event));
    }
}

/// What it came to, without the webhooks.
///
/// # Errors
/// Only the store's.
pub async fn counts(env: &Env, ws: WorkspaceId, campaign: CampaignId) -> Result<Counts> {
    let mut counts = of(&events(env, ws, campaign).await?);
    let stats = campaigns::stats(env, ws, campaign).await?;
    let completed =
        |(state, n): &(EnrollmentState, i64)| (*state == EnrollmentState::Completed).then_some(*n);
    if let Some(n) = stats.by_state.iter().find_map(completed) {
        counts.insert(Row::Completed, n);
    }
    Ok(counts)
}

fn of(events: &[Event]) -> Counts {
    let mut counts = Counts::new();
    // What counts once a mail or a person, however often it was tried.
    let mut seen = BTreeSet::new();
    for event in events {
        let text = |name: &str| event.data.get(name).and_then(Value::as_str);
        let step = event.data.get("stepIndex").and_then(Value::as_i64);
        let once = match event.kind {
            EventKind::EmailSent => step,
            _ => None,
        };
        let row = match event.kind {
            EventKind::EmailSent => Row::Sent,
            EventKind::EmailOpened => Row::Opened,
            EventKind::EmailClicked => Row::Clicked,
            EventKind::ReplyReceived => match text("label").and_then(|label| label.parse().ok()) {
                Some(label) => Row::Replied(label),
                None => continue,
            },
            EventKind::OutOfOfficeReceived => {
                if resumed(event, events) {
                    *counts.entry(Row::Resumed).or_default() += 1;
                }
                Row::OutOfOffice
            }
            EventKind::AutoReplyReceived => Row::AutoReplied,
            EventKind::EmailBounced => Row::BouncedHard,
            EventKind::EmailSoftBounced if text("bounceType") == Some("block") => Row::Blocked,
            EventKind::EmailSoftBounced => Row::BouncedSoft,
            EventKind::EmailDeferred => Row::Deferred,
            EventKind::EmailUnsubscribed => Row::Unsubscribed,
            EventKind::EmailComplained => Row::Complained,
            _ => continue,
        };
        let by_person = matches!(row, Row::Sent | Row::BouncedSoft | Row::Deferred);
        if !by_person || seen.insert((row, event.enrollment_id, once)) {
            *counts.entry(row).or_default() += 1;
        }
    }
    counts
}

/// Whether the next mail after a notice of absence went out, and not before the day that the notice
/// names (CLS-2).
fn resumed(notice: &Event, events: &[Event]) -> bool {
    let day: Option<jiff::civil::Date> = notice.data["until"]
        .as_str()
        .and_then(|day| day.parse().ok());
    let back = day.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok());
    let back = back.map(|back| Timestamp::from(back.timestamp()));
    let next = next_mail(notice.enrollment_id, notice.occurred_at, events);
    matches!((back, next), (Some(back), Some(next)) if next >= back)
}

fn next_mail(to: Option<EnrollmentId>, after: Timestamp, events: &[Event]) -> Option<Timestamp> {
    let theirs = events.iter().filter(|event| event.enrollment_id == to);
    theirs
        .filter(|event| event.kind == EventKind::EmailSent && event.occurred_at > after)
        .map(|event| event.occurred_at)
        .min()
}
