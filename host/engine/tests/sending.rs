//! Campaigns and sends on both databases, with a clock that the test turns and a scripted post
//! office.
#![expect(clippy::unwrap_used, reason = "a test's helpers panic like the test")]

#[path = "sending/alerts.rs"]
mod alerts;
#[path = "sending/campaigns.rs"]
mod campaigns;
#[path = "sending/clock.rs"]
mod clock;
#[path = "sending/counters.rs"]
mod counters;
#[path = "sending/fortnight.rs"]
mod fortnight;
#[path = "sending/journal.rs"]
mod journal;
#[path = "sending/lanes.rs"]
mod lanes;
#[path = "sending/limits.rs"]
mod limits;
#[path = "sending/mail_domains.rs"]
mod mail_domains;
#[path = "sending/outcomes.rs"]
mod outcomes;
#[path = "sending/parking.rs"]
mod parking;
#[path = "sending/recovery.rs"]
mod recovery;
#[path = "sending/rotation.rs"]
mod rotation;
#[path = "sending/safety.rs"]
mod safety;
#[path = "sending/sequence.rs"]
mod sequence;
#[path = "sending/variants.rs"]
mod variants;
#[path = "sending/why.rs"]
mod why;

use std::time::Duration;

use overture_domain::{Timestamp, enrollments::EnrollmentState};
use overture_engine::FieldError;
use overture_testkit::{MONDAY, Outreach};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Monday at this time.
fn monday(hour: u64, minute: u64) -> Timestamp {
    MONDAY - HOUR * 9 + HOUR * u32::try_from(hour).unwrap() + Duration::from_secs(60 * minute)
}

/// The codes of what is wrong, in their order.
fn codes(details: &[FieldError]) -> Vec<&str> {
    details.iter().map(|detail| detail.code.as_str()).collect()
}

/// How many enrollments of a campaign are in each state, as text.
async fn states(world: &Outreach, campaign: overture_domain::CampaignId) -> String {
    let stats = overture_engine::campaigns::stats(world.env(), world.ws, campaign)
        .await
        .unwrap();
    let list: Vec<_> = stats
        .by_state
        .iter()
        .map(|(state, n)| format!("{n} {state}"))
        .collect();
    list.join(", ")
}

/// The value of a header of a mail, unfolded.
fn header(mail: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8(mail.to_vec())
        .unwrap()
        .replace("\r\n ", " ");
    let head = text.split("\r\n\r\n").next().unwrap().to_owned();
    let prefix = format!("{name}: ");
    head.lines()
        .find_map(|line| line.strip_prefix(&prefix).map(str::to_owned))
}

/// The state of everybody in a campaign is one and the same.
async fn all_are(world: &Outreach, campaign: overture_domain::CampaignId, state: EnrollmentState) {
    let all = world.enrollments(campaign).await;
    assert!(
        !all.is_empty() && all.iter().all(|e| e.state == state),
        "{:?}",
        all.iter().map(|e| (e.state, &e.reason)).collect::<Vec<_>>()
    );
}
