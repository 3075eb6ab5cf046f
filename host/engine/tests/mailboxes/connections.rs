//! SMTP connections between mails, at a real Postfix: kept, limited, cut, left alone.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use overture_domain::people::Actor;
use overture_egress::ConnectError;
use overture_engine::{
    BeforeBody,
    mailboxes::{self, ConnectionLimits, MailboxChange, Session, status},
};
use overture_mail::{BoxedStream, Connector};
use overture_plugin_host::capabilities::mailbox::{
    Failure, MailSession, Outgoing, Stage, Submission, SubmissionRecord,
};
use overture_testkit::servers;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
};

use crate::real::{Hook, Real, real};

/// The way to the server, which a test can watch and cut.
pub(crate) struct Cable {
    inner: Arc<dyn Connector>,
    dialled: AtomicUsize,
    most: AtomicUsize,
    /// Nobody answers.
    down: AtomicBool,
    open: Arc<Mutex<Vec<Arc<Ends>>>>,
}

/// What of one connection is cut.
#[derive(Default)]
struct Ends {
    /// Nothing comes back any more.
    deaf: AtomicBool,
    closed: AtomicBool,
}

impl Cable {
    pub(crate) fn dialled(&self) -> usize {
        self.dialled.load(Ordering::SeqCst)
    }

    /// How many connections were open at the same time, at most.
    pub(crate) fn most_at_once(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    /// Counts anew.
    pub(crate) fn forget(&self) {
        self.dialled.store(0, Ordering::SeqCst);
        self.most.store(0, Ordering::SeqCst);
    }

    /// How many connections are open.
    fn open(&self) -> usize {
        let open = self.open.lock().unwrap();
        open.iter()
            .filter(|ends| !ends.closed.load(Ordering::SeqCst))
            .count()
    }

    /// Cuts every connection that is open.
    fn cut(&self) {
        for ends in &*self.open.lock().unwrap() {
            ends.deaf.store(true, Ordering::SeqCst);
        }
    }
}

#[async_trait]
impl Connector for Cable {
    async fn connect(
        &self,
        host: &str,
        port: u16,
        limit: Duration,
    ) -> Result<BoxedStream, ConnectError> {
        self.dialled.fetch_add(1, Ordering::SeqCst);
        // Port 1: refused, as by a host on which nothing runs.
        let port = if self.down.load(Ordering::SeqCst) {
            25
        } else {
            port
        };
        let stream = self.inner.connect(host, port, limit).await?;
        let ends = Arc::<Ends>::default();
        self.open.lock().unwrap().push(Arc::clone(&ends));
        self.most.fetch_max(self.open(), Ordering::SeqCst);
        Ok(Box::new(Cuttable { stream, ends }))
    }
}

struct Cuttable {
    stream: BoxedStream,
    ends: Arc<Ends>,
}

impl Drop for Cuttable {
    fn drop(&mut self) {
        self.ends.closed.store(true, Ordering::SeqCst);
    }
}

impl AsyncRead for Cuttable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ends.deaf.load(Ordering::SeqCst) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A mailbox at Postfix behind a cable.
pub(crate) struct Wired {
    pub(crate) real: Real,
    pub(crate) cable: Arc<Cable>,
}

pub(crate) async fn wired(limits: ConnectionLimits) -> Wired {
    let mut real = real().await;
    let env = &mut real.world.kit.env;
    let cable = Arc::new(Cable {
        inner: Arc::clone(&env.dialer.connector),
        dialled: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
        down: AtomicBool::new(false),
        open: Arc::default(),
    });
    env.dialer.connector = cable.clone();
    env.config = Arc::new(overture_engine::Config {
        connections: limits,
        ..(*env.config).clone()
    });
    Wired { real, cable }
}

impl Wired {
    async fn session(&self, hook: &Arc<Hook>) -> Session {
        self.real
            .session()
            .await
            .before_body(Arc::clone(hook) as Arc<dyn BeforeBody>)
    }

    async fn send_with(&self, hook: &Arc<Hook>, mail: &Outgoing) -> Result<Submission, Failure> {
        self.session(hook).await.submit(mail).await
    }

    /// Sends a mail that is taken.
    async fn send(&self, to: &str, subject: &str) {
        let mail = self.real.mail_to(to, subject);
        self.send_with(&Arc::default(), &mail).await.unwrap();
    }

    /// Waits until so many connections are open.
    pub(crate) async fn open(&self, n: usize) {
        let look = async {
            while self.cable.open() != n {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), look).await;
        assert!(
            waited.is_ok(),
            "{} connections are open, not {n}",
            self.cable.open()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_of_a_mailbox_share_a_connection() {
    let wired = wired(ConnectionLimits::default()).await;
    let to = servers::prospect_address(160);
    for subject in ["first", "second"] {
        wired.send(&to, subject).await;
    }
    // One that is refused spoils it for nobody: the next begins with RSET.
    let refused = wired.real.mail_to("refused@d1.test", "refused");
    let failure = wired
        .send_with(&Arc::default(), &refused)
        .await
        .unwrap_err();
    assert_eq!(failure.stage, Stage::Recipient);
    wired.send(&to, "third").await;
    assert_eq!((wired.cable.dialled(), wired.cable.open()), (1, 1));
    for subject in ["first", "second", "third"] {
        assert_eq!(wired.real.arrived(&to, "INBOX", subject), 1, "{subject}");
    }
    wired.real.world.env().connections.close().await;
    assert_eq!(wired.cable.open(), 0, "closed as the process stops");
}

// SAFE-3: nothing was sent, so it goes over a new connection at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_that_is_gone_costs_no_mail() {
    let wired = wired(ConnectionLimits::default()).await;
    let to = servers::prospect_address(161);
    wired.send(&to, "opens").await;
    wired.cable.cut();
    let hook = Arc::<Hook>::default();
    let mail = wired.real.mail_to(&to, "over a new one");
    wired.send_with(&hook, &mail).await.unwrap();
    assert_eq!(wired.cable.dialled(), 2);
    assert_eq!(hook.calls.load(Ordering::SeqCst), 1, "one attempt");
    assert_eq!(wired.real.arrived(&to, "INBOX", "over a new one"), 1);
}

// SAFE-3: after the attempt nobody knows, also on a connection that had worked before.
#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_that_breaks_in_the_body_is_ambiguous() {
    let wired = wired(ConnectionLimits::default()).await;
    let to = servers::prospect_address(162);
    wired.send(&to, "opens").await;
    let go = Arc::new(Notify::new());
    let hook = Arc::new(Hook {
        go: Some(Arc::clone(&go)),
        ..Hook::default()
    });
    let session = Arc::new(wired.session(&hook).await);
    let mail = wired.real.mail_to(&to, "nobody knows");
    let call = tokio::spawn({
        let session = Arc::clone(&session);
        async move { session.submit(&mail).await }
    });
    hook.reached.notified().await;
    wired.cable.cut();
    go.notify_one();
    let failure = call.await.unwrap().unwrap_err();
    assert_eq!((failure.stage, failure.reply), (Stage::Body, None));
    assert!(
        matches!(session.settle().await, SubmissionRecord::Failed(failure) if failure.stage == Stage::Body)
    );
    assert_eq!(hook.calls.load(Ordering::SeqCst), 1);
    assert_eq!(wired.cable.dialled(), 1, "never a blind second try");
    // Postfix has taken it, in truth: at most once.
    assert_eq!(wired.real.arrived(&to, "INBOX", "nobody knows"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_ends_after_its_mails_and_when_nobody_uses_it() {
    let limits = ConnectionLimits {
        mails: 2,
        ..ConnectionLimits::default()
    };
    let wired = wired(limits).await;
    let env = wired.real.world.env();
    let to = servers::prospect_address(163);
    for n in 1..=3 {
        wired.send(&to, &format!("mail {n}")).await;
    }
    assert_eq!(wired.cable.dialled(), 2);
    wired.open(1).await;
    env.connections.close_idle(limits, env.real.now());
    assert_eq!(wired.cable.open(), 1, "it was used just now");
    wired.real.world.kit.clock.advance(Duration::from_secs(31));
    env.connections.close_idle(limits, env.real.now());
    wired.open(0).await;
    wired.send(&to, "mail 4").await;
    assert_eq!(wired.cable.dialled(), 3);
}

// MB-3, MB-11
#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_changes_keeps_no_connection() {
    let wired = wired(ConnectionLimits::default()).await;
    let (env, ws, id) = (
        wired.real.world.env(),
        wired.real.world.ws,
        wired.real.account.id,
    );
    let to = servers::prospect_address(164);
    let by = &Actor::Cli;

    wired.send(&to, "before the pause").await;
    status::pause(env, ws, id, by).await.unwrap();
    wired.open(0).await;
    status::resume(env, ws, id, by).await.unwrap();

    wired.send(&to, "before the change").await;
    let change = MailboxChange {
        password: Some("secret".into()),
        ..MailboxChange::default()
    };
    mailboxes::update(env, ws, id, change, by).await.unwrap();
    wired.open(0).await;

    // One in use ends after its mail.
    let go = Arc::new(Notify::new());
    let hook = Arc::new(Hook {
        go: Some(Arc::clone(&go)),
        ..Hook::default()
    });
    let (session, mail) = (
        wired.session(&hook).await,
        wired.real.mail_to(&to, "during"),
    );
    let call = tokio::spawn(async move { session.submit(&mail).await });
    hook.reached.notified().await;
    mailboxes::delete(env, ws, id, by).await.unwrap();
    go.notify_one();
    call.await.unwrap().unwrap();
    wired.open(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_has_no_more_connections_than_it_may() {
    let wired = wired(ConnectionLimits {
        per_mailbox: 1,
        ..ConnectionLimits::default()
    })
    .await;
    let to = servers::prospect_address(165);
    let go = Arc::new(Notify::new());
    let hook = Arc::new(Hook {
        go: Some(Arc::clone(&go)),
        ..Hook::default()
    });
    let (first, mail) = (
        wired.session(&hook).await,
        wired.real.mail_to(&to, "holds it"),
    );
    let first = tokio::spawn(async move { first.submit(&mail).await });
    hook.reached.notified().await;
    let (second, mail) = (
        wired.session(&Arc::default()).await,
        wired.real.mail_to(&to, "waits"),
    );
    let mut second = tokio::spawn(async move { second.submit(&mail).await });
    let early = tokio::time::timeout(Duration::from_millis(200), &mut second).await;
    assert!(early.is_err(), "it waits for the first");
    go.notify_one();
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    assert_eq!(wired.cable.dialled(), 1);
}

// SAF-3
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_can_not_be_reached_is_left_alone() {
    let wired = wired(ConnectionLimits::default()).await;
    let to = servers::prospect_address(166);
    let clock = &wired.real.world.kit.clock;
    let mail = wired.real.mail_to(&to, "down");
    let codes = async |n: usize| {
        let mut codes = Vec::new();
        for _ in 0..n {
            let failure = wired.send_with(&Arc::default(), &mail).await.unwrap_err();
            assert_eq!(failure.stage, Stage::Tcp);
            codes.push(failure.code);
        }
        codes
    };
    wired.cable.down.store(true, Ordering::SeqCst);
    assert_eq!(codes(5).await, ["connection_refused"; 5]);
    assert_eq!(wired.cable.dialled(), 5);
    // Five minutes nobody tries, then one does.
    assert_eq!(codes(2).await, ["host_left_alone"; 2]);
    clock.advance(Duration::from_secs(299));
    assert_eq!(codes(1).await, ["host_left_alone"]);
    clock.advance(Duration::from_secs(1));
    assert_eq!(codes(2).await, ["connection_refused", "host_left_alone"]);
    assert_eq!(wired.cable.dialled(), 6);
    // A person may always try.
    let legs = mailboxes::test(
        wired.real.world.env(),
        wired.real.world.ws,
        wired.real.account.id,
        &Actor::Cli,
    )
    .await
    .unwrap();
    assert_eq!(legs[0].problem.as_ref().unwrap().code, "connection_refused");
    wired.cable.down.store(false, Ordering::SeqCst);
    clock.advance(Duration::from_secs(300));
    wired.send(&to, "up again").await;
    wired.send(&to, "and on").await;
}
