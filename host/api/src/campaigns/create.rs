use axum::extract::State;
use overture_domain::{ProspectId, Timestamp};
use overture_engine::{
    Env,
    campaigns::{self, CampaignIn, Enroll},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    CampaignDetailsOut, MailboxSettingsBody, StepBody, mailbox_ids, mailbox_settings, rotation,
    safety::SafetyBody,
    steps,
    window::{WindowOut, windows},
};
use crate::{Answer, Body, Caller, Created, Error, error::ErrorEnvelope};

/// A campaign to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CampaignBody {
    /// 1 to 200 characters.
    #[schema(example = "Trade fair follow-up")]
    name: String,
    /// 1 to 50.
    steps: Vec<StepBody>,
    /// At least one.
    mailbox_ids: Vec<String>,
    /// People to enroll at once.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    prospect_ids: Vec<ProspectId>,
    /// Mails a day, 1 to 10,000; 100 by default.
    daily_send_limit: Option<i64>,
    /// 50 by default.
    max_sends_per_mailbox_per_day: Option<i64>,
    /// 5 by default.
    minutes_between_sends: Option<i64>,
    /// IANA name; the workspace's by default.
    #[schema(example = "Europe/Berlin")]
    timezone: Option<String>,
    /// `09:00` by default.
    sending_window_start: Option<String>,
    /// `17:00` by default; the same as the start means all day.
    sending_window_end: Option<String>,
    /// 0 = Sunday; Monday to Friday by default.
    schedule_days: Option<Vec<u8>>,
    /// Several windows, in place of the three fields above.
    windows: Option<Vec<WindowOut>>,
    stop_on_reply: Option<bool>,
    stop_on_bounce: Option<bool>,
    /// A reply also stops everybody else in the campaign at the same company domain; off by
    /// default. Free-mail domains are no company.
    stop_on_company_reply: Option<bool>,
    /// People who get their first mail a day, 1 to 10,000; as many as the other limits allow by
    /// default.
    new_prospects_per_day: Option<i64>,
    /// Follow-ups go before first mails; on by default.
    follow_ups_first: Option<bool>,
    /// Which mailbox a mail leaves from: `round_robin` (default: the one that sent the fewest of this
    /// campaign today), `weighted`, `least_used` (the fewest of all campaigns) or `random`.
    #[schema(example = "round_robin")]
    rotation: Option<String>,
    /// Of mailboxes that are used otherwise than the rest.
    #[serde(default)]
    mailbox_settings: Vec<MailboxSettingsBody>,
    /// A pixel in each mail tells that it was opened; off by default.
    track_opens: Option<bool>,
    /// Links lead through this instance, which tells that they were clicked; off by default.
    track_clicks: Option<bool>,
    safety: Option<SafetyBody>,
    #[schema(value_type = Option<String>, format = DateTime)]
    start_date: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    end_date: Option<Timestamp>,
}

/// Makes a campaign. It is a draft: nothing is sent before it is started.
#[utoipa::path(
    post, path = "/campaigns", tag = "Campaigns", request_body = CampaignBody,
    responses((status = 201, body = Answer<CampaignDetailsOut>), (status = 400, body = ErrorEnvelope))
)]
pub(super) async fn create(
    State(env): State<Env>,
    caller: Caller,
    Body(body): Body<CampaignBody>,
) -> Result<Created<CampaignDetailsOut>, Error> {
    let ws = caller.allow("campaigns:write")?;
    let given = CampaignIn {
        name: body.name,
        steps: steps(body.steps)?,
        mailbox_ids: mailbox_ids(&body.mailbox_ids)?,
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
        new_prospects_per_day: body.new_prospects_per_day.map(Some),
        follow_ups_first: body.follow_ups_first,
        rotation: rotation(body.rotation)?,
        mailbox_settings: mailbox_settings(body.mailbox_settings)?,
        track_opens: body.track_opens,
        track_clicks: body.track_clicks,
        safety: body.safety.map(Into::into),
        start_at: body.start_date,
        end_at: body.end_date,
    };
    let details = campaigns::create(&env, ws, &given, &caller.actor()).await?;
    if !body.prospect_ids.is_empty() {
        let who = Enroll {
            prospect_ids: body.prospect_ids,
            ..Enroll::default()
        };
        campaigns::enroll(&env, ws, details.campaign.id, &who, &caller.actor()).await?;
    }
    Ok(Created(details.into()))
}
