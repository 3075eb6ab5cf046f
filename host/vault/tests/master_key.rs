//! The master key's file and text, rotation, and how a wrong key is recognised (OPS-4).

#![expect(clippy::unwrap_used, reason = "a test's helpers panic like the test")]

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use overture_domain::{Rng, rng::SeededRng};
use overture_vault::{Binding, Error, KeyState, Secret, Vault};

fn rng(seed: u64) -> Arc<dyn Rng> {
    Arc::new(SeededRng::new(seed))
}

fn told(error: &Error, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

// OPS-4
#[test]
fn a_made_key_is_private_and_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    let made = Vault::create_file(&path, rng(1)).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let read = Vault::open_file(&path, rng(2)).unwrap();
    assert_eq!(read.check(&made.key_check()).unwrap(), KeyState::Current);

    let binding = Binding::new("accounts", "acc_1", "wsp_1");
    let sealed = made.seal(&binding, &Secret::new("hunter2"));
    assert_eq!(read.open(&binding, &sealed).unwrap().expose(), "hunter2");
}

// OPS-4: opening never makes a key, making never overwrites one.
#[test]
fn a_missing_key_stays_missing_and_a_key_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    let error = Vault::open_file(&path, rng(1)).unwrap_err();
    told(
        &error,
        &["there is no master key at", "backup", "OVERTURE_MASTER_KEY"],
    );
    assert!(matches!(error, Error::KeyMissing { .. }));
    assert!(!path.exists());

    let made = Vault::create_file(&path, rng(1)).unwrap();
    let error = Vault::create_file(&path, rng(2)).unwrap_err();
    told(&error, &["exists already", "never overwritten"]);
    assert!(matches!(error, Error::KeyExists { .. }));
    let read = Vault::open_file(&path, rng(3)).unwrap();
    assert_eq!(read.key_check(), made.key_check());
}

// OPS-4
#[test]
fn a_key_that_others_can_read_is_refused_with_the_fix() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    Vault::create_file(&path, rng(1)).unwrap();
    for mode in [0o640, 0o604, 0o660, 0o777] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = Vault::open_file(&path, rng(1)).unwrap_err();
        told(
            &error,
            &["can be read by other users", "chmod 600", "master.key"],
        );
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    Vault::open_file(&path, rng(1)).unwrap();
}

#[test]
fn a_malformed_key_is_told_without_being_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    for (text, why) in [
        ("", "it is empty"),
        ("# only a comment\n", "it is empty"),
        ("hunter2", "does not start with `omk1_`"),
        ("omk1_hunter2", "cut off or too long"),
        (
            "omk1_hunter2!hunter2!hunter2!hunter2!hunter2!345",
            "not base64url",
        ),
    ] {
        write(&path, text, 0o600);
        let error = Vault::open_file(&path, rng(1)).unwrap_err();
        told(&error, &["malformed", why, "43", "master.key"]);
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
    fs::write(&path, [0xff, 0xfe]).unwrap();
    told(
        &Vault::open_file(&path, rng(1)).unwrap_err(),
        &["it is not text"],
    );
}

#[test]
fn a_folder_in_place_of_the_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    told(
        &Vault::open_file(&path, rng(1)).unwrap_err(),
        &["can't be read"],
    );
    let nowhere = folder.path().join("no/such/folder/master.key");
    told(
        &Vault::create_file(&nowhere, rng(1)).unwrap_err(),
        &["can't be written"],
    );
}

// OPS-4: the environment's text is the file's text.
#[test]
fn the_key_comes_from_a_text_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    let made = Vault::create_file(&path, rng(1)).unwrap();
    let file = fs::read_to_string(&path).unwrap();
    let key = file.lines().last().unwrap();
    let given = Vault::from_text(&format!("  {key}\n"), "OVERTURE_MASTER_KEY", rng(1)).unwrap();
    assert_eq!(given.key_check(), made.key_check());
    told(
        &Vault::from_text("", "OVERTURE_MASTER_KEY", rng(1)).unwrap_err(),
        &["in OVERTURE_MASTER_KEY is malformed", "it is empty"],
    );
}

// OPS-4
#[test]
fn the_key_of_another_database_is_recognised() {
    let (ours, theirs) = (Vault::ephemeral(rng(1)), Vault::ephemeral(rng(2)));
    let error = ours.check(&theirs.key_check()).unwrap_err();
    let id = |vault: &Vault| vault.key_check().split('.').nth(1).unwrap().to_owned();
    told(
        &error,
        &[
            "not the one that this database was sealed with",
            &id(&ours),
            &id(&theirs),
        ],
    );
    for stored in ["", "nonsense", "ok1..", "ok1.x"] {
        assert!(
            matches!(ours.check(stored), Err(Error::WrongKey { .. })),
            "{stored}"
        );
    }
    // The right id with another value is a wrong key too.
    let mut forged = ours.key_check();
    forged.pop();
    assert!(ours.check(&forged).is_err());
}

// OPS-4: the rotation command.
#[test]
fn rotation_keeps_what_was_sealed_and_signed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    let before = Vault::create_file(&path, rng(1)).unwrap();
    let binding = Binding::new("accounts", "acc_1", "wsp_1");
    let sealed = before.seal(&binding, &Secret::new("hunter2"));
    let token = before.sign_token("unsubscribe", b"enr_1", None);
    assert_eq!(before.reseal(&binding, &sealed).unwrap(), None);

    let after = Vault::rotate_file(&path, rng(2)).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(after.check(&before.key_check()).unwrap(), KeyState::Earlier);
    assert_eq!(after.open(&binding, &sealed).unwrap().expose(), "hunter2");
    let now = "2026-03-02T09:00:00Z".parse().unwrap();
    assert_eq!(
        after.verify_token("unsubscribe", &token, now).unwrap(),
        b"enr_1"
    );

    let resealed = after
        .reseal(&binding, &sealed)
        .unwrap()
        .expect("was under the earlier key");
    assert_eq!(
        sealed.split('.').nth(3),
        resealed.split('.').nth(3),
        "ciphertext stays"
    );
    assert_eq!(after.reseal(&binding, &resealed).unwrap(), None);
    assert_eq!(after.open(&binding, &resealed).unwrap().expose(), "hunter2");

    // Without the new key the resealed text is closed, and the error names the key.
    let error = before.open(&binding, &resealed).unwrap_err();
    told(
        &error,
        &[
            "accounts acc_1",
            "not at hand",
            resealed.split('.').nth(1).unwrap(),
        ],
    );

    let read = Vault::open_file(&path, rng(3)).unwrap();
    assert_eq!(read.check(&after.key_check()).unwrap(), KeyState::Current);
    assert_eq!(read.check(&before.key_check()).unwrap(), KeyState::Earlier);
}

#[test]
fn debug_shows_ids_and_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    let vault = Vault::create_file(&path, rng(1)).unwrap();
    let key = fs::read_to_string(&path).unwrap();
    let shown = format!("{vault:?}");
    assert!(shown.contains("master.key"));
    assert!(!shown.contains(key.lines().last().unwrap().strip_prefix("omk1_").unwrap()));
}
