//! `cargo xtask bench planner`: what a look at what is due costs while 5,000 people of ten
//! workspaces with 1,000 mailboxes wait, beside a small past and a large one (DESIGN §6).
//!
//! Five runs on each database, both durable; each line is the median with the lowest and the
//! highest run. The past of all of them is written first. It takes a quarter of an hour. A tick
//! plans, decides, reserves and hands out. The sends that it begins have ended before the next one:
//! what they cost is `bench send`.

#![expect(clippy::print_stdout, reason = "a bench prints its numbers")]
#![expect(
    clippy::unwrap_used,
    reason = "a bench stops where something is missing"
)]
#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

mod world;

use std::{path::Path, time::Duration};

use overture_server_kit::{Durability, start_postgres};
use world::World;

const RUNS: usize = 5;

/// The past, in chunks of 10,000 prospects and 100,000 events.
const SMALL: usize = 1;
const LARGE: usize = 100;

#[tokio::main]
async fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let folder = tempfile::tempdir_in(&target).unwrap();
    let servers = [(); 2].map(|()| start_postgres(Durability::On).unwrap());
    let file = |size| format!("sqlite:{}/{size}.db", folder.path().display());
    let [files, urls] = [
        [file("small"), file("large")],
        [servers[0].url.clone(), servers[1].url.clone()],
    ]
    .map(|[small, large]| async move {
        tokio::join!(World::new(&small, SMALL), World::new(&large, LARGE))
    });
    let (sqlite, postgres) = tokio::join!(files, urls);
    for (name, (mut small, mut large)) in [("sqlite", sqlite), ("postgres", postgres)] {
        let (mut worst, mut growth) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let few: Duration = small.run().await.iter().sum();
            let mut ticks = large.run().await;
            growth.push(ms(ticks.iter().sum()) / ms(few));
            ticks.sort_unstable();
            worst.push(ms(ticks[ticks.len() * 99 / 100]));
        }
        print(json, &format!("tick_p99_ms.{name}"), "ms", worst);
        print(json, &format!("growth.{name}"), "ratio", growth);
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn print(json: bool, name: &str, unit: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let (value, min, max) = (values[RUNS / 2], values[0], values[RUNS - 1]);
    if json {
        println!(
            r#"{{"name":"planner.{name}","value":{value:.3},"unit":"{unit}","min":{min:.3},"max":{max:.3}}}"#
        );
    } else {
        println!("planner.{name:24} {value:>12.2} {unit:5} ({min:.2} to {max:.2})");
    }
}
