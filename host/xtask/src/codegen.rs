//! `cargo xtask codegen`: files that are written from code, committed, and compared in CI.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{binaries, command, plugins};

/// A file and what prints it.
struct Generated {
    file: &'static str,
    by: By,
}

enum By {
    /// A command of `overture`.
    Command(&'static str),
    /// An example of a crate: what the program needn't hold.
    Example(&'static str),
}

const GENERATED: &[Generated] = &[
    Generated {
        file: "host/api/openapi.json",
        by: By::Example("openapi"),
    },
    Generated {
        file: "host/docs/RULES.md",
        by: By::Command("rules"),
    },
    Generated {
        file: "host/docs/CONFIG.md",
        by: By::Command("settings"),
    },
    Generated {
        file: "host/docs/METRICS.md",
        by: By::Command("metrics"),
    },
];

/// Writes the files, or says which of them are not what would be written.
pub(crate) fn run(workspace: &Workspace, check: bool) -> Result<()> {
    plugins::run(workspace)?;
    let overture = binaries::build(workspace)?;
    let mut stale = Vec::new();
    for Generated { file, by } in GENERATED {
        let mut program = match by {
            By::Command(name) => {
                let mut program = Command::new(&overture);
                program.arg(name);
                program
            }
            By::Example(name) => Command::new(binaries::build_example(workspace, name)?),
        };
        let text = command::output(&mut program)?;
        let path = workspace.path(file);
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            eprintln!("{file} is up to date");
        } else if check {
            stale.push(*file);
        } else {
            fs::write(&path, text).with_context(|| path.display().to_string())?;
            eprintln!("wrote {file}");
        }
    }
    if !stale.is_empty() {
        bail!(
            "{} differs from what the code says; run `cargo xtask codegen`",
            stale.join(", ")
        );
    }
    Ok(())
}
