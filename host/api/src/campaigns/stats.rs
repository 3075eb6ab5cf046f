use std::collections::BTreeMap;

use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, campaigns};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Answer, Caller, Error, PathId, error::ErrorEnvelope};

/// A campaign in numbers, counted from its events.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatsOut {
    /// Everybody in it.
    prospects: i64,
    /// How many stand in each state.
    by_state: BTreeMap<String, i64>,
    /// Mails that went out.
    sent: i64,
    /// People who were written to.
    contacted: i64,
    /// People who opened a mail, where `trackOpens` is on; machines aren't counted.
    opened: i64,
    /// People who clicked a link, where `trackClicks` is on; machines aren't counted.
    clicked: i64,
    /// People who replied.
    replied: i64,
    /// People whose address is dead.
    bounced: i64,
    unsubscribed: i64,
    /// People who are out of office.
    out_of_office: i64,
}

/// A campaign in numbers.
#[utoipa::path(
    get, path = "/campaigns/{id}/stats", tag = "Campaigns", params(("id" = String, Path)),
    responses((status = 200, body = Answer<StatsOut>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn stats(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Campaign>,
) -> Result<Answer<StatsOut>, Error> {
    let ws = caller.allow("campaigns:read")?;
    let stats = campaigns::stats(&env, ws, id).await?;
    Ok(Answer::new(StatsOut {
        prospects: stats.prospects,
        by_state: stats
            .by_state
            .into_iter()
            .map(|(state, n)| (state.to_string(), n))
            .collect(),
        sent: stats.sent,
        contacted: stats.contacted,
        opened: stats.opened,
        clicked: stats.clicked,
        replied: stats.replied,
        bounced: stats.bounced,
        unsubscribed: stats.unsubscribed,
        out_of_office: stats.out_of_office,
    }))
}
