//! What becomes of due steps, collected through a transaction and written at its end, a statement
//! or two a kind.

use std::collections::HashMap;

use overture_domain::{
    AccountId, ActionId, AttemptId, EnrollmentId, JobId, Timestamp, WorkspaceId,
    accounts::Account,
    campaigns::Campaign,
    enrollments::{Action, ActionState, Enrollment, EnrollmentState, Job, JobState, Lane, Outcome},
    events::{Event, EventKind},
    prospects::Prospect,
};
use overture_store::{
    Tx, accounts, actions, actions::Ended, caps, caps::Use, enrollments, events, jobs, lanes,
    lanes::Look,
};
use serde_json::json;

use crate::{Env, Result};

use super::{compose::Draft, enrollment_event, evidence, finished_events, world::World};

/// A mail, or another channel's step, on its way: handed out and reserved, not yet tried.
#[derive(Clone, Debug)]
pub(super) struct Mail {
    pub job: JobId,
    /// When the job was leased for this send, in real time: tells it from a later one.
    pub lease: Option<Timestamp>,
    pub action: Action,
    pub campaign: Campaign,
    pub prospect: Prospect,
    pub account: Account,
    /// The account's credentials, as the vault sealed them.
    pub sealed: Option<String>,
    pub draft: Draft,
    /// Given back when the mail has definitely not gone out (CAP-2).
    pub reserved: Vec<Use>,
}

/// What becomes of a due step. There is no variant for dropping it (SAFE-2).
pub(super) enum Fate {
    /// It goes now.
    Go(Box<Mail>),
    /// Not now, but at this time: something holds it alone.
    Defer(Timestamp, String),
    /// There is no room, or no hand is free: it waits in its lane.
    Wait(Lane),
    /// Something fixable holds it.
    Park(EnrollmentState, String),
    /// It may have gone out in a process that died; a person or evidence decides (SAFE-3).
    Ambiguous(Box<Action>),
    /// Its campaign doesn't run: planned anew when it does.
    Unplan(String),
    /// The step is done: on to the next.
    Next,
    /// The enrollment's way ends here.
    Finish(EnrollmentState, String),
    /// The enrollment is over, the job is left over.
    Nothing,
}

/// The decisions of one transaction.
pub(super) struct Writes<'a> {
    env: &'a Env,
    world: &'a World,
    pub mails: Vec<Mail>,
    /// When each mailbox that sends may send again (SCH-4).
    pub pacers: HashMap<AccountId, Timestamp>,
    pub told: Vec<Event>,
    new_actions: Vec<Action>,
    again: Vec<(ActionId, AccountId)>,
    uses: Vec<Use>,
    deferred: Vec<(JobId, Timestamp, String)>,
    waiting: Vec<(JobId, Lane)>,
    ended: Vec<(JobId, JobState, Option<String>)>,
    parked: Vec<(EnrollmentId, EnrollmentState, String)>,
    unplanned: Vec<(EnrollmentId, String)>,
    next: Vec<(EnrollmentId, i64)>,
    finished: Vec<(EnrollmentId, EnrollmentState, String)>,
    unclear: Vec<Ended>,
    /// For which evidence is to be looked for, by mailbox.
    expected: HashMap<AccountId, Vec<ActionId>>,
}

impl<'a> Writes<'a> {
    pub(super) fn new(env: &'a Env, world: &'a World) -> Self {
        Self {
            env,
            world,
            mails: Vec::new(),
            pacers: HashMap::new(),
            told: Vec::new(),
            new_actions: Vec::new(),
            again: Vec::new(),
            uses: Vec::new(),
            deferred: Vec::new(),
            waiting: Vec::new(),
            ended: Vec::new(),
            parked: Vec::new(),
            unplanned: Vec::new(),
            next: Vec::new(),
            finished: Vec::new(),
            unclear: Vec::new(),
            expected: HashMap::new(),
        }
    }

    /// Whether evidence is to be looked for (SAFE-3).
    pub(super) fn has_unclear(&self) -> bool {
        !self.expected.is_empty()
    }

    /// The job of an enrollment that is not there.
    pub(super) fn left_over(&mut self, job: &Job) {
        self.ended.push((job.id, JobState::Expired, None));
    }

    /// What was reserved for a hand-out that never ended.
    pub(super) fn given_back(&mut self, uses: Vec<Use>) {
        self.uses.extend(uses);
    }

    pub(super) fn note(&mut self, job: &Job, enrollment: &Enrollment, fate: Fate) {
        let ended = |state| (job.id, state, None);
        match fate {
            Fate::Go(mail) => {
                let mail = Mail {
                    job: job.id,
                    lease: job.leased_at,
                    ..*mail
                };
                let known = self.world.actions.get(&enrollment.id).into_iter().flatten();
                if known.into_iter().any(|action| action.id == mail.action.id) {
                    self.again.push((mail.action.id, mail.account.id));
                } else {
                    self.new_actions.push(mail.action.clone());
                }
                self.uses.extend(mail.reserved.iter().cloned());
                self.mails.push(mail);
            }
            Fate::Defer(at, reason) => self.deferred.push((job.id, at, reason)),
            Fate::Wait(lane) => self.waiting.push((job.id, lane)),
            Fate::Park(state, reason) => self.park(enrollment, state, reason),
            Fate::Ambiguous(action) => {
                self.ended.push(ended(JobState::Ambiguous));
                let attempt = self.world.attempted.get(&action.id).copied();
                self.unclear.push(unclear(&action, attempt));
                let of_account = self.expected.entry(action.account_id).or_default();
                of_account.push(action.id);
                let reason = "it may have gone out: the process that sent it died before it knew";
                self.park(
                    enrollment,
                    EnrollmentState::AmbiguousSend,
                    reason.to_owned(),
                );
            }
            Fate::Unplan(reason) => self.unplanned.push((enrollment.id, reason)),
            Fate::Next => {
                self.ended.push(ended(JobState::Completed));
                self.next.push((enrollment.id, enrollment.step_index));
            }
            Fate::Finish(state, reason) => self.finished.push((enrollment.id, state, reason)),
            Fate::Nothing => self.ended.push(ended(JobState::Expired)),
        }
    }

    fn park(&mut self, enrollment: &Enrollment, state: EnrollmentState, reason: String) {
        let more = json!({"state": state, "reason": reason});
        self.told.push(enrollment_event(
            self.env,
            enrollment,
            EventKind::EnrollmentParked,
            more,
        ));
        self.parked.push((enrollment.id, state, reason));
    }

    /// Writes all of it, and at last what was found at the lanes.
    pub(super) async fn write(
        mut self,
        tx: &mut Tx,
        ws: WorkspaceId,
        looks: &[Look],
    ) -> Result<Vec<Mail>> {
        let now = self.world.now;
        actions::insert(tx, &self.new_actions).await?;
        actions::hand_out_again(tx, &self.again, now).await?;
        let acting: Vec<_> = self
            .mails
            .iter()
            .map(|mail| (mail.action.enrollment_id, mail.account.id))
            .collect();
        enrollments::set_acting(tx, ws, &acting, now).await?;
        caps::add(tx, ws, &self.uses).await?;
        let pacers: Vec<_> = self.pacers.into_iter().collect();
        accounts::advance_pacers(tx, &pacers).await?;

        jobs::finish(tx, &self.ended, now).await?;
        jobs::defer(tx, &self.deferred, now).await?;
        jobs::wait(tx, &self.waiting).await?;
        enrollments::park(tx, ws, &self.parked, now).await?;
        enrollments::unplan(tx, ws, &self.unplanned, now).await?;
        enrollments::advance(tx, ws, &self.next, now).await?;
        actions::end(tx, &self.unclear, now).await?;
        for (id, actions) in &self.expected {
            if let Some(account) = self.world.accounts.get(id) {
                evidence::expect_in(tx, self.env, account, actions, now).await?;
            }
        }
        for (id, state, reason) in &self.finished {
            let finished = enrollments::finish(tx, ws, &[*id], *state, reason, now).await?;
            self.told.extend(finished_events(self.env, &finished));
        }
        events::insert(tx, &self.told).await?;
        lanes::settle(tx, ws, looks).await?;
        Ok(self.mails)
    }
}

fn unclear(action: &Action, attempt: Option<AttemptId>) -> Ended {
    Ended {
        action_id: action.id,
        state: ActionState::Ambiguous,
        deferrals: action.deferrals,
        error: Some("nobody knows whether it went out".to_owned()),
        attempt: attempt.map(|id| (id, Outcome::Ambiguous)),
        detail: None,
    }
}
