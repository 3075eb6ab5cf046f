//! What people do with their mail programs.

use overture_testkit::{App, servers::MailServers};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::{
    mails::{header, unsubscribe_url},
    people::Person,
};

type Mail<'a> = (&'a Person, &'a [u8]);

/// Answers in the thread, with the mail quoted.
pub(super) async fn reply(servers: &MailServers, sender: &str, (person, mail): Mail<'_>) {
    let text = "Das klingt interessant, erzählen Sie mir gern mehr davon.\r\n\r\nAm Freitag schrieb Ada:\r\n> Hallo,\r\n> passt der Plan?\r\n";
    answer(servers, sender, person, mail, "Re: Frage", "", text).await;
}

/// RFC 3834
pub(super) async fn out_of_office(servers: &MailServers, sender: &str, (person, mail): Mail<'_>) {
    let text = "Ich bin bis zum 20. März nicht im Büro.\r\n";
    let marks = "Auto-Submitted: auto-replied\r\n";
    answer(
        servers,
        sender,
        person,
        mail,
        "Abwesenheitsnotiz",
        marks,
        text,
    )
    .await;
}

/// RFC 8058 §3.1: the mail program posts to the URI of the header, without login or cookie.
pub(crate) async fn unsubscribe(app: &App, mail: &[u8]) {
    let link = unsubscribe_url(mail);
    let here = link.replacen("https://outreach.test", &app.url, 1);
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("an HTTP client");
    // TRK-4: a scanner follows the link before anybody clicks it.
    let page = http.get(&here).send().await.expect("the page is there");
    assert_eq!(page.status(), 200);
    let answer = http
        .post(&here)
        .header("content-type", "application/x-www-form-urlencoded")
        .body("List-Unsubscribe=One-Click")
        .send()
        .await
        .expect("the server answers");
    assert_eq!(answer.status(), 200);
}

async fn answer(
    servers: &MailServers,
    sender: &str,
    person: &Person,
    mail: &[u8],
    subject: &str,
    marks: &str,
    text: &str,
) {
    let id = header(mail, "message-id");
    let (_, domain) = person.email.split_once('@').expect("an address");
    let data = format!(
        "From: <{from}>\r\nTo: <{sender}>\r\nSubject: {subject}\r\nDate: Mon, 09 Mar 2026 10:00:00 +0000\r\n\
         Message-ID: <{subject_id}-{from_id}@{domain}>\r\nIn-Reply-To: {id}\r\nReferences: {id}\r\n{marks}\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}",
        from = person.email,
        subject_id = subject.len(),
        from_id = person.email.split('@').next().unwrap_or_default(),
    );
    deliver(servers, &person.email, sender, &data).await;
}

/// Hands a mail to the server as another server would (RFC 5321).
pub(crate) async fn deliver(servers: &MailServers, from: &str, to: &str, mail: &str) {
    let stream = TcpStream::connect(("127.0.0.1", servers.ports.mx)).await;
    let mut stream = BufReader::new(stream.expect("the server listens"));
    expect(&mut stream, "220").await;
    for (command, code) in [
        ("EHLO mx.example.net".to_owned(), "250"),
        (format!("MAIL FROM:<{from}> BODY=8BITMIME"), "250"),
        (format!("RCPT TO:<{to}>"), "250"),
        ("DATA".to_owned(), "354"),
        (format!("{mail}\r\n."), "250"),
        ("QUIT".to_owned(), "221"),
    ] {
        let line = format!("{command}\r\n");
        stream
            .write_all(line.as_bytes())
            .await
            .expect("the server listens");
        expect(&mut stream, code).await;
    }
}

async fn expect(stream: &mut BufReader<TcpStream>, code: &str) {
    loop {
        let mut line = String::new();
        stream
            .read_line(&mut line)
            .await
            .expect("the server answers");
        assert!(line.starts_with(code), "{code} is expected: {line}");
        if line.as_bytes().get(3) == Some(&b' ') {
            return;
        }
    }
}
