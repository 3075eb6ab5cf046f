//! What a mail server has and `smtp-sink` lacks: TLS from the first byte, and AUTH. It stands in
//! front of the sink in this process, for us and for the peers; everything after the sign-in goes
//! through unread.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use overture_domain::{
    AccountId, WorkspaceId,
    accounts::{AccountStatus, MailServer, TlsMode},
    people::Actor,
};
use overture_egress::ConnectError;
use overture_engine::{
    Env,
    mailboxes::{self, NewMailbox, status},
};
use overture_mail::{BoxedStream, Connector};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use sha2::{Digest, Sha256};
use tokio::{
    io::{
        AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader,
        DuplexStream,
    },
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;

const CERTIFICATE: &[u8] = include_bytes!("../../../mail/tests/certificates/good.pem");
const KEY: &[u8] = include_bytes!("../../../mail/tests/certificates/key.pem");

/// Leads every connection to the sink.
pub(crate) struct Front {
    sink: u16,
    tls: TlsAcceptor,
    /// Connections that were opened.
    pub opened: AtomicUsize,
    /// Bytes that came through after the sign-in.
    pub bytes: Arc<AtomicUsize>,
}

impl Front {
    /// The certificate that it shows, DER.
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(CERTIFICATE).unwrap()
    }

    pub(crate) fn new(sink: u16) -> Self {
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
        let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        Self {
            sink,
            tls: TlsAcceptor::from(Arc::new(config)),
            opened: AtomicUsize::new(0),
            bytes: Arc::default(),
        }
    }

    /// A connection within this process.
    pub(crate) fn open(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        self.take(theirs);
        ours
    }

    /// Serves a connection.
    pub(crate) fn take(&self, client: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let (tls, sink, bytes) = (self.tls.clone(), self.sink, Arc::clone(&self.bytes));
        tokio::spawn(async move {
            // A connection that ends ends.
            let _ = serve(tls, client, sink, &bytes).await;
        });
    }
}

#[async_trait]
impl Connector for Front {
    async fn connect(&self, _: &str, _: u16, _: Duration) -> Result<BoxedStream, ConnectError> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(self.open()))
    }
}

async fn serve(
    tls: TlsAcceptor,
    client: impl AsyncRead + AsyncWrite + Unpin,
    sink: u16,
    bytes: &AtomicUsize,
) -> io::Result<()> {
    let sink = TcpStream::connect(("127.0.0.1", sink)).await?;
    sink.set_nodelay(true)?;
    let mut sink = BufReader::new(sink);
    let mut client = BufReader::new(tls.accept(client).await?);
    pass_reply(&mut sink, &mut client, None).await?;
    // EHLO
    let mut line = String::new();
    client.read_line(&mut line).await?;
    sink.write_all(line.as_bytes()).await?;
    pass_reply(&mut sink, &mut client, Some("250-AUTH PLAIN\r\n")).await?;
    // AUTH
    client.read_line(&mut line).await?;
    client.write_all(b"235 2.7.0 welcome\r\n").await?;
    client.flush().await?;
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_sink, mut to_sink) = sink.into_inner().into_split();
    let there = async {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let n = from_client.read(&mut buffer).await?;
            if n == 0 {
                return to_sink.shutdown().await;
            }
            bytes.fetch_add(n, Ordering::SeqCst);
            to_sink.write_all(&buffer[..n]).await?;
        }
    };
    let back = tokio::io::copy(&mut from_sink, &mut to_client);
    tokio::try_join!(there, async { back.await.map(drop) })?;
    Ok(())
}

/// A connected mailbox that sends through a relay; those of one relay sign in there as one user.
pub(crate) async fn mailbox(
    env: &Env,
    ws: WorkspaceId,
    front: &Front,
    relay: &str,
    address: &str,
) -> AccountId {
    let server = |port| MailServer {
        host: relay.to_owned(),
        port,
        tls: TlsMode::Implicit,
    };
    let new = NewMailbox {
        address: address.to_owned(),
        preset: Some("custom".into()),
        user_name: Some("relay".into()),
        password: Some("secret".into()),
        smtp: Some(server(465)),
        imap: Some(server(993)),
        pinned_certificate: Some(hex::encode(Sha256::digest(front.certificate()))),
        files_sent: Some(true),
        daily_limit: Some(500),
        // The sink speaks no IMAP.
        save_anyway: true,
        ..NewMailbox::default()
    };
    let connected = mailboxes::connect(env, ws, new, &Actor::Cli).await.unwrap();
    let account = connected.account;
    if account.status != AccountStatus::Connected {
        let again = status::connect_again(env, &account, "for the bench", &Actor::Cli);
        again.await.unwrap();
    }
    account.id
}

/// Hands a reply on, with a line more before its last.
async fn pass_reply(
    from: &mut (impl AsyncBufReadExt + AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    more: Option<&str>,
) -> io::Result<()> {
    loop {
        let mut line = String::new();
        from.read_line(&mut line).await?;
        let last = line.as_bytes().get(3) == Some(&b' ');
        if let Some(more) = more.filter(|_| last) {
            to.write_all(more.as_bytes()).await?;
        }
        to.write_all(line.as_bytes()).await?;
        if last || line.is_empty() {
            return to.flush().await;
        }
    }
}
