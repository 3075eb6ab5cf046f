//! The plugins that travel inside the binary: each passes the check that a stranger's would.

use std::{collections::BTreeMap, fs, path::Path};

use overture_plugin_host::{Class, check};

// PLG-1, PLG-2
#[test]
fn every_first_party_plugin_passes_the_check() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins");
    let files = fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}; run `cargo xtask plugins`", folder.display()));
    let mut classes = BTreeMap::new();
    for file in files.map(|file| file.unwrap().path()) {
        if file.extension().is_none_or(|e| e != "wasm") {
            continue;
        }
        let report = check(&fs::read(&file).unwrap()).unwrap();
        assert!(report.problem.is_none(), "{}: {report}", file.display());
        let manifest = report.manifest.unwrap();
        assert_eq!(
            file.file_stem().unwrap().to_str(),
            Some(manifest.id.as_str())
        );
        classes.insert(manifest.id, Class::of(&manifest.kinds));
    }
    for (id, class) in [
        ("classifier-rules", Class::Pure),
        ("format-discord", Class::Pure),
        ("format-generic", Class::Pure),
        ("format-slack", Class::Pure),
        ("provider-sandbox", Class::Session),
        ("provider-smtp", Class::Session),
    ] {
        assert_eq!(classes.get(id), Some(&class), "{id}");
    }
}
