//! Firms, their people, and what was sent to them: two campaigns of three steps from two mailboxes.

use std::{collections::HashMap, time::Duration};

use overture_domain::{
    ActionId, EnrollmentId, Rng, Timestamp,
    accounts::{Account, Channel},
    campaigns::StepKind,
    enrollments::{Action, ActionState},
    rng::SeededRng,
};
use overture_store::{actions, enrollments, prospects};

use crate::world::{World, prospect};

/// Threads between a mailbox and a contact, on each database.
const CONVERSATIONS: usize = 5_000;

const STEPS: i64 = 3;

/// One thread with a contact.
pub(super) struct Conversation {
    pub(super) enrollment: EnrollmentId,
    pub(super) mailbox: usize,
    /// Of the mails that went out, in their order.
    pub(super) ids: Vec<String>,
}

/// Somebody whom we wrote to, once or in two campaigns.
pub(super) struct Contact {
    pub(super) email: String,
    pub(super) conversations: Vec<Conversation>,
}

/// Where a conversation stands: of which firm, of which contact, which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) firm: usize,
    /// Counted over all firms.
    pub(super) contact: usize,
    pub(super) conversation: usize,
}

pub(super) struct People {
    pub(super) mailboxes: [Account; 2],
    pub(super) contacts: Vec<Contact>,
    /// The contacts of each.
    pub(super) firms: Vec<Vec<usize>>,
}

pub(super) const SENDERS: [&str; 2] = ["ada@sender.test", "bob@sender.test"];

impl People {
    /// Everybody, as if all of it had been sent a day ago.
    pub(super) async fn write(world: &World, rng: &SeededRng) -> Self {
        let mailboxes = [
            world.mailbox.clone(),
            world.another_mailbox(SENDERS[1]).await,
        ];
        let mut people = Self {
            mailboxes,
            contacts: Vec::new(),
            firms: Vec::new(),
        };
        let mut n = 0;
        while n < CONVERSATIONS {
            let firm = people.firms.len();
            let mut members = Vec::new();
            for member in 0..=rng.below(3) {
                let conversations = 1 + usize::from(rng.below(10) == 0);
                n += conversations;
                members.push(people.contacts.len());
                let one = |_| Conversation {
                    enrollment: world.env().id(),
                    mailbox: rng.below(2) as usize,
                    ids: (0..=rng.below(3)).map(|_| message_id(world)).collect(),
                };
                let email = format!("person{member}@firm{firm}.test");
                people.contacts.push(Contact {
                    email,
                    conversations: (0..conversations).map(one).collect(),
                });
            }
            people.firms.push(members);
        }
        people.insert(world).await;
        people
    }

    async fn insert(&self, world: &World) {
        let (env, ws, now) = (world.env(), world.ws, world.now());
        let campaigns = [
            world.another_campaign(STEPS).await,
            world.another_campaign(STEPS).await,
        ];
        let written: Vec<_> = self
            .contacts
            .iter()
            .map(|contact| prospect(env, ws, &contact.email))
            .collect();
        let mut tx = env.db.begin().await.unwrap();
        for some in written.chunks(1_000) {
            prospects::insert(&mut tx, some).await.unwrap();
        }
        for (nth, (campaign, steps)) in campaigns.iter().enumerate() {
            let of: Vec<_> = self
                .contacts
                .iter()
                .zip(&written)
                .filter_map(|(contact, prospect)| Some((contact.conversations.get(nth)?, prospect)))
                .collect();
            for some in of.chunks(1_000) {
                let enrolled: Vec<_> = some
                    .iter()
                    .map(|(one, prospect)| (one.enrollment, *prospect))
                    .collect();
                enrollments::insert(&mut tx, ws, *campaign, &enrolled, true, now)
                    .await
                    .unwrap();
                let acting: Vec<_> = some
                    .iter()
                    .map(|(one, _)| (one.enrollment, self.mailboxes[one.mailbox].id))
                    .collect();
                enrollments::set_acting(&mut tx, ws, &acting, now)
                    .await
                    .unwrap();
                let sent: Vec<Action> = some
                    .iter()
                    .flat_map(|(one, _)| {
                        one.ids
                            .iter()
                            .zip(steps)
                            .enumerate()
                            .map(|(index, (id, step))| Action {
                                id: env.id(),
                                workspace_id: ws,
                                campaign_id: *campaign,
                                enrollment_id: one.enrollment,
                                step_id: *step,
                                step_index: index as i64,
                                variant_id: None,
                                account_id: self.mailboxes[one.mailbox].id,
                                channel: Channel::Mail,
                                kind: StepKind::Email,
                                state: ActionState::Done,
                                external_id: id.clone(),
                                deferrals: 0,
                                last_error: None,
                                handed_out_at: sent_at(now, nth, index),
                                done_at: None,
                            })
                    })
                    .collect();
                actions::insert(&mut tx, &sent).await.unwrap();
            }
        }
        tx.commit().await.unwrap();
    }

    pub(super) fn at(&self, place: Place) -> &Conversation {
        &self.contacts[place.contact].conversations[place.conversation]
    }

    pub(super) fn contact(&self, place: Place) -> &Contact {
        &self.contacts[place.contact]
    }

    /// Every conversation.
    pub(super) fn places(&self) -> Vec<Place> {
        let of_contact = |firm, contact: usize| {
            let conversations = 0..self.contacts[contact].conversations.len();
            conversations.map(move |conversation| Place {
                firm,
                contact,
                conversation,
            })
        };
        let firms = self.firms.iter().enumerate();
        firms
            .flat_map(|(firm, members)| {
                members
                    .iter()
                    .flat_map(move |contact| of_contact(firm, *contact))
            })
            .collect()
    }

    pub(super) fn owners(&self) -> HashMap<EnrollmentId, Place> {
        self.places()
            .into_iter()
            .map(|place| (self.at(place).enrollment, place))
            .collect()
    }
}

/// The second campaign was later.
fn sent_at(now: Timestamp, campaign: usize, step: usize) -> Timestamp {
    now - Duration::from_secs(86_400) + Duration::from_secs(60 * (10 * campaign + step) as u64)
}

fn message_id(world: &World) -> String {
    let id: ActionId = world.env().id();
    format!("{id}@sender.test")
}
