//! One transaction a workspace: what is due is looked at, the caps are read and reserved under the
//! workspace's lock, and what may go is handed out with its fixed Message-ID (CAP-2, SEQ-4).

use std::collections::{HashMap, HashSet};

use jiff::tz::TimeZone;
use overture_domain::{
    AccountId, ActionId, CampaignId, EnrollmentId, JobId, ProspectId, Timestamp, WorkspaceId,
    accounts::{Account, AccountStatus},
    campaigns::{Campaign, CampaignStatus, PoolAccount, Step},
    caps::{Limit, Usage},
    enrollments::{Action, ActionState, Enrollment, EnrollmentState, Job, JobState},
    events::{Event, EventKind},
    messages::Direction,
    people::Workspace,
    prospects::{Prospect, ProspectStatus, email_domain, email_key},
    windows,
};
use overture_store::{
    Tx, accounts, actions, campaigns, caps, caps::Use, enrollments, events, jobs, messages, people,
    prospects, suppressions,
};
use serde_json::json;

use crate::{Env, Error, Result};

use super::{
    compose::{self, Composed, Earlier, Held, Parts, Templates},
    enrollment_event, finished_events,
    limits::{self, Presets},
    plan,
    slots::{Slot, Slots, Why, Wish},
};

/// How long a campaign without a usable mailbox waits until it is looked at again (MB-5).
const NO_MAILBOX: std::time::Duration = std::time::Duration::from_secs(3_600);

/// A mail on its way: handed out and reserved, not yet tried.
#[derive(Clone, Debug)]
pub(super) struct Mail {
    pub job: JobId,
    pub action: Action,
    pub campaign: Campaign,
    pub prospect: Prospect,
    pub account: Account,
    pub composed: Composed,
    /// Given back when the mail has definitely not gone out (CAP-2).
    pub reserved: Vec<Use>,
}

/// Decides about claimed jobs of a workspace. The mails that go now, at most `hands`; everything
/// else is put off, parked or ended with its reason.
pub(super) async fn hand_out(
    env: &Env,
    ws: WorkspaceId,
    claimed: Vec<Job>,
    hands: usize,
) -> Result<Vec<Mail>> {
    // A plugin may be asked: not within the transaction.
    let presets = Presets::of(env.providers.presets(ws).await);
    let mut tx = env.db.begin().await?;
    if !people::lock_workspace(&mut tx, ws).await? {
        return Err(Error::NotFound("workspace"));
    }
    let world = World::load(&mut tx, env, ws, &claimed, presets).await?;
    let mut batch = Batch::new(env, &world);
    let mut order: Vec<(&Job, &Enrollment)> = Vec::new();
    for job in &claimed {
        match job
            .subject_id
            .parse()
            .ok()
            .and_then(|id: EnrollmentId| world.enrollments.get(&id))
        {
            Some(enrollment) => order.push((job, enrollment)),
            None => batch.ended.push((job.id, JobState::Expired, None)),
        }
    }
    // Follow-ups before new prospects (CAP-5), then the longest due.
    order.sort_by_key(|(job, enrollment)| (enrollment.step_index == 0, job.run_at, job.id));
    for (job, enrollment) in order {
        let fate = batch.decide(&mut tx, enrollment, hands).await?;
        batch.note(job, enrollment, fate);
    }
    let mails = batch.write(&mut tx, ws).await?;
    tx.commit().await?;
    Ok(mails)
}

/// What the decisions look at.
struct World {
    now: Timestamp,
    workspace: Workspace,
    zone: TimeZone,
    presets: Presets,
    enrollments: HashMap<EnrollmentId, Enrollment>,
    prospects: HashMap<ProspectId, Prospect>,
    campaigns: HashMap<CampaignId, Campaign>,
    steps: HashMap<CampaignId, Vec<Step>>,
    pools: HashMap<CampaignId, Vec<PoolAccount>>,
    accounts: HashMap<AccountId, Account>,
    paces: HashMap<AccountId, i64>,
    actions: HashMap<EnrollmentId, Vec<Action>>,
    /// Actions with an attempt that may have sent the mail (SAFE-3).
    attempted: HashSet<ActionId>,
    suppressed: HashSet<String>,
    last_mails: HashMap<ProspectId, Vec<(CampaignId, Timestamp)>>,
    usage: Usage,
}

impl World {
    async fn load(
        tx: &mut Tx,
        env: &Env,
        ws: WorkspaceId,
        claimed: &[Job],
        presets: Presets,
    ) -> Result<Self> {
        let now = env.now();
        let workspace = people::find_workspace(tx, ws)
            .await?
            .ok_or(Error::NotFound("workspace"))?;
        let ids: Vec<EnrollmentId> = claimed
            .iter()
            .filter_map(|job| job.subject_id.parse().ok())
            .collect();
        let enrollments = enrollments::list_by_ids(tx, ws, &ids).await?;
        let of = |pick: fn(&Enrollment) -> CampaignId| {
            let unique: HashSet<CampaignId> = enrollments.iter().map(pick).collect();
            unique.into_iter().collect::<Vec<_>>()
        };
        let campaign_ids = of(|enrollment| enrollment.campaign_id);
        let prospect_ids: Vec<ProspectId> = enrollments
            .iter()
            .map(|enrollment| enrollment.prospect_id)
            .collect();
        let prospects = prospects::list_by_ids(tx, ws, &prospect_ids).await?;
        let emails: Vec<String> = prospects
            .iter()
            .map(|prospect| prospect.email.clone())
            .collect();
        let actions = actions::list_by_enrollments(tx, ws, &ids).await?;
        let action_ids: Vec<ActionId> = actions.iter().map(|action| action.id).collect();
        let mut pools: HashMap<CampaignId, Vec<PoolAccount>> = HashMap::new();
        for (campaign, account) in campaigns::list_pools(tx, ws, &campaign_ids).await? {
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
            .collect::<HashSet<_>>()
            .into_iter()
            .collect();
        let mut last_mails: HashMap<ProspectId, Vec<(CampaignId, Timestamp)>> = HashMap::new();
        for (prospect, campaign, at) in enrollments::last_mails(tx, ws, &prospect_ids).await? {
            last_mails.entry(prospect).or_default().push((campaign, at));
        }
        let mut world = Self {
            now,
            zone: windows::zone(&workspace.time_zone).unwrap_or(TimeZone::UTC),
            workspace,
            presets,
            prospects: by(prospects, |prospect| prospect.id),
            campaigns: by(
                campaigns::list_by_ids(tx, ws, &campaign_ids).await?,
                |campaign| campaign.id,
            ),
            steps: grouped(
                campaigns::list_steps(tx, ws, &campaign_ids).await?,
                |step| step.campaign_id,
            ),
            pools,
            accounts: by(accounts::find_all(tx, ws, &account_ids).await?, |account| {
                account.id
            }),
            paces: campaigns::list_paces(tx, ws, &account_ids)
                .await?
                .into_iter()
                .collect(),
            actions: grouped(actions, |action| action.enrollment_id),
            attempted: actions::attempted(tx, ws, &action_ids).await?,
            suppressed: suppressions::among(tx, ws, &emails).await?,
            last_mails,
            enrollments: by(enrollments, |enrollment| enrollment.id),
            usage: Usage::default(),
        };
        let all: Vec<Limit> = world
            .enrollments
            .values()
            .flat_map(|enrollment| world.candidates(enrollment, None))
            .flat_map(|(_, limits)| limits)
            .collect();
        let mut seen = HashSet::new();
        let distinct: Vec<Limit> = all
            .into_iter()
            .filter(|limit| seen.insert((limit.cap, limit.subject.clone())))
            .collect();
        world.usage = caps::usage(tx, ws, &distinct, now).await?;
        Ok(world)
    }

    /// The mailboxes that a mail may go from, each with the limits that count there. `only`: the
    /// one that it sticks to.
    fn candidates(
        &self,
        enrollment: &Enrollment,
        only: Option<AccountId>,
    ) -> Vec<(AccountId, Vec<Limit>)> {
        let Some((campaign, prospect)) = self
            .campaigns
            .get(&enrollment.campaign_id)
            .zip(self.prospects.get(&enrollment.prospect_id))
        else {
            return Vec::new();
        };
        let pool = self.pools.get(&campaign.id).into_iter().flatten();
        let pooled = pool
            .filter(|account| account.active)
            .map(|account| account.account_id);
        // A sticky mailbox goes on when it has left the pool meanwhile (ROT-1).
        let sticky = only.or(enrollment.account_id);
        let ids: HashSet<AccountId> = match only {
            Some(only) => [only].into(),
            None => pooled.chain(sticky).collect(),
        };
        ids.into_iter()
            .filter_map(|id| self.accounts.get(&id))
            .filter(|account| account.status == AccountStatus::Connected)
            .map(|account| {
                (
                    account.id,
                    limits::of(account, campaign, prospect, &self.zone, &self.presets),
                )
            })
            .collect()
    }

    /// The last mail of another campaign to this prospect.
    fn other_campaign_at(&self, enrollment: &Enrollment) -> Option<Timestamp> {
        let mails = self.last_mails.get(&enrollment.prospect_id)?;
        mails
            .iter()
            .filter(|(campaign, _)| *campaign != enrollment.campaign_id)
            .map(|(_, at)| *at)
            .max()
    }
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

/// What becomes of a due step. There is no variant for dropping it (SAFE-2).
enum Fate {
    /// It goes now.
    Go(Box<Mail>),
    /// Not now, but at this time.
    Defer(Timestamp, String),
    /// No hand is free: it stays due.
    Wait,
    /// Something fixable holds it.
    Park(EnrollmentState, String),
    /// It may have gone out in a process that died; a person or evidence decides (SAFE-3).
    Ambiguous,
    /// Its campaign doesn't run: planned anew when it does.
    Unplan(String),
    /// The step is done: on to the next.
    Next,
    /// The enrollment's way ends here.
    Finish(EnrollmentState, String),
    /// The enrollment is over, the job is left over.
    Nothing,
}

/// The decisions of one transaction, written together at its end.
struct Batch<'a> {
    env: &'a Env,
    world: &'a World,
    slots: Slots,
    templates: Templates,
    mails: Vec<Mail>,
    new_actions: Vec<Action>,
    again: Vec<(ActionId, AccountId)>,
    uses: Vec<Use>,
    pacers: HashMap<AccountId, Timestamp>,
    deferred: Vec<(JobId, Timestamp, String)>,
    released: Vec<JobId>,
    ended: Vec<(JobId, JobState, Option<String>)>,
    parked: Vec<(EnrollmentId, EnrollmentState, String)>,
    unplanned: Vec<(EnrollmentId, String)>,
    next: Vec<(EnrollmentId, i64)>,
    finished: Vec<(EnrollmentId, EnrollmentState, String)>,
    ambiguous: Vec<ActionId>,
    told: Vec<Event>,
}

impl<'a> Batch<'a> {
    fn new(env: &'a Env, world: &'a World) -> Self {
        let mut slots = Slots::new(world.now, world.usage.clone());
        for account in world.accounts.values() {
            let pace = world.paces.get(&account.id).copied().unwrap_or_default();
            slots.add(account.clone(), pace);
        }
        Self {
            env,
            world,
            slots,
            templates: Templates::default(),
            mails: Vec::new(),
            new_actions: Vec::new(),
            again: Vec::new(),
            uses: Vec::new(),
            pacers: HashMap::new(),
            deferred: Vec::new(),
            released: Vec::new(),
            ended: Vec::new(),
            parked: Vec::new(),
            unplanned: Vec::new(),
            next: Vec::new(),
            finished: Vec::new(),
            ambiguous: Vec::new(),
            told: Vec::new(),
        }
    }

    async fn decide(&mut self, tx: &mut Tx, enrollment: &Enrollment, hands: usize) -> Result<Fate> {
        let world = self.world;
        let (Some(campaign), Some(prospect)) = (
            world.campaigns.get(&enrollment.campaign_id),
            world.prospects.get(&enrollment.prospect_id),
        ) else {
            return Ok(Fate::Nothing);
        };
        if !enrollment.state.is_open() {
            return Ok(Fate::Nothing);
        }
        if campaign.status != CampaignStatus::Running {
            return Ok(Fate::Unplan(format!("the campaign is {}", campaign.status)));
        }
        if campaign.end_at.is_some_and(|end| end <= world.now) {
            return Ok(Fate::Unplan(
                "the campaign's end date has passed".to_owned(),
            ));
        }
        if let Some(fate) = self.not_to_be_written_to(prospect) {
            return Ok(fate);
        }
        let steps = world.steps.get(&campaign.id).map_or(&[][..], Vec::as_slice);
        let Some(step) = steps
            .iter()
            .find(|step| step.step_index == enrollment.step_index)
        else {
            return Ok(Fate::Finish(
                EnrollmentState::Completed,
                "the sequence is through".to_owned(),
            ));
        };
        let earlier = world
            .actions
            .get(&enrollment.id)
            .map_or(&[][..], Vec::as_slice);
        let action = earlier.iter().find(|action| action.step_id == step.id);
        if let Some(fate) = action.and_then(|action| self.already(action)) {
            return Ok(fate);
        }

        // A mail that was begun keeps its mailbox: its Message-ID carries the domain (SEQ-4).
        let sticky = enrollment
            .account_id
            .or(action.map(|action| action.account_id));
        let sticky = sticky.filter(|id| world.accounts.contains_key(id));
        if let Some(account) = sticky.and_then(|id| world.accounts.get(&id))
            && account.status != AccountStatus::Connected
        {
            let why = if account.status_reason.is_empty() {
                String::new()
            } else {
                format!(": {}", account.status_reason)
            };
            let reason = format!("{} is {}{why}", account.address, account.status);
            // `park` keeps the account, so that its return finds whom it holds.
            return Ok(Fate::Park(EnrollmentState::PausedAccount, reason));
        }
        let candidates = world.candidates(enrollment, sticky);
        let zone = plan::zone_of(campaign, &prospect.time_zone);
        let wish = Wish {
            campaign,
            zone: &zone,
            candidates: &candidates,
            other_campaign_at: world.other_campaign_at(enrollment),
        };
        let Some(slot) = self.slots.first(&wish) else {
            let (at, _) = plan::clamp(campaign, &zone, world.now + NO_MAILBOX);
            return Ok(Fate::Defer(
                at,
                "no_usable_mailbox: no mailbox of the campaign is connected".to_owned(),
            ));
        };
        let limits = candidates
            .iter()
            .find(|(id, _)| *id == slot.account)
            .map_or(&[][..], |(_, limits)| limits);
        if slot.at > world.now {
            return Ok(self.put_off(enrollment, &slot, limits));
        }
        if self.mails.len() >= hands {
            return Ok(Fate::Wait);
        }
        let thread = thread(tx, enrollment, earlier).await?;
        Ok(self.compose(
            enrollment, campaign, step, prospect, action, &slot, limits, &zone, &thread,
        ))
    }

    /// SEQ-3, SUP-1: looked at in the sending transaction.
    fn not_to_be_written_to(&self, prospect: &Prospect) -> Option<Fate> {
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
            _ if self.world.attempted.contains(&action.id) => Some(Fate::Ambiguous),
            ActionState::Ambiguous => Some(Fate::Ambiguous),
            ActionState::HandedOut | ActionState::Retrying => None,
            ActionState::Failed | ActionState::Cancelled => {
                let why = action.last_error.as_deref().unwrap_or("it was cancelled");
                Some(Fate::Finish(EnrollmentState::Failed, why.to_owned()))
            }
        }
    }

    fn put_off(&mut self, enrollment: &Enrollment, slot: &Slot, limits: &[Limit]) -> Fate {
        self.slots.take(slot, limits, &*self.env.rng);
        let reason = slot.why.as_ref().map(Why::words).unwrap_or_default();
        if slot.why == Some(Why::Spacing) {
            let day = windows::civil_day(self.world.now, &self.world.zone);
            let key = format!("limit:cooldown:{}:{day}", enrollment.prospect_id);
            self.told
                .push(self.limit_hit(enrollment, slot.account, "cooldown", (1, 1), key));
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
        let action = action.cloned().unwrap_or_else(|| {
            let id: ActionId = self.env.id();
            Action {
                id,
                workspace_id: world.workspace.id,
                campaign_id: campaign.id,
                enrollment_id: enrollment.id,
                step_id: step.id,
                step_index: step.step_index,
                account_id: account.id,
                channel: step.channel,
                kind: step.kind,
                state: ActionState::HandedOut,
                external_id: format!("{}@{}", id.uuid(), email_domain(&account.address)),
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
            enrollment,
            prospect,
            account,
            zone,
            message_id: &action.external_id,
            thread,
            now: world.now,
        };
        let composed = match compose::compose(&mut self.templates, &parts) {
            Ok(composed) => composed,
            Err(Held(state, reason)) => return Fate::Park(state, reason),
        };
        let free_at = self.slots.take(slot, limits, &*self.env.rng);
        self.pacers.insert(account.id, free_at);
        self.limits_reached(enrollment, account, limits);
        let reserved = limits
            .iter()
            .map(|limit| Use {
                cap: limit.cap,
                subject: limit.subject.clone(),
                bucket: limit.bucket(world.now),
                n: 1,
            })
            .collect();
        Fate::Go(Box::new(Mail {
            job: JobId::from_uuid(action.id.uuid()),
            action: Action {
                account_id: account.id,
                ..action
            },
            campaign: campaign.clone(),
            prospect: prospect.clone(),
            account: account.clone(),
            composed,
            reserved,
        }))
    }

    /// CAP-4: told once per limit, identifier and day.
    fn limits_reached(&mut self, enrollment: &Enrollment, account: &Account, limits: &[Limit]) {
        for limit in limits {
            let used = self.slots.usage.used(limit, self.world.now);
            if let Some(kind) = limit.cap.limit_type().filter(|_| used >= limit.limit) {
                let key = format!(
                    "limit:{}:{}:{}",
                    limit.cap,
                    limit.subject,
                    limit.bucket(self.world.now)
                );
                self.told.push(self.limit_hit(
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

    fn note(&mut self, job: &Job, enrollment: &Enrollment, fate: Fate) {
        let ended = |state| (job.id, state, None);
        match fate {
            Fate::Go(mail) => {
                let mail = Mail {
                    job: job.id,
                    ..*mail
                };
                let known = self.world.actions.get(&enrollment.id).into_iter().flatten();
                if known.into_iter().any(|action| action.id == mail.action.id) {
                    self.again.push((mail.action.id, mail.account.id));
                } else {
                    self.new_actions.push(mail.action.clone());
                }
                self.uses.extend(mail.reserved.iter().cloned());
                self.mails.push(mail);
            }
            Fate::Defer(at, reason) => self.deferred.push((job.id, at, reason)),
            Fate::Wait => self.released.push(job.id),
            Fate::Park(state, reason) => self.park(enrollment, state, reason),
            Fate::Ambiguous => {
                self.ended.push(ended(JobState::Ambiguous));
                let actions = self.world.actions.get(&enrollment.id).into_iter().flatten();
                self.ambiguous.extend(
                    actions
                        .map(|a| a.id)
                        .filter(|id| self.world.attempted.contains(id)),
                );
                let reason = "it may have gone out: the process that sent it died before it knew";
                self.park(
                    enrollment,
                    EnrollmentState::AmbiguousSend,
                    reason.to_owned(),
                );
            }
            Fate::Unplan(reason) => self.unplanned.push((enrollment.id, reason)),
            Fate::Next => {
                self.ended.push(ended(JobState::Completed));
                self.next.push((enrollment.id, enrollment.step_index));
            }
            Fate::Finish(state, reason) => self.finished.push((enrollment.id, state, reason)),
            Fate::Nothing => self.ended.push(ended(JobState::Expired)),
        }
    }

    fn park(&mut self, enrollment: &Enrollment, state: EnrollmentState, reason: String) {
        let more = json!({"state": state, "reason": reason});
        self.told.push(enrollment_event(
            self.env,
            enrollment,
            EventKind::EnrollmentParked,
            more,
        ));
        self.parked.push((enrollment.id, state, reason));
    }

    async fn write(mut self, tx: &mut Tx, ws: WorkspaceId) -> Result<Vec<Mail>> {
        let now = self.world.now;
        actions::insert(tx, &self.new_actions).await?;
        actions::hand_out_again(tx, &self.again, now).await?;
        let acting: Vec<_> = self
            .mails
            .iter()
            .map(|mail| (mail.action.enrollment_id, mail.account.id))
            .collect();
        enrollments::set_acting(tx, ws, &acting, now).await?;
        caps::add(tx, ws, &self.uses).await?;
        let pacers: Vec<_> = self.pacers.into_iter().collect();
        accounts::advance_pacers(tx, &pacers).await?;

        jobs::finish(tx, &self.ended, now).await?;
        jobs::defer(tx, &self.deferred, now).await?;
        jobs::release(tx, &self.released).await?;
        enrollments::park(tx, ws, &self.parked, now).await?;
        enrollments::unplan(tx, ws, &self.unplanned, now).await?;
        enrollments::advance(tx, ws, &self.next, now).await?;
        let unclear: Vec<_> = self.ambiguous.iter().map(|id| unclear(*id)).collect();
        actions::end(tx, &unclear, now).await?;
        for (id, state, reason) in &self.finished {
            let finished = enrollments::finish(tx, ws, &[*id], *state, reason, now).await?;
            self.told.extend(finished_events(self.env, &finished));
        }
        events::insert(tx, &self.told).await?;
        Ok(self.mails)
    }
}

fn unclear(action_id: ActionId) -> actions::Ended {
    actions::Ended {
        action_id,
        state: ActionState::Ambiguous,
        deferrals: 0,
        error: Some("nobody knows whether it went out".to_owned()),
        outcome: overture_domain::enrollments::Outcome::Ambiguous,
        detail: None,
    }
}

/// What this enrollment got before (SEQ-4).
async fn thread(tx: &mut Tx, enrollment: &Enrollment, earlier: &[Action]) -> Result<Vec<Earlier>> {
    if !earlier
        .iter()
        .any(|action| action.state == ActionState::Done)
    {
        return Ok(Vec::new());
    }
    let messages = messages::list_by_enrollment(tx, enrollment.workspace_id, enrollment.id).await?;
    let out = messages
        .into_iter()
        .filter(|message| message.direction == Direction::Out);
    Ok(out
        .map(|message| Earlier {
            message_id: message.external_id,
            subject: message.subject,
        })
        .collect())
}
