//! `cargo xtask`: the only build tool that a person needs. One file a subcommand; each says what
//! it does while it does it, and prints the commands that it runs.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool speaks to a person"
)]

mod bench;
mod binaries;
mod ci;
mod codegen;
mod command;
mod corpora;
mod demo;
mod dist;
mod kill_test;
mod machine;
mod mutants;
mod plugins;
mod servers;
mod simulate;
mod system;
mod tally;
mod test;
mod walls;
mod wasm_target;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::tally::Tally;
use crate::workspace::Workspace;

/// Overture's build system.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs all tests of both workspaces, on real servers.
    Test,
    /// Runs the commands of README and documentation, as `test` does, and nothing else.
    DocTest,
    /// Runs every check, and then all tests: what a change must pass.
    Ci,
    /// Builds and packs the plugins, the SDK's template and the guests of the tests.
    Plugins,
    /// Writes the files that are generated from code.
    Codegen {
        /// Writes nothing; fails when a file is not what would be written.
        #[arg(long)]
        check: bool,
    },
    /// Measures on a release build; says first what machine this is.
    Bench {
        /// What to measure.
        #[arg(value_parser = bench::names())]
        name: String,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Fetches public samples of bounces and broken mails, and reads them.
    Corpora,
    /// A campaign in a sandbox, under way for ten days: builds the platform and runs it. `--once` checks
    /// a whole campaign on virtual time, `--fresh` starts over; all options are those of `overture demo`.
    Demo {
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "OPTIONS"
        )]
        options: Vec<String>,
    },
    /// Builds what is released: the program, a Debian package, what a container is made from.
    Dist {
        /// Also installs the package in a clean root and runs it there (as root).
        #[arg(long)]
        check: bool,
    },
    /// Kills a sending process again and again, on real servers and both databases, and checks that
    /// no mail is lost or comes twice.
    KillTest {
        /// How often, on each database.
        #[arg(long, value_name = "N", default_value_t = 300)]
        kills: usize,
    },
    /// Simulates campaigns under faults by chance, and checks every rule of sending.
    Simulate {
        #[command(flatten)]
        options: simulate::Options,
    },
    /// Plants bugs one by one and looks whether the simulator finds them.
    Mutants {
        /// This one alone; can be given several times.
        #[arg(long, value_name = "NAME")]
        only: Vec<String>,
        /// Seeds within which each must be found.
        #[arg(long, value_name = "N", default_value_t = 50)]
        seeds: u64,
        /// Processes at a time.
        #[arg(long, value_name = "N", default_value_t = simulate::cores())]
        jobs: u64,
    },
    /// Starts mail servers and PostgreSQL until its input ends, and says how to reach them.
    Servers {
        /// Also writes ports, accounts and the CA file as shell variables.
        #[arg(long, value_name = "FILE")]
        env: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let task = Arguments::parse().task;
    let counts = matches!(task, Task::Test | Task::Ci);
    let outcome = Workspace::find().and_then(|workspace| match task {
        Task::Test => test::run(&workspace).map(test::report),
        Task::Ci => ci::run(&workspace),
        Task::DocTest => test::documentation(&workspace).map(|()| ExitCode::SUCCESS),
        Task::Plugins => plugins::run(&workspace).map(|()| ExitCode::SUCCESS),
        Task::Codegen { check } => codegen::run(&workspace, check).map(|()| ExitCode::SUCCESS),
        Task::Bench { name, json } => {
            bench::run(&workspace, &name, json).map(|()| ExitCode::SUCCESS)
        }
        Task::Corpora => corpora::run(&workspace).map(|()| ExitCode::SUCCESS),
        Task::Dist { check } => dist::run(&workspace, check).map(|()| ExitCode::SUCCESS),
        Task::Demo { options } => demo::run(&workspace, &options).map(|()| ExitCode::SUCCESS),
        Task::KillTest { kills } => kill_test::run(&workspace, kills).map(|()| ExitCode::SUCCESS),
        Task::Simulate { options } => {
            simulate::run(&workspace, &options).map(|()| ExitCode::SUCCESS)
        }
        Task::Mutants { only, seeds, jobs } => {
            mutants::run(&workspace, &only, seeds, jobs).map(|()| ExitCode::SUCCESS)
        }
        Task::Servers { env } => servers::run(env.as_deref()).map(|()| ExitCode::SUCCESS),
    });
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        if counts {
            return test::report(Tally {
                failed: 1,
                ..Tally::default()
            });
        }
        ExitCode::FAILURE
    })
}
