//! What became of each campaign: on which days its mails went out, what kept more back, and how it
//! and its people ended.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{civil::Date, tz::TimeZone};
use overture_domain::{
    CampaignId, Timestamp,
    campaigns::{Campaign, CampaignStatus},
    enrollments::EnrollmentState,
    events::{Event, EventKind},
    forecast::Binding,
    windows,
};
use serde::Serialize;

use super::check::Ended;

/// A campaign as it ended.
#[derive(Debug, Serialize)]
pub struct Outcome {
    pub name: String,
    pub status: CampaignStatus,
    pub sends: usize,
    /// How many people ended in which state.
    pub people: BTreeMap<EnrollmentState, usize>,
    /// Those on which something went out or was kept back, by its own calendar.
    pub days: Vec<Day>,
}

/// A day of a campaign.
#[derive(Debug, Serialize)]
pub struct Day {
    pub date: Date,
    pub sends: usize,
    /// The limits that one of its mails reached (CAP-4), and `campaign_limit` where it was its own.
    pub limits: BTreeSet<String>,
}

impl Outcome {
    /// Of all campaigns of a workspace. `moved`: when their daily limits became another.
    pub fn of(ended: &Ended, moved: &[(Timestamp, CampaignId, i64)]) -> Vec<Self> {
        let campaigns = ended.campaigns.iter();
        campaigns
            .map(|(campaign, _, first)| {
                let moved = moved.iter().filter(|(_, id, _)| *id == campaign.id);
                let moved: Vec<_> = moved.map(|(at, _, limit)| (*at, *limit)).collect();
                let limit = |at: Timestamp| {
                    let before = moved.iter().rfind(|(since, _)| *since <= at);
                    before.map_or(*first, |(_, limit)| *limit)
                };
                Self::of_one(campaign, ended, limit)
            })
            .collect()
    }

    fn of_one(campaign: &Campaign, ended: &Ended, limit: impl Fn(Timestamp) -> i64) -> Self {
        let mut people = BTreeMap::new();
        for (enrollment, _) in &ended.enrollments {
            if enrollment.campaign_id == campaign.id {
                *people.entry(enrollment.state).or_default() += 1;
            }
        }
        let zone = windows::zone(&campaign.time_zone).unwrap_or(TimeZone::UTC);
        let mut days: BTreeMap<Date, Day> = BTreeMap::new();
        let own = |event: &&Event| event.campaign_id == Some(campaign.id);
        for event in ended.events.iter().filter(own) {
            let date = zone.to_datetime(event.occurred_at.to_jiff()).date();
            let day = || Day {
                date,
                sends: 0,
                limits: BTreeSet::new(),
            };
            match event.kind {
                EventKind::EmailSent => {
                    let day = days.entry(date).or_insert_with(day);
                    day.sends += 1;
                    if day.sends as i64 >= limit(event.occurred_at) {
                        day.limits.insert(Binding::CampaignLimit.to_string());
                    }
                }
                EventKind::LimitHit => {
                    let limit = event.data["limitType"].as_str().unwrap_or_default();
                    let day = days.entry(date).or_insert_with(day);
                    day.limits.insert(limit.to_owned());
                }
                _ => {}
            }
        }
        Self {
            name: campaign.name.clone(),
            status: campaign.status,
            sends: days.values().map(|day| day.sends).sum(),
            people,
            days: days.into_values().collect(),
        }
    }
}
