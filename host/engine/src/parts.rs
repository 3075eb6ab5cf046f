//! The parts that work by themselves, and how they are woken.

use std::{
    future::Future,
    sync::atomic::{AtomicU64, Ordering},
};

use overture_domain::{Timestamp, names};
use tokio::sync::Notify;

use crate::{
    Env, Result, alerts, campaigns, counters, inbox, leases, mail_domains, safety, search, sends,
    tracking, webhooks,
};

names! {
    /// One loop of `overture serve`. Each has its own concurrency, so that a slow one delays no
    /// other.
    Part {
        /// Heartbeat of this host, leases of hosts that are gone or stuck (SCH-5).
        Leases = "leases",
        /// Due steps: plan, reserve, hand out, send, record.
        Sends = "sends",
        /// Sends that may have gone out are looked up (SAFE-3).
        Evidence = "evidence",
        /// Mailboxes whose turn it is to be read.
        Inboxes = "inboxes",
        /// New events become deliveries.
        Dispatch = "dispatch",
        /// Due deliveries of webhooks.
        Deliveries = "deliveries",
        /// Scheduled starts, end dates, campaigns that are through (SEQ-6, SEQ-11).
        Campaigns = "campaigns",
        /// Campaigns whose mails come back or are reported, steps that nobody looks at (SAF-1, SAF-2,
        /// SCH-11).
        Safety = "safety",
        /// Openings and clicks whose burst is over (TRK-2).
        Tracking = "tracking",
        /// Counters are held against the events (SAFE-5).
        Counters = "counters",
        /// What an admin must see to is looked for (OPS-7).
        Alerts = "alerts",
        /// Domains of prospects: do they take mail? (PR-7)
        MailDomains = "mail_domains",
        /// The index of the search follows the prospects (PR-3).
        Search = "search",
    }
}

impl Part {
    /// Whether it lives on real time, also where the clock is driven: what it answers as
    /// [`Due::At`] is real time then.
    pub const fn is_real(self) -> bool {
        matches!(self, Self::Leases | Self::Alerts | Self::Search)
    }
}

/// Does what is due for a part.
///
/// # Errors
/// Why it could not; what is due stays due.
pub async fn tick(env: &Env, part: Part) -> Result<Due> {
    match part {
        Part::Leases => leases::tick(env).await,
        Part::Sends => sends::tick(env).await,
        Part::Evidence => sends::look_for_evidence(env).await,
        Part::Inboxes => inbox::tick(env).await,
        Part::Dispatch => webhooks::dispatch(env).await,
        Part::Deliveries => webhooks::deliver(env).await,
        Part::Campaigns => campaigns::tick(env).await,
        Part::Safety => safety::tick(env).await,
        Part::Tracking => tracking::tick(env).await,
        Part::Counters => counters::tick(env).await,
        Part::Alerts => alerts::tick(env).await,
        Part::MailDomains => mail_domains::tick(env).await,
        Part::Search => search::tick(env).await,
    }
}

/// When a part wants to be called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// At once: more is waiting than one call takes.
    Now,
    /// At this moment, or when it is woken.
    At(Timestamp),
    /// When it is woken.
    WhenWoken,
}

impl Due {
    /// The earlier of the two.
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Now, _) | (_, Self::Now) => Self::Now,
            (Self::At(a), Self::At(b)) => Self::At(a.min(b)),
            (Self::At(at), Self::WhenWoken) | (Self::WhenWoken, Self::At(at)) => Self::At(at),
            (Self::WhenWoken, Self::WhenWoken) => Self::WhenWoken,
        }
    }

    /// At `at` where there is one.
    pub fn at(at: Option<Timestamp>) -> Self {
        at.map_or(Self::WhenWoken, Self::At)
    }
}

/// Wakes parts of this process. A wake that comes while the part runs is not lost.
#[derive(Debug, Default)]
pub struct Wakes {
    parts: [Wake; Part::ALL.len()],
}

#[derive(Debug, Default)]
struct Wake {
    notify: Notify,
    count: AtomicU64,
}

impl Wakes {
    /// There is work for `part` now.
    pub fn wake(&self, part: Part) {
        let wake = &self.parts[part as usize];
        wake.count.fetch_add(1, Ordering::SeqCst);
        wake.notify.notify_one();
    }

    /// Waits for the next wake of `part`; at once when one came since the last wait.
    pub fn woken(&self, part: Part) -> impl Future<Output = ()> + '_ {
        self.parts[part as usize].notify.notified()
    }

    /// How often `part` was woken: a driver of time sees by it that work came while it looked.
    pub fn count(&self, part: Part) -> u64 {
        self.parts[part as usize].count.load(Ordering::SeqCst)
    }
}
