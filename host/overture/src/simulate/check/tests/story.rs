//! A story in which no rule is broken, in parts that a test can falsify.

use std::{sync::Arc, time::Duration};

use overture_domain::{
    CampaignId, Id, Timestamp, WorkspaceId,
    accounts::{Account, AccountStatus, Channel},
    campaigns::{Campaign, CampaignKind, CampaignStatus, Rotation, Window},
    enrollments::{Enrollment, EnrollmentState},
    events::{Event, EventKind},
    id::Kind,
    people::Audit,
    rng::SeededRng,
};
use serde_json::{Value, json};

use crate::simulate::{
    check::{Ended, Evidence},
    outside::Submitted,
    sink::{EVENTS, Request},
};

pub const MONDAY_9: Timestamp = Timestamp::from_secs(1_772_442_000);

/// So many hours and minutes after Monday, 9 o'clock.
pub fn at(hours: u64, minutes: u64) -> Timestamp {
    MONDAY_9 + Duration::from_secs(hours * 3_600 + minutes * 60)
}

pub struct Story {
    pub rng: SeededRng,
    pub evidence: Evidence,
}

impl Story {
    /// Two people get both steps of a campaign, on Monday and on Tuesday.
    pub fn honest() -> Self {
        let rng = SeededRng::new(1);
        let (mailbox, campaign) = (mailbox(&rng), campaign(&rng));
        let mut story = Self {
            evidence: Evidence {
                steps: [(campaign.id, 2)].into(),
                end: at(240, 0),
                workspaces: vec![Ended {
                    mailboxes: vec![mailbox],
                    campaigns: vec![(campaign, 1, 100)],
                    ..Ended::default()
                }],
                ..Evidence::default()
            },
            rng,
        };
        story.status(at(0, 0), "running");
        let campaign = story.of().campaigns[0].0.id.to_string();
        let mailbox = story.of().mailboxes[0].id.to_string();
        story.audit(&campaign, None, "draft");
        story.audit(&campaign, Some("draft"), "running");
        story.audit(&mailbox, None, "connected");
        for who in 0..2 {
            story.person(EnrollmentState::Completed);
            story.mail(who, 0, at(1, 10 * who as u64));
        }
        for who in 0..2 {
            story.mail(who, 1, at(25, 10 * who as u64));
        }
        story
    }

    pub fn of(&mut self) -> &mut Ended {
        &mut self.evidence.workspaces[0]
    }

    pub fn id<K: Kind>(&self) -> Id<K> {
        Id::new(MONDAY_9, &self.rng)
    }

    /// One more person, whose next step is far away; their number.
    pub fn person(&mut self, state: EnrollmentState) -> usize {
        let who = self.of().enrollments.len();
        let enrollment = Enrollment {
            id: self.id(),
            workspace_id: workspace(),
            campaign_id: self.of().campaigns[0].0.id,
            prospect_id: self.id(),
            account_id: Some(self.of().mailboxes[0].id),
            state,
            reason: String::new(),
            step_index: 1,
            next_action_at: Some(self.evidence.end),
            not_before: None,
            label: None,
            created_at: MONDAY_9,
            updated_at: MONDAY_9,
            finished_at: None,
        };
        let address = format!("p{who}@example.com");
        self.of().enrollments.push((enrollment, address));
        who
    }

    /// A mail that went out and was told.
    pub fn mail(&mut self, who: usize, step: u32, at: Timestamp) {
        let from = self.of().mailboxes[0].address.clone();
        let to = self.of().enrollments[who].1.clone();
        let mut text = format!("Message-ID: <m{who}.{step}>\r\nList-Unsubscribe: <mailto:out>\r\n");
        let re = if step > 0 { "Re: " } else { "" };
        text.push_str(&format!("Subject: {re}A question\r\n"));
        if step > 0 {
            let before: Vec<_> = (0..step).map(|n| format!("<m{who}.{n}>")).collect();
            text.push_str(&format!("In-Reply-To: <m{who}.{}>\r\n", step - 1));
            text.push_str(&format!("References: {}\r\n", before.join(" ")));
        }
        text.push_str(&format!("\r\n<p>mark-of-step-{step}-of-Spring</p>"));
        let mail = Submitted {
            at,
            from,
            to,
            bytes: Arc::from(text.into_bytes()),
        };
        self.evidence.tried.push(mail.clone());
        self.evidence.delivered.push(mail);
        self.event(EventKind::EmailSent, who, at);
    }

    /// Falsifies a mail's text.
    pub fn edit(&mut self, mail: usize, from: &str, to: &str) {
        let mail = &mut self.evidence.delivered[mail];
        let text = String::from_utf8_lossy(&mail.bytes).replace(from, to);
        mail.bytes = Arc::from(text.into_bytes());
    }

    /// Something was told of a person, and what follows from it.
    pub fn event(&mut self, kind: EventKind, who: usize, at: Timestamp) {
        if matches!(
            kind,
            EventKind::EmailUnsubscribed | EventKind::EmailComplained
        ) {
            self.event(EventKind::ProspectSuppressed, who, at);
        }
        let (enrollment, email) = self.of().enrollments[who].clone();
        let event = Event {
            campaign_id: Some(enrollment.campaign_id),
            enrollment_id: Some(enrollment.id),
            prospect_id: Some(enrollment.prospect_id),
            account_id: enrollment.account_id,
            ..event(kind, at, json!({ "email": email }), &self.rng)
        };
        self.tell(event);
    }

    /// The campaign got a status.
    pub fn status(&mut self, at: Timestamp, to: &str) {
        let campaign = self.of().campaigns[0].0.id;
        self.status_of(campaign, at, to);
    }

    pub fn status_of(&mut self, campaign: CampaignId, at: Timestamp, to: &str) {
        let event = Event {
            campaign_id: Some(campaign),
            ..event(
                EventKind::CampaignStatusChanged,
                at,
                json!({ "toStatus": to }),
                &self.rng,
            )
        };
        self.tell(event);
    }

    /// The event is written, and the webhook hears of it where it asked for such.
    fn tell(&mut self, event: Event) {
        if EVENTS.contains(&event.kind) {
            self.of().requests.push(Request {
                at: event.occurred_at,
                workspace: 0,
                id: event.id.to_string(),
                taken: true,
                answered: true,
                signed: true,
            });
        }
        self.of().events.push(event);
    }

    pub fn audit(&mut self, subject: &str, from: Option<&str>, to: &str) {
        let row = Audit {
            id: self.id(),
            workspace_id: workspace(),
            subject_kind: String::new(),
            subject_id: subject.to_owned(),
            from_status: from.map(str::to_owned),
            to_status: to.to_owned(),
            reason: "by hand".to_owned(),
            actor: "cli".to_owned(),
            at: MONDAY_9,
        };
        self.of().audit.push(row);
    }
}

fn workspace() -> WorkspaceId {
    Id::first_of(MONDAY_9)
}

fn event(kind: EventKind, at: Timestamp, data: Value, rng: &SeededRng) -> Event {
    Event {
        id: Id::new(at, rng),
        workspace_id: workspace(),
        kind,
        channel: None,
        campaign_id: None,
        enrollment_id: None,
        prospect_id: None,
        account_id: None,
        occurred_at: at,
        dedup_key: None,
        data,
    }
}

fn mailbox(rng: &SeededRng) -> Account {
    Account {
        id: Id::new(MONDAY_9, rng),
        workspace_id: workspace(),
        channel: Channel::Mail,
        provider: "provider-sandbox".to_owned(),
        preset: "sandbox".to_owned(),
        address: "ada@example.com".to_owned(),
        sender_name: String::new(),
        status: AccountStatus::Connected,
        status_reason: String::new(),
        status_audit_id: Id::new(MONDAY_9, rng),
        settings: json!({}),
        daily_limit: 100,
        time_zone: "UTC".to_owned(),
        signature_html: String::new(),
        signature_text: String::new(),
        next_send_at: MONDAY_9,
        backoff_until: MONDAY_9,
        backoff_rung: 0,
        auth_failures: 0,
        sync_cursor: None,
        sync_due_at: MONDAY_9,
        synced_at: None,
        sync_error: None,
        created_at: MONDAY_9,
        updated_at: MONDAY_9,
    }
}

fn campaign(rng: &SeededRng) -> Campaign {
    Campaign {
        id: Id::new(MONDAY_9, rng),
        workspace_id: workspace(),
        name: "Spring".to_owned(),
        kind: CampaignKind::Email,
        status: CampaignStatus::Running,
        status_audit_id: Id::new(MONDAY_9, rng),
        pauses: Vec::new(),
        time_zone: "UTC".to_owned(),
        windows: vec![Window::working_hours()],
        daily_send_limit: 100,
        max_sends_per_mailbox_per_day: 50,
        new_prospects_per_day: None,
        follow_ups_first: true,
        rotation: Rotation::RoundRobin,
        minutes_between_sends: 5,
        stop_on_reply: true,
        stop_on_bounce: true,
        stop_on_company_reply: false,
        track_opens: false,
        track_clicks: false,
        safety: overture_domain::safety::Thresholds::default(),
        start_at: None,
        end_at: None,
        started_at: Some(MONDAY_9),
        finished_at: None,
        created_at: MONDAY_9,
        updated_at: MONDAY_9,
    }
}
