//! Whoever listens to the webhooks of the simulated workspaces: a server on this machine that
//! refuses, takes without a word and never takes, and notes what truly came (API-8).

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use anyhow::{Context, Result};
use overture_domain::{Clock, Rng, Timestamp, events::EventKind, rng::SeededRng};
use overture_vault::{
    Secret,
    webhook::{WebhookSecret, sign},
};

use super::{
    outside::{self, Shared, fold},
    scenario::{Fault, Faults},
};

/// What the webhooks ask for.
pub const EVENTS: [EventKind; 5] = [
    EventKind::ReplyReceived,
    EventKind::EmailBounced,
    EventKind::EmailUnsubscribed,
    EventKind::ProspectSuppressed,
    EventKind::CampaignStatusChanged,
];

/// A request that came.
#[derive(Clone, Debug)]
pub struct Request {
    pub at: Timestamp,
    /// The workspace, by its place in the scenario.
    pub workspace: usize,
    /// Of the event.
    pub id: String,
    /// Whether it was taken, and whether the sender was told so.
    pub taken: bool,
    pub answered: bool,
    /// Whether its signatures are those of the webhook's secret (API-7).
    pub signed: bool,
}

/// The endpoint, and what it knows.
pub struct Sink {
    address: SocketAddr,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    secrets: BTreeMap<usize, WebhookSecret>,
    requests: Vec<Request>,
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sink {
    /// Listens until the process ends.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(clock: Arc<dyn Clock>, faults: Faults, seed: u64, log: Shared) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("no port can be had")?;
        let address = listener.local_addr()?;
        let known = Arc::new(Mutex::new(Known::default()));
        let endpoint = Endpoint {
            clock,
            faults,
            seed,
            log,
            known: Arc::clone(&known),
        };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A process that dies leaves its request half written.
                let _ = endpoint.serve(&stream);
            }
        });
        Ok(Self { address, known })
    }

    /// The URL of a workspace's webhook.
    pub fn url(&self, workspace: usize) -> Secret {
        Secret::new(format!("http://{}/{workspace}", self.address))
    }

    /// What a workspace's webhook signs with.
    ///
    /// # Errors
    /// When it is no such secret.
    pub fn knows(&self, workspace: usize, secret: &Secret) -> Result<()> {
        let secret = WebhookSecret::parse(secret.expose())?;
        lock(&self.known).secrets.insert(workspace, secret);
        Ok(())
    }

    /// All requests that came, in their order.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.known).requests.clone()
    }
}

struct Endpoint {
    clock: Arc<dyn Clock>,
    faults: Faults,
    seed: u64,
    log: Shared,
    known: Arc<Mutex<Known>>,
}

impl Endpoint {
    /// One request, and the end of the connection.
    fn serve(&self, stream: &TcpStream) -> Result<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = BTreeMap::new();
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").map_or("0", String::as_str);
        let mut body = vec![0; length.parse()?];
        reader.read_exact(&mut body)?;
        let answer = self.take(&path, &headers, &body);
        let mut stream = stream;
        if let Some(status) = answer {
            let head =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(head.as_bytes())?;
        }
        Ok(())
    }

    /// Notes a request; the status that it gets, None for silence.
    fn take(&self, path: &str, headers: &BTreeMap<String, String>, body: &[u8]) -> Option<&str> {
        let text = |name: &str| headers.get(name).map_or("", String::as_str);
        let id = text("webhook-id").to_owned();
        let workspace = path.trim_start_matches('/').parse().unwrap_or(usize::MAX);
        let mut known = lock(&self.known);
        let signed = known.secrets.get(&workspace).is_some_and(|secret| {
            let at = text("x-warmy-timestamp").parse().unwrap_or_default();
            let at = Timestamp::from_millis(at);
            let expected = sign(std::slice::from_ref(secret), &id, at, body);
            expected.standard == text("webhook-signature")
                && expected.standard_timestamp == text("webhook-timestamp")
                && expected.warmy == text("x-warmy-signature")
        });
        let earlier = known.requests.iter().filter(|one| one.id == id);
        let nth = earlier.clone().count() as u64;
        let twice = earlier.clone().any(|one| one.taken);
        let fault = self.fault(&id, nth);
        let taken = matches!(fault, None | Some(Fault::WebhookAnswerLost));
        known.requests.push(Request {
            at: self.clock.now(),
            workspace,
            id,
            taken,
            answered: fault.is_none(),
            signed,
        });
        let mut log = outside::lock(&self.log);
        let late = (taken && nth > 0 && !twice).then_some(Fault::WebhookLate);
        let twice = (taken && twice).then_some(Fault::WebhookTwice);
        for fault in [fault, late, twice].into_iter().flatten() {
            log.count(fault);
        }
        match fault {
            None => Some("204 No Content"),
            Some(Fault::WebhookAnswerLost) => None,
            Some(_) => Some("500 Internal Server Error"),
        }
    }

    /// By chance, the same for the same request of the same event.
    fn fault(&self, id: &str, nth: u64) -> Option<Fault> {
        let lot = |salt: u64| SeededRng::new(self.seed ^ fold(id) ^ salt).below(1_000);
        if lot(0xdead) < self.faults.webhook_never {
            return Some(Fault::WebhookNeverTaken);
        }
        match lot((nth + 1) << 40) {
            n if n < self.faults.webhook_refused => Some(Fault::WebhookRefused),
            n if n < self.faults.webhook_refused + self.faults.webhook_answer_lost => {
                Some(Fault::WebhookAnswerLost)
            }
            _ => None,
        }
    }
}
