//! What follows from an outcome: events, the next step, bounces, retries, back-off (SAFE-2, SAF-4,
//! CAP-3). All of it in one transaction with the outcome itself.

mod sent;

use std::{collections::HashMap, sync::Arc, time::Duration};

use overture_domain::{
    ActionId, AttemptId, Timestamp,
    enrollments::{ActionState, EnrollmentState, JobState, Outcome},
    events::EventKind,
    messages::{MailMessage, Message},
    pacing,
    people::Actor,
    planted::{Bug, planted},
};
use overture_store::{Tx, accounts, actions, caps, caps::Use, enrollments, events, jobs};
use serde_json::json;

use crate::{
    Env, Result,
    inbox::bounces::{self, Bounce, Passing},
    mailboxes,
};

use super::{
    enrollment_event, evidence, finished_events, network,
    network::Accepted,
    plan,
    verdict::{NotSent, Verdict},
    writes::Mail,
};

/// After a connection that failed, or a plugin that did.
const TRY_AGAIN: Duration = Duration::from_secs(5 * 60);

/// A profile that was not found so many times in a row is none (LI-9).
const NOT_FOUND: i64 = 3;

/// What became of a mail, to be written.
pub(super) struct Ended {
    pub mail: Arc<Mail>,
    pub verdict: Verdict,
    /// The attempt of this send.
    pub attempt: AttemptId,
    /// When it was begun, where it had been committed.
    pub attempted_at: Option<Timestamp>,
    /// What is kept of it once it went out.
    pub kept: Option<(Message, Option<MailMessage>)>,
}

impl Ended {
    /// The attempt of this send, with what became of it.
    fn told(&self, outcome: Outcome) -> Option<(AttemptId, Outcome)> {
        self.attempted_at.map(|_| (self.attempt, outcome))
    }
}

/// Writes what became of mails, and what follows from it.
///
/// # Errors
/// Only the store's; then nothing of it may be kept.
pub(super) async fn write(tx: &mut Tx, env: &Env, all: &[Arc<Ended>]) -> Result<()> {
    let now = env.now();
    let mut sent: Vec<(&Ended, &str)> = Vec::new();
    let not_sent = all
        .iter()
        .filter(|ended| matches!(ended.verdict, Verdict::NotSent { .. }));
    let not_sent: Vec<ActionId> = not_sent.map(|ended| ended.mail.action.id).collect();
    let states = if not_sent.is_empty() {
        HashMap::new()
    } else {
        actions::lock(tx, &not_sent).await?
    };
    for ended in all {
        let recorder = Recorder { env, ended, now };
        let action = &ended.mail.action;
        match &ended.verdict {
            Verdict::Sent { words } => sent.push((&**ended, words)),
            Verdict::Unknown { words } => recorder.unknown(tx, words).await?,
            // Nothing stands in the database that may have gone out: free to try again.
            Verdict::NotSent { why, words } => {
                if recorder.is_ours(tx, words).await? {
                    recorder.release(tx).await?;
                    let why = match (why, states.get(&action.id)) {
                        // Whoever kept the attempt back has gone away.
                        (
                            NotSent::Cancelled,
                            Some(ActionState::HandedOut | ActionState::Retrying),
                        ) => NotSent::Unreachable,
                        (why, _) => *why,
                    };
                    recorder.not_sent(tx, why, words).await?;
                }
            }
        }
    }
    sent::write(tx, env, &sent, now).await
}

struct Recorder<'a> {
    env: &'a Env,
    ended: &'a Ended,
    now: Timestamp,
}

impl Recorder<'_> {
    /// Whether this send may still say what becomes of its step, its action being locked. Where it
    /// took so long that its lease was given to another, that one's mail may be on its way: this
    /// one's failure says nothing about it (SAFE-3, SCH-5). Nor does it release anything: the caps
    /// that it had reserved were given back when the other began (CAP-2).
    async fn is_ours(&self, tx: &mut Tx, words: &str) -> Result<bool> {
        let Mail {
            job, lease, action, ..
        } = &*self.ended.mail;
        actions::deny_attempt(tx, self.ended.attempt, words, self.now).await?;
        let elsewhere = actions::attempted(tx, action.workspace_id, &[action.id]).await?;
        let (enrollment, host) = (action.enrollment_id, self.env.host);
        let ours = elsewhere.is_empty() && jobs::hold(tx, enrollment, *job, host, *lease).await?;
        if !ours {
            tracing::warn!(job.id = %job, "a send failed after its lease had passed to another; it is left to that one");
        }
        Ok(ours)
    }

    async fn unknown(&self, tx: &mut Tx, words: &str) -> Result<()> {
        let action = &self.mail().action;
        let reason = format!("it may have gone out: {words}");
        let ended = actions::Ended {
            action_id: action.id,
            state: ActionState::Ambiguous,
            deferrals: action.deferrals,
            error: Some(words.to_owned()),
            attempt: self.ended.told(Outcome::Ambiguous),
            detail: Some(words.to_owned()),
        };
        if actions::end(tx, &[ended], self.now).await?.is_empty() {
            tracing::warn!(action.id = %action.id, "what became of a send was settled before it ended");
            return Ok(());
        }
        jobs::finish(
            tx,
            &[(self.mail().job, JobState::Ambiguous, Some(words.to_owned()))],
            self.now,
        )
        .await?;
        evidence::expect_in(tx, self.env, &self.mail().account, &[action.id], self.now).await?;
        self.park(tx, EnrollmentState::AmbiguousSend, reason).await
    }

    async fn not_sent(&self, tx: &mut Tx, why: NotSent, words: &str) -> Result<()> {
        let action = &self.mail().action;
        let attempted = self.ended.attempted_at.is_some();
        let retrying = |deferrals| (ActionState::Retrying, deferrals);
        tracing::info!(action.id = %action.id, ?why, attempted, "a mail has not gone out");
        match why {
            NotSent::HardBounce => {
                self.end_with(tx, (ActionState::Failed, action.deferrals), words)
                    .await?;
                bounces::hard_in(tx, self.env, &self.bounce(words)).await?;
                let ended = [(self.mail().job, JobState::Completed, Some(words.to_owned()))];
                Ok(jobs::finish(tx, &ended, self.now).await?)
            }
            NotSent::Soft | NotSent::Policy => {
                let passing = if why == NotSent::Soft {
                    Passing::Soft
                } else {
                    Passing::Blocked
                };
                bounces::passing_in(tx, self.env, &self.bounce(words), passing).await?;
                let refusals = action.deferrals + 1;
                match pacing::soft_retry(refusals) {
                    Some(wait) => {
                        self.end_with(tx, retrying(refusals), words).await?;
                        self.again(
                            tx,
                            self.now + wait,
                            format!("refused for now, tried again: {words}"),
                        )
                        .await
                    }
                    None => self.give_up(tx, refusals, words).await,
                }
            }
            NotSent::SenderLimit => {
                self.end_with(tx, retrying(action.deferrals), words).await?;
                let until = self.back_off(tx).await?;
                let more =
                    json!({"reason": words, "mailboxId": self.mail().account.id, "until": until});
                self.tell(tx, EventKind::EmailDeferred, more).await?;
                self.again(
                    tx,
                    until,
                    format!("the mailbox's server asked for patience: {words}"),
                )
                .await
            }
            NotSent::Limited(until) => {
                self.end_with(tx, retrying(action.deferrals), words).await?;
                let until = self.rest(tx, until).await?;
                let more = json!({"reason": words, "linkedinAccountId": action.account_id, "until": until});
                self.tell(tx, EventKind::LinkedinDeferred, more).await?;
                self.again(tx, until, words.to_owned()).await
            }
            NotSent::NotConnected => {
                let refusals = action.deferrals + 1;
                // It had all the time of a wait.
                if refusals > 1 {
                    return self.give_up(tx, refusals, words).await;
                }
                self.end_with(tx, retrying(refusals), words).await?;
                let until = self.now + pacing::minutes(pacing::WAIT_ACCEPT_MINUTES);
                self.again(tx, until, plan::NOT_ACCEPTED.to_owned()).await?;
                let (ws, id) = (action.workspace_id, action.enrollment_id);
                Ok(enrollments::set_waiting(tx, ws, id, self.now).await?)
            }
            NotSent::AlreadyConnected => {
                self.end_with(tx, (ActionState::Done, action.deferrals), words)
                    .await?;
                let ended = [(self.mail().job, JobState::Completed, None)];
                jobs::finish(tx, &ended, self.now).await?;
                let (ws, id) = (action.workspace_id, action.enrollment_id);
                enrollments::advance(tx, ws, &[(id, action.step_index)], self.now).await?;
                let accepted = Accepted {
                    invite: action.id,
                    at: self.now,
                    source: "already_connected",
                };
                network::accepted_in(tx, self.env, ws, &accepted).await
            }
            NotSent::NoProfile => {
                let refusals = action.deferrals + 1;
                self.end_with(tx, retrying(refusals), words).await?;
                if refusals >= NOT_FOUND {
                    let state = EnrollmentState::InvalidProspect;
                    return self.park(tx, state, words.to_owned()).await;
                }
                let wait = pacing::soft_retry(refusals).unwrap_or(TRY_AGAIN);
                let reason = format!("looked for again: {words}");
                self.again(tx, self.now + wait, reason).await
            }
            NotSent::Held(state) => {
                self.end_with(tx, retrying(action.deferrals), words).await?;
                self.park(tx, state, words.to_owned()).await
            }
            NotSent::AccountLost(to) => {
                self.end_with(tx, retrying(action.deferrals), words).await?;
                let (ws, id) = (action.workspace_id, self.mail().account.id);
                if let Some(account) = accounts::find(tx, ws, id).await? {
                    let actor = Actor::Engine("LI-2");
                    mailboxes::status::set_in(tx, self.env, &account, to, words, &actor).await?;
                }
                let reason = format!("{} is {to}: {words}", self.mail().account.address);
                self.park(tx, EnrollmentState::PausedAccount, reason).await
            }
            NotSent::Auth => {
                self.end_with(tx, retrying(action.deferrals), words).await?;
                let (ws, id) = (action.workspace_id, self.mail().account.id);
                if let Some(account) = accounts::find(tx, ws, id).await? {
                    let reason = format!("the server refused the sign-in: {words}");
                    mailboxes::status::auth_refused_in(tx, self.env, &account, &reason).await?;
                }
                let reason = format!("{} can't sign in: {words}", self.mail().account.address);
                self.park(tx, EnrollmentState::PausedAccount, reason).await
            }
            NotSent::Unreachable | NotSent::Provider => {
                self.end_with(tx, retrying(action.deferrals), words).await?;
                self.again(
                    tx,
                    self.now + TRY_AGAIN,
                    format!("could not be sent, tried again: {words}"),
                )
                .await
            }
            NotSent::NoPlace(until) => {
                self.end_with(tx, retrying(action.deferrals), words).await?;
                self.again(tx, until, format!("not sent yet: {words}"))
                    .await
            }
            NotSent::Cancelled => {
                self.end_with(tx, (ActionState::Cancelled, action.deferrals), words)
                    .await?;
                Ok(
                    jobs::finish(tx, &[(self.mail().job, JobState::Expired, None)], self.now)
                        .await?,
                )
            }
        }
    }

    /// Three retries over 72 hours are enough (SAF-4).
    async fn give_up(&self, tx: &mut Tx, refusals: i64, words: &str) -> Result<()> {
        let action = &self.mail().action;
        self.end_with(tx, (ActionState::Failed, refusals), words)
            .await?;
        jobs::finish(
            tx,
            &[(self.mail().job, JobState::Failed, Some(words.to_owned()))],
            self.now,
        )
        .await?;
        let reason = format!("refused {refusals} times, the last: {words}");
        let (ws, ids) = (action.workspace_id, [action.enrollment_id]);
        let failed =
            enrollments::finish(tx, ws, &ids, EnrollmentState::Failed, &reason, self.now).await?;
        events::insert(tx, &finished_events(self.env, &failed)).await?;
        Ok(())
    }

    /// One rung up the ladder (CAP-3). Until when the mailbox rests.
    async fn back_off(&self, tx: &mut Tx) -> Result<Timestamp> {
        let (ws, id) = (self.mail().action.workspace_id, self.mail().account.id);
        let rung = accounts::find(tx, ws, id)
            .await?
            .map_or(0, |account| account.backoff_rung)
            + 1;
        let until = self.now + pacing::backoff(rung);
        accounts::set_backoff(tx, ws, id, rung, until).await?;
        Ok(until)
    }

    /// The account does nothing until then, or longer where it rests longer already (LI-8).
    async fn rest(&self, tx: &mut Tx, until: Timestamp) -> Result<Timestamp> {
        let (ws, id) = (self.mail().action.workspace_id, self.mail().account.id);
        let account = accounts::find(tx, ws, id).await?;
        let (rung, rests) = account.map_or((0, until), |a| (a.backoff_rung, a.backoff_until));
        let until = until.max(rests);
        accounts::set_backoff(tx, ws, id, rung, until).await?;
        Ok(until)
    }

    /// The mail waits for its next turn, clamped into the window (SCH-2).
    async fn again(&self, tx: &mut Tx, earliest: Timestamp, reason: String) -> Result<()> {
        let zone = plan::zone_of(&self.mail().campaign, &self.mail().prospect.time_zone);
        let (at, _) = plan::clamp(&self.mail().campaign, &zone, earliest);
        Ok(jobs::defer(tx, &[(self.mail().job, at, reason)], self.now).await?)
    }

    async fn park(&self, tx: &mut Tx, state: EnrollmentState, reason: String) -> Result<()> {
        let (ws, id) = (
            self.mail().action.workspace_id,
            self.mail().action.enrollment_id,
        );
        let more = json!({"state": state, "reason": reason});
        if enrollments::park(tx, ws, &[(id, state, reason)], self.now).await? == 1 {
            self.tell(tx, EventKind::EnrollmentParked, more).await?;
        }
        Ok(())
    }

    /// CAP-2: what has definitely not gone out counts nowhere.
    async fn release(&self, tx: &mut Tx) -> Result<()> {
        let back: Vec<Use> = self
            .mail()
            .reserved
            .iter()
            .map(|used| Use {
                n: -used.n * if planted(Bug::ReleasedTwice) { 2 } else { 1 },
                ..used.clone()
            })
            .collect();
        Ok(caps::add(tx, self.mail().action.workspace_id, &back).await?)
    }

    /// Ends the turn, which has sent nothing.
    async fn end_with(
        &self,
        tx: &mut Tx,
        (state, deferrals): (ActionState, i64),
        words: &str,
    ) -> Result<()> {
        let ended = actions::Ended {
            action_id: self.mail().action.id,
            state,
            deferrals,
            error: Some(words.to_owned()),
            attempt: None,
            detail: None,
        };
        actions::end(tx, &[ended], self.now).await?;
        Ok(())
    }

    fn mail(&self) -> &Mail {
        &self.ended.mail
    }

    fn bounce<'a>(&'a self, reason: &'a str) -> Bounce<'a> {
        Bounce {
            workspace_id: self.mail().action.workspace_id,
            campaign_id: self.mail().campaign.id,
            enrollment_id: self.mail().action.enrollment_id,
            prospect_id: self.mail().prospect.id,
            prospect_email: &self.mail().prospect.email,
            account_id: self.mail().account.id,
            reason,
        }
    }

    async fn tell(&self, tx: &mut Tx, kind: EventKind, more: serde_json::Value) -> Result<()> {
        let (ws, id) = (
            self.mail().action.workspace_id,
            self.mail().action.enrollment_id,
        );
        if let Some(enrollment) = enrollments::find(tx, ws, id).await? {
            events::insert(tx, &[enrollment_event(self.env, &enrollment, kind, more)]).await?;
        }
        Ok(())
    }
}
