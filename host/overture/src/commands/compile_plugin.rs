//! `overture compile-plugin`: what the server starts for each plugin that it has not compiled before.

use std::io::{self, Read, Write};

use anyhow::{Context, Result, anyhow};
use overture_plugin_host::{Compiler, LoadError, compile};
use rustix::process::{Resource, Rlimit, setrlimit};

/// As the command line has it.
const NAME: &str = "compile-plugin";

/// Seconds of CPU time, on all threads; the largest of our own takes 2.
const SECONDS: u64 = 120;

/// Bytes of addresses.
const MEMORY: u64 = 4 << 30;

/// This program, as a compiler of plugins. None where the system doesn't say where it lies.
pub fn compiler() -> Option<Compiler> {
    let program = std::env::current_exe().ok()?;
    Some(Compiler::new(program, [NAME]))
}

/// Compiles the plugin on the input, and writes its code to the output.
///
/// # Errors
/// Why it can't be compiled.
pub fn run() -> Result<()> {
    for (resource, most) in [(Resource::Cpu, SECONDS), (Resource::As, MEMORY)] {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        // A stricter limit that is there already will do.
        let _ = setrlimit(resource, limit);
    }
    let mut plugin = Vec::new();
    io::stdin()
        .read_to_end(&mut plugin)
        .context("the plugin can't be read")?;
    let code = compile(&plugin).map_err(|error| match error {
        // Whoever reads it says that it is about compiling.
        LoadError::Compile(words) => anyhow!(words),
        other => other.into(),
    })?;
    io::stdout()
        .write_all(&code)
        .context("the code can't be written")
}
