use std::{fmt::Display, str::FromStr};

use axum::extract::State;
use overture_domain::ProspectId;
use overture_engine::{
    Env, filters,
    prospects::{self, Action, Selection},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::filter::FilterBody;
use crate::{Answer, Body, Caller, Error, error::ErrorEnvelope, input::parsed};

/// Prospects that one request may name by id.
const MOST: usize = 1_000;

/// Whom to change, and how: either `prospectIds`, or a filter.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct BulkIn {
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 1000)]
    prospect_ids: Option<Vec<ProspectId>>,
    /// An empty one chooses everybody.
    #[serde(default)]
    filter: Option<FilterBody>,
    /// A saved filter; `filter` beside it takes the place of its conditions.
    #[serde(default)]
    filter_id: Option<String>,
    action: BulkAction,
}

/// One thing to do with all of them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum BulkAction {
    AddTags(Vec<String>),
    RemoveTags(Vec<String>),
    /// The id of a list.
    AddToList(String),
    /// The id of a list.
    RemoveFromList(String),
    /// `do_not_contact`: nothing goes to them any more, and what they are in ends. `active` takes that
    /// back, and lets nothing go on that has ended. Whoever unsubscribed, bounced or is suppressed keeps
    /// that.
    SetStatus(String),
    /// The id of a campaign; the key needs the scope `enrollments:write` as well.
    Enroll(String),
}

impl BulkAction {
    fn read(self) -> Result<Action, Error> {
        Ok(match self {
            Self::AddTags(tags) => Action::AddTags(tags),
            Self::RemoveTags(tags) => Action::RemoveTags(tags),
            Self::AddToList(id) => Action::AddToList(named("addToList", &id)?),
            Self::RemoveFromList(id) => Action::RemoveFromList(named("removeFromList", &id)?),
            Self::SetStatus(status) => Action::SetStatus(named("setStatus", &status)?),
            Self::Enroll(id) => Action::Enroll(named("enroll", &id)?),
        })
    }
}

/// What an action names.
fn named<T: FromStr<Err: Display>>(action: &str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|error: T::Err| {
        Error::field(format!("action.{action}"), "invalid", error.to_string())
    })
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BulkOut {
    /// Those who were chosen and are there.
    matched_count: u64,
    /// Those among them with whom it made a difference.
    changed_count: u64,
    /// Ids that the workspace doesn't know.
    not_found_count: u64,
}

/// Does one thing with many prospects. Large selections go by batches: where the connection breaks, what
/// is done stays done, and the same request again does the rest.
#[utoipa::path(
    post, path = "/prospects/bulk", tag = "Prospects", request_body(content = BulkIn, example = json!({
        "filter": {"tag": "fair", "status": "active"}, "action": {"addTags": ["spring"]}
    })),
    responses(
        (status = 200, body = Answer<BulkOut>),
        (status = 400, body = ErrorEnvelope),
        (status = 404, description = "There is no such list or campaign", body = ErrorEnvelope)
    )
)]
pub(super) async fn bulk(
    State(env): State<Env>,
    caller: Caller,
    Body(body): Body<BulkIn>,
) -> Result<Answer<BulkOut>, Error> {
    let ws = caller.allow("prospects:write")?;
    let action = body.action.read()?;
    if matches!(action, Action::Enroll(_)) {
        caller.allow("enrollments:write")?;
    }
    let saved = parsed("filterId", body.filter_id.as_deref())?;
    let who = match (body.prospect_ids, body.filter, saved) {
        (Some(ids), None, None) if ids.len() <= MOST => Selection::Ids(ids),
        (Some(_), None, None) => {
            let message = "at most 1,000 prospects a request; a filter takes more";
            return Err(Error::field("prospectIds", "too_many", message));
        }
        (None, filter, saved) if filter.is_some() || saved.is_some() => {
            let given = filter.unwrap_or_default().read("filter.")?;
            Selection::Filter(filters::resolve(&mut env.db.reader(), ws, saved, given).await?)
        }
        (ids, ..) => {
            let code = if ids.is_some() {
                "ambiguous"
            } else {
                "required"
            };
            let message = "say whom: either prospectIds, or filter or filterId";
            return Err(Error::field("prospectIds", code, message));
        }
    };
    let done = prospects::bulk(&env, ws, &who, &action, &caller.actor()).await?;
    Ok(Answer::new(BulkOut {
        matched_count: done.matched,
        changed_count: done.changed,
        not_found_count: done.not_found,
    }))
}
