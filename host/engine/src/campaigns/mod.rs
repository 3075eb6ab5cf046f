//! Campaigns: making, editing, starting and stopping them, and who is in them (SEQ-1 to SEQ-11).
//!
//! One operation a file. A status changes only through [`status`], together with its audit row and
//! event (SAFE-4); mails go out through [`sends`](crate::sends).

mod create;
mod enroll;
mod input;
mod part;
mod pauses;
mod start;
mod stats;
mod status;
mod templates;
mod update;

use overture_domain::{
    CampaignId, WorkspaceId,
    campaigns::{Campaign, PoolAccount, Step},
    enrollments::Enrollment,
};
use overture_store::{ByAge, Slice, campaigns as store, enrollments};

use crate::{Env, Error, Result};

pub use create::create;
pub(crate) use enroll::enroll_some;
pub use enroll::{Enroll, Enrolled, Unenrolled, enroll, unenroll};
pub use input::{CampaignIn, CampaignPatch, MailboxSettingsIn, StepIn, VariantIn};
pub use part::tick;
pub(crate) use pauses::{hold_in, hold_one_in, lift_in};
pub use start::{resume, start};
pub use stats::{Stats, stats};
pub use status::pause;
pub(crate) use status::{by as paused_by, pause_in, rest_on_in, set_in, wake};
pub use update::update;

/// A campaign with everything that belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct CampaignDetails {
    pub campaign: Campaign,
    /// In the order of the sequence.
    pub steps: Vec<Step>,
    pub pool: Vec<PoolAccount>,
}

/// One campaign of the workspace.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(env: &Env, ws: WorkspaceId, id: CampaignId) -> Result<CampaignDetails> {
    details(&mut env.db.reader(), ws, id).await
}

pub(crate) async fn details(
    on: &mut impl overture_store::Read,
    ws: WorkspaceId,
    id: CampaignId,
) -> Result<CampaignDetails> {
    let campaign = store::find(on, ws, id)
        .await?
        .ok_or(Error::NotFound("campaign"))?;
    let steps = store::list_steps(on, ws, &[id]).await?;
    let pool = store::list_pools(on, ws, &[id])
        .await?
        .into_iter()
        .map(|(_, account)| account);
    Ok(CampaignDetails {
        campaign,
        steps,
        pool: pool.collect(),
    })
}

/// A page of the workspace's campaigns, oldest first, after `after`.
///
/// # Errors
/// Only the store's.
pub async fn list(
    env: &Env,
    ws: WorkspaceId,
    filter: &store::Filter,
    slice: &Slice<store::Sort>,
) -> Result<Vec<Campaign>> {
    Ok(store::list(&mut env.db.reader(), ws, filter, slice).await?)
}

/// A page of a campaign's enrollments, oldest first, after `after` (SEQ-5).
///
/// # Errors
/// [`Error::NotFound`].
pub async fn list_enrollments(
    env: &Env,
    ws: WorkspaceId,
    id: CampaignId,
    filter: &enrollments::Filter,
    slice: &Slice<ByAge>,
) -> Result<Vec<Enrollment>> {
    let mut on = env.db.reader();
    store::find(&mut on, ws, id)
        .await?
        .ok_or(Error::NotFound("campaign"))?;
    Ok(enrollments::list(&mut on, ws, id, filter, slice).await?)
}
