//! `cargo xtask bench idle`: the released program with all its plugins, while nothing happens
//! (DESIGN §6).
//!
//! Five processes, each in a folder of its own on SQLite: how long each takes from its start until it
//! listens, and how much memory each has after a minute. `idle.start_ms` is a start with compiled
//! plugins, as every one but the first; `idle.start_cold_ms` is the first.

#![expect(clippy::print_stdout, reason = "a bench prints its numbers")]
#![expect(
    clippy::unwrap_used,
    reason = "a bench stops where something is missing"
)]
#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

use std::{
    env, fs,
    process::Stdio,
    time::{Duration, Instant},
};

use overture_testkit::app::{Installation, binary};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Child,
};

const PROCESSES: usize = 5;
const MIB: f64 = 1_048_576.0;

#[tokio::main]
async fn main() {
    let json = env::args().any(|arg| arg == "--json");
    let (mut cold, mut warm, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    let mut running = Vec::new();
    for _ in 0..PROCESSES {
        let installation = Installation::new(binary(), "", "sqlite:data/overture.db");
        let (mut first, took) = start(&installation).await;
        cold.push(took);
        first.kill().await.unwrap();
        let (process, took) = start(&installation).await;
        warm.push(took);
        running.push((process, installation));
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    for (process, _) in &running {
        memory.push(rss_mb(process));
    }
    let size = fs::metadata(binary()).unwrap().len() as f64 / MIB;
    print(json, "idle.rss_mb", "MB", memory);
    print(json, "idle.binary_mb", "MB", vec![size]);
    print(json, "idle.start_ms", "ms", warm);
    print(json, "idle.start_cold_ms", "ms", cold);
}

/// A process that listens, and how many milliseconds it took.
async fn start(installation: &Installation) -> (Child, f64) {
    let begun = Instant::now();
    let mut process = installation
        .command(&["serve"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().expect("it comes up");
    assert!(line.starts_with("listening on "), "{line}");
    (process, begun.elapsed().as_secs_f64() * 1_000.0)
}

fn rss_mb(process: &Child) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib / 1024.0
}

/// The median, with the lowest and the highest.
fn print(json: bool, name: &str, unit: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let tenth = |value: f64| (value * 10.0).round() / 10.0;
    let value = tenth(values[values.len() / 2]);
    let (min, max) = (tenth(values[0]), tenth(values[values.len() - 1]));
    if json {
        println!(
            "{}",
            json!({"name": name, "value": value, "unit": unit, "min": min, "max": max})
        );
    } else {
        println!("{name:24} {value:8} {unit}  ({min} to {max})");
    }
}
