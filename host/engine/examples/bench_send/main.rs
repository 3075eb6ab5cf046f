//! `cargo xtask bench send`: campaign mail from the look at what is due to the outcome on disk,
//! through the provider plugin into Postfix's `smtp-sink` over four connections (DESIGN §6).
//!
//! Five runs on each database, both durable; each line is the median with the lowest and the
//! highest run. Beside each run two peers send mails of the same size over as many connections to
//! the same sink, without any record: lettre over a stream with TCP_NODELAY, and nodemailer's pool.
//! They go where we go, over TLS and signed in (decision 25), and beside that straight into the sink
//! (`bare`).

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

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use front::Front;
use overture_server_kit::{Durability, start_postgres};
use peers::Way;
use sink::Sink;
use world::World;

const RUNS: usize = 5;
const CONNECTIONS: usize = 4;
/// Mails of a run, of ours and of each peer.
const MAILS: usize = 2_000;

/// A peer and how it goes, by the name of its metrics.
const PEERS: [(&str, &str); 4] = [
    ("lettre_loop", "lettre 0.11 over a NODELAY stream"),
    ("nodemailer", "nodemailer's pool"),
    ("lettre_bare", "the same without TLS and sign-in"),
    ("nodemailer_bare", "the same without TLS and sign-in"),
];

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
    let secured = Way::through(Arc::new(Front::new(sink.port))).await;
    let bare = Way::Sink(sink.port);

    let databases = [("sqlite", file.as_str()), ("postgres", &postgres.url)];
    let mut worlds = Vec::new();
    for (name, url) in databases {
        let world = World::new(url, sink.port, plugin.clone()).await;
        world.run(MAILS / 4).await;
        worlds.push((name, world, Vec::new()));
    }
    let mut theirs: [Vec<f64>; PEERS.len()] = Default::default();
    for _ in 0..RUNS {
        let mut size = 0;
        for (_, world, ours) in &mut worlds {
            let run = world.run(MAILS).await;
            assert!(
                run.connections <= CONNECTIONS,
                "{} connections were opened",
                run.connections
            );
            size = run.size;
            ours.push(run.mails_per_s);
        }
        let rates = [
            peers::lettre(&secured, MAILS, size).await,
            peers::nodemailer(&nodemailer, &secured, MAILS, size).await,
            peers::lettre(&bare, MAILS, size).await,
            peers::nodemailer(&nodemailer, &bare, MAILS, size).await,
        ];
        for (all, rate) in theirs.iter_mut().zip(rates) {
            all.push(rate);
        }
    }
    for (database, _, ours) in worlds {
        let name = format!("mails_per_s.{database}");
        print(json, &name, "1/s", ours.clone(), None);
        for ((name, peer), theirs) in PEERS.iter().zip(&theirs) {
            let ratios = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs);
            let name = format!("vs_{name}.{database}");
            print(json, &name, "ratio", ratios.collect(), Some(peer));
        }
    }
    for ((name, _), rates) in PEERS.iter().zip(theirs) {
        print(json, &format!("{name}_per_s"), "1/s", rates, None);
    }
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
