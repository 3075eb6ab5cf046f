//! Everything that the decisions of one hand-out look at, read in a few statements.

use std::collections::{HashMap, HashSet};

use jiff::tz::TimeZone;
use overture_domain::{
    AccountId, ActionId, AttemptId, CampaignId, EnrollmentId, ProspectId, Timestamp, WorkspaceId,
    accounts::{Account, AccountStatus},
    campaigns::{Campaign, PoolAccount, Step},
    caps::{Cap, Limit, Usage},
    enrollments::{Action, Enrollment, Job},
    people::Workspace,
    prospects::{Prospect, email_domain},
    windows,
};
use overture_store::{
    Tx, accounts, actions, campaigns, caps, enrollments, people, prospects, suppressions,
};

use crate::{Env, Error, Result};

use super::limits::{self, Presets};

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
    pub usage: Usage,
}

impl World {
    pub(super) async fn load(
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
        world.usage = caps::usage(tx, ws, &world.limits(), now).await?;
        Ok(world)
    }

    /// Every limit that counts for somebody here, once.
    fn limits(&self) -> Vec<Limit> {
        let mut senders: HashMap<(CampaignId, AccountId, bool), String> = HashMap::new();
        let mut recipients = HashMap::new();
        for enrollment in self.enrollments.values() {
            let Some(prospect) = self.prospects.get(&enrollment.prospect_id) else {
                continue;
            };
            for account in self.senders(enrollment.campaign_id, enrollment.account_id, None) {
                let domain = senders
                    .entry((
                        enrollment.campaign_id,
                        account.id,
                        enrollment.step_index == 0,
                    ))
                    .or_insert_with(|| email_domain(&account.address));
                recipients.insert((domain.clone(), prospect.id), prospect);
            }
        }
        let room = senders.keys().filter_map(|(campaign, account, first)| {
            let (campaign, account) = (self.campaigns.get(campaign)?, self.accounts.get(account)?);
            Some(limits::of_room(
                account,
                campaign,
                *first,
                &self.zone,
                &self.presets,
            ))
        });
        let recipients = recipients
            .iter()
            .flat_map(|((domain, _), prospect)| limits::of_recipient(domain, prospect, &self.zone));
        let mut seen = HashSet::new();
        room.flatten()
            .chain(recipients)
            .filter(|limit| seen.insert((limit.cap, limit.subject.clone())))
            .collect()
    }

    /// The connected mailboxes that a mail may go from. `only`: the one that it sticks to.
    fn senders(
        &self,
        campaign: CampaignId,
        first: Option<AccountId>,
        only: Option<AccountId>,
    ) -> impl Iterator<Item = &Account> {
        let pool = self.pools.get(&campaign).into_iter().flatten();
        let pooled = pool
            .filter(|account| account.active)
            .map(|account| account.account_id);
        // A sticky mailbox goes on when it has left the pool meanwhile (ROT-1).
        let ids: HashSet<AccountId> = match only {
            Some(only) => [only].into(),
            None => pooled.chain(first).collect(),
        };
        ids.into_iter()
            .filter_map(|id| self.accounts.get(&id))
            .filter(|account| account.status == AccountStatus::Connected)
    }

    /// The mailboxes that a lane's mails may go from, each with the limits that count there
    /// whomever they go to.
    pub(super) fn room(
        &self,
        campaign: &Campaign,
        enrollment: &Enrollment,
        only: Option<AccountId>,
    ) -> Vec<(AccountId, Vec<Limit>)> {
        let first = enrollment.step_index == 0 && only.is_none();
        self.senders(campaign.id, enrollment.account_id, only)
            .map(|account| {
                let limits = limits::of_room(account, campaign, first, &self.zone, &self.presets);
                (account.id, limits)
            })
            .collect()
    }

    /// The same with the limits of one mail.
    pub(super) fn candidates(
        &self,
        room: &[(AccountId, Vec<Limit>)],
        campaign: &Campaign,
        enrollment: &Enrollment,
        prospect: &Prospect,
    ) -> Vec<(AccountId, Vec<Limit>)> {
        let first = limits::of_first_step(campaign).filter(|_| enrollment.step_index == 0);
        room.iter()
            .filter_map(|(id, limits)| {
                let sender = email_domain(&self.accounts.get(id)?.address);
                let recipient = limits::of_recipient(&sender, prospect, &self.zone);
                let counted = limits
                    .iter()
                    .any(|limit| limit.cap == Cap::CampaignNewDaily);
                let first = first.clone().filter(|_| !counted);
                let limits = limits.iter().cloned();
                Some((*id, limits.chain(recipient).chain(first).collect()))
            })
            .collect()
    }

    /// The last mail of another campaign to this prospect.
    pub(super) fn other_campaign_at(&self, enrollment: &Enrollment) -> Option<Timestamp> {
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
