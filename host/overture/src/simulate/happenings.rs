//! What happens to the world beside its campaigns: people who pause and edit, a process that dies
//! or stands still, counters that are wrong.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use overture_domain::{
    AccountId, CampaignId, Rng, Timestamp, WorkspaceId, campaigns::CampaignStatus, people::Actor,
    rng::SeededRng,
};
use overture_engine::{
    Env, Error,
    campaigns::{self, CampaignPatch},
    mailboxes,
};
use overture_store::caps;

use super::{
    crash::{self, Place},
    outside::{self, Shared},
    scenario::Scenario,
    world::Cast,
};

const HOUR: Duration = Duration::from_secs(3_600);

/// Something that happens at its moment.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Crash(Place),
    /// The process stands still until then.
    Outage(Timestamp),
    Pause(WorkspaceId, CampaignId),
    Resume(WorkspaceId, CampaignId),
    PauseMailbox(WorkspaceId, AccountId),
    ResumeMailbox(WorkspaceId, AccountId),
    CampaignLimit(WorkspaceId, CampaignId, i64),
    /// Usage that never was.
    Drift(WorkspaceId, CampaignId, i64),
}

/// All of them, by their moments.
#[derive(Debug, Default)]
pub struct Happenings {
    list: BTreeMap<(Timestamp, usize), Happening>,
    log: Shared,
}

impl Happenings {
    /// By chance, the same for the same seed.
    pub fn of(scenario: &Scenario, cast: &Cast, seed: u64, log: Shared) -> Self {
        let rng = SeededRng::new(seed ^ 0x0dd5);
        let mut all = Self {
            log,
            ..Self::default()
        };
        let length = u64::from(scenario.days) * 86_400;
        let moment = || scenario.start + Duration::from_secs(3_600 + rng.below(length - 3_600));
        let hours = |most: u64| HOUR * (1 + rng.below(most) as u32);
        let workspace = || &cast.workspaces[rng.below(cast.workspaces.len() as u64) as usize];
        let faults = scenario.faults;
        for _ in 0..faults.crashes {
            let n = rng.below(30);
            let place = match rng.below(3) {
                0 => Place::BeforeCommit(n),
                1 => Place::AfterCommit(n),
                _ => Place::Effect(n / 6),
            };
            all.add(moment(), Happening::Crash(place));
        }
        for _ in 0..faults.outages {
            let at = moment();
            all.add(at, Happening::Outage(at + hours(36)));
        }
        for _ in 0..faults.pauses {
            let (ws, at) = (workspace(), moment());
            let campaign = ws.campaigns[rng.below(ws.campaigns.len() as u64) as usize];
            all.add(at, Happening::Pause(ws.id, campaign));
            all.add(at + hours(30), Happening::Resume(ws.id, campaign));
        }
        for _ in 0..faults.mailbox_pauses {
            let (ws, at) = (workspace(), moment());
            let (mailbox, _) = ws.mailboxes[rng.below(ws.mailboxes.len() as u64) as usize];
            all.add(at, Happening::PauseMailbox(ws.id, mailbox));
            all.add(at + hours(30), Happening::ResumeMailbox(ws.id, mailbox));
        }
        for _ in 0..faults.limit_edits {
            let (ws, at) = (workspace(), moment());
            let campaign = ws.campaigns[rng.below(ws.campaigns.len() as u64) as usize];
            let limit = 5 + rng.below(60) as i64;
            all.add(at, Happening::CampaignLimit(ws.id, campaign, limit));
        }
        for _ in 0..faults.drifts {
            let (ws, at) = (workspace(), moment());
            let campaign = ws.campaigns[rng.below(ws.campaigns.len() as u64) as usize];
            all.add(at, Happening::Drift(ws.id, campaign, 200));
        }
        all
    }

    fn add(&mut self, at: Timestamp, what: Happening) {
        self.list.insert((at, self.list.len()), what);
    }

    /// When something happens next.
    pub fn next(&self) -> Option<Timestamp> {
        self.list.keys().next().map(|(at, _)| *at)
    }

    /// Until when the process stands still, where it does so now.
    ///
    /// # Errors
    /// What the engine refuses that it should not.
    pub async fn happen(&mut self, env: &Env, now: Timestamp) -> Result<Option<Timestamp>> {
        let mut still = None;
        while let Some((key, what)) = self.list.first_key_value() {
            let (key, what) = (*key, *what);
            if key.0 > now {
                break;
            }
            // It happens again where the process dies meanwhile.
            let counted = match what {
                Happening::Crash(_) => None,
                Happening::Outage(until) => {
                    still = still.max(Some(until));
                    Some("outage")
                }
                other => self.act(env, other).await?,
            };
            self.list.remove(&key);
            if let Happening::Crash(place) = what {
                crash::arm(place);
            }
            if let Some(name) = counted {
                outside::lock(&self.log).count(name);
            }
        }
        Ok(still)
    }

    /// What people do; None where it can't be done now, as when the campaign is through.
    async fn act(&self, env: &Env, what: Happening) -> Result<Option<&'static str>> {
        let (name, done) = match what {
            Happening::Crash(_) | Happening::Outage(_) => return Ok(None),
            Happening::Pause(ws, id) => (
                "campaign paused",
                campaigns::pause(env, ws, id, &Actor::Cli).await.map(drop),
            ),
            Happening::Resume(ws, id) => {
                let found = campaigns::get(env, ws, id).await?.campaign;
                if found.status != CampaignStatus::Paused {
                    return Ok(None);
                }
                let resumed = campaigns::resume(env, ws, id, &Actor::Cli).await;
                ("campaign resumed", resumed.map(drop))
            }
            Happening::PauseMailbox(ws, id) => (
                "mailbox paused",
                mailboxes::status::pause(env, ws, id, &Actor::Cli)
                    .await
                    .map(drop),
            ),
            Happening::ResumeMailbox(ws, id) => (
                "mailbox resumed",
                mailboxes::status::resume(env, ws, id, &Actor::Cli)
                    .await
                    .map(drop),
            ),
            Happening::CampaignLimit(ws, id, limit) => {
                let patch = CampaignPatch {
                    daily_send_limit: Some(limit),
                    ..CampaignPatch::default()
                };
                let edited = campaigns::update(env, ws, id, &patch, &Actor::Cli).await;
                if edited.is_ok() {
                    outside::lock(&self.log).limits.push((env.now(), id, limit));
                }
                ("limit edited", edited.map(drop))
            }
            Happening::Drift(ws, id, n) => {
                let zone = campaigns::get(env, ws, id).await?.campaign.time_zone;
                let zone = overture_domain::windows::zone(&zone).unwrap_or(jiff::tz::TimeZone::UTC);
                let cap = overture_domain::caps::Cap::CampaignDaily;
                let mut tx = env.db.begin().await?;
                let wrong = caps::Use {
                    cap,
                    subject: id.to_string(),
                    bucket: cap.bucket(env.now(), &zone),
                    n,
                };
                caps::add(&mut tx, ws, &[wrong]).await?;
                tx.commit().await?;
                ("counter falsified", Ok(()))
            }
        };
        match done {
            Ok(()) => Ok(Some(name)),
            Err(Error::InvalidStatus { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
