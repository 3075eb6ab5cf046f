//! One transaction a workspace: what is due is looked at, the caps are read and reserved under the
//! workspace's lock, and what may go is handed out with its fixed Message-ID (CAP-2, SEQ-4).

mod place;
mod turn;

pub(super) use turn::hand_out;

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::tz::TimeZone;
use overture_domain::{
    AccountId, ActionId, CampaignId, EnrollmentId, JobId, ProspectId, Timestamp, VariantId,
    accounts::{Account, AccountStatus, Channel},
    campaigns::{Campaign, CampaignStatus, Step},
    caps::{Limit, Usage},
    enrollments::{Action, ActionState, Enrollment, EnrollmentState, Job, Lane},
    events::{Event, EventKind},
    planted::{Bug, planted},
    prospects::{NO_ADDRESS, NO_MX, Prospect, ProspectStatus, email_domain, email_key},
    windows,
};
use overture_store::{caps::Use, lanes::Look};
use serde_json::json;

use crate::Env;

use super::{
    compose::{self, Earlier, Held, Parts, Templates},
    enrollment_event, limits, plan,
    slots::{Room, Slot, Slots, Why},
    world::World,
    writes::{Fate, Mail, Writes},
};
use turn::Task;

/// Follow-ups before new prospects, or after them where their campaign says so (CAP-5), then the
/// campaigns in turn, the one first that has sent the least today (SCH-8), then the longest due.
fn in_turn<'a>(
    world: &World,
    usage: &Usage,
    mut order: Vec<(&'a Job, &'a Enrollment)>,
) -> Vec<(&'a Job, &'a Enrollment)> {
    let is_new = |enrollment: &Enrollment| enrollment.step_index == 0;
    let comes_later = |enrollment: &Enrollment| {
        let campaign = world.campaigns.get(&enrollment.campaign_id);
        is_new(enrollment) == campaign.is_none_or(|campaign| campaign.follow_ups_first)
    };
    order.sort_by_key(|(job, _)| (job.run_at, job.id));
    let mut turns: HashMap<(CampaignId, bool), i64> = HashMap::new();
    let mut placed: Vec<_> = order
        .into_iter()
        .map(|(job, enrollment)| {
            let of = (enrollment.campaign_id, is_new(enrollment));
            let turn = turns.entry(of).or_insert_with(|| {
                let campaign = world.campaigns.get(&enrollment.campaign_id);
                campaign.map_or(0, |campaign| {
                    usage.used(&limits::of_campaign(campaign), world.now)
                })
            });
            *turn += 1;
            ((comes_later(enrollment), *turn), (job, enrollment))
        })
        .collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, one)| one).collect()
}

/// The decisions of one transaction.
///
/// How many mails went between two domains today is read for all of them at once, after they are
/// made: there are as many pairs as mailboxes times recipients, few of them matter, and which is
/// not known before. Until then none is assumed to have had a mail. Where that would have made a
/// difference, all is decided anew.
struct Batch<'a> {
    env: &'a Env,
    world: &'a World,
    slots: Slots<'a>,
    /// Pairs of domains of which the usage is known.
    known: HashSet<String>,
    /// The others that a decision looked at.
    assumed: HashMap<String, Limit>,
    rooms: HashMap<Lane, Room<'a>>,
    /// Whom a mail goes to now, and from which campaigns.
    written_to: HashMap<ProspectId, Vec<CampaignId>>,
    templates: Templates,
    writes: Writes<'a>,
}

impl<'a> Batch<'a> {
    fn of(task: &Task<'a>, world: &'a World, (usage, known): (&Usage, &HashSet<String>)) -> Self {
        let mut batch = Self::new(task.env, world, usage.clone(), known.clone());
        let mut order: Vec<(&Job, &Enrollment)> = Vec::new();
        for job in &task.claimed {
            let id = job.subject_id.parse().ok();
            match id.and_then(|id: EnrollmentId| world.enrollments.get(&id)) {
                Some(enrollment) => order.push((job, enrollment)),
                None => batch.writes.left_over(job),
            }
        }
        for (job, enrollment) in in_turn(world, usage, order) {
            let fate = batch.decide(enrollment, task.hands);
            batch.writes.note(job, enrollment, fate);
        }
        batch
    }

    fn new(env: &'a Env, world: &'a World, usage: Usage, known: HashSet<String>) -> Self {
        let mut slots = Slots::new(world.now, usage);
        for account in world.accounts.values() {
            let pace = world.paces.get(&account.id).copied().unwrap_or_default();
            slots.add(account, pace, &*env.rng);
        }
        Self {
            env,
            world,
            slots,
            known,
            assumed: HashMap::new(),
            rooms: HashMap::new(),
            written_to: HashMap::new(),
            templates: Templates::default(),
            writes: Writes::new(env, world),
        }
    }

    fn decide(&mut self, enrollment: &Enrollment, hands: usize) -> Fate {
        let world = self.world;
        let (Some(campaign), Some(prospect)) = (
            world.campaigns.get(&enrollment.campaign_id),
            world.prospects.get(&enrollment.prospect_id),
        ) else {
            return Fate::Nothing;
        };
        if !enrollment.state.is_open() {
            return Fate::Nothing;
        }
        if campaign.status != CampaignStatus::Running {
            return Fate::Unplan(format!("the campaign is {}", campaign.status));
        }
        if campaign.end_at.is_some_and(|end| end <= world.now) {
            return Fate::Unplan("the campaign's end date has passed".to_owned());
        }
        if let Some(fate) = self.not_to_be_written_to(prospect) {
            return fate;
        }
        let zone = plan::zone_of(campaign, &prospect.time_zone);
        // They may have said so while the job was claimed, or waited for a retry.
        if let Some(until) = enrollment.not_before.filter(|until| *until > world.now) {
            let (at, _) = plan::clamp(campaign, &zone, until);
            return Fate::Defer(at, plan::AWAY.to_owned());
        }
        let Some(step) = world.step(enrollment) else {
            return Fate::Finish(
                EnrollmentState::Completed,
                "the sequence is through".to_owned(),
            );
        };
        let action = world.begun(enrollment);
        if let Some(fate) = action.and_then(|action| self.already(action)) {
            return fate;
        }
        // What it waited for has not come in all that time (SEQ-2).
        if step.kind.waits() {
            let reason = "the invitation was not accepted in time";
            return Fate::Finish(EnrollmentState::Stopped, reason.to_owned());
        }
        if world.lacks_address(enrollment) {
            return Fate::Park(EnrollmentState::InvalidProspect, NO_ADDRESS.to_owned());
        }
        let sticky = world.sticky(enrollment);
        if let Some(account) = sticky.filter(|a| a.status != AccountStatus::Connected) {
            let why = if account.status_reason.is_empty() {
                String::new()
            } else {
                format!(": {}", account.status_reason)
            };
            let reason = format!("{} is {}{why}", account.address, account.status);
            // `park` keeps the account, so that its return finds whom it holds.
            return Fate::Park(EnrollmentState::PausedAccount, reason);
        }
        let sticky = sticky.map(|account| account.id);
        let lane = plan::lane_of(
            campaign.id,
            sticky,
            (enrollment.step_index, step.kind),
            &zone,
        );
        let room = self
            .rooms
            .entry(lane.clone())
            .or_insert_with(|| Room::new(campaign, zone.clone(), world.places(enrollment, sticky)));
        if room.closed.is_some() || self.writes.mails.len() >= hands {
            return Fate::Wait(lane);
        }
        let Some(account) = self.slots.look(room) else {
            return Fate::Wait(lane);
        };
        let Some((slot, limits)) = self.place(enrollment, prospect, &lane, account) else {
            return Fate::Wait(lane);
        };
        if slot.at > world.now {
            return self.put_off(enrollment, &slot, &limits);
        }
        let thread = self.thread(enrollment);
        let first = world.first(enrollment).unwrap_or((step, None));
        self.compose(
            enrollment, campaign, step, first, prospect, action, &slot, &limits, &zone, &thread,
        )
    }

    /// What is known now of the lanes that were looked at or joined.
    fn looks(&mut self, lanes: &[Lane]) -> Vec<Look> {
        for room in self.rooms.values_mut().filter(|room| room.closed.is_none()) {
            self.slots.look(room);
        }
        let all: BTreeSet<Lane> = lanes.iter().chain(self.rooms.keys()).cloned().collect();
        all.into_iter()
            .map(|lane| Look {
                closed: self.rooms.get(&lane).and_then(|room| room.closed.clone()),
                lane,
            })
            .collect()
    }

    /// SEQ-3, SUP-1: looked at in the sending transaction.
    fn not_to_be_written_to(&self, prospect: &Prospect) -> Option<Fate> {
        if planted(Bug::SuppressedAllTheSame) {
            return None;
        }
        let (state, reason) = match prospect.status {
            ProspectStatus::Active
                if self.world.suppressed.contains(&email_key(&prospect.email)) =>
            {
                (
                    EnrollmentState::Suppressed,
                    "the address is suppressed".to_owned(),
                )
            }
            ProspectStatus::Active => return None,
            ProspectStatus::Invalid if prospect.status_reason == NO_MX => {
                let why = prospect.status_words().unwrap_or_default();
                return Some(Fate::Park(EnrollmentState::InvalidProspect, why));
            }
            ProspectStatus::Bounced => (EnrollmentState::Bounced, "the address bounced".to_owned()),
            ProspectStatus::Unsubscribed => (
                EnrollmentState::Unsubscribed,
                "the prospect unsubscribed".to_owned(),
            ),
            status => (
                EnrollmentState::Suppressed,
                format!("the prospect is {status}"),
            ),
        };
        Some(Fate::Finish(state, reason))
    }

    /// What was begun for this step before.
    fn already(&self, action: &Action) -> Option<Fate> {
        match action.state {
            ActionState::Done => Some(Fate::Next),
            // A process died between attempt and outcome.
            _ if self.world.attempted.contains_key(&action.id) => {
                Some(Fate::Ambiguous(Box::new(action.clone())))
            }
            ActionState::Ambiguous => Some(Fate::Ambiguous(Box::new(action.clone()))),
            ActionState::HandedOut | ActionState::Retrying => None,
            ActionState::Failed | ActionState::Cancelled => {
                let why = action.last_error.as_deref().unwrap_or("it was cancelled");
                Some(Fate::Finish(EnrollmentState::Failed, why.to_owned()))
            }
        }
    }

    /// The mails that this enrollment got before, oldest first (SEQ-4).
    fn thread(&self, enrollment: &Enrollment) -> Vec<Earlier> {
        if planted(Bug::ThreadLost) {
            return Vec::new();
        }
        let earlier = self.world.actions.get(&enrollment.id).into_iter().flatten();
        earlier
            .filter(|action| action.channel == Channel::Mail && action.state == ActionState::Done)
            .map(|action| Earlier {
                message_id: action.external_id.clone(),
                subject: self.world.subjects.get(&action.external_id).cloned(),
            })
            .collect()
    }

    fn put_off(&mut self, enrollment: &Enrollment, slot: &Slot, limits: &[Limit]) -> Fate {
        self.slots.take(slot, limits, &*self.env.rng);
        let reason = slot.why.as_ref().map(Why::words).unwrap_or_default();
        if slot.why == Some(Why::Spacing) {
            let day = windows::civil_day(self.world.now, &self.world.zone);
            let key = format!("limit:cooldown:{}:{day}", enrollment.prospect_id);
            self.writes.told.push(self.limit_hit(
                enrollment,
                slot.account,
                "cooldown",
                (1, 1),
                key,
            ));
        }
        Fate::Defer(slot.at, reason)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one step of `decide`, with all that it has found"
    )]
    fn compose(
        &mut self,
        enrollment: &Enrollment,
        campaign: &Campaign,
        step: &Step,
        first: (&Step, Option<VariantId>),
        prospect: &Prospect,
        action: Option<&Action>,
        slot: &Slot,
        limits: &[Limit],
        zone: &TimeZone,
        thread: &[Earlier],
    ) -> Fate {
        let world = self.world;
        let Some(account) = world.accounts.get(&slot.account) else {
            return Fate::Nothing;
        };
        // Handed out before, and nobody has said how it ended: its process died, and what was
        // reserved then is reserved anew now (CAP-2).
        if let Some(before) = action.filter(|action| {
            action.state == ActionState::HandedOut && action.account_id == account.id
        }) {
            self.writes
                .given_back(uses(limits, before.handed_out_at, -1));
        }
        let action = action.cloned().unwrap_or_else(|| {
            let id: ActionId = self.env.id();
            Action {
                id,
                workspace_id: world.workspace.id,
                campaign_id: campaign.id,
                enrollment_id: enrollment.id,
                step_id: step.id,
                step_index: step.step_index,
                variant_id: step.assign(enrollment.id),
                account_id: account.id,
                channel: step.channel,
                kind: step.kind,
                state: ActionState::HandedOut,
                external_id: external_id(id, account),
                deferrals: 0,
                last_error: None,
                handed_out_at: world.now,
                done_at: None,
            }
        });
        let parts = Parts {
            env: self.env,
            workspace: &world.workspace,
            campaign,
            step,
            variant: action.variant_id,
            first,
            enrollment,
            prospect,
            account,
            zone,
            thread,
            now: world.now,
        };
        let draft = match compose::draft(&mut self.templates, &parts) {
            Ok(draft) => draft,
            Err(Held(state, reason)) => return Fate::Park(state, reason),
        };
        let free_at = self.slots.take(slot, limits, &*self.env.rng);
        if step.channel == Channel::Mail {
            let by = self.written_to.entry(prospect.id).or_default();
            by.push(campaign.id);
        }
        if enrollment.step_index == 0 || !planted(Bug::FollowUpWithoutPace) {
            self.writes.pacers.insert(account.id, free_at);
        }
        self.limits_reached(enrollment, account, limits);
        let n = i64::from(!planted(Bug::NothingReserved));
        let reserved = uses(limits, world.now, n);
        Fate::Go(Box::new(Mail {
            job: JobId::from_uuid(action.id.uuid()),
            lease: None,
            sealed: None,
            action: Action {
                account_id: account.id,
                ..action
            },
            campaign: campaign.clone(),
            prospect: prospect.clone(),
            account: account.clone(),
            draft,
            reserved,
        }))
    }

    /// CAP-4: told once per limit, identifier and day.
    fn limits_reached(&mut self, enrollment: &Enrollment, account: &Account, limits: &[Limit]) {
        for limit in limits {
            let used = self.slots.usage.used(limit, self.world.now);
            if used >= limit.limit {
                metrics::counter!("overture_caps_reached_total", "cap" => limit.cap.name())
                    .increment(1);
            }
            if let Some(kind) = limit.cap.limit_type().filter(|_| used >= limit.limit) {
                let key = format!(
                    "limit:{}:{}:{}",
                    limit.cap,
                    limit.subject,
                    limit.bucket(self.world.now)
                );
                self.writes.told.push(self.limit_hit(
                    enrollment,
                    account.id,
                    kind,
                    (used, limit.limit),
                    key,
                ));
            }
        }
    }

    fn limit_hit(
        &self,
        enrollment: &Enrollment,
        account: AccountId,
        limit_type: &str,
        (used, limit): (i64, i64),
        dedup_key: String,
    ) -> Event {
        let data = json!({
            "limitType": limit_type,
            "mailboxId": account,
            "campaignId": enrollment.campaign_id,
            "currentValue": used,
            "limitValue": limit,
            "hitAt": self.world.now,
        });
        Event {
            account_id: Some(account),
            dedup_key: Some(dedup_key),
            data,
            ..enrollment_event(self.env, enrollment, EventKind::LimitHit, json!({}))
        }
    }
}

/// What an action is called outside: a Message-ID without brackets (SEQ-4), or the like of one.
fn external_id(id: ActionId, account: &Account) -> String {
    match account.channel {
        Channel::Mail => format!("{}@{}", id.uuid(), email_domain(&account.address)),
        channel => format!("{}@{channel}", id.uuid()),
    }
}

/// What one mail counts under each limit at a moment, so many times.
fn uses(limits: &[Limit], at: Timestamp, n: i64) -> Vec<Use> {
    let used = |limit: &Limit| Use {
        cap: limit.cap,
        subject: limit.subject.clone(),
        bucket: limit.bucket(at),
        n,
    };
    limits.iter().map(used).collect()
}
