//! Everything that the decisions of one hand-out look at, read in a few statements.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use jiff::tz::TimeZone;
use overture_domain::{
    AccountId, ActionId, AttemptId, CampaignId, EnrollmentId, ProspectId, Timestamp, VariantId,
    WorkspaceId,
    accounts::{Account, AccountStatus, Channel},
    campaigns::{Campaign, CampaignStatus, PoolAccount, Step, StepKind},
    caps::{Cap, Limit, Usage},
    enrollments::{Action, ActionState, Enrollment, Job},
    people::Workspace,
    planted::{Bug, planted},
    prospects::Prospect,
    windows,
};
use overture_store::{
    Read, accounts, actions, campaigns, enrollments, messages, people, prospects, suppressions,
};

use crate::{Env, Error, Result};

use super::{
    actuals,
    limits::{self, Presets},
    slots::Place,
};

/// After a false cap hit (SCH-6).
const RECHECK: Duration = Duration::from_secs(5 * 60);

/// What the decisions look at.
pub(super) struct World {
    pub now: Timestamp,
    pub workspace: Workspace,
    pub zone: TimeZone,
    pub presets: Presets,
    pub enrollments: HashMap<EnrollmentId, Enrollment>,
    pub prospects: HashMap<ProspectId, Prospect>,
    pub campaigns: HashMap<CampaignId, Campaign>,
    pub steps: HashMap<CampaignId, Vec<Step>>,
    pub pools: HashMap<CampaignId, Vec<PoolAccount>>,
    pub accounts: HashMap<AccountId, Account>,
    pub paces: HashMap<AccountId, i64>,
    pub actions: HashMap<EnrollmentId, Vec<Action>>,
    /// Actions with an attempt that may have sent the mail (SAFE-3).
    pub attempted: HashMap<ActionId, AttemptId>,
    pub suppressed: HashSet<String>,
    pub last_mails: HashMap<ProspectId, Vec<(CampaignId, Timestamp)>>,
    /// The subjects of the mails that went out before, by their Message-IDs (SEQ-4).
    pub subjects: HashMap<String, String>,
    /// What a campaign's mails from a mailbox count under, whomever they go to, for each mailbox
    /// that somebody's mail may go from; first steps count under more (CAP-5).
    room: HashMap<(CampaignId, AccountId, Sort), Vec<Limit>>,
}

/// What steps that share their room have in common: the kind, and whether they are first ones.
type Sort = (StepKind, bool);

impl World {
    pub(super) async fn load(
        on: &mut impl Read,
        env: &Env,
        ws: WorkspaceId,
        claimed: &[Job],
        presets: Presets,
    ) -> Result<Self> {
        let now = env.now();
        let workspace = people::find_workspace(on, ws)
            .await?
            .ok_or(Error::NotFound("workspace"))?;
        let ids: Vec<EnrollmentId> = claimed
            .iter()
            .filter_map(|job| job.subject_id.parse().ok())
            .collect();
        let enrollments = enrollments::list_by_ids(on, ws, &ids).await?;
        let of = |pick: fn(&Enrollment) -> CampaignId| {
            let unique: HashSet<CampaignId> = enrollments.iter().map(pick).collect();
            unique.into_iter().collect::<Vec<_>>()
        };
        let campaign_ids = of(|enrollment| enrollment.campaign_id);
        let prospect_ids: Vec<ProspectId> = enrollments
            .iter()
            .map(|enrollment| enrollment.prospect_id)
            .collect();
        let prospects = prospects::list_by_ids(on, ws, &prospect_ids).await?;
        let emails: Vec<String> = prospects
            .iter()
            .map(|prospect| prospect.email.clone())
            .collect();
        let actions = actions::list_by_enrollments(on, ws, &ids).await?;
        let action_ids: Vec<ActionId> = actions.iter().map(|action| action.id).collect();
        let done = actions
            .iter()
            .filter(|action| action.state == ActionState::Done);
        let message_ids: Vec<&str> = done.map(|action| action.external_id.as_str()).collect();
        let subjects = messages::sent_subjects(on, ws, &message_ids).await?;
        let mut pools: HashMap<CampaignId, Vec<PoolAccount>> = HashMap::new();
        for (campaign, account) in campaigns::list_pools(on, ws, &campaign_ids).await? {
            pools.entry(campaign).or_default().push(account);
        }
        let account_ids: Vec<AccountId> = pools
            .values()
            .flatten()
            .map(|account| account.account_id)
            .chain(
                enrollments
                    .iter()
                    .filter_map(|enrollment| enrollment.account_id),
            )
            .chain(actions.iter().map(|action| action.account_id))
            .collect::<HashSet<_>>()
            .into_iter()
            .collect();
        let mut last_mails: HashMap<ProspectId, Vec<(CampaignId, Timestamp)>> = HashMap::new();
        for (prospect, campaign, at) in enrollments::last_mails(on, ws, &prospect_ids).await? {
            last_mails.entry(prospect).or_default().push((campaign, at));
        }
        let mut world = Self {
            now,
            zone: windows::zone(&workspace.time_zone).unwrap_or(TimeZone::UTC),
            workspace,
            presets,
            prospects: by(prospects, |prospect| prospect.id),
            campaigns: by(
                campaigns::list_by_ids(on, ws, &campaign_ids).await?,
                |campaign| campaign.id,
            ),
            steps: grouped(
                campaigns::list_steps(on, ws, &campaign_ids).await?,
                |step| step.campaign_id,
            ),
            pools,
            accounts: by(accounts::find_all(on, ws, &account_ids).await?, |account| {
                account.id
            }),
            paces: campaigns::list_paces(on, ws, &account_ids)
                .await?
                .into_iter()
                .collect(),
            actions: grouped(actions, |action| action.enrollment_id),
            attempted: actions::attempted(on, ws, &action_ids).await?,
            suppressed: suppressions::among(on, ws, &emails).await?,
            last_mails,
            subjects,
            enrollments: by(enrollments, |enrollment| enrollment.id),
            room: HashMap::new(),
        };
        world.share_paces();
        world.room = world.all_room();
        Ok(world)
    }

    /// A follow-up goes from its mailbox also where the campaign has that in its pool no more; they
    /// share it all the same (SCH-4).
    fn share_paces(&mut self) {
        let shared: Vec<_> = (self.enrollments.values())
            .filter_map(|enrollment| {
                let campaign = self.campaigns.get(&enrollment.campaign_id)?;
                let runs = campaign.status == CampaignStatus::Running;
                let account = self.sticky(enrollment).filter(|_| runs)?;
                Some((account.id, campaign.minutes_between_sends))
            })
            .collect();
        for (account, minutes) in shared {
            let pace = self.paces.entry(account).or_default();
            *pace = minutes.max(*pace);
        }
    }

    fn all_room(&self) -> HashMap<(CampaignId, AccountId, Sort), Vec<Limit>> {
        let lanes = self.enrollments.values().map(|enrollment| {
            let only = self.sticky(enrollment).map(|account| account.id);
            let sort = (self.kind(enrollment), is_first(enrollment, only));
            (enrollment.campaign_id, only, sort)
        });
        let lanes: HashSet<_> = lanes.collect();
        let mut room = HashMap::new();
        for (campaign, only, sort) in lanes {
            let Some(campaign) = self.campaigns.get(&campaign) else {
                continue;
            };
            for account in self.senders(campaign.id, only, sort.0) {
                let place = room.entry((campaign.id, account.id, sort));
                place.or_insert_with(|| {
                    limits::of_room(account, campaign, sort, &self.zone, &self.presets)
                });
            }
        }
        room
    }

    /// Every limit that counts for somebody here whatever mailbox their mail goes from, once.
    pub(super) fn limits(&self) -> Vec<Limit> {
        let prospects = self.prospects.values();
        let of_prospects = prospects.map(|prospect| limits::of_prospect(prospect, &self.zone));
        let campaigns = self.campaigns.values();
        let of_first_steps = campaigns.filter_map(limits::of_first_step);
        let mut seen = HashSet::new();
        let room = self.room.values().flatten().cloned();
        room.chain(of_prospects)
            .chain(of_first_steps)
            .filter(|limit| seen.insert((limit.cap, limit.subject.clone())))
            .collect()
    }

    /// Holds counters that leave no room against what happened (SCH-6). Whether one says more.
    pub(super) async fn look_at_full(
        &self,
        on: &mut impl Read,
        env: &Env,
        limits: &[Limit],
        usage: &mut Usage,
    ) -> Result<bool> {
        let (ws, now) = (self.workspace.id, self.now);
        let full = |limit: &Limit, used: i64| {
            let (cap, subject) = (limit.cap, limit.subject.clone());
            (ws, cap, subject, limit.bucket(now), used)
        };
        let mut unknown = Vec::new();
        for limit in limits.iter().filter(|limit| limit.cap.is_daily()) {
            let used = usage.used(limit, now);
            if used >= limit.limit && !env.counters.is_right(&full(limit, used)) {
                unknown.push(limit);
            }
        }
        let doubted = actuals::false_hits(on, ws, &unknown, now).await?;
        for limit in unknown {
            if doubted.iter().any(|doubted| std::ptr::eq(*doubted, limit)) {
                usage.doubt(limit, now + RECHECK);
            } else {
                let used = usage.used(limit, now);
                env.counters.note_right(full(limit, used));
            }
        }
        Ok(!doubted.is_empty())
    }

    /// The account that an enrollment's next step sticks to: that of its earlier ones, where they
    /// went through the same channel. A mail that was begun keeps its mailbox as well: its
    /// Message-ID carries the domain (SEQ-4).
    pub(super) fn sticky(&self, enrollment: &Enrollment) -> Option<&Account> {
        if planted(Bug::AnyMailbox) {
            return None;
        }
        let channel = self.kind(enrollment).channel();
        let earlier = self.actions.get(&enrollment.id).into_iter().flatten();
        let earlier = earlier.rev().map(|action| action.account_id);
        let mut known = enrollment.account_id.into_iter().chain(earlier);
        known.find_map(|id| self.accounts.get(&id).filter(|one| one.channel == channel))
    }

    /// The kind of the step at which an enrollment stands.
    pub(super) fn kind(&self, enrollment: &Enrollment) -> StepKind {
        self.step(enrollment)
            .map_or(StepKind::Email, |step| step.kind)
    }

    /// The step at which an enrollment stands.
    pub(super) fn step(&self, enrollment: &Enrollment) -> Option<&Step> {
        let mut steps = self.steps.get(&enrollment.campaign_id)?.iter();
        steps.find(|step| step.step_index == enrollment.step_index)
    }

    /// Whether the next step is a mail to somebody whose address nobody knows (PR-1).
    pub(super) fn lacks_address(&self, enrollment: &Enrollment) -> bool {
        let prospect = self.prospects.get(&enrollment.prospect_id);
        let step = self.step(enrollment);
        step.is_some_and(|step| step.channel == Channel::Mail)
            && prospect.is_some_and(|prospect| prospect.address().is_none())
    }

    /// The action of that step, where it was handed out before.
    pub(super) fn begun(&self, enrollment: &Enrollment) -> Option<&Action> {
        let step = self.step(enrollment)?;
        let mut actions = self.actions.get(&enrollment.id)?.iter();
        actions.find(|action| action.step_id == step.id)
    }

    /// The first mail, whose subject the thread has, and the variant of it that the enrollment got.
    pub(super) fn first(&self, enrollment: &Enrollment) -> Option<(&Step, Option<VariantId>)> {
        let mut steps = self.steps.get(&enrollment.campaign_id)?.iter();
        let step = steps.find(|step| step.kind == StepKind::Email)?;
        let mut earlier = self.actions.get(&enrollment.id).into_iter().flatten();
        let sent = earlier.find(|action| action.step_id == step.id);
        let variant = sent.map_or_else(|| step.assign(enrollment.id), |action| action.variant_id);
        Some((step, variant))
    }

    /// The connected accounts that a lane's steps may go from: the one that they stick to, also
    /// when it has left the pool meanwhile (ROT-1), or any of the pool.
    pub(super) fn senders(
        &self,
        campaign: CampaignId,
        only: Option<AccountId>,
        kind: StepKind,
    ) -> impl Iterator<Item = &Account> {
        let pool = self.pools.get(&campaign).into_iter().flatten();
        let pooled = pool.filter(move |account| account.active && only.is_none());
        pooled
            .map(|account| account.account_id)
            .chain(only)
            .filter_map(|id| self.accounts.get(&id))
            .filter(move |account| {
                account.status == AccountStatus::Connected && account.channel == kind.channel()
            })
    }

    /// The same, each with its weight and the limits that count there.
    pub(super) fn places(
        &self,
        enrollment: &Enrollment,
        only: Option<AccountId>,
    ) -> impl Iterator<Item = Place<'_>> {
        let (campaign, kind) = (enrollment.campaign_id, self.kind(enrollment));
        let sort = (kind, is_first(enrollment, only));
        let pool = self.pools.get(&campaign).map_or(&[][..], Vec::as_slice);
        self.senders(campaign, only, kind)
            .filter_map(move |account| {
                let pooled = pool.iter().find(|of| of.account_id == account.id);
                let weight = pooled.map_or(1, |of| of.weight.max(1));
                let limits = self.room.get(&(campaign, account.id, sort))?;
                Some(Place::new(account.id, weight, limits))
            })
    }

    /// What one mail counts under at a place with these limits.
    pub(super) fn limits_at(
        &self,
        (account, room): (AccountId, &[Limit]),
        enrollment: &Enrollment,
        prospect: &Prospect,
    ) -> Option<Vec<Limit>> {
        let recipient = limits::of_recipient(self.accounts.get(&account)?, prospect, &self.zone);
        let campaign = self.campaigns.get(&enrollment.campaign_id)?;
        let counted = room.iter().any(|limit| limit.cap == Cap::CampaignNewDaily);
        let first = limits::of_first_step(campaign);
        let first = first.filter(|_| enrollment.step_index == 0 && !counted);
        Some(room.iter().cloned().chain(recipient).chain(first).collect())
    }

    /// The last mail of another campaign to this prospect, where the next step is one as well.
    pub(super) fn other_campaign_at(&self, enrollment: &Enrollment) -> Option<Timestamp> {
        if self.kind(enrollment).channel() != Channel::Mail {
            return None;
        }
        let mails = self.last_mails.get(&enrollment.prospect_id)?;
        mails
            .iter()
            .filter(|(campaign, _)| *campaign != enrollment.campaign_id)
            .map(|(_, at)| *at)
            .max()
    }
}

/// Whether it stands in the lane of first steps, which waits for room of its own (CAP-5).
fn is_first(enrollment: &Enrollment, only: Option<AccountId>) -> bool {
    enrollment.step_index == 0 && only.is_none()
}

fn by<K: std::hash::Hash + Eq, T>(all: Vec<T>, key: impl Fn(&T) -> K) -> HashMap<K, T> {
    all.into_iter().map(|one| (key(&one), one)).collect()
}

fn grouped<K: std::hash::Hash + Eq, T>(all: Vec<T>, key: impl Fn(&T) -> K) -> HashMap<K, Vec<T>> {
    let mut groups: HashMap<K, Vec<T>> = HashMap::new();
    for one in all {
        groups.entry(key(&one)).or_default().push(one);
    }
    groups
}
