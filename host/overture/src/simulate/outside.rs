//! The outside world with its faults: the sandbox plugin, and a wire to it that breaks.
//!
//! What truly went out is noted here, before anything of the host could lose it: it is what the
//! checker believes.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::OccupiedEntry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use overture_domain::{CampaignId, Clock, Rng, Timestamp, WorkspaceId, rng::SeededRng};
use overture_engine::{
    Aside, UnderWay,
    providers::{MailProviders, ProviderPreset},
};
use overture_plugin_host::{
    CallError, Leg, LegProblem, Problem, SendOutcome, Sent, SyncPage,
    capabilities::mailbox::{Failure, MailSession, Outgoing, Reply, Stage, SubmissionRecord},
};
use tokio::sync::oneshot;

use super::{
    counters::Counter,
    crash,
    scenario::{Fault, Faults, Preset},
};

/// A mailbox in which nothing was is looked into again after that time.
const SEEN_WITHIN: Duration = Duration::from_secs(3 * 3_600);

/// A lease of a living host is old after that (SCH-5).
const OVERDUE: Duration = Duration::from_secs(600);

/// A mail that came to the outside world.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// When it was given to the server.
    pub at: Timestamp,
    pub from: String,
    pub to: String,
    pub bytes: Arc<[u8]>,
}

/// The provider refuses everything until then: as one of the two faults of storms says.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    pub until: Timestamp,
    pub fault: Fault,
}

/// A mail whose server takes its time.
#[derive(Clone, Debug)]
pub struct Slow {
    pub from: String,
    pub to: String,
    /// In the middle of that time.
    pub at: Timestamp,
    /// By chance.
    pub lot: u64,
}

/// What happened outside.
#[derive(Debug, Default)]
pub struct Log {
    /// Mails that were to be sent, in that order, whatever became of them.
    pub tried: Vec<Submitted>,
    /// Mails that were taken.
    pub delivered: Vec<Submitted>,
    /// What counters of caps said, and when they were looked at last.
    pub counters: Vec<Counter>,
    pub looked_at: Timestamp,
    /// Daily limits of campaigns that were moved: when, and to what.
    pub limits: Vec<(Timestamp, CampaignId, i64)>,
    /// When texts of campaigns were mended.
    pub mended: Vec<(Timestamp, CampaignId)>,
    /// Spans that the clock has shown twice.
    pub twice: Vec<(Timestamp, Timestamp)>,
    /// Spans in which no process lived, and those that the clock has left out.
    pub gone: Vec<(Timestamp, Timestamp)>,
    /// Where the process died, and how often.
    pub deaths: BTreeMap<String, u64>,
    /// Mailboxes whose password is another than the host's.
    pub locked: BTreeSet<String>,
    /// The last time that the provider refused everything.
    pub storm: Option<Storm>,
    /// Mails whose servers have begun to take their time.
    pub slow: Vec<Slow>,
    /// How often each fault occurred.
    pub faults: BTreeMap<Fault, u64>,
    /// How often each mail was tried, by its Message-ID, and when it was so last.
    tries: BTreeMap<String, (u64, Timestamp)>,
    syncs: u64,
    /// The cursor before the last one of each mailbox.
    cursors: BTreeMap<String, Option<String>>,
}

impl Log {
    /// One more of a fault.
    pub fn count(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }

    /// Whether a mail of this Message-ID was to be sent since then.
    pub fn was_tried(&self, message_id: &str, since: Timestamp) -> bool {
        let tries = self.tries.get(message_id);
        tries.is_some_and(|(_, last)| *last >= since)
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
    pub preset: Preset,
    pub faults: Faults,
    pub seed: u64,
    pub log: Shared,
    pub peers: Arc<Peers>,
    pub under_way: Arc<UnderWay>,
}

/// Mails of this life whose servers take their time to answer, the earliest answer first.
#[derive(Debug, Default)]
pub struct Peers(Mutex<BTreeMap<(Timestamp, u64), Waiting>>);

#[derive(Debug)]
struct Waiting {
    /// When the lease of the step is old (SCH-5), should it wait so long.
    overdue_at: Timestamp,
    answer: oneshot::Sender<()>,
    /// Dropped before the answer: whoever lets time pass waits for what follows from it.
    aside: Aside,
}

impl Peers {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<(Timestamp, u64), Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A life begins: whoever waited is gone.
    pub fn forget(&self) {
        self.waiting().clear();
    }

    /// When the next of them answers, or is overdue.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let waiting = self.waiting();
        let answers = waiting.keys().map(|(at, _)| *at);
        let overdue = waiting.values().map(|one| one.overdue_at);
        answers.chain(overdue).filter(|at| *at > now).min()
    }

    /// Whether anybody waits.
    pub fn any(&self) -> bool {
        !self.waiting().is_empty()
    }

    /// The next of them answers, should it do so until then.
    pub fn answer(&self, until: Timestamp) -> bool {
        let mut waiting = self.waiting();
        let next = waiting.first_entry().filter(|next| next.key().0 <= until);
        let Some(Waiting { answer, aside, .. }) = next.map(OccupiedEntry::remove) else {
            return false;
        };
        drop(aside);
        // It waits: nobody else ends the work of a life.
        let _ = answer.send(());
        true
    }
}

/// What becomes of one try to send.
#[derive(Clone, Copy)]
enum Fate {
    Taken,
    Refused,
    Blocked,
    Quota,
    AnswerLost,
    MailLost,
    /// The plugin does it, and never says so.
    Hung,
    Trapped,
    Nonsense,
}

impl Fate {
    const fn fault(self) -> Option<Fault> {
        match self {
            Self::Taken => None,
            Self::Refused => Some(Fault::Refused),
            Self::Blocked => Some(Fault::PolicyStorm),
            Self::Quota => Some(Fault::Quota),
            Self::AnswerLost => Some(Fault::AnswerLost),
            Self::MailLost => Some(Fault::MailLost),
            Self::Hung => Some(Fault::PluginHung),
            Self::Trapped => Some(Fault::PluginTrapped),
            Self::Nonsense => Some(Fault::PluginTalkedNonsense),
        }
    }
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
            (self.faults.plugin_failed.div_ceil(3), Fate::Hung),
            (self.faults.plugin_failed.div_ceil(3), Fate::Trapped),
            (self.faults.plugin_failed / 3, Fate::Nonsense),
        ] {
            below += chance;
            if lot < below {
                return fate;
            }
        }
        Fate::Taken
    }

    /// Whether a look into a mailbox brings the newest first.
    fn reversed(&self) -> bool {
        let mut log = lock(&self.log);
        let lot = SeededRng::new(self.seed ^ (log.syncs << 24)).below(1_000);
        let reversed = lot < self.faults.sync_reversed;
        if reversed {
            log.count(Fault::MailsOutOfOrder);
        }
        reversed
    }

    fn submitted(&self, mail: &Outgoing) -> Submitted {
        Submitted {
            at: self.clock.now(),
            from: mail.envelope.sender.clone(),
            to: mail.envelope.recipient.clone(),
            bytes: Arc::clone(&mail.bytes),
        }
    }

    /// How long the server takes for this try: mostly no time at all, and sometimes as long as a host
    /// waits, or a lease may be old (SCH-5). Whether it takes the mail at once, and answers late.
    fn slowness(&self, message_id: &str, nth: u64) -> Option<(Duration, bool)> {
        let rng = SeededRng::new(self.seed ^ fold(message_id) ^ (nth << 40) ^ 0x510);
        if rng.below(1_000) >= self.faults.slow {
            return None;
        }
        let seconds = match rng.below(3) {
            0 => OVERDUE.as_secs() + 5 + rng.below(85),
            _ => 60 + rng.below(OVERDUE.as_secs() - 60),
        };
        Some((Duration::from_secs(seconds), rng.below(2) == 0))
    }

    /// Time goes on for everybody else.
    async fn wait(&self, time: Duration, mail: &Submitted) {
        let (answer, answered) = oneshot::channel();
        {
            let mut log = lock(&self.log);
            log.count(Fault::Slow);
            let nth = log.faults.get(&Fault::Slow).copied().unwrap_or_default();
            log.slow.push(Slow {
                from: mail.from.clone(),
                to: mail.to.clone(),
                at: mail.at + time / 2,
                lot: fold(&mail.to) ^ nth,
            });
            let waiting = Waiting {
                overdue_at: mail.at + OVERDUE + Duration::from_secs(1),
                answer,
                aside: self.under_way.set_aside(),
            };
            self.peers.waiting().insert((mail.at + time, nth), waiting);
        }
        if answered.await.is_err() {
            // The life is over.
            std::future::pending::<()>().await;
        }
        self.under_way.take_turn_again().await;
    }

    async fn deliver(
        &self,
        ws: WorkspaceId,
        provider: &str,
        session: Arc<dyn MailSession>,
        mail: Outgoing,
        given: &Submitted,
    ) -> SendOutcome {
        let sent = self.inner.send(ws, provider, session, mail);
        let outcome = crash::outside(sent).await;
        // One that the address refuses is answered, and never lies in a mailbox.
        if matches!(outcome.answer, Ok(Ok(_))) {
            lock(&self.log).delivered.push(given.clone());
        }
        outcome
    }
}

/// FNV-1a, for a number that follows from a text alone.
pub fn fold(text: &str) -> u64 {
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

/// The mailbox's password is another.
fn refused() -> Problem {
    Problem::Auth(Failure {
        stage: Stage::Auth,
        code: "auth_invalid".to_owned(),
        reply: Some(reply(535, "authentication failed")),
        detail: "the server refused the sign-in".to_owned(),
    })
}

fn trap() -> CallError {
    CallError::Trap {
        what: "unreachable".to_owned(),
        frames: Vec::new(),
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
    /// The sandbox has the limits of the scenario.
    async fn presets(&self, ws: WorkspaceId) -> Vec<ProviderPreset> {
        let mut presets = self.inner.presets(ws).await;
        for ProviderPreset { preset, .. } in &mut presets {
            preset.recipients_per_day = self.preset.recipients_per_day;
            preset.mails_per_minute = self.preset.mails_per_minute;
        }
        presets
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
        if lock(&self.log).locked.contains(&session.address()) {
            return Ok(vec![Leg {
                name: "smtp".to_owned(),
                problem: Some(LegProblem {
                    stage: "auth".to_owned(),
                    code: "auth_invalid".to_owned(),
                    reply: None,
                    fix: "give the mailbox its new password".to_owned(),
                }),
            }]);
        }
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
        let given = self.submitted(&mail);
        let (fate, slow) = {
            let mut log = lock(&self.log);
            log.tried.push(given.clone());
            let (nth, last) = log.tries.entry(mail.message_id.clone()).or_default();
            *nth += 1;
            *last = self.clock.now();
            let nth = *nth;
            if log.locked.contains(&mail.envelope.sender) {
                return answer(Err(refused()));
            }
            let now = self.clock.now();
            let storm = log.storm.filter(|storm| now < storm.until);
            let fate = match storm.map(|storm| storm.fault) {
                None => self.fate(&mail.message_id, nth),
                Some(Fault::PolicyStorm) => Fate::Blocked,
                Some(_) => Fate::Refused,
            };
            let fault = storm.map(|storm| storm.fault).or_else(|| fate.fault());
            if let Some(fault) = fault {
                log.count(fault);
            }
            (fate, self.slowness(&mail.message_id, nth))
        };
        if let Some((time, false)) = slow {
            self.wait(time, &given).await;
        }
        let unclear = || answer(Err(Problem::Unclear("the connection broke".to_owned())));
        let failed = |error| SendOutcome {
            submission: SubmissionRecord::NotTried,
            answer: Err(error),
        };
        let outcome = match fate {
            Fate::Taken => self.deliver(ws, provider, session, mail, &given).await,
            Fate::Refused => answer(Err(Problem::Temporary("try again later".to_owned()))),
            Fate::Blocked => answer(Err(Problem::PolicyRejected(reply(550, "5.7.1 blocked")))),
            Fate::Quota => answer(Err(Problem::RateLimited(reply(450, "slow down")))),
            Fate::AnswerLost => {
                self.deliver(ws, provider, session, mail, &given).await;
                unclear()
            }
            Fate::MailLost => unclear(),
            Fate::Hung => {
                self.deliver(ws, provider, session, mail, &given).await;
                failed(CallError::Timeout {
                    limit: Duration::from_secs(60),
                })
            }
            Fate::Trapped => failed(trap()),
            Fate::Nonsense => failed(CallError::BadAnswer {
                what: "no message id".to_owned(),
            }),
        };
        if let Some((time, true)) = slow {
            self.wait(time, &given).await;
        }
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
        let address = session.address();
        let cursor = {
            let mut log = lock(&self.log);
            if log.locked.contains(&address) {
                return Ok(Err(refused()));
            }
            log.syncs += 1;
            let lot = SeededRng::new(self.seed ^ (log.syncs << 20)).below(1_000);
            let (failed, repeated) = (self.faults.sync_failed, self.faults.sync_repeated);
            let before = log.cursors.insert(address, cursor.map(str::to_owned));
            match lot {
                _ if lot < failed => {
                    log.count(Fault::SyncFailed);
                    return Ok(Err(Problem::Temporary("the connection broke".to_owned())));
                }
                _ if lot < failed + self.faults.plugin_failed => {
                    log.count(Fault::SyncTrapped);
                    return Err(trap());
                }
                _ if lot < failed + self.faults.plugin_failed + repeated => match before {
                    Some(before) => {
                        log.count(Fault::MailsCameTwice);
                        before
                    }
                    None => cursor.map(str::to_owned),
                },
                _ => cursor.map(str::to_owned),
            }
        };
        let cursor = cursor.as_deref();
        let mut page = self.inner.sync(ws, provider, session, cursor).await;
        crash::at_effect().await;
        if let Ok(Ok(page)) = &mut page
            && page.mails.len() > 1
            && self.reversed()
        {
            page.mails.reverse();
        }
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
