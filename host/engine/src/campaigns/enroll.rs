//! Who is in a campaign (SEQ-7).

use std::collections::HashSet;

use overture_domain::{
    CampaignId, EnrollmentId, ListId, ProspectId, WorkspaceId,
    campaigns::CampaignStatus,
    enrollments::{Enrollment, EnrollmentState},
    events::{Event, EventKind},
    people::Actor,
    prospects::Prospect,
};
use overture_store::{Slice, Tx, campaigns as store, enrollments, events, lists, prospects};
use serde_json::json;

use crate::{Env, Error, FieldError, Part, Result, sends};

use super::status;

/// Who is to be enrolled; the three may be combined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enroll {
    pub prospect_ids: Vec<ProspectId>,
    pub list_ids: Vec<ListId>,
    /// Of prospects that the workspace has.
    pub emails: Vec<String>,
    /// Also those who are on their way in another campaign (SEQ-7).
    pub also_active_elsewhere: bool,
}

/// What became of those who were named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enrolled {
    /// They will be written to.
    pub enrolled: i64,
    /// They entered as `suppressed` and are never sent to.
    pub suppressed: i64,
    /// They were in the campaign already.
    pub already_enrolled: i64,
    /// They are on their way in another campaign.
    pub active_elsewhere: i64,
    /// Ids and addresses that the workspace doesn't know.
    pub not_found: i64,
}

/// Prospects that are read and written at a time.
const BATCH: i64 = 1_000;

/// Puts prospects into a campaign, in batches of their own transactions. Those of a running
/// campaign are planned at once.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::InvalidStatus`] in an archived campaign; [`Error::Invalid`] when
/// nobody is named; [`Error::Conflict`] when the only one named is in it already.
pub async fn enroll(
    env: &Env,
    ws: WorkspaceId,
    id: CampaignId,
    who: &Enroll,
    actor: &Actor,
) -> Result<Enrolled> {
    let mut tx = env.db.begin().await?;
    open_to_more(&mut tx, env, ws, id, actor).await?;
    if who.prospect_ids.is_empty() && who.list_ids.is_empty() && who.emails.is_empty() {
        let message = "name at least one of prospectIds, listIds and emails";
        return Err(Error::field("prospectIds", "required", message));
    }
    let mut done = Enrolled::default();
    let named_one_by_one = named(&mut tx, ws, who, &mut done).await?;
    let only_one = who.list_ids.is_empty() && named_one_by_one.len() == 1 && done.not_found == 0;
    insert(
        &mut tx,
        env,
        ws,
        id,
        &named_one_by_one,
        who.also_active_elsewhere,
        &mut done,
    )
    .await?;
    if only_one && done.already_enrolled == 1 {
        return Err(Error::Conflict(
            "the prospect is in this campaign already".to_owned(),
        ));
    }
    tx.commit().await?;

    for list in &who.list_ids {
        let mut slice = Slice::first(BATCH);
        loop {
            let mut tx = env.db.begin().await?;
            let filter = prospects::Filter {
                list_id: Some(*list),
                ..prospects::Filter::default()
            };
            let page = prospects::list(&mut tx, ws, &filter, &slice).await?;
            insert(
                &mut tx,
                env,
                ws,
                id,
                &page,
                who.also_active_elsewhere,
                &mut done,
            )
            .await?;
            tx.commit().await?;
            match page.last() {
                Some(last) if page.len() as i64 == BATCH => slice = Slice::after(last.id, BATCH),
                _ => break,
            }
        }
    }
    env.wakes.wake(Part::Sends);
    env.wakes.wake(Part::Dispatch);
    Ok(done)
}

/// Enrolls a batch of prospects, in a transaction of its own; in bulk nothing but a count tells of those
/// who are in it already.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::InvalidStatus`] in an archived campaign.
pub(crate) async fn enroll_some(
    env: &Env,
    ws: WorkspaceId,
    id: CampaignId,
    prospect_ids: &[ProspectId],
    actor: &Actor,
) -> Result<Enrolled> {
    let mut tx = env.db.begin().await?;
    open_to_more(&mut tx, env, ws, id, actor).await?;
    let people = prospects::list_by_ids(&mut tx, ws, prospect_ids).await?;
    let mut done = Enrolled {
        not_found: (prospect_ids.len() - people.len()) as i64,
        ..Enrolled::default()
    };
    insert(&mut tx, env, ws, id, &people, false, &mut done).await?;
    tx.commit().await?;
    env.wakes.wake(Part::Sends);
    Ok(done)
}

/// A campaign that takes more people; a completed one is paused for it.
async fn open_to_more(
    tx: &mut Tx,
    env: &Env,
    ws: WorkspaceId,
    id: CampaignId,
    actor: &Actor,
) -> Result<()> {
    let campaign = store::find(tx, ws, id)
        .await?
        .ok_or(Error::NotFound("campaign"))?;
    match campaign.status {
        CampaignStatus::Archived => Err(status::refused(&campaign, CampaignStatus::Running)),
        // SEQ-11: nothing starts without a person.
        CampaignStatus::Completed => {
            let reason = "more prospects were enrolled";
            status::pause_in(tx, env, &campaign, status::by(actor), reason, actor).await
        }
        _ => Ok(()),
    }
}

/// Those who are named by id or address, each once. Lists must exist.
async fn named(
    tx: &mut Tx,
    ws: WorkspaceId,
    who: &Enroll,
    done: &mut Enrolled,
) -> Result<Vec<Prospect>> {
    let mut wrong = Vec::new();
    for (place, list) in who.list_ids.iter().enumerate() {
        if lists::find(tx, ws, *list).await?.is_none() {
            wrong.push(FieldError::new(
                format!("listIds[{place}]"),
                "unknown",
                format!("there is no list {list}"),
            ));
        }
    }
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    let by_id = prospects::list_by_ids(tx, ws, &who.prospect_ids).await?;
    let by_email = prospects::list_by_emails(tx, ws, &who.emails).await?;
    let distinct = |n: usize, found: usize| i64::try_from(n.saturating_sub(found)).unwrap_or(0);
    let ids: HashSet<_> = who.prospect_ids.iter().collect();
    let emails: HashSet<_> = who
        .emails
        .iter()
        .map(|email| overture_domain::prospects::email_key(email))
        .collect();
    done.not_found += distinct(ids.len(), by_id.len()) + distinct(emails.len(), by_email.len());
    let mut seen = HashSet::new();
    Ok(by_id
        .into_iter()
        .chain(by_email)
        .filter(|prospect| seen.insert(prospect.id))
        .collect())
}

async fn insert(
    tx: &mut Tx,
    env: &Env,
    ws: WorkspaceId,
    campaign: CampaignId,
    people: &[Prospect],
    also_active_elsewhere: bool,
    done: &mut Enrolled,
) -> Result<()> {
    let now = env.now();
    let ids: Vec<ProspectId> = people.iter().map(|prospect| prospect.id).collect();
    let known = enrollments::among(tx, ws, campaign, &ids).await?;
    let new: Vec<(EnrollmentId, &Prospect)> = people
        .iter()
        .filter(|prospect| !known.contains(&prospect.id))
        .map(|prospect| (env.id(), prospect))
        .collect();
    let written = enrollments::insert(tx, ws, campaign, &new, also_active_elsewhere, now).await?;
    let suppressed = written
        .iter()
        .filter(|e| e.state == EnrollmentState::Suppressed)
        .count() as i64;
    done.suppressed += suppressed;
    done.enrolled += written.len() as i64 - suppressed;
    done.already_enrolled += known.len() as i64;
    done.active_elsewhere += (new.len() - written.len()) as i64;
    let created: Vec<Event> = written
        .iter()
        .map(|enrollment| created(env, enrollment))
        .collect();
    events::insert(tx, &created).await?;
    Ok(())
}

fn created(env: &Env, enrollment: &Enrollment) -> Event {
    sends::enrollment_event(
        env,
        enrollment,
        EventKind::EnrollmentCreated,
        json!({"state": enrollment.state, "reason": enrollment.reason}),
    )
}

/// What became of those who were to leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unenrolled {
    pub unenrolled_count: i64,
    /// Those who were named, also who wasn't in it or was through.
    pub total_processed: i64,
}

/// Takes prospects out of a campaign: their way ends as `stopped`, nothing more is sent to them.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] when nobody is named.
pub async fn unenroll(
    env: &Env,
    ws: WorkspaceId,
    id: CampaignId,
    prospect_ids: &[ProspectId],
    emails: &[String],
) -> Result<Unenrolled> {
    if prospect_ids.is_empty() && emails.is_empty() {
        return Err(Error::field(
            "prospectIds",
            "required",
            "name at least one of prospectIds and emails",
        ));
    }
    let now = env.now();
    let mut tx = env.db.begin().await?;
    store::find(&mut tx, ws, id)
        .await?
        .ok_or(Error::NotFound("campaign"))?;
    let by_email = prospects::list_by_emails(&mut tx, ws, emails).await?;
    let named: HashSet<ProspectId> = prospect_ids
        .iter()
        .copied()
        .chain(by_email.iter().map(|prospect| prospect.id))
        .collect();
    let named: Vec<ProspectId> = named.into_iter().collect();
    let there: Vec<EnrollmentId> = enrollments::list_by_prospects(&mut tx, ws, &named)
        .await?
        .into_iter()
        .filter(|enrollment| enrollment.campaign_id == id)
        .map(|enrollment| enrollment.id)
        .collect();
    let finished = enrollments::finish(
        &mut tx,
        ws,
        &there,
        EnrollmentState::Stopped,
        "unenrolled",
        now,
    )
    .await?;
    events::insert(&mut tx, &sends::finished_events(env, &finished)).await?;
    tx.commit().await?;
    env.wakes.wake(Part::Campaigns);
    env.wakes.wake(Part::Dispatch);
    let unknown_emails = emails.len().saturating_sub(by_email.len());
    Ok(Unenrolled {
        unenrolled_count: finished.len() as i64,
        total_processed: (named.len() + unknown_emails) as i64,
    })
}
