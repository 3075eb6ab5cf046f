//! Whose certificate is believed, and which TLS is spoken (OPS-8).

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use overture_egress::{
    Bytes, Client, Error, Method, Request, Stage, TlsError, client_config, root_store,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio_rustls::TlsAcceptor;

use crate::kit::{Kit, OK, loopback, post, serve};

/// A CA of our own, and certificates by it, made by `openssl`.
struct Authority(TempDir);

fn openssl(folder: &Path, arguments: &[&str]) {
    let ran = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("`openssl` runs; install it with: apt-get install openssl");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

const KEY: [&str; 5] = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
];

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let request = [
            &["req", "-x509"][..],
            &KEY,
            &["-days", "2", "-subj", "/CN=Test CA"],
        ]
        .concat();
        let out = [
            "-addext",
            "keyUsage=critical,keyCertSign",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        ];
        openssl(folder.path(), &[&request[..], &out].concat());
        Self(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A certificate for `hooks.test`, valid for so many days from now on.
    fn certify(&self, days: &str) {
        let request = [&["req"][..], &KEY, &["-subj", "/CN=hooks.test"]].concat();
        let out = ["-keyout", "key.pem", "-out", "csr.pem"];
        openssl(self.0.path(), &[&request[..], &out].concat());
        std::fs::write(
            self.file("ext"),
            "subjectAltName=DNS:hooks.test,IP:127.0.0.1\n",
        )
        .unwrap();
        let sign = [
            "x509", "-req", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca.key",
        ];
        let out = [
            "-CAcreateserial",
            "-days",
            days,
            "-extfile",
            "ext",
            "-out",
            "cert.pem",
        ];
        openssl(self.0.path(), &[&sign[..], &out].concat());
    }

    fn client(&self, kit: &Kit) -> Client {
        let roots = root_store(Some(&self.file("ca.pem"))).unwrap();
        Client::new(kit.resolver.clone(), loopback(), client_config(roots))
    }

    /// Serves one answer a connection over TLS; the port.
    async fn serve(&self) -> u16 {
        let chain = vec![CertificateDer::from_pem_file(self.file("cert.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(self.file("key.pem")).unwrap();
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let address = serve(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut lines = BufReader::new(&mut stream).lines();
                while lines
                    .next_line()
                    .await
                    .is_ok_and(|line| line.is_some_and(|l| !l.is_empty()))
                {}
                let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        })
        .await;
        address.port()
    }
}

async fn get(client: &Client, url: String) -> Result<u16, Error> {
    let request = Request {
        method: Method::GET,
        body: Bytes::new(),
        ..post(&url)
    };
    client
        .send(request)
        .await
        .map(|response| response.status.as_u16())
}

fn told(error: &Error, reason: &str) {
    assert!(matches!(error, Error::Tls { .. }), "{error:?}");
    assert!(error.to_string().contains(reason), "{error}");
    assert_eq!(error.stage(), Stage::Tls);
    assert!(!error.may_have_been_sent());
}

#[tokio::test]
async fn the_instances_own_ca_is_believed_and_others_are_not() {
    let (kit, authority) = (Kit::start().await, Authority::new());
    authority.certify("2");
    let port = authority.serve().await;
    let ours = authority.client(&kit);
    assert_eq!(
        get(&ours, format!("https://hooks.test:{port}/"))
            .await
            .unwrap(),
        200
    );
    assert_eq!(
        get(&ours, format!("https://HOOKS.test.:{port}/"))
            .await
            .unwrap(),
        200
    );
    assert_eq!(
        get(&ours, format!("https://127.0.0.1:{port}/"))
            .await
            .unwrap(),
        200
    );
    let error = get(&ours, format!("https://other.test:{port}/"))
        .await
        .unwrap_err();
    told(&error, "not valid for name");
    let strangers = kit.client(loopback());
    let error = get(&strangers, format!("https://hooks.test:{port}/"))
        .await
        .unwrap_err();
    told(&error, "UnknownIssuer");
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let (kit, authority) = (Kit::start().await, Authority::new());
    authority.certify("-1");
    let port = authority.serve().await;
    let error = get(
        &authority.client(&kit),
        format!("https://hooks.test:{port}/"),
    )
    .await
    .unwrap_err();
    told(&error, "Expired");
}

#[tokio::test]
async fn plain_http_on_a_tls_url_is_a_tls_error() {
    let (kit, authority) = (Kit::start().await, Authority::new());
    let plain = serve(|mut stream| async move {
        let _ = stream.write_all(OK.as_bytes()).await;
    })
    .await;
    let url = format!("https://hooks.test:{}/", plain.port());
    told(
        &get(&authority.client(&kit), url).await.unwrap_err(),
        "corrupt message",
    );
}

/// `openssl s_server` that speaks nothing but one version; it ends when dropped.
struct OldServer(std::process::Child, u16);

impl OldServer {
    async fn start(authority: &Authority, version: &str) -> Self {
        let port = {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap().port()
        };
        let child = Command::new("openssl")
            .args([
                "s_server",
                "-www",
                "-quiet",
                version,
                "-cipher",
                "ALL:@SECLEVEL=0",
            ])
            .args([
                "-cert",
                "cert.pem",
                "-key",
                "key.pem",
                "-accept",
                &format!("127.0.0.1:{port}"),
            ])
            .current_dir(authority.0.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let listening = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .is_err()
            {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), listening)
            .await
            .unwrap();
        Self(child, port)
    }
}

impl Drop for OldServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

// OPS-8: TLS 1.2 is spoken, older versions are not.
#[tokio::test]
async fn old_tls_is_refused() {
    let (kit, authority) = (Kit::start().await, Authority::new());
    authority.certify("2");
    let client = authority.client(&kit);
    let new = OldServer::start(&authority, "-tls1_2").await;
    assert_eq!(
        get(&client, format!("https://hooks.test:{}/", new.1))
            .await
            .unwrap(),
        200
    );
    let old = OldServer::start(&authority, "-tls1_1").await;
    let error = get(&client, format!("https://hooks.test:{}/", old.1))
        .await
        .unwrap_err();
    told(&error, "ProtocolVersion");
    // The server does speak TLS 1.1, to somebody who wants that.
    let to = format!("127.0.0.1:{}", old.1);
    let willing = [
        "s_client",
        "-tls1_1",
        "-cipher",
        "ALL:@SECLEVEL=0",
        "-connect",
        &to,
    ];
    openssl(authority.0.path(), &willing);
}

#[test]
fn a_bad_ca_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let error = root_store(Some(&file)).unwrap_err();
    assert!(matches!(error, TlsError::Unreadable { .. }), "{error}");
    assert!(error.to_string().contains("ca.pem"));
    for text in [
        "",
        "no certificate",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        std::fs::write(&file, text).unwrap();
        let error = root_store(Some(&file)).unwrap_err();
        assert!(
            matches!(error, TlsError::NoCertificate { .. }),
            "{text}: {error}"
        );
    }
    std::fs::write(
        &file,
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    assert!(root_store(Some(&file)).is_err());
}
