//! The bounces of PyPI's flufl.bounce, and its own tests' word on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::inspect;
use crate::command::{output, run};

const VERSION: &str = "6.0.0";
/// Samples in that version.
const SAMPLES: usize = 117;
/// Hundredths of all samples that must be read rightly.
const AT_LEAST: usize = 98;

/// Its samples, and what its tests say of them.
pub(super) struct Bounces {
    tests: PathBuf,
}

/// Addresses that a bounce names, in lower case.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
struct Failures {
    /// Still being tried.
    temporary: BTreeSet<String>,
    /// Given up.
    permanent: BTreeSet<String>,
}

/// Takes the source package by pip, once.
pub(super) fn fetch(folder: &Path) -> Result<Bounces> {
    let package = format!("flufl_bounce-{VERSION}");
    let tests = folder.join(&package).join("tests");
    if !tests.is_dir() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "download", "--quiet", "--no-deps"])
            .args(["--no-binary", ":all:", "--dest"])
            .arg(folder)
            .arg(format!("flufl_bounce=={VERSION}"));
        run(&mut pip).context("the bounces come from PyPI: is pip installed?")?;
        let archive = folder.join(format!("{package}.tar.gz"));
        run(Command::new("tar")
            .arg("-xf")
            .arg(archive)
            .arg("-C")
            .arg(folder))?;
    }
    Ok(Bounces { tests })
}

/// Prints the table of its tests, which is Python: what each sample holds.
const PRINT_TABLE: &str = "\
import ast, json, sys
module = ast.parse(open(sys.argv[1]).read())
table = next(n.value for n in module.body if isinstance(n, ast.Assign) and n.targets[0].id == 'DETECTORS')
samples = {'dumbass_01.txt': {'temporary': [], 'permanent': []}}
for _, name, addresses, temporary in ast.literal_eval(table):
    sample = samples.setdefault(name, {'temporary': [], 'permanent': []})
    sample['temporary' if temporary else 'permanent'] += [a.decode().lower() for a in addresses]
print(json.dumps(samples))
";

impl Bounces {
    /// Reads all samples, and prints those that are read otherwise than its tests say.
    pub(super) fn check(&self, overture: &Path) -> Result<()> {
        let script = self.tests.join("print_table.py");
        fs::write(&script, PRINT_TABLE).with_context(|| script.display().to_string())?;
        let mut python = Command::new("python3");
        python.arg(script).arg(self.tests.join("test_detectors.py"));
        let table = output(&mut python)?;
        let table: BTreeMap<String, Failures> = serde_json::from_str(&table)?;
        let mails = self.samples()?;
        let read = inspect(overture, &mails)?;
        let (mut right, mut untold) = (0, Vec::new());
        for (mail, inspection) in mails.iter().zip(&read) {
            let name = mail.file_name().unwrap_or_default().to_string_lossy();
            let found = Failures::of(inspection);
            match table.get(&*name) {
                // Its tests don't look at every sample: such a one is right when it is read.
                None => untold.push(name.into_owned()),
                Some(expected) if *expected == found => right += 1,
                Some(expected) => println!("wrong: {name}: {found:?}, not {expected:?}"),
            }
        }
        println!(
            "flufl.bounce: {right} of {SAMPLES} as its tests say; they say nothing of {}",
            untold.join(", ")
        );
        ensure!(
            read.len() == SAMPLES,
            "{} samples, not {SAMPLES}",
            read.len()
        );
        ensure!(
            (right + untold.len()) * 100 >= AT_LEAST * SAMPLES,
            "less than {AT_LEAST} % of the bounces are read rightly"
        );
        Ok(())
    }

    fn samples(&self) -> Result<Vec<PathBuf>> {
        let folder = self.tests.join("data");
        let mut samples = Vec::new();
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "txt") {
                samples.push(path);
            }
        }
        samples.sort();
        Ok(samples)
    }
}

impl Failures {
    fn of(inspection: &super::Inspection) -> Self {
        let mut failures = Self::default();
        let addresses = inspection
            .bounce
            .iter()
            .flat_map(|bounce| &bounce.recipients);
        let addresses = addresses
            .map(|recipient| recipient.address.to_lowercase())
            .collect();
        match inspection.kind.as_str() {
            "delay" => failures.temporary = addresses,
            _ => failures.permanent = addresses,
        }
        failures
    }
}
