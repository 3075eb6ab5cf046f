//! What became of each campaign: on which days its mails went out, what kept more back, and how it
//! and its people ended.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{civil::Date, tz::TimeZone};
use overture_domain::{
    campaigns::{Campaign, CampaignStatus},
    enrollments::EnrollmentState,
    events::{Event, EventKind},
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
    /// The limits that one of its mails reached (CAP-4).
    pub limits: BTreeSet<String>,
}

impl Outcome {
    /// Of all campaigns of a workspace.
    pub fn of(ended: &Ended) -> Vec<Self> {
        let campaigns = ended.campaigns.iter();
        campaigns
            .map(|(campaign, ..)| Self::of_one(campaign, ended))
            .collect()
    }

    fn of_one(campaign: &Campaign, ended: &Ended) -> Self {
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
                EventKind::EmailSent => days.entry(date).or_insert_with(day).sends += 1,
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
