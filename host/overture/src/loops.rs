//! One task a part of the engine: call it, wait until it wants to be called again or is woken.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

#[cfg(feature = "test-clock")]
use overture_domain::Timestamp;
use overture_engine::{Due, Env, Part, parts};
use tokio::{sync::watch, task::JoinSet};

use crate::clock::Time;

/// After a failed tick; the failure is logged, the work waits in the database.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// The loops of this process, and what a driver of time may know of them.
pub struct Loops {
    env: Env,
    time: Arc<dyn Time>,
    real: Arc<dyn Time>,
    states: [State; Part::ALL.len()],
}

struct State {
    running: AtomicBool,
    due: Mutex<Due>,
    /// The count of wakes that the last tick had seen when it began.
    seen: AtomicU64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            running: AtomicBool::new(false),
            due: Mutex::new(Due::Now),
            seen: AtomicU64::new(0),
        }
    }
}

impl State {
    #[cfg(feature = "test-clock")]
    fn due(&self) -> Due {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_due(&self, due: Due) {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = due;
    }
}

impl Loops {
    /// Loops that have not begun, on a time that may be driven and on real time.
    pub fn new(env: Env, time: Arc<dyn Time>, real: Arc<dyn Time>) -> Arc<Self> {
        Arc::new(Self {
            env,
            time,
            real,
            states: Default::default(),
        })
    }

    /// Runs every part until `stop` turns true, then lets each finish its tick.
    pub async fn run(self: Arc<Self>, stop: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        for part in Part::ALL {
            tasks.spawn(Arc::clone(&self).run_part(*part, stop.clone()));
        }
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a loop of the engine has panicked");
            }
        }
    }

    async fn run_part(self: Arc<Self>, part: Part, mut stop: watch::Receiver<bool>) {
        let state = &self.states[part as usize];
        let mut planned = Due::Now;
        while !*stop.borrow() {
            state.running.store(true, Ordering::SeqCst);
            state
                .seen
                .store(self.env.wakes.count(part), Ordering::SeqCst);
            let begun = self.time_of(part).now();
            if let Due::At(at) = planned
                && at <= begun
            {
                metrics::histogram!("overture_part_lag_seconds", "part" => part.name())
                    .record(begun.since(at));
            }
            let ticked = parts::tick(&self.env, part).await;
            measure(part, ticked.is_ok(), self.time_of(part).now().since(begun));
            let due = match ticked {
                Ok(due) => due,
                Err(error) => {
                    tracing::error!(part = %part, %error, "a part of the engine failed; it goes on in {AFTER_FAILURE:?}");
                    Due::At(self.time_of(part).now() + AFTER_FAILURE)
                }
            };
            state.set_due(due);
            planned = due;
            state.running.store(false, Ordering::SeqCst);
            let wait = async {
                match due {
                    Due::Now => tokio::task::yield_now().await,
                    Due::At(at) => self.time_of(part).reached(at).await,
                    Due::WhenWoken => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => {}
                () = self.env.wakes.woken(part) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Heartbeats and leases live on real time, everything else on the clock that may be driven.
    fn time_of(&self, part: Part) -> &dyn Time {
        if part.is_real() {
            &*self.real
        } else {
            &*self.time
        }
    }

    /// The earliest moment at which a part wants to act.
    #[cfg(feature = "test-clock")]
    pub fn next(&self) -> Option<Timestamp> {
        let driven = Part::ALL.iter().filter(|part| !part.is_real());
        let moments = driven.filter_map(|part| match self.states[*part as usize].due() {
            Due::At(at) => Some(at),
            Due::Now | Due::WhenWoken => None,
        });
        moments.min()
    }

    /// How many parts are at work or about to be at `now`, and how much work of theirs goes on
    /// beside them.
    #[cfg(feature = "test-clock")]
    pub fn busy(&self, now: Timestamp) -> usize {
        let about_to = |part: Part| {
            let state = &self.states[part as usize];
            state.running.load(Ordering::SeqCst)
                || self.env.wakes.count(part) != state.seen.load(Ordering::SeqCst)
                || match state.due() {
                    Due::Now => true,
                    Due::At(at) => at <= now,
                    Due::WhenWoken => false,
                }
        };
        let driven = Part::ALL.iter().filter(|part| !part.is_real());
        driven.filter(|part| about_to(**part)).count() + self.env.under_way.total()
    }
}

fn measure(part: Part, succeeded: bool, took: Duration) {
    let outcome = if succeeded { "ok" } else { "failed" };
    metrics::counter!("overture_part_ticks_total", "part" => part.name(), "outcome" => outcome)
        .increment(1);
    metrics::histogram!("overture_part_tick_seconds", "part" => part.name()).record(took);
}
