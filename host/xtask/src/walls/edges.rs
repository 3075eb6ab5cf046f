//! Which crate may use which. A new edge is a decision (`host/docs/decisions/`), made here.

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::command::{cargo, output};
use crate::workspace::Workspace;

/// One crate's walls.
struct Wall {
    /// Its folder under `host/`; its package is `overture-` and this, but for the binary.
    folder: &'static str,
    /// Our crates that it may use.
    may_use: &'static [&'static str],
    outside: Outside,
}

/// Crates of others.
enum Outside {
    /// Only these.
    Only(&'static [&'static str]),
    /// All but these groups.
    AllBut(&'static [Group]),
}

type Group = &'static [&'static str];

/// A name that ends in `*` stands for all that begin so.
const SQL: Group = &[
    "sqlx*",
    "rusqlite",
    "libsqlite3-sys",
    "tokio-postgres",
    "diesel*",
];
const HTTP_CLIENT: Group = &["reqwest", "hyper", "hyper-util", "ureq", "hickory-*"];
const HTTP_SERVER: Group = &["axum*", "tower-http", "utoipa*", "rmcp"];
const WASM: Group = &["wasmtime*", "wit-*", "wasm-metadata", "wasmparser"];
const MAIL: Group = &["lettre", "async-imap", "mail-*"];
/// Ways to take the time or randomness that `clippy.toml` doesn't know.
const CHANCE: Group = &["rand*", "getrandom", "fastrand", "chrono", "time"];
/// What only the binary does: read arguments and configuration, set up logs.
const FRONT: Group = &["clap*", "figment", "config", "tracing-subscriber"];

/// The table of `host/docs/ARCHITECTURE.md`.
const WALLS: &[Wall] = &[
    Wall {
        folder: "domain",
        may_use: &[],
        outside: Outside::Only(&[
            "jiff",
            "percent-encoding",
            "serde",
            "serde_json",
            "thiserror",
            "uuid",
        ]),
    },
    Wall {
        folder: "template",
        may_use: &["domain"],
        outside: Outside::Only(&["base64", "jiff", "serde", "serde_json", "thiserror"]),
    },
    Wall {
        folder: "store",
        may_use: &["domain"],
        outside: Outside::AllBut(&[HTTP_CLIENT, HTTP_SERVER, WASM, MAIL, CHANCE, FRONT]),
    },
    Wall {
        folder: "egress",
        may_use: &["domain"],
        outside: Outside::AllBut(&[SQL, HTTP_SERVER, WASM, MAIL, CHANCE, FRONT]),
    },
    Wall {
        folder: "mail",
        may_use: &["domain", "egress"],
        outside: Outside::AllBut(&[SQL, HTTP_CLIENT, HTTP_SERVER, WASM, CHANCE, FRONT]),
    },
    Wall {
        folder: "vault",
        may_use: &["domain"],
        // Not `CHANCE`: keys come from the operating system's random source, and from nowhere else.
        outside: Outside::AllBut(&[SQL, HTTP_CLIENT, HTTP_SERVER, WASM, MAIL, FRONT]),
    },
    Wall {
        folder: "plugin-pack",
        may_use: &[],
        outside: Outside::AllBut(&[SQL, HTTP_CLIENT, HTTP_SERVER, MAIL, CHANCE, FRONT]),
    },
    Wall {
        folder: "plugin-host",
        may_use: &["domain", "plugin-pack"],
        outside: Outside::AllBut(&[SQL, HTTP_CLIENT, HTTP_SERVER, MAIL, CHANCE, FRONT]),
    },
    Wall {
        folder: "engine",
        may_use: &[
            "domain",
            "template",
            "store",
            "mail",
            "egress",
            "vault",
            "plugin-host",
        ],
        outside: Outside::AllBut(&[SQL, HTTP_CLIENT, HTTP_SERVER, WASM, CHANCE, FRONT]),
    },
    Wall {
        folder: "api",
        may_use: &["domain", "store", "engine"],
        outside: Outside::AllBut(&[SQL, HTTP_CLIENT, WASM, MAIL, CHANCE, FRONT]),
    },
    Wall {
        folder: "overture",
        may_use: &[
            "domain",
            "template",
            "store",
            "mail",
            "egress",
            "vault",
            "plugin-pack",
            "plugin-host",
            "engine",
            "api",
            // Of the plugins' workspace: what the demo checks the sandbox's story against.
            "sandbox-personas",
        ],
        outside: Outside::AllBut(&[SQL]),
    },
    Wall {
        folder: "testkit",
        may_use: &[
            "domain",
            "template",
            "store",
            "mail",
            "egress",
            "vault",
            "plugin-pack",
            "plugin-host",
            "engine",
            "api",
            "server-kit",
        ],
        outside: Outside::AllBut(&[]),
    },
    Wall {
        folder: "server-kit",
        may_use: &[],
        outside: Outside::Only(&["serde", "serde_json", "thiserror"]),
    },
    Wall {
        folder: "xtask",
        may_use: &["server-kit"],
        outside: Outside::Only(&["anyhow", "clap", "serde", "serde_json"]),
    },
];

/// Crates for tests: others use them behind a feature, or in their own tests, which may use
/// whatever sets the scene.
const TEST_ONLY: &[&str] = &["testkit", "server-kit"];

/// Programs.
const NEVER_USED: &[&str] = &["overture", "xtask"];

/// Fails when a crate uses what its walls forbid, or has none.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let metadata = "metadata --format-version 1 --no-deps";
    let metadata = output(&mut cargo(&workspace.root, metadata))?;
    let found = violations(&metadata)?;
    if found.is_empty() {
        return Ok(());
    }
    bail!(
        "{}\nThe table of walls is in host/xtask/src/walls/edges.rs; a new edge is a decision \
         worth a note in host/docs/decisions/",
        found.join("\n")
    )
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `dev`, `build` or nothing.
    kind: Option<String>,
    optional: bool,
    features: Vec<String>,
    /// Where it lies, for those of ours.
    path: Option<String>,
}

/// One sentence for each use that is not allowed.
fn violations(metadata: &str) -> Result<Vec<String>> {
    let metadata: Metadata =
        serde_json::from_str(metadata).context("`cargo metadata` can't be read")?;
    let mut found = Vec::new();
    for package in &metadata.packages {
        // Whole-system tests may use everything, and nothing uses them.
        if package.name == "overture-tests" {
            continue;
        }
        let folder = folder(&package.name);
        let Some(wall) = WALLS.iter().find(|wall| wall.folder == folder) else {
            found.push(format!("{folder} has no walls: add it to the table"));
            continue;
        };
        found.extend(
            package
                .dependencies
                .iter()
                .filter_map(|uses| wall.objection(uses)),
        );
    }
    Ok(found)
}

fn folder(package: &str) -> &str {
    package.strip_prefix("overture-").unwrap_or(package)
}

impl Wall {
    fn objection(&self, uses: &Dependency) -> Option<String> {
        let user = self.folder;
        let is_dev = uses.kind.as_deref() == Some("dev");
        if uses.path.is_some() {
            let used = folder(&uses.name);
            let in_tests = is_dev && !NEVER_USED.contains(&used);
            let for_tests = uses.optional && TEST_ONLY.contains(&used);
            if used == user || in_tests || for_tests || self.may_use.contains(&used) {
                let testing = uses.features.iter().any(|feature| feature == "testing");
                let unwanted = testing && !is_dev && !uses.optional && user != "testkit";
                return unwanted.then(|| {
                    format!("{user} uses the feature `testing` of {used} outside its tests")
                });
            }
            return Some(format!("{user} may not use {used}"));
        }
        let allowed = is_dev
            || match self.outside {
                Outside::Only(names) => names.contains(&uses.name.as_str()),
                Outside::AllBut(groups) => !groups
                    .iter()
                    .flat_map(|group| group.iter())
                    .any(|p| matches(p, &uses.name)),
            };
        (!allowed).then(|| format!("{user} stays free of {}", uses.name))
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn uses(name: &str, kind: Option<&str>) -> Value {
        let path = name.starts_with("overture").then_some("/somewhere");
        json!({ "name": name, "kind": kind, "optional": false, "features": [], "path": path })
    }

    fn check_edge(package: &str, dependency: &Value) -> Vec<String> {
        let metadata = json!({ "packages": [{ "name": package, "dependencies": [dependency] }] });
        violations(&metadata.to_string()).expect("metadata")
    }

    #[test]
    fn planted_violations_are_seen() {
        let planted = [
            (
                "overture-domain",
                "overture-store",
                "domain may not use store",
            ),
            ("overture-domain", "tokio", "domain stays free of tokio"),
            (
                "overture-store",
                "overture-engine",
                "store may not use engine",
            ),
            ("overture-store", "reqwest", "store stays free of reqwest"),
            ("overture-mail", "overture-store", "mail may not use store"),
            (
                "overture-plugin-host",
                "overture-store",
                "plugin-host may not use store",
            ),
            (
                "overture-plugin-host",
                "overture-mail",
                "plugin-host may not use mail",
            ),
            (
                "overture-engine",
                "axum-extra",
                "engine stays free of axum-extra",
            ),
            (
                "overture-engine",
                "rand_core",
                "engine stays free of rand_core",
            ),
            ("overture-api", "sqlx", "api stays free of sqlx"),
            ("overture-api", "wasmtime", "api stays free of wasmtime"),
            ("overture-api", "overture-vault", "api may not use vault"),
            (
                "overture",
                "overture-testkit",
                "overture may not use testkit",
            ),
            (
                "overture-xtask",
                "overture-engine",
                "xtask may not use engine",
            ),
            (
                "overture-new",
                "serde",
                "new has no walls: add it to the table",
            ),
        ];
        for (package, dependency, expected) in planted {
            assert_eq!(check_edge(package, &uses(dependency, None)), [expected]);
            assert_eq!(
                check_edge(package, &uses(dependency, Some("build"))),
                [expected]
            );
        }
    }

    #[test]
    fn allowed_edges_pass() {
        for (package, dependency, kind) in [
            ("overture-template", "overture-domain", None),
            ("overture-store", "sqlx", None),
            ("overture-egress", "reqwest", None),
            ("overture-engine", "overture-plugin-host", None),
            ("overture", "axum", None),
            ("overture-engine", "overture-testkit", Some("dev")),
            ("overture-api", "overture-vault", Some("dev")),
            ("overture-domain", "proptest", Some("dev")),
            ("overture-store", "overture-store", Some("dev")),
        ] {
            assert_eq!(
                check_edge(package, &uses(dependency, kind)),
                [""; 0],
                "{package}"
            );
        }
    }

    #[test]
    fn programs_are_used_by_nobody() {
        assert_eq!(
            check_edge("overture-api", &uses("overture", Some("dev"))),
            ["api may not use overture"]
        );
    }

    #[test]
    fn what_is_for_tests_stays_in_tests() {
        let mut testing = uses("overture-store", None);
        testing["features"] = json!(["testing"]);
        assert_eq!(
            check_edge("overture", &testing),
            ["overture uses the feature `testing` of store outside its tests"]
        );
        assert_eq!(check_edge("overture-testkit", &testing), [""; 0]);
        testing["kind"] = json!("dev");
        assert_eq!(check_edge("overture-engine", &testing), [""; 0]);

        let mut servers = uses("overture-server-kit", None);
        assert_eq!(
            check_edge("overture-store", &servers),
            ["store may not use server-kit"]
        );
        servers["optional"] = json!(true);
        assert_eq!(check_edge("overture-store", &servers), [""; 0]);
    }
}
