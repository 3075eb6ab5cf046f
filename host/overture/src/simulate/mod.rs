//! `overture simulate`: the real engine, store and plugins on virtual time, with people of the
//! sandbox and faults by chance, and a checker that knows the rules (OPS-5).
//!
//! | module | what it is |
//! | --- | --- |
//! | `scenario` | who writes to whom, and how much breaks |
//! | `world` | a life of the process, and time |
//! | `sink` | the endpoint of webhooks with its faults, and what truly came |
//! | `outside` | the providers with their faults, and what truly went out |
//! | `by_chance` | scenarios by chance |
//! | `happenings`, `deeds` | people who pause and edit; crashes, outages, wrong counters |
//! | `crash` | the death of the process at a commit or an effect |
//! | `counters` | what the counters of caps say meanwhile |
//! | `check` | the rules, held against what happened |
//! | `own` | a workspace's own campaign, before it runs |
//! | `outcomes` | what became of each campaign, day by day |
//! | `coverage` | what a run must have shown |
//!
//! One thing happens at a time, and all chance comes from the seed: the same seed gives the same
//! events. A life that dies is dropped with everything that it had begun, and the next opens the
//! same database.

mod by_chance;
mod check;
mod counters;
mod coverage;
mod crash;
mod deeds;
mod happenings;
mod outcomes;
mod outside;
mod own;
mod scenario;
mod sink;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use overture_domain::{
    CampaignId, ProspectId, Rng, Timestamp, events::EventPosition, people::Actor, rng::SeededRng,
    time::ManualClock,
};
use overture_engine::{Env, Secret, campaigns, imports, mailboxes, people, webhooks};
use overture_store::{
    Slice, accounts, audit, events, evidence, prospects, scratch as store_scratch,
};
use serde::Serialize;
use serde_json::json;
use tempfile::TempDir;

use check::{Ended, Evidence};
use coverage::Coverage;
use happenings::Happenings;
use outcomes::Outcome;
use world::{Cast, Placed, World};

pub use check::Broken;
pub use own::calendar;
use scenario::Fault;
pub use scenario::Scenario;
use sink::Sink;

/// What a simulation showed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub seed: u64,
    pub days: u32,
    /// Who stands in two campaigns counts twice.
    pub people: usize,
    /// Mails that the outside world took.
    pub mails: usize,
    pub campaigns: Vec<Outcome>,
    /// How often each event was told.
    pub events: BTreeMap<String, u64>,
    /// How often each cap, state, transition and fault occurred.
    pub coverage: Coverage,
    /// The rules that were broken, and how.
    pub broken: Vec<Broken>,
    /// Of everything that was told, in its order: two runs of a seed have the same.
    pub digest: String,
}

/// Runs a scenario to its end: on SQLite, or on a server of PostgreSQL, given by its URL, with two
/// processes. Blocks; each life of the process has a runtime of its own.
///
/// # Errors
/// When the engine can't go on: a bug as well, but one without a rule.
pub fn run(scenario: &Scenario, seed: u64, cache: &Path, server: Option<&str>) -> Result<Report> {
    let database = match server {
        Some(server) => {
            let name = format!("simulation_{}", std::process::id());
            Some(life(store_scratch::fresh_database(server, &name))??)
        }
        None => None,
    };
    let folder = scratch()?;
    let world = World {
        // On PostgreSQL they share the work (SCH-7).
        hosts: if database.is_some() { 2 } else { 1 },
        config: World::config(folder.path(), cache, database)?,
        clock: Arc::new(ManualClock::new(scenario.start)),
        rng: Arc::new(SeededRng::new(seed)),
        seed,
        preset: scenario.preset,
        faults: scenario.faults,
        log: outside::Shared::default(),
        peers: Arc::default(),
    };
    let end = scenario.start + Duration::from_secs(u64::from(scenario.days) * 86_400);
    let (clock, log) = (world.clock.clone(), Arc::clone(&world.log));
    let sink = Sink::start(clock, world.faults, seed, log)?;
    crash::reborn();
    let cast = life(async {
        let env = world.open().await?;
        coverage::watch(&env).await?;
        let cast = set_up(&env, scenario, seed, &world.log).await?;
        listen(&env, &cast, &sink).await?;
        Ok::<_, anyhow::Error>(cast)
    })??;
    let mut happenings = Happenings::of(scenario, &cast, seed, Arc::clone(&world.log));
    loop {
        happenings.begin();
        let over = life(async {
            let envs = world.open_all().await?;
            tokio::select! {
                // Whoever dies and is through at the same moment has died.
                biased;
                place = crash::died() => {
                    let mut log = outside::lock(&world.log);
                    log.count(Fault::Crash);
                    *log.deaths.entry(place).or_default() += 1;
                    Ok(false)
                }
                lived = world.live(&envs, &mut happenings, end) => lived,
            }
        })?;
        crash::reborn();
        if over? {
            break;
        }
    }
    life(async {
        let env = world.open().await?;
        report(&env, scenario, seed, (&world, &sink), &cast, end).await
    })?
}

/// A folder in memory, where there is one: processes die here, and never a machine.
///
/// # Errors
/// When none can be made.
pub fn scratch() -> Result<TempDir> {
    let in_memory = tempfile::tempdir_in("/dev/shm");
    in_memory
        .or_else(|_| tempfile::tempdir())
        .context("a temporary folder can't be made")
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
async fn set_up(env: &Env, scenario: &Scenario, seed: u64, log: &outside::Shared) -> Result<Cast> {
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
            in_error: Vec::new(),
            campaigns: Vec::new(),
        };
        for (m, mailbox) in workspace.mailboxes.iter().enumerate() {
            let address = format!("sender{m}@w{w}.example");
            // The last of many is saved although its test fails.
            let in_error = m > 2 && m + 1 == workspace.mailboxes.len();
            if in_error {
                outside::lock(log).locked.insert(address.clone());
            }
            let new = mailboxes::NewMailbox {
                address: address.clone(),
                sender_name: format!("Sender {m}"),
                provider: Some("provider-sandbox".to_owned()),
                preset: Some("sandbox".to_owned()),
                settings: Some(json!({ "seed": seed % 1_000 })),
                daily_limit: Some(mailbox.daily_limit),
                time_zone: Some(mailbox.time_zone.clone()),
                save_anyway: in_error,
                ..mailboxes::NewMailbox::default()
            };
            let connected = mailboxes::connect(env, ws, new, &Actor::Cli).await?;
            if in_error {
                placed
                    .in_error
                    .push((connected.account.id, address.clone()));
            }
            placed.mailboxes.push((connected.account.id, address));
        }
        let mut before: Vec<String> = Vec::new();
        for (c, campaign) in workspace.campaigns.iter().enumerate() {
            let shared = |_: &String| rng.below(100) < campaign.shared_people;
            let shared = std::mem::take(&mut before).into_iter().filter(shared);
            let shared = shared.collect();
            let mut csv = String::from("email,first name,company\n");
            for n in 0..campaign.people {
                let persona = scenario::persona(campaign, &rng);
                let company = match rng.below(100) < campaign.without_company {
                    true => String::new(),
                    false => format!("Company {n}"),
                };
                let email = format!("{persona}.w{w}c{c}n{n}@d{}.example", n % 11);
                csv.push_str(&format!("{email},Person {n},{company}\n"));
                before.push(email);
            }
            let options = imports::Options {
                file_name: "people.csv".to_owned(),
                list_name: Some(format!("Campaign {c}")),
                ..imports::Options::default()
            };
            let import = imports::create(env, ws, &options, std::io::Cursor::new(csv)).await?;
            let start = scenario.start;
            let id = launch(env, &placed, campaign, start, &format!("w{w}c{c}")).await?;
            let who = campaigns::Enroll {
                list_ids: import.list_id.into_iter().collect(),
                emails: shared,
                also_active_elsewhere: true,
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

/// Each workspace tells the sink of its events.
async fn listen(env: &Env, cast: &Cast, sink: &Sink) -> Result<()> {
    for (place, workspace) in cast.workspaces.iter().enumerate() {
        let new = webhooks::WebhookIn {
            url: sink.url(place),
            events: sink::EVENTS.map(|kind| kind.to_string()).to_vec(),
            ..webhooks::WebhookIn::default()
        };
        let (_, secret) = webhooks::create(env, workspace.id, new).await?;
        sink.knows(place, &secret)?;
    }
    Ok(())
}

/// Hands each workspace what its webhook was told. Whether any event came after a later one.
fn hear(evidence: &mut Evidence, requests: &[sink::Request]) -> bool {
    let mut out_of_order = false;
    for (place, workspace) in evidence.workspaces.iter_mut().enumerate() {
        let of = requests.iter().filter(|one| one.workspace == place);
        workspace.requests = of.cloned().collect();
        let ids = workspace.events.iter().map(|event| event.id.to_string());
        let places: BTreeMap<String, usize> = ids.zip(0..).collect();
        let taken = workspace.requests.iter().filter(|one| one.taken);
        let taken: Vec<_> = taken.filter_map(|one| places.get(&one.id)).collect();
        out_of_order |= !taken.is_sorted();
    }
    out_of_order
}

async fn launch(
    env: &Env,
    placed: &Placed,
    campaign: &scenario::Campaign,
    begin: Timestamp,
    name: &str,
) -> Result<CampaignId> {
    let step = |n: u32| campaigns::StepIn {
        subject: match n {
            0 => "A question, {{firstName}}".to_owned(),
            _ => String::new(),
        },
        body_html: format!(
            "<p>mark-of-step-{n}-of-{name}</p><p>{{Hello|Hi}} {{{{firstName}}}}, a word on {{{{company}}}}.</p>"
        ),
        delay_minutes: (n > 0).then_some(i64::from(campaign.delay_days) * 1_440),
        ..campaigns::StepIn::default()
    };
    let hours = |n: u64| begin + Duration::from_secs(n * 3_600);
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
        max_sends_per_mailbox_per_day: Some(campaign.daily_limit_of_a_mailbox),
        new_prospects_per_day: Some(campaign.new_people_a_day),
        start_at: (campaign.starts_after_hours > 0).then(|| hours(campaign.starts_after_hours)),
        end_at: campaign.ends_after_days.map(|days| hours(days * 24)),
        ..campaigns::CampaignIn::default()
    };
    let made = campaigns::create(env, placed.id, &given, &Actor::Cli).await?;
    Ok(made.campaign.id)
}

async fn report(
    env: &Env,
    scenario: &Scenario,
    seed: u64,
    (world, sink): (&World, &Sink),
    cast: &Cast,
    end: Timestamp,
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
        evidence.tried.clone_from(&log.tried);
        evidence.counters.clone_from(&log.counters);
        evidence.limits.clone_from(&log.limits);
        evidence.mended.clone_from(&log.mended);
        evidence.twice.clone_from(&log.twice);
        evidence.gone.clone_from(&log.gone);
        evidence.deaths = usize::try_from(log.deaths.values().sum::<u64>())?;
    }
    let out_of_order = hear(&mut evidence, &sink.requests());
    if out_of_order {
        outside::lock(&world.log).count(Fault::WebhookOutOfOrder);
    }
    let broken = check::check(&evidence);
    let mut coverage = Coverage::expected();
    let (faults, deaths) = {
        let log = outside::lock(&world.log);
        (log.faults.clone(), log.deaths.clone())
    };
    coverage.add(env, &faults, deaths).await?;
    let mut told = BTreeMap::new();
    let mut digest = blake(&[]);
    for workspace in &evidence.workspaces {
        for event in &workspace.events {
            *told.entry(event.kind.to_string()).or_default() += 1;
            digest = blake(
                format!("{digest} {} {} {}", event.id, event.kind, event.occurred_at).as_bytes(),
            );
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
        campaigns: (evidence.workspaces.iter())
            .flat_map(|ended| Outcome::of(ended, &evidence.limits))
            .collect(),
        events: told,
        coverage,
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
    let filter = accounts::Filter::default();
    ended.mailboxes = accounts::list(on, ws, &filter, &Slice::first(i64::MAX)).await?;
    let connected = ended.mailboxes.iter().map(|mailbox| mailbox.id);
    let mailboxes: BTreeSet<_> = ids.into_iter().chain(connected).collect();
    let mut subjects: Vec<String> = mailboxes.iter().map(ToString::to_string).collect();
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
    let unclear = evidence::list(on, ws, None, i64::MAX).await?;
    let unclear = unclear.into_iter().map(|send| send.action.enrollment_id);
    ended.unclear = unclear.collect();
    let hooks = webhooks::list(env, ws, None, i64::MAX).await?;
    ended.hook_disabled = hooks.iter().any(|hook| !hook.active);
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
