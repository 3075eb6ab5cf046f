//! The command line, as a person has it.

use std::{io, process::Stdio};

use overture_testkit::app::{Installation, binary};

/// `overture … | head` is nobody's mistake.
#[tokio::test]
async fn a_reader_who_has_seen_enough_ends_the_command() {
    let installation = Installation::new(binary(), "", "sqlite:data/overture.db");
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let mut command = installation.command(&["doctor", "--offline"]);
    let process = command
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = process.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
