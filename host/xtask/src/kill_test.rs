//! `cargo xtask kill-test`

use anyhow::Result;
use overture_server_kit::{Durability, POSTGRES_VARIABLE, start_postgres};

use crate::command::{cargo, run as run_command};
use crate::workspace::Workspace;
use crate::{binaries, plugins, system, test};

/// How often a run kills the process, on each database.
const KILLS_VARIABLE: &str = "OVERTURE_KILLS";

/// Runs the kill tests alone, with so many kills, and shows what they print: the id of each process
/// that was killed, and how often it was in each phase.
pub(crate) fn run(workspace: &Workspace, kills: usize) -> Result<()> {
    system::install_for_tests()?;
    plugins::run(workspace)?;
    let overture = binaries::build_both(workspace)?;
    let postgres = start_postgres(Durability::Off)?;
    // `--workspace` as `binaries::build_both` has it, and for its reason.
    let tests = "test --workspace --test it -- kill:: --nocapture";
    run_command(
        cargo(&workspace.root, tests)
            .env(KILLS_VARIABLE, kills.to_string())
            .env(test::PLAIN_VARIABLE, &overture.plain)
            .env(test::DRIVEN_VARIABLE, &overture.driven)
            .env(POSTGRES_VARIABLE, &postgres.url),
    )
}
