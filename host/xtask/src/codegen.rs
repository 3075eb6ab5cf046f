//! `cargo xtask codegen`: files that are written from code, committed, and compared in CI.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{binaries, command, plugins};

/// A file and the arguments of `overture` whose output it holds.
struct Generated {
    file: &'static str,
    arguments: &'static [&'static str],
}

const GENERATED: &[Generated] = &[
    Generated {
        file: "host/api/openapi.json",
        arguments: &["openapi"],
    },
    Generated {
        file: "host/docs/RULES.md",
        arguments: &["rules"],
    },
    Generated {
        file: "host/docs/CONFIG.md",
        arguments: &["settings"],
    },
    Generated {
        file: "host/docs/METRICS.md",
        arguments: &["metrics"],
    },
];

/// Writes the files, or says which of them are not what would be written.
pub(crate) fn run(workspace: &Workspace, check: bool) -> Result<()> {
    plugins::run(workspace)?;
    let overture = binaries::build(workspace)?;
    let mut stale = Vec::new();
    for Generated { file, arguments } in GENERATED {
        let text = command::output(Command::new(&overture).args(*arguments))?;
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
