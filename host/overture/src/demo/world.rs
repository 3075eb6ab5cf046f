//! The demo's world: the services on a virtual clock, a sink for webhooks, and time that jumps to
//! wherever something is due.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use axum::{Router, http::HeaderMap, routing::post};
use overture_domain::{
    CampaignId, Clock, Timestamp, WorkspaceId,
    events::{Event, EventKind, EventPosition},
    people::Actor,
    time::ManualClock,
};
use overture_engine::{
    Due, Env, Part, Secret, campaigns, imports, leases, mailboxes, parts, people as accounts,
    webhooks,
};
use overture_store::{counts, events};
use serde_json::json;

use super::people::{self, Counts, Person, TOLD};
use crate::{config::Config, services::Services};

/// Monday, 8 in the morning.
const BEGINNING: Timestamp = Timestamp::from_secs(1_772_438_400);
/// The demo must be over by then.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// Ticks without any progress of time after which something is wrong.
const MOST_TICKS: u32 = 100_000;

/// Everything that the demo runs on.
pub struct World {
    env: Env,
    clock: Arc<ManualClock>,
    ws: WorkspaceId,
    people: Vec<Person>,
    altered: BTreeMap<String, String>,
    sink: String,
    delivered: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

impl World {
    /// A fresh database in a temporary folder, and a workspace in it.
    pub async fn open(alter: Option<&str>) -> Result<Self> {
        let folder = tempfile::tempdir().context("a temporary folder can't be made")?;
        let mut config = Config::defaults()?;
        config.database.url = format!("sqlite:{}", folder.path().join("overture.db").display());
        config.vault.master_key_file = folder.path().join("master.key");
        config.plugins.folder = folder.path().join("plugins");
        config.plugins.cache_folder = folder.path().join("plugin-cache");
        // For the sink alone; mail never leaves the sandbox.
        config.egress.allow_http = true;
        config.egress.allowed_networks = vec!["127.0.0.0/8".parse()?];

        let clock = Arc::new(ManualClock::new(BEGINNING));
        let time: Arc<dyn Clock> = clock.clone();
        let env = Services::open(&config, Arc::clone(&time), time).await?.env;
        leases::start(&env, "demo").await?;
        let password = Secret::new("a password of the demo");
        let (_, workspace) =
            accounts::create_user(&env, "demo@example.com", "Demo", password).await?;
        let delivered = Arc::new(AtomicI64::new(0));
        let sink = sink(Arc::clone(&delivered)).await?;
        let altered = alter.map(|text| {
            let (address, persona) = text.split_once('=').context("--alter is ADDRESS=PERSONA")?;
            Ok::<_, anyhow::Error>((address.to_owned(), persona.to_owned()))
        });
        Ok(Self {
            env,
            clock,
            ws: workspace.id,
            people: people::everybody(),
            altered: altered.transpose()?.into_iter().collect(),
            sink,
            delivered,
            _folder: folder,
        })
    }

    /// Who is written to.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// Imports the people, connects two mailboxes, listens with a webhook, starts the campaign.
    pub async fn launch(&self) -> Result<CampaignId> {
        let (env, ws) = (&self.env, self.ws);
        let mut csv = String::from("email,first name,company,plan\n");
        for person in &self.people {
            csv.push_str(&format!(
                "{},{},\"{}\",team\n",
                person.email, person.first_name, person.company
            ));
        }
        let options = imports::Options {
            file_name: "people.csv".to_owned(),
            list_name: Some("Demo".to_owned()),
            ..imports::Options::default()
        };
        let import = imports::create(env, ws, &options, std::io::Cursor::new(csv)).await?;
        let list = import.list_id.context("the import made a list")?;

        let mut mailbox_ids = Vec::new();
        for sender in ["mia", "noah"] {
            let mailbox = mailboxes::NewMailbox {
                address: format!("{sender}@demo.example"),
                sender_name: sender.to_owned(),
                provider: Some("provider-sandbox".to_owned()),
                preset: Some("sandbox".to_owned()),
                settings: Some(json!({ "seed": 0, "personas": self.altered })),
                ..mailboxes::NewMailbox::default()
            };
            mailbox_ids.push(
                mailboxes::connect(env, ws, mailbox, &Actor::Cli)
                    .await?
                    .account
                    .id,
            );
        }
        let hook = webhooks::WebhookIn {
            url: Secret::new(self.sink.clone()),
            events: TOLD.map(str::to_owned).to_vec(),
            ..webhooks::WebhookIn::default()
        };
        webhooks::create(env, ws, hook).await?;

        let campaign = campaigns::CampaignIn {
            name: "Demo".to_owned(),
            steps: vec![campaigns::StepIn {
                subject: "A question, {{firstName}}".to_owned(),
                body_html: "<p>{Hello|Hi} {{firstName}},</p><p>is {{company}} happy with its {{custom.plan}} plan? <a href=\"https://example.com/plans\">Here</a> are the others.</p><p>{{sender_name}}</p>".to_owned(),
                ..campaigns::StepIn::default()
            }],
            mailbox_ids,
            ..campaigns::CampaignIn::default()
        };
        let campaign = campaigns::create(env, ws, &campaign, &Actor::Cli)
            .await?
            .campaign
            .id;
        let who = campaigns::Enroll {
            list_ids: vec![list],
            ..campaigns::Enroll::default()
        };
        campaigns::enroll(env, ws, campaign, &who, &Actor::Cli).await?;
        campaigns::start(env, ws, campaign, &Actor::Cli).await?;
        Ok(campaign)
    }

    /// Lets time pass until everything that must happen has happened, or nothing more will.
    pub async fn live(&self, campaign: CampaignId) -> Result<()> {
        let expected = people::expected(&self.people);
        for _ in 0..MOST_TICKS {
            let next = self.settle().await?;
            // Nobody acts later than some hours after their mail; a day of quiet is the end.
            let over =
                self.counts(campaign).await? == expected || self.quiet_since(campaign).await?;
            match next {
                Some(at) if !over => self.clock.advance_to(at),
                _ => return Ok(()),
            }
            if self.clock.now() > BEGINNING + LONGEST {
                bail!(
                    "the campaign did not end within {} days",
                    LONGEST.as_secs() / 86_400
                );
            }
        }
        bail!("the engine did not come to rest")
    }

    /// Does all that is due now; when something is due next.
    async fn settle(&self) -> Result<Option<Timestamp>> {
        for _ in 0..MOST_TICKS {
            let mut due = Due::WhenWoken;
            let seen: Vec<u64> = Part::ALL
                .iter()
                .map(|part| self.env.wakes.count(*part))
                .collect();
            // One process that can't die: what lives on real time would only stop the clock.
            for part in Part::ALL.iter().filter(|part| !part.is_real()) {
                due = due.or(parts::tick(&self.env, *part).await?);
            }
            self.env.under_way.settled().await;
            let woken = Part::ALL
                .iter()
                .zip(&seen)
                .any(|(part, seen)| self.env.wakes.count(*part) != *seen);
            match due {
                _ if woken => {}
                Due::Now => {}
                Due::At(at) if at <= self.clock.now() => {}
                Due::At(at) => return Ok(Some(at)),
                Due::WhenWoken => return Ok(None),
            }
        }
        bail!("the engine did not come to rest")
    }

    async fn quiet_since(&self, campaign: CampaignId) -> Result<bool> {
        let stats = campaigns::stats(&self.env, self.ws, campaign).await?;
        let open = stats
            .by_state
            .iter()
            .any(|(state, n)| state.is_open() && *n > 0);
        let last = self
            .events(campaign)
            .await?
            .last()
            .map(|event| event.occurred_at);
        Ok(!open
            && last
                .is_some_and(|last| self.clock.now().since(last) > Duration::from_secs(24 * 3600)))
    }

    /// What the product counted, in the order of [`people::expected`].
    pub async fn counts(&self, campaign: CampaignId) -> Result<Counts> {
        let kinds = counts::of_campaign(&mut self.env.db.reader(), self.ws, campaign).await?;
        let of = |kind| {
            kinds
                .iter()
                .find(|(found, ..)| *found == kind)
                .map_or(0, |(_, n, _)| *n)
        };
        let people_of = |kind| {
            kinds
                .iter()
                .find(|(found, ..)| *found == kind)
                .map_or(0, |(.., people)| *people)
        };
        use EventKind as K;
        Ok(vec![
            // A mail that bounces softly is tried again, and comes back again (SAF-4): people count.
            ("sent", people_of(K::EmailSent)),
            ("opened", of(K::EmailOpened)),
            ("clicked", of(K::EmailClicked)),
            ("replied", of(K::ReplyReceived)),
            ("out of office", of(K::OutOfOfficeReceived)),
            ("answered by machine", of(K::AutoReplyReceived)),
            ("bounced, hard", of(K::EmailBounced)),
            ("bounced, soft", people_of(K::EmailSoftBounced)),
            ("unsubscribed", of(K::EmailUnsubscribed)),
            ("complained", of(K::EmailComplained)),
            ("webhooks delivered", self.delivered.load(Ordering::SeqCst)),
        ])
    }

    /// What happened in a campaign, in its order.
    pub async fn events(&self, campaign: CampaignId) -> Result<Vec<Event>> {
        let filter = events::Filter {
            campaign_id: Some(campaign),
            ..events::Filter::default()
        };
        let mut after = EventPosition::default();
        let mut all = Vec::new();
        loop {
            let page =
                events::list(&mut self.env.db.reader(), self.ws, &filter, after, 500).await?;
            let Some(last) = page.last() else {
                return Ok(all);
            };
            after = last.position;
            all.extend(page.into_iter().map(|placed| placed.event));
        }
    }
}

/// Receives webhooks on this machine and counts those whose signature headers are there.
async fn sink(delivered: Arc<AtomicI64>) -> Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .context("no free port for the sink")?;
    let url = format!("http://{}/hooks", listener.local_addr()?);
    let receive = move |headers: HeaderMap| {
        let delivered = Arc::clone(&delivered);
        async move {
            let signed = ["webhook-signature", "x-warmy-signature"]
                .iter()
                .all(|name| headers.contains_key(*name));
            if signed {
                delivered.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    let router = Router::new().route("/hooks", post(receive));
    tokio::spawn(axum::serve(listener, router).into_future());
    ensure!(
        url.starts_with("http://127.0.0.1:"),
        "the sink stays on this machine"
    );
    Ok(url)
}
