//! Virtual time: the services on a clock that jumps to wherever something is due.

use std::sync::Arc;

use anyhow::{Result, bail};
use overture_domain::{Clock, Timestamp, UserId, WorkspaceId, rng::SeededRng, time::ManualClock};
use overture_engine::{Due, Env, Part, Secret, leases, parts, people};

use crate::{
    clock::SystemClock,
    config::Config,
    services::{Clocks, Services},
};

/// Ticks without any progress of time after which something is wrong.
const MOST_TICKS: u32 = 100_000;

/// A workspace of a fresh instance, and the time that passes in it.
pub struct World {
    pub env: Env,
    pub ws: WorkspaceId,
    clock: Arc<ManualClock>,
    /// Only those on the clock: one process that can't die needs no leases.
    parts: Vec<(Part, State)>,
}

/// What is known of a part since its last tick.
struct State {
    due: Due,
    /// The count of wakes that the tick had seen.
    seen: u64,
}

impl State {
    fn is_due(&self, now: Timestamp) -> bool {
        match self.due {
            Due::Now => true,
            Due::At(at) => at <= now,
            Due::WhenWoken => false,
        }
    }
}

impl World {
    /// Makes a user with a workspace in a database that has none. With a seed, chance is that of
    /// the seed.
    ///
    /// # Errors
    /// As [`Services::open`].
    pub async fn open(config: &Config, beginning: Timestamp, seed: Option<u64>) -> Result<Self> {
        let clock = Arc::new(ManualClock::new(beginning));
        let clocks = Clocks::Given {
            clock: clock.clone(),
            real: Arc::new(SystemClock),
        };
        let mut env = Services::open(config, clocks).await?.env;
        if let Some(seed) = seed {
            env.rng = Arc::new(SeededRng::new(seed));
        }
        leases::start(&env, "demo").await?;
        // Nobody signs in with it: keys are all that a demo needs.
        let password: UserId = env.id();
        let password = Secret::new(password.to_string());
        let (_, workspace) =
            people::create_user(&env, "demo@example.com", "Demo", password).await?;
        let driven = Part::ALL.iter().filter(|part| !part.is_real());
        Ok(Self {
            env,
            ws: workspace.id,
            clock,
            parts: driven
                .map(|part| {
                    (
                        *part,
                        State {
                            due: Due::Now,
                            seen: 0,
                        },
                    )
                })
                .collect(),
        })
    }

    /// Lets time pass until `end`, and calls `look` after each moment at which something happened.
    ///
    /// # Errors
    /// When a part of the engine fails, or doesn't come to rest.
    pub async fn pass_until(
        &mut self,
        end: Timestamp,
        mut look: impl AsyncFnMut(&Env) -> Result<Goes>,
    ) -> Result<()> {
        while let Some(next) = self.settle().await? {
            if look(&self.env).await? == Goes::NoFurther {
                return Ok(());
            }
            if next > end {
                break;
            }
            self.clock.advance_to(next);
        }
        self.clock.advance_to(end);
        self.settle().await?;
        Ok(())
    }

    /// Does all that is due now; when something is due next.
    async fn settle(&mut self) -> Result<Option<Timestamp>> {
        for _ in 0..MOST_TICKS {
            let mut any = false;
            for (part, state) in &mut self.parts {
                let woken = self.env.wakes.count(*part);
                if woken != state.seen || state.is_due(self.clock.now()) {
                    any = true;
                    state.seen = woken;
                    state.due = parts::tick(&self.env, *part).await?;
                }
            }
            self.env.under_way.settled().await;
            if !any {
                let dues = self.parts.iter().map(|(_, state)| state.due);
                return Ok(match dues.fold(Due::WhenWoken, Due::or) {
                    Due::At(at) => Some(at),
                    Due::Now | Due::WhenWoken => None,
                });
            }
        }
        bail!("the engine did not come to rest")
    }

    /// Ends what is under way, and lets go of the database.
    pub async fn close(self) {
        self.env.under_way.settled().await;
        self.env.connections.close().await;
        self.env.db.close().await;
    }
}

/// Whether time goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goes {
    On,
    NoFurther,
}
