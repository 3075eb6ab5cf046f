//! Time and chance are given, never taken. `clippy.toml` forbids the calls; this check sees to it
//! that nobody excuses himself from it silently, and finds the ways that clippy can't name.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// Files that may take the time or randomness, each for its reason.
const SOURCES: &[(&str, &str)] = &[
    ("host/overture/src/clock.rs", "the real clock itself"),
    (
        "host/api/src/events/stream.rs",
        "a listener's connection lives on real time",
    ),
    (
        "host/egress/src/client.rs",
        "how long a server takes is real time",
    ),
    (
        "host/engine/src/inbox/watch.rs",
        "connections are held on real time",
    ),
    (
        "host/overture/src/memory.rs",
        "the allocator is tidied on real time",
    ),
    (
        "host/vault/src/rng.rs",
        "keys come from the operating system",
    ),
    (
        "host/plugin-host/src/call.rs",
        "limits of guests are real time",
    ),
    (
        "host/plugin-host/src/meter.rs",
        "limits of guests are real time",
    ),
    (
        "host/store/src/testing.rs",
        "tests wait for each other on real time",
    ),
    (
        "host/testkit/src/app.rs",
        "looks often whether a process is ready",
    ),
    (
        "host/testkit/src/wait.rs",
        "looks often whether it has happened",
    ),
    (
        "host/server-kit/src/wait.rs",
        "other processes live on real time",
    ),
    ("host/xtask/src/machine.rs", "measures the disk"),
    ("host/xtask/src/simulate.rs", "CI has minutes"),
    ("host/xtask/src/walls/chance.rs", "names what it looks for"),
    ("host/xtask/src/walls/edges.rs", "names what it looks for"),
];

/// Texts that take time or randomness past clippy, or excuse from it.
const TAKES: &[&str] = &[
    "disallowed_methods",
    "disallowed-methods",
    "getrandom",
    "rand_core",
    "thread_rng",
    "rand::rng",
    "fastrand",
    "Utc::now",
    "Local::now",
    "now_utc",
    "sleep_until",
    "time::interval",
];

/// Crates that may read environment variables; a library gets its settings from its caller.
const READ_ENVIRONMENT: &[&str] = &["overture", "server-kit", "testkit", "xtask"];

/// Fails when a library takes time, randomness or environment variables by itself.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let found = violations(&workspace.root)?;
    if found.is_empty() {
        return Ok(());
    }
    bail!(
        "{}\nTake `Clock` and `Rng` from the caller; where only the real thing will do, add the \
         file to SOURCES in host/xtask/src/walls/chance.rs and say why",
        found.join("\n")
    )
}

fn violations(root: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for folder in list(&root.join("host"))? {
        let source = folder.join("src");
        if source.is_dir() {
            collect(&source, &mut files)?;
        }
    }
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let name = file
            .strip_prefix(root)
            .unwrap_or(&file)
            .to_string_lossy()
            .into_owned();
        found.extend(violations_of(&name, &text));
    }
    Ok(found)
}

fn violations_of(name: &str, text: &str) -> Vec<String> {
    let krate = name.split('/').nth(1).unwrap_or_default();
    let is_source = SOURCES.iter().any(|(source, _)| *source == name);
    let reads_environment = READ_ENVIRONMENT.contains(&krate);
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        // What follows are unit tests: they end a file.
        if line.starts_with("mod tests {") {
            break;
        }
        let code = line.split("//").next().unwrap_or_default();
        let taken = TAKES.iter().find(|taken| code.contains(**taken));
        let number = number + 1;
        if let Some(taken) = taken.filter(|_| !is_source) {
            found.push(format!("{name}:{number}: `{taken}`"));
        }
        if !reads_environment && (code.contains("env::var") || code.contains("env::set_var")) {
            found.push(format!("{name}:{number}: reads the environment"));
        }
    }
    found
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for path in list(folder)? {
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension() == Some("rs".as_ref()) {
            files.push(path);
        }
    }
    Ok(())
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let context = || folder.display().to_string();
    let entries = fs::read_dir(folder).with_context(context)?;
    entries
        .map(|entry| Ok(entry.with_context(context)?.path()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn planted_violations_are_seen() {
        let root = tempfile::tempdir().expect("a folder");
        let source = root.path().join("host/engine/src/jobs");
        fs::create_dir_all(&source).expect("made");
        let planted =
            "fn f() {\n    let _ = getrandom::fill(&mut []);\n    std::env::var(\"X\");\n}\n";
        fs::write(source.join("send.rs"), planted).expect("written");
        let excused = "#![expect(clippy::disallowed_methods, reason = \"hurry\")]\n";
        fs::write(source.join("excused.rs"), excused).expect("written");
        assert_eq!(
            violations(root.path()).expect("readable"),
            [
                "host/engine/src/jobs/excused.rs:1: `disallowed_methods`",
                "host/engine/src/jobs/send.rs:2: `getrandom`",
                "host/engine/src/jobs/send.rs:3: reads the environment",
            ]
        );
    }

    #[test]
    fn sources_comments_and_unit_tests_may() {
        let taking = "let _ = fastrand::bool();\n";
        assert_eq!(violations_of("host/vault/src/rng.rs", taking), [""; 0]);
        assert_eq!(
            violations_of("host/store/src/x.rs", "// not fastrand\n"),
            [""; 0]
        );
        let test = format!("#[cfg(test)]\nmod tests {{\n    {taking}}}\n");
        assert_eq!(violations_of("host/store/src/x.rs", &test), [""; 0]);
        assert_eq!(
            violations_of("host/overture/src/main.rs", "std::env::var(\"X\")"),
            [""; 0]
        );
    }

    #[test]
    fn every_source_exists() {
        let workspace = Workspace::find().expect("a checkout");
        for (file, _) in SOURCES {
            assert!(
                workspace.path(file).is_file(),
                "{file} is gone: take it off the list"
            );
        }
    }

    /// A crate that does what `clippy.toml` forbids, and what clippy says to it.
    fn clippy_on(body: &str) -> (bool, String) {
        let workspace = Workspace::find().expect("a checkout");
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let manifest = "[package]\nname = \"planted\"\nedition = \"2024\"\n[workspace]\n";
        fs::write(at("Cargo.toml"), manifest).expect("written");
        fs::copy(workspace.path("clippy.toml"), at("clippy.toml")).expect("copied");
        fs::create_dir(at("src")).expect("made");
        fs::write(
            at("src/lib.rs"),
            format!("pub fn planted() {{\n    {body};\n}}\n"),
        )
        .expect("written");
        let output = Command::new(env!("CARGO"))
            .current_dir(folder.path())
            .args(["clippy", "--quiet", "--offline", "--target-dir"])
            .arg(at("target"))
            .args(["--", "-D", "warnings"])
            .env_remove("CLIPPY_CONF_DIR")
            .output()
            .expect("cargo runs");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    }

    #[test]
    fn clippy_forbids_to_take_the_clock_and_to_sleep() {
        for (call, path) in [
            (
                "let _ = std::time::SystemTime::now()",
                "std::time::SystemTime::now",
            ),
            (
                "let _ = std::time::Instant::now()",
                "std::time::Instant::now",
            ),
            (
                "std::thread::sleep(std::time::Duration::ZERO)",
                "std::thread::sleep",
            ),
        ] {
            let (passed, said) = clippy_on(call);
            assert!(
                !passed && said.contains(&format!("disallowed method `{path}`")),
                "{said}"
            );
        }
        let (passed, said) = clippy_on("let _ = std::time::Duration::ZERO");
        assert!(passed, "{said}");
    }
}
