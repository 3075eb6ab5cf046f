//! Compiling in a process of its own: what it takes in memory goes with it, and a plugin that makes
//! the compiler run wild ends nobody else.

use std::{
    ffi::OsString,
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use crate::error::LoadError;

/// A program that reads a plugin file from its input and prints what [`compile`] makes of it, or
/// says on its error output why it can't. It must be this program, or of the same build: its
/// output is trusted.
#[derive(Clone, Debug)]
pub struct Compiler {
    program: PathBuf,
    args: Vec<OsString>,
}

/// Compiles a plugin file for the hosts of this build.
///
/// # Errors
/// [`LoadError::Compile`].
pub fn compile(plugin: &[u8]) -> Result<Vec<u8>, LoadError> {
    let engine = crate::runtime::compiler()?;
    engine.precompile_component(plugin).map_err(not_compiled)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
pub(crate) fn not_compiled(error: wasmtime::Error) -> LoadError {
    LoadError::Compile(format!("{error:#}"))
}

impl Compiler {
    /// Runs `program` with these arguments and nothing of this process's environment.
    pub fn new(program: impl Into<PathBuf>, args: impl IntoIterator<Item: Into<OsString>>) -> Self {
        Self {
            program: program.into(),
            args: args.into_iter().map(Into::into).collect(),
        }
    }

    /// What the program makes of a plugin. None where it can't be run: its file may have been
    /// replaced under a running server.
    pub(crate) fn run(&self, plugin: &[u8]) -> Option<Result<Vec<u8>, LoadError>> {
        let output = match self.output(plugin) {
            Ok(output) => output,
            Err(error) => {
                tracing::warn!("{} can't be run: {error}", self.program.display());
                return None;
            }
        };
        if output.status.success() {
            return Some(Ok(output.stdout));
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let words = match (said.trim(), output.status.code()) {
            (words, Some(_)) if !words.is_empty() => words.trim_start_matches("error: ").to_owned(),
            _ => format!(
                "compiling it takes too much time or memory, or the compiler died of it ({})",
                output.status
            ),
        };
        Some(Err(LoadError::Compile(words)))
    }

    fn output(&self, plugin: &[u8]) -> std::io::Result<Output> {
        let mut child = Command::new(&self.program)
            .args(&self.args)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // One that doesn't read on says why, or its status does.
            let _ = input.write_all(plugin);
        }
        child.wait_with_output()
    }
}
