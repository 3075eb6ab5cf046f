//! The `overture` binary, as demos and tests run it.

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

/// Builds `overture` without and with driven time; only its own crate is compiled twice.
///
/// `--workspace` is there for the features of shared crates: cargo unifies them over the packages
/// that it is asked for, and with `-p overture` most of what the tests use would be built anew.
pub(crate) fn build_both(workspace: &Workspace) -> Result<Binaries> {
    let driven = build_driven(workspace)?;
    let plain = build(workspace)?;
    Ok(Binaries { plain, driven })
}

/// Builds `overture` with driven time, in the debug profile.
pub(crate) fn build_driven(workspace: &Workspace) -> Result<PathBuf> {
    cargo_build(workspace, "--features overture/test-clock")?;
    keep(workspace, "overture-driven")
}

/// Builds `overture` as it is released, in the debug profile.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    cargo_build(workspace, "")?;
    keep(workspace, "overture")
}

/// Builds an example of a crate in the debug profile.
pub(crate) fn build_example(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let build = format!("build --workspace --example {name}");
    run(&mut cargo(&workspace.root, &build))?;
    Ok(workspace.target().join("debug/examples").join(name))
}

fn cargo_build(workspace: &Workspace, features: &str) -> Result<()> {
    run(&mut cargo(
        &workspace.root,
        &format!("build --workspace --bin overture {features}"),
    ))
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
