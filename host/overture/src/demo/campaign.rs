//! The campaign of the demo: three mails to everybody, from mailboxes of the sandbox.

use anyhow::{Context, Result};
use overture_domain::{CampaignId, Timestamp, WorkspaceId, campaigns::Window, people::Actor};
use overture_engine::{Env, Secret, campaigns, imports, mailboxes, webhooks};

use super::people::People;

/// The events that a webhook of the demo is told of.
const TOLD: [&str; 3] = ["reply.received", "email.bounced", "email.unsubscribed"];

/// The mails of the sequence.
pub const MAILS: usize = 3;

const DAY: i64 = 24 * 60;

/// How it is sent.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    /// Monday to Friday, 9 to 17 by default.
    pub windows: Option<Vec<Window>>,
    /// Of each mailbox.
    pub minutes_between_sends: Option<i64>,
}

impl Pace {
    /// At any hour of any day, so that something happens whenever somebody looks.
    pub fn any_time(minutes_between_sends: i64) -> Self {
        let days = (0..7).collect();
        Self {
            windows: Some(vec![Window {
                days,
                start: 0,
                end: 0,
            }]),
            minutes_between_sends: Some(minutes_between_sends),
        }
    }
}

/// Imports the people, connects two mailboxes, and starts the campaign.
///
/// # Errors
/// When the product refuses one of it.
pub async fn launch(
    env: &Env,
    ws: WorkspaceId,
    people: &People,
    pace: &Pace,
) -> Result<CampaignId> {
    let options = imports::Options {
        file_name: "people.csv".to_owned(),
        list_name: Some("Demo".to_owned()),
        ..imports::Options::default()
    };
    let import = imports::create(env, ws, &options, std::io::Cursor::new(people.csv())).await?;
    let list = import.list_id.context("the import made a list")?;
    let mut mailbox_ids = Vec::new();
    for (address, name) in [("mia@demo.example", "Mia"), ("noah@demo.example", "Noah")] {
        let mailbox = mailboxes::NewMailbox {
            address: address.to_owned(),
            sender_name: name.to_owned(),
            provider: Some("provider-sandbox".to_owned()),
            preset: Some("sandbox".to_owned()),
            settings: Some(people.settings()),
            ..mailboxes::NewMailbox::default()
        };
        let connected = mailboxes::connect(env, ws, mailbox, &Actor::Cli).await?;
        mailbox_ids.push(connected.account.id);
    }
    let campaign = campaigns::CampaignIn {
        name: "Demo".to_owned(),
        steps: steps(),
        mailbox_ids,
        windows: pace.windows.clone(),
        minutes_between_sends: pace.minutes_between_sends,
        track_opens: Some(true),
        track_clicks: Some(true),
        ..campaigns::CampaignIn::default()
    };
    let campaign = campaigns::create(env, ws, &campaign, &Actor::Cli).await?;
    let campaign = campaign.campaign.id;
    let who = campaigns::Enroll {
        list_ids: vec![list],
        ..campaigns::Enroll::default()
    };
    campaigns::enroll(env, ws, campaign, &who, &Actor::Cli).await?;
    campaigns::start(env, ws, campaign, &Actor::Cli).await?;
    Ok(campaign)
}

/// Tells an address of what the counts of webhooks are about.
///
/// # Errors
/// When the product refuses the address.
pub async fn listen(env: &Env, ws: WorkspaceId, url: &str) -> Result<()> {
    let hook = webhooks::WebhookIn {
        url: Secret::new(url.to_owned()),
        events: TOLD.map(str::to_owned).to_vec(),
        ..webhooks::WebhookIn::default()
    };
    webhooks::create(env, ws, hook).await?;
    Ok(())
}

fn steps() -> Vec<campaigns::StepIn> {
    let step = |delay_days: i64, subject: &str, body_html: &str| campaigns::StepIn {
        subject: subject.to_owned(),
        body_html: body_html.to_owned(),
        delay_minutes: (delay_days > 0).then_some(delay_days * DAY),
        ..campaigns::StepIn::default()
    };
    vec![
        step(
            0,
            "A question, {{firstName}}",
            "<p>{Hello|Hi} {{firstName}},</p><p>is {{company}} happy with its {{custom.plan}} plan? \
             <a href=\"https://example.com/plans\">Here</a> are the others.</p><p>{{sender_name}}</p>",
        ),
        step(
            2,
            "",
            "<p>{{firstName}}, did you find the time to look at \
             <a href=\"https://example.com/plans\">the plans</a>?</p><p>{{sender_name}}</p>",
        ),
        step(
            3,
            "",
            "<p>{{firstName}}, this is my last mail about it. \
             <a href=\"https://example.com/later\">A note</a>, should it fit {{company}} later.</p>\
             <p>{{sender_name}}</p>",
        ),
    ]
}

/// Whether nobody is under way any more, and nothing has happened for a day: whoever acts does so
/// within hours of their mail.
///
/// # Errors
/// Only the store's.
pub async fn is_over(
    env: &Env,
    ws: WorkspaceId,
    campaign: CampaignId,
    last_event: Option<Timestamp>,
) -> Result<bool> {
    const QUIET: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
    let stats = campaigns::stats(env, ws, campaign).await?;
    let open = |(state, n): &(overture_domain::enrollments::EnrollmentState, i64)| {
        state.is_open() && *n > 0
    };
    let quiet = last_event.is_some_and(|last| env.now().since(last) > QUIET);
    Ok(quiet && !stats.by_state.iter().any(open))
}
