//! The test mails of the crate mail-parser: old, odd and broken ones.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::inspect;
use crate::command::{cargo, output, run};

/// A newer one than we build with, for its mails alone.
const VERSION: &str = "1.0.1";
/// Mails in that version.
const AT_LEAST: usize = 200;

/// Its mails.
pub(super) struct Broken {
    mails: PathBuf,
}

/// Takes the package by cargo into its registry.
pub(super) fn fetch(folder: &Path) -> Result<Broken> {
    let package = folder.join("mail-parser");
    let write = |name: &str, text: String| {
        let path = package.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())
    };
    fs::create_dir_all(package.join("src"))?;
    // A workspace of its own; nothing of it is compiled.
    let manifest = format!(
        "[package]\nname = \"samples\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\nmail-parser = \"={VERSION}\"\n"
    );
    write("Cargo.toml", manifest)?;
    write("src/lib.rs", String::new())?;
    run(&mut cargo(&package, "fetch --quiet"))?;
    let metadata = "metadata --offline --quiet --format-version 1";
    let metadata: Value = serde_json::from_str(&output(&mut cargo(&package, metadata))?)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let manifest = packages
        .filter(|package| package["name"] == "mail-parser")
        .find_map(|package| package["manifest_path"].as_str())
        .context("cargo says where mail-parser lies")?;
    Ok(Broken {
        mails: Path::new(manifest).with_file_name("resources"),
    })
}

impl Broken {
    /// Reads every mail: whatever it says, the program must not stop.
    pub(super) fn check(&self, overture: &Path) -> Result<()> {
        let mut mails = Vec::new();
        collect(&self.mails, &mut mails)?;
        mails.sort();
        let read = inspect(overture, &mails)?;
        println!("mail-parser: {} mails read", read.len());
        ensure!(
            read.len() >= AT_LEAST,
            "there should be at least {AT_LEAST}"
        );
        Ok(())
    }
}

fn collect(folder: &Path, mails: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, mails)?;
        } else if path.extension().is_none_or(|extension| extension != "json") {
            mails.push(path);
        }
    }
    Ok(())
}
