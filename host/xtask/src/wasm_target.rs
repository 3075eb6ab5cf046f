//! Gets what compiles for `wasm32-unknown-unknown`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{output, run};
use crate::workspace::Workspace;

/// What guests are built for: no WASI, so a guest imports nothing but what it was given.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Where the target's standard library comes from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WasmTarget {
    /// The compiler in use has it.
    Installed,
    /// Debian's `rustc-web` and its sources, unpacked into a folder of ours; the standard library
    /// is built from source, and linked by the linker of the compiler in use.
    Debian { folder: PathBuf, linker: PathBuf },
}

impl WasmTarget {
    /// Takes what is there, else what rustup gives, else what Debian gives.
    pub(crate) fn find(workspace: &Workspace) -> Result<Self> {
        if is_installed() {
            return Ok(Self::Installed);
        }
        eprintln!("the compiler has no standard library for {TARGET}; asking rustup for it");
        let mut rustup = Command::new("rustup");
        if run(rustup.args(["target", "add", TARGET])).is_ok() && is_installed() {
            return Ok(Self::Installed);
        }
        eprintln!("rustup can't give it; unpacking Debian's rustc-web into the target folder");
        Self::from_debian(&workspace.path("target/rustc-web")).with_context(|| {
            format!(
                "{TARGET} can't be built for. Three ways to get it: with rustup, `rustup target \
                 add {TARGET}`; a Rust toolchain that contains it (`rustc --print target-libdir \
                 --target {TARGET}` must name a folder that exists); or Debian's packages \
                 rustc-web and rust-web-src within reach of apt-get"
            )
        })
    }

    fn from_debian(folder: &Path) -> Result<Self> {
        let linker = print("sysroot")?
            .join("lib/rustlib")
            .join(host()?)
            .join("bin/rust-lld");
        if !linker.is_file() {
            bail!("the toolchain has no linker at {}", linker.display());
        }
        if !folder.join("usr/bin/rustc").is_file() {
            let packages = folder.join("packages");
            fs::create_dir_all(&packages).with_context(|| packages.display().to_string())?;
            let mut depends = Command::new("apt-cache");
            depends.args(["depends", "--recurse", "--no-recommends", "--no-suggests"]);
            depends.args([
                "--no-conflicts",
                "--no-breaks",
                "--no-replaces",
                "rustc-web",
            ]);
            let depends = output(&mut depends)?;
            let wanted = debian_packages(&depends);
            run(Command::new("apt-get")
                .current_dir(&packages)
                .arg("download")
                .args(&wanted))?;
            for entry in fs::read_dir(&packages)? {
                run(Command::new("dpkg")
                    .arg("-x")
                    .arg(entry?.path())
                    .arg(folder))?;
            }
        }
        Ok(Self::Debian {
            folder: folder.to_owned(),
            linker,
        })
    }

    /// Makes a `cargo build` for the target use it.
    pub(crate) fn apply(&self, cargo: &mut Command) {
        let Self::Debian { folder, linker } = self else {
            return;
        };
        cargo
            .env(
                "LD_LIBRARY_PATH",
                folder.join("usr/lib").join(library_folder()),
            )
            .env("RUSTC", folder.join("usr/bin/rustc"))
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
            .args(["-Z", "build-std=std,panic_abort"]);
    }
}

fn rustc() -> Command {
    Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

fn is_installed() -> bool {
    let libdir = rustc()
        .args(["--print", "target-libdir", "--target", TARGET])
        .output();
    libdir.is_ok_and(|output| {
        output.status.success()
            && Path::new(String::from_utf8_lossy(&output.stdout).trim_end()).is_dir()
    })
}

fn print(what: &str) -> Result<PathBuf> {
    Ok(output(rustc().args(["--print", what]))?.trim_end().into())
}

fn host() -> Result<String> {
    let version = output(rustc().arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .context("`rustc -vV` names the host")
}

/// Debian's name of the folder for libraries of this machine.
fn library_folder() -> String {
    format!("{}-linux-gnu", env::consts::ARCH)
}

/// Of all that `rustc-web` depends on, what is not on any machine with a compiler.
fn debian_packages(depends: &str) -> Vec<&str> {
    let ours = |name: &&str| {
        name.starts_with("libstd-rust-web") || name.starts_with("libllvm") || *name == "rustc-web"
    };
    let mut packages: Vec<_> = depends
        .lines()
        .filter(|line| !line.starts_with([' ', '<']))
        .filter(ours)
        .chain(["rust-web-src"])
        .collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_debians_packages_the_compiler_its_library_and_llvm_are_taken() {
        let depends = "rustc-web\n  Depends: libc6\n  Depends: libstd-rust-web-dev\nlibc6\n\
            <libc-dev>\nlibstd-rust-web-dev\n  Depends: libstd-rust-web-1.96\nlibstd-rust-web-1.96\n\
            \x20 Depends: libllvm22\nlibllvm22\ngcc\n";
        assert_eq!(
            debian_packages(depends),
            [
                "libllvm22",
                "libstd-rust-web-1.96",
                "libstd-rust-web-dev",
                "rust-web-src",
                "rustc-web"
            ]
        );
    }

    #[test]
    fn an_installed_target_changes_nothing() {
        let mut command = Command::new("cargo");
        WasmTarget::Installed.apply(&mut command);
        assert_eq!(command.get_args().count() + command.get_envs().count(), 0);
    }
}
