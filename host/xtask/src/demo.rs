//! `cargo xtask demo`

use std::process::Command;

use anyhow::Result;

use crate::command::run as run_command;
use crate::workspace::Workspace;
use crate::{binaries, plugins};

/// Builds what `overture demo` needs, and runs it.
pub(crate) fn run(workspace: &Workspace, options: &[String]) -> Result<()> {
    plugins::run(workspace)?;
    let mut demo = Command::new(binaries::build(workspace)?);
    run_command(demo.arg("demo").args(options))
}
