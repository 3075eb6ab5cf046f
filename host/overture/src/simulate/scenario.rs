//! What a simulation is about: who writes to whom within which limits, and what breaks meanwhile.

use anyhow::{Context, Result, ensure};
use overture_domain::{Rng, Timestamp, names, rng::SeededRng, windows};
use serde::Deserialize;

/// A scenario, as it stands in a TOML file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct Scenario {
    /// Virtual time begins here.
    #[serde(default = "monday")]
    pub start: Timestamp,
    pub days: u32,
    #[serde(rename = "workspace")]
    pub workspaces: Vec<Workspace>,
    #[serde(default)]
    pub preset: Preset,
    #[serde(default)]
    pub faults: Faults,
}

/// The limits of the service at which all mailboxes are (CAP-1); it has none where none is given.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Preset {
    pub mails_per_minute: Option<u32>,
    pub recipients_per_day: Option<u32>,
}

/// A workspace with mailboxes and campaigns of its own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    #[serde(rename = "mailbox")]
    pub mailboxes: Vec<Mailbox>,
    #[serde(rename = "campaign")]
    pub campaigns: Vec<Campaign>,
}

/// A mailbox of the sandbox.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mailbox {
    #[serde(default = "fifty")]
    pub daily_limit: i64,
    #[serde(default = "utc")]
    pub time_zone: String,
}

/// A campaign from all mailboxes of its workspace.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    pub people: u32,
    #[serde(default = "one")]
    pub steps: u32,
    /// Days between two steps.
    #[serde(default = "one")]
    pub delay_days: u32,
    /// Minutes after midnight; `[540, 1020]` is 9 to 17, equal ends are all day.
    #[serde(default = "office")]
    pub window: [u16; 2],
    /// Days on which the window opens; 0 = Sunday.
    #[serde(default = "working_days")]
    pub days: Vec<u8>,
    #[serde(default = "utc")]
    pub time_zone: String,
    #[serde(default = "hundred")]
    pub daily_limit: i64,
    #[serde(default = "five")]
    pub minutes_between_sends: i64,
    #[serde(default = "fifty")]
    pub daily_limit_of_a_mailbox: i64,
    #[serde(default)]
    pub new_people_a_day: Option<i64>,
    /// Hours after the start of the scenario at which it begins.
    #[serde(default)]
    pub starts_after_hours: u64,
    /// Days after the start of the scenario at which it ends.
    #[serde(default)]
    pub ends_after_days: Option<u64>,
    /// How many of a hundred people have no company, which the mails name.
    #[serde(default)]
    pub without_company: u64,
    /// How many of a hundred people of the campaign before are in this one as well (SEQ-7).
    #[serde(default)]
    pub shared_people: u64,
    /// How many of a hundred people each persona of the sandbox has; the rest is silent.
    #[serde(default)]
    pub personas: std::collections::BTreeMap<String, u32>,
}

names! {
    /// What happens to a simulated world beside its campaigns, as it is counted.
    Fault {
        Refused = "refused",
        Quota = "quota",
        TemporaryStorm = "temporary_storm",
        PolicyStorm = "policy_storm",
        AnswerLost = "answer_lost",
        MailLost = "mail_lost",
        Slow = "slow",
        PluginTrapped = "plugin_trapped",
        PluginHung = "plugin_hung",
        PluginTalkedNonsense = "plugin_talked_nonsense",
        SyncFailed = "sync_failed",
        SyncTrapped = "sync_trapped",
        MailsCameTwice = "mails_came_twice",
        MailsOutOfOrder = "mails_out_of_order",
        WebhookRefused = "webhook_refused",
        WebhookAnswerLost = "webhook_answer_lost",
        WebhookNeverTaken = "webhook_never_taken",
        WebhookLate = "webhook_late",
        WebhookTwice = "webhook_twice",
        WebhookOutOfOrder = "webhook_out_of_order",
        PasswordChanged = "password_changed",
        PasswordMended = "password_mended",
        Crash = "crash",
        Outage = "outage",
        ClockJumped = "clock_jumped",
        ClockPutBack = "clock_put_back",
        CampaignPaused = "campaign_paused",
        CampaignResumed = "campaign_resumed",
        MailboxPaused = "mailbox_paused",
        MailboxResumed = "mailbox_resumed",
        MailboxDeleted = "mailbox_deleted",
        MailboxReturned = "mailbox_returned",
        LimitEdited = "limit_edited",
        TextBroken = "text_broken",
        TextMended = "text_mended",
        DataMended = "data_mended",
        PeopleAdded = "people_added",
        SuppressedAdded = "suppressed_added",
        PersonTakenOut = "person_taken_out",
        PersonSuppressed = "person_suppressed",
        CounterFalsified = "counter_falsified",
        JobsLost = "jobs_lost",
    }
}

/// What breaks. Chances are in a thousand.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Sends that a provider refuses for now.
    pub refused: u64,
    /// Sends that meet the mailbox's own quota (CAP-3).
    pub quota: u64,
    /// Sends that went out, and whose answer is lost (SAFE-3).
    pub answer_lost: u64,
    /// Sends that went nowhere, and whose answer is lost.
    pub mail_lost: u64,
    /// Sends for which the server takes one to eleven and a half minutes.
    pub slow: u64,
    /// Calls of a provider plugin that end in a trap, take too long or answer nonsense.
    pub plugin_failed: u64,
    /// Looks into a mailbox that fail.
    pub sync_failed: u64,
    /// Looks into a mailbox that bring what an earlier one has brought.
    pub sync_repeated: u64,
    /// Looks into a mailbox that bring the newest first.
    pub sync_reversed: u64,
    /// Requests to a webhook that its endpoint refuses.
    pub webhook_refused: u64,
    /// Requests to a webhook that its endpoint takes without a word.
    pub webhook_answer_lost: u64,
    /// Events that the endpoint of a webhook never takes.
    pub webhook_never: u64,
    /// Times that the process dies between two writes or beside an effect, and begins anew.
    pub crashes: u32,
    /// Lives, from the first on, that end while mails go out, beside those.
    pub crashes_while_sending: u32,
    /// Times that the process dies and begins anew hours later.
    pub outages: u32,
    /// Times that the provider refuses everything for hours, now for a while (4xx) and now for policy
    /// (5xx).
    pub storms: u32,
    /// Times that the clock jumps ahead by minutes or hours.
    pub clock_jumps: u32,
    /// Times that the clock is put back by minutes or an hour and a half.
    pub clock_put_back: u32,
    /// Times that a campaign is paused for hours.
    pub pauses: u32,
    /// Times that a mailbox is paused for hours.
    pub mailbox_pauses: u32,
    /// Times that a mailbox is deleted; it comes back a day or more later.
    pub mailboxes_deleted: u32,
    /// Times that a mailbox's password changes; it is mended hours later.
    pub passwords: u32,
    /// Times that a limit is moved.
    pub limit_edits: u32,
    /// Times that a text can't be rendered for hours.
    pub text_edits: u32,
    /// Times that people are added, taken out and suppressed.
    pub people_edits: u32,
    /// Times that a counter is falsified (SAFE-5).
    pub drifts: u32,
    /// Times that jobs are lost (SCH-11).
    pub jobs_lost: u32,
}

pub(super) fn monday() -> Timestamp {
    Timestamp::from_secs(1_772_438_400)
}
fn utc() -> String {
    "UTC".to_owned()
}
fn one() -> u32 {
    1
}
fn five() -> i64 {
    5
}
fn fifty() -> i64 {
    50
}
fn hundred() -> i64 {
    100
}
fn office() -> [u16; 2] {
    [540, 1_020]
}
fn working_days() -> Vec<u8> {
    (1..=5).collect()
}

impl Scenario {
    /// Reads and checks a scenario.
    ///
    /// # Errors
    /// What is wrong with it, with the line where TOML can tell.
    pub fn parse(text: &str) -> Result<Self> {
        let found: Self = toml::from_str(text).context("the scenario can't be read")?;
        ensure!((1..=366).contains(&found.days), "`days` is from 1 to 366");
        ensure!(
            !found.workspaces.is_empty(),
            "a scenario has a [[workspace]] at least"
        );
        for workspace in &found.workspaces {
            ensure!(
                !workspace.mailboxes.is_empty(),
                "each workspace has a [[workspace.mailbox]]"
            );
            for mailbox in &workspace.mailboxes {
                check_zone(&mailbox.time_zone)?;
            }
            for campaign in &workspace.campaigns {
                check_zone(&campaign.time_zone)?;
                ensure!(
                    (1..=50).contains(&campaign.steps),
                    "`steps` is from 1 to 50"
                );
                let known = |name: &String| {
                    sandbox_personas::Persona::ALL
                        .iter()
                        .any(|(n, _)| n == name)
                };
                if let Some(unknown) = campaign.personas.keys().find(|name| !known(name)) {
                    let all: Vec<_> = sandbox_personas::Persona::ALL
                        .iter()
                        .map(|(n, _)| *n)
                        .collect();
                    anyhow::bail!(
                        "there is no persona `{unknown}`; there are: {}",
                        all.join(", ")
                    );
                }
                let all: u32 = campaign.personas.values().sum();
                ensure!(
                    all <= 100,
                    "`personas` are shares of a hundred; they add up to {all}"
                );
            }
        }
        Ok(found)
    }
}

fn check_zone(name: &str) -> Result<()> {
    windows::zone(name)
        .with_context(|| format!("`{name}` is no IANA time zone such as `Europe/Berlin`"))?;
    Ok(())
}

/// Who the next person of a campaign is.
pub(super) fn persona<'a>(campaign: &'a Campaign, rng: &SeededRng) -> &'a str {
    let lot = rng.below(100);
    let mut below = 0;
    for (name, share) in &campaign.personas {
        below += u64::from(*share);
        if lot < below {
            return name;
        }
    }
    "silent"
}
