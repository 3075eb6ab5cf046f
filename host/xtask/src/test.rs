//! `cargo xtask test`

use std::process::ExitCode;

use anyhow::Result;
use overture_server_kit::{
    Durability, MAIL_VARIABLE, MailOptions, POSTGRES_VARIABLE, start_mail, start_postgres,
};

use crate::command::{cargo, lines};
use crate::tally::{Counter, Tally};
use crate::workspace::Workspace;
use crate::{binaries, plugins, system};

/// Path of `overture`, for tests that run it as a process of its own.
pub(crate) const PLAIN_VARIABLE: &str = "OVERTURE_BIN";

/// Path of `overture` with the feature `test-clock`.
pub(crate) const DRIVEN_VARIABLE: &str = "OVERTURE_BIN_DRIVEN";

/// Runs the tests of both workspaces. An error when they could not be run at all.
pub(crate) fn run(workspace: &Workspace) -> Result<Tally> {
    system::install_for_tests()?;
    plugins::run(workspace)?;
    let overture = binaries::build_both(workspace)?;

    let mail = start_mail(&MailOptions::default())?;
    let postgres = start_postgres(Durability::Off)?;
    let servers = format!("{}, {}", mail.versions(), postgres.version);
    println!("started {servers}");

    let mut failed_names = Vec::new();
    let mut count = |command: &mut std::process::Command| -> Result<Tally> {
        let mut counter = Counter::default();
        let succeeded = lines(command, |line| {
            println!("{line}");
            counter.line(line);
        })?;
        let (tally, names) = counter.finish(succeeded);
        failed_names.extend(names);
        Ok(tally)
    };

    let mut tally = count(
        cargo(&workspace.root, "test --workspace --no-fail-fast")
            .env(PLAIN_VARIABLE, &overture.plain)
            .env(DRIVEN_VARIABLE, &overture.driven)
            .env(MAIL_VARIABLE, mail.handover())
            .env(POSTGRES_VARIABLE, &postgres.url),
    )?;
    tally += count(
        cargo(
            &workspace.guests(),
            "test --workspace --lib --no-fail-fast --target-dir",
        )
        .arg(workspace.guests_target()),
    )?;

    println!();
    for name in failed_names {
        println!("failed: {name}");
    }
    println!("servers: {servers}");
    println!("sqlite: {}, postgres: {}", tally.sqlite, tally.postgres);
    if tally.sqlite != tally.postgres {
        println!("failed: each test of the store runs on both databases; the counts differ");
        tally.failed += 1;
    }
    Ok(tally)
}

/// `cargo xtask doc-test`: the commands of README and documentation alone, but for the long ones.
pub(crate) fn documentation(workspace: &Workspace) -> Result<()> {
    system::install_for_tests()?;
    plugins::run(workspace)?;
    let overture = binaries::build_both(workspace)?;
    crate::command::run(
        cargo(&workspace.root, "test --workspace --test it readme")
            .env(PLAIN_VARIABLE, &overture.plain)
            .env(DRIVEN_VARIABLE, &overture.driven),
    )
}

/// The last line, and the exit code.
pub(crate) fn report(tally: Tally) -> ExitCode {
    println!("{tally}");
    if tally.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
