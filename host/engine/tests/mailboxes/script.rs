//! Plugins that do what a test says: a mail provider with its own transport, and a classifier.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use overture_domain::WorkspaceId;
use overture_engine::{
    ClassifierEntry, Classifiers, MailProviders, ProviderPreset, classifiers::DEFAULT_THRESHOLD,
};
use overture_plugin_host::{
    CallError, ClassifyContext, Incoming, Label, Leg, LegProblem, Message, Preset, Problem,
    SendOutcome, Sent, Signal, SyncPage, Verdict,
    capabilities::mailbox::{MailSession, Outgoing, SubmissionRecord},
};

type SyncAnswer = Result<Result<SyncPage, Problem>, CallError>;

/// A provider whose answers stand in line; without one a sync brings nothing.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) pages: Mutex<VecDeque<SyncAnswer>>,
    /// What `check` answers; works unless set.
    pub(crate) problem: Mutex<Option<LegProblem>>,
    /// Cursors that syncs came with.
    pub(crate) cursors: Mutex<Vec<Option<String>>>,
}

impl Script {
    pub(crate) fn answer(&self, answer: SyncAnswer) {
        self.pages.lock().unwrap().push_back(answer);
    }

    pub(crate) fn cursors(&self) -> Vec<Option<String>> {
        self.cursors.lock().unwrap().clone()
    }
}

/// A page with these mails.
pub(crate) fn page(cursor: &str, mails: &[&str]) -> SyncPage {
    SyncPage {
        cursor: cursor.to_owned(),
        mails: mails
            .iter()
            .map(|mail| Incoming::Raw(mail.replace('\n', "\r\n").into_bytes()))
            .collect(),
        signals: Vec::new(),
        more: false,
        watch: Vec::new(),
        check_again_at: None,
    }
}

/// A page with these reports.
pub(crate) fn signals(cursor: &str, signals: Vec<Signal>) -> SyncPage {
    SyncPage {
        signals,
        ..page(cursor, &[])
    }
}

#[async_trait]
impl MailProviders for Script {
    async fn presets(&self, _: WorkspaceId) -> Vec<ProviderPreset> {
        vec![ProviderPreset {
            provider: "provider-script".into(),
            preset: Preset {
                key: "script".into(),
                name: "Script".into(),
                smtp: None,
                imap: None,
                auth: Vec::new(),
                password_hint: String::new(),
                domains: Vec::new(),
                files_sent: true,
                sent_within_minutes: None,
                recipients_per_day: None,
                mails_per_minute: None,
            },
        }]
    }

    fn has_own_transport(&self, _: &str) -> Result<bool, CallError> {
        Ok(true)
    }

    async fn check(
        &self,
        _: WorkspaceId,
        _: &str,
        _: Arc<dyn MailSession>,
    ) -> Result<Vec<Leg>, CallError> {
        let problem = self.problem.lock().unwrap().clone();
        Ok(vec![Leg {
            name: "script".into(),
            problem,
        }])
    }

    async fn send(
        &self,
        _: WorkspaceId,
        _: &str,
        _: Arc<dyn MailSession>,
        _: Outgoing,
    ) -> SendOutcome {
        let sent = Sent {
            provider_id: None,
            reply: None,
        };
        SendOutcome {
            submission: SubmissionRecord::NotTried,
            answer: Ok(Ok(sent)),
        }
    }

    async fn sync(
        &self,
        _: WorkspaceId,
        _: &str,
        _: Arc<dyn MailSession>,
        cursor: Option<&str>,
    ) -> SyncAnswer {
        self.cursors.lock().unwrap().push(cursor.map(str::to_owned));
        let next = self.pages.lock().unwrap().pop_front();
        next.unwrap_or_else(|| Ok(Ok(page(cursor.unwrap_or("0"), &[]))))
    }
}

/// Classifiers that look for a phrase in the newest text; each with its own phrases.
#[derive(Default)]
pub(crate) struct Phrases {
    pub(crate) classifiers: Vec<(ClassifierEntry, Vec<(&'static str, Verdict)>)>,
}

pub(crate) fn verdict(label: Label, confidence: f32) -> Verdict {
    Verdict {
        label,
        confidence,
        language: Some("en".into()),
        evidence: vec!["a phrase".into()],
        out_of_office_until: None,
    }
}

pub(crate) fn entry(id: &str) -> ClassifierEntry {
    ClassifierEntry {
        id: id.to_owned(),
        threshold: DEFAULT_THRESHOLD,
        settings: "{}".into(),
    }
}

impl Phrases {
    /// One classifier that knows what the tests write.
    pub(crate) fn usual() -> Self {
        let away = Verdict {
            out_of_office_until: Some(jiff::civil::date(2026, 3, 9)),
            ..verdict(Label::OutOfOffice, 0.9)
        };
        let phrases = vec![
            ("tell me more", verdict(Label::Interested, 0.9)),
            ("no thanks", verdict(Label::NotInterested, 0.9)),
            ("back on 9 March", away),
            ("away for a while", verdict(Label::OutOfOffice, 0.9)),
            ("ticket was opened", verdict(Label::AutoReply, 0.9)),
            ("remove me", verdict(Label::UnsubscribeRequest, 0.9)),
        ];
        Self {
            classifiers: vec![(entry("classifier-phrases"), phrases)],
        }
    }
}

#[async_trait]
impl Classifiers for Phrases {
    async fn list(&self, _: WorkspaceId) -> Vec<ClassifierEntry> {
        self.classifiers
            .iter()
            .map(|(entry, _)| entry.clone())
            .collect()
    }

    async fn classify(
        &self,
        _: WorkspaceId,
        classifier: &str,
        message: &Message,
        _: &ClassifyContext,
    ) -> Result<Vec<Verdict>, CallError> {
        let (_, phrases) = self
            .classifiers
            .iter()
            .find(|(entry, _)| entry.id == classifier)
            .unwrap();
        if phrases.is_empty() {
            return Err(CallError::Panicked {
                message: "of the test".into(),
            });
        }
        Ok(phrases
            .iter()
            .filter(|(phrase, _)| message.newest_text.contains(phrase))
            .map(|(_, verdict)| verdict.clone())
            .collect())
    }
}
