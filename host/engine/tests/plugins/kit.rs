//! Plugin files as `cargo xtask plugins` leaves them, and registries of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use overture_engine::plugins::{Backing, Registry, Settings};
use overture_testkit::TestEnv;

fn file(folder: &str, name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    target.join(folder).join(format!("{name}.wasm"))
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|e| panic!("{}: {e}; run `cargo xtask plugins`", path.display()))
}

/// One that travels in the binary.
pub(crate) fn first_party(name: &str) -> Vec<u8> {
    read(&file("plugins", name))
}

/// One that misbehaves, or does what its settings say.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    read(&file("guests", name))
}

pub(crate) fn backing(test: &TestEnv) -> Backing {
    Backing {
        db: test.env.db.clone(),
        clock: test.env.clock.clone(),
        rng: test.env.rng.clone(),
        vault: test.env.vault.clone(),
        http: test.env.http.clone(),
    }
}

pub(crate) async fn open(test: &TestEnv, settings: Settings, embedded: &[Vec<u8>]) -> Registry {
    Registry::open(backing(test), settings, embedded.to_vec())
        .await
        .unwrap()
}

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}
