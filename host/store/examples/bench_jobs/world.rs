//! The records that the bench works on.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use overture_domain::{
    AccountId, CampaignId, EnrollmentId, HostId, Id, ProspectId, WorkspaceId,
    accounts::{Account, AccountStatus, Channel},
    campaigns::{Campaign, CampaignStatus, Step, StepKind},
    caps::Cap,
    enrollments::{Action, ActionState, Attempt, Job, Lane},
    events::{Event, EventKind},
    id::Kind,
    people::Workspace,
    prospects::Prospect,
    rng::SeededRng,
};
use overture_store::{
    Database, accounts, campaigns, caps::Use, enrollments, hosts, jobs, jobs::Planned,
    outcomes::Done, people, prospects,
};
use serde_json::json;

use crate::NOW;

/// A workspace with a mailbox, on a database of its own.
pub(crate) struct World {
    pub(crate) db: Database,
    rng: SeededRng,
    /// Ids that were made.
    ids: AtomicU64,
    pub(crate) host: HostId,
    pub(crate) ws: WorkspaceId,
    pub(crate) account: AccountId,
}

impl World {
    pub(crate) async fn new(url: &str) -> Self {
        let db = Database::open(url).await.unwrap();
        db.migrate().await.unwrap();
        let rng = SeededRng::new(1);
        let world = Self {
            host: Id::new(NOW, &rng),
            ws: Id::new(NOW, &rng),
            account: Id::new(NOW, &rng),
            rng,
            ids: AtomicU64::new(0),
            db,
        };
        let mut tx = world.db.begin().await.unwrap();
        let workspace = Workspace {
            id: world.ws,
            name: "W".into(),
            postal_address: String::new(),
            time_zone: "UTC".into(),
            created_at: NOW,
        };
        people::insert_workspace(&mut tx, &workspace).await.unwrap();
        hosts::heartbeat(&mut tx, world.host, "bench", NOW)
            .await
            .unwrap();
        let account = world.mailbox();
        let connected = accounts::StatusChange {
            audit_id: account.status_audit_id,
            from: None,
            to: account.status,
            reason: "a bench".into(),
            actor: "cli".into(),
            at: NOW,
        };
        accounts::insert(&mut tx, &account, None, &connected)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        world
    }

    /// As in life each is later than the one before: they go to the end of an index.
    fn id<K: Kind>(&self) -> Id<K> {
        let before = self.ids.fetch_add(1, Ordering::SeqCst);
        Id::new(NOW + Duration::from_micros(20 * before), &self.rng)
    }

    /// A running campaign whose people all wait in one lane.
    pub(crate) async fn campaign(&self, people: usize) -> (Step, Lane) {
        let campaign = self.draft();
        let step = self.step(campaign.id);
        let change = |audit_id, from, to| campaigns::StatusChange {
            audit_id,
            from,
            to,
            reason: "a bench".into(),
            pauses: Vec::new(),
            actor: "cli".into(),
            at: NOW,
        };
        let drafted = change(campaign.status_audit_id, None, CampaignStatus::Draft);
        let started = change(
            self.id(),
            Some(CampaignStatus::Draft),
            CampaignStatus::Running,
        );
        let mut tx = self.db.begin().await.unwrap();
        campaigns::insert(&mut tx, &campaign, &drafted)
            .await
            .unwrap();
        let steps = [step.clone()];
        campaigns::set_steps(&mut tx, self.ws, campaign.id, &steps, NOW)
            .await
            .unwrap();
        campaigns::set_status(&mut tx, self.ws, campaign.id, &started)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let lane = Lane::new(campaign.id, None, StepKind::Email, "UTC");
        for first in (0..people).step_by(1_000) {
            let part = 1_000.min(people - first);
            let new: Vec<Prospect> = (0..part).map(|_| self.prospect()).collect();
            let who: Vec<(EnrollmentId, &Prospect)> =
                new.iter().map(|prospect| (self.id(), prospect)).collect();
            let planned: Vec<Planned> = who
                .iter()
                .map(|(id, _)| Planned {
                    job_id: self.id(),
                    workspace_id: self.ws,
                    enrollment_id: *id,
                    run_at: NOW,
                    lane: Some(lane.clone()),
                    reason: String::new(),
                    waits: false,
                })
                .collect();
            let mut tx = self.db.begin().await.unwrap();
            prospects::insert(&mut tx, &new).await.unwrap();
            enrollments::insert(&mut tx, self.ws, campaign.id, &who, false, NOW)
                .await
                .unwrap();
            jobs::plan(&mut tx, &planned, NOW).await.unwrap();
            tx.commit().await.unwrap();
        }
        (step, lane)
    }

    /// What a mail counts under (CAP-1).
    pub(crate) fn uses(&self, action: &Action) -> Vec<Use> {
        let prospect = ProspectId::from_uuid(action.enrollment_id.uuid()).to_string();
        let domain = format!(
            "sender.test d{}.test",
            action.enrollment_id.uuid().as_u128() % 60
        );
        let subject = |cap| match cap {
            Cap::ProspectDaily => prospect.clone(),
            Cap::RecipientDomainDaily => domain.clone(),
            Cap::CampaignDaily | Cap::CampaignMailboxDaily => action.campaign_id.to_string(),
            _ => self.account.to_string(),
        };
        Cap::ALL
            .iter()
            .map(|cap| Use {
                cap: *cap,
                subject: subject(*cap),
                bucket: 20_514,
                n: 1,
            })
            .collect()
    }

    pub(crate) fn action(&self, step: &Step, job: &Job) -> Action {
        let id = self.id();
        Action {
            id,
            workspace_id: self.ws,
            campaign_id: step.campaign_id,
            enrollment_id: job.subject_id.parse().unwrap(),
            step_id: step.id,
            step_index: 0,
            variant_id: None,
            account_id: self.account,
            channel: Channel::Mail,
            kind: StepKind::Email,
            state: ActionState::HandedOut,
            external_id: format!("{}@sender.test", id.uuid()),
            deferrals: 0,
            last_error: None,
            handed_out_at: NOW,
            done_at: None,
        }
    }

    pub(crate) fn done(&self, action: &Action) -> Done {
        Done {
            workspace_id: self.ws,
            enrollment_id: action.enrollment_id,
            step_index: action.step_index,
        }
    }

    pub(crate) fn attempt(&self, action: &Action) -> Attempt {
        Attempt {
            id: self.id(),
            workspace_id: self.ws,
            action_id: action.id,
            external_id: action.external_id.clone(),
            at: NOW,
            outcome: None,
            outcome_at: None,
            detail: None,
        }
    }

    pub(crate) fn event(&self, action: &Action) -> Event {
        Event {
            id: self.id(),
            workspace_id: self.ws,
            kind: EventKind::EmailSent,
            channel: Some(Channel::Mail),
            campaign_id: Some(action.campaign_id),
            enrollment_id: Some(action.enrollment_id),
            prospect_id: None,
            account_id: Some(self.account),
            occurred_at: NOW,
            dedup_key: Some(format!("sent:{}", action.id)),
            data: json!({
                "prospectEmail": "zoe@example.com",
                "campaignId": action.campaign_id,
                "enrollmentId": action.enrollment_id,
                "mailboxId": self.account,
                "stepIndex": 0,
                "messageId": action.external_id,
                "sentAt": NOW,
            }),
        }
    }

    fn prospect(&self) -> Prospect {
        let id: ProspectId = self.id();
        Prospect {
            first_name: "Zoë".into(),
            last_name: "Example".into(),
            company: "Example & Sons".into(),
            ..Prospect::new(
                id,
                self.ws,
                format!("{}@example.com", id.uuid()),
                "bench",
                NOW,
            )
        }
    }

    fn step(&self, campaign_id: CampaignId) -> Step {
        Step {
            id: self.id(),
            workspace_id: self.ws,
            campaign_id,
            step_index: 0,
            channel: Channel::Mail,
            kind: StepKind::Email,
            delay_minutes: 0,
            subject: "Hi".into(),
            body_html: "<p>Hi</p>".into(),
            body_text: None,
            variants: Vec::new(),
        }
    }

    fn draft(&self) -> Campaign {
        Campaign::draft(self.id(), self.ws, self.id(), "Spring", NOW)
    }

    fn mailbox(&self) -> Account {
        Account {
            id: self.account,
            workspace_id: self.ws,
            channel: Channel::Mail,
            provider: "provider-smtp".into(),
            preset: "custom".into(),
            address: "ada@sender.test".into(),
            sender_name: "Ada Example".into(),
            status: AccountStatus::Connected,
            status_reason: String::new(),
            status_audit_id: self.id(),
            settings: json!({}),
            daily_limit: 50,
            time_zone: "UTC".into(),
            signature_html: String::new(),
            signature_text: String::new(),
            next_send_at: NOW,
            backoff_until: NOW,
            backoff_rung: 0,
            auth_failures: 0,
            sync_cursor: None,
            sync_due_at: NOW,
            synced_at: None,
            sync_error: None,
            created_at: NOW,
            updated_at: NOW,
        }
    }
}
