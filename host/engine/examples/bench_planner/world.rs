//! Ten workspaces with a past, and people who are due in all of them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, stream};
use overture_domain::{
    AccountId, ProspectId, WorkspaceId, people::Actor, prospects::Prospect, time::ManualClock,
};
use overture_engine::{
    Config, Due, Env,
    campaigns::{self, CampaignIn, Enroll, StepIn},
    leases,
    mailboxes::{self, NewMailbox},
    sends,
};
use overture_store::{
    Database,
    dialect::Dialect,
    prospects,
    testing::{drop_indexes, execute_raw},
};
use overture_testkit::{MONDAY, outreach::Post, services, workspace};

const WORKSPACES: usize = 10;
/// Of each workspace.
const MAILBOXES: usize = 100;
const DUE: usize = 500;

/// Transactions that write the past of a database at the same time, where it can.
const AT_ONCE: usize = 4;

/// A chunk of the past: whoever was imported and is in no campaign. `$c` is its number.
const PROSPECTS: &str = "
    WITH RECURSIVE n (i) AS (SELECT $c * 10000 UNION ALL SELECT i + 1 FROM n WHERE i < $c * 10000 + 9999),
    w AS (SELECT id, ROW_NUMBER() OVER (ORDER BY id) - 1 AS k FROM workspaces)
    INSERT INTO prospects (id, workspace_id, email, email_key, tags, custom, source, status, search, created_at, updated_at)
    SELECT 'past' || CAST(n.i AS TEXT), w.id, 'past' || CAST(n.i AS TEXT) || '@example.com',
        'past' || CAST(n.i AS TEXT) || '@example.com', '[]', '[]', 'bench', 'active', '', 0, 0
    FROM n, w WHERE w.k = n.i % 10";

/// What happened to them.
const EVENTS: &str = "
    WITH RECURSIVE n (i) AS (SELECT $c * 100000 UNION ALL SELECT i + 1 FROM n WHERE i < $c * 100000 + 99999),
    w AS (SELECT id, ROW_NUMBER() OVER (ORDER BY id) - 1 AS k FROM workspaces)
    INSERT INTO events (id, workspace_id, kind, channel, campaign_id, enrollment_id, occurred_at, dedup_key, data)
    SELECT 'past' || CAST(n.i AS TEXT), w.id, 'email.sent', 'mail', 'past' || CAST(n.i % 1000 AS TEXT),
        'past' || CAST(n.i % 1000000 AS TEXT), 1700000000000000 + n.i,
        'past:' || CAST(n.i AS TEXT), '[\"past@example.com\", \"Example & Sons\", 0]'
    FROM n, w WHERE w.k = n.i % 10";

/// A database with the product around it.
pub(crate) struct World {
    env: Env,
    clock: Arc<ManualClock>,
    /// Each with its mailboxes.
    workspaces: Vec<(WorkspaceId, Vec<AccountId>)>,
    runs: u32,
}

impl World {
    /// With so many chunks of a past.
    pub(crate) async fn new(url: &str, chunks: usize) -> Self {
        let db = Database::open(url).await.unwrap();
        db.migrate().await.unwrap();
        let clock = Arc::new(ManualClock::new(MONDAY));
        let mut env = services(db, Arc::clone(&clock));
        env.providers = Arc::new(Post::default());
        env.config = Arc::new(Config {
            concurrent_sends: 256,
            ..Config::default()
        });
        leases::start(&env, "bench").await.unwrap();
        let mut world = Self {
            env,
            clock,
            workspaces: Vec::new(),
            runs: 0,
        };
        for _ in 0..WORKSPACES {
            let ws = workspace(&world.env, "W").await;
            let mailboxes = world.mailboxes(ws).await;
            world.workspaces.push((ws, mailboxes));
        }
        world.past(chunks).await.unwrap();
        world
    }

    /// Writes so many chunks of the past. An index that is made of a full table takes a third of the
    /// time of one that grows with it.
    async fn past(&self, chunks: usize) -> overture_store::Result<()> {
        let db = &self.env.db;
        let mut indexes = drop_indexes(db, "prospects").await?;
        indexes.extend(drop_indexes(db, "events").await?);
        let all = (0..chunks).flat_map(|chunk| {
            [PROSPECTS, EVENTS].map(|text| text.replace("$c", &chunk.to_string()))
        });
        let run = |text: String| async { execute_raw(db, text.leak()).await.map(drop) };
        let at_once = if db.has_one_writer() { 1 } else { AT_ONCE };
        let rows = stream::iter(all).map(Ok);
        rows.try_for_each_concurrent(at_once, run).await?;
        let indexes = stream::iter(indexes).map(Ok);
        indexes.try_for_each_concurrent(at_once, run).await?;
        // As its own housekeeping does after so many rows.
        if db.dialect() == Dialect::Postgres {
            execute_raw(db, "ANALYZE").await?;
        }
        Ok(())
    }

    /// New campaigns, from their start to their last mail: how long each tick took.
    pub(crate) async fn run(&mut self) -> Vec<Duration> {
        // The next Monday: no cap of the run before.
        self.clock
            .advance_to(MONDAY + Duration::from_secs(7 * 86_400) * self.runs);
        self.runs += 1;
        let mut running = Vec::new();
        for (ws, mailboxes) in &self.workspaces {
            running.push((*ws, self.campaign(*ws, mailboxes).await));
        }
        let env = &self.env;
        let mut ticks = Vec::new();
        loop {
            let start = Instant::now();
            let due = sends::tick(env).await.unwrap();
            ticks.push(start.elapsed());
            env.under_way.settled().await;
            match due {
                Due::Now => {}
                Due::At(at) => self.clock.advance_to(at),
                Due::WhenWoken => {
                    if sends::tick(env).await.unwrap() == Due::WhenWoken {
                        break;
                    }
                    env.under_way.settled().await;
                }
            }
        }
        for (ws, campaign) in running {
            let stats = campaigns::stats(env, ws, campaign).await.unwrap();
            assert_eq!(stats.sent as usize, DUE, "{:?}", stats.by_state);
        }
        ticks
    }

    async fn mailboxes(&self, ws: WorkspaceId) -> Vec<AccountId> {
        let mut ids = Vec::new();
        for n in 0..MAILBOXES {
            let new = NewMailbox {
                address: format!("ada@sender{n}.test"),
                preset: Some("post".into()),
                daily_limit: Some(500),
                ..NewMailbox::default()
            };
            let connected = mailboxes::connect(&self.env, ws, new, &Actor::Cli).await;
            ids.push(connected.unwrap().account.id);
        }
        ids
    }

    /// A running campaign, with people of its own.
    async fn campaign(
        &self,
        ws: WorkspaceId,
        mailboxes: &[AccountId],
    ) -> overture_domain::CampaignId {
        let env = &self.env;
        let given = CampaignIn {
            name: "Spring".into(),
            steps: vec![StepIn {
                subject: "Hello {{ firstName }}".into(),
                body_html: "<p>Hello {{ firstName }} of {{ company }}</p>".into(),
                ..StepIn::default()
            }],
            mailbox_ids: mailboxes.to_vec(),
            minutes_between_sends: Some(0),
            daily_send_limit: Some(10_000),
            max_sends_per_mailbox_per_day: Some(500),
            ..CampaignIn::default()
        };
        let created = campaigns::create(env, ws, &given, &Actor::Cli).await;
        let campaign = created.unwrap().campaign.id;
        let who = Enroll {
            prospect_ids: self.prospects(ws).await,
            ..Enroll::default()
        };
        campaigns::enroll(env, ws, campaign, &who, &Actor::Cli)
            .await
            .unwrap();
        campaigns::start(env, ws, campaign, &Actor::Cli)
            .await
            .unwrap();
        campaign
    }

    async fn prospects(&self, ws: WorkspaceId) -> Vec<ProspectId> {
        let people: Vec<Prospect> = (0..DUE).map(|n| self.prospect(ws, n)).collect();
        let mut tx = self.env.db.begin().await.unwrap();
        prospects::insert(&mut tx, &people).await.unwrap();
        tx.commit().await.unwrap();
        people.into_iter().map(|prospect| prospect.id).collect()
    }

    fn prospect(&self, ws: WorkspaceId, n: usize) -> Prospect {
        let now = self.env.now();
        Prospect {
            first_name: "Zoë".into(),
            last_name: "Example".into(),
            company: "Example & Sons".into(),
            ..Prospect::new(
                self.env.id(),
                ws,
                format!("p{}-{n}@d{}.test", self.runs, n % 100),
                "bench",
                now,
            )
        }
    }
}
