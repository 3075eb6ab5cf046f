//! The place of one mail in a lane that has room: that of its lane, or another where something holds
//! it alone.

use super::{
    super::slots::{Place, SPACING, Slot, Wish},
    Batch,
};
use overture_domain::{
    AccountId, Timestamp,
    accounts::Channel,
    caps::{Cap, Limit, Usage},
    enrollments::{Enrollment, Lane},
    prospects::Prospect,
};

impl Batch<'_> {
    /// Where and when a mail goes for which there is room now at `account`, and the limits that it
    /// counts under: there and now, unless something holds it alone.
    pub(super) fn place(
        &mut self,
        enrollment: &Enrollment,
        prospect: &Prospect,
        lane: &Lane,
        account: AccountId,
    ) -> Option<(Slot, Vec<Limit>)> {
        let world = self.world;
        let other_campaign_at = self.other_campaign_at(enrollment);
        let places = self
            .rooms
            .get(lane)
            .into_iter()
            .flat_map(|room| &room.places);
        let limits_at = |place: &Place<'_>| {
            let room = (place.account, place.limits);
            world.limits_at(room, enrollment, prospect)
        };
        let here = places.clone().find(|place| place.account == account);
        let limits = here.and_then(limits_at)?;
        self.assume(&limits);
        // The room has said so: of all of them, only the mail's own can bind.
        if other_campaign_at.is_none_or(|at| at + SPACING <= world.now)
            && self.slots.usage.binding(&limits, world.now).is_none()
        {
            let slot = Slot {
                account,
                at: world.now,
                why: None,
            };
            return Some((slot, limits));
        }
        let room = self.rooms.get(lane)?;
        let all: Vec<Vec<Limit>> = room.places.iter().filter_map(limits_at).collect();
        self.assume(&all.concat());
        let room = self.rooms.get(lane)?;
        let candidates = room.places.iter().zip(&all);
        let candidates: Vec<Place<'_>> = candidates
            .map(|(place, limits)| Place::new(place.account, place.weight, limits))
            .collect();
        let wish = Wish {
            campaign: room.campaign,
            zone: &room.zone,
            candidates: &candidates,
            other_campaign_at,
        };
        let slot = self.slots.first(&wish)?;
        let mut candidates = candidates.iter();
        let place = candidates.find(|place| place.account == slot.account);
        let limits = place.map_or_else(Vec::new, |place| place.limits.to_vec());
        Some((slot, limits))
    }

    /// The last mail of another campaign to the prospect, where the next step is one as well: one that
    /// goes now, or one from before (CAP-1).
    fn other_campaign_at(&self, enrollment: &Enrollment) -> Option<Timestamp> {
        let mails = self.world.kind(enrollment).channel() == Channel::Mail;
        let by = self.written_to.get(&enrollment.prospect_id);
        let by_another = by.is_some_and(|by| by.iter().any(|id| *id != enrollment.campaign_id));
        if mails && by_another {
            return Some(self.world.now);
        }
        self.world.other_campaign_at(enrollment)
    }

    /// Notes of which pairs of domains it is assumed that no mail went between them.
    fn assume(&mut self, limits: &[Limit]) {
        for limit in limits {
            if limit.cap == Cap::RecipientDomainDaily && !self.known.contains(&limit.subject) {
                let subject = limit.subject.clone();
                self.assumed.entry(subject).or_insert_with(|| limit.clone());
            }
        }
    }

    /// The limits of those pairs.
    pub(super) fn assumed(&self) -> Vec<Limit> {
        self.assumed.values().cloned().collect()
    }

    /// Whether the decisions would have been the same had it been known how many mails went between
    /// these pairs: none of them was full, and none is full or filled now.
    pub(super) fn stands(&self, assumed: &[Limit], read: &Usage) -> bool {
        let now = self.world.now;
        assumed.iter().all(|limit| {
            let before = read.used(limit, now);
            before == 0 || before + self.slots.usage.used(limit, now) < limit.limit
        })
    }
}
