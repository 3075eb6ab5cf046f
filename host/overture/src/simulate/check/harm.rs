//! Sending that stops because it does harm (SAF-1, SAF-2), and campaigns that don't run.

use std::{collections::BTreeSet, time::Duration};

use overture_domain::{
    CampaignId, Timestamp,
    events::{Event, EventKind},
};

use super::{Checked, DAY, written};

/// What is known at a moment may stop nothing that leaves in the same.
const AT_ONCE: Duration = Duration::from_secs(60);

/// Who stops campaigns for it, in the audit.
const SHIELD: &str = "engine:SAF-2";

impl Checked<'_, '_> {
    /// SEQ-11: nothing leaves a campaign that doesn't run.
    pub(super) fn while_it_runs(&mut self) {
        for (campaign, ..) in &self.of.campaigns {
            let spans = self.running(campaign.id);
            let mails = self.mails.iter();
            let of = mails.filter(|mail| mail.enrollment.campaign_id == campaign.id);
            for mail in of {
                let at = mail.taken.at;
                let runs = |(from, to): &(Timestamp, Timestamp)| {
                    (*from <= at || self.at_once(*from, at)) && (at <= *to || self.at_once(at, *to))
                };
                if !spans.iter().any(runs) {
                    let what = format!(
                        "{} was written to at {at}; {} did not run",
                        mail.taken.to, campaign.name
                    );
                    self.found.add("SEQ-11", what);
                }
            }
        }
    }

    /// SAF-1: more than 5 % of 50 mails and more of a week came back, or three people reported them:
    /// the campaign stops, for a day at least, or the mailbox that causes it.
    pub(super) fn after_too_much_came_back(&mut self) {
        for (campaign, ..) in &self.of.campaigns {
            let id = campaign.id;
            for (from, to) in self.rests(id) {
                if from + DAY > to {
                    let what = format!("{} rested from {from} to {to} alone", campaign.name);
                    self.found.add("SAF-1", what);
                }
            }
            for known in self.moments(&[EventKind::EmailBounced, EventKind::EmailComplained], id) {
                let runs = self.running(id);
                let Some((_, end)) = runs
                    .iter()
                    .find(|(from, to)| *from <= known && known <= *to)
                else {
                    continue;
                };
                if self.in_trouble(id, known)
                    && self.mailboxes_left(id, known)
                    && let Some(mail) = self.mails.iter().find(|mail| {
                        mail.enrollment.campaign_id == id
                            && mail.taken.at > known + AT_ONCE
                            && mail.taken.at <= *end
                    })
                {
                    let what = format!(
                        "{} had trouble enough at {known}, and wrote to {} at {}",
                        campaign.name, mail.taken.to, mail.taken.at
                    );
                    self.found.add("SAF-1", what);
                    break;
                }
            }
        }
    }

    /// SAF-2: more than 10 % of the workspace's last 200 mails, 50 at least, came back: nothing leaves
    /// until a person lets a campaign run again. Mails before that count no more; it may have happened
    /// between two bounces, when the fiftieth mail went out.
    pub(super) fn under_the_shield(&mut self) {
        let events = self.of.events.iter();
        let bounces: Vec<_> = events
            .filter(|one| one.kind == EventKind::EmailBounced)
            .collect();
        let audit = self.of.audit.iter().filter(|row| row.actor == SHIELD);
        let trips: Vec<_> = audit.map(|row| row.at).collect();
        let mut tripped = Timestamp::default();
        for bounce in &bounces {
            let Some(known) = written(bounce) else {
                continue;
            };
            let before = trips.iter().filter(|at| **at < bounce.occurred_at);
            tripped = before.copied().fold(tripped, Timestamp::max);
            let sends = self.of.events.iter().filter(|one| {
                one.kind == EventKind::EmailSent
                    && one.occurred_at > tripped
                    && written(one).is_some_and(|at| at <= known)
            });
            let mut sends: Vec<_> = sends.map(|one| one.occurred_at).collect();
            sends.sort();
            let last = &sends[sends.len().saturating_sub(200)..];
            let Some(oldest) = last.first().filter(|_| last.len() >= 50) else {
                continue;
            };
            let back = bounces.iter().filter(|one| {
                one.occurred_at > tripped
                    && one.occurred_at >= *oldest
                    && written(one).is_some_and(|at| at <= known)
            });
            if back.count() * 100 <= 10 * last.len() {
                continue;
            }
            tripped = known;
            let resumed = |id: CampaignId, at: Timestamp| {
                self.became(id, "running")
                    .any(|resumed| resumed > known && resumed <= at)
            };
            let mail = self.mails.iter().find(|mail| {
                mail.taken.at > known + AT_ONCE
                    && !resumed(mail.enrollment.campaign_id, mail.taken.at)
            });
            if let Some(mail) = mail {
                let what = format!(
                    "too much came back by {known}, and {} was written to at {}",
                    mail.taken.to, mail.taken.at
                );
                self.found.add("SAF-2", what);
            }
        }
    }

    /// When a campaign got a status.
    fn became(&self, id: CampaignId, status: &'static str) -> impl Iterator<Item = Timestamp> {
        let changes = self.of.events.iter().filter(move |event| {
            event.campaign_id == Some(id)
                && event.kind == EventKind::CampaignStatusChanged
                && event.data["toStatus"] == status
        });
        changes.map(|event| event.occurred_at)
    }

    /// The spans over which a campaign rested, and after which it ran.
    fn rests(&self, id: CampaignId) -> Vec<(Timestamp, Timestamp)> {
        let mut spans = Vec::new();
        let mut since = None;
        for event in self.of.events.iter().filter(|event| {
            event.campaign_id == Some(id) && event.kind == EventKind::CampaignStatusChanged
        }) {
            let ran = since.take().filter(|_| event.data["toStatus"] == "running");
            spans.extend(ran.map(|from| (from, event.occurred_at)));
            if event.data["toStatus"] == "cooldown" {
                since = Some(event.occurred_at);
            }
        }
        spans
    }

    /// When events of these kinds of a campaign were known.
    fn moments(&self, kinds: &[EventKind], id: CampaignId) -> Vec<Timestamp> {
        let events = self.of.events.iter();
        let of = events.filter(|one| one.campaign_id == Some(id) && kinds.contains(&one.kind));
        of.filter_map(written).collect()
    }

    /// Whether a campaign's numbers are bad, of seven days as well as of an hour more.
    fn in_trouble(&self, id: CampaignId, known: Timestamp) -> bool {
        let of = |kind: EventKind, from: Timestamp| {
            let counts = |one: &&Event| {
                one.campaign_id == Some(id)
                    && one.kind == kind
                    && one.occurred_at >= from
                    && written(one).is_some_and(|at| at <= known)
            };
            self.of.events.iter().filter(counts).count()
        };
        [DAY * 7, DAY * 7 + Duration::from_secs(3_600)]
            .iter()
            .all(|back| {
                let from = known - *back;
                let (sends, bounces) = (
                    of(EventKind::EmailSent, from),
                    of(EventKind::EmailBounced, from),
                );
                let complaints = of(EventKind::EmailComplained, from);
                complaints >= 3 || sends >= 50 && bounces * 100 > 5 * sends
            })
    }

    /// Whether all mailboxes that sent for a campaign still send at a moment: what one has done that
    /// is out of service counts no more.
    fn mailboxes_left(&self, id: CampaignId, known: Timestamp) -> bool {
        let sent = self.of.events.iter();
        let sent =
            sent.filter(|one| one.campaign_id == Some(id) && one.kind == EventKind::EmailSent);
        let senders: BTreeSet<String> = sent
            .filter_map(|one| Some(one.account_id?.to_string()))
            .collect();
        !self.of.audit.iter().any(|row| {
            senders.contains(&row.subject_id)
                && row.to_status != "connected"
                && row.at <= known + AT_ONCE
        })
    }
}
