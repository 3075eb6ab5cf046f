//! Others that send the same mails over as many connections to the same sink, without any record of
//! what they did: through the same front as we, over TLS and signed in, or straight into the sink.

use std::{
    ffi::OsStr,
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};

use lettre::{
    address::Envelope,
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, AsyncTokioStream},
        extension::ClientId,
    },
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{CONNECTIONS, front::Front};

/// The name in the front's certificate.
const NAME: &str = "server.test";
/// Who has signed it.
const CA: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../mail/tests/certificates/ca.pem"
);

/// Where a peer sends to.
#[derive(Clone)]
pub(crate) enum Way {
    /// Through the front; its port is for other processes.
    Front(Arc<Front>, u16),
    /// Straight into the sink.
    Sink(u16),
}

impl Way {
    /// Through the front, which listens for other processes from now on.
    pub(crate) async fn through(front: Arc<Front>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let listening = Arc::clone(&front);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                listening.take(stream);
            }
        });
        Self::Front(front, port)
    }
}

/// Mails a second with lettre, over a stream that doesn't wait (its own sets no TCP_NODELAY).
pub(crate) async fn lettre(way: &Way, mails: usize, size: usize) -> f64 {
    let left = Arc::new(AtomicUsize::new(mails));
    let mail: Arc<[u8]> = mail(size).into();
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(connect(way).await);
    }
    let start = Instant::now();
    let senders = connections.into_iter().map(|mut connection| {
        let (left, mail) = (Arc::clone(&left), Arc::clone(&mail));
        tokio::spawn(async move {
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

async fn connect(way: &Way) -> AsyncSmtpConnection {
    let hello = ClientId::Domain("localhost".to_owned());
    match way {
        Way::Front(front, _) => {
            let mut roots = RootCertStore::empty();
            let ca = CertificateDer::from_pem_file(CA).unwrap();
            roots.add(ca).unwrap();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            let name = ServerName::try_from(NAME).unwrap();
            let stream = TlsConnector::from(Arc::new(config)).connect(name, front.open());
            let stream = Box::new(Secured(stream.await.unwrap()));
            let connection = AsyncSmtpConnection::connect_with_transport(stream, &hello);
            let mut connection = connection.await.unwrap();
            let credentials = Credentials::new("relay".to_owned(), "secret".to_owned());
            let signed_in = connection.auth(&[Mechanism::Plain], &credentials).await;
            signed_in.unwrap();
            connection
        }
        Way::Sink(port) => {
            let stream = TcpStream::connect(("127.0.0.1", *port)).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let connection = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello);
            connection.await.unwrap()
        }
    }
}

/// What lettre takes for a stream.
#[derive(Debug)]
struct Secured(TlsStream<DuplexStream>);

impl AsyncTokioStream for Secured {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok((Ipv4Addr::LOCALHOST, 465).into())
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// Mails a second with nodemailer's pool.
pub(crate) async fn nodemailer(folder: &OsStr, way: &Way, mails: usize, size: usize) -> f64 {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/bench_send/nodemailer.mjs"
    );
    let (Way::Front(_, port) | Way::Sink(port)) = way;
    let numbers = [usize::from(*port), mails, CONNECTIONS, size].map(|n| n.to_string());
    let mut command = Command::new("node");
    command.arg(script).arg(folder).args(numbers);
    if let Way::Front(..) = way {
        command.args([CA, NAME]);
    }
    // The front needs this process.
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let run = run.await.unwrap();
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
