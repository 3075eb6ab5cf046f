use axum::extract::State;
use overture_domain::{Timestamp, id::kinds};
use overture_engine::{
    Env,
    campaigns::{self, CampaignPatch},
};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::{
    CampaignDetailsOut, MailboxSettingsBody, StepBody, mailbox_ids, mailbox_settings, rotation,
    safety::SafetyBody,
    steps,
    window::{WindowOut, windows},
};
use crate::{Answer, Body, Caller, Error, PathId, error::ErrorEnvelope};

/// What to change; a field that is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CampaignPatchBody {
    name: Option<String>,
    /// The whole sequence. Steps are known by their id; one without is new.
    steps: Option<Vec<StepBody>>,
    mailbox_ids: Option<Vec<String>>,
    daily_send_limit: Option<i64>,
    max_sends_per_mailbox_per_day: Option<i64>,
    minutes_between_sends: Option<i64>,
    timezone: Option<String>,
    sending_window_start: Option<String>,
    sending_window_end: Option<String>,
    schedule_days: Option<Vec<u8>>,
    windows: Option<Vec<WindowOut>>,
    stop_on_reply: Option<bool>,
    stop_on_bounce: Option<bool>,
    /// A reply also stops everybody else in the campaign at the same company domain; off by
    /// default. Free-mail domains are no company.
    stop_on_company_reply: Option<bool>,
    /// Null takes the limit away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    new_prospects_per_day: Option<Option<i64>>,
    follow_ups_first: Option<bool>,
    /// `round_robin`, `weighted`, `least_used` or `random`.
    rotation: Option<String>,
    /// Of single mailboxes; the others keep theirs.
    #[serde(default)]
    mailbox_settings: Vec<MailboxSettingsBody>,
    /// A pixel in each mail tells that it was opened; off by default.
    track_opens: Option<bool>,
    /// Links lead through this instance, which tells that they were clicked; off by default.
    track_clicks: Option<bool>,
    safety: Option<SafetyBody>,
    /// Null removes it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, format = DateTime)]
    start_date: Option<Option<Timestamp>>,
    /// Null removes it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, format = DateTime)]
    end_date: Option<Option<Timestamp>>,
}

/// Tells a field that is null from one that is left out.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Changes a campaign: everything in draft and paused; limits, mailboxes, end date and texts also
/// while it runs. Nothing is applied when a field can't change now.
#[utoipa::path(
    patch, path = "/campaigns/{id}", tag = "Campaigns", params(("id" = String, Path)), request_body = CampaignPatchBody,
    responses(
        (status = 200, body = Answer<CampaignDetailsOut>),
        (status = 400, body = ErrorEnvelope),
        (status = 404, body = ErrorEnvelope)
    )
)]
pub(super) async fn update(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Campaign>,
    Body(body): Body<CampaignPatchBody>,
) -> Result<Answer<CampaignDetailsOut>, Error> {
    let ws = caller.allow("campaigns:write")?;
    let patch = CampaignPatch {
        name: body.name,
        steps: body.steps.map(steps).transpose()?,
        mailbox_ids: body.mailbox_ids.as_deref().map(mailbox_ids).transpose()?,
        time_zone: body.timezone,
        windows: windows(
            body.windows,
            body.sending_window_start.as_deref(),
            body.sending_window_end.as_deref(),
            body.schedule_days,
        )?,
        daily_send_limit: body.daily_send_limit,
        max_sends_per_mailbox_per_day: body.max_sends_per_mailbox_per_day,
        minutes_between_sends: body.minutes_between_sends,
        stop_on_reply: body.stop_on_reply,
        stop_on_bounce: body.stop_on_bounce,
        stop_on_company_reply: body.stop_on_company_reply,
        new_prospects_per_day: body.new_prospects_per_day,
        follow_ups_first: body.follow_ups_first,
        rotation: rotation(body.rotation)?,
        mailbox_settings: mailbox_settings(body.mailbox_settings)?,
        track_opens: body.track_opens,
        track_clicks: body.track_clicks,
        safety: body.safety.map(Into::into),
        start_at: body.start_date,
        end_at: body.end_date,
    };
    let details = campaigns::update(&env, ws, id, &patch, &caller.actor()).await?;
    Ok(Answer::new(details.into()))
}
