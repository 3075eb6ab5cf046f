//! Two workspaces on the real clock: one with a long queue, and one whose mails are timed.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use async_trait::async_trait;
use overture_domain::{
    AccountId, CampaignId, Clock, ProspectId, Timestamp, WorkspaceId, campaigns::Window,
    people::Actor, prospects::Prospect, time::ManualClock,
};
use overture_engine::{
    Due, Env, MailProviders, Part, ProviderPreset,
    campaigns::{self, CampaignIn, Enroll, StepIn},
    leases,
    plugins::{Backing, Registry, Settings},
    sends,
};
use overture_mail::{Dialer, tls::Tls};
use overture_plugin_host::{
    CallError, Leg, Problem, SendOutcome, SyncPage,
    capabilities::mailbox::{MailSession, Outgoing},
};
use overture_store::{Database, Slice, enrollments, prospects};
use overture_testkit::{services, workspace};
use tokio::sync::mpsc;

use crate::front::{self, Front};

/// Relays of a workspace, and its mailboxes at each: 30 mails a minute go through one.
const RELAYS: usize = 20;
const MAILBOXES: usize = 30;
/// Mails that have not gone out so long after the last was due never will.
const PATIENCE: Duration = Duration::from_secs(60);

struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Timestamp::from_micros(i64::try_from(since.unwrap().as_micros()).unwrap())
    }
}

/// A database with the product around it.
pub(crate) struct World {
    env: Env,
    front: Arc<Front>,
    small: WorkspaceId,
    campaign: CampaignId,
    taken: mpsc::UnboundedReceiver<(String, Timestamp)>,
}

pub(crate) struct Run {
    pub waits_ms: Vec<f64>,
    /// Mails of the large workspace meanwhile.
    pub beside_per_s: f64,
}

impl World {
    /// So many mails are due in the large workspace.
    pub(crate) async fn new(url: &str, sink: u16, plugin: Vec<u8>, queued: usize) -> Self {
        let db = Database::open(url).await.unwrap();
        db.migrate().await.unwrap();
        let front = Arc::new(Front::new(sink));
        let mut env = services(db, Arc::new(ManualClock::new(RealClock.now())));
        (env.clock, env.real) = (Arc::new(RealClock), Arc::new(RealClock));
        env.dialer = Dialer::new(front.clone(), Tls::new(None).unwrap());
        let backing = Backing {
            db: env.db.clone(),
            clock: env.clock.clone(),
            rng: env.rng.clone(),
            vault: env.vault.clone(),
            http: env.http.clone(),
        };
        let plugins = Registry::open(backing, Settings::default(), vec![plugin]);
        let (told, taken) = mpsc::unbounded_channel();
        env.providers = Arc::new(Timed {
            inner: Arc::new(plugins.await.unwrap()),
            told,
        });
        leases::start(&env, "bench").await.unwrap();
        let large = workspace(&env, "Large").await;
        let small = workspace(&env, "Small").await;
        let mut world = Self {
            // Until it has one.
            campaign: env.id(),
            env,
            front,
            small,
            taken,
        };
        let mailboxes = world.mailboxes(small, "small").await;
        world.campaign = world.campaign(small, &mailboxes, "first", 1).await;
        let mailboxes = world.mailboxes(large, "large").await;
        world.campaign(large, &mailboxes, "queued", queued).await;
        // All of it is planned, and nothing has begun.
        while sends::tick(&world.env).await.unwrap() == Due::Now {}
        world
    }

    /// Enrolls so many people at once. Each is planned for a moment of chance within minutes; from
    /// then on the mail waits.
    pub(crate) async fn run(mut self, mails: usize) -> Run {
        let people = self.prospects(self.small, "timed", mails).await;
        let who = Enroll {
            prospect_ids: people,
            ..Enroll::default()
        };
        campaigns::enroll(&self.env, self.small, self.campaign, &who, &Actor::Cli)
            .await
            .unwrap();
        while sends::tick(&self.env).await.unwrap() == Due::Now {}
        let due = self.due().await;
        assert_eq!(due.len(), mails, "all are planned");
        let ticks = tokio::spawn(sending(self.env.clone()));
        let (start, last) = (Instant::now(), due.values().max().copied());
        let patience = last.unwrap().since(self.env.now()) + PATIENCE;
        let mut run = Run {
            waits_ms: Vec::new(),
            beside_per_s: 0.0,
        };
        let mut beside = 0;
        while run.waits_ms.len() < mails {
            let left = patience.saturating_sub(start.elapsed());
            let next = tokio::time::timeout(left, self.taken.recv()).await;
            let (to, at) = next.expect("the mails go out").unwrap();
            match due.get(&to) {
                Some(due) => run.waits_ms.push(at.since(*due).as_secs_f64() * 1_000.0),
                None => beside += 1,
            }
        }
        run.beside_per_s = f64::from(beside) / start.elapsed().as_secs_f64();
        ticks.abort();
        run
    }

    /// When each mail of the small workspace is due, by its address.
    async fn due(&self) -> BTreeMap<String, Timestamp> {
        let (env, ws) = (&self.env, self.small);
        let (filter, all) = (enrollments::Filter::default(), Slice::first(i64::MAX));
        let planned = campaigns::list_enrollments(env, ws, self.campaign, &filter, &all)
            .await
            .unwrap();
        let ids: Vec<_> = planned.iter().map(|one| one.prospect_id).collect();
        let people = prospects::list_by_ids(&mut env.db.reader(), ws, &ids)
            .await
            .unwrap();
        let address: BTreeMap<_, _> = people.into_iter().map(|one| (one.id, one.email)).collect();
        let due = planned.iter().filter_map(|one| {
            let to = address[&one.prospect_id].clone();
            to.starts_with("timed").then_some((to, one.next_action_at?))
        });
        due.collect()
    }

    async fn mailboxes(&self, ws: WorkspaceId, name: &str) -> Vec<AccountId> {
        let env = &self.env;
        let mut ids = Vec::new();
        for n in 0..RELAYS * MAILBOXES {
            let relay = format!("relay{}.{name}.example.com", n % RELAYS);
            let address = format!("ada@{name}{n}.test");
            ids.push(front::mailbox(env, ws, &self.front, &relay, &address).await);
        }
        ids
    }

    /// A running campaign at all hours, with people of its own.
    async fn campaign(
        &self,
        ws: WorkspaceId,
        mailboxes: &[AccountId],
        name: &str,
        people: usize,
    ) -> CampaignId {
        let env = &self.env;
        let always = Window {
            days: (0..7).collect(),
            start: 0,
            end: 0,
        };
        let given = CampaignIn {
            name: name.to_owned(),
            steps: vec![StepIn {
                subject: "Hello {{ firstName }}".into(),
                body_html: "<p>Hello {{ firstName }}, a word on {{ company }}.</p>".into(),
                ..StepIn::default()
            }],
            mailbox_ids: mailboxes.to_vec(),
            windows: Some(vec![always]),
            minutes_between_sends: Some(0),
            daily_send_limit: Some(10_000),
            max_sends_per_mailbox_per_day: Some(500),
            ..CampaignIn::default()
        };
        let made = campaigns::create(env, ws, &given, &Actor::Cli)
            .await
            .unwrap();
        let id = made.campaign.id;
        for people in self.prospects(ws, name, people).await.chunks(500) {
            let who = Enroll {
                prospect_ids: people.to_vec(),
                ..Enroll::default()
            };
            campaigns::enroll(env, ws, id, &who, &Actor::Cli)
                .await
                .unwrap();
        }
        campaigns::start(env, ws, id, &Actor::Cli).await.unwrap();
        id
    }

    async fn prospects(&self, ws: WorkspaceId, name: &str, n: usize) -> Vec<ProspectId> {
        let env = &self.env;
        let one = |n: usize| Prospect {
            first_name: "Zoë".into(),
            company: "Example & Sons".into(),
            ..Prospect::new(
                env.id(),
                ws,
                format!("{name}{n}@d{n}.test"),
                "bench",
                env.now(),
            )
        };
        let people: Vec<Prospect> = (0..n).map(one).collect();
        for people in people.chunks(5_000) {
            let mut tx = env.db.begin().await.unwrap();
            prospects::insert(&mut tx, people).await.unwrap();
            tx.commit().await.unwrap();
        }
        people.into_iter().map(|prospect| prospect.id).collect()
    }
}

/// As the loop of `overture serve`.
async fn sending(env: Env) {
    loop {
        let due = sends::tick(&env).await.unwrap();
        let wait = match due {
            Due::Now => continue,
            Due::At(at) => at.since(env.now()),
            Due::WhenWoken => Duration::from_secs(60),
        };
        // Woken or not, it looks again.
        let _ = tokio::time::timeout(wait, env.wakes.woken(Part::Sends)).await;
    }
}

/// Tells when each mail was taken.
struct Timed {
    inner: Arc<dyn MailProviders>,
    told: mpsc::UnboundedSender<(String, Timestamp)>,
}

#[async_trait]
impl MailProviders for Timed {
    async fn presets(&self, ws: WorkspaceId) -> Vec<ProviderPreset> {
        self.inner.presets(ws).await
    }

    fn has_own_transport(&self, provider: &str) -> Result<bool, CallError> {
        self.inner.has_own_transport(provider)
    }

    async fn check(
        &self,
        ws: WorkspaceId,
        provider: &str,
        session: Arc<dyn MailSession>,
    ) -> Result<Vec<Leg>, CallError> {
        self.inner.check(ws, provider, session).await
    }

    async fn send(
        &self,
        ws: WorkspaceId,
        provider: &str,
        session: Arc<dyn MailSession>,
        mail: Outgoing,
    ) -> SendOutcome {
        let to = mail.envelope.recipient.clone();
        let outcome = self.inner.send(ws, provider, session, mail).await;
        if matches!(outcome.answer, Ok(Ok(_))) {
            // Nobody may listen any more.
            let _ = self.told.send((to, RealClock.now()));
        }
        outcome
    }

    async fn sync(
        &self,
        ws: WorkspaceId,
        provider: &str,
        session: Arc<dyn MailSession>,
        cursor: Option<&str>,
    ) -> Result<Result<SyncPage, Problem>, CallError> {
        self.inner.sync(ws, provider, session, cursor).await
    }
}
