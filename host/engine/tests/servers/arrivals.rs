//! What lies in a real Dovecot: mails that are hardly any, and folders that count anew (MB-8).

use std::time::{Duration, SystemTime};

use overture_domain::{
    CampaignId, accounts::Account, enrollments::EnrollmentState, events::EventKind,
};
use overture_mail::{Credentials, Dialer, Endpoint, Security, Timeouts, imap};
use overture_store::{accounts, actions};

use crate::office::Office;

const HOUR: Duration = Duration::from_secs(3_600);

/// A mailbox that has written to prospects.
struct Outgone {
    office: Office,
    ada: String,
    mailbox: Account,
    campaign: CampaignId,
    /// Each prospect's address and the Message-ID that it got.
    sent: Vec<(String, String)>,
}

impl Outgone {
    /// `before` lies in the inbox when the mailbox is connected.
    async fn new<const N: usize>(
        prospects: [&str; N],
        before: impl AsyncFnOnce(&Office, &str, &[String]),
    ) -> Self {
        let office = Office::new().await;
        let [ada] = office.accounts(["ada"]);
        let prospects = office.accounts(prospects);
        before(&office, &ada, &prospects).await;
        let mailbox = office.mailbox(&ada).await;
        office.read().await;
        let world = &office.world;
        let people: Vec<_> = prospects
            .iter()
            .map(|email| world.prospect(email))
            .collect();
        let people = world.write_prospects(&people).await;
        let campaign = world.running(&[&mailbox], &people).await;
        world.run_for(HOUR * 3).await;
        let on = &mut world.env().db.reader();
        let mut sent = Vec::new();
        for (email, enrollment) in prospects.into_iter().zip(world.enrollments(campaign).await) {
            assert_eq!(
                enrollment.state,
                EnrollmentState::Completed,
                "{}",
                enrollment.reason
            );
            let actions = actions::list_by_enrollments(on, world.ws, &[enrollment.id]).await;
            sent.push((email, actions.unwrap().remove(0).external_id));
        }
        Self {
            office,
            ada,
            mailbox,
            campaign,
            sent,
        }
    }

    /// The answer of a prospect.
    fn answer(&self, n: usize) -> Vec<u8> {
        let (email, id) = &self.sent[n];
        format!("From: {email}\r\nTo: {}\r\nSubject: Re: Hello\r\nMessage-ID: <re-{id}>\r\nIn-Reply-To: <{id}>\r\n\r\nPlease tell me more.\r\n", self.ada)
            .into_bytes()
    }

    async fn states(&self) -> Vec<EnrollmentState> {
        let all = self.office.world.enrollments(self.campaign).await;
        all.into_iter().map(|enrollment| enrollment.state).collect()
    }

    async fn replies(&self) -> usize {
        self.office
            .world
            .events(EventKind::ReplyReceived)
            .await
            .len()
    }
}

impl Office {
    /// A connection of the owner's own mail program, straight to Dovecot.
    async fn reader(&self, address: &str) -> imap::Session {
        let dialer = Dialer {
            timeouts: Timeouts::default(),
            ..self.dialer(&["127.0.0.0/8"])
        };
        let endpoint = Endpoint {
            host: "127.0.0.1".into(),
            port: self.servers.ports.imaps,
            security: Security::Implicit,
            pinned: None,
        };
        let login = Credentials::Password {
            user: address.to_owned(),
            password: "secret".into(),
        };
        imap::Session::connect(&dialer, &endpoint, &login)
            .await
            .unwrap()
    }

    /// Looks into the mailboxes now, a minute later.
    async fn look(&self, mailbox: &Account) {
        self.world.kit.clock.advance(Duration::from_secs(60));
        let (env, ws) = (self.world.env(), self.world.ws);
        let mut tx = env.db.begin().await.unwrap();
        accounts::request_sync(&mut tx, ws, mailbox.id, env.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        self.read().await;
    }
}

// MB-3, issue 4 "bad input": the sync neither stops nor loses others.
#[tokio::test(flavor = "multi_thread")]
async fn odd_mails_keep_nothing_back() {
    let outgone = Outgone::new(["p0", "p1", "p2"], async |_, _, _| {}).await;
    let office = &outgone.office;
    let headers: String = (0..10_000)
        .map(|n| format!("X-Header-{n}: {n}\r\n"))
        .collect();
    let boundary = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
    let nested: String = (0..500)
        .map(|n| {
            format!(
                "--b{n}\r\nContent-Type: multipart/mixed; boundary=b{}\r\n\r\n",
                n + 1
            )
        })
        .collect();
    let odd: [Vec<u8>; 12] = [
        format!("{headers}\r\nten thousand headers\r\n").into(),
        b"\r\nno header at all\r\n".to_vec(),
        b"neither header nor body".to_vec(),
        b"Subject: only a header\r\n".to_vec(),
        format!("Subject: no end\r\n{boundary}--b\r\nContent-Type: text/plain").into(),
        format!("Content-Type: multipart/mixed; boundary=b0\r\n\r\n{nested}").into(),
        b"Content-Type: text/plain; charset=utf-99\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!%%\r\n".to_vec(),
        b"Subject: =?utf-8?B?////?= =?x?Q?=ZZ?=\r\nFrom: <<<>>>\"@\r\n\r\n\xff\xfe\xfd\r\n".to_vec(),
        format!("Message-ID: <{}>\r\nSubject: {}\r\n\r\nlong\r\n", "i".repeat(5_000), "s".repeat(100_000)).into(),
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nnonsense\r\n--b--\r\n".to_vec(),
        b"Date: yesterday\r\nIn-Reply-To: <<>\r\nReferences: , <\r\n\r\nhi\r\n".to_vec(),
        // 50 MB, of which only the beginning is fetched.
        [b"Subject: large\r\n\r\n".to_vec(), b"0123456789abcde\n".repeat(50 << 16)].concat(),
    ];
    let mut reader = office.reader(&outgone.ada).await;
    reader
        .append("INBOX", &outgone.answer(0), &[])
        .await
        .unwrap();
    for (n, mail) in odd.iter().enumerate() {
        let taken = reader.append("INBOX", mail, &[]).await;
        taken.unwrap_or_else(|error| panic!("{n}: {error}"));
        if n == 6 {
            reader
                .append("INBOX", &outgone.answer(1), &[])
                .await
                .unwrap();
        }
    }
    reader
        .append("INBOX", &outgone.answer(2), &[])
        .await
        .unwrap();
    reader.logout().await;

    let mailbox = &outgone.mailbox;
    office.look(mailbox).await;
    let read = office.world.account(mailbox.id).await;
    assert_eq!(read.sync_error, None);
    assert_eq!(outgone.states().await, [EnrollmentState::Replied; 3]);
    assert_eq!(outgone.replies().await, 3);
    // And that was all: nothing is fetched again.
    office.look(mailbox).await;
    assert_eq!(
        office.world.account(mailbox.id).await.sync_cursor,
        read.sync_cursor
    );
    assert_eq!(outgone.replies().await, 3);
}

// MB-8: neither another UIDVALIDITY nor UIDs that count anew bring an event twice, nor an event of
// mails that were there before.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_counts_anew_brings_nothing_twice() {
    let outgone = Outgone::new(["p0", "p1"], async |office, ada, prospects| {
        // An old acquaintance: that mail answers nothing.
        let old = format!(
            "From: {}\r\nMessage-ID: <old@x>\r\nSubject: dinner?\r\n\r\nTomorrow?\r\n",
            prospects[0]
        );
        let mut reader = office.reader(ada).await;
        reader.append("INBOX", old.as_bytes(), &[]).await.unwrap();
        reader.logout().await;
        let long_ago = SystemTime::UNIX_EPOCH + HOUR * 24 * 365 * 40;
        office.servers.set_received(ada, "INBOX", long_ago).unwrap();
    })
    .await;
    let office = &outgone.office;
    let mailbox = &outgone.mailbox;
    let mut reader = office.reader(&outgone.ada).await;
    reader
        .append("INBOX", &outgone.answer(1), &[])
        .await
        .unwrap();
    // Without a Message-ID only its content tells that it is the same.
    let (email, id) = &outgone.sent[1];
    let bare = format!("From: {email}\r\nIn-Reply-To: <{id}>\r\n\r\nAnd the price?\r\n");
    reader.append("INBOX", bare.as_bytes(), &[]).await.unwrap();
    reader.logout().await;
    office.look(mailbox).await;
    let expected = [EnrollmentState::Completed, EnrollmentState::Replied];
    assert_eq!(outgone.states().await, expected);
    let replies = outgone.replies().await;

    let validity = 4_000_000_000;
    office
        .servers
        .set_uid_validity(&outgone.ada, "INBOX", validity)
        .unwrap();
    office.look(mailbox).await;
    assert_eq!(
        (outgone.states().await, outgone.replies().await),
        (expected.to_vec(), replies)
    );
    office.servers.forget_uids(&outgone.ada).unwrap();
    office.look(mailbox).await;
    assert_eq!(
        (outgone.states().await, outgone.replies().await),
        (expected.to_vec(), replies)
    );
    assert_eq!(office.world.account(mailbox.id).await.sync_error, None);

    // What comes afterwards is seen.
    let mut reader = office.reader(&outgone.ada).await;
    reader
        .append("INBOX", &outgone.answer(0), &[])
        .await
        .unwrap();
    reader.logout().await;
    office.look(mailbox).await;
    assert_eq!(outgone.states().await, [EnrollmentState::Replied; 2]);
}
