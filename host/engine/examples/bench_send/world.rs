//! Workspaces whose campaigns send through four relays, on a clock that the bench turns.
//!
//! The caps of a mailbox (one mail at a time, two a minute) and of a relay (30 a minute for each
//! workspace) stay in force, so it takes many mailboxes: those of a relay sign in there as one
//! user and share its connection.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use overture_domain::{
    AccountId, CampaignId, ProspectId, WorkspaceId, people::Actor, prospects::Prospect,
    time::ManualClock,
};
use overture_engine::{
    Config, Due, Env, Part,
    campaigns::{self, CampaignIn, Enroll, StepIn},
    leases,
    mailboxes::ConnectionLimits,
    plugins::{Backing, Registry, Settings},
    sends,
};
use overture_mail::{Dialer, tls::Tls};
use overture_store::{Database, prospects};
use overture_testkit::{MONDAY, services, workspace};

use crate::{
    CONNECTIONS,
    front::{self, Front},
};

const WORKSPACES: usize = 4;
/// Mailboxes of a workspace at each relay: as many as its mails a minute.
const MAILBOXES: usize = 30;
/// How far the clock goes at a time, when nothing is due.
const STEP: Duration = Duration::from_secs(20);
/// So few mails under way, and the clock goes on.
const FEW: usize = 64;

/// A database with the product around it.
pub(crate) struct World {
    env: Env,
    clock: Arc<ManualClock>,
    front: Arc<Front>,
    /// Each with its mailboxes.
    workspaces: Vec<(WorkspaceId, Vec<AccountId>)>,
    runs: AtomicUsize,
}

/// One run.
pub(crate) struct Run {
    pub mails_per_s: f64,
    pub connections: usize,
    /// Bytes of a mail, on average.
    pub size: usize,
}

impl World {
    pub(crate) async fn new(url: &str, sink: u16, plugin: Vec<u8>) -> Self {
        let db = Database::open(url).await.unwrap();
        db.migrate().await.unwrap();
        let clock = Arc::new(ManualClock::new(MONDAY));
        let front = Arc::new(Front::new(sink));
        let mut env = services(db, Arc::clone(&clock));
        env.dialer = Dialer::new(front.clone(), Tls::new(None).unwrap());
        let backing = Backing {
            db: env.db.clone(),
            clock: env.clock.clone(),
            rng: env.rng.clone(),
            vault: env.vault.clone(),
            http: env.http.clone(),
        };
        let plugins = Registry::open(backing, Settings::default(), vec![plugin]);
        env.providers = Arc::new(plugins.await.unwrap());
        env.config = Arc::new(Config {
            concurrent_sends: 256,
            // One a relay. The clock leaps, so idleness says nothing.
            connections: ConnectionLimits {
                per_mailbox: 1,
                per_host: 1,
                mails: u32::MAX,
                idle_seconds: u32::MAX,
            },
            ..Config::default()
        });
        leases::start(&env, "bench").await.unwrap();
        let mut world = Self {
            env,
            clock,
            front,
            workspaces: Vec::new(),
            runs: AtomicUsize::new(0),
        };
        for _ in 0..WORKSPACES {
            let ws = workspace(&world.env, "W").await;
            let mailboxes = world.mailboxes(ws).await;
            world.workspaces.push((ws, mailboxes));
        }
        world
    }

    /// Sends so many mails from campaigns of their own: from the first look at what is due to the
    /// last outcome on disk.
    pub(crate) async fn run(&self, mails: usize) -> Run {
        // The next Monday: no cap of the run before.
        let run = u32::try_from(self.runs.fetch_add(1, Ordering::SeqCst)).unwrap();
        self.clock
            .advance_to(MONDAY + Duration::from_secs(7 * 86_400) * run);
        let mut running = Vec::new();
        for (ws, mailboxes) in &self.workspaces {
            let campaign = self.campaign(*ws, mailboxes, run, mails / WORKSPACES);
            running.push((*ws, campaign.await));
        }
        // Planned, but not due yet.
        while sends::tick(&self.env).await.unwrap() == Due::Now {}
        self.clock.advance(Duration::from_secs(600));
        let (opened, bytes) = (
            self.front.opened.load(Ordering::SeqCst),
            self.front.bytes.load(Ordering::SeqCst),
        );
        let start = Instant::now();
        self.drive().await;
        let elapsed = start.elapsed();
        for (ws, campaign) in running {
            let stats = campaigns::stats(&self.env, ws, campaign).await.unwrap();
            assert_eq!(
                stats.sent as usize,
                mails / WORKSPACES,
                "{:?}",
                stats.by_state
            );
        }
        Run {
            mails_per_s: mails as f64 / elapsed.as_secs_f64(),
            connections: self.front.opened.load(Ordering::SeqCst) - opened,
            size: (self.front.bytes.load(Ordering::SeqCst) - bytes) / mails,
        }
    }

    /// As the loop of `overture serve`, but that the clock goes on by itself.
    async fn drive(&self) {
        let env = &self.env;
        loop {
            let due = sends::tick(env).await.unwrap();
            let under_way = env.under_way.count(Part::Sends);
            match due {
                Due::Now => {}
                Due::At(at) if under_way < FEW => {
                    self.clock.advance_to(at.max(env.now() + STEP));
                }
                Due::WhenWoken if under_way == 0 => return,
                _ => env.wakes.woken(Part::Sends).await,
            }
        }
    }

    async fn mailboxes(&self, ws: WorkspaceId) -> Vec<AccountId> {
        let env = &self.env;
        let mut mailbox_ids = Vec::new();
        for n in 0..MAILBOXES * CONNECTIONS {
            let relay = format!("relay{}.example.com", n % CONNECTIONS);
            let address = format!("ada@sender{n}.test");
            mailbox_ids.push(front::mailbox(env, ws, &self.front, &relay, &address).await);
        }
        mailbox_ids
    }

    /// A running campaign, with people of its own.
    async fn campaign(
        &self,
        ws: WorkspaceId,
        mailboxes: &[AccountId],
        run: u32,
        mails: usize,
    ) -> CampaignId {
        let env = &self.env;
        let given = CampaignIn {
            name: "Spring".into(),
            steps: vec![StepIn {
                subject: "Hello {{ firstName }}".into(),
                body_html: include_str!("mail.liquid").into(),
                ..StepIn::default()
            }],
            mailbox_ids: mailboxes.to_vec(),
            minutes_between_sends: Some(0),
            daily_send_limit: Some(10_000),
            max_sends_per_mailbox_per_day: Some(500),
            ..CampaignIn::default()
        };
        let campaign = campaigns::create(env, ws, &given, &Actor::Cli)
            .await
            .unwrap()
            .campaign
            .id;
        for people in self.prospects(ws, run, mails).await.chunks(500) {
            let who = Enroll {
                prospect_ids: people.to_vec(),
                ..Enroll::default()
            };
            campaigns::enroll(env, ws, campaign, &who, &Actor::Cli)
                .await
                .unwrap();
        }
        campaigns::start(env, ws, campaign, &Actor::Cli)
            .await
            .unwrap();
        campaign
    }

    async fn prospects(&self, ws: WorkspaceId, run: u32, n: usize) -> Vec<ProspectId> {
        let people: Vec<Prospect> = (0..n).map(|n| self.prospect(ws, run, n)).collect();
        let mut tx = self.env.db.begin().await.unwrap();
        prospects::insert(&mut tx, &people).await.unwrap();
        tx.commit().await.unwrap();
        people.into_iter().map(|prospect| prospect.id).collect()
    }

    fn prospect(&self, ws: WorkspaceId, run: u32, n: usize) -> Prospect {
        let now = self.env.now();
        Prospect {
            first_name: "Zoë".into(),
            last_name: "Example".into(),
            company: "Example & Sons".into(),
            role: "Head of Sales".into(),
            city: "Springfield".into(),
            ..Prospect::new(
                self.env.id(),
                ws,
                format!("p{run}-{n}@d{}.test", n % 100),
                "bench",
                now,
            )
        }
    }
}
