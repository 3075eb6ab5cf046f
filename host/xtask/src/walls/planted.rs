//! Planted bugs stay out of everything but `cargo xtask mutants`: nothing brings the feature
//! `planted` in but the same feature of another crate.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::command::{cargo, output};
use crate::workspace::Workspace;

const PLANTED: &str = "planted";

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    features: BTreeMap<String, Vec<String>>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    features: Vec<String>,
}

/// Fails where a build could bring planted bugs in without being told to.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let metadata = "metadata --format-version 1 --no-deps";
    let metadata = output(&mut cargo(&workspace.root, metadata))?;
    let found = violations(&metadata)?;
    if found.is_empty() {
        return Ok(());
    }
    bail!("planted bugs can come into a build: {}", found.join("; "))
}

fn violations(metadata: &str) -> Result<Vec<String>> {
    let metadata: Metadata =
        serde_json::from_str(metadata).context("`cargo metadata` can't be read")?;
    let brings = |feature: &String| feature.rsplit('/').next() == Some(PLANTED);
    let mut found = Vec::new();
    for Package {
        name,
        features,
        dependencies,
    } in &metadata.packages
    {
        let others = features.iter().filter(|(feature, _)| *feature != PLANTED);
        for (feature, _) in others.filter(|(_, with)| with.iter().any(brings)) {
            found.push(format!("the feature `{feature}` of {name} brings them in"));
        }
        for uses in dependencies
            .iter()
            .filter(|uses| uses.features.iter().any(brings))
        {
            found.push(format!("{name} uses {} with them", uses.name));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(features: &Value, uses: &Value) -> Vec<String> {
        let package = json!({ "name": "overture", "features": features, "dependencies": uses });
        violations(&json!({ "packages": [package] }).to_string()).expect("metadata")
    }

    #[test]
    fn only_the_same_feature_brings_them_in() {
        let alone = json!({ "planted": ["test-clock", "overture-domain/planted"] });
        assert_eq!(check(&alone, &json!([])), Vec::<String>::new());
        let default = check(
            &json!({ "default": ["planted"], "planted": [] }),
            &json!([]),
        );
        assert_eq!(
            default,
            ["the feature `default` of overture brings them in"]
        );
        let other = check(
            &json!({ "test-clock": ["overture-domain/planted"] }),
            &json!([]),
        );
        assert_eq!(other.len(), 1);
        let used = json!([{ "name": "overture-domain", "features": ["planted"] }]);
        assert_eq!(
            check(&json!({}), &used),
            ["overture uses overture-domain with them"]
        );
    }
}
