//! To the provider and back. The attempt is committed where SAFE-3 says: by the session between
//! the 354 and the body, or before the call of a provider with a transport of its own.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use overture_domain::{AttemptId, Timestamp, enrollments::Attempt};
use overture_plugin_host::capabilities::mailbox::{Outgoing, SubmissionRecord};

use crate::{
    BeforeBody, Env, Failpoint, Part, failpoints,
    mailboxes::{self, NoPlace},
};

use super::{
    compose::{self, Draft, Held},
    journal, network,
    record::Ended,
    verdict::{self, NotSent, Verdict},
    writes::Mail,
};

/// Sends one mail and records what became of it.
pub(super) async fn run(env: Env, mail: Mail) {
    failpoints::reached(Failpoint::Reserved, &mail.account.address).await;
    let mail = Arc::new(mail);
    let hook = Arc::new(Attempting {
        id: env.id(),
        env: env.clone(),
        mail: Arc::clone(&mail),
        committed: OnceLock::new(),
        refused: AtomicBool::new(false),
    });
    let (mut kept, mut copy) = (None, None);
    let verdict = match &mail.draft {
        Draft::Mail(texts) => match compose::build(&env, &mail, texts) {
            Ok(built) => {
                let bytes = built.outgoing.bytes.clone();
                let (verdict, session) = send(&env, &mail, built.outgoing, &hook).await;
                kept = Some((built.message, Some(built.headers)));
                copy = session.map(|session| (session, bytes));
                verdict
            }
            Err(Held(state, why)) => Verdict::not_sent(NotSent::Held(state), why),
        },
        Draft::Deed(deed) => {
            let text = deed.text.clone();
            kept = Some((compose::message(&env, &mail, &deed.url, text), None));
            network::act(&env, &mail, deed, &hook).await
        }
    };
    let sent = verdict.is_sent();
    let ended = Ended {
        mail: Arc::clone(&mail),
        verdict,
        attempt: hook.id,
        attempted_at: hook.committed.get().copied(),
        kept,
    };
    if let Err(error) = journal::outcome(&env, ended).await {
        // The lease stays; its recovery finds the attempt, or that there was none.
        tracing::error!(job.id = %mail.job, %error, "the outcome of a send could not be recorded");
        return;
    }
    failpoints::reached(Failpoint::Recorded, &mail.account.address).await;
    for part in [Part::Campaigns, Part::Dispatch] {
        env.wakes.wake(part);
    }
    if !sent {
        env.wakes.wake(Part::Safety);
    }
    let Some((session, bytes)) = copy else { return };
    if sent && let Err(failure) = mailboxes::file_sent_copy(&session, &mail.account, &bytes).await {
        tracing::warn!(account.id = %mail.account.id, code = %failure.code, "no copy could be filed into Sent");
    }
    session.close().await;
}

/// The verdict, and the session where one was used.
async fn send(
    env: &Env,
    mail: &Mail,
    outgoing: Outgoing,
    hook: &Arc<Attempting>,
) -> (Verdict, Option<Arc<mailboxes::Session>>) {
    let (ws, provider) = (mail.action.workspace_id, mail.account.provider.as_str());
    let own_transport = match env.providers.has_own_transport(provider) {
        Ok(own) => own,
        Err(error) => {
            return (
                Verdict::not_sent(NotSent::Provider, error.to_string()),
                None,
            );
        }
    };
    let sealed = mail.sealed.as_deref();
    let session = match mailboxes::Session::of_sealed(env, &mail.account, sealed) {
        Ok(session) => Arc::new(session.before_body(Arc::clone(hook) as Arc<dyn BeforeBody>)),
        Err(error) => {
            return (
                Verdict::not_sent(NotSent::Unreachable, error.to_string()),
                None,
            );
        }
    };
    if !own_transport && let Err(NoPlace { until, why }) = session.reserve().await {
        return (
            Verdict::not_sent(NotSent::NoPlace(until), why),
            Some(session),
        );
    }
    if own_transport && let Err(verdict) = hook.begin().await {
        return (verdict, Some(session));
    }
    let outcome = env
        .providers
        .send(ws, provider, Arc::clone(&session) as _, outgoing)
        .await;
    let submission = match outcome.submission {
        SubmissionRecord::Cut => session.settle().await,
        record => record,
    };
    if hook.refused.load(Ordering::SeqCst) {
        let words = "the step was cancelled meanwhile".to_owned();
        return (Verdict::not_sent(NotSent::Cancelled, words), Some(session));
    }
    let committed = hook.committed.get().is_some();
    (
        verdict::judge(own_transport, committed, &submission, &outcome.answer),
        Some(session),
    )
}

/// Commits the attempt of one send.
pub(super) struct Attempting {
    id: AttemptId,
    env: Env,
    mail: Arc<Mail>,
    /// The attempt of that moment stands in the database: from now on only an answer proves that
    /// nothing went.
    committed: OnceLock<Timestamp>,
    /// It may not go out any more.
    refused: AtomicBool,
}

impl Attempting {
    /// Commits it before a call that nobody can watch.
    ///
    /// # Errors
    /// The verdict of a send that must not begin.
    pub(super) async fn begin(&self) -> Result<(), Verdict> {
        self.commit_attempt().await.map_err(|why| {
            let kind = if self.refused.load(Ordering::SeqCst) {
                NotSent::Cancelled
            } else {
                NotSent::Unreachable
            };
            Verdict::not_sent(kind, why)
        })
    }
}

#[async_trait]
impl BeforeBody for Attempting {
    async fn commit_attempt(&self) -> Result<(), String> {
        let at = self.env.now();
        let attempt = Attempt {
            id: self.id,
            workspace_id: self.mail.action.workspace_id,
            action_id: self.mail.action.id,
            external_id: self.mail.action.external_id.clone(),
            at,
            outcome: None,
            outcome_at: None,
            detail: None,
        };
        // Should the answer of the commit be lost, the row may be there all the same.
        match journal::attempt(&self.env, attempt).await {
            Ok(true) => {
                let _ = self.committed.set(at);
                Ok(())
            }
            Ok(false) => {
                self.refused.store(true, Ordering::SeqCst);
                Err("the step was cancelled meanwhile".to_owned())
            }
            Err(why) => Err(why),
        }
    }
}
