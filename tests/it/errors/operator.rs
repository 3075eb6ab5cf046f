//! What goes wrong for whoever runs the program: configuration, database, machine, keys, backups.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use overture_testkit::{
    Dialect, TestDatabase,
    app::{Installation, Ran, driven_binary},
};

use super::{table::Table, world::World};

const OWN_DATABASE: &str = "sqlite:data/overture.db";

fn plain() -> Installation {
    Installation::new(driven_binary(), "", OWN_DATABASE)
}

/// With a database, a user and a key.
async fn begun() -> Installation {
    let installation = plain();
    let user = ["user", "create", "admin@example.com"];
    installation.run(&user).await.success();
    installation
}

/// OPS-1
pub(super) async fn before_serving(table: &mut Table, world: &mut World) {
    let newer = TestDatabase::new(Dialect::Sqlite).await;
    newer
        .execute_raw("UPDATE _sqlx_migrations SET version = 999 WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)")
        .await
        .expect("the test may");
    let installation = Installation::new(driven_binary(), "", &newer.url);
    table.add(
        "a database newer than the program",
        &installation.run(&["serve"]).await,
    );
    table.add(
        "migrating a database newer than the program",
        &installation.run(&["migrate"]).await,
    );

    let installation = Installation::new(
        driven_binary(),
        "[mail]\nalowed_ports = [1025]\n",
        "sqlite:data/overture.db",
    );
    table.add(
        "an unknown configuration key",
        &installation.run(&["serve"]).await,
    );
    assert!(!installation.path("data").exists(), "nothing was begun");
    let folder = installation.path("").display().to_string();
    world.hide(folder.trim_end_matches('/'), "[folder]");

    let url = world.database.url.clone();
    let second = Installation::new(driven_binary(), "", &url);
    table.add(
        "a second server on the same SQLite file",
        &second.run(&["serve"]).await,
    );

    let installation = plain();
    fs::write(installation.path("overture.toml"), "[server\nlisten = 1\n").expect("writable");
    table.add(
        "a configuration that is no TOML",
        &installation.run(&["serve"]).await,
    );
    table.add(
        "a configuration file that is not there",
        &installation.run(&["--config", "other.toml", "serve"]).await,
    );
    table.add(
        "a database of an unknown kind",
        &Installation::new(driven_binary(), "", "mysql://localhost/overture")
            .run(&["serve"])
            .await,
    );

    let older = TestDatabase::new(Dialect::Sqlite).await;
    older
        .execute_raw("DELETE FROM _sqlx_migrations WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)")
        .await
        .expect("the test may");
    let installation = Installation::new(driven_binary(), "", &older.url);
    table.add(
        "a database older than the program",
        &installation.run(&["serve"]).await,
    );
    let installation = plain();
    installation.write(
        "data/overture.db",
        "Dear diary, this is no database.\n".repeat(99),
    );
    table.add(
        "a database file that holds something else",
        &installation.run(&["serve"]).await,
    );
}

/// OPS-1: a port, a folder and a disk that can't be used.
pub(super) async fn machine(table: &mut Table, world: &mut World) {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has one").to_string();
    world.hide(&address, "[taken]");
    let installation = begun().await;
    let mut serve = installation.command(&["serve"]);
    serve.env("OVERTURE__SERVER__LISTEN", &address);
    table.add("a port in use", &Ran::of(serve, &["serve"]).await);

    // As somebody else than the owner of the folder.
    let installation = plain();
    let program = installation.path("overture");
    // By another process: a child that another test starts meanwhile could hold a copy of ours open,
    // and nobody runs a file that is open for writing.
    let copied = Command::new("cp")
        .args([&driven_binary(), &program])
        .status();
    assert!(copied.expect("coreutils").success());
    fs::create_dir(installation.path("data")).expect("it is ours");
    for path in [installation.path(""), installation.path("data"), program] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    let nobody = [
        "/usr/bin/setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--",
    ];
    let serve = installation.command_through(&nobody, &["serve"]);
    table.add(
        "a data folder that the user may not write",
        &Ran::of(serve, &["serve"]).await,
    );
    let doctor = installation.command_through(&nobody, &["doctor", "--offline"]);
    let found = Ran::of(doctor, &["doctor"]).await;
    let said = found
        .stdout
        .lines()
        .skip_while(|line| !line.contains("disk."));
    let said: Vec<_> = said.take(2).collect();
    table.add_text("the same, seen by the doctor", &said.join("\n"));

    // A disk of its own, in a mount namespace of its own.
    let installation = plain();
    fs::create_dir(installation.path("data")).expect("it is ours");
    let small = small_disk("data");
    let serve = installation.command_through(&small, &["serve"]);
    table.add("a full disk", &Ran::of(serve, &["serve"]).await);
    let installation = begun().await;
    fs::create_dir(installation.path("backups")).expect("it is ours");
    let backup = ["backup", "backups/monday.backup"];
    let small = small_disk("backups");
    let backup = Ran::of(installation.command_through(&small, &backup), &backup).await;
    table.add("a backup on a full disk", &backup);
}

/// Runs what follows with 64 KiB in a folder.
fn small_disk(folder: &'static str) -> [&'static str; 5] {
    let script = match folder {
        "data" => r#"mount -t tmpfs -o size=64k tmpfs data && exec "$0" "$@""#,
        _ => r#"mount -t tmpfs -o size=64k tmpfs backups && exec "$0" "$@""#,
    };
    ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script]
}

/// OPS-4: keys that are wrong, lost, damaged or open to everybody.
pub(super) async fn keys(table: &mut Table) {
    let installation = begun().await;
    let key = installation.path("data/master.key");
    let right = fs::read_to_string(&key).expect("it was made");
    let other = begun().await;
    let wrong = fs::read_to_string(other.path("data/master.key")).expect("it was made");
    let serve = async || {
        let ran = installation.run(&["serve"]).await;
        without_key_ids(ran)
    };
    fs::write(&key, wrong).expect("it is ours");
    table.add("the master key of another database", &serve().await);
    fs::write(
        &key,
        right.trim_end().trim_end_matches(char::is_alphanumeric),
    )
    .expect("it is ours");
    table.add("a master key that is cut off", &serve().await);
    fs::write(&key, &right).expect("it is ours");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("it is ours");
    table.add("a master key that others may read", &serve().await);
    fs::remove_file(&key).expect("it is ours");
    table.add("a lost master key", &serve().await);
    assert!(!key.exists(), "no new one was made beside credentials");
}

/// Keys are made anew in each run; their ids are 8 hex digits.
fn without_key_ids(mut ran: Ran) -> Ran {
    let is_id = |word: &str| word.len() == 8 && word.chars().all(|c| c.is_ascii_hexdigit());
    let words = ran.stderr.split_inclusive([' ', ',', ')', '.']);
    ran.stderr = words
        .map(|word| {
            let bare = word.trim_end_matches([' ', ',', ')', '.']);
            match is_id(bare) {
                true => word.replace(bare, "[key]"),
                false => word.to_owned(),
            }
        })
        .collect();
    ran
}

/// OPS-1: what can't be put back touches nothing.
pub(super) async fn backups(table: &mut Table, world: &mut World) {
    let installation = begun().await;
    let folder = installation.path("").display().to_string();
    world.hide(folder.trim_end_matches('/'), "[folder]");
    installation
        .run(&["backup", "whole.backup"])
        .await
        .success();
    let whole = fs::read(installation.path("whole.backup")).expect("it was written");
    installation.write("half.backup", &whole[..whole.len() / 2]);
    installation.write("notes.backup", "Monday: all is well.\n");
    let key = fs::read(installation.path("data/master.key")).expect("it was made");
    let empty = |name: &str, key: Option<&[u8]>| {
        let fresh = plain();
        let file = fs::read(installation.path(name)).expect("it is there");
        fresh.write(name, file);
        if let Some(key) = key {
            let file = fresh.write("data/master.key", key);
            fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("it is ours");
        }
        fresh
    };
    let restore = async |name: &str, key: Option<&[u8]>| {
        let fresh = empty(name, key);
        let ran = fresh.run(&["restore", name]).await;
        assert!(
            !fresh.path("data/overture.db").exists(),
            "nothing was begun"
        );
        ran
    };
    table.add(
        "a half-written backup",
        &restore("half.backup", Some(&key)).await,
    );
    table.add(
        "a file that is no backup",
        &restore("notes.backup", Some(&key)).await,
    );
    table.add(
        "a backup without its master key",
        &restore("whole.backup", None).await,
    );
    let before = fs::read(installation.path("data/overture.db")).expect("it is there");
    table.add(
        "a backup into a database that holds something",
        &installation.run(&["restore", "whole.backup"]).await,
    );
    table.add(
        "a half-written backup by force",
        &installation
            .run(&["restore", "half.backup", "--force"])
            .await,
    );
    let after = fs::read(installation.path("data/overture.db")).expect("it is there");
    assert!(before == after, "what was there is as it was");
    let forced = installation
        .run(&["restore", "whole.backup", "--force"])
        .await;
    assert!(forced.success().contains("is kept in"), "{forced:?}");
    assert!(kept(&installation.path("data")), "{forced:?}");
    let postgres = Installation::new(driven_binary(), "", "postgres://localhost/overture");
    postgres.write("whole.backup", whole);
    table.add(
        "a backup of another kind of database",
        &postgres.run(&["restore", "whole.backup"]).await,
    );
}

fn kept(data: &Path) -> bool {
    let mut files = fs::read_dir(data).expect("readable").flatten();
    files.any(|file| {
        file.file_name()
            .to_string_lossy()
            .contains(".before-restore-")
    })
}
