//! Providers on fake mailboxes: what the host saw outranks what the guest says (SAFE-3).

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use overture_plugin_host::{
    CallError, Kind, Limits, Problem, SendOutcome,
    capabilities::mailbox::{
        Envelope, Failure, Folder, FolderState, ListedMail, MailRef, MailSession, Outgoing, Reply,
        Stage, Submission, SubmissionRecord,
    },
};

use crate::guests::{host_with, id, workspace};

/// A mailbox whose server takes every mail, refuses it, or never answers.
#[derive(Default)]
pub(crate) struct FakeMailbox {
    settings: String,
    server: Server,
    submitted: Mutex<Vec<String>>,
    checks: AtomicU32,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Server {
    #[default]
    Takes,
    BreaksInBody,
    NeverAnswers,
}

impl FakeMailbox {
    /// A mailbox whose account has these settings.
    pub(crate) fn with(settings: &str) -> Arc<Self> {
        Arc::new(Self {
            settings: settings.to_owned(),
            ..Self::default()
        })
    }
}

fn accepted() -> Submission {
    let reply = Reply {
        code: Some(250),
        enhanced: Some("2.0.0".into()),
        text: "queued".into(),
    };
    Submission { reply }
}

fn broken() -> Failure {
    let detail = "the connection broke".into();
    Failure {
        stage: Stage::Body,
        code: "connection_lost".into(),
        reply: None,
        detail,
    }
}

#[async_trait]
impl MailSession for FakeMailbox {
    fn id(&self) -> String {
        "acc_01kjq5t3k8e9v8z2m4n6p7r8s9".into()
    }

    fn address(&self) -> String {
        "ada@example.com".into()
    }

    fn settings(&self) -> String {
        self.settings.clone()
    }

    async fn submit(&self, mail: &Outgoing) -> Result<Submission, Failure> {
        self.submitted.lock().unwrap().push(mail.message_id.clone());
        match self.server {
            Server::Takes => Ok(accepted()),
            Server::BreaksInBody => Err(broken()),
            Server::NeverAnswers => std::future::pending().await,
        }
    }

    async fn check_submission(&self) -> Result<(), Failure> {
        self.checks.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn folders(&self) -> Result<Vec<Folder>, Failure> {
        Ok(Vec::new())
    }

    async fn select(&self, _: &str) -> Result<FolderState, Failure> {
        Ok(FolderState {
            uid_validity: 1,
            uid_next: 1,
            messages: 0,
        })
    }

    async fn list_from(&self, _: &str, _: u32, _: u32) -> Result<Vec<ListedMail>, Failure> {
        Ok(Vec::new())
    }

    async fn find(&self, _: &str, _: &str) -> Result<Vec<u32>, Failure> {
        Ok(Vec::new())
    }

    async fn move_to(&self, _: &MailRef, _: &str) -> Result<(), Failure> {
        Ok(())
    }

    async fn set_seen(&self, _: &MailRef, _: bool) -> Result<(), Failure> {
        Ok(())
    }
}

pub(crate) fn mail() -> Outgoing {
    Outgoing {
        envelope: Envelope {
            sender: "ada@example.com".into(),
            recipient: "bob@example.test".into(),
        },
        message_id: "<0190@example.com>".into(),
        bytes: b"Subject: Hello\r\n\r\nHello\r\n".as_slice().into(),
    }
}

async fn send(settings: &str, server: Server) -> (SendOutcome, usize) {
    let (host, _) = host_with("lies");
    if server == Server::NeverAnswers {
        let wall = Duration::from_millis(500);
        let quick = Limits {
            wall,
            ..Limits::default_for(Kind::MailProvider)
        };
        host.set_policy(&id("lies"), None, Some(quick)).unwrap();
    }
    let mailbox = FakeMailbox {
        settings: settings.into(),
        server,
        ..FakeMailbox::default()
    };
    let mailbox = Arc::new(mailbox);
    let provider = host.mail_provider(&id("lies")).unwrap();
    let outcome = provider.send(workspace(1), mailbox.clone(), mail()).await;
    let submitted = mailbox.submitted.lock().unwrap().len();
    (outcome, submitted)
}

// SAFE-3: a guest that denies a success changes nothing about what was seen.
#[tokio::test]
async fn a_denied_success_is_still_a_success() {
    let (outcome, submitted) = send("deny-success", Server::Takes).await;
    assert_eq!(outcome.submission, SubmissionRecord::Accepted(accepted()));
    assert!(
        matches!(outcome.answer, Ok(Err(Problem::Temporary(_)))),
        "{:?}",
        outcome.answer
    );
    assert_eq!(submitted, 1);
}

// SAFE-3: a trap after the mail had left does not make it unsent.
#[tokio::test]
async fn a_panic_after_the_mail_had_left_is_still_a_success() {
    let (outcome, submitted) = send("panic-after", Server::Takes).await;
    assert_eq!(outcome.submission, SubmissionRecord::Accepted(accepted()));
    let panicked = outcome.answer.unwrap_err();
    let CallError::Panicked { message } = &panicked else {
        panic!("{panicked:?}")
    };
    assert!(message.contains("after the mail had left"), "{message}");
    assert_eq!(submitted, 1);
}

// SAFE-3: claiming what never happened sends nothing.
#[tokio::test]
async fn a_claimed_success_without_a_submission_is_none() {
    let (outcome, submitted) = send("never-submit", Server::Takes).await;
    assert_eq!(outcome.submission, SubmissionRecord::NotTried);
    assert!(matches!(outcome.answer, Ok(Ok(_))));
    assert_eq!(submitted, 0);
}

// SAFE-3: the host's own record names the stage, whatever the guest claims.
#[tokio::test]
async fn a_claimed_success_after_a_broken_body_is_unclear() {
    let (outcome, _) = send("claim-success", Server::BreaksInBody).await;
    assert_eq!(outcome.submission, SubmissionRecord::Failed(broken()));
    assert!(matches!(outcome.answer, Ok(Ok(_))));
}

// SAFE-3, PLG-3: a call that is cut off while the server is silent says so.
#[tokio::test]
async fn a_submission_that_is_cut_off_is_told_as_cut() {
    let (outcome, submitted) = send("claim-success", Server::NeverAnswers).await;
    assert_eq!(outcome.submission, SubmissionRecord::Cut);
    assert_eq!(outcome.answer.unwrap_err().code(), "plugin_timeout");
    assert_eq!(submitted, 1);
}

// PLG-2: without the grant raw-mail no guest reads the bytes of a mail.
#[tokio::test]
async fn the_bytes_of_a_mail_need_a_grant() {
    let (outcome, _) = send("read-bytes", Server::Takes).await;
    let Ok(Err(Problem::Denied(said))) = outcome.answer else {
        panic!("{:?}", outcome.answer)
    };
    assert!(said.contains("raw-mail"), "{said}");
}

// PLG-3
#[tokio::test]
async fn calls_of_the_host_are_counted() {
    let (host, _) = host_with("lies");
    let mailbox = Arc::new(FakeMailbox::default());
    let provider = host.mail_provider(&id("lies")).unwrap();
    let error = provider
        .check(workspace(1), mailbox.clone())
        .await
        .unwrap_err();
    assert_eq!(error, CallError::TooManyHostCalls { limit: 10_000 });
    assert_eq!(mailbox.checks.load(Ordering::Relaxed), 10_000);
}

// PLG-3
#[tokio::test]
async fn bad_answers_of_a_provider_are_told() {
    let (host, _) = host_with("lies");
    let provider = host.mail_provider(&id("lies")).unwrap();
    let error = provider.presets(workspace(1)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plugin gave a bad answer: the preset key `same` is empty or stands twice"
    );
    let mailbox = Arc::new(FakeMailbox::default());
    let error = provider
        .sync(workspace(1), mailbox, None)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plugin gave a bad answer: a cursor of 1000000 bytes, at most 16384"
    );
}

// PLG-1
#[tokio::test]
async fn a_plugin_is_called_only_as_what_it_is() {
    let (host, _) = host_with("lies");
    let wrong = host.formatter(&id("lies")).err().unwrap();
    assert_eq!(wrong.to_string(), "the plugin `guest-lies` is no formatter");
    let unknown = host.classifier("nobody").err().unwrap();
    assert_eq!(
        unknown.to_string(),
        "no plugin `nobody` is loaded; see `overture plugin list`"
    );
}
