//! `cargo xtask bench send`: campaign mail from the look at what is due to the outcome on disk,
//! through the provider plugin into Postfix's `smtp-sink` over four connections (DESIGN §6).
//!
//! Five runs on each database, both durable; each line is the median with the lowest and the
//! highest run. Beside each run two peers send mails of the same size over as many connections to
//! the same sink, without any record: lettre over a stream with TCP_NODELAY, and nodemailer's pool.

#![expect(clippy::print_stdout, reason = "a bench prints its numbers")]
#![expect(
    clippy::unwrap_used,
    reason = "a bench stops where something is missing"
)]
#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

mod front;
mod peers;
mod sink;
mod world;

use std::path::{Path, PathBuf};

use overture_server_kit::{Durability, start_postgres};
use sink::Sink;
use world::World;

const RUNS: usize = 5;
const CONNECTIONS: usize = 4;
/// Mails of a run, of ours and of each peer.
const MAILS: usize = 2_000;

#[tokio::main]
async fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let nodemailer =
        std::env::var_os("NODEMAILER").expect("`cargo xtask bench send` installs nodemailer");
    let sink = Sink::start();
    let postgres = start_postgres(Durability::On).unwrap();
    let folder = tempfile::tempdir_in(root().join("target")).unwrap();
    let file = format!("sqlite:{}", folder.path().join("overture.db").display());
    let plugin = std::fs::read(root().join("target/plugins/provider-smtp.wasm")).unwrap();

    let databases = [("sqlite", file.as_str()), ("postgres", &postgres.url)];
    let mut worlds = Vec::new();
    for (name, url) in databases {
        let world = World::new(url, sink.port, plugin.clone()).await;
        world.run(MAILS / 4).await;
        worlds.push((name, world, Vec::new(), Vec::new(), Vec::new()));
    }
    let (mut lettre, mut javascript) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let mut size = 0;
        let mut ours = Vec::new();
        for (_, world, ..) in &worlds {
            let run = world.run(MAILS).await;
            assert!(
                run.connections <= CONNECTIONS,
                "{} connections were opened",
                run.connections
            );
            size = run.size;
            ours.push(run.mails_per_s);
        }
        lettre.push(peers::lettre(sink.port, MAILS, size).await);
        javascript.push(peers::nodemailer(&nodemailer, sink.port, MAILS, size));
        let (lettre, javascript) = (lettre[lettre.len() - 1], javascript[javascript.len() - 1]);
        for ((_, _, rates, to_lettre, to_javascript), ours) in worlds.iter_mut().zip(ours) {
            rates.push(ours);
            to_lettre.push(ours / lettre);
            to_javascript.push(ours / javascript);
        }
    }
    for (database, _, rates, to_lettre, to_javascript) in worlds {
        print(json, &format!("mails_per_s.{database}"), "1/s", rates, None);
        let peer = Some("lettre 0.11 over a NODELAY stream");
        print(
            json,
            &format!("vs_lettre_loop.{database}"),
            "ratio",
            to_lettre,
            peer,
        );
        let peer = Some("nodemailer's pool");
        print(
            json,
            &format!("vs_nodemailer.{database}"),
            "ratio",
            to_javascript,
            peer,
        );
    }
    print(json, "lettre_per_s", "1/s", lettre, None);
    print(json, "nodemailer_per_s", "1/s", javascript, None);
}

fn print(json: bool, name: &str, unit: &str, mut values: Vec<f64>, peer: Option<&str>) {
    values.sort_by(f64::total_cmp);
    let (value, min, max) = (values[RUNS / 2], values[0], values[RUNS - 1]);
    if json {
        let peer = peer.map_or_else(String::new, |peer| {
            format!(r#","ratio":{value:.3},"peer":"{peer}""#)
        });
        println!(
            r#"{{"name":"send.{name}","value":{value:.3},"unit":"{unit}","min":{min:.3},"max":{max:.3}{peer}}}"#
        );
    } else {
        println!("send.{name:24} {value:>12.2} {unit:5} ({min:.2} to {max:.2})");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
