//! A workspace that sends: mailboxes behind a scripted post office, prospects, campaigns, and the
//! hands that turn the clock. Made through the product's own operations.

use std::{
    collections::{HashMap, VecDeque},
    future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use overture_domain::{
    AccountId, CampaignId, EnrollmentId, ProspectId, Timestamp, WorkspaceId,
    accounts::Account,
    enrollments::Enrollment,
    events::{Event, EventKind, EventPosition},
    people::Actor,
    prospects::Prospect,
};
use overture_engine::{
    Due, Env, MailProviders, Part, ProviderPreset,
    campaigns::{self, CampaignIn, Enroll, StepIn},
    leases,
    mailboxes::{self, NewMailbox},
    sends,
};
use overture_plugin_host::{
    CallError, Leg, Preset, Problem, SendOutcome, Sent, SyncPage,
    capabilities::mailbox::{MailSession, Outgoing, SubmissionRecord},
};
use overture_store::{enrollments, events, jobs, prospects, testing::TestDatabase};
use tokio::sync::Notify;

use crate::TestEnv;

/// A workspace in which campaigns run, on a clock that the test turns.
#[derive(Clone)]
pub struct Outreach {
    pub kit: TestEnv,
    pub post: Arc<Post>,
    pub ws: WorkspaceId,
}

impl Outreach {
    /// An empty workspace behind a post office that takes everything.
    ///
    /// # Panics
    /// When something of it can't be had; so do all functions here.
    pub async fn new(database: TestDatabase) -> Self {
        let mut kit = TestEnv::new(database).await;
        let post = Arc::new(Post::default());
        kit.env.providers = post.clone();
        let ws = kit.workspace("W").await;
        Self { kit, post, ws }
    }

    /// The services.
    pub fn env(&self) -> &Env {
        &self.kit.env
    }

    /// A connected mailbox with room for 50 mails a day.
    pub async fn mailbox(&self, address: &str) -> Account {
        let new = NewMailbox {
            address: address.to_owned(),
            sender_name: "Ada Example".to_owned(),
            preset: Some("post".to_owned()),
            daily_limit: Some(50),
            ..NewMailbox::default()
        };
        mailboxes::connect(self.env(), self.ws, new, &Actor::Cli)
            .await
            .expect("a mailbox can be connected")
            .account
    }

    /// Prospects `p0@…`, `p1@…`: half of them at one domain, half at another.
    pub async fn prospects(&self, n: usize) -> Vec<ProspectId> {
        let people: Vec<Prospect> = (0..n)
            .map(|n| self.prospect(&format!("p{n}@d{}.test", n % 2)))
            .collect();
        self.write_prospects(&people).await
    }

    /// One prospect, not written yet.
    pub fn prospect(&self, email: &str) -> Prospect {
        let now = self.env().now();
        Prospect {
            first_name: "Zoë".to_owned(),
            last_name: "Example".to_owned(),
            company: "Example & Sons".to_owned(),
            ..Prospect::new(self.env().id(), self.ws, email, "test", now)
        }
    }

    /// Writes prospects; their ids.
    pub async fn write_prospects(&self, people: &[Prospect]) -> Vec<ProspectId> {
        let mut tx = self.env().db.begin().await.expect("the database is there");
        prospects::insert(&mut tx, people)
            .await
            .expect("prospects can be written");
        tx.commit().await.expect("prospects can be written");
        people.iter().map(|prospect| prospect.id).collect()
    }

    /// A draft with these steps, a day apart, and nobody in it.
    pub async fn draft(&self, mailboxes: &[&Account], steps: &[(&str, &str)]) -> CampaignId {
        let given = CampaignIn {
            name: "Spring".to_owned(),
            steps: steps
                .iter()
                .map(|(subject, body)| StepIn {
                    subject: (*subject).to_owned(),
                    body_html: (*body).to_owned(),
                    ..StepIn::default()
                })
                .collect(),
            mailbox_ids: mailboxes.iter().map(|mailbox| mailbox.id).collect(),
            ..CampaignIn::default()
        };
        self.create(&given).await
    }

    /// A draft.
    pub async fn create(&self, given: &CampaignIn) -> CampaignId {
        campaigns::create(self.env(), self.ws, given, &Actor::Cli)
            .await
            .expect("a campaign can be created")
            .campaign
            .id
    }

    /// Puts prospects into a campaign.
    pub async fn enroll(&self, campaign: CampaignId, people: &[ProspectId]) -> campaigns::Enrolled {
        let who = Enroll {
            prospect_ids: people.to_vec(),
            ..Enroll::default()
        };
        campaigns::enroll(self.env(), self.ws, campaign, &who, &Actor::Cli)
            .await
            .expect("prospects can be enrolled")
    }

    /// Starts a campaign.
    pub async fn start(&self, campaign: CampaignId) {
        campaigns::start(self.env(), self.ws, campaign, &Actor::Cli)
            .await
            .expect("the campaign can start");
    }

    /// A running campaign of one step with these people.
    pub async fn running(&self, mailboxes: &[&Account], people: &[ProspectId]) -> CampaignId {
        let campaign = self
            .draft(
                mailboxes,
                &[("Hello {{ firstName }}", "<p>Hi, how is {{ company }}?</p>")],
            )
            .await;
        self.enroll(campaign, people).await;
        self.start(campaign).await;
        campaign
    }

    /// Does what is due now, until nothing is; when something is due next.
    pub async fn settle(&self) -> Option<Timestamp> {
        settle(self.env()).await
    }

    /// Turns the clock to `end`, stopping wherever something is due.
    pub async fn run_until(&self, end: Timestamp) {
        loop {
            let next = self.settle().await.filter(|next| *next <= end);
            self.kit.clock.advance_to(next.unwrap_or(end));
            if next.is_none() {
                self.settle().await;
                return;
            }
        }
    }

    /// Turns the clock on.
    pub async fn run_for(&self, length: Duration) {
        self.run_until(self.env().now() + length).await;
    }

    /// Everybody in a campaign, by their address.
    pub async fn enrollments(&self, campaign: CampaignId) -> Vec<Enrollment> {
        let on = &mut self.env().db.reader();
        let mut all = enrollments::list(
            on,
            self.ws,
            campaign,
            &Default::default(),
            &overture_store::Slice::first(1_000),
        )
        .await
        .expect("enrollments can be read");
        let ids: Vec<ProspectId> = all
            .iter()
            .map(|enrollment| enrollment.prospect_id)
            .collect();
        let people = prospects::list_by_ids(on, self.ws, &ids)
            .await
            .expect("prospects can be read");
        let emails: HashMap<ProspectId, String> = people
            .into_iter()
            .map(|prospect| (prospect.id, prospect.email))
            .collect();
        all.sort_by_key(|enrollment| emails[&enrollment.prospect_id].clone());
        all
    }

    /// One enrollment as it is now.
    pub async fn enrollment(&self, id: EnrollmentId) -> Enrollment {
        let found = enrollments::find(&mut self.env().db.reader(), self.ws, id).await;
        found
            .expect("enrollments can be read")
            .expect("the enrollment is there")
    }

    /// A mailbox as it is now.
    pub async fn account(&self, id: AccountId) -> Account {
        mailboxes::get(self.env(), self.ws, id)
            .await
            .expect("the mailbox is there")
    }

    /// The events of a kind, oldest first. Readers see none that an open transaction of anybody
    /// may still precede, so a marker is waited for that comes after all of them.
    pub async fn events(&self, kind: EventKind) -> Vec<Event> {
        let marker = Event {
            id: self.env().id(),
            workspace_id: self.ws,
            kind: EventKind::WebhookTest,
            channel: None,
            campaign_id: None,
            enrollment_id: None,
            prospect_id: None,
            account_id: None,
            occurred_at: self.env().now(),
            dedup_key: None,
            data: serde_json::json!({}),
        };
        let mut tx = self.env().db.begin().await.expect("the database is there");
        events::insert(&mut tx, std::slice::from_ref(&marker))
            .await
            .expect("events can be written");
        tx.commit().await.expect("events can be written");
        let look = async {
            loop {
                let found = self.all_events().await;
                if found.iter().any(|event| event.id == marker.id) {
                    return found;
                }
                tokio::task::yield_now().await;
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(30), look).await;
        let mut found = found.expect("no transaction stays open for long");
        found.retain(|event| event.kind == kind);
        found
    }

    async fn all_events(&self) -> Vec<Event> {
        let on = &mut self.env().db.reader();
        let filter = events::Filter::default();
        let found = events::list(on, self.ws, &filter, EventPosition::default(), 10_000).await;
        found
            .expect("events can be read")
            .into_iter()
            .map(|placed| placed.event)
            .collect()
    }
}

/// Does what is due now on one host, until nothing is; when something is due next.
pub async fn settle(env: &Env) -> Option<Timestamp> {
    loop {
        let woken = || [Part::Sends, Part::Campaigns].map(|part| env.wakes.count(part));
        let before = woken();
        leases::tick(env).await.expect("leases tick");
        let due = campaigns::tick(env).await.expect("campaigns tick");
        let due = due.or(sends::tick(env).await.expect("sends tick"));
        env.under_way.settled().await;
        if woken() != before {
            continue;
        }
        // SCH-3
        let mismatched = jobs::count_mismatched(&mut env.db.reader())
            .await
            .expect("jobs can be read");
        assert_eq!(
            mismatched, 0,
            "a job and the next action of its enrollment differ"
        );
        match due {
            Due::Now => {}
            Due::WhenWoken => return None,
            Due::At(at) => {
                assert!(
                    at > env.now(),
                    "what is due at {at} was not done at {}",
                    env.now()
                );
                return Some(at);
            }
        }
    }
}

/// What the post office does with a mail.
#[derive(Clone, Debug)]
pub enum Fate {
    Taken,
    Refused(Problem),
    /// The plugin fails.
    Crash(CallError),
    /// What the host saw of the dialogue; for a post office behind SMTP.
    Dialogue(SubmissionRecord),
    /// The same as another, but not before this is notified.
    After(Arc<Notify>, Box<Fate>),
    /// No answer, ever: the process is to be thought dead.
    Silence,
}

/// A mail provider that does what a test says. It carries mails itself unless [`Post::behind_smtp`]
/// is set.
#[derive(Default)]
pub struct Post(Mutex<Desk>);

#[derive(Default)]
struct Desk {
    behind_smtp: bool,
    fates: HashMap<String, VecDeque<Fate>>,
    taken: Vec<Outgoing>,
    asked: Vec<String>,
    limits: (Option<u32>, Option<u32>),
}

impl Post {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Mails go through the host's session: the host sees the dialogue.
    pub fn behind_smtp(&self) {
        self.desk().behind_smtp = true;
    }

    /// What happens to the next mails to an address; then everything is taken again.
    pub fn next(&self, recipient: &str, fates: impl IntoIterator<Item = Fate>) {
        self.desk()
            .fates
            .entry(recipient.to_owned())
            .or_default()
            .extend(fates);
    }

    /// What the service allows one mailbox: mails a day, mails a minute.
    pub fn allow(&self, per_day: Option<u32>, per_minute: Option<u32>) {
        self.desk().limits = (per_day, per_minute);
    }

    /// The mails that were taken, in their order.
    pub fn taken(&self) -> Vec<Outgoing> {
        self.desk().taken.clone()
    }

    /// The recipients for whom a send was called, in their order.
    pub fn asked(&self) -> Vec<String> {
        self.desk().asked.clone()
    }
}

#[async_trait]
impl MailProviders for Post {
    async fn presets(&self, _: WorkspaceId) -> Vec<ProviderPreset> {
        let (recipients_per_day, mails_per_minute) = self.desk().limits;
        let preset = Preset {
            key: "post".to_owned(),
            name: "Post".to_owned(),
            smtp: None,
            imap: None,
            auth: Vec::new(),
            password_hint: String::new(),
            domains: Vec::new(),
            files_sent: true,
            sent_within_minutes: None,
            recipients_per_day,
            mails_per_minute,
        };
        vec![ProviderPreset {
            provider: "provider-post".to_owned(),
            preset,
        }]
    }

    fn has_own_transport(&self, _: &str) -> Result<bool, CallError> {
        Ok(!self.desk().behind_smtp)
    }

    async fn check(
        &self,
        _: WorkspaceId,
        _: &str,
        _: Arc<dyn MailSession>,
    ) -> Result<Vec<Leg>, CallError> {
        Ok(vec![Leg {
            name: "post".to_owned(),
            problem: None,
        }])
    }

    async fn send(
        &self,
        _: WorkspaceId,
        _: &str,
        _: Arc<dyn MailSession>,
        mail: Outgoing,
    ) -> SendOutcome {
        let recipient = mail.envelope.recipient.clone();
        let fate = {
            let mut desk = self.desk();
            desk.asked.push(recipient.clone());
            let fate = desk
                .fates
                .get_mut(&recipient)
                .and_then(VecDeque::pop_front)
                .unwrap_or(Fate::Taken);
            if matches!(
                fate,
                Fate::Taken | Fate::Dialogue(SubmissionRecord::Accepted(_))
            ) {
                desk.taken.push(mail);
            }
            fate
        };
        let fate = match fate {
            Fate::After(go, fate) => {
                go.notified().await;
                *fate
            }
            fate => fate,
        };
        let sent = Sent {
            provider_id: None,
            reply: None,
        };
        let (submission, answer) = match fate {
            Fate::Taken => (SubmissionRecord::NotTried, Ok(Ok(sent))),
            Fate::Refused(problem) => (SubmissionRecord::NotTried, Ok(Err(problem))),
            Fate::Crash(error) => (SubmissionRecord::NotTried, Err(error)),
            Fate::Dialogue(record) => (record, Ok(Ok(sent))),
            Fate::After(..) | Fate::Silence => future::pending().await,
        };
        SendOutcome { submission, answer }
    }

    async fn sync(
        &self,
        _: WorkspaceId,
        _: &str,
        _: Arc<dyn MailSession>,
        cursor: Option<&str>,
    ) -> Result<Result<SyncPage, Problem>, CallError> {
        Ok(Ok(SyncPage {
            cursor: cursor.unwrap_or("0").to_owned(),
            mails: Vec::new(),
            signals: Vec::new(),
            more: false,
            watch: Vec::new(),
            check_again_at: None,
        }))
    }
}
