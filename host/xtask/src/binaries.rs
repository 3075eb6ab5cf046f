//! The `overture` binary, built so that nothing is compiled twice.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::{cargo, run};
use crate::workspace::Workspace;

/// Both builds of `overture`.
pub(crate) struct Binaries {
    /// As it is released.
    pub(crate) plain: PathBuf,
    /// With the feature `test-clock`: `serve --clock unix:PATH` takes its time from a driver.
    pub(crate) driven: PathBuf,
}

/// Builds `overture` without and with driven time, together with all tests: only then cargo
/// unifies the features of shared crates as `cargo test --workspace` does, and of the second build
/// only the last crate is new.
pub(crate) fn build_with_tests(workspace: &Workspace) -> Result<Binaries> {
    let build = |features: &str, name: &str| {
        run(&mut cargo(
            &workspace.root,
            &format!("build --workspace --all-targets {features}"),
        ))?;
        keep(workspace, name)
    };
    // The plain one comes last, so that `cargo test --workspace` finds it as it is.
    let driven = build("--features overture/test-clock", "overture-driven")?;
    let plain = build("", "overture")?;
    Ok(Binaries { plain, driven })
}

/// Builds `overture` alone.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    run(&mut cargo(
        &workspace.root,
        "build --workspace --bin overture",
    ))?;
    Ok(workspace.target().join("debug/overture"))
}

/// Copies what was just built to a place where the next build doesn't overwrite it.
fn keep(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let built = workspace.target().join("debug/overture");
    let kept = workspace.target().join("xtask").join(name);
    let context = || format!("{} can't be copied to {}", built.display(), kept.display());
    if !same(&built, &kept) {
        fs::create_dir_all(workspace.target().join("xtask")).with_context(context)?;
        // Beside it first: the old one may be running.
        let fresh = kept.with_extension("new");
        fs::copy(&built, &fresh).with_context(context)?;
        fs::rename(&fresh, &kept).with_context(context)?;
    }
    Ok(kept)
}

fn same(one: &Path, other: &Path) -> bool {
    let size = |path| fs::metadata(path).map(|file| file.len()).ok();
    size(one) == size(other) && fs::read(one).ok() == fs::read(other).ok()
}
