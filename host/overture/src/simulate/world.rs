//! A life of the process in a simulation: the services on a virtual clock, and time that jumps to
//! wherever something is due.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result, bail};
use overture_domain::{
    AccountId, CampaignId, Clock, Rng, Timestamp, WorkspaceId, time::ManualClock,
};
use overture_engine::{Due, Env, Part, leases, parts};

use super::{
    happenings::Happenings,
    outside::{Outside, Shared},
    scenario::Faults,
};
use crate::{config::Config, services::Services};

/// Ticks without any progress of time after which something is wrong.
const MOST_TICKS: u32 = 20_000;

/// What outlives the process.
pub struct World {
    pub config: Config,
    pub clock: Arc<ManualClock>,
    pub rng: Arc<dyn Rng>,
    pub seed: u64,
    pub faults: Faults,
    pub log: Shared,
}

/// Who is in the world.
#[derive(Clone, Debug, Default)]
pub struct Cast {
    pub workspaces: Vec<Placed>,
}

/// A workspace of the scenario, with the ids that it got.
#[derive(Clone, Debug)]
pub struct Placed {
    pub id: WorkspaceId,
    pub mailboxes: Vec<(AccountId, String)>,
    pub campaigns: Vec<CampaignId>,
}

impl World {
    /// The settings of a simulation: a database and a cache of plugins in `folder`, one thing at a
    /// time, so that a seed reproduces a run.
    pub fn config(folder: &Path, cache: &Path) -> Result<Config> {
        let mut config = Config::defaults()?;
        config.database.url = format!("sqlite:{}", folder.join("overture.db").display());
        config.vault.master_key_file = folder.join("master.key");
        config.plugins.folder = folder.join("plugins");
        config.plugins.cache_folder = cache.to_owned();
        config.engine.concurrent_sends = 1;
        config.engine.concurrent_syncs = 1;
        config.engine.concurrent_deliveries = 1;
        Ok(config)
    }

    /// The services of a life.
    ///
    /// # Errors
    /// What keeps the process from starting.
    pub async fn open(&self) -> Result<Env> {
        let clock: Arc<dyn Clock> = self.clock.clone();
        let rng = Arc::clone(&self.rng);
        let opened = Services::open_with(&self.config, Arc::clone(&clock), clock, rng).await?;
        let mut env = opened.env;
        env.providers = Arc::new(Outside {
            inner: Arc::clone(&env.providers),
            clock: Arc::clone(&env.clock),
            faults: self.faults,
            seed: self.seed,
            log: Arc::clone(&self.log),
        });
        leases::start(&env, "simulation").await?;
        Ok(env)
    }

    /// Lets time pass until `end`: what is due is done, what is to happen happens.
    ///
    /// # Errors
    /// When the engine fails, or doesn't come to rest.
    pub async fn live(&self, env: &Env, happenings: &mut Happenings, end: Timestamp) -> Result<()> {
        let mut parts = Parts::default();
        loop {
            let next = parts.settle(env).await?;
            let next = [next, happenings.next()].into_iter().flatten().min();
            let next = next.filter(|at| *at < end).unwrap_or(end);
            self.clock.advance_to(next);
            if next == end {
                return Ok(());
            }
            if let Some(until) = happenings.happen(env, next).await? {
                self.clock.advance_to(until.min(end));
            }
        }
    }
}

/// When each part wants to be called again.
struct Parts {
    due: [Due; Part::ALL.len()],
    seen: [u64; Part::ALL.len()],
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            due: [Due::Now; Part::ALL.len()],
            seen: [0; Part::ALL.len()],
        }
    }
}

impl Parts {
    /// Does all that is due now; when something is due next.
    async fn settle(&mut self, env: &Env) -> Result<Option<Timestamp>> {
        for _ in 0..MOST_TICKS {
            let now = env.now();
            let due = |parts: &Self, part: Part| {
                let (due, seen) = (parts.due[part as usize], parts.seen[part as usize]);
                let at = match due {
                    Due::Now => true,
                    Due::At(at) => at <= now,
                    Due::WhenWoken => false,
                };
                at || env.wakes.count(part) != seen
            };
            let Some(part) = Part::ALL.iter().copied().find(|part| due(self, *part)) else {
                let moments = Part::ALL.iter().filter(|part| !part.is_real());
                let moments = moments.filter_map(|part| match self.due[*part as usize] {
                    Due::At(at) => Some(at),
                    Due::Now | Due::WhenWoken => None,
                });
                return Ok(moments.min());
            };
            self.seen[part as usize] = env.wakes.count(part);
            let due = parts::tick(env, part).await;
            self.due[part as usize] = due.with_context(|| format!("the part {part} failed"))?;
            env.under_way.settled().await;
        }
        bail!("the engine did not come to rest at {}", env.now())
    }
}
