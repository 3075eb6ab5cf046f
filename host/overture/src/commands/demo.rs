use anyhow::{Result, bail};
use clap::Args;

use crate::demo;

#[derive(Debug, Args)]
pub struct Options {
    /// Run one small campaign to its end on virtual time, and check what came of it
    #[arg(long)]
    once: bool,
    /// Let somebody behave otherwise than expected (ADDRESS=PERSONA): the check must see it
    #[arg(long, value_name = "ADDRESS=PERSONA", hide = true)]
    alter: Option<String>,
}

/// `overture demo`
pub async fn run(options: Options) -> Result<()> {
    if !options.once {
        bail!("give --once: the campaign runs on virtual time and ends with a table");
    }
    demo::once(options.alter.as_deref()).await
}
