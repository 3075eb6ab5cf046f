//! `cargo xtask bench jobs`: what the database has to do for mails, 100 at a time (DESIGN §6). One
//! transaction takes the head of a lane, reserves the caps and writes action and attempt; a second
//! one writes outcome, job, next step and event. No rule is decided, and nothing is sent.
//!
//! Five runs on each database, both durable; each line is the median with the lowest and the
//! highest run. The database grows from run to run, as in life.

#![expect(clippy::print_stdout, reason = "a bench prints its numbers")]
#![expect(
    clippy::unwrap_used,
    reason = "a bench stops where something is missing"
)]
#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

mod world;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use overture_domain::{
    AttemptId, Timestamp,
    campaigns::Step,
    enrollments::{Action, ActionState, Attempt, Lane, Outcome},
    events::Event,
};
use overture_server_kit::{Durability, start_postgres};
use overture_store::{
    actions, caps, caps::Use, enrollments, events, lanes, outcomes, outcomes::Done, people,
};
use world::World;

const RUNS: usize = 5;
const BATCH: usize = 100;
/// Jobs of a run.
const JOBS: usize = 10_000;
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_772_442_000);

#[tokio::main]
async fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let postgres = start_postgres(Durability::On).unwrap();
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let folder = tempfile::tempdir_in(target).unwrap();
    let file = format!("sqlite:{}", folder.path().join("overture.db").display());
    let mut runs = Vec::new();
    for (name, url) in [("sqlite", file.as_str()), ("postgres", &postgres.url)] {
        let world = World::new(url).await;
        run(&world, JOBS / 5).await;
        runs.push((name, world, Vec::new(), Vec::new()));
    }
    for _ in 0..RUNS {
        for (_, world, rates, worst) in &mut runs {
            let mut batches = run(world, JOBS).await;
            let all: Duration = batches.iter().sum();
            rates.push(JOBS as f64 / all.as_secs_f64());
            batches.sort_unstable();
            let p99 = batches[batches.len() * 99 / 100 - 1];
            worst.push(p99.as_secs_f64() * 1_000.0);
        }
    }
    for (name, _, rates, worst) in runs {
        print(json, &format!("claim_record_per_s.{name}"), "1/s", rates);
        print(json, &format!("batch_p99_ms.{name}"), "ms", worst);
    }
}

fn print(json: bool, name: &str, unit: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let (value, min, max) = (values[RUNS / 2], values[0], values[RUNS - 1]);
    if json {
        println!(
            r#"{{"name":"jobs.{name}","value":{value:.3},"unit":"{unit}","min":{min:.3},"max":{max:.3}}}"#
        );
    } else {
        println!("jobs.{name:28} {value:>12.2} {unit:5} ({min:.2} to {max:.2})");
    }
}

/// Handles so many jobs of a new campaign, 100 at a time: how long each batch took.
async fn run(world: &World, jobs: usize) -> Vec<Duration> {
    let (step, lane) = world.campaign(jobs).await;
    let mut batches = Vec::new();
    for _ in 0..jobs / BATCH {
        let start = Instant::now();
        let attempted = take(world, &step, &lane).await;
        assert_eq!(attempted.len(), BATCH);
        record(world, &attempted).await;
        batches.push(start.elapsed());
    }
    batches
}

/// Takes the head of the lane: claim, caps, actions, attempts.
async fn take(world: &World, step: &Step, lane: &Lane) -> Vec<(Action, AttemptId)> {
    let mut tx = world.db.begin().await.unwrap();
    assert_eq!(lanes::list_due(&mut tx, NOW, 1, 9).await.unwrap().len(), 1);
    let heads = [(lane, BATCH as i64)];
    let claimed = lanes::claim(&mut tx, &heads, world.host, NOW, NOW).await;
    assert!(people::lock_workspace(&mut tx, world.ws).await.unwrap());
    let claimed = claimed.unwrap();
    let new: Vec<Action> = claimed.iter().map(|job| world.action(step, job)).collect();
    let uses: Vec<Use> = new.iter().flat_map(|action| world.uses(action)).collect();
    caps::add(&mut tx, world.ws, &uses).await.unwrap();
    actions::insert(&mut tx, &new).await.unwrap();
    let acting: Vec<_> = new
        .iter()
        .map(|action| (action.enrollment_id, world.account))
        .collect();
    enrollments::set_acting(&mut tx, world.ws, &acting, NOW)
        .await
        .unwrap();
    let attempts: Vec<Attempt> = new.iter().map(|action| world.attempt(action)).collect();
    let allowed = actions::insert_attempts(&mut tx, &attempts).await.unwrap();
    assert_eq!(allowed.len(), BATCH);
    let look = lanes::Look {
        lane: lane.clone(),
        closed: None,
    };
    lanes::settle(&mut tx, world.ws, &[look]).await.unwrap();
    tx.commit().await.unwrap();
    let ids = attempts.iter().map(|attempt| attempt.id);
    new.into_iter().zip(ids).collect()
}

/// Outcome, job, next step, event.
async fn record(world: &World, taken: &[(Action, AttemptId)]) {
    let mut tx = world.db.begin().await.unwrap();
    let ended: Vec<actions::Ended> = taken
        .iter()
        .map(|(action, attempt)| actions::Ended {
            action_id: action.id,
            state: ActionState::Done,
            deferrals: 0,
            error: None,
            attempt: Some((*attempt, Outcome::Sent)),
            detail: Some("250 2.0.0 Ok: queued as 4F2A".into()),
        })
        .collect();
    actions::end(&mut tx, &ended, NOW).await.unwrap();
    let done: Vec<Done> = taken.iter().map(|(action, _)| world.done(action)).collect();
    outcomes::write(&mut tx, &done, NOW).await.unwrap();
    let told: Vec<Event> = taken
        .iter()
        .map(|(action, _)| world.event(action))
        .collect();
    events::insert(&mut tx, &told).await.unwrap();
    tx.commit().await.unwrap();
}
