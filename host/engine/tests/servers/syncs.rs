//! No sync fails silently (MB-3): what a user sees of a mailbox that can't be read, one row a
//! stage, from a real Dovecot or the proxy in front of it; and that it is read again by itself
//! once the trouble is over.

use std::{fmt::Write as _, net::Ipv4Addr, time::Duration};

use overture_domain::{
    accounts::{Account, AccountStatus, TlsMode},
    people::Actor,
};
use overture_engine::mailboxes::{self, NewMailbox};
use overture_testkit::{
    dns::Answer,
    proxy::{
        At::{self, Line},
        Certificate, Front, HOST,
        Harm::{self, Answer as Say, Close},
        Proxy,
    },
};

use crate::office::{Office, server};

/// What happens to a mailbox that was read before.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// Its host name is looked up with this answer.
    Name(fn() -> Answer),
    /// Nobody listens at its server any more.
    Down,
    /// Its server shows another certificate.
    Shows(Certificate),
    /// Its password is another one at the server.
    Password,
    /// Its server does harm.
    Harmed(At, Harm),
}
use Trouble::{Down, Harmed, Name, Password, Shows};

#[rustfmt::skip]
const ROWS: &[(&str, Trouble)] = &[
    ("dns: the host name is gone", Name(|| Answer::NoSuchName)),
    ("dns: the name server fails", Name(|| Answer::Failure)),
    ("tcp: the server is down", Down),
    ("tls: the certificate has expired", Shows(Certificate::Expired)),
    ("tls: the certificate is by somebody unknown", Shows(Certificate::UnknownIssuer)),
    ("auth: the password has changed", Password),
    ("auth: an app password is wanted now", Harmed(Line("AUTHENTICATE"), Say("{tag} NO [ALERT] Application-specific password required: https://support.example.com/\r\n"))),
    ("auth: not for now", Harmed(Line("AUTHENTICATE"), Say("{tag} NO [UNAVAILABLE] Temporary authentication failure.\r\n"))),
    ("select: the folder can't be opened", Harmed(Line("SELECT"), Say("{tag} NO [SERVERBUG] Internal error occurred. Refer to server log for more information.\r\n"))),
    ("fetch: the mails can't be read", Harmed(Line("UID"), Say("{tag} NO [LIMIT] Account exceeded bandwidth limits\r\n"))),
    ("fetch: the server hangs up", Harmed(Line("UID"), Close)),
];

/// Longer than until any next look.
const NEXT: Duration = Duration::from_secs(2 * 3_600);

/// A mailbox behind a proxy of its own, whose mails were read.
async fn read_once(office: &Office, address: &str) -> (Account, Proxy) {
    let front = Front::implicit(office.servers.ports.imaps);
    let proxy = Proxy::start(front, &office.servers.ca_file).await.unwrap();
    let entered = NewMailbox {
        imap: Some(server(HOST, proxy.port, TlsMode::Implicit)),
        ..office.entered(address)
    };
    let (env, ws) = (office.world.env(), office.world.ws);
    let connected = mailboxes::connect(env, ws, entered, &Actor::Cli).await;
    let id = connected.unwrap().account.id;
    office.read().await;
    let account = office.world.account(id).await;
    assert_eq!(
        (account.synced_at, &account.sync_error),
        (Some(env.now()), &None)
    );
    (account, proxy)
}

/// The address of all servers here, which nobody may keep.
fn here() -> Answer {
    Answer::InTurn(vec![vec![Ipv4Addr::LOCALHOST.into()]])
}

impl Trouble {
    async fn begin(self, office: &Office, address: &str, proxy: Proxy) -> Option<Proxy> {
        match self {
            Name(answer) => office.dns.set(HOST, answer()),
            Down => return None,
            Shows(certificate) => proxy.show(certificate).unwrap(),
            Password => office.servers.set_password(address, "changed").unwrap(),
            Harmed(at, harm) => proxy.harm(at, harm),
        }
        Some(proxy)
    }

    fn end(self, office: &Office, address: &str, proxy: &Proxy) {
        match self {
            Name(_) => office.dns.set(HOST, here()),
            Down => {}
            Shows(_) => proxy.show(Certificate::Good).unwrap(),
            Password => office.servers.set_password(address, "secret").unwrap(),
            Harmed(..) => proxy.heal(),
        }
    }
}

/// What a user sees of a sync that failed.
fn shown(title: &str, account: &Account) -> String {
    let error = account.sync_error.as_ref().expect(title);
    let mut text = format!("{title}\n  {} {}", error.stage, error.code);
    let reply = error.reply.as_deref().unwrap_or("-");
    write!(text, "\n    the server said: {reply}\n    {}", error.detail).unwrap();
    let fix = mailboxes::fix(error);
    writeln!(
        text,
        "\n    {fix}\n  {}: {}",
        account.status, account.status_reason
    )
    .unwrap();
    text
}

// MB-3
#[tokio::test(flavor = "multi_thread")]
async fn each_sync_that_fails_says_where_and_why_and_what_helps() {
    let office = Office::new().await;
    office.dns.set(HOST, here());
    let names: [String; ROWS.len()] = std::array::from_fn(|n| format!("m{n}"));
    let addresses = office.accounts(names.each_ref().map(String::as_str));
    let [sender] = office.accounts(["sender"]);
    let mut table = Vec::new();
    for ((title, trouble), address) in ROWS.iter().zip(&addresses) {
        let (before, proxy) = read_once(&office, address).await;
        let mail = "From: x@example.com\nSubject: new\nMessage-ID: <new@example.com>\n\nhi\n";
        office.deliver(&sender, address, mail).await;
        let port = proxy.port.to_string();
        let proxy = trouble.begin(&office, address, proxy).await;
        office.world.kit.clock.advance(NEXT);
        office.read().await;
        let failed = office.world.account(before.id).await;
        table.push(shown(title, &failed).replace(&port, "PORT"));
        assert_eq!(
            failed.synced_at, before.synced_at,
            "{title}: the last success stays"
        );
        assert_eq!(
            failed.sync_cursor, before.sync_cursor,
            "{title}: nothing is passed over"
        );
        let error = failed.sync_error.unwrap();
        assert_eq!(error.at, office.world.env().now(), "{title}");

        if let Some(proxy) = proxy {
            trouble.end(&office, address, &proxy);
            office.world.kit.clock.advance(NEXT);
            office.read().await;
            let again = office.world.account(before.id).await;
            let now = Some(office.world.env().now());
            assert_eq!((again.sync_error, again.synced_at), (None, now), "{title}");
            assert_eq!(again.status, AccountStatus::Connected, "{title}");
            assert_ne!(
                again.sync_cursor, before.sync_cursor,
                "{title}: the mail is read"
            );
            assert_eq!(again.auth_failures, 0, "{title}");
        }
        let (env, ws) = (office.world.env(), office.world.ws);
        mailboxes::delete(env, ws, before.id, &Actor::Cli)
            .await
            .unwrap();
    }
    insta::assert_snapshot!("mb_3", table.join("\n"));
}
