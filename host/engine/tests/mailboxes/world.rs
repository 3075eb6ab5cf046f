//! A workspace with one mailbox and one running campaign, and prospects whose step went out.

use std::{sync::Arc, time::Duration};

use overture_domain::{
    ActionId, CampaignId, EnrollmentId, ProspectId, StepId, Timestamp, WorkspaceId,
    accounts::{Account, Channel},
    campaigns::{Campaign, CampaignStatus, Step, StepKind},
    enrollments::{Action, ActionState, Attempt, Enrollment, EnrollmentState, Outcome},
    events::{Event, EventPosition},
    messages::Message,
    people::Actor,
    prospects::Prospect,
};
use overture_engine::{Due, Env, inbox, mailboxes, mailboxes::NewMailbox};
use overture_store::{
    accounts, actions,
    campaigns::{self, StatusChange},
    enrollments, events,
    jobs::{self, Planned},
    messages, prospects,
    testing::TestDatabase,
};
use overture_testkit::TestEnv;

use crate::script::{Phrases, Script, page};

pub(crate) struct World {
    pub(crate) kit: TestEnv,
    pub(crate) script: Arc<Script>,
    pub(crate) ws: WorkspaceId,
    pub(crate) mailbox: Account,
    pub(crate) campaign: CampaignId,
    steps: Vec<StepId>,
}

/// A prospect whose first step went out.
pub(crate) struct Sent {
    pub(crate) action: ActionId,
    pub(crate) prospect: ProspectId,
    pub(crate) enrollment: EnrollmentId,
    pub(crate) email: String,
    pub(crate) message_id: String,
}

impl World {
    pub(crate) async fn new(database: TestDatabase) -> Self {
        let mut kit = TestEnv::new(database).await;
        let script = Arc::new(Script::default());
        kit.env.providers = script.clone();
        kit.env.classifiers = Arc::new(Phrases::usual());
        let ws = kit.workspace("W").await;
        let mailbox = connect(&kit.env, ws, "Ada@Sender.test").await;
        let (campaign, steps) = start_campaign(&kit.env, ws, 1).await;
        Self {
            kit,
            script,
            ws,
            mailbox,
            campaign,
            steps,
        }
    }

    pub(crate) async fn another_mailbox(&self, address: &str) -> Account {
        connect(self.env(), self.ws, address).await
    }

    pub(crate) async fn another_campaign(&self, steps: i64) -> (CampaignId, Vec<StepId>) {
        start_campaign(self.env(), self.ws, steps).await
    }

    pub(crate) fn env(&self) -> &Env {
        &self.kit.env
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.env().now()
    }

    /// A prospect whose step went out. Its enrollment is through, or waits for a next step.
    pub(crate) async fn sent_to(&self, email: &str, state: EnrollmentState) -> Sent {
        let sent = self.handed_out_to(email).await;
        let now = self.now();
        let mut tx = self.env().db.begin().await.unwrap();
        let attempt = self.attempt(&sent);
        let done = ended(&attempt, ActionState::Done, Outcome::Sent);
        actions::insert_attempts(&mut tx, &[attempt]).await.unwrap();
        actions::end(&mut tx, &[done], now).await.unwrap();
        enrollments::advance(&mut tx, self.ws, &[(sent.enrollment, 0)], now)
            .await
            .unwrap();
        if state != EnrollmentState::Active {
            enrollments::finish(&mut tx, self.ws, &[sent.enrollment], state, "", now)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        sent
    }

    /// A prospect whose step may have gone out (SAFE-3).
    pub(crate) async fn perhaps_sent_to(&self, email: &str) -> Sent {
        let sent = self.handed_out_to(email).await;
        let now = self.now();
        let attempt = self.attempt(&sent);
        let mut tx = self.env().db.begin().await.unwrap();
        let unknown = ended(&attempt, ActionState::Ambiguous, Outcome::Ambiguous);
        actions::insert_attempts(&mut tx, &[attempt]).await.unwrap();
        actions::end(&mut tx, &[unknown], now).await.unwrap();
        let state = EnrollmentState::AmbiguousSend;
        let parked = [(sent.enrollment, state, "no answer".to_owned())];
        enrollments::park(&mut tx, self.ws, &parked, now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        sent
    }

    fn attempt(&self, sent: &Sent) -> Attempt {
        Attempt {
            id: self.env().id(),
            workspace_id: self.ws,
            action_id: sent.action,
            external_id: sent.message_id.clone(),
            at: self.now(),
            outcome: None,
            outcome_at: None,
            detail: None,
        }
    }

    async fn handed_out_to(&self, email: &str) -> Sent {
        let now = self.now();
        let prospect = prospect(self.env(), self.ws, email);
        let (enrollment, action) = (self.env().id(), self.env().id());
        let message_id = format!("{action}@sender.test");
        let sent = Action {
            id: action,
            workspace_id: self.ws,
            campaign_id: self.campaign,
            enrollment_id: enrollment,
            step_id: self.steps[0],
            step_index: 0,
            variant_id: None,
            account_id: self.mailbox.id,
            channel: Channel::Mail,
            kind: StepKind::Email,
            state: ActionState::HandedOut,
            external_id: message_id.clone(),
            deferrals: 0,
            last_error: None,
            handed_out_at: now,
            done_at: None,
        };
        let mut tx = self.env().db.begin().await.unwrap();
        prospects::insert(&mut tx, std::slice::from_ref(&prospect))
            .await
            .unwrap();
        enrollments::insert(
            &mut tx,
            self.ws,
            self.campaign,
            &[(enrollment, &prospect)],
            true,
            now,
        )
        .await
        .unwrap();
        enrollments::set_acting(&mut tx, self.ws, &[(enrollment, self.mailbox.id)], now)
            .await
            .unwrap();
        actions::insert(&mut tx, &[sent]).await.unwrap();
        tx.commit().await.unwrap();
        Sent {
            action,
            prospect: prospect.id,
            enrollment,
            email: email.to_owned(),
            message_id,
        }
    }

    /// Plans the next step of an enrollment.
    pub(crate) async fn plan(&self, enrollment: EnrollmentId, run_at: Timestamp) {
        let plan = Planned {
            job_id: self.env().id(),
            workspace_id: self.ws,
            enrollment_id: enrollment,
            run_at,
            lane: None,
            reason: String::new(),
            waits: false,
        };
        let mut tx = self.env().db.begin().await.unwrap();
        jobs::plan(&mut tx, &[plan], self.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Mails come in, a minute later.
    pub(crate) async fn arrive(&self, mails: &[&str]) {
        let cursor = format!("after {}", self.script.cursors().len());
        self.script.answer(Ok(Ok(page(&cursor, mails))));
        self.sync().await;
    }

    /// Mails come in at one of several mailboxes; the others are not read meanwhile.
    pub(crate) async fn arrive_at(&self, mailbox: &Account, mails: &[&str]) {
        let far = "UPDATE sending_accounts SET sync_due_at = 9000000000000000";
        self.kit.database.execute_raw(far).await.unwrap();
        let cursor = format!("after {}", self.script.cursors().len());
        self.script.answer(Ok(Ok(page(&cursor, mails))));
        self.sync_of(mailbox).await;
        assert!(self.script.pages.lock().unwrap().is_empty(), "it was read");
    }

    /// A minute later the mailbox is read.
    pub(crate) async fn sync(&self) {
        self.sync_of(&self.mailbox).await;
    }

    async fn sync_of(&self, mailbox: &Account) {
        self.kit.clock.advance(Duration::from_secs(60));
        let mut tx = self.env().db.begin().await.unwrap();
        accounts::request_sync(&mut tx, self.ws, mailbox.id, self.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        self.tick().await;
    }

    pub(crate) async fn tick(&self) -> Due {
        let due = inbox::tick(self.env()).await.unwrap();
        self.env().under_way.settled().await;
        due
    }

    pub(crate) async fn enrollment(&self, sent: &Sent) -> Enrollment {
        let on = &mut self.env().db.reader();
        enrollments::find(on, self.ws, sent.enrollment)
            .await
            .unwrap()
            .unwrap()
    }

    pub(crate) async fn prospect(&self, sent: &Sent) -> Prospect {
        let on = &mut self.env().db.reader();
        prospects::find(on, self.ws, sent.prospect)
            .await
            .unwrap()
            .unwrap()
    }

    /// The mailbox as it is now.
    pub(crate) async fn account(&self) -> Account {
        mailboxes::get(self.env(), self.ws, self.mailbox.id)
            .await
            .unwrap()
    }

    /// What came in, in order.
    pub(crate) async fn messages(&self) -> Vec<Message> {
        messages::list(
            &mut self.env().db.reader(),
            self.ws,
            &Default::default(),
            &overture_store::Slice::first(100),
        )
        .await
        .unwrap()
    }

    /// Everything that happened, but the changes of accounts.
    pub(crate) async fn events(&self) -> Vec<Event> {
        self.kit.database.events_settled().await;
        let on = &mut self.env().db.reader();
        let filter = events::Filter::default();
        let all = events::list(on, self.ws, &filter, EventPosition::default(), 100)
            .await
            .unwrap();
        let all = all.into_iter().map(|placed| placed.event);
        all.filter(|event| event.kind.name() != "account.status_changed")
            .collect()
    }

    /// The kinds of everything that happened, sorted.
    pub(crate) async fn kinds(&self) -> Vec<&'static str> {
        let mut kinds: Vec<_> = self
            .events()
            .await
            .iter()
            .map(|event| event.kind.name())
            .collect();
        kinds.sort_unstable();
        kinds
    }
}

async fn connect(env: &Env, ws: WorkspaceId, address: &str) -> Account {
    let mailbox = NewMailbox {
        address: address.into(),
        preset: Some("script".into()),
        ..NewMailbox::default()
    };
    mailboxes::connect(env, ws, mailbox, &Actor::Cli)
        .await
        .unwrap()
        .account
}

async fn start_campaign(env: &Env, ws: WorkspaceId, steps: i64) -> (CampaignId, Vec<StepId>) {
    let (id, now) = (env.id(), env.now());
    let campaign = Campaign {
        status: CampaignStatus::Running,
        time_zone: "Europe/Berlin".into(),
        started_at: Some(now),
        ..Campaign::draft(id, ws, env.id(), "Spring", now)
    };
    let change = StatusChange {
        audit_id: campaign.status_audit_id,
        from: None,
        to: CampaignStatus::Running,
        reason: String::new(),
        pauses: Vec::new(),
        actor: "test".into(),
        at: now,
    };
    let step = |index| Step {
        id: env.id(),
        workspace_id: ws,
        campaign_id: id,
        step_index: index,
        channel: Channel::Mail,
        kind: StepKind::Email,
        delay_minutes: 0,
        subject: "Hello".into(),
        body_html: "<p>Hello".into(),
        body_text: None,
        variants: Vec::new(),
    };
    let steps: Vec<Step> = (0..steps).map(step).collect();
    let mut tx = env.db.begin().await.unwrap();
    campaigns::insert(&mut tx, &campaign, &change)
        .await
        .unwrap();
    campaigns::set_steps(&mut tx, ws, id, &steps, now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    (id, steps.iter().map(|step| step.id).collect())
}

fn ended(attempt: &Attempt, state: ActionState, outcome: Outcome) -> actions::Ended {
    actions::Ended {
        action_id: attempt.action_id,
        state,
        deferrals: 0,
        error: None,
        attempt: Some((attempt.id, outcome)),
        detail: None,
    }
}

pub(crate) fn prospect(env: &Env, ws: WorkspaceId, email: &str) -> Prospect {
    Prospect {
        first_name: "Grace".into(),
        last_name: "Söderström".into(),
        ..Prospect::new(env.id(), ws, email, "api", env.now())
    }
}
