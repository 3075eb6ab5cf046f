//! What a campaign has done: read from the counts of its events, and from its enrollments (SAFE-5).

use overture_domain::{CampaignId, WorkspaceId, enrollments::EnrollmentState, events::EventKind};
use overture_store::{campaigns as store, counts, enrollments};

use crate::{Env, Error, Result};

/// The numbers of one campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Everybody in it.
    pub prospects: i64,
    /// How many stand in each state; states without any are left out.
    pub by_state: Vec<(EnrollmentState, i64)>,
    /// Mails that went out.
    pub sent: i64,
    /// People who were written to.
    pub contacted: i64,
    /// People who opened a mail, where opens are tracked (TRK-2).
    pub opened: i64,
    /// People who clicked a link, where clicks are tracked (TRK-2).
    pub clicked: i64,
    /// People who replied.
    pub replied: i64,
    /// People whose address is dead.
    pub bounced: i64,
    pub unsubscribed: i64,
    /// People who are out of office.
    pub out_of_office: i64,
}

/// Counts a campaign.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn stats(env: &Env, ws: WorkspaceId, id: CampaignId) -> Result<Stats> {
    let mut on = env.db.reader();
    store::find(&mut on, ws, id)
        .await?
        .ok_or(Error::NotFound("campaign"))?;
    let by_state = enrollments::count_by_state(&mut on, ws, id).await?;
    let found = counts::of_campaign(&mut on, ws, id).await?;
    let count = |kind: EventKind| found.iter().find(|(of, ..)| *of == kind);
    let people = |kind| count(kind).map_or(0, |(_, _, people)| *people);
    Ok(Stats {
        prospects: by_state.iter().map(|(_, n)| n).sum(),
        by_state,
        sent: count(EventKind::EmailSent).map_or(0, |(_, n, _)| *n),
        contacted: people(EventKind::EmailSent),
        opened: people(EventKind::EmailOpened),
        clicked: people(EventKind::EmailClicked),
        replied: people(EventKind::ReplyReceived),
        bounced: people(EventKind::EmailBounced),
        unsubscribed: people(EventKind::EmailUnsubscribed),
        out_of_office: people(EventKind::OutOfOfficeReceived),
    })
}
