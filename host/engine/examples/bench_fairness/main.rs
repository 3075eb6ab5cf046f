//! `cargo xtask bench fairness`: how long one workspace's mail waits while another has 100,000 queued
//! (SCH-8), on the real clock: from the moment for which it is planned to the answer of Postfix's
//! `smtp-sink`, through the provider plugin. The large workspace sends as fast as the caps let it.
//!
//! The median and the 99th of a hundred of so many mails, which are due within a few minutes.

#![expect(clippy::print_stdout, reason = "a bench prints its numbers")]
#![expect(
    clippy::unwrap_used,
    reason = "a bench stops where something is missing"
)]
#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

#[path = "../bench_send/front.rs"]
mod front;
#[path = "../bench_send/sink.rs"]
mod sink;
mod world;

use std::path::{Path, PathBuf};

use overture_server_kit::{Durability, start_postgres};
use sink::Sink;
use world::World;

/// Mails that wait in the large workspace.
const QUEUED: usize = 100_000;
/// Mails of the other one.
const MAILS: usize = 200;

#[tokio::main]
async fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let sink = Sink::start();
    let postgres = start_postgres(Durability::On).unwrap();
    let folder = tempfile::tempdir_in(root().join("target")).unwrap();
    let file = format!("sqlite:{}", folder.path().join("overture.db").display());
    let plugin = std::fs::read(root().join("target/plugins/provider-smtp.wasm")).unwrap();
    for (name, url) in [("sqlite", file.as_str()), ("postgres", &postgres.url)] {
        let world = World::new(url, sink.port, plugin.clone(), QUEUED).await;
        let mut run = world.run(MAILS).await;
        run.waits_ms.sort_by(f64::total_cmp);
        let at =
            |part: f64| run.waits_ms[((MAILS as f64 * part).ceil() as usize).clamp(1, MAILS) - 1];
        print(json, &format!("wait_p50.{name}"), "ms", at(0.5));
        print(json, &format!("wait_p99.{name}"), "ms", at(0.99));
        print(
            json,
            &format!("beside_per_s.{name}"),
            "1/s",
            run.beside_per_s,
        );
    }
}

fn print(json: bool, name: &str, unit: &str, value: f64) {
    if json {
        println!(r#"{{"name":"fairness.{name}","value":{value:.3},"unit":"{unit}"}}"#);
    } else {
        println!("fairness.{name:24} {value:>12.2} {unit}");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
