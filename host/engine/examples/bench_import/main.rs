//! `cargo xtask bench import`: a CSV file of a million people into a workspace that knows some of
//! them, with a list (DESIGN §6). Every row's address is looked for among the people of the
//! workspace and of the file, and its address and domain among the suppressions.
//!
//! Five runs on each database, both durable, each in a workspace of its own; each line is the median
//! with the lowest and the highest run. `rss_growth_mb` is the highest resident memory of this
//! process while a run goes on, without what it had before.

#![expect(clippy::print_stdout, reason = "a bench prints its numbers")]
#![expect(
    clippy::unwrap_used,
    reason = "a bench stops where something is missing"
)]
#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

mod file;
mod memory;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Instant, SystemTime},
};

use overture_domain::{
    Clock, Timestamp, WorkspaceId,
    people::Workspace,
    prospects::{Suppression, SuppressionKind, SuppressionSource},
    time::ManualClock,
};
use overture_engine::{
    Config, Env,
    imports::{self, Options},
    leases,
};
use overture_server_kit::{Durability, start_postgres};
use overture_store::{Database, people, suppressions};
use overture_testkit::{MONDAY, services};

const RUNS: usize = 5;
const ROWS: usize = 1_000_000;

/// Ids begin with their moment: where all are of one, none comes behind the others in its index.
struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Timestamp::from_micros(i64::try_from(since.unwrap().as_micros()).unwrap())
    }
}

#[tokio::main]
async fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    // To try the bench itself: `OVERTURE_BENCH_ROWS=10000 OVERTURE_BENCH_RUNS=1`.
    let rows = fewer("OVERTURE_BENCH_ROWS", ROWS);
    let runs = fewer("OVERTURE_BENCH_RUNS", RUNS);
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let folder = tempfile::tempdir_in(target).unwrap();
    let csv = folder.path().join("people.csv");
    let expected = file::write(&csv, rows);
    let postgres = start_postgres(Durability::On).unwrap();
    let file = format!("sqlite:{}", folder.path().join("overture.db").display());
    let mut growth = Vec::new();
    for (name, url) in [("sqlite", file.as_str()), ("postgres", &postgres.url)] {
        let env = open(url, rows).await;
        let (mut rates, before_all) = (Vec::new(), growth.len());
        for _ in 0..runs {
            let ws = workspace(&env).await;
            let before = memory::resident_mb();
            memory::forget_highest();
            let (rate, counts) = run(&env, ws, csv.clone()).await;
            growth.push(memory::highest_mb() - before);
            assert_eq!(counts, expected);
            rates.push(rate);
        }
        print(json, &format!("rows_per_s.{name}"), "1/s", rates);
        let own = growth[before_all..].to_vec();
        print(json, &format!("rss_growth_mb.{name}"), "MB", own);
    }
    print(json, "rss_growth_mb", "MB", growth);
}

fn fewer(variable: &str, all: usize) -> usize {
    std::env::var(variable).map_or(all, |n| n.parse().unwrap())
}

fn print(json: bool, name: &str, unit: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let (value, min, max) = (
        values[values.len() / 2],
        values[0],
        values[values.len() - 1],
    );
    if json {
        println!(
            r#"{{"name":"import.{name}","value":{value:.1},"unit":"{unit}","min":{min:.1},"max":{max:.1}}}"#
        );
    } else {
        println!("import.{name:24} {value:>10.0} {unit:4} ({min:.0} to {max:.0})");
    }
}

async fn open(url: &str, rows: usize) -> Env {
    let db = Database::open(url).await.unwrap();
    db.migrate().await.unwrap();
    let mut env = services(db, Arc::new(ManualClock::new(MONDAY)));
    env.clock = Arc::new(RealClock);
    env.config = Arc::new(Config {
        import_max_rows: rows,
        ..Config::default()
    });
    leases::start(&env, "bench").await.unwrap();
    env
}

/// A workspace with suppressions, and with people who stand in the file.
async fn workspace(env: &Env) -> WorkspaceId {
    let workspace = Workspace {
        id: env.id(),
        name: "W".into(),
        postal_address: String::new(),
        time_zone: "UTC".into(),
        created_at: env.now(),
    };
    let suppression = |(kind, value)| Suppression {
        id: env.id(),
        workspace_id: workspace.id,
        kind,
        value,
        source: SuppressionSource::Manual,
        reason: String::new(),
        created_at: env.now(),
    };
    let addresses = file::suppressed().map(|it| (SuppressionKind::Email, it));
    let domains = (0..1_000).map(|n| (SuppressionKind::Domain, format!("away{n}.test")));
    let all: Vec<_> = addresses.chain(domains).map(suppression).collect();
    let mut tx = env.db.begin().await.unwrap();
    people::insert_workspace(&mut tx, &workspace).await.unwrap();
    suppressions::insert(&mut tx, &all).await.unwrap();
    tx.commit().await.unwrap();
    let known = std::io::Cursor::new(file::known());
    let ws = workspace.id;
    imports::create(env, ws, &Options::default(), known)
        .await
        .unwrap();
    ws
}

/// Imports the file: rows a second, and how they ended.
async fn run(env: &Env, ws: WorkspaceId, csv: PathBuf) -> (f64, file::Ends) {
    let options = Options {
        list_name: Some("All".into()),
        ..Options::default()
    };
    let began = Instant::now();
    let csv = std::fs::File::open(csv).unwrap();
    let import = imports::create(env, ws, &options, csv).await.unwrap();
    let rate = import.total_rows as f64 / began.elapsed().as_secs_f64();
    let ends = file::Ends {
        created: import.created_rows,
        duplicate: import.duplicate_rows,
        suppressed: import.suppressed_rows,
        invalid: import.invalid_rows,
    };
    (rate, ends)
}
