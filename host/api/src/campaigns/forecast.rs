use axum::extract::State;
use overture_domain::{
    forecast::{Day, Forecast},
    id::kinds,
};
use overture_engine::{Env, sends};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Answer, Caller, Error, PathId, error::ErrorEnvelope};

/// A campaign's calendar.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ForecastOut {
    /// The last day with a mail, in the campaign's zone. Null: `mailsLeft` never go, or there is
    /// nothing to send.
    #[schema(example = "2026-03-20")]
    finishes_on: Option<String>,
    /// Mails that don't go out: the end date comes first, or nothing lets them go in two years.
    mails_left: i64,
    /// Days with mails, and those on which something keeps them back.
    days: Vec<DayOut>,
}

/// A day of a campaign's calendar.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DayOut {
    /// In the campaign's zone.
    #[schema(example = "2026-03-02")]
    date: String,
    sends: i64,
    /// What keeps the day from carrying more: campaign_limit, mailbox_limits, pace,
    /// new_prospects_per_day, window, no_mailbox; `nothing`: nobody else is due.
    #[schema(example = "campaign_limit")]
    binding: String,
}

impl From<Forecast> for ForecastOut {
    fn from(found: Forecast) -> Self {
        let day = |day: Day| DayOut {
            date: day.date.to_string(),
            sends: day.sends,
            binding: day.binding.to_string(),
        };
        Self {
            finishes_on: found.finishes_on().map(|date| date.to_string()),
            mails_left: found.left,
            days: found.days.into_iter().map(day).collect(),
        }
    }
}

/// When a campaign will be through, by its limits, windows and mailboxes, beside the running
/// campaigns that share them; one that doesn't run, as if it began now. Replies and bounces, which
/// make it shorter, and the limits of single people and domains are not foreseen.
#[utoipa::path(
    get, path = "/campaigns/{id}/forecast", tag = "Campaigns", params(("id" = String, Path)),
    responses(
        (status = 200, body = Answer<ForecastOut>),
        (status = 400, body = ErrorEnvelope),
        (status = 404, body = ErrorEnvelope)
    )
)]
pub(super) async fn forecast(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Campaign>,
) -> Result<Answer<ForecastOut>, Error> {
    let ws = caller.allow("campaigns:read")?;
    Ok(Answer::new(sends::forecast(&env, ws, id).await?.into()))
}
