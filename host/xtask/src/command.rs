//! Running other programs. Each is printed before it runs; that and all that a subcommand says about
//! its progress goes to standard error, so that standard output holds results alone.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// `cargo` in a folder. What the cargo that runs us says about *our* package is taken out of its
/// environment: build scripts that look at it would be built again.
pub(crate) fn cargo(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(folder)
        .args(arguments.split_whitespace());
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs to the end; an error when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = announce(command);
    let status = command.status().with_context(|| shown.clone())?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// Runs to the end, gives its standard output and leaves its errors to the terminal.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = announce(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| shown.clone())?;
    if !output.status.success() {
        bail!("`{shown}` failed ({})", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("what `{shown}` prints is no text"))
}

/// Runs to the end, hands over each line of its standard output as it comes, and says whether it
/// succeeded.
pub(crate) fn lines(command: &mut Command, mut each: impl FnMut(&str)) -> Result<bool> {
    let shown = announce(command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| shown.clone())?;
    let output = child.stdout.take().context("standard output is a pipe")?;
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        each(String::from_utf8_lossy(&line).trim_end_matches('\n'));
        line.clear();
    }
    Ok(child.wait()?.success())
}

/// Whether it can be run and succeeds; prints nothing.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Prints a command as one would type it.
pub(crate) fn announce(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default();
    let words: Vec<_> = std::iter::once(program)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let shown = words.join(" ");
    eprintln!("$ {shown}");
    shown
}
