//! `cargo xtask dist`: what is released. One program with its plugins inside, a Debian package with a
//! unit for systemd, and what a container is built from.

mod clean_root;
mod package;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::{cargo, run as run_command};
use crate::plugins;
use crate::workspace::Workspace;

/// Builds everything into `target/dist`; with `check` also installs the package in a clean root and
/// runs it there.
pub(crate) fn run(workspace: &Workspace, check: bool) -> Result<()> {
    plugins::run(workspace)?;
    let dist = workspace.target().join("dist");
    fs::create_dir_all(&dist).with_context(|| dist.display().to_string())?;
    let program = dist.join("overture");
    copy(&self::program(workspace)?, &program, 0o755)?;
    for file in ["Containerfile", "overture.toml"] {
        copy(&packaging(workspace).join(file), &dist.join(file), 0o644)?;
    }
    let package = package::build(workspace, &dist, &program)?;
    let mib = |file: &Path| fs::metadata(file).map(|it| it.len() as f64 / f64::from(1 << 20));
    for file in [&program, &package] {
        println!("{} ({:.1} MiB)", file.display(), mib(file)?);
    }
    println!(
        "for a container: docker build -f {0}/Containerfile -t overture {0}",
        dist.display()
    );
    if check {
        clean_root::check(&package)?;
    }
    Ok(())
}

/// Builds the program as it is released; where it is.
pub(crate) fn program(workspace: &Workspace) -> Result<PathBuf> {
    let build = "rustc --locked --profile shipped -p overture --bin overture --";
    let mut build = cargo(&workspace.root, build);
    // Functions of the same machine code stand once, and a megabyte of relocations is packed into
    // some kilobytes, which glibc 2.36 reads. lld can do that, which Rust links with here.
    if cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        build.arg("-Clink-args=-Wl,--icf=all -Wl,-z,pack-relative-relocs");
    }
    run_command(&mut build)?;
    Ok(workspace.target().join("shipped/overture"))
}

fn packaging(workspace: &Workspace) -> PathBuf {
    workspace.path("host/overture/packaging")
}

/// Copies a file and its folder, with these rights.
fn copy(from: &Path, to: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let context = || format!("{} can't be copied to {}", from.display(), to.display());
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(context)?;
    }
    fs::copy(from, to).with_context(context)?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode)).with_context(context)
}
