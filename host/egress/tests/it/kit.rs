//! Servers and clients that the tests share.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use overture_egress::{
    AddressPolicy, Answer, Bytes, Client, HeaderMap, Method, Request, Resolver, client_config,
    root_store,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::dns::{self, DnsServer};

/// What every test that reaches its own servers allows.
pub(crate) fn loopback() -> AddressPolicy {
    AddressPolicy::http(vec!["127.0.0.0/8".parse().unwrap()], true)
}

pub(crate) fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

pub(crate) struct Kit {
    pub(crate) dns: DnsServer,
    pub(crate) resolver: Resolver,
}

impl Kit {
    pub(crate) async fn start() -> Self {
        let dns = DnsServer::start().await.unwrap();
        let resolver = Resolver::new(&[dns.address()]).unwrap();
        Self { dns, resolver }
    }

    pub(crate) fn name(&self, name: &str, texts: &[&str]) {
        self.dns.set(name, dns::Answer::Addresses(addresses(texts)));
    }

    pub(crate) fn client(&self, policy: AddressPolicy) -> Client {
        let tls = client_config(root_store(None).unwrap());
        Client::new(self.resolver.clone(), policy, tls)
    }
}

/// A POST of a small body with five seconds, as a delivery is.
pub(crate) fn post(url: &str) -> Request {
    Request {
        method: Method::POST,
        url: url.parse().unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{\"type\":\"reply.received\"}"),
        timeout: Duration::from_secs(5),
        max_response_bytes: 64 * 1024,
        answer: Answer::Whole,
    }
}

/// A server that answers each request with fixed bytes and keeps what it was sent.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    requests: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Sink {
    pub(crate) async fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sink = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        let (connections, requests) = (sink.connections.clone(), sink.requests.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let requests = requests.clone();
                tokio::spawn(async move {
                    while let Some(request) = read_request(&mut stream).await {
                        requests.lock().unwrap().push(request);
                        if stream.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        sink
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// One request with its body, by `Content-Length`; `None` at the end of the connection.
pub(crate) async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse::<usize>().unwrap());
            if read.len() >= end + 4 + length {
                return Some(String::from_utf8(read).unwrap());
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(length) => read.extend_from_slice(&buffer[..length]),
        }
    }
}

/// A server that does something to each connection by itself.
pub(crate) async fn serve<F, R>(conduct: F) -> SocketAddr
where
    F: Fn(TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(conduct(stream));
        }
    });
    address
}

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
