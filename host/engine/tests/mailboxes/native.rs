//! What provider-smtp does, as far as these tests need it, without a sandbox around it.

use std::sync::Arc;

use async_trait::async_trait;
use overture_domain::WorkspaceId;
use overture_engine::{MailProviders, ProviderPreset};
use overture_plugin_host::{
    AuthKind, CallError, Incoming, Leg, LegProblem, Preset, Problem, SendOutcome, SyncPage,
    capabilities::mailbox::{Failure, MailRef, MailSession, Outgoing, Stage, SubmissionRecord},
};

/// The provider of these tests.
pub(crate) struct Native;

fn leg(name: &str, outcome: Result<(), Failure>) -> Leg {
    let problem = outcome.err().map(|failure| LegProblem {
        stage: format!("{:?}", failure.stage).to_lowercase(),
        code: failure.code,
        reply: failure.reply.map(|reply| reply.text),
        fix: failure.detail,
    });
    Leg {
        name: name.into(),
        problem,
    }
}

#[async_trait]
impl MailProviders for Native {
    async fn presets(&self, _: WorkspaceId) -> Vec<ProviderPreset> {
        vec![ProviderPreset {
            provider: "provider-native".into(),
            preset: Preset {
                key: "custom".into(),
                name: "Custom".into(),
                smtp: None,
                imap: None,
                auth: vec![AuthKind::Password],
                password_hint: "The password of the mailbox.".into(),
                domains: Vec::new(),
                files_sent: false,
                sent_within_minutes: None,
                recipients_per_day: None,
                mails_per_minute: None,
            },
        }]
    }

    fn has_own_transport(&self, _: &str) -> Result<bool, CallError> {
        Ok(false)
    }

    async fn check(
        &self,
        _: WorkspaceId,
        _: &str,
        session: Arc<dyn MailSession>,
    ) -> Result<Vec<Leg>, CallError> {
        let reading = session.select("INBOX").await.map(drop);
        Ok(vec![
            leg("smtp", session.check_submission().await),
            leg("imap", reading),
        ])
    }

    async fn send(
        &self,
        _: WorkspaceId,
        provider: &str,
        _: Arc<dyn MailSession>,
        _: Outgoing,
    ) -> SendOutcome {
        SendOutcome {
            submission: SubmissionRecord::NotTried,
            answer: Err(CallError::UnknownPlugin(provider.to_owned())),
        }
    }

    async fn sync(
        &self,
        _: WorkspaceId,
        _: &str,
        session: Arc<dyn MailSession>,
        cursor: Option<&str>,
    ) -> Result<Result<SyncPage, Problem>, CallError> {
        let page = async {
            let state = session.select("INBOX").await?;
            let (validity, next) = cursor
                .and_then(|cursor| cursor.split_once(' '))
                .map_or((state.uid_validity, state.uid_next), |(validity, next)| {
                    (validity.parse().unwrap(), next.parse().unwrap())
                });
            let from = if validity == state.uid_validity {
                next
            } else {
                1
            };
            let listed = session.list_from("INBOX", from, 100).await?;
            let next = listed.iter().map(|mail| mail.uid + 1).fold(from, u32::max);
            let mails = listed.iter().map(|mail| {
                Incoming::Stored(MailRef {
                    folder: "INBOX".into(),
                    uid_validity: state.uid_validity,
                    uid: mail.uid,
                })
            });
            Ok(SyncPage {
                cursor: format!("{} {next}", state.uid_validity),
                mails: mails.collect(),
                signals: Vec::new(),
                more: false,
                watch: vec!["INBOX".into()],
                check_again_at: None,
            })
        };
        Ok(page.await.map_err(|failure: Failure| match failure.stage {
            Stage::Auth => Problem::Auth(failure),
            _ => Problem::Temporary("can't be read".into()),
        }))
    }
}
