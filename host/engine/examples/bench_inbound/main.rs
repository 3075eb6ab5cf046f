//! `cargo xtask bench inbound`: mails that come in, from the look into the mailboxes to the cursor
//! on disk (DESIGN §6): parsed, attributed to an enrollment, judged by `classifier-rules`, acted on
//! and stored with their events.
//!
//! Five runs on each database, both durable; each line is the median with the lowest and the
//! highest run. `mails_per_s`: the provider hands over the bytes, so that no server is in between.
//! `end_to_end_per_s`: `provider-smtp` lists and the host fetches them from a real Dovecot, over TLS.

#![expect(clippy::print_stdout, reason = "a bench prints its numbers")]
#![expect(
    clippy::unwrap_used,
    reason = "a bench stops where something is missing"
)]
#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

mod mails;
mod pages;
mod world;

use std::path::{Path, PathBuf};

use overture_server_kit::{Account, Durability, MailOptions, start_mail, start_postgres};
use world::{Source, World};

const RUNS: usize = 5;
/// Mailboxes that are read at the same time.
const MAILBOXES: usize = 16;
/// Mails of a run, over all mailboxes.
const HANDED_OVER: usize = 3_200;
const FETCHED: usize = 1_600;

#[tokio::main]
async fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    // Asked for as `OVERTURE_BENCH_MAILS=160` to try the bench itself.
    let fewer = std::env::var("OVERTURE_BENCH_MAILS").map(|n| n.parse::<usize>().unwrap());
    let worlds = [
        ("mails_per_s", "sqlite", Source::Provider, HANDED_OVER),
        ("mails_per_s", "postgres", Source::Provider, HANDED_OVER),
        ("end_to_end_per_s", "sqlite", Source::Server, FETCHED),
        ("end_to_end_per_s", "postgres", Source::Server, FETCHED),
    ];
    let addresses = |world: usize| -> Vec<String> {
        (0..MAILBOXES)
            .map(|n| format!("m{n}@w{world}.test"))
            .collect()
    };
    let accounts = (0..worlds.len()).flat_map(addresses);
    let options = MailOptions {
        prospects: 0,
        accounts: accounts
            .map(|address| Account::new(&address, "pw"))
            .collect(),
        ..MailOptions::default()
    };
    let servers = start_mail(&options).unwrap_or_else(|error| panic!("{error}"));
    let folder = tempfile::tempdir_in(root().join("target")).unwrap();
    let plugins = ["provider-smtp", "classifier-rules"].map(|name| {
        let file = root().join(format!("target/plugins/{name}.wasm"));
        std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    });

    // Each has a database of its own.
    let mut clusters = Vec::new();
    let mut measured = Vec::new();
    for (nth, (name, database, from, mails)) in worlds.into_iter().enumerate() {
        let url = if database == "sqlite" {
            let file = folder.path().join(format!("{nth}.db"));
            format!("sqlite:{}", file.display())
        } else {
            let cluster = start_postgres(Durability::On).unwrap();
            let url = cluster.url.clone();
            clusters.push(cluster);
            url
        };
        let mails = fewer.clone().unwrap_or(mails);
        let world = World::new(&url, from, &servers, addresses(nth), plugins.to_vec()).await;
        world.run(mails / 4).await;
        measured.push((format!("{name}.{database}"), world, mails, Vec::new()));
    }
    for _ in 0..RUNS {
        for (_, world, mails, rates) in &mut measured {
            rates.push(world.run(*mails).await);
        }
    }
    for (name, _, _, rates) in measured {
        print(json, &name, rates);
    }
}

fn print(json: bool, name: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let (value, min, max) = (values[RUNS / 2], values[0], values[RUNS - 1]);
    if json {
        println!(
            r#"{{"name":"inbound.{name}","value":{value:.1},"unit":"1/s","min":{min:.1},"max":{max:.1}}}"#
        );
    } else {
        println!("inbound.{name:26} {value:>10.0} 1/s ({min:.0} to {max:.0})");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
