//! `cargo xtask bench NAME`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;

use crate::command::{cargo, run as run_command};
use crate::dist;
use crate::machine::Machine;
use crate::plugins;
use crate::workspace::Workspace;

/// A bench is an example of the crate that it measures.
struct Bench {
    name: &'static str,
    example: &'static str,
    /// Measures packed plugins.
    plugins: bool,
    /// Runs the program itself, in release.
    program: bool,
    /// What it is compared with in the same run.
    peer: Option<Peer>,
}

/// A package of npm that a bench runs beside ours. One that can't be installed fails the bench.
struct Peer {
    package: &'static str,
    version: &'static str,
    /// Tells the bench in which folder it was installed.
    variable: &'static str,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "jobs",
        example: "bench_jobs",
        plugins: false,
        program: false,
        peer: None,
    },
    Bench {
        name: "plugin",
        example: "bench_plugin",
        plugins: true,
        program: false,
        peer: None,
    },
    Bench {
        name: "fairness",
        example: "bench_fairness",
        plugins: true,
        program: false,
        peer: None,
    },
    Bench {
        name: "idle",
        example: "bench_idle",
        plugins: true,
        program: true,
        peer: None,
    },
    Bench {
        name: "imap-idle",
        example: "bench_imap_idle",
        plugins: true,
        program: true,
        peer: None,
    },
    Bench {
        name: "import",
        example: "bench_import",
        plugins: false,
        program: false,
        peer: None,
    },
    Bench {
        name: "inbound",
        example: "bench_inbound",
        plugins: true,
        program: false,
        peer: None,
    },
    Bench {
        name: "planner",
        example: "bench_planner",
        plugins: false,
        program: false,
        peer: None,
    },
    Bench {
        name: "send",
        example: "bench_send",
        plugins: true,
        program: false,
        peer: Some(Peer {
            package: "nodemailer",
            version: "10.6.0",
            variable: "NODEMAILER",
        }),
    },
    Bench {
        name: "template",
        example: "bench_template",
        plugins: false,
        program: false,
        peer: Some(Peer {
            package: "liquidjs",
            version: "10.30.1",
            variable: "LIQUIDJS",
        }),
    },
];

/// What may stand as NAME.
pub(crate) fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(BENCHES.iter().map(|bench| bench.name))
}

/// Builds the bench in release, says what machine this is and runs it.
pub(crate) fn run(workspace: &Workspace, name: &str, json: bool) -> Result<()> {
    let bench = BENCHES.iter().find(|bench| bench.name == name);
    let Bench {
        example,
        plugins,
        program,
        peer,
        ..
    } = bench.context("there is no such bench")?;
    if *plugins {
        plugins::run(workspace)?;
    }
    let target = workspace.target();
    let mut command = Command::new(target.join("release/examples").join(example));
    if *program {
        command.env("OVERTURE_BIN", dist::program(workspace)?);
    }
    // Of the workspace: its crates are built once for all benches.
    let build = format!("build --release --workspace --example {example}");
    run_command(&mut cargo(&workspace.root, &build))?;

    fs::create_dir_all(&target).with_context(|| target.display().to_string())?;
    let machine = Machine::look(&target)?;
    if json {
        print!("{}", machine.json());
    } else {
        print!("{machine}");
    }
    if json {
        command.arg("--json");
    }
    if let Some(peer) = peer {
        command.env(peer.variable, install(&target, peer)?);
    }
    run_command(&mut command)
}

/// Installs a peer in a folder of its own under `target`; one that is there stays.
fn install(target: &Path, peer: &Peer) -> Result<PathBuf> {
    let folder = target
        .join("peers")
        .join(format!("{}-{}", peer.package, peer.version));
    if !folder.join("node_modules").join(peer.package).exists() {
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let package = format!("{}@{}", peer.package, peer.version);
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--prefix"])
            .arg(&folder)
            .arg(&package);
        run_command(npm.stdout(Stdio::null()))
            .with_context(|| format!("the peer {package} can't be had: is npm installed?"))?;
    }
    Ok(folder)
}
