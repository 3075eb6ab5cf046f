//! What a simulation is about: who writes to whom within which limits, and what breaks meanwhile.

use anyhow::{Context, Result, ensure};
use overture_domain::{Rng, Timestamp, rng::SeededRng, windows};
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
    pub faults: Faults,
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
    /// How many of a hundred people each persona of the sandbox has; the rest is silent.
    #[serde(default)]
    pub personas: std::collections::BTreeMap<String, u32>,
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
    /// Looks into a mailbox that fail.
    pub sync_failed: u64,
    /// Times that the process dies between two writes or beside an effect, and begins anew.
    pub crashes: u32,
    /// Times that the process stands still for hours.
    pub outages: u32,
    /// Times that a campaign is paused for hours.
    pub pauses: u32,
    /// Times that a mailbox is paused for hours.
    pub mailbox_pauses: u32,
    /// Times that a limit is moved.
    pub limit_edits: u32,
    /// Times that a counter is falsified (SAFE-5).
    pub drifts: u32,
}

fn monday() -> Timestamp {
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

    /// A scenario by chance, the same for the same seed: two workspaces and more, five mailboxes
    /// and more, 200 people and more, two weeks and more, with faults of all kinds.
    pub fn random(seed: u64) -> Self {
        let rng = SeededRng::new(seed ^ 0x5ce7_a210);
        let between = |low: u64, high: u64| low + rng.below(high - low + 1);
        let pick = |all: &[&str]| all[rng.below(all.len() as u64) as usize].to_owned();
        let zones = [
            "UTC",
            "Europe/Berlin",
            "America/New_York",
            "Asia/Kolkata",
            "Australia/Lord_Howe",
        ];
        let workspaces = between(2, 3);
        let people = 200 / workspaces + 10;
        let workspaces = (0..workspaces).map(|_| {
            let campaigns = between(1, 3);
            let each = people.div_ceil(campaigns);
            Workspace {
                mailboxes: (0..between(3, 5))
                    .map(|_| Mailbox {
                        daily_limit: between(8, 60) as i64,
                        time_zone: pick(&zones),
                    })
                    .collect(),
                campaigns: (0..campaigns)
                    .map(|_| {
                        let (from, length) = (between(0, 23) * 60, between(2, 10) * 60);
                        Campaign {
                            people: each as u32,
                            steps: between(1, 4) as u32,
                            delay_days: between(1, 3) as u32,
                            window: [from as u16, ((from + length) % 1_440) as u16],
                            days: (0..7).filter(|_| rng.below(10) > 1).collect(),
                            time_zone: pick(&zones),
                            daily_limit: between(10, 120) as i64,
                            minutes_between_sends: between(0, 6) as i64,
                            personas: [
                                ("reply", 8),
                                ("decline", 4),
                                ("ooo", 6),
                                ("auto", 3),
                                ("bounce", 4),
                                ("soft", 3),
                                ("refuse", 2),
                                ("unsub", 3),
                                ("stop", 2),
                                ("complain", 1),
                                ("open", 10),
                                ("click", 5),
                            ]
                            .map(|(name, share)| (name.to_owned(), share))
                            .into_iter()
                            .collect(),
                        }
                    })
                    .map(|mut campaign| {
                        if campaign.days.is_empty() {
                            campaign.days = vec![3];
                        }
                        campaign
                    })
                    .collect(),
            }
        });
        Self {
            start: monday(),
            workspaces: workspaces.collect(),
            days: between(14, 20) as u32,
            faults: Faults {
                refused: between(0, 60),
                quota: between(0, 15),
                answer_lost: between(0, 30),
                mail_lost: between(0, 15),
                sync_failed: between(0, 60),
                crashes: between(3, 10) as u32,
                outages: between(0, 2) as u32,
                pauses: between(0, 3) as u32,
                mailbox_pauses: between(0, 3) as u32,
                limit_edits: between(0, 3) as u32,
                drifts: between(0, 3) as u32,
            },
        }
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
