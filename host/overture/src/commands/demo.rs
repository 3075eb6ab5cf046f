use std::{fs, net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use crate::demo::{
    live, once,
    people::{OF_LIVE, OF_ONCE, People},
};

#[derive(Debug, Args)]
pub struct Options {
    /// Run one campaign to its end on virtual time, and check what came of it
    #[arg(long)]
    once: bool,
    /// Who is in it: a TOML file in place of the built-in people
    #[arg(long, value_name = "FILE")]
    people: Option<PathBuf>,
    /// Let somebody behave otherwise than expected (ADDRESS=BEHAVIOUR): the check must see it
    #[arg(long, value_name = "ADDRESS=BEHAVIOUR", hide = true, requires = "once")]
    alter: Option<String>,
    /// Where the demo keeps its data
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "data",
        conflicts_with = "once"
    )]
    data: PathBuf,
    /// Address and port of its API
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080",
        conflicts_with = "once"
    )]
    listen: SocketAddr,
    /// Start over: delete what an earlier demo has left
    #[arg(long, conflicts_with = "once")]
    fresh: bool,
    /// Days that have passed when it begins
    #[arg(long, value_name = "N", default_value_t = 10, conflicts_with = "once",
        value_parser = clap::value_parser!(u32).range(1..=30))]
    days: u32,
}

/// `overture demo`
pub async fn run(options: Options) -> Result<()> {
    let people = |built_in| people(options.people.as_ref(), built_in);
    if options.once {
        return once::run(&people(OF_ONCE)?, options.alter.as_deref()).await;
    }
    let people = people(OF_LIVE)?;
    let Options {
        data,
        listen,
        fresh,
        days,
        ..
    } = options;
    live::run(live::Start {
        data,
        listen,
        fresh,
        days,
        people,
    })
    .await
}

fn people(file: Option<&PathBuf>, built_in: &str) -> Result<People> {
    let Some(file) = file else {
        return People::read(built_in).context("the built-in people can't be used");
    };
    let text = fs::read_to_string(file)
        .with_context(|| format!("the people's file {} can't be read", file.display()))?;
    People::read(&text).with_context(|| format!("the people of {} can't be used", file.display()))
}
