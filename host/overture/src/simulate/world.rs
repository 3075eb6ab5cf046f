//! A life of the process in a simulation: the services on a virtual clock, and time that jumps to
//! wherever something is due.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use overture_domain::{
    AccountId, CampaignId, Rng, Timestamp, WorkspaceId, rng::SeededRng, time::ManualClock,
};
use overture_engine::{Due, Env, Part, UnderWay, leases, parts, sends::Journal};
use overture_store::hosts;

use super::{
    counters, crash,
    deeds::Whose,
    happenings::{Happenings, Then},
    outside::{self, Outside, Peers, Shared},
    scenario::{Faults, Preset},
};
use crate::{
    config::Config,
    services::{Clocks, Services},
};

/// Ticks without any progress of time after which something is wrong.
const MOST_TICKS: u32 = 20_000;

/// Mails that are handed out at a time, at most.
const HANDS: usize = 4;

/// What outlives the process.
pub struct World {
    pub config: Config,
    /// Processes that share the database (SCH-7).
    pub hosts: usize,
    pub clock: Arc<ManualClock>,
    pub rng: Arc<dyn Rng>,
    pub seed: u64,
    pub preset: Preset,
    pub faults: Faults,
    pub log: Shared,
    pub peers: Arc<Peers>,
}

/// Who is in the world.
#[derive(Clone, Debug, Default)]
pub struct Cast {
    pub workspaces: Vec<Placed>,
}

impl Cast {
    /// A mailbox with each campaign of its workspace.
    pub fn of(&self, address: &str) -> Vec<Whose> {
        let of = |placed: &Placed| {
            let of = |(_, own): &&(AccountId, String)| own == address;
            let (mailbox, address) = placed.mailboxes.iter().find(of)?.clone();
            let whose = |campaign: &CampaignId| Whose {
                ws: placed.id,
                campaign: *campaign,
                mailbox,
                address: address.clone(),
            };
            Some(placed.campaigns.iter().map(whose).collect())
        };
        self.workspaces.iter().find_map(of).unwrap_or_default()
    }
}

/// A workspace of the scenario, with the ids that it got.
#[derive(Clone, Debug)]
pub struct Placed {
    pub id: WorkspaceId,
    pub mailboxes: Vec<(AccountId, String)>,
    /// Those among them that were saved although their test failed.
    pub in_error: Vec<(AccountId, String)>,
    pub campaigns: Vec<CampaignId>,
}

impl World {
    /// The settings of a simulation: a database, where none is given, and what else is kept in
    /// `folder`, one thing at a time, so that a seed reproduces a run. The key lies beside the compiled
    /// plugins: they are an instance's own.
    pub fn config(folder: &Path, cache: &Path, database: Option<String>) -> Result<Config> {
        let mut config = Config::defaults()?;
        let own = || format!("sqlite:{}", folder.join("overture.db").display());
        config.database.url = database.unwrap_or_else(own);
        config.vault.master_key_file = cache.join("master.key");
        config.plugins.folder = folder.join("plugins");
        config.plugins.cache_folder = cache.to_owned();
        // Its people live at made-up domains.
        config.mail.check_routing = false;
        // Mails are handed out together; they leave in turn.
        config.engine.concurrent_sends = HANDS;
        config.engine.concurrent_syncs = 1;
        config.engine.concurrent_deliveries = 1;
        // Its webhooks lead to this machine.
        config.egress.allowed_networks = vec!["127.0.0.0/8".parse()?];
        config.egress.allow_http = true;
        Ok(config)
    }

    /// The services of a life.
    ///
    /// # Errors
    /// What keeps the process from starting.
    pub async fn open(&self) -> Result<Env> {
        let clocks = Clocks::Given {
            clock: self.clock.clone(),
            real: self.clock.clone(),
        };
        let rng = Arc::clone(&self.rng);
        let opened = Services::open_with(&self.config, clocks, rng).await?;
        let mut env = opened.env;
        env.under_way = Arc::new(UnderWay::in_turn());
        env.providers = Arc::new(Outside {
            inner: Arc::clone(&env.providers),
            clock: Arc::clone(&env.clock),
            preset: self.preset,
            faults: self.faults,
            seed: self.seed,
            log: Arc::clone(&self.log),
            peers: Arc::clone(&self.peers),
            under_way: Arc::clone(&env.under_way),
        });
        env.journal = Arc::new(Journal::at_once());
        leases::start(&env, "simulation").await?;
        Ok(env)
    }

    /// The services of every process of a life.
    ///
    /// # Errors
    /// What keeps one from starting.
    pub async fn open_all(&self) -> Result<Vec<Env>> {
        let mut all = Vec::new();
        for _ in 0..self.hosts {
            all.push(self.open().await?);
        }
        Ok(all)
    }

    /// Lets time pass until `end`: what is due is done, what is to happen happens. Whether it came
    /// so far: else life goes on in another process.
    ///
    /// # Errors
    /// When the engine fails, or doesn't come to rest.
    pub async fn live(
        &self,
        envs: &[Env],
        happenings: &mut Happenings,
        end: Timestamp,
    ) -> Result<bool> {
        let env = envs.first().context("a world has a process")?;
        let seed = self.seed ^ env.now().as_micros().unsigned_abs();
        let mut hosts = Hosts::of(Part::ALL, envs.len(), seed);
        self.peers.forget();
        loop {
            self.hear(envs, env.now()).await?;
            let next = hosts.settle(envs).await?;
            counters::look(env, &self.log).await?;
            happenings.meanwhile();
            let next = [next, happenings.next(), self.peers.next(env.now())];
            let next = next.into_iter().flatten().min();
            let next = next.filter(|at| *at < end).unwrap_or(end);
            self.clock.advance_to(next);
            if next == end {
                // Nobody is left in the middle of a mail.
                self.hear(envs, Timestamp::MAX).await?;
                return Ok(true);
            }
            match happenings.happen(env, next).await? {
                Then::On => {}
                Then::From(at) => self.skip(env.now(), at.min(end)),
                Then::Back(by) => {
                    // Later than it was to happen, where the process stood still meanwhile.
                    let until = env.now();
                    self.clock.put_back(by);
                    outside::lock(&self.log).twice.push((until - by, until));
                }
                Then::Anew(at) => {
                    self.skip(env.now(), at.min(end));
                    return Ok(false);
                }
            }
        }
    }

    /// Lets those answer that were to until then, and does what follows from each.
    async fn hear(&self, envs: &[Env], until: Timestamp) -> Result<()> {
        if !self.peers.any() {
            return Ok(());
        }
        for env in envs {
            // Its heart has beaten all the while (SCH-5).
            let mut tx = env.db.begin().await?;
            hosts::heartbeat(&mut tx, env.host, "", env.real.now()).await?;
            tx.commit().await?;
        }
        crash::enter(Some(Part::Sends));
        while self.peers.answer(until) {
            for env in envs {
                env.under_way.settled().await;
            }
        }
        crash::enter(None);
        Ok(())
    }

    /// Nobody sees what is between.
    fn skip(&self, from: Timestamp, to: Timestamp) {
        self.clock.advance_to(to);
        outside::lock(&self.log).gone.push((from, to));
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
    /// One of these parts with something to do now.
    fn due(&self, env: &Env, parts: &[Part]) -> Option<Part> {
        let now = env.now();
        let due = |part: &Part| {
            let (due, seen) = (self.due[*part as usize], self.seen[*part as usize]);
            let at = match due {
                Due::Now => true,
                Due::At(at) => at <= now,
                Due::WhenWoken => false,
            };
            at || env.wakes.count(*part) != seen
        };
        parts.iter().copied().find(due)
    }

    /// When something of these parts is due next.
    fn next(&self, parts: &[Part]) -> Option<Timestamp> {
        let moments = parts.iter().filter(|part| !part.is_real());
        let moments = moments.filter_map(|part| match self.due[*part as usize] {
            Due::At(at) => Some(at),
            Due::Now | Due::WhenWoken => None,
        });
        moments.min()
    }
}

/// When a part is called again, unless it is woken: what looks through everything each time does so
/// less often than it would, for a life of weeks shall take seconds.
fn rarely(part: Part, due: Due, now: Timestamp) -> Due {
    let least = match part {
        Part::Alerts => 1,
        Part::Counters => 4,
        _ => return due,
    };
    let soonest = now + Duration::from_secs(3_600 * least);
    match due {
        Due::At(at) => Due::At(at.max(soonest)),
        Due::Now | Due::WhenWoken => due,
    }
}

/// The processes of a life, and whose turn it is by chance.
pub struct Hosts {
    /// The parts that they have.
    of: &'static [Part],
    parts: Vec<Parts>,
    rng: SeededRng,
}

impl Hosts {
    /// So many processes with these parts.
    pub fn of(of: &'static [Part], hosts: usize, seed: u64) -> Self {
        Self {
            of,
            parts: (0..hosts).map(|_| Parts::default()).collect(),
            rng: SeededRng::new(seed),
        }
    }

    /// Does all that is due now, one part of one process at a time; when something is due next.
    ///
    /// # Errors
    /// When a part fails, or they don't come to rest.
    pub async fn settle(&mut self, envs: &[Env]) -> Result<Option<Timestamp>> {
        for _ in 0..MOST_TICKS {
            let due = envs.iter().zip(&self.parts).enumerate();
            let due: Vec<_> = due
                .filter_map(|(host, (env, parts))| Some((host, parts.due(env, self.of)?)))
                .collect();
            let (host, part) = match due.as_slice() {
                [] => {
                    let next = self.parts.iter().filter_map(|parts| parts.next(self.of));
                    return Ok(next.min());
                }
                [only] => *only,
                all => all[self.rng.below(all.len() as u64) as usize],
            };
            let (env, parts) = (&envs[host], &mut self.parts[host]);
            parts.seen[part as usize] = env.wakes.count(part);
            crash::enter(Some(part));
            let due = parts::tick(env, part).await;
            let due = due.with_context(|| format!("the part {part} failed"))?;
            parts.due[part as usize] = rarely(part, due, env.now());
            env.under_way.settled().await;
            crash::enter(None);
        }
        let now = envs.first().map(Env::now).unwrap_or_default();
        bail!("the engine did not come to rest at {now}")
    }
}
