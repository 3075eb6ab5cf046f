//! `overture simulate`: the real engine, store and plugins on virtual time, with people of the
//! sandbox and faults by chance, and a checker that knows the rules (OPS-5).
//!
//! | module | what it is |
//! | --- | --- |
//! | `scenario` | who writes to whom, and how much breaks |
//! | `world` | a life of the process, and time |
//! | `outside` | the providers with their faults, and what truly went out |
//! | `happenings` | people who pause and edit; crashes, outages, wrong counters |
//! | `crash` | the death of the process at a commit or an effect |
//! | `check` | the rules, held against what happened |
//!
//! One thing happens at a time, and all chance comes from the seed: the same seed gives the same
//! events. A life that dies is dropped with everything that it had begun, and the next opens the
//! same database.

mod check;
mod crash;
mod happenings;
mod outside;
mod scenario;
mod world;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use overture_domain::{
    CampaignId, ProspectId,
    events::{EventKind, EventPosition},
    people::Actor,
    rng::SeededRng,
    time::ManualClock,
};
use overture_engine::{Env, Secret, campaigns, imports, mailboxes, people};
use overture_store::{Slice, accounts, audit, events, prospects};
use serde::Serialize;
use serde_json::json;

use check::{Ended, Evidence};
use happenings::Happenings;
use world::{Cast, Placed, World};

pub use check::Broken;
pub use scenario::Scenario;

/// What a simulation showed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub seed: u64,
    pub days: u32,
    pub people: usize,
    /// Mails that the outside world took.
    pub mails: usize,
    /// How often each event was told.
    pub events: BTreeMap<String, u64>,
    /// How often a campaign went from one status to another.
    pub transitions: BTreeMap<String, u64>,
    /// How often each limit was told of.
    pub limits: BTreeMap<String, u64>,
    /// Where people ended.
    pub states: BTreeMap<String, u64>,
    /// How often each fault occurred.
    pub faults: BTreeMap<&'static str, u64>,
    /// The rules that were broken, and how.
    pub broken: Vec<Broken>,
    /// Of everything that was told, in its order: two runs of a seed have the same.
    pub digest: String,
}

/// Runs a scenario to its end. Blocks; each life of the process has a runtime of its own.
///
/// # Errors
/// When the engine can't go on: a bug as well, but one without a rule.
pub fn run(scenario: &Scenario, seed: u64, cache: &Path) -> Result<Report> {
    let folder = tempfile::tempdir().context("a temporary folder can't be made")?;
    let world = World {
        config: World::config(folder.path(), cache)?,
        clock: Arc::new(ManualClock::new(scenario.start)),
        rng: Arc::new(SeededRng::new(seed)),
        seed,
        faults: scenario.faults,
        log: outside::Shared::default(),
    };
    let end = scenario.start + Duration::from_secs(u64::from(scenario.days) * 86_400);
    crash::reborn();
    let cast = life(async {
        let env = world.open().await?;
        set_up(&env, scenario, seed).await
    })??;
    let mut happenings = Happenings::of(scenario, &cast, seed, Arc::clone(&world.log));
    loop {
        let over = life(async {
            let env = world.open().await?;
            tokio::select! {
                // Whoever dies and is through at the same moment has died.
                biased;
                () = crash::died() => Ok(false),
                lived = world.live(&env, &mut happenings, end) => lived.map(|()| true),
            }
        })?;
        crash::reborn();
        match over? {
            true => break,
            false => outside::lock(&world.log).count("crash"),
        }
    }
    life(async {
        let env = world.open().await?;
        report(&env, scenario, seed, &world, &cast, end).await
    })?
}

/// Runs a life on a runtime of its own and drops everything that it left behind.
fn life<T>(work: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("a runtime can't be made")?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(done)
}

/// Puts the scenario's people, mailboxes and campaigns into an empty database, and starts them.
async fn set_up(env: &Env, scenario: &Scenario, seed: u64) -> Result<Cast> {
    let mut cast = Cast::default();
    let rng = SeededRng::new(seed ^ 0xca57);
    for (w, workspace) in scenario.workspaces.iter().enumerate() {
        let password = Secret::new("a password of the simulation");
        let address = format!("owner{w}@example.com");
        let (_, made) = people::create_user(env, &address, "Owner", password).await?;
        let ws = made.id;
        let mut placed = Placed {
            id: ws,
            mailboxes: Vec::new(),
            campaigns: Vec::new(),
        };
        for (m, mailbox) in workspace.mailboxes.iter().enumerate() {
            let address = format!("sender{m}@w{w}.example");
            let new = mailboxes::NewMailbox {
                address: address.clone(),
                sender_name: format!("Sender {m}"),
                provider: Some("provider-sandbox".to_owned()),
                preset: Some("sandbox".to_owned()),
                settings: Some(json!({ "seed": seed % 1_000 })),
                daily_limit: Some(mailbox.daily_limit),
                time_zone: Some(mailbox.time_zone.clone()),
                ..mailboxes::NewMailbox::default()
            };
            let connected = mailboxes::connect(env, ws, new, &Actor::Cli).await?;
            placed.mailboxes.push((connected.account.id, address));
        }
        for (c, campaign) in workspace.campaigns.iter().enumerate() {
            let mut csv = String::from("email,first name,company\n");
            for n in 0..campaign.people {
                let persona = scenario::persona(campaign, &rng);
                csv.push_str(&format!(
                    "{persona}.w{w}c{c}n{n}@d{}.example,Person {n},Company {n}\n",
                    n % 11
                ));
            }
            let options = imports::Options {
                file_name: "people.csv".to_owned(),
                list_name: Some(format!("Campaign {c}")),
                ..imports::Options::default()
            };
            let import = imports::create(env, ws, &options, std::io::Cursor::new(csv)).await?;
            let id = launch(env, &placed, campaign, &format!("w{w}c{c}")).await?;
            let who = campaigns::Enroll {
                list_ids: import.list_id.into_iter().collect(),
                ..campaigns::Enroll::default()
            };
            campaigns::enroll(env, ws, id, &who, &Actor::Cli).await?;
            campaigns::start(env, ws, id, &Actor::Cli).await?;
            placed.campaigns.push(id);
        }
        cast.workspaces.push(placed);
    }
    env.under_way.settled().await;
    Ok(cast)
}

async fn launch(
    env: &Env,
    placed: &Placed,
    campaign: &scenario::Campaign,
    name: &str,
) -> Result<CampaignId> {
    let step = |n: u32| campaigns::StepIn {
        subject: match n {
            0 => "A question, {{firstName}}".to_owned(),
            _ => String::new(),
        },
        body_html: format!(
            "<p>mark-of-step-{n}</p><p>{{Hello|Hi}} {{{{firstName}}}}, a word on {{{{company}}}}.</p>"
        ),
        delay_minutes: (n > 0).then_some(i64::from(campaign.delay_days) * 1_440),
        ..campaigns::StepIn::default()
    };
    let [start, end] = campaign.window;
    let given = campaigns::CampaignIn {
        name: name.to_owned(),
        steps: (0..campaign.steps).map(step).collect(),
        mailbox_ids: placed.mailboxes.iter().map(|(id, _)| *id).collect(),
        time_zone: Some(campaign.time_zone.clone()),
        windows: Some(vec![overture_domain::campaigns::Window {
            days: campaign.days.clone(),
            start,
            end,
        }]),
        daily_send_limit: Some(campaign.daily_limit),
        minutes_between_sends: Some(campaign.minutes_between_sends),
        ..campaigns::CampaignIn::default()
    };
    let made = campaigns::create(env, placed.id, &given, &Actor::Cli).await?;
    Ok(made.campaign.id)
}

async fn report(
    env: &Env,
    scenario: &Scenario,
    seed: u64,
    world: &World,
    cast: &Cast,
    end: overture_domain::Timestamp,
) -> Result<Report> {
    let mut evidence = Evidence {
        end,
        ..Evidence::default()
    };
    for (placed, given) in cast.workspaces.iter().zip(&scenario.workspaces) {
        evidence.workspaces.push(ended(env, placed, given).await?);
        for (id, campaign) in placed.campaigns.iter().zip(&given.campaigns) {
            evidence.steps.insert(*id, campaign.steps);
        }
    }
    {
        let log = outside::lock(&world.log);
        evidence.delivered.clone_from(&log.delivered);
        evidence.limits.clone_from(&log.limits);
    }
    let broken = check::check(&evidence);
    let (mut told, mut states) = (BTreeMap::new(), BTreeMap::new());
    let (mut transitions, mut limits) = (BTreeMap::new(), BTreeMap::new());
    let mut digest = blake(&[]);
    for workspace in &evidence.workspaces {
        for event in &workspace.events {
            *told.entry(event.kind.to_string()).or_default() += 1;
            let text = |key: &str| event.data[key].as_str().unwrap_or_default();
            if event.kind == EventKind::CampaignStatusChanged {
                let change = format!("{} to {}", text("fromStatus"), text("toStatus"));
                *transitions.entry(change).or_default() += 1;
            }
            if event.kind == EventKind::LimitHit {
                *limits.entry(text("limitType").to_owned()).or_default() += 1;
            }
            digest = blake(
                format!("{digest} {} {} {}", event.id, event.kind, event.occurred_at).as_bytes(),
            );
        }
        for (enrollment, _) in &workspace.enrollments {
            *states.entry(enrollment.state.to_string()).or_default() += 1;
        }
    }
    Ok(Report {
        seed,
        days: scenario.days,
        people: evidence
            .workspaces
            .iter()
            .map(|ws| ws.enrollments.len())
            .sum(),
        mails: evidence.delivered.len(),
        events: told,
        transitions,
        limits,
        states,
        faults: outside::lock(&world.log).faults.clone(),
        broken,
        digest,
    })
}

fn blake(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(bytes);
    digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// How a workspace ended.
async fn ended(env: &Env, placed: &Placed, given: &scenario::Workspace) -> Result<Ended> {
    let ws = placed.id;
    let on = &mut env.db.reader();
    let mut ended = Ended::default();
    let ids: Vec<_> = placed.mailboxes.iter().map(|(id, _)| *id).collect();
    ended.mailboxes = accounts::find_all(on, ws, &ids).await?;
    let mut subjects: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let everybody = prospects::list(
        on,
        ws,
        &prospects::Filter::default(),
        &Slice::first(i64::MAX),
    )
    .await?;
    let email: BTreeMap<ProspectId, String> =
        everybody.into_iter().map(|p| (p.id, p.email)).collect();
    for (id, given) in placed.campaigns.iter().zip(&given.campaigns) {
        let found = campaigns::get(env, ws, *id).await?.campaign;
        subjects.push(id.to_string());
        let filter = overture_store::enrollments::Filter::default();
        let people =
            campaigns::list_enrollments(env, ws, *id, &filter, &Slice::first(i64::MAX)).await?;
        ended
            .campaigns
            .push((found, given.delay_days, given.daily_limit));
        for enrollment in people {
            let email = email
                .get(&enrollment.prospect_id)
                .cloned()
                .unwrap_or_default();
            ended.enrollments.push((enrollment, email));
        }
    }
    for subject in subjects {
        ended.audit.extend(audit::list(on, ws, &subject).await?);
    }
    let mut after = EventPosition::default();
    loop {
        let page = events::list(on, ws, &events::Filter::default(), after, 500).await?;
        let Some(last) = page.last() else {
            return Ok(ended);
        };
        after = last.position;
        ended
            .events
            .extend(page.into_iter().map(|placed| placed.event));
    }
}
