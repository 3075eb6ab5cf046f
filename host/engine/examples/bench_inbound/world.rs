//! A database with mailboxes that have written to many people, and whose answers come in.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use overture_domain::{
    CampaignId, Timestamp, WorkspaceId,
    accounts::{Account, Channel, MailServer, TlsMode},
    enrollments::{Action, ActionState, Attempt, Outcome},
    messages::Label,
    people::Actor,
    prospects::Prospect,
    time::ManualClock,
};
use overture_egress::{AddressPolicy, Resolver};
use overture_engine::{
    Env,
    campaigns::{self, CampaignIn, StepIn},
    inbox, leases,
    mailboxes::{self, NewMailbox},
    plugins::{Backing, Registry, Settings},
};
use overture_mail::{Credentials, Dialer, Endpoint, NetConnector, Security, imap, tls::Tls};
use overture_server_kit::MailServers;
use overture_store::{
    Database, Slice, accounts, actions, enrollments,
    jobs::{self, Planned},
    messages, prospects,
};
use overture_testkit::{MONDAY, services, workspace};

use crate::{
    mails::{self, Kind, Sent},
    pages::Pages,
};

/// A database with the product around it.
pub(crate) struct World {
    env: Env,
    /// Hands the mails over, where no server has them.
    pages: Option<Arc<Pages>>,
    clock: Arc<ManualClock>,
    ws: WorkspaceId,
    accounts: Vec<Account>,
    servers: MailServers,
    runs: AtomicUsize,
}

/// Where mails come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The provider hands their bytes over.
    Provider,
    /// They lie in Dovecot.
    Server,
}

/// What one mailbox gets.
struct Mails {
    address: String,
    mails: Vec<Vec<u8>>,
}

impl World {
    pub(crate) async fn new(
        url: &str,
        from: Source,
        servers: &MailServers,
        addresses: Vec<String>,
        plugins: Vec<Vec<u8>>,
    ) -> Self {
        let db = Database::open(url).await.unwrap();
        db.migrate().await.unwrap();
        let clock = Arc::new(ManualClock::new(MONDAY));
        let mut env = services(db, Arc::clone(&clock));
        let connector = NetConnector {
            resolver: Resolver::new(&[]).unwrap(),
            policy: AddressPolicy::mail(
                vec!["127.0.0.0/8".parse().unwrap()],
                &[servers.ports.submissions, servers.ports.imaps],
            ),
        };
        let tls = Tls::new(Some(&servers.ca_file)).unwrap();
        env.dialer = Dialer::new(Arc::new(connector), tls);
        let backing = Backing {
            db: env.db.clone(),
            clock: env.clock.clone(),
            rng: env.rng.clone(),
            vault: env.vault.clone(),
            http: env.http.clone(),
        };
        let registry = Registry::open(backing, Settings::default(), plugins);
        let registry = Arc::new(registry.await.unwrap());
        env.providers = registry.clone();
        env.classifiers = registry;
        leases::start(&env, "bench").await.unwrap();
        let ws = workspace(&env, "W").await;
        let mut world = Self {
            env,
            pages: None,
            clock,
            ws,
            accounts: Vec::new(),
            servers: servers.clone(),
            runs: AtomicUsize::new(0),
        };
        for address in addresses {
            let account = world.mailbox(&address).await;
            world.accounts.push(account);
        }
        match from {
            Source::Provider => {
                let pages = Arc::<Pages>::default();
                world.env.providers = pages.clone();
                world.pages = Some(pages);
            }
            // The first look passes over what lies there.
            Source::Server => drop(world.measure(0).await),
        }
        world
    }

    /// Takes so many mails in; mails a second.
    pub(crate) async fn run(&self, n: usize) -> f64 {
        let (campaign, given) = self.answered(n).await;
        match &self.pages {
            Some(pages) => {
                for mailbox in given {
                    pages.put(&mailbox.address, mailbox.mails);
                }
            }
            None => {
                let deliveries = given.iter().map(|mailbox| self.deliver(mailbox));
                futures::future::join_all(deliveries).await;
            }
        }
        let rate = self.measure(n).await;
        self.check(campaign, n).await;
        rate
    }

    /// Puts mails into a mailbox at Dovecot.
    async fn deliver(&self, mailbox: &Mails) {
        let endpoint = Endpoint {
            host: "127.0.0.1".into(),
            port: self.servers.ports.imaps,
            security: Security::Implicit,
            pinned: None,
        };
        let login = Credentials::Password {
            user: mailbox.address.clone(),
            password: "pw".into(),
        };
        let connected = imap::Session::connect(&self.env.dialer, &endpoint, &login);
        let mut own = connected.await.unwrap();
        for mail in &mailbox.mails {
            own.append("INBOX", mail, &[]).await.unwrap();
        }
        own.logout().await;
    }

    /// Reads all mailboxes: from the look at what is due to the last cursor on disk.
    async fn measure(&self, n: usize) -> f64 {
        let env = &self.env;
        self.clock.advance(Duration::from_secs(3_600));
        let mut tx = env.db.begin().await.unwrap();
        for account in &self.accounts {
            accounts::request_sync(&mut tx, self.ws, account.id, env.now())
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        let start = Instant::now();
        inbox::tick(env).await.unwrap();
        env.under_way.settled().await;
        let rate = n as f64 / start.elapsed().as_secs_f64();
        for account in &self.accounts {
            let read = mailboxes::get(env, self.ws, account.id).await.unwrap();
            assert_eq!((read.synced_at, read.sync_error), (Some(env.now()), None));
        }
        rate
    }

    /// Every mail was taken for what it is.
    async fn check(&self, campaign: CampaignId, n: usize) {
        let on = &mut self.env.db.reader();
        let all = messages::list(on, self.ws, &Default::default(), &Slice::first(1_000_000))
            .await
            .unwrap();
        let labels: Vec<Label> = all
            .iter()
            .filter(|message| message.campaign_id == Some(campaign))
            .filter_map(|message| message.label)
            .collect();
        let expected = |kind: Kind| (0..n).filter(|n| Kind::of(*n) == kind).count();
        let found = |label: Label| labels.iter().filter(|own| **own == label).count();
        assert_eq!(labels.len(), n - expected(Kind::Other));
        for (kind, label) in [
            (Kind::HardBounce, Label::BounceHard),
            (Kind::SoftBounce, Label::BounceSoft),
            (Kind::OutOfOffice, Label::OutOfOffice),
            (Kind::Unsubscribe, Label::UnsubscribeRequest),
        ] {
            assert_eq!(found(label), expected(kind), "{label:?}");
        }
    }

    /// A campaign that has written to so many people, each with a next step to come, and what they
    /// answer.
    async fn answered(&self, n: usize) -> (CampaignId, Vec<Mails>) {
        let run = self.runs.fetch_add(1, Ordering::SeqCst);
        let (env, ws) = (&self.env, self.ws);
        let step = |subject: &str| StepIn {
            subject: subject.into(),
            body_html: "<p>Hello".into(),
            ..StepIn::default()
        };
        let given = CampaignIn {
            name: format!("Spring {run}"),
            steps: vec![step("Hello"), step("")],
            mailbox_ids: self.accounts.iter().map(|account| account.id).collect(),
            ..CampaignIn::default()
        };
        let details = campaigns::create(env, ws, &given, &Actor::Cli)
            .await
            .unwrap();
        let campaign = details.campaign.id;
        let now = env.now();
        let people: Vec<Prospect> = (0..n).map(|n| prospect(env, ws, run, n)).collect();
        let mut given: Vec<Mails> = self
            .accounts
            .iter()
            .map(|account| Mails {
                address: account.address.clone(),
                mails: Vec::new(),
            })
            .collect();
        let mut rows = Rows::default();
        for (n, prospect) in people.iter().enumerate() {
            let nth = n % given.len();
            let (account, mailbox) = (&self.accounts[nth], &mut given[nth]);
            let enrollment = env.id();
            let id = env.id();
            let message_id = format!("{id}@sender.test");
            rows.enrollments.push((enrollment, prospect));
            rows.acting.push((enrollment, account.id));
            let attempt = env.id();
            rows.attempts.push(Attempt {
                id: attempt,
                workspace_id: ws,
                action_id: id,
                external_id: message_id.clone(),
                at: now,
                outcome: None,
                outcome_at: None,
                detail: None,
            });
            rows.ended.push(actions::Ended {
                action_id: id,
                state: ActionState::Done,
                deferrals: 0,
                error: None,
                attempt: Some((attempt, Outcome::Sent)),
                detail: None,
            });
            rows.planned.push(Planned {
                job_id: env.id(),
                workspace_id: ws,
                enrollment_id: enrollment,
                run_at: now + Duration::from_secs(365 * 86_400),
                lane: None,
                reason: String::new(),
                waits: false,
            });
            rows.actions.push(Action {
                id,
                workspace_id: ws,
                campaign_id: campaign,
                enrollment_id: enrollment,
                step_id: details.steps[0].id,
                step_index: 0,
                variant_id: None,
                account_id: account.id,
                channel: Channel::Mail,
                kind: details.steps[0].kind,
                state: ActionState::HandedOut,
                external_id: message_id.clone(),
                deferrals: 0,
                last_error: None,
                handed_out_at: now,
                done_at: None,
            });
            let sent = Sent {
                to: prospect.email.clone(),
                message_id,
            };
            let mail = mails::mail(Kind::of(n), n, &sent, &account.address);
            mailbox.mails.push(mail);
        }
        rows.write(env, ws, campaign, &people, now).await;
        (campaign, given)
    }

    async fn mailbox(&self, address: &str) -> Account {
        let server = |port| MailServer {
            host: "127.0.0.1".into(),
            port,
            tls: TlsMode::Implicit,
        };
        let ports = &self.servers.ports;
        let new = NewMailbox {
            address: address.into(),
            preset: Some("custom".into()),
            password: Some("pw".into()),
            smtp: Some(server(ports.submissions)),
            imap: Some(server(ports.imaps)),
            ..NewMailbox::default()
        };
        let connected = mailboxes::connect(&self.env, self.ws, new, &Actor::Cli).await;
        connected
            .unwrap_or_else(|error| panic!("{error}: {:?}", error.details()))
            .account
    }
}

/// What was sent, as rows.
#[derive(Default)]
struct Rows<'a> {
    enrollments: Vec<(overture_domain::EnrollmentId, &'a Prospect)>,
    acting: Vec<(overture_domain::EnrollmentId, overture_domain::AccountId)>,
    actions: Vec<Action>,
    attempts: Vec<Attempt>,
    ended: Vec<actions::Ended>,
    planned: Vec<Planned>,
}

impl Rows<'_> {
    async fn write(
        &self,
        env: &Env,
        ws: WorkspaceId,
        campaign: CampaignId,
        people: &[Prospect],
        now: Timestamp,
    ) {
        let mut whole = env.db.begin().await.unwrap();
        let tx = &mut whole;
        prospects::insert(tx, people).await.unwrap();
        enrollments::insert(tx, ws, campaign, &self.enrollments, true, now)
            .await
            .unwrap();
        enrollments::set_acting(tx, ws, &self.acting, now)
            .await
            .unwrap();
        actions::insert(tx, &self.actions).await.unwrap();
        actions::insert_attempts(tx, &self.attempts).await.unwrap();
        actions::end(tx, &self.ended, now).await.unwrap();
        let done: Vec<_> = self.acting.iter().map(|(id, _)| (*id, 0)).collect();
        enrollments::advance(tx, ws, &done, now).await.unwrap();
        jobs::plan(tx, &self.planned, now).await.unwrap();
        whole.commit().await.unwrap();
    }
}

fn prospect(env: &Env, ws: WorkspaceId, run: usize, n: usize) -> Prospect {
    Prospect {
        first_name: "Zoë".into(),
        last_name: "Example".into(),
        company: "Example & Sons".into(),
        role: "Head of Sales".into(),
        city: "Springfield".into(),
        ..Prospect::new(
            env.id(),
            ws,
            format!("p{run}-{n}@d{}.test", n % 100),
            "bench",
            env.now(),
        )
    }
}
