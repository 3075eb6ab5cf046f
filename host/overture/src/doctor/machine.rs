//! The machine: room and rights on its disks, and its clock.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use overture_domain::{Clock as _, Timestamp};
use overture_engine::DatabaseClock;
use overture_store::{Database, dialect::Dialect, upkeep};

use super::Findings;
use crate::{clock::SystemClock, config::Config, services};

const MIB: u64 = 1 << 20;
/// Less room in a folder needs somebody now, and soon.
const TOO_LITTLE: u64 = 100 * MIB;
const LITTLE: u64 = 1024 * MIB;

/// A clock that differs by more, in seconds, is told: caps and leases go by the database's (SCH-7), but
/// certificates and logs by the machine's own.
const MUCH_OFFSET: f64 = 1.0;

/// The folders that `serve` writes to.
pub(super) fn disk(config: &Config, findings: &mut Findings) {
    let mut folders: Vec<PathBuf> = Vec::new();
    let files = [
        services::sqlite_path(&config.database.url),
        services::master_key_in_environment()
            .is_none()
            .then(|| config.vault.master_key_file.clone()),
    ];
    let own = files.iter().flatten().filter_map(|file| file.parent());
    let cache = [config.plugins.cache_folder.as_path()];
    for folder in own.chain(cache).map(present) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    for folder in folders {
        look_at(&folder, findings);
    }
}

/// The folder, or the nearest one above it that is there.
fn present(folder: &Path) -> PathBuf {
    let mut there = folder;
    loop {
        if there.as_os_str().is_empty() {
            return PathBuf::from(".");
        }
        match there.parent() {
            Some(above) if !there.exists() => there = above,
            _ => return there.to_owned(),
        }
    }
}

fn look_at(folder: &Path, findings: &mut Findings) {
    let name = folder.display();
    // Gone when it is dropped.
    if let Err(error) = tempfile::tempfile_in(folder) {
        return findings.error(
            "disk.not_writable",
            format!("{name} can't be written to: {error}"),
            format!("give it to the user who runs overture: chown -R USER {name}"),
        );
    }
    let free = match rustix::fs::statvfs(folder) {
        Ok(disk) => disk.f_bavail * disk.f_frsize,
        Err(error) => {
            return findings.error("disk.unreadable", format!("{name}: {error}"), "");
        }
    };
    let left = format!("{name} has {} MiB free", free / MIB);
    let fix = "make room: a full disk stops everything that sends and records";
    if free < TOO_LITTLE {
        findings.error("disk.full", left, fix);
    } else if free < LITTLE {
        findings.warning("disk.low", left, fix);
    } else {
        findings.ok("disk", left);
    }
}

/// This machine's clock against the database's, and against what was written there.
pub(super) async fn clock(db: &Database, findings: &mut Findings) {
    let fix = "set this machine's clock, and keep it right (chrony, systemd-timesyncd)";
    let now = SystemClock.now();
    match upkeep::last_event_at(&mut db.reader()).await {
        Ok(Some(last)) if ahead(last, now) > 60.0 => {
            return findings.error(
                "clock.behind",
                format!("it is {now} here, and something happened at {last}"),
                fix,
            );
        }
        _ => {}
    }
    if db.dialect() == Dialect::Sqlite {
        return findings.ok("clock", format!("{now}"));
    }
    let clock = DatabaseClock::new(Arc::new(SystemClock), Arc::new(db.clone()));
    if clock.measure().await.is_err() {
        return;
    }
    let Some(known) = clock.offset() else {
        return;
    };
    let (offset, uncertain) = (-known.ahead as f64 / 1e6, known.uncertain.as_secs_f64());
    let message = format!(
        "this machine is {offset:+.3} s ahead of the database server, give or take {uncertain:.3} s; its time is corrected by that"
    );
    if !clock.is_certain() {
        let fix =
            "mend the way to the database server: nothing is sent while it takes so long to answer";
        findings.error("clock.uncertain", message, fix);
    } else if offset.abs() > MUCH_OFFSET {
        findings.warning("clock.offset", message, fix);
    } else {
        findings.ok("clock", message);
    }
}

fn ahead(one: Timestamp, other: Timestamp) -> f64 {
    (one.as_micros() - other.as_micros()) as f64 / 1e6
}
