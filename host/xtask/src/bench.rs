//! `cargo xtask bench NAME`

use std::fs;

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;

use crate::command::{cargo, run as run_command};
use crate::machine::Machine;
use crate::plugins;
use crate::workspace::Workspace;

/// A bench is an example of the crate that it measures.
struct Bench {
    name: &'static str,
    package: &'static str,
    example: &'static str,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "plugin",
        package: "overture-plugin-host",
        example: "bench_plugin",
    },
    Bench {
        name: "template",
        package: "overture-template",
        example: "bench_template",
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
        package, example, ..
    } = bench.context("there is no such bench")?;
    plugins::run(workspace)?;
    let of = format!("--release -p {package} --example {example}");
    run_command(&mut cargo(&workspace.root, &format!("build {of}")))?;

    let target = workspace.target();
    fs::create_dir_all(&target).with_context(|| target.display().to_string())?;
    let machine = Machine::look(&target)?;
    if json {
        print!("{}", machine.json());
    } else {
        print!("{machine}");
    }
    let json = if json { "--json" } else { "" };
    run_command(&mut cargo(
        &workspace.root,
        &format!("run --quiet {of} -- {json}"),
    ))
}
