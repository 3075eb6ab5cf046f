//! What several mailboxes at one mail host share: its connections, at a real Postfix.

use std::{sync::Arc, time::Duration};

use overture_domain::{accounts::Account, people::Actor};
use overture_engine::{
    BeforeBody,
    mailboxes::{self, ConnectionLimits, Session},
};
use overture_plugin_host::capabilities::mailbox::{Failure, MailSession as _, Submission};
use overture_testkit::servers;
use tokio::{sync::Notify, task::JoinHandle};

use crate::{
    connections::{Wired, wired},
    real::{Hook, mailbox},
};

/// Several mailboxes behind one cable.
struct Shared {
    wired: Wired,
    accounts: Vec<Account>,
    to: String,
}

/// A mail that has come to its body, and waits there.
struct Held {
    go: Arc<Notify>,
    call: JoinHandle<Result<Submission, Failure>>,
}

impl Shared {
    async fn new(limits: ConnectionLimits, mailboxes: usize) -> Self {
        let wired = wired(limits).await;
        let (servers, env, ws) = (
            wired.real.servers,
            wired.real.world.env(),
            wired.real.world.ws,
        );
        let domain = servers.own_domain().unwrap();
        let mut accounts = Vec::new();
        for n in 0..mailboxes {
            let address = format!("m{n}@{domain}");
            let account = servers::Account::new(&address, "secret");
            servers.add_accounts(&[account]).unwrap();
            let entered = mailbox(servers, &address, "secret");
            let connected = mailboxes::connect(env, ws, entered, &Actor::Cli).await;
            accounts.push(connected.unwrap().account);
        }
        let to = accounts[0].address.clone();
        wired.open(0).await;
        wired.cable.forget();
        Self {
            wired,
            accounts,
            to,
        }
    }

    /// Begins to send from a mailbox.
    async fn send_with(
        &self,
        n: usize,
        hook: Arc<Hook>,
    ) -> JoinHandle<Result<Submission, Failure>> {
        let real = &self.wired.real;
        let mail = real.mail_to(&self.to, "shared");
        let session = Session::open(real.world.env(), &self.accounts[n]).await;
        let session = session.unwrap().before_body(hook as Arc<dyn BeforeBody>);
        tokio::spawn(async move { session.submit(&mail).await })
    }

    /// Sends from a mailbox.
    async fn send(&self, n: usize) {
        let call = self.send_with(n, Arc::default()).await;
        call.await.unwrap().unwrap();
    }

    /// A mail from a mailbox that holds its connection.
    async fn hold(&self, n: usize) -> Held {
        let go = Arc::new(Notify::new());
        let hook = Arc::new(Hook {
            go: Some(Arc::clone(&go)),
            ..Hook::default()
        });
        let call = self.send_with(n, Arc::clone(&hook)).await;
        hook.reached.notified().await;
        Held { go, call }
    }
}

impl Held {
    async fn go_on(self) {
        self.go.notify_one();
        self.call.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_has_no_more_connections_than_it_may() {
    let limits = ConnectionLimits {
        per_host: 2,
        ..ConnectionLimits::default()
    };
    let shared = Shared::new(limits, 3).await;
    let cable = &shared.wired.cable;
    let (first, second) = (shared.hold(0).await, shared.hold(1).await);
    let mut third = shared.send_with(2, Arc::default()).await;
    let early = tokio::time::timeout(Duration::from_millis(200), &mut third).await;
    assert!(early.is_err(), "it waits for a place");
    assert_eq!(cable.dialled(), 2);
    // The kept connection of the first is closed before the third opens its own.
    first.go_on().await;
    third.await.unwrap().unwrap();
    second.go_on().await;
    assert_eq!((cable.dialled(), cable.most_at_once()), (3, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_that_was_unused_for_longest_makes_room() {
    let limits = ConnectionLimits {
        per_host: 2,
        ..ConnectionLimits::default()
    };
    let shared = Shared::new(limits, 3).await;
    let cable = &shared.wired.cable;
    for n in [0, 1, 0, 2] {
        shared.send(n).await;
    }
    // The second mailbox's has made room; those of the others are kept.
    assert_eq!(cable.dialled(), 3);
    for n in [0, 2] {
        shared.send(n).await;
    }
    assert_eq!(cable.dialled(), 3);
    shared.send(1).await;
    assert_eq!((cable.dialled(), cable.most_at_once()), (4, 2));
}

// Who waits for its own mailbox takes no place of the host's from others.
#[tokio::test(flavor = "multi_thread")]
async fn a_busy_mailbox_keeps_nobody_else_from_the_host() {
    let limits = ConnectionLimits {
        per_mailbox: 1,
        per_host: 2,
        ..ConnectionLimits::default()
    };
    let shared = Shared::new(limits, 2).await;
    let held = shared.hold(0).await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(shared.send_with(0, Arc::default()).await);
    }
    for _ in 0..2 {
        shared.send(1).await;
    }
    assert!(waiting.iter().all(|call| !call.is_finished()));
    held.go_on().await;
    for call in waiting {
        call.await.unwrap().unwrap();
    }
    let cable = &shared.wired.cable;
    assert_eq!((cable.dialled(), cable.most_at_once()), (2, 2));
}
