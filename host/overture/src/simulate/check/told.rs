//! What the endpoint of a workspace's webhook was told of its events (API-7, API-8).

use std::{collections::BTreeMap, time::Duration};

use overture_domain::events::Event;

use super::{Checked, DAY, written};
use crate::simulate::sink::{EVENTS, Request};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// The waits after each request that failed.
const LADDER: [Duration; 10] = [
    MINUTE,
    MINUTE.saturating_mul(5),
    MINUTE.saturating_mul(15),
    HOUR,
    HOUR.saturating_mul(3),
    HOUR.saturating_mul(6),
    HOUR.saturating_mul(12),
    HOUR.saturating_mul(24),
    HOUR.saturating_mul(48),
    HOUR.saturating_mul(72),
];

impl Checked<'_, '_> {
    /// API-8: each event that was asked for is told, again by the ladder until it was taken or eleven
    /// requests were made, and nothing else is told. Only after a dead letter an endpoint is disabled.
    pub(super) fn events_told(&mut self) {
        let mut by_event: BTreeMap<&str, Vec<&Request>> = BTreeMap::new();
        for request in &self.of.requests {
            by_event.entry(&request.id).or_default().push(request);
        }
        let events = self.of.events.iter();
        let asked_for: BTreeMap<String, &Event> = events
            .filter(|event| EVENTS.contains(&event.kind))
            .map(|event| (event.id.to_string(), event))
            .collect();
        let mut broken = Vec::new();
        for (id, requests) in &by_event {
            if !asked_for.contains_key(*id) {
                broken.push(("API-8", format!("{id} was told, and nobody asked for it")));
            }
            if requests.iter().any(|request| !request.signed) {
                broken.push(("API-7", format!("{id} was told without its signature")));
            }
        }
        let deaths = self.evidence.deaths;
        for (id, event) in &asked_for {
            let none = Vec::new();
            let requests = by_event.get(id.as_str()).unwrap_or(&none);
            // A process that dies beside a request makes it again.
            let answered = requests.iter().position(|request| request.answered);
            let after = answered.map_or(0, |at| requests.len() - at - 1);
            if requests.len() > LADDER.len() + 1 + deaths || after > deaths {
                let n = requests.len();
                broken.push((
                    "API-8",
                    format!("{id} was told {n} times, {after} after it was taken"),
                ));
            }
            if answered.is_some() || requests.len() > LADDER.len() || self.of.hook_disabled {
                continue;
            }
            let last = requests.iter().map(|request| request.at).max();
            let since = last.or_else(|| written(event));
            let wait = match requests.len() {
                0 => Duration::ZERO,
                n => LADDER[n - 1].mul_f64(1.1),
            };
            // The process may have been gone for a day and a half.
            if since.is_some_and(|at| at + wait + DAY * 2 < self.evidence.end) {
                let n = requests.len();
                broken.push((
                    "API-8",
                    format!(
                        "{} {id} of {} was told {n} times, and not taken",
                        event.kind, event.occurred_at
                    ),
                ));
            }
        }
        let dead = by_event
            .values()
            .any(|all| all.len() > LADDER.len() && !all.iter().any(|request| request.answered));
        if self.of.hook_disabled && !dead {
            let what = "the webhook was disabled, and all of its events were taken";
            broken.push(("API-8", what.to_owned()));
        }
        for (rule, what) in broken {
            self.found.add(rule, what);
        }
    }
}
