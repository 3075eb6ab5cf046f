//! What follows from an outcome: events, the next step, bounces, retries, back-off (SAFE-2, SAF-4,
//! CAP-3). All of it in one transaction with the outcome itself.

use std::time::Duration;

use overture_domain::{
    Timestamp,
    accounts::Channel,
    enrollments::{ActionState, EnrollmentState, JobState, Outcome},
    events::{Event, EventKind},
    pacing,
};
use overture_store::{
    Tx, accounts, actions, actions::Ended, campaigns, caps, caps::Use, enrollments, events, jobs,
    messages, prospects,
};
use serde_json::json;

use crate::{
    Env, Result,
    inbox::bounces::{self, Bounce, Passing},
    mailboxes,
};

use super::{
    enrollment_event, finished_events, journal, plan,
    verdict::{NotSent, Verdict},
    writes::Mail,
};

/// After a connection that failed, or a plugin that did.
const TRY_AGAIN: Duration = Duration::from_secs(5 * 60);

/// Records a verdict. `attempted`: the attempt had been committed.
pub(super) async fn record(
    env: &Env,
    mail: &Mail,
    verdict: Verdict,
    attempted: bool,
) -> Result<()> {
    let now = env.now();
    journal::outcome(env, async |tx| {
        let recorder = Recorder { env, mail, now };
        match verdict {
            Verdict::Sent { words } => recorder.sent(tx, words).await,
            Verdict::Unknown { words } => recorder.unknown(tx, &words).await,
            // Nothing stands in the database that may have gone out: free to try again.
            Verdict::NotSent { why, words } => {
                recorder.release(tx).await?;
                recorder.not_sent(tx, why, &words, attempted).await
            }
        }
    })
    .await
}

struct Recorder<'a> {
    env: &'a Env,
    mail: &'a Mail,
    now: Timestamp,
}

impl Recorder<'_> {
    async fn sent(&self, tx: &mut Tx, words: String) -> Result<()> {
        let Mail {
            action,
            account,
            prospect,
            composed,
            ..
        } = self.mail;
        let ws = action.workspace_id;
        self.end(
            tx,
            ActionState::Done,
            Outcome::Sent,
            action.deferrals,
            None,
            Some(words),
        )
        .await?;
        let message = overture_domain::messages::Message {
            at: self.now,
            ..composed.message.clone()
        };
        messages::insert(tx, &[(message, composed.headers.clone())], self.now).await?;
        prospects::set_contacted(tx, ws, &[prospect.id], self.now).await?;
        if account.auth_failures > 0 {
            accounts::clear_auth_failures(tx, ws, account.id).await?;
        }
        self.recover(tx).await?;
        jobs::finish(tx, &[(self.mail.job, JobState::Completed, None)], self.now).await?;
        events::insert(tx, &[self.sent_event()]).await?;
        self.go_on(tx).await
    }

    /// On to the next step, or through.
    async fn go_on(&self, tx: &mut Tx) -> Result<()> {
        let Mail {
            action,
            campaign,
            prospect,
            ..
        } = self.mail;
        let (ws, id) = (action.workspace_id, action.enrollment_id);
        enrollments::advance(tx, ws, &[(id, action.step_index)], self.now).await?;
        let Some(enrollment) = enrollments::find(tx, ws, id).await? else {
            return Ok(());
        };
        if !enrollment.state.is_open() {
            return Ok(());
        }
        let steps = campaigns::list_steps(tx, ws, &[campaign.id]).await?;
        let Some(next) = steps
            .iter()
            .find(|step| step.step_index == enrollment.step_index)
        else {
            let state = EnrollmentState::Completed;
            let finished =
                enrollments::finish(tx, ws, &[id], state, "the sequence is through", self.now)
                    .await?;
            events::insert(tx, &finished_events(self.env, &finished)).await?;
            return Ok(());
        };
        let earliest = pacing::step_due(self.now, next.delay_minutes, &*self.env.rng);
        let zone = plan::zone_of(campaign, &prospect.time_zone);
        let (run_at, waits) = plan::clamp(campaign, &zone, earliest);
        let planned = jobs::Planned {
            job_id: self.env.id(),
            workspace_id: ws,
            enrollment_id: id,
            run_at,
            reason: if waits {
                plan::OUTSIDE.to_owned()
            } else {
                String::new()
            },
        };
        Ok(jobs::plan(tx, &[planned], self.now).await?)
    }

    /// CAP-3: back to zero after 30 successes within an hour.
    async fn recover(&self, tx: &mut Tx) -> Result<()> {
        let (ws, id) = (self.mail.action.workspace_id, self.mail.account.id);
        let Some(account) = accounts::find(tx, ws, id)
            .await?
            .filter(|account| account.backoff_rung > 0)
        else {
            return Ok(());
        };
        // Only successes since the server last asked for patience.
        let asked = account.backoff_until - pacing::backoff(account.backoff_rung);
        let since = asked.max(self.now - pacing::RECOVERY_SPAN);
        if actions::count_done_since(tx, ws, id, since).await? >= pacing::RECOVERY_SENDS {
            accounts::set_backoff(tx, ws, id, 0, account.backoff_until).await?;
        }
        Ok(())
    }

    async fn unknown(&self, tx: &mut Tx, words: &str) -> Result<()> {
        let action = &self.mail.action;
        let reason = format!("it may have gone out: {words}");
        self.end(
            tx,
            ActionState::Ambiguous,
            Outcome::Ambiguous,
            action.deferrals,
            Some(words),
            None,
        )
        .await?;
        jobs::finish(
            tx,
            &[(self.mail.job, JobState::Ambiguous, Some(words.to_owned()))],
            self.now,
        )
        .await?;
        self.park(tx, EnrollmentState::AmbiguousSend, reason).await
    }

    async fn not_sent(
        &self,
        tx: &mut Tx,
        why: NotSent,
        words: &str,
        attempted: bool,
    ) -> Result<()> {
        let action = &self.mail.action;
        let retrying = |deferrals| (ActionState::Retrying, deferrals);
        tracing::info!(action.id = %action.id, ?why, attempted, "a mail has not gone out");
        match why {
            NotSent::HardBounce => {
                self.end_with(tx, (ActionState::Failed, action.deferrals), words)
                    .await?;
                bounces::hard_in(tx, self.env, &self.bounce(words)).await?;
                let ended = [(self.mail.job, JobState::Completed, Some(words.to_owned()))];
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
                    json!({"reason": words, "mailboxId": self.mail.account.id, "until": until});
                self.tell(tx, EventKind::EmailDeferred, more).await?;
                self.again(
                    tx,
                    until,
                    format!("the mailbox's server asked for patience: {words}"),
                )
                .await
            }
            NotSent::Auth => {
                self.end_with(tx, retrying(action.deferrals), words).await?;
                let (ws, id) = (action.workspace_id, self.mail.account.id);
                if let Some(account) = accounts::find(tx, ws, id).await? {
                    let reason = format!("the server refused the sign-in: {words}");
                    mailboxes::status::auth_refused_in(tx, self.env, &account, &reason).await?;
                }
                let reason = format!("{} can't sign in: {words}", self.mail.account.address);
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
            NotSent::Cancelled => {
                self.end_with(tx, (ActionState::Cancelled, action.deferrals), words)
                    .await?;
                Ok(jobs::finish(tx, &[(self.mail.job, JobState::Expired, None)], self.now).await?)
            }
        }
    }

    /// Three retries over 72 hours are enough (SAF-4).
    async fn give_up(&self, tx: &mut Tx, refusals: i64, words: &str) -> Result<()> {
        let action = &self.mail.action;
        self.end_with(tx, (ActionState::Failed, refusals), words)
            .await?;
        jobs::finish(
            tx,
            &[(self.mail.job, JobState::Failed, Some(words.to_owned()))],
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
        let (ws, id) = (self.mail.action.workspace_id, self.mail.account.id);
        let rung = accounts::find(tx, ws, id)
            .await?
            .map_or(0, |account| account.backoff_rung)
            + 1;
        let until = self.now + pacing::backoff(rung);
        accounts::set_backoff(tx, ws, id, rung, until).await?;
        Ok(until)
    }

    /// The mail waits for its next turn, clamped into the window (SCH-2).
    async fn again(&self, tx: &mut Tx, earliest: Timestamp, reason: String) -> Result<()> {
        let zone = plan::zone_of(&self.mail.campaign, &self.mail.prospect.time_zone);
        let (at, _) = plan::clamp(&self.mail.campaign, &zone, earliest);
        Ok(jobs::defer(tx, &[(self.mail.job, at, reason)], self.now).await?)
    }

    async fn park(&self, tx: &mut Tx, state: EnrollmentState, reason: String) -> Result<()> {
        let (ws, id) = (
            self.mail.action.workspace_id,
            self.mail.action.enrollment_id,
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
            .mail
            .reserved
            .iter()
            .map(|used| Use {
                n: -used.n,
                ..used.clone()
            })
            .collect();
        Ok(caps::add(tx, self.mail.action.workspace_id, &back).await?)
    }

    async fn end_with(
        &self,
        tx: &mut Tx,
        (state, deferrals): (ActionState, i64),
        words: &str,
    ) -> Result<()> {
        self.end(tx, state, Outcome::NotSent, deferrals, Some(words), None)
            .await
    }

    async fn end(
        &self,
        tx: &mut Tx,
        state: ActionState,
        outcome: Outcome,
        deferrals: i64,
        error: Option<&str>,
        detail: Option<String>,
    ) -> Result<()> {
        let ended = Ended {
            action_id: self.mail.action.id,
            state,
            deferrals,
            error: error.map(str::to_owned),
            outcome,
            detail: detail.or_else(|| error.map(str::to_owned)),
        };
        Ok(actions::end(tx, &[ended], self.now).await?)
    }

    fn bounce<'a>(&'a self, reason: &'a str) -> Bounce<'a> {
        Bounce {
            workspace_id: self.mail.action.workspace_id,
            campaign_id: self.mail.campaign.id,
            enrollment_id: self.mail.action.enrollment_id,
            prospect_id: self.mail.prospect.id,
            prospect_email: &self.mail.prospect.email,
            account_id: self.mail.account.id,
            reason,
        }
    }

    async fn tell(&self, tx: &mut Tx, kind: EventKind, more: serde_json::Value) -> Result<()> {
        let (ws, id) = (
            self.mail.action.workspace_id,
            self.mail.action.enrollment_id,
        );
        if let Some(enrollment) = enrollments::find(tx, ws, id).await? {
            events::insert(tx, &[enrollment_event(self.env, &enrollment, kind, more)]).await?;
        }
        Ok(())
    }

    /// API-6
    fn sent_event(&self) -> Event {
        let Mail {
            action,
            campaign,
            prospect,
            account,
            ..
        } = self.mail;
        Event {
            id: self.env.id(),
            workspace_id: action.workspace_id,
            kind: EventKind::EmailSent,
            channel: Some(Channel::Mail),
            campaign_id: Some(campaign.id),
            enrollment_id: Some(action.enrollment_id),
            prospect_id: Some(prospect.id),
            account_id: Some(account.id),
            occurred_at: self.now,
            dedup_key: Some(format!("sent:{}", action.id)),
            data: json!({
                "prospectId": prospect.id,
                "prospectEmail": prospect.email,
                "campaignId": campaign.id,
                "enrollmentId": action.enrollment_id,
                "mailboxId": account.id,
                "stepIndex": action.step_index,
                "messageId": action.external_id,
                "sentAt": self.now,
            }),
        }
    }
}
