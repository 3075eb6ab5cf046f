//! Who must never be written to again: what a suppression does, whatever it came from (SUP-1).

use std::collections::BTreeMap;

use overture_domain::{
    ProspectId, Timestamp, WorkspaceId,
    enrollments::EnrollmentState,
    events::{Event, EventKind},
    planted::{Bug, planted},
    prospects::{
        Prospect, ProspectStatus, Suppression, SuppressionKind, SuppressionSource, email_key,
        email_problem,
    },
};
use overture_store::{Tx, enrollments, events, prospects, suppressions as store};
use serde_json::json;

use crate::{Env, Error, FieldError, Part, Result};

/// Addresses or domains to suppress, and why.
#[derive(Clone, Debug)]
pub struct Suppress {
    pub kind: SuppressionKind,
    /// Addresses, or domains, in any spelling.
    pub values: Vec<String>,
    pub source: SuppressionSource,
    /// For people.
    pub reason: String,
}

impl Suppress {
    /// One address.
    pub fn email(
        email: impl Into<String>,
        source: SuppressionSource,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            kind: SuppressionKind::Email,
            values: vec![email.into()],
            source,
            reason: reason.into(),
        }
    }

    /// What becomes of the prospects that it covers (PR-4, SAF-4).
    const fn prospect_status(&self) -> ProspectStatus {
        match self.source {
            SuppressionSource::Bounce => ProspectStatus::Invalid,
            SuppressionSource::Unsubscribe => ProspectStatus::Unsubscribed,
            SuppressionSource::Complaint | SuppressionSource::Manual => ProspectStatus::Suppressed,
        }
    }

    /// And of their enrollments that are not through (SEQ-3, TRK-4: in all campaigns).
    const fn enrollment_state(&self) -> EnrollmentState {
        match self.source {
            SuppressionSource::Bounce => EnrollmentState::Bounced,
            SuppressionSource::Unsubscribe => EnrollmentState::Unsubscribed,
            SuppressionSource::Complaint | SuppressionSource::Manual => EnrollmentState::Stopped,
        }
    }
}

/// Suppresses in the caller's transaction: the rows, the prospects' status, the end of all their
/// enrollments that are not through, and `prospect.suppressed` once per address and day. Repeating
/// it changes nothing.
pub async fn suppress_in(tx: &mut Tx, env: &Env, ws: WorkspaceId, what: &Suppress) -> Result<()> {
    let now = env.now();
    let rows: Vec<_> = what
        .values
        .iter()
        .map(|value| Suppression {
            id: env.id(),
            workspace_id: ws,
            kind: what.kind,
            value: value.trim().to_owned(),
            source: what.source,
            reason: what.reason.clone(),
            created_at: now,
        })
        .collect();
    store::insert(tx, &rows).await?;
    let covered = end_in(tx, env, ws, what).await?;
    events::insert(tx, &suppressed_events(env, ws, what, &covered, now)).await?;
    Ok(())
}

/// Nothing more goes to those whom it is about, in the caller's transaction: the prospects' status and
/// the end of all their enrollments that are not through. Who they are.
pub(crate) async fn end_in(
    tx: &mut Tx,
    env: &Env,
    ws: WorkspaceId,
    what: &Suppress,
) -> Result<Vec<Prospect>> {
    let now = env.now();
    // SAFE-2: whoever looks at an enrollment finds why it ended.
    let why = match what.reason.trim() {
        "" => "the address is suppressed",
        reason => reason,
    };
    let covered = match what.kind {
        SuppressionKind::Email => prospects::list_by_emails(tx, ws, &what.values).await?,
        SuppressionKind::Domain => prospects::list_by_domains(tx, ws, &what.values).await?,
    };
    let ids: Vec<ProspectId> = covered.iter().map(|prospect| prospect.id).collect();
    prospects::set_status(tx, ws, &ids, what.prospect_status(), now).await?;
    if !planted(Bug::SuppressedAllTheSame) {
        enrollments::finish_by_prospects(tx, ws, &ids, what.enrollment_state(), why, now).await?;
    }
    Ok(covered)
}

fn suppressed_events(
    env: &Env,
    ws: WorkspaceId,
    what: &Suppress,
    covered: &[Prospect],
    now: Timestamp,
) -> Vec<Event> {
    let mut by_value: BTreeMap<String, Option<ProspectId>> = what
        .values
        .iter()
        .map(|value| (email_key(value), None))
        .collect();
    for prospect in covered {
        by_value.insert(email_key(&prospect.email), Some(prospect.id));
    }
    let day = now.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date();
    by_value
        .into_iter()
        .map(|(value, prospect_id)| Event {
            id: env.id(),
            workspace_id: ws,
            kind: EventKind::ProspectSuppressed,
            channel: None,
            campaign_id: None,
            enrollment_id: None,
            prospect_id,
            account_id: None,
            occurred_at: now,
            dedup_key: Some(format!("suppressed:{value}:{day}")),
            data: json!({
                "email": value,
                "prospectId": prospect_id,
                "reason": what.reason,
                "source": what.source,
                "suppressedAt": now,
            }),
        })
        .collect()
}

/// Suppresses by a person's word.
///
/// # Errors
/// [`Error::Invalid`] for values that are no address or domain.
pub async fn create(env: &Env, ws: WorkspaceId, what: &Suppress) -> Result<()> {
    let wrong: Vec<_> = what
        .values
        .iter()
        .enumerate()
        .filter_map(|(index, value)| {
            let (field, problem) = match what.kind {
                SuppressionKind::Email => ("emails", email_problem(value)),
                SuppressionKind::Domain => {
                    ("domains", email_problem(&format!("x@{}", value.trim())))
                }
            };
            problem.map(|problem| FieldError::new(format!("{field}[{index}]"), "invalid", problem))
        })
        .collect();
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    let mut tx = env.db.begin().await?;
    suppress_in(&mut tx, env, ws, what).await?;
    tx.commit().await?;
    env.wakes.wake(Part::Dispatch);
    Ok(())
}
