use std::process::Command;

use overture_server_kit::{Durability, start_postgres};

fn ask(url: &str, sql: &str) -> String {
    let output = Command::new("psql")
        .args([url, "-Atc", sql])
        .output()
        .expect("psql is installed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn durability_is_what_was_asked_for() {
    for (durability, fsync) in [(Durability::Off, "off"), (Durability::On, "on")] {
        let server = start_postgres(durability).expect("a server");
        assert_eq!(ask(&server.url, "SHOW fsync"), fsync);
        assert_eq!(ask(&server.url, "SHOW synchronous_commit"), fsync);
        let version = ask(&server.url, "SHOW server_version");
        let number = version.split(' ').next().unwrap_or_default();
        assert!(
            server.version.starts_with(&format!("PostgreSQL {number}")),
            "{}",
            server.version
        );
    }
}
