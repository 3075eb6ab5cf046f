//! The README's commands, as a new user types them; the two long ones and the servers excepted,
//! which the test starts itself.

use std::{fs, net::TcpListener, path::Path, process::Stdio, time::Duration};

use overture_testkit::{app, servers};
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

const README: &str = include_str!("../../README.md");
/// All commands together; they take about ten seconds.
const LONGEST: Duration = Duration::from_secs(120);

/// The shell blocks between the heading of the story and the next heading.
fn commands() -> String {
    let story = README
        .split("## The story by hand")
        .nth(1)
        .expect("the README tells the story");
    let story = story
        .split("\n## ")
        .next()
        .expect("a text has a first part");
    let blocks = story.split("```sh\n").skip(1).map(|rest| {
        let end = rest.find("```").expect("a block of commands ends");
        &rest[..end]
    });
    blocks
        .filter(|block| !block.contains("cargo xtask"))
        .map(|block| {
            // A person waits until it listens.
            let wait = "until overture campaign list 2>/dev/null; do :; done\n";
            if block.contains("serve &") {
                format!("{block}SERVER=$!\ntrap 'kill $SERVER' EXIT\n{wait}")
            } else {
                block.to_owned()
            }
        })
        .collect()
}

#[tokio::test]
async fn the_story_by_hand_works_as_it_is_written() {
    let mail = servers::mail().unwrap_or_else(|error| panic!("{error}"));
    let sender = mail.accounts.first().expect("the kit has senders");
    let folder = tempfile::tempdir().unwrap();
    let variables = format!(
        "CA_FILE='{}'\nSMTP_PORT='{}'\nIMAP_PORT='{}'\nSENDER='{}'\nSENDER_PASSWORD='{}'\nPROSPECT='{}'\n",
        mail.ca_file.display(),
        mail.ports.submission,
        mail.ports.imaps,
        sender.address,
        sender.password,
        servers::prospect_address(7),
    );
    fs::write(folder.path().join("servers.env"), variables).unwrap();

    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let overture = app::binary();
    let programs = Path::new(&overture)
        .parent()
        .expect("a program lies in a folder")
        .to_owned();
    // It may have another name there.
    let link = folder.path().join("bin");
    fs::create_dir(&link).unwrap();
    std::os::unix::fs::symlink(&overture, link.join("overture")).unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("bash")
        .args(["-euo", "pipefail"])
        .current_dir(folder.path())
        .env(
            "PATH",
            format!("{}:{}:{path}", link.display(), programs.display()),
        )
        .env("OVERTURE__SERVER__LISTEN", format!("127.0.0.1:{port}"))
        .env("OVERTURE_URL", format!("http://127.0.0.1:{port}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut input = shell.stdin.take().unwrap();
    input.write_all(commands().as_bytes()).await.unwrap();
    drop(input);
    let ended = timeout(LONGEST, shell.wait_with_output())
        .await
        .expect("the commands end")
        .unwrap();

    let (out, errors) = (
        String::from_utf8_lossy(&ended.stdout),
        String::from_utf8_lossy(&ended.stderr),
    );
    assert!(ended.status.success(), "{out}\n{errors}");
    for line in [
        "smtp: works",
        "imap: works",
        "1 created",
        "running",
        "campaign.status_changed",
    ] {
        assert!(
            out.contains(line),
            "`{line}` is missing in\n{out}\n{errors}"
        );
    }
}
