//! Others that send the same mails over as many connections to the same sink, without TLS, sign-in
//! or any record of what they did.

use std::{
    ffi::OsStr,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use lettre::{
    address::Envelope,
    transport::smtp::{client::AsyncSmtpConnection, extension::ClientId},
};
use tokio::net::TcpStream;

use crate::CONNECTIONS;

/// Mails a second with lettre, over a stream that doesn't wait (its own sets no TCP_NODELAY).
pub(crate) async fn lettre(sink: u16, mails: usize, size: usize) -> f64 {
    let left = Arc::new(AtomicUsize::new(mails));
    let mail: Arc<[u8]> = mail(size).into();
    let start = Instant::now();
    let senders = (0..CONNECTIONS).map(|_| {
        let (left, mail) = (Arc::clone(&left), Arc::clone(&mail));
        tokio::spawn(async move {
            let stream = TcpStream::connect(("127.0.0.1", sink)).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let hello = ClientId::Domain("localhost".to_owned());
            let mut connection =
                AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello)
                    .await
                    .unwrap();
            let parse = |address: &str| address.parse().unwrap();
            let envelope =
                Envelope::new(Some(parse("ada@sender.test")), vec![parse("p@example.com")])
                    .unwrap();
            while left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
                .is_ok()
            {
                connection.send(&envelope, &mail).await.unwrap();
            }
            connection.quit().await.unwrap();
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    mails as f64 / start.elapsed().as_secs_f64()
}

/// Mails a second with nodemailer's pool.
pub(crate) fn nodemailer(folder: &OsStr, sink: u16, mails: usize, size: usize) -> f64 {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/bench_send/nodemailer.mjs"
    );
    let arguments = [sink as usize, mails, CONNECTIONS, size].map(|n| n.to_string());
    let run = Command::new("node")
        .arg(script)
        .arg(folder)
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    String::from_utf8(run.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

/// A mail of this many bytes.
fn mail(size: usize) -> Vec<u8> {
    let mut mail = b"From: Ada <ada@sender.test>\r\nTo: p@example.com\r\nSubject: Hello\r\nMessage-ID: <1@sender.test>\r\n\r\n".to_vec();
    while mail.len() < size {
        mail.extend_from_slice(
            b"A line of a mail, as long as most of them are in mails like this.\r\n",
        );
    }
    mail
}
