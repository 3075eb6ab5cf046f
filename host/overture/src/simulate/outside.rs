//! The outside world with its faults: the sandbox plugin, and a wire to it that breaks.
//!
//! What truly went out is noted here, before anything of the host could lose it: it is what the
//! checker believes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use overture_domain::{CampaignId, Clock, Rng, Timestamp, WorkspaceId, rng::SeededRng};
use overture_engine::providers::{MailProviders, ProviderPreset};
use overture_plugin_host::{
    CallError, Leg, Problem, SendOutcome, Sent, SyncPage,
    capabilities::mailbox::{MailSession, Outgoing, Reply, SubmissionRecord},
};

use super::{crash, scenario::Faults};

/// A mailbox in which nothing was is looked into again after that time.
const SEEN_WITHIN: Duration = Duration::from_secs(3_600);

/// A mail that the outside world took.
#[derive(Clone, Debug)]
pub struct Delivered {
    pub at: Timestamp,
    pub from: String,
    pub to: String,
    pub bytes: Arc<[u8]>,
}

/// What happened outside.
#[derive(Debug, Default)]
pub struct Log {
    pub delivered: Vec<Delivered>,
    /// Daily limits of campaigns that were moved: when, and to what.
    pub limits: Vec<(Timestamp, CampaignId, i64)>,
    /// How often each fault occurred.
    pub faults: BTreeMap<&'static str, u64>,
    /// How often each mail was tried, by its Message-ID.
    tries: BTreeMap<String, u64>,
    syncs: u64,
}

impl Log {
    /// One more of a fault.
    pub fn count(&mut self, fault: &'static str) {
        *self.faults.entry(fault).or_default() += 1;
    }
}

/// The log, shared by every life of the process.
pub type Shared = Arc<Mutex<Log>>;

/// Locks the log.
pub fn lock(log: &Shared) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The providers of one life of the process.
pub struct Outside {
    pub inner: Arc<dyn MailProviders>,
    pub clock: Arc<dyn Clock>,
    pub faults: Faults,
    pub seed: u64,
    pub log: Shared,
}

/// What becomes of one try to send.
#[derive(Clone, Copy)]
enum Fate {
    Taken,
    Refused,
    Quota,
    AnswerLost,
    MailLost,
}

impl Outside {
    /// By chance, the same for the same try of the same mail.
    fn fate(&self, message_id: &str, nth: u64) -> Fate {
        let lot = SeededRng::new(self.seed ^ fold(message_id) ^ (nth << 48)).below(1_000);
        let mut below = 0;
        for (chance, fate) in [
            (self.faults.refused, Fate::Refused),
            (self.faults.quota, Fate::Quota),
            (self.faults.answer_lost, Fate::AnswerLost),
            (self.faults.mail_lost, Fate::MailLost),
        ] {
            below += chance;
            if lot < below {
                return fate;
            }
        }
        Fate::Taken
    }

    async fn deliver(
        &self,
        ws: WorkspaceId,
        provider: &str,
        session: Arc<dyn MailSession>,
        mail: Outgoing,
    ) -> SendOutcome {
        let delivered = Delivered {
            at: self.clock.now(),
            from: mail.envelope.sender.clone(),
            to: mail.envelope.recipient.clone(),
            bytes: Arc::clone(&mail.bytes),
        };
        let outcome = self.inner.send(ws, provider, session, mail).await;
        // One that the address refuses is answered, and never lies in a mailbox.
        if matches!(outcome.answer, Ok(Ok(_))) {
            lock(&self.log).delivered.push(delivered);
        }
        outcome
    }
}

/// FNV-1a, for a number that follows from a text alone.
fn fold(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn reply(code: u16, text: &str) -> Reply {
    Reply {
        code: Some(code),
        enhanced: None,
        text: text.to_owned(),
    }
}

fn answer(answer: Result<Sent, Problem>) -> SendOutcome {
    SendOutcome {
        submission: SubmissionRecord::NotTried,
        answer: Ok(answer),
    }
}

#[async_trait]
impl MailProviders for Outside {
    async fn presets(&self, ws: WorkspaceId) -> Vec<ProviderPreset> {
        self.inner.presets(ws).await
    }

    fn has_own_transport(&self, provider: &str) -> Result<bool, CallError> {
        self.inner.has_own_transport(provider)
    }

    async fn check(
        &self,
        ws: WorkspaceId,
        provider: &str,
        session: Arc<dyn MailSession>,
    ) -> Result<Vec<Leg>, CallError> {
        self.inner.check(ws, provider, session).await
    }

    async fn send(
        &self,
        ws: WorkspaceId,
        provider: &str,
        session: Arc<dyn MailSession>,
        mail: Outgoing,
    ) -> SendOutcome {
        crash::at_effect().await;
        let fate = {
            let mut log = lock(&self.log);
            let nth = log.tries.entry(mail.message_id.clone()).or_default();
            *nth += 1;
            let fate = self.fate(&mail.message_id, *nth);
            match fate {
                Fate::Taken => {}
                Fate::Refused => log.count("refused"),
                Fate::Quota => log.count("quota"),
                Fate::AnswerLost => log.count("answer lost"),
                Fate::MailLost => log.count("mail lost"),
            }
            fate
        };
        let unclear = || answer(Err(Problem::Unclear("the connection broke".to_owned())));
        let outcome = match fate {
            Fate::Taken => self.deliver(ws, provider, session, mail).await,
            Fate::Refused => answer(Err(Problem::Temporary("try again later".to_owned()))),
            Fate::Quota => answer(Err(Problem::RateLimited(reply(450, "slow down")))),
            Fate::AnswerLost => {
                self.deliver(ws, provider, session, mail).await;
                unclear()
            }
            Fate::MailLost => unclear(),
        };
        crash::at_effect().await;
        outcome
    }

    async fn sync(
        &self,
        ws: WorkspaceId,
        provider: &str,
        session: Arc<dyn MailSession>,
        cursor: Option<&str>,
    ) -> Result<Result<SyncPage, Problem>, CallError> {
        let failed = {
            let mut log = lock(&self.log);
            log.syncs += 1;
            let lot = SeededRng::new(self.seed ^ (log.syncs << 20)).below(1_000);
            let failed = lot < self.faults.sync_failed;
            if failed {
                log.count("sync failed");
            }
            failed
        };
        if failed {
            return Ok(Err(Problem::Temporary("the connection broke".to_owned())));
        }
        let mut page = self.inner.sync(ws, provider, session, cursor).await;
        crash::at_effect().await;
        // Looking in vain every few minutes costs much and shows nothing.
        if let Ok(Ok(page)) = &mut page
            && page.mails.is_empty()
        {
            let soonest = self.clock.now() + SEEN_WITHIN;
            page.check_again_at = Some(page.check_again_at.map_or(soonest, |at| at.max(soonest)));
        }
        page
    }
}
