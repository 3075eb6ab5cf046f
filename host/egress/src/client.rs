//! HTTP out.

use std::{
    error::Error as StdError,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};
use tokio::time::timeout;
use url::Url;

use self::connector::{Connector, ConnectorError};
use crate::{AddressPolicy, ConnectError, Resolver, Stage};

mod connector;

const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("Overture/", env!("CARGO_PKG_VERSION")));
/// Idle connections that are kept for one endpoint, and for how long.
const IDLE_PER_HOST: usize = 16;
const IDLE_FOR: Duration = Duration::from_secs(30);

/// What is sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The target: `https:`, or `http:` where the policy allows it.
    pub url: Url,
    /// Headers beside `Host`, `Content-Length` and the connection's own, which are set here.
    pub headers: HeaderMap,
    /// The body, sent as it is.
    pub body: Bytes,
    /// For everything from DNS to the last byte of the answer.
    pub timeout: Duration,
    /// How much of the answer's body is read.
    pub max_response_bytes: usize,
    /// What happens when the body is longer, or doesn't come in time.
    pub answer: Answer,
}

/// How much of an answer is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All of it: a body that is too long, too late or cut off is an error.
    Whole,
    /// The status counts, and as much of the body as came: for deliveries, where a 2xx is a success
    /// whatever follows it (API-8).
    Head,
}

/// What came back. A redirect is an answer like any other; it isn't followed (API-8).
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, at most `max_response_bytes`.
    pub body: Bytes,
    /// Whether `body` is all of it; always true for [`Answer::Whole`].
    pub complete: bool,
    /// From the start to the last byte read, on real time.
    pub duration: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL can't be used.
    #[error("the URL can't be used: {0}")]
    Url(&'static str),
    /// A header that only the client itself sets.
    #[error("the header `{0}` is set by the HTTP client and can't be given")]
    Header(HeaderName),
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The TLS handshake failed.
    #[error("the TLS handshake with `{host}` failed: {reason}")]
    Tls {
        /// The host.
        host: String,
        /// What rustls says, such as `invalid peer certificate: UnknownIssuer`.
        reason: String,
    },
    /// No whole answer within the request's time.
    #[error("no answer within {} s", after.as_secs_f32())]
    Timeout {
        /// How long.
        after: Duration,
        /// Whether the request may have reached the server.
        sent: bool,
    },
    /// The answer's body is longer than allowed.
    #[error("the answer ({status}) is longer than {limit} bytes")]
    TooLarge {
        /// The answer's status.
        status: StatusCode,
        /// What was allowed.
        limit: usize,
    },
    /// The connection broke, or what came is not HTTP.
    #[error("the exchange broke off: {reason}")]
    Broken {
        /// What happened.
        reason: String,
        /// Whether the request may have reached the server.
        sent: bool,
    },
}

impl Error {
    /// Whether the server may have got the request, so that sending it again could do something
    /// twice (SAFE-3).
    pub fn may_have_been_sent(&self) -> bool {
        match self {
            Self::Url(_) | Self::Header(_) | Self::Connect(_) | Self::Tls { .. } => false,
            Self::TooLarge { .. } => true,
            Self::Timeout { sent, .. } | Self::Broken { sent, .. } => *sent,
        }
    }

    /// How far it came.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Url(_) | Self::Header(_) => Stage::Policy,
            Self::Connect(error) => error.stage(),
            Self::Tls { .. } => Stage::Tls,
            Self::Timeout { .. } | Self::TooLarge { .. } | Self::Broken { .. } => Stage::Http,
        }
    }
}

/// Sends requests under one policy. Cheap to clone; clones share the idle connections. Requests
/// don't wait for each other, so a slow endpoint delays nobody (API-8).
#[derive(Clone)]
pub struct Client {
    http: legacy::Client<Connector, Outgoing>,
    policy: Arc<AddressPolicy>,
}

impl Client {
    /// A client that reaches what `policy` allows. `tls` comes from
    /// [`client_config`](crate::client_config).
    pub fn new(resolver: Resolver, policy: AddressPolicy, tls: rustls::ClientConfig) -> Self {
        let policy = Arc::new(policy);
        let connector = Connector::new(resolver, Arc::clone(&policy), tls);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_FOR)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .build(connector);
        Self { http, policy }
    }

    /// Whether the URL is of a kind that is sent to at all: `https:` with a host, or `http:` where
    /// the policy allows it, without user name and password. Where it leads is checked at the
    /// connect.
    ///
    /// # Errors
    /// [`Error::Url`].
    pub fn check_url(&self, url: &Url) -> Result<(), Error> {
        match url.scheme() {
            "https" => {}
            "http" if self.policy.allows_http() => {}
            "http" => return Err(Error::Url("use https: (the instance doesn't allow http:)")),
            _ => return Err(Error::Url("it starts neither with https: nor with http:")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Url(
                "give user name and password in a header, not in the URL",
            ));
        }
        Ok(())
    }

    /// Sends one request and reads its answer.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        self.check_url(&request.url)?;
        let (limit, wanted, most) = (request.timeout, request.answer, request.max_response_bytes);
        let sent = Arc::new(AtomicBool::new(false));
        let started = real_now();
        let outgoing = outgoing(request, Arc::clone(&sent))?;
        let timed_out = || Error::Timeout {
            after: limit,
            sent: sent.load(Ordering::Acquire),
        };
        let head = timeout(limit, self.http.request(outgoing)).await;
        let head = head.map_err(|_| timed_out())?;
        let (head, body) = head.map_err(|error| classify(&error, &sent))?.into_parts();
        let mut read = BytesMut::new();
        let rest = limit.saturating_sub(started.elapsed());
        let end = timeout(rest, read_body(body, &mut read, most)).await;
        let complete = matches!(end, Ok(End::Complete));
        if wanted == Answer::Whole {
            match end {
                Ok(End::Complete) => {}
                Err(_) => return Err(timed_out()),
                Ok(End::TooLarge) => {
                    return Err(Error::TooLarge {
                        status: head.status,
                        limit: most,
                    });
                }
                Ok(End::Broken(reason)) => return Err(Error::Broken { reason, sent: true }),
            }
        }
        Ok(Response {
            status: head.status,
            headers: head.headers,
            body: read.freeze(),
            complete,
            duration: started.elapsed(),
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a server takes is measured on real time, also when the clock is driven"
)]
fn real_now() -> Instant {
    Instant::now()
}

/// Headers that belong to the connection (RFC 9110 §7.6.1) or say how the body is framed; given by
/// a caller they could smuggle a second request.
const OWN_HEADERS: [HeaderName; 9] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::TE,
    header::TRAILER,
    header::EXPECT,
    HeaderName::from_static("keep-alive"),
];

fn outgoing(request: Request, sent: Arc<AtomicBool>) -> Result<http::Request<Outgoing>, Error> {
    let mut headers = request.headers;
    for name in OWN_HEADERS {
        if headers.contains_key(&name) {
            return Err(Error::Header(name));
        }
    }
    headers.entry(header::USER_AGENT).or_insert(USER_AGENT);
    let mut outgoing = http::Request::new(Outgoing {
        body: Full::new(request.body),
        sent,
    });
    *outgoing.uri_mut() = request.url[..url::Position::AfterQuery]
        .parse()
        .map_err(|_| Error::Url("it holds characters that HTTP can't carry"))?;
    *outgoing.method_mut() = request.method;
    *outgoing.headers_mut() = headers;
    Ok(outgoing)
}

enum End {
    Complete,
    TooLarge,
    Broken(String),
}

async fn read_body(mut body: Incoming, read: &mut BytesMut, most: usize) -> End {
    while let Some(frame) = body.frame().await {
        let data = match frame.map(Frame::into_data) {
            Ok(Ok(data)) => data,
            Ok(Err(_trailers)) => continue,
            Err(error) => return End::Broken(innermost(&error)),
        };
        let room = most - read.len();
        read.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return End::TooLarge;
        }
    }
    End::Complete
}

/// Finds our own errors inside hyper's.
fn classify(error: &legacy::Error, sent: &AtomicBool) -> Error {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(inner) = cause {
        match inner.downcast_ref() {
            Some(ConnectorError::Connect(found)) => return Error::Connect(found.clone()),
            Some(ConnectorError::Tls { host, reason }) => {
                return Error::Tls {
                    host: host.clone(),
                    reason: reason.clone(),
                };
            }
            None => {}
        }
        cause = inner.source();
    }
    Error::Broken {
        reason: innermost(error),
        sent: sent.load(Ordering::Acquire),
    }
}

fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut innermost = error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    innermost.to_string()
}

/// A body that notes when a connection begins to write its request.
struct Outgoing {
    body: Full<Bytes>,
    sent: Arc<AtomicBool>,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    /// HTTP/1 asks this first, right before it writes the head.
    fn is_end_stream(&self) -> bool {
        self.sent.store(true, Ordering::Release);
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
