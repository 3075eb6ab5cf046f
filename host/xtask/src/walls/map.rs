//! The list of crates in `host/docs/ARCHITECTURE.md` is the list of crates.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

const MAP: &str = "host/docs/ARCHITECTURE.md";

/// Fails when the map names a crate that is not there, or leaves one out. It names crates in table
/// rows or list items that begin with a folder of `host/` in backticks: ``| `store` | …``.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let map = workspace.path(MAP);
    let map = fs::read_to_string(&map).with_context(|| map.display().to_string())?;
    let found = differences(&listed(&map), &crates(&workspace.path("host"))?);
    if !found.is_empty() {
        bail!("{}", found.join("\n"));
    }
    Ok(())
}

fn differences(listed: &BTreeSet<String>, existing: &BTreeSet<String>) -> Vec<String> {
    let gone = listed
        .difference(existing)
        .map(|name| format!("{MAP} lists {name}, which is gone"));
    let new = existing
        .difference(listed)
        .map(|name| format!("{MAP} does not list host/{name}"));
    gone.chain(new).collect()
}

/// Names at the beginning of rows and items of the section "Crates"; one row may name several.
fn listed(map: &str) -> BTreeSet<String> {
    let heading = |line: &str| line.starts_with('#');
    map.lines()
        .skip_while(|line| !(heading(line) && line.to_lowercase().contains("crates")))
        .skip(1)
        .take_while(|line| !heading(line))
        .filter_map(|line| {
            line.strip_prefix("| `")
                .or_else(|| line.strip_prefix("- `"))
        })
        .flat_map(|rest| {
            let first = rest.split(['|', ':']).next().unwrap_or_default();
            first.split("`, `").map(|name| {
                let name = name.split('`').next().unwrap_or_default();
                name.trim_start_matches("host/")
                    .trim_end_matches('/')
                    .to_owned()
            })
        })
        .collect()
}

fn crates(host: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(host).with_context(|| host.display().to_string())? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn rows_and_items_of_the_section_name_crates() {
        let map = "# Map\n| `elsewhere` | x |\n## The crates\n\n| crate | holds |\n| --- | --- |\n\
            | `domain`, `template` | pure rules, no `tokio` |\n| `host/store/` | SQL |\n\
            - `xtask`: the build system\n\nText with `word`.\n## Next\n- `other`\n";
        assert_eq!(
            listed(map),
            names(&["domain", "template", "store", "xtask"])
        );
    }

    #[test]
    fn both_kinds_of_difference_are_seen() {
        assert_eq!(
            differences(&names(&["store", "old"]), &names(&["store", "new"])),
            [
                "host/docs/ARCHITECTURE.md lists old, which is gone",
                "host/docs/ARCHITECTURE.md does not list host/new",
            ]
        );
    }

    #[test]
    fn crates_are_folders_with_a_manifest() {
        let workspace = Workspace::find().expect("a checkout");
        let crates = crates(&workspace.path("host")).expect("readable");
        assert!(
            crates.contains("xtask") && !crates.contains("docs"),
            "{crates:?}"
        );
    }
}
