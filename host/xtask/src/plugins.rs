//! `cargo xtask plugins`: guests become core modules, and core modules become plugin files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::command::{cargo, lines, run as run_command};
use crate::wasm_target::{TARGET, WasmTarget};
use crate::workspace::Workspace;

/// Builds every guest, and packs those that have changed: `plugins/NAME` becomes
/// `target/plugins/NAME.wasm`, which the binary embeds; every other guest that has a `plugin.toml`
/// (the SDK's template, those of the tests) becomes `target/guests/NAME.wasm`.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let target = WasmTarget::find(workspace)?;
    let (modules, all_built) = build(workspace, &target)?;
    let packer = build_packer(workspace)?;
    let packings: Vec<_> = modules
        .iter()
        .filter(|module| module.manifest().is_file())
        .map(|module| module.packing(workspace, &packer))
        .collect::<Result<_>>()?;
    for folder in [
        workspace.packed_plugins(),
        workspace.guests_target().join("stamps"),
    ] {
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    let mut packed = 0;
    for packing in &packings {
        packed += usize::from(packing.bring_up_to_date(workspace)?);
    }
    if !all_built {
        bail!("not every guest could be built; the others are packed");
    }
    remove_others(&workspace.packed_plugins(), &packings)?;
    eprintln!("plugins: {} in all, {packed} packed anew", packings.len());
    Ok(())
}

/// A guest's core module.
#[derive(Debug)]
struct Module {
    /// The folder of its crate.
    source: PathBuf,
    wasm: PathBuf,
}

/// The core modules, and whether they are all: a broken guest doesn't keep the others back.
fn build(workspace: &Workspace, target: &WasmTarget) -> Result<(Vec<Module>, bool)> {
    let mut command = cargo(
        &workspace.guests(),
        "build --workspace --lib --release --keep-going",
    );
    command.args([
        "--target",
        TARGET,
        "--message-format",
        "json-render-diagnostics",
    ]);
    command.arg("--target-dir").arg(workspace.guests_target());
    target.apply(&mut command);
    let mut modules = Vec::new();
    let mut unreadable = None;
    let all_built = lines(&mut command, |line| match module(line) {
        Ok(module) => modules.extend(module),
        Err(error) => unreadable = Some(error),
    })?;
    if let Some(error) = unreadable {
        return Err(error).context("cargo's messages can't be read");
    }
    modules.sort_by(|one, other| one.source.cmp(&other.source));
    Ok((modules, all_built))
}

/// The module that one of cargo's messages tells of, if it tells of one.
fn module(message: &str) -> Result<Option<Module>> {
    #[derive(Deserialize)]
    struct Message {
        #[serde(default)]
        manifest_path: PathBuf,
        #[serde(default)]
        filenames: Vec<PathBuf>,
    }
    let message: Message = serde_json::from_str(message)?;
    let wasm = message
        .filenames
        .into_iter()
        .find(|file| file.extension() == Some("wasm".as_ref()));
    let source = message.manifest_path.parent();
    Ok(wasm.zip(source).map(|(wasm, source)| Module {
        source: source.to_owned(),
        wasm,
    }))
}

fn build_packer(workspace: &Workspace) -> Result<PathBuf> {
    run_command(&mut cargo(
        &workspace.root,
        "build --workspace --bin plugin-pack",
    ))?;
    Ok(workspace.target().join("debug/plugin-pack"))
}

impl Module {
    fn manifest(&self) -> PathBuf {
        self.source.join("plugin.toml")
    }

    fn packing(&self, workspace: &Workspace, packer: &Path) -> Result<Packing> {
        let name = self
            .source
            .file_name()
            .context("a guest lies in a folder")?;
        let file = Path::new(name).with_extension("wasm");
        let first_party = self.source.parent() == Some(&workspace.guests());
        let folder = if first_party {
            workspace.packed_plugins()
        } else {
            workspace.guests_target()
        };
        Ok(Packing {
            packer: packer.to_owned(),
            module: self.wasm.clone(),
            manifest: self.manifest(),
            output: folder.join(&file),
            stamp: workspace
                .guests_target()
                .join("stamps")
                .join(file)
                .with_extension("stamp"),
        })
    }
}

/// What is made of what.
#[derive(Debug)]
struct Packing {
    packer: PathBuf,
    module: PathBuf,
    manifest: PathBuf,
    output: PathBuf,
    /// Says of which inputs the output was made.
    stamp: PathBuf,
}

impl Packing {
    /// Packs when an input or the output is another than last time, and says whether it did. The
    /// output is written only when it differs, so that nothing that embeds it is built for nothing.
    fn bring_up_to_date(&self, workspace: &Workspace) -> Result<bool> {
        let inputs = self.inputs()?;
        if self.output.is_file() && fs::read_to_string(&self.stamp).is_ok_and(|old| old == inputs) {
            return Ok(false);
        }
        eprintln!("packing {}", workspace.shown(&self.output));
        // Elsewhere first: a change in the folder of the plugins builds the binary anew.
        let fresh = self.stamp.with_extension("wasm");
        let mut packer = Command::new(&self.packer);
        run_command(packer.args([&self.module, &self.manifest, &fresh]))?;
        let context = || self.output.display().to_string();
        if fs::read(&self.output).ok() == fs::read(&fresh).ok() {
            fs::remove_file(&fresh).with_context(context)?;
        } else {
            fs::rename(&fresh, &self.output).with_context(context)?;
        }
        fs::write(&self.stamp, inputs).with_context(|| self.stamp.display().to_string())?;
        Ok(true)
    }

    /// Size and time of each input.
    fn inputs(&self) -> Result<String> {
        let line = |path: &PathBuf| {
            let file = fs::metadata(path).with_context(|| path.display().to_string())?;
            let time = file.modified()?.duration_since(UNIX_EPOCH)?.as_nanos();
            Ok(format!("{} {} {time}\n", path.display(), file.len()))
        };
        [&self.packer, &self.module, &self.manifest]
            .into_iter()
            .map(line)
            .collect()
    }
}

/// Plugins whose source is gone must not be embedded.
fn remove_others(folder: &Path, packings: &[Packing]) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if packings.iter().all(|packing| packing.output != path) {
            eprintln!("removing {}, which has no source any more", path.display());
            fs::remove_file(&path).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_about_wasm_files_name_modules() {
        let found = module(
            r#"{"reason":"compiler-artifact","manifest_path":"/o/plugins/echo/Cargo.toml",
                "filenames":["/t/echo.wasm"],"fresh":true}"#,
        );
        let found = found.expect("a message").expect("a module");
        assert_eq!(
            (found.source, found.wasm),
            ("/o/plugins/echo".into(), "/t/echo.wasm".into())
        );
        for other in [
            r#"{"reason":"compiler-artifact","manifest_path":"/o/sdk/Cargo.toml","filenames":["/t/lib.rlib"]}"#,
            r#"{"reason":"build-finished","success":true}"#,
        ] {
            assert!(module(other).expect("a message").is_none(), "{other}");
        }
        assert!(module("no JSON").is_err());
    }

    /// A workspace in a temporary folder with one module, and `cp`-like packer that counts its runs.
    fn packing(folder: &Path) -> (Workspace, Packing) {
        let workspace = Workspace {
            root: folder.to_owned(),
        };
        let at = |name: &str| folder.join(name);
        let script = "#!/bin/sh\ncat \"$1\" \"$2\" > \"$3\"\necho >> \"$0.runs\"\n";
        fs::write(at("script"), script).expect("written");
        // Copied by another process: were it written by this one, a child that another test starts
        // meanwhile could hold it open, and nobody runs a file that is open for writing.
        let install = Command::new("install")
            .args(["-m", "755"])
            .args([at("script"), at("packer")])
            .status();
        assert!(install.expect("coreutils").success());
        fs::write(at("core.wasm"), "core ").expect("written");
        fs::write(at("plugin.toml"), "manifest").expect("written");
        let packing = Packing {
            packer: at("packer"),
            module: at("core.wasm"),
            manifest: at("plugin.toml"),
            output: at("out.wasm"),
            stamp: at("stamp"),
        };
        (workspace, packing)
    }

    #[test]
    fn packs_once_and_again_only_when_an_input_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (workspace, packing) = packing(folder.path());
        let output = || fs::read_to_string(&packing.output).expect("an output");
        assert!(packing.bring_up_to_date(&workspace).expect("packed"));
        assert_eq!(output(), "core manifest");
        assert!(!packing.bring_up_to_date(&workspace).expect("up to date"));
        fs::write(&packing.manifest, "another manifest").expect("written");
        assert!(packing.bring_up_to_date(&workspace).expect("packed"));
        assert_eq!(output(), "core another manifest");
        fs::remove_file(&packing.output).expect("removed");
        assert!(packing.bring_up_to_date(&workspace).expect("packed"));
        assert_eq!(output(), "core another manifest");
    }

    #[test]
    fn an_output_that_stays_the_same_is_not_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let (workspace, packing) = packing(folder.path());
        packing.bring_up_to_date(&workspace).expect("packed");
        let written = || {
            fs::metadata(&packing.output)
                .and_then(|file| file.modified())
                .expect("a file")
        };
        let before = written();
        fs::remove_file(&packing.stamp).expect("removed");
        assert!(packing.bring_up_to_date(&workspace).expect("packed"));
        assert_eq!(written(), before);
    }

    #[test]
    fn what_has_no_source_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let plugins = folder.path().join("plugins");
        fs::create_dir(&plugins).expect("made");
        let (_, mut packing) = packing(folder.path());
        packing.output = plugins.join("kept.wasm");
        for name in ["kept.wasm", "gone.wasm"] {
            fs::write(plugins.join(name), "x").expect("written");
        }
        remove_others(&plugins, &[packing]).expect("removed");
        assert!(plugins.join("kept.wasm").exists() && !plugins.join("gone.wasm").exists());
    }
}
