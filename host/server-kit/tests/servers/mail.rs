use std::time::Duration;

use overture_server_kit::{
    Account, FATES, MailOptions, MailServers, mail, prospect_address, start_mail, wait_until,
};

use crate::smtp::Smtp;

const LIMIT: Duration = Duration::from_secs(30);

/// Waits for the first mail in a folder that contains `text`.
fn mail_with(servers: &MailServers, address: &str, folder: &str, text: &str) -> String {
    let mut found = None;
    wait_until(LIMIT, || {
        let mails = servers.mails(address, folder).expect("a readable mailbox");
        let mut mails = mails
            .iter()
            .map(|mail| String::from_utf8_lossy(mail).into_owned());
        found = mails.find(|mail| mail.contains(text));
        found.is_some()
    });
    found.unwrap_or_else(|| panic!("no mail with {text:?} came to {folder} of {address}"))
}

fn new_sender(servers: &MailServers, domain: &str) -> String {
    let address = format!("carol@{domain}");
    servers
        .add_accounts(&[Account::new(&address, "secret")])
        .expect("added");
    address
}

fn log_in(servers: &MailServers, user: &str, password: &str) -> Smtp {
    let (smtp, answer) = Smtp::log_in(servers, user, password);
    assert!(answer.starts_with("235"), "{answer}");
    smtp
}

#[test]
fn a_mail_arrives_at_a_prospect() {
    let servers = mail().expect("mail servers");
    let to = prospect_address(200);
    let sent =
        log_in(servers, "bob@sender.test", "secret-bob").send("bob@sender.test", &to, "first");
    assert!(sent.starts_with("250"), "{sent}");
    mail_with(servers, &to, "INBOX", "Subject: first");
}

#[test]
fn a_wrong_password_is_refused() {
    let (_, answer) = Smtp::log_in(mail().expect("mail servers"), "bob@sender.test", "guess");
    assert!(answer.starts_with("535 5.7.8"), "{answer}");
}

#[test]
fn every_fate_is_met() {
    let servers = mail().expect("mail servers");
    let sender = new_sender(servers, &servers.own_domain().expect("a domain"));
    let mut smtp = log_in(servers, &sender, "secret");
    for fate in FATES {
        let answer = smtp.send(&sender, fate.address, "fate");
        let expected = fate.refused.unwrap_or("250 2.0.0");
        assert!(answer.starts_with(expected), "{}: {answer}", fate.address);
    }
    for fate in FATES {
        let Some(status) = fate.dsn else { continue };
        let report = mail_with(
            servers,
            &sender,
            "INBOX",
            &format!("rfc822; {}", fate.address),
        );
        assert!(report.contains("multipart/report"), "{report}");
        assert!(report.contains("\nAction: failed"), "{report}");
        assert!(
            report.contains(&format!("\nStatus: {status}")),
            "{}: {report}",
            fate.address
        );
    }
}

#[test]
fn the_server_files_sent_copies_where_asked() {
    let servers = mail().expect("mail servers");
    let copied = new_sender(
        servers,
        &servers.own_domain_with_sent_copies().expect("a domain"),
    );
    let plain = new_sender(servers, &servers.own_domain().expect("a domain"));
    for sender in [&copied, &plain] {
        let sent =
            log_in(servers, sender, "secret").send(sender, "p3@d3.test", &format!("by {sender}"));
        assert!(sent.starts_with("250"), "{sent}");
        mail_with(
            servers,
            "p3@d3.test",
            "INBOX",
            &format!("Subject: by {sender}"),
        );
    }
    mail_with(servers, &copied, "Sent", "Subject: by");
    assert!(servers.mails(&plain, "Sent").expect("a mailbox").is_empty());
}

#[test]
fn own_domains_differ() {
    let servers = mail().expect("mail servers");
    let domains: Vec<_> = (0..4)
        .map(|_| servers.own_domain().expect("a domain"))
        .collect();
    let mut different = domains.clone();
    different.dedup();
    assert_eq!(domains, different);
}

#[test]
fn chosen_accounts_refusals_and_uid_changes() {
    let options = MailOptions {
        prospects: 1,
        accounts: vec![
            Account::new("zoe.m@sender.test", "pw"),
            Account::new("eve@sender.test", "pw"),
        ],
        sent_copies: vec!["eve@sender.test".into()],
        refusals: vec![("a.b@c.test".into(), "550 5.7.1 not you".into())],
        ..MailOptions::default()
    };
    let servers = start_mail(&options).expect("a second pair beside the first");
    let mut smtp = log_in(&servers, "eve@sender.test", "pw");
    assert!(
        smtp.send("eve@sender.test", "a.b@c.test", "no")
            .starts_with("550 5.7.1 ")
    );
    assert!(
        smtp.send("eve@sender.test", "p1@d1.test", "yes")
            .starts_with("250")
    );
    mail_with(&servers, "p1@d1.test", "INBOX", "Subject: yes");
    mail_with(&servers, "eve@sender.test", "Sent", "Subject: yes");
    log_in(&servers, "zoe.m@sender.test", "pw");
    servers
        .set_uid_validity("p1@d1.test", "INBOX", 77)
        .expect("doveadm does it");
    servers
        .forget_uids("p1@d1.test")
        .expect("nobody is logged in");
    assert_eq!(
        servers
            .mails("p1@d1.test", "INBOX")
            .expect("a mailbox")
            .len(),
        1
    );
}
