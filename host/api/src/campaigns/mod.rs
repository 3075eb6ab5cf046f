//! `/campaigns`

mod create;
mod enroll;
mod enrollments;
mod forecast;
mod get;
mod list;
mod pause;
mod resume;
mod safety;
mod start;
mod stats;
mod unenroll;
mod update;
mod window;

use overture_domain::{
    AccountId, Id, Timestamp,
    campaigns::{Campaign, Pause, Rotation, Step},
    id::{Kind, ParseIdError},
    names::UnknownName,
    variants::Variant,
};
use overture_engine::campaigns::{CampaignDetails, MailboxSettingsIn, StepIn, VariantIn};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Error;
use safety::SafetyOut;
use window::WindowOut;

endpoints! {
    list::list, create::create;
    get::get, update::update;
    start::start;
    pause::pause;
    resume::resume;
    stats::stats;
    forecast::forecast;
    enrollments::enrollments, enroll::enroll, unenroll::unenroll;
}

/// A campaign.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CampaignOut {
    #[schema(example = "cmp_01kjq5t3k8e9v8z2m4n6p7r8s9")]
    id: String,
    name: String,
    /// email, linkedin or multichannel.
    kind: String,
    /// draft, scheduled, running, paused, cooldown, completed, error or archived.
    status: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    paused_at: Option<Timestamp>,
    /// Of the oldest of `pauses`.
    paused_reason: Option<String>,
    /// What holds it while it is paused: it runs again when nothing is left.
    pauses: Vec<PauseOut>,
    timezone: String,
    /// When it may send.
    windows: Vec<WindowOut>,
    daily_send_limit: i64,
    max_sends_per_mailbox_per_day: i64,
    minutes_between_sends: i64,
    stop_on_reply: bool,
    stop_on_bounce: bool,
    stop_on_company_reply: bool,
    /// Null: as many as the other limits allow.
    new_prospects_per_day: Option<i64>,
    follow_ups_first: bool,
    /// round_robin, weighted, least_used or random.
    rotation: String,
    track_opens: bool,
    track_clicks: bool,
    safety: SafetyOut,
    #[schema(value_type = Option<String>, format = DateTime)]
    start_date: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    end_date: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<Campaign> for CampaignOut {
    fn from(campaign: Campaign) -> Self {
        Self {
            id: campaign.id.to_string(),
            name: campaign.name,
            kind: campaign.kind.to_string(),
            status: campaign.status.to_string(),
            paused_at: campaign.pauses.first().map(|pause| pause.since),
            paused_reason: (campaign.pauses.first()).map(|pause| pause.reason.to_string()),
            pauses: campaign.pauses.into_iter().map(PauseOut::from).collect(),
            timezone: campaign.time_zone,
            windows: campaign.windows.into_iter().map(WindowOut::from).collect(),
            daily_send_limit: campaign.daily_send_limit,
            max_sends_per_mailbox_per_day: campaign.max_sends_per_mailbox_per_day,
            minutes_between_sends: campaign.minutes_between_sends,
            stop_on_reply: campaign.stop_on_reply,
            stop_on_bounce: campaign.stop_on_bounce,
            stop_on_company_reply: campaign.stop_on_company_reply,
            new_prospects_per_day: campaign.new_prospects_per_day,
            follow_ups_first: campaign.follow_ups_first,
            rotation: campaign.rotation.to_string(),
            track_opens: campaign.track_opens,
            track_clicks: campaign.track_clicks,
            safety: campaign.safety.into(),
            start_date: campaign.start_at,
            end_date: campaign.end_at,
            started_at: campaign.started_at,
            finished_at: campaign.finished_at,
            created_at: campaign.created_at,
            updated_at: campaign.updated_at,
        }
    }
}

/// One of the reasons that hold a paused campaign.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PauseOut {
    /// manual, api, not_startable, restored, bounce_shield, few_replies or
    /// linkedin_account_disconnected.
    #[schema(example = "manual")]
    reason: String,
    /// What happened.
    detail: String,
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// "Will resume by itself when …" or "Needs you".
    #[schema(example = "Needs you")]
    outlook: String,
}

impl From<Pause> for PauseOut {
    fn from(pause: Pause) -> Self {
        Self {
            reason: pause.reason.to_string(),
            outlook: pause.outlook(),
            detail: pause.detail,
            since: pause.since,
        }
    }
}

/// A campaign with its steps and mailboxes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CampaignDetailsOut {
    #[serde(flatten)]
    campaign: CampaignOut,
    steps: Vec<StepOut>,
    mailbox_ids: Vec<String>,
    /// How each of them is used.
    mailbox_settings: Vec<MailboxSettingsOut>,
}

/// How a campaign uses one of its mailboxes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MailboxSettingsOut {
    id: String,
    /// Its share where the rotation is weighted.
    weight: i64,
    /// One that is off begins with nobody new, and keeps its follow-ups.
    active: bool,
}

impl From<CampaignDetails> for CampaignDetailsOut {
    fn from(details: CampaignDetails) -> Self {
        Self {
            campaign: details.campaign.into(),
            steps: details.steps.into_iter().map(StepOut::from).collect(),
            mailbox_ids: details
                .pool
                .iter()
                .map(|account| account.account_id.to_string())
                .collect(),
            mailbox_settings: details
                .pool
                .iter()
                .map(|account| MailboxSettingsOut {
                    id: account.account_id.to_string(),
                    weight: account.weight,
                    active: account.active,
                })
                .collect(),
        }
    }
}

/// One step.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StepOut {
    id: String,
    step_index: i64,
    subject: String,
    body_html: String,
    /// Null: derived from the HTML.
    body_text: Option<String>,
    delay_days: i64,
    delay_hours: i64,
    /// Texts that are tried against each other; they stand in place of the step's own.
    variants: Vec<VariantOut>,
}

/// One of the texts of a step.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct VariantOut {
    id: String,
    /// Its share of the people is this to the sum of the weights.
    weight: i64,
    subject: String,
    body_html: String,
    /// Null: derived from the HTML.
    body_text: Option<String>,
}

impl From<Variant> for VariantOut {
    fn from(variant: Variant) -> Self {
        Self {
            id: variant.id.to_string(),
            weight: variant.weight,
            subject: variant.subject,
            body_html: variant.body_html,
            body_text: variant.body_text,
        }
    }
}

impl From<Step> for StepOut {
    fn from(step: Step) -> Self {
        Self {
            id: step.id.to_string(),
            step_index: step.step_index,
            subject: step.subject,
            body_html: step.body_html,
            body_text: step.body_text,
            delay_days: step.delay_minutes / 1_440,
            delay_hours: step.delay_minutes % 1_440 / 60,
            variants: step.variants.into_iter().map(VariantOut::from).collect(),
        }
    }
}

/// A step to send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StepBody {
    /// The step to change; leave out for a new one.
    #[serde(default)]
    id: Option<String>,
    /// From 0, each once; the order of the sequence.
    step_index: i64,
    /// May be empty in a follow-up: then it answers in the thread.
    #[serde(default)]
    #[schema(example = "A question, {{firstName}}")]
    subject: String,
    /// Needed, but for a step with variants.
    #[serde(default)]
    #[schema(example = "<p>Hello {{firstName}},</p>")]
    body_html: String,
    /// Left out: derived from the HTML.
    #[serde(default)]
    body_text: Option<String>,
    /// After the previous step; 1 day by default, always 0 for the first.
    #[serde(default)]
    delay_days: Option<i64>,
    #[serde(default)]
    delay_hours: Option<i64>,
    /// Up to 26 texts in place of the one above, which is left out then. Each person gets one of
    /// them, by weight, and keeps it.
    #[serde(default)]
    variants: Vec<VariantBody>,
}

/// A variant to send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VariantBody {
    /// The variant to change; leave out for a new one.
    #[serde(default)]
    id: Option<String>,
    /// 0 to 1,000, against the weights of the others: 1 and 1 share people by halves, as 50 and 50
    /// do. 1 by default; one with 0 gets nobody new.
    #[serde(default)]
    weight: Option<i64>,
    /// May be empty in a follow-up: then it answers in the thread.
    #[serde(default)]
    subject: String,
    body_html: String,
    /// Left out: derived from the HTML.
    #[serde(default)]
    body_text: Option<String>,
}

impl VariantBody {
    /// `field` is where it stands.
    fn parse(self, field: &str) -> Result<VariantIn, Error> {
        Ok(VariantIn {
            id: parse_id(self.id, field)?,
            weight: self.weight,
            subject: self.subject,
            body_html: self.body_html,
            body_text: self.body_text,
        })
    }
}

/// The id in the body of what stands at `field`.
fn parse_id<K: Kind>(text: Option<String>, field: &str) -> Result<Option<Id<K>>, Error> {
    let id = text.map(|text| text.parse()).transpose();
    id.map_err(|error: ParseIdError| {
        Error::field(format!("{field}.id"), "invalid", error.to_string())
    })
}

/// The steps in the order of their index.
fn steps(mut bodies: Vec<StepBody>) -> Result<Vec<StepIn>, Error> {
    bodies.sort_by_key(|step| step.step_index);
    let mut steps = Vec::with_capacity(bodies.len());
    for (index, body) in bodies.into_iter().enumerate() {
        let field = |name: &str| format!("steps[{index}].{name}");
        if usize::try_from(body.step_index) != Ok(index) {
            let message = format!(
                "the steps are numbered 0, 1, 2…, each once; {} stands where {index} is due",
                body.step_index
            );
            return Err(Error::field(field("stepIndex"), "not_unique", message));
        }
        let variants = body.variants.into_iter().enumerate();
        let variants = variants
            .map(|(n, variant)| variant.parse(&field(&format!("variants[{n}]"))))
            .collect::<Result<_, _>>()?;
        let delay = |days: Option<i64>, hours: Option<i64>| {
            let minutes = days.unwrap_or(0).saturating_mul(1_440);
            minutes.saturating_add(hours.unwrap_or(0).saturating_mul(60))
        };
        steps.push(StepIn {
            id: parse_id(body.id, &format!("steps[{index}]"))?,
            // Other channels come with their accounts.
            kind: None,
            subject: body.subject,
            body_html: body.body_html,
            body_text: body.body_text,
            delay_minutes: (body.delay_days.is_some() || body.delay_hours.is_some())
                .then(|| delay(body.delay_days, body.delay_hours)),
            variants,
        });
    }
    Ok(steps)
}

/// The ids of mailboxes; one that is no id is the id of nothing.
fn mailbox_ids(texts: &[String]) -> Result<Vec<AccountId>, Error> {
    let parse = |(index, text): (usize, &String)| {
        text.parse().map_err(|error: ParseIdError| {
            Error::field(format!("mailboxIds[{index}]"), "invalid", error.to_string())
        })
    };
    texts.iter().enumerate().map(parse).collect()
}

/// How a campaign uses one of its mailboxes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MailboxSettingsBody {
    /// One of `mailboxIds`.
    id: String,
    /// 1 to 100, 1 by default: its share where the rotation is weighted.
    #[serde(default)]
    weight: Option<i64>,
    /// On by default. One that is off begins with nobody new, and keeps its follow-ups.
    #[serde(default)]
    active: Option<bool>,
}

fn mailbox_settings(bodies: Vec<MailboxSettingsBody>) -> Result<Vec<MailboxSettingsIn>, Error> {
    let parse = |(index, body): (usize, MailboxSettingsBody)| {
        let id = body.id.parse().map_err(|error: ParseIdError| {
            let field = format!("mailboxSettings[{index}].id");
            Error::field(field, "invalid", error.to_string())
        })?;
        Ok(MailboxSettingsIn {
            id,
            weight: body.weight,
            active: body.active,
        })
    };
    bodies.into_iter().enumerate().map(parse).collect()
}

fn rotation(name: Option<String>) -> Result<Option<Rotation>, Error> {
    let rotation = name.map(|name| name.parse()).transpose();
    rotation.map_err(|error: UnknownName| Error::field("rotation", "unknown", error.to_string()))
}
