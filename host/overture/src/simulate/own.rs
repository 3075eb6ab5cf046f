//! A workspace's own campaign, before it runs: on a copy of the database and virtual time, with
//! nobody outside (SCH-9, OPS-5). Each mail is taken at once, nobody answers, and nothing leaves:
//! so it is the longest that the campaign can take, by the engine's own decisions.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use jiff::{civil::Date, tz::TimeZone};
use overture_domain::{
    CampaignId, Clock, Timestamp, WorkspaceId,
    accounts::Channel,
    campaigns::{Campaign, CampaignStatus},
    events::{EventKind, EventPosition},
    forecast::{Binding, HORIZON_DAYS},
    people::Actor,
    rng::SeededRng,
    time::ManualClock,
    windows,
};
use overture_egress::ConnectError;
use overture_engine::{Env, MailProviders, Part, ProviderPreset, campaigns, leases, sends};
use overture_mail::{BoxedStream, Connector, Dialer, tls::Tls};
use overture_plugin_host::{
    CallError, Leg, Problem, SendOutcome, Sent, SyncPage,
    capabilities::mailbox::{MailSession, Outgoing, SubmissionRecord},
};
use overture_store::{
    Database, Slice, campaigns as stored, enrollments, events, jobs, people, scratch,
};
use serde_json::{Value, json};

use super::{life, world::Hosts};
use crate::{
    backups::{archive, postgres},
    clock::SystemClock,
    commands::backup,
    config::Config,
    services::{self, Clocks, Services},
};

/// What goes on in the copy. Nothing is read from outside, and nobody is told.
const PARTS: [Part; 3] = [Part::Leases, Part::Sends, Part::Campaigns];

/// The calendar of a campaign, in the form of its forecast: `finishesOn`, `mailsLeft` and `days`.
/// Blocks; the database of the settings is only read.
///
/// # Errors
/// When there is no such campaign, it can't run, or no copy can be made.
pub fn calendar(config: &Config, id: CampaignId, seed: u64) -> Result<Value> {
    let place = super::scratch()?;
    let (copied, url) = life(copy(config, place.path()))??;
    let found = life(run(&copied, id, seed))?;
    if let Some(url) = url {
        life(scratch::drop_database(&config.database.url, &url))??;
    }
    found
}

/// Copies the database: the settings for the copy, and the database to be dropped afterwards.
async fn copy(config: &Config, place: &Path) -> Result<(Config, Option<String>)> {
    let mut copied = config.clone();
    if services::sqlite_path(&config.database.url).is_some() {
        let db = services::open_present(config).await?;
        let file = place.join(archive::SQLITE);
        db.copy_to(&file).await?;
        db.close().await;
        copied.database.url = format!("sqlite:{}", file.display());
        return Ok((copied, None));
    }
    let file = place.join("backup");
    backup::take(config, &file).await?;
    let name = format!("overture_simulation_{}", std::process::id());
    let url = scratch::fresh_database(&config.database.url, &name).await.context(
        "the database can't be copied on its server; give its user the right to make databases (ALTER ROLE … CREATEDB)",
    )?;
    copied.database.url.clone_from(&url);
    let (into, from) = (url.clone(), file);
    tokio::task::spawn_blocking(move || postgres::restore(&into, &from)).await??;
    Ok((copied, Some(name)))
}

async fn run(config: &Config, id: CampaignId, seed: u64) -> Result<Value> {
    let now = SystemClock.now();
    let clock = Arc::new(ManualClock::new(now));
    let env = open(config, &clock, seed).await?;
    let ws = workspace_of(&env.db, id).await?;
    alone(&env, ws, id).await?;
    let campaign = begin(&env, ws, id).await?;
    let mut days = Days {
        zone: windows::zone(&campaign.time_zone).unwrap_or(TimeZone::UTC),
        found: BTreeMap::new(),
        since: now,
        read: EventPosition::default(),
    };
    let end = now + Duration::from_secs(86_400) * u32::try_from(HORIZON_DAYS)?;
    let mut hosts = Hosts::of(&PARTS, 1, seed);
    loop {
        let next = hosts.settle(std::slice::from_ref(&env)).await?;
        let now = env.now();
        let next = next.filter(|at| *at < end);
        let over = is_over(&env, ws, id).await?;
        if over || next.is_none_or(|next| days.date(next) != days.date(now)) {
            days.end(&env, ws, id).await?;
        }
        match next {
            Some(next) if !over => clock.advance_to(next),
            _ => break,
        }
    }
    let left = left(&env, ws, id).await?;
    env.db.close().await;
    Ok(days.told(left))
}

/// The services on the copy, from which nothing leads out.
async fn open(config: &Config, clock: &Arc<ManualClock>, seed: u64) -> Result<Env> {
    let rng = Arc::new(SeededRng::new(seed));
    let clocks = Clocks::Given {
        clock: clock.clone(),
        real: clock.clone(),
    };
    let opened = Services::open_with(config, clocks, rng).await?;
    let mut env = opened.env;
    env.providers = Arc::new(Nowhere {
        inner: Arc::clone(&env.providers),
    });
    env.dialer = Dialer::new(Arc::new(Unreachable), Tls::new(None)?);
    leases::start(&env, "simulation").await?;
    Ok(env)
}

async fn workspace_of(db: &Database, id: CampaignId) -> Result<WorkspaceId> {
    let on = &mut db.reader();
    for workspace in people::list_workspaces(on).await? {
        if stored::find(on, workspace.id, id).await?.is_some() {
            return Ok(workspace.id);
        }
    }
    bail!("there is no campaign {id}: `overture campaign list` shows those of a workspace")
}

/// Nothing goes on but the workspace's campaigns of mails: those of others share no limit with them.
async fn alone(env: &Env, ws: WorkspaceId, id: CampaignId) -> Result<()> {
    for status in [CampaignStatus::Running, CampaignStatus::Scheduled] {
        let all = stored::list_by_status(&mut env.db.reader(), status).await?;
        for campaign in all {
            let of = campaign.workspace_id;
            let steps = campaigns::get(env, of, campaign.id).await?.steps;
            let mails = steps.iter().all(|step| step.channel == Channel::Mail);
            if campaign.id == id && !mails {
                bail!("only campaigns of mails can be simulated");
            }
            if of != ws || !mails {
                campaigns::pause(env, of, campaign.id, &Actor::Cli).await?;
            }
        }
    }
    Ok(())
}

/// One that doesn't run begins now.
async fn begin(env: &Env, ws: WorkspaceId, id: CampaignId) -> Result<Campaign> {
    let campaign = campaigns::get(env, ws, id).await?.campaign;
    match campaign.status {
        CampaignStatus::Running | CampaignStatus::Scheduled | CampaignStatus::Cooldown => {}
        CampaignStatus::Completed | CampaignStatus::Archived => bail!(
            "{} is {}: nothing of it lies ahead",
            campaign.name,
            campaign.status
        ),
        _ => {
            let started = campaigns::start(env, ws, id, &Actor::Cli).await;
            started.with_context(|| format!("{} can't be started", campaign.name))?;
        }
    }
    Ok(campaign)
}

/// Whether nothing of it goes on by itself.
async fn is_over(env: &Env, ws: WorkspaceId, id: CampaignId) -> Result<bool> {
    use CampaignStatus::{Cooldown, Running, Scheduled};
    let status = campaigns::get(env, ws, id).await?.campaign.status;
    if !matches!(status, Running | Scheduled | Cooldown) {
        return Ok(true);
    }
    let counts = enrollments::count_by_state(&mut env.db.reader(), ws, id).await?;
    Ok(!counts.iter().any(|(state, n)| state.is_open() && *n > 0))
}

/// Mails that have not gone out to those who still wait for one.
async fn left(env: &Env, ws: WorkspaceId, id: CampaignId) -> Result<i64> {
    let steps = i64::try_from(campaigns::get(env, ws, id).await?.steps.len())?;
    let filter = enrollments::Filter::default();
    let all = campaigns::list_enrollments(env, ws, id, &filter, &Slice::first(i64::MAX)).await?;
    let waits = all
        .iter()
        .filter(|one| one.state.is_open() || one.state.is_parked());
    Ok(waits.map(|one| steps - one.step_index).sum())
}

/// The calendar, by the campaign's own days.
struct Days {
    zone: TimeZone,
    found: BTreeMap<Date, (usize, String)>,
    /// Mails before this moment are none of it.
    since: Timestamp,
    /// Events until here are in it.
    read: EventPosition,
}

impl Days {
    fn date(&self, at: Timestamp) -> Date {
        self.zone.to_datetime(at.to_jiff()).date()
    }

    /// A day ends: what went out on it, and what keeps back those who could have been written to.
    async fn end(&mut self, env: &Env, ws: WorkspaceId, id: CampaignId) -> Result<()> {
        let on = &mut env.db.reader();
        let filter = events::Filter {
            kind: Some(EventKind::EmailSent),
            campaign_id: Some(id),
            since: Some(self.since),
            ..events::Filter::default()
        };
        loop {
            let page = events::list(on, ws, &filter, self.read, 500).await?;
            let Some(last) = page.last() else { break };
            self.read = last.position;
            for placed in &page {
                let date = self.date(placed.event.occurred_at);
                self.found.entry(date).or_default().0 += 1;
            }
        }
        let why = sends::why(env, ws, sends::About::Campaign(id)).await?;
        let at = env.now();
        let date = self.date(at);
        let sent = self.found.get(&date).map_or(0, |(sent, _)| *sent);
        let due = match why.enrollment {
            None => true,
            Some(id) => jobs::find_live(on, ws, id)
                .await?
                .is_some_and(|job| job.run_at <= at),
        };
        let binding = match due {
            true => binding(&why.code, sent > 0),
            false => Binding::Nothing.name(),
        };
        if sent > 0 || binding != Binding::Nothing.name() {
            self.found.entry(date).or_default().1 = binding.to_owned();
        }
        Ok(())
    }

    fn told(self, left: i64) -> Value {
        let last = self.found.iter().rev().find(|(_, (sends, _))| *sends > 0);
        let last = last.filter(|_| left == 0).map(|(date, _)| date.to_string());
        let days = self.found.iter().map(|(date, (sends, binding))| {
            json!({ "date": date.to_string(), "sends": sends, "binding": binding })
        });
        json!({ "finishesOn": last, "mailsLeft": left, "days": days.collect::<Vec<_>>() })
    }
}

/// The forecast's word for what *why not sent* says (SCH-9); its own where the forecast has none.
fn binding(code: &str, sent: bool) -> &str {
    let word = match code {
        "cap_campaign_daily" => Binding::CampaignLimit,
        "cap_campaign_new_daily" => Binding::NewProspects,
        "cap_mailbox_daily"
        | "cap_mailbox_total_daily"
        | "cap_preset_daily"
        | "cap_campaign_mailbox_daily"
        | "cap_provider_daily" => Binding::MailboxLimits,
        "pace" | "queue" => Binding::Pace,
        // The hours were too short for the pace.
        "window" if sent => Binding::Pace,
        "window" => Binding::Window,
        "no_usable_mailbox" => Binding::NoMailbox,
        "none" | "delay" | "planned" | "out_of_office" | "nobody_waits" | "campaign_completed" => {
            Binding::Nothing
        }
        own => return own.strip_prefix("cap_").unwrap_or(own),
    };
    word.name()
}

/// Takes every mail, and has none.
struct Nowhere {
    inner: Arc<dyn MailProviders>,
}

#[async_trait]
impl MailProviders for Nowhere {
    async fn presets(&self, ws: WorkspaceId) -> Vec<ProviderPreset> {
        self.inner.presets(ws).await
    }

    fn has_own_transport(&self, _: &str) -> Result<bool, CallError> {
        Ok(true)
    }

    async fn check(
        &self,
        _: WorkspaceId,
        _: &str,
        _: Arc<dyn MailSession>,
    ) -> Result<Vec<Leg>, CallError> {
        Ok(Vec::new())
    }

    async fn send(
        &self,
        _: WorkspaceId,
        _: &str,
        _: Arc<dyn MailSession>,
        _: Outgoing,
    ) -> SendOutcome {
        SendOutcome {
            submission: SubmissionRecord::NotTried,
            answer: Ok(Ok(Sent {
                provider_id: None,
                reply: None,
            })),
        }
    }

    async fn sync(
        &self,
        _: WorkspaceId,
        _: &str,
        _: Arc<dyn MailSession>,
        cursor: Option<&str>,
    ) -> Result<Result<SyncPage, Problem>, CallError> {
        Ok(Ok(SyncPage {
            cursor: cursor.unwrap_or_default().to_owned(),
            mails: Vec::new(),
            signals: Vec::new(),
            more: false,
            watch: Vec::new(),
            check_again_at: None,
        }))
    }
}

/// No mail server.
struct Unreachable;

#[async_trait]
impl Connector for Unreachable {
    async fn connect(
        &self,
        host: &str,
        port: u16,
        _: Duration,
    ) -> Result<BoxedStream, ConnectError> {
        Err(ConnectError::Tcp {
            host: host.to_owned(),
            port,
            source: Arc::new(std::io::ErrorKind::NotConnected.into()),
        })
    }
}
