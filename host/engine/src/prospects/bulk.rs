//! One change for many prospects (PR-3). It goes by batches, each in a transaction of its own, so that
//! nobody waits long for the one that writes; what is done stays done where it breaks off, and doing it
//! again changes nothing twice.

use std::collections::BTreeSet;

use overture_domain::{
    CampaignId, ListId, ProspectId, WorkspaceId,
    enrollments::EnrollmentState,
    events::Event,
    filters::Filter,
    names,
    people::Actor,
    prospects::{Prospect, ProspectStatus},
};
use overture_store::{
    Slice, Tx, campaigns as store_campaigns, enrollments, events, lists, people, prospects as store,
};

use super::status_changed;
use crate::{Env, Error, FieldError, Part, Result, campaigns, sends};

/// Prospects that are changed at a time.
const BATCH: usize = 1_000;

/// Whom to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    Ids(Vec<ProspectId>),
    /// Whoever the filter shows when their turn comes; an empty one shows everybody.
    Filter(Filter),
}

names! {
    /// What a person says of prospects by hand (PR-4). Whoever unsubscribed, bounced or is suppressed
    /// keeps that: nobody is written to again by it.
    Standing {
        /// Nothing goes to them any more: what they are in ends as `stopped`.
        DoNotContact = "do_not_contact",
        /// `do_not_contact` is taken back. What had ended stays ended.
        Active = "active",
    }
}

/// What to do with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    AddTags(Vec<String>),
    RemoveTags(Vec<String>),
    AddToList(ListId),
    RemoveFromList(ListId),
    SetStatus(Standing),
    /// As [`campaigns::enroll`] does.
    Enroll(CampaignId),
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Those who were chosen and are there.
    pub matched: u64,
    /// Those among them with whom it made a difference.
    pub changed: u64,
    /// Ids that the workspace doesn't know.
    pub not_found: u64,
}

/// Does one thing with all prospects of a selection.
///
/// # Errors
/// [`Error::Invalid`] for tags that won't do, [`Error::NotFound`] for an unknown list or campaign,
/// [`Error::InvalidStatus`] for an archived campaign.
pub async fn bulk(
    env: &Env,
    ws: WorkspaceId,
    who: &Selection,
    action: &Action,
    actor: &Actor,
) -> Result<Done> {
    check(env, ws, action).await?;
    let mut done = Done::default();
    match who {
        Selection::Ids(ids) => {
            let ids: Vec<ProspectId> = ids
                .iter()
                .copied()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect();
            for some in ids.chunks(BATCH) {
                batch(env, ws, some, action, actor, &mut done).await?;
            }
            done.not_found = ids.len() as u64 - done.matched;
        }
        Selection::Filter(filter) => {
            let mut slice = Slice::first(BATCH as i64);
            loop {
                // Not within a transaction: a search may look for long.
                let page = store::list(&mut env.db.reader(), ws, filter, &slice).await?;
                let ids: Vec<ProspectId> = page.iter().map(|prospect| prospect.id).collect();
                batch(env, ws, &ids, action, actor, &mut done).await?;
                match ids.last() {
                    Some(last) if ids.len() == BATCH => slice = Slice::after(*last, BATCH as i64),
                    _ => break,
                }
            }
        }
    }
    env.wakes.wake(Part::Dispatch);
    Ok(done)
}

async fn check(env: &Env, ws: WorkspaceId, action: &Action) -> Result<()> {
    match action {
        Action::AddTags(tags) => check_tags("action.addTags", tags),
        Action::RemoveTags(tags) => check_tags("action.removeTags", tags),
        Action::AddToList(list) | Action::RemoveFromList(list) => {
            let found = lists::find(&mut env.db.reader(), ws, *list).await?;
            found.map(|_| ()).ok_or(Error::NotFound("list"))
        }
        Action::Enroll(campaign) => {
            let found = store_campaigns::find(&mut env.db.reader(), ws, *campaign).await?;
            found.map(|_| ()).ok_or(Error::NotFound("campaign"))
        }
        Action::SetStatus(_) => Ok(()),
    }
}

fn check_tags(field: &str, tags: &[String]) -> Result<()> {
    if tags.is_empty() {
        return Err(Error::field(field, "required", "name at least one tag"));
    }
    let fits = |tag: &String| !tag.trim().is_empty() && tag.chars().count() <= 100;
    let wrong: Vec<_> = (tags.iter().enumerate())
        .filter(|(_, tag)| !fits(tag))
        .map(|(place, _)| {
            let message = "a tag has 1 to 100 characters";
            FieldError::new(format!("{field}[{place}]"), "invalid", message)
        })
        .collect();
    match wrong.as_slice() {
        [] => Ok(()),
        _ => Err(Error::Invalid(wrong)),
    }
}

async fn batch(
    env: &Env,
    ws: WorkspaceId,
    ids: &[ProspectId],
    action: &Action,
    actor: &Actor,
    done: &mut Done,
) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    if let Action::Enroll(campaign) = action {
        let enrolled = campaigns::enroll_some(env, ws, *campaign, ids, actor).await?;
        done.matched += ids.len() as u64 - enrolled.not_found.cast_unsigned();
        done.changed += (enrolled.enrolled + enrolled.suppressed).cast_unsigned();
        return Ok(());
    }
    let mut tx = env.db.begin().await?;
    if matches!(action, Action::SetStatus(_)) {
        // Who is being handed out goes first, or finds the status.
        people::lock_workspace(&mut tx, ws).await?;
    }
    let people = store::lock(&mut tx, ws, ids).await?;
    let there: Vec<ProspectId> = people.iter().map(|prospect| prospect.id).collect();
    done.matched += there.len() as u64;
    done.changed += match action {
        Action::AddTags(tags) => {
            let added = |own: &mut Vec<String>| {
                for tag in tags.iter().map(|tag| tag.trim()) {
                    if !own.iter().any(|own| own == tag) {
                        own.push(tag.to_owned());
                    }
                }
            };
            set_tags(&mut tx, env, people, added).await?
        }
        Action::RemoveTags(tags) => {
            let left = |own: &mut Vec<String>| {
                own.retain(|own| !tags.iter().any(|tag| tag.trim() == own));
            };
            set_tags(&mut tx, env, people, left).await?
        }
        Action::AddToList(list) => lists::add(&mut tx, ws, *list, &there, env.now()).await?,
        Action::RemoveFromList(list) => lists::remove(&mut tx, ws, *list, &there).await?,
        Action::SetStatus(to) => set_standing(&mut tx, env, ws, &there, *to).await?,
        Action::Enroll(_) => 0,
    };
    tx.commit().await?;
    Ok(())
}

async fn set_tags(
    tx: &mut Tx,
    env: &Env,
    people: Vec<Prospect>,
    change: impl Fn(&mut Vec<String>),
) -> Result<u64> {
    let now = env.now();
    let changed: Vec<Prospect> = people
        .into_iter()
        .filter_map(|mut prospect| {
            let before = prospect.tags.clone();
            change(&mut prospect.tags);
            prospect.updated_at = now;
            (prospect.tags != before).then_some(prospect)
        })
        .collect();
    Ok(store::update(tx, &changed).await?)
}

async fn set_standing(
    tx: &mut Tx,
    env: &Env,
    ws: WorkspaceId,
    ids: &[ProspectId],
    to: Standing,
) -> Result<u64> {
    use ProspectStatus::{Active, DoNotContact, Invalid};
    let (from, status): (&[_], _) = match to {
        Standing::DoNotContact => (&[Active, Invalid], DoNotContact),
        Standing::Active => (&[DoNotContact], Active),
    };
    let now = env.now();
    let changed = store::change_status(tx, ws, ids, (from, status), now).await?;
    let mut told: Vec<Event> = (changed.iter())
        .map(|id| status_changed(env, ws, *id, status, None))
        .collect();
    if to == Standing::DoNotContact {
        let reason = "the prospect is do_not_contact";
        let state = EnrollmentState::Stopped;
        let ended = enrollments::finish_by_prospects(tx, ws, &changed, state, reason, now).await?;
        told.extend(sends::finished_events(env, &ended));
    }
    events::insert(tx, &told).await?;
    Ok(changed.len() as u64)
}
