//! A scripted server at the other end of a connection.

use std::{
    collections::VecDeque,
    future::Future,
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use overture_mail::{
    BoxedStream, Connector, Credentials, Dialer, Endpoint, Security, Timeouts, tls::Tls,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};

type Script = Box<dyn FnOnce(Server) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// Answers each connection by the next script.
pub(crate) struct Fake {
    scripts: Mutex<VecDeque<Script>>,
}

#[async_trait::async_trait]
impl Connector for Fake {
    async fn connect(
        &self,
        _host: &str,
        _port: u16,
        _limit: Duration,
    ) -> Result<BoxedStream, overture_egress::ConnectError> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let script = self
            .scripts
            .lock()
            .unwrap()
            .pop_front()
            .expect("a script for each connection");
        tokio::spawn(script(Server::new(theirs)));
        Ok(Box::new(ours))
    }
}

/// The server's side of a connection.
pub(crate) struct Server {
    stream: BufReader<BoxedStream>,
}

impl Server {
    fn new(stream: DuplexStream) -> Self {
        Self {
            stream: BufReader::new(Box::new(stream)),
        }
    }

    /// Sends text; a client that is gone does not matter.
    pub(crate) async fn say(&mut self, text: &str) {
        drop(self.stream.get_mut().write_all(text.as_bytes()).await);
        drop(self.stream.get_mut().flush().await);
    }

    /// The client's next line; empty at the end.
    pub(crate) async fn hear(&mut self) -> String {
        let mut line = Vec::new();
        drop(self.stream.read_until(b'\n', &mut line).await);
        String::from_utf8_lossy(&line).trim_end().to_owned()
    }

    /// Waits for a line that starts with `start`, then answers.
    pub(crate) async fn turn(&mut self, start: &str, answer: &str) {
        let line = self.hear().await;
        assert!(line.starts_with(start), "wanted {start}, got {line}");
        self.say(answer).await;
    }

    /// Reads the body of a mail, the final dot included.
    pub(crate) async fn hear_body(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.hear().await.as_str() {
                "." => return lines,
                line => lines.push(line.to_owned()),
            }
        }
    }

    /// Reads `count` bytes.
    pub(crate) async fn hear_bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        drop(self.stream.read_exact(&mut bytes).await);
        bytes
    }

    /// Says nothing until the client hangs up.
    pub(crate) async fn hang(mut self) {
        let mut sink = [0; 1024];
        while !matches!(self.stream.read(&mut sink).await, Ok(0) | Err(_)) {}
    }

    /// Goes over to TLS with this certificate; `None` when the client refuses it.
    pub(crate) async fn secure(self, certificate: &str) -> Option<Self> {
        let file = |name: &str| Path::new("tests/certificates").join(name);
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(file(certificate)).unwrap()],
            PrivateKeyDer::from_pem_file(file("key.pem")).unwrap(),
        )
        .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let stream = acceptor.accept(self.stream.into_inner()).await.ok()?;
        Some(Self {
            stream: BufReader::new(Box::new(stream)),
        })
    }
}

/// A dialer whose connections are answered by `scripts`, with short limits.
pub(crate) fn dialer(scripts: Vec<Script>) -> Dialer {
    let fake = Fake {
        scripts: Mutex::new(scripts.into()),
    };
    let tls = Tls::new(Some(Path::new("tests/certificates/ca.pem"))).unwrap();
    let timeouts = Timeouts {
        connect: Duration::from_secs(5),
        greeting: Duration::from_millis(500),
        command: Duration::from_millis(500),
        data: Duration::from_millis(500),
        block: Duration::from_millis(400),
        transfer: Duration::from_millis(400),
    };
    Dialer {
        timeouts,
        ..Dialer::new(Arc::new(fake), tls)
    }
}

/// A script from a closure.
pub(crate) fn script<F>(run: impl FnOnce(Server) -> F + Send + 'static) -> Script
where
    F: Future<Output = ()> + Send + 'static,
{
    Box::new(|server| Box::pin(run(server)))
}

pub(crate) fn endpoint(security: Security) -> Endpoint {
    Endpoint {
        host: "server.test".into(),
        port: 587,
        security,
        pinned: None,
    }
}

pub(crate) fn password() -> Credentials {
    Credentials::Password {
        user: "ada@sender.test".into(),
        password: "secret".into(),
    }
}
