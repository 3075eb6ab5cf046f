//! `cargo xtask ci`

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::command::{announce, cargo, run as run_command, succeeds};
use crate::tally::Tally;
use crate::walls::{chance, edges, map, planted};
use crate::workspace::Workspace;
use crate::{codegen, plugins, simulate, system, test};

/// One thing that a change must pass before its tests count.
struct Check {
    name: &'static str,
    run: fn(&Workspace) -> Result<()>,
}

const CHECKS: &[Check] = &[
    Check {
        name: "format",
        run: check_format,
    },
    Check {
        name: "crate edges",
        run: edges::check,
    },
    Check {
        name: "planted bugs",
        run: planted::check,
    },
    Check {
        name: "time and chance",
        run: chance::check,
    },
    Check {
        name: "map of the crates",
        run: map::check,
    },
    Check {
        name: "one TLS stack",
        run: check_tls_stack,
    },
    // The binary embeds the plugins, so they are built before anything looks at it.
    Check {
        name: "plugins",
        run: plugins::run,
    },
    Check {
        name: "lints",
        run: check_lints,
    },
    Check {
        name: "lints of the guests",
        run: check_lints_of_guests,
    },
    Check {
        name: "generated files",
        run: check_generated,
    },
];

/// Runs every check, also after one failed, then the tests, and at last simulates; each check counts as one
/// test, and so does the simulation.
pub(crate) fn run(workspace: &Workspace) -> Result<ExitCode> {
    system::install_for_tests()?;
    install_components()?;
    let mut tally = Tally::default();
    let mut failures = Vec::new();
    let mut note = |name: &str, outcome: Result<()>, tally: &mut Tally| match outcome {
        Ok(()) => tally.passed += 1,
        Err(error) => {
            eprintln!("error: {name}: {error:#}");
            failures.push(format!("failed: {name}: {error:#}"));
            tally.failed += 1;
        }
    };
    for check in CHECKS {
        eprintln!("\n== {}", check.name);
        note(check.name, (check.run)(workspace), &mut tally);
    }
    eprintln!("\n== tests");
    match test::run(workspace) {
        Ok(tests) => tally += tests,
        Err(error) => note("tests", Err(error), &mut tally),
    }
    eprintln!("\n== simulation");
    note("simulation", simulate::in_ci(workspace), &mut tally);
    for failure in failures {
        println!("{failure}");
    }
    Ok(test::report(tally))
}

fn install_components() -> Result<()> {
    let missing: Vec<_> = [("rustfmt", "fmt"), ("clippy", "clippy")]
        .into_iter()
        .filter(|(_, command)| !succeeds(Command::new("cargo").args([command, "--version"])))
        .map(|(component, _)| component)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    run_command(
        Command::new("rustup")
            .args(["component", "add"])
            .args(&missing),
    )
    .with_context(|| format!("the Rust toolchain lacks {}", missing.join(" and ")))
}

fn check_format(workspace: &Workspace) -> Result<()> {
    run_command(&mut cargo(&workspace.root, "fmt --all --check"))?;
    run_command(&mut cargo(&workspace.guests(), "fmt --all --check"))
}

fn check_lints(workspace: &Workspace) -> Result<()> {
    let clippy = "clippy --workspace --all-targets -- -D warnings";
    run_command(&mut cargo(&workspace.root, clippy))
}

fn check_lints_of_guests(workspace: &Workspace) -> Result<()> {
    let mut clippy = cargo(
        &workspace.guests(),
        "clippy --workspace --all-targets --target-dir",
    );
    run_command(
        clippy
            .arg(workspace.guests_target())
            .args(["--", "-D", "warnings"]),
    )
}

fn check_generated(workspace: &Workspace) -> Result<()> {
    codegen::run(workspace, true)
}

/// A second provider for rustls in the same binary makes it panic at run time.
fn check_tls_stack(workspace: &Workspace) -> Result<()> {
    for absent in ["aws-lc-rs", "openssl-sys"] {
        let mut tree = cargo(&workspace.root, "tree --workspace --invert");
        tree.arg(absent);
        announce(&tree);
        let output = tree.output()?;
        let (users, said) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        match (
            output.status.success(),
            said.contains("did not match any packages"),
        ) {
            (true, _) if users.trim().is_empty() => {}
            (true, _) => bail!("{absent} is back, and TLS is rustls with ring alone:\n{users}"),
            (false, true) => {}
            (false, false) => bail!("{said}"),
        }
    }
    Ok(())
}
