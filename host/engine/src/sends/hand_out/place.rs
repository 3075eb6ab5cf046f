//! The place of one mail in a lane that has room: that of its lane, or another where something holds
//! it alone.

use overture_domain::{
    AccountId,
    caps::{Cap, Limit},
    enrollments::{Enrollment, Lane},
    prospects::Prospect,
};
use overture_store::{Tx, caps};

use crate::Result;

use super::{
    super::slots::{Place, SPACING, Slot, Wish},
    Batch,
};

impl Batch<'_> {
    /// Where and when a mail goes for which there is room now at `account`, and the limits that it
    /// counts under: there and now, unless something holds it alone.
    pub(super) async fn place(
        &mut self,
        tx: &mut Tx,
        enrollment: &Enrollment,
        prospect: &Prospect,
        lane: &Lane,
        account: AccountId,
    ) -> Result<Option<(Slot, Vec<Limit>)>> {
        let world = self.world;
        let other_campaign_at = world.other_campaign_at(enrollment);
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
        let Some(limits) = here.and_then(limits_at) else {
            return Ok(None);
        };
        self.count_domains(tx, &limits).await?;
        // The room has said so: of all of them, only the mail's own can bind.
        if other_campaign_at.is_none_or(|at| at + SPACING <= world.now)
            && self.slots.usage.binding(&limits, world.now).is_none()
        {
            let slot = Slot {
                account,
                at: world.now,
                why: None,
            };
            return Ok(Some((slot, limits)));
        }
        let Some(room) = self.rooms.get(lane) else {
            return Ok(None);
        };
        let all: Vec<Vec<Limit>> = room.places.iter().filter_map(limits_at).collect();
        self.count_domains(tx, &all.concat()).await?;
        let Some(room) = self.rooms.get(lane) else {
            return Ok(None);
        };
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
        let slot = self.slots.first(&wish);
        Ok(slot.map(|slot| {
            let place = candidates
                .iter()
                .find(|place| place.account == slot.account);
            let limits = place.map_or_else(Vec::new, |place| place.limits.to_vec());
            (slot, limits)
        }))
    }

    /// Reads how many mails went between domains, where it isn't known yet. There are as many
    /// pairs as mailboxes times recipients, and few of them are looked at.
    async fn count_domains(&mut self, tx: &mut Tx, limits: &[Limit]) -> Result<()> {
        let unknown: Vec<Limit> = limits
            .iter()
            .filter(|limit| limit.cap == Cap::RecipientDomainDaily)
            .filter(|limit| self.domains.insert(limit.subject.clone()))
            .cloned()
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let (ws, now) = (self.world.workspace.id, self.world.now);
        self.slots
            .usage
            .extend(caps::usage(tx, ws, &unknown, now).await?);
        Ok(())
    }
}
