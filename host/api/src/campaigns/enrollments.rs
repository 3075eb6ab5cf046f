use std::collections::HashMap;

use axum::extract::State;
use overture_domain::{Timestamp, id::kinds};
use overture_engine::{Env, campaigns};
use overture_store::{ByAge, enrollments, prospects};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Caller, Error, Page, Params, PathId, error::ErrorEnvelope, input::parsed, page::list_params,
};

list_params! {
    /// What to list; parameters that are left out don't filter.
    pub(super) struct Filter, sort: "`createdAt`" {
        /// queued, active, waiting, replied, bounced... as the campaign's people have it.
        #[param(example = "active")]
        state: Option<String>,
        /// Whose mails leave from this mailbox.
        mailbox_id: Option<String>,
        prospect_id: Option<String>,
    }
}

/// Where a person stands in a campaign.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnrollmentOut {
    #[schema(example = "enr_01kjq5t3k8e9v8z2m4n6p7r8s9")]
    id: String,
    prospect_id: String,
    prospect_email: String,
    mailbox_id: Option<String>,
    state: String,
    /// Why it stands there, for people.
    reason: String,
    /// The step that comes next.
    step_index: i64,
    #[schema(value_type = Option<String>, format = DateTime)]
    next_action_at: Option<Timestamp>,
    /// What the last message of this person was judged to be.
    label: Option<String>,
    /// positive, neutral, negative or out_of_office.
    sentiment: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
}

/// The people of a campaign, oldest first.
#[utoipa::path(
    get, path = "/campaigns/{id}/enrollments", tag = "Campaigns", params(("id" = String, Path), Filter),
    responses((status = 200, body = Page<EnrollmentOut>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn enrollments(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Campaign>,
    Params(params): Params<Filter>,
) -> Result<Page<EnrollmentOut>, Error> {
    let ws = caller.allow("campaigns:read")?;
    let slice = params.page().slice::<ByAge, kinds::Enrollment>()?;
    let filter = enrollments::Filter {
        state: parsed("state", params.state.as_deref())?,
        account_id: parsed("mailboxId", params.mailbox_id.as_deref())?,
        prospect_id: parsed("prospectId", params.prospect_id.as_deref())?,
    };
    let rows = campaigns::list_enrollments(&env, ws, id, &filter, &slice).await?;
    let people: Vec<_> = rows.iter().map(|row| row.prospect_id).collect();
    let mut emails: HashMap<_, _> = prospects::list_by_ids(&mut env.db.reader(), ws, &people)
        .await?
        .into_iter()
        .map(|prospect| (prospect.id, prospect.email))
        .collect();
    Ok(Page::new(
        rows,
        slice.limit - 1,
        |row| row.id.to_string(),
        |row| EnrollmentOut {
            id: row.id.to_string(),
            prospect_id: row.prospect_id.to_string(),
            prospect_email: emails.remove(&row.prospect_id).unwrap_or_default(),
            mailbox_id: row.account_id.map(|id| id.to_string()),
            state: row.state.to_string(),
            reason: row.reason,
            step_index: row.step_index,
            next_action_at: row.next_action_at,
            label: row.label.map(|label| label.to_string()),
            sentiment: row.label.map(|label| label.sentiment().to_owned()),
            finished_at: row.finished_at,
        },
    ))
}
