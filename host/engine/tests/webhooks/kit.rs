//! A receiver on loopback, formatters that do as they are told, and the parts called by hand.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, response::Response};
use overture_domain::{
    Clock, EventId, Rng, Timestamp, WorkspaceId,
    events::{Event, EventKind},
    rng::SeededRng,
    webhooks::{Delivery, DeliveryTry, Webhook},
};
use overture_engine::{Due, Env, FormatterEntry, Formatters, Part, Secret, webhooks};
use overture_plugin_host::{self as plugins, CallError, FormatContext, Formatted};
use overture_store::{events, testing::TestDatabase};
use overture_testkit::TestEnv;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// How long anything may take that is waited for.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// One request as the receiver saw it.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap().to_str().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// How a request is answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: &'static str,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: "said so",
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn body(mut self, body: &'static str) -> Self {
        self.body = body;
        self
    }
}

/// A receiver of webhooks. It answers 200 until it is told otherwise.
#[derive(Clone)]
pub(crate) struct Sink {
    pub(crate) url: String,
    inner: Arc<Inner>,
}

struct Inner {
    requests: Mutex<Vec<Received>>,
    next: Mutex<VecDeque<Reply>>,
    always: Mutex<Reply>,
    /// Answers that may be given; endless unless it hangs.
    answers: Semaphore,
    hangs: AtomicBool,
}

impl Sink {
    pub(crate) async fn start() -> Self {
        let inner = Arc::new(Inner {
            requests: Mutex::default(),
            next: Mutex::default(),
            always: Mutex::new(Reply::status(200)),
            answers: Semaphore::new(0),
            hangs: AtomicBool::new(false),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!(
            "http://{}/hooks/secret-path",
            listener.local_addr().unwrap()
        );
        let router = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    /// Answers the next requests like this, one after the other.
    pub(crate) fn next(&self, replies: impl IntoIterator<Item = Reply>) {
        self.inner.next.lock().unwrap().extend(replies);
    }

    /// Answers every request like this from now on.
    pub(crate) fn always(&self, reply: Reply) {
        *self.inner.always.lock().unwrap() = reply;
    }

    /// Answers nobody until [`release`](Self::release).
    pub(crate) fn hang(&self) {
        self.inner.hangs.store(true, Ordering::SeqCst);
    }

    pub(crate) fn release(&self) {
        self.inner.hangs.store(false, Ordering::SeqCst);
        self.inner.answers.add_permits(1_000);
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.inner.requests.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.inner.requests.lock().unwrap().len()
    }

    pub(crate) fn only(&self) -> Received {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "exactly one request");
        requests[0].clone()
    }
}

async fn receive(State(sink): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    sink.requests
        .lock()
        .unwrap()
        .push(Received { headers, body });
    if sink.hangs.load(Ordering::SeqCst) {
        sink.answers.acquire().await.unwrap().forget();
    }
    let next = sink.next.lock().unwrap().pop_front();
    let reply = next.unwrap_or_else(|| sink.always.lock().unwrap().clone());
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    response.body(reply.body.into()).unwrap()
}

/// A formatter that sends the event as it is, or fails as it is told.
#[derive(Default)]
pub(crate) struct Plain {
    pub(crate) fails: Mutex<Option<CallError>>,
    pub(crate) contexts: Mutex<Vec<FormatContext>>,
}

impl Plain {
    pub(crate) fn fail(&self, error: impl Into<Option<CallError>>) {
        *self.fails.lock().unwrap() = error.into();
    }
}

#[async_trait]
impl Formatters for Plain {
    fn list(&self) -> Vec<FormatterEntry> {
        ["format-cards", "format-generic"]
            .map(|id| FormatterEntry {
                id: id.into(),
                name: id.into(),
                description: String::new(),
                settings: json!({}),
            })
            .to_vec()
    }

    fn for_url(&self, url: &str) -> Option<String> {
        url.contains("cards.example.com")
            .then(|| "format-cards".to_owned())
    }

    async fn format(
        &self,
        _: WorkspaceId,
        _: &str,
        event: &plugins::Event,
        context: &FormatContext,
    ) -> Result<Formatted, CallError> {
        self.contexts.lock().unwrap().push(context.clone());
        match &*self.fails.lock().unwrap() {
            Some(error) => Err(error.clone()),
            None => Ok(Formatted {
                content_type: "application/json".into(),
                headers: Vec::new(),
                body: json!({"id": event.id, "data": event.data})
                    .to_string()
                    .into(),
            }),
        }
    }
}

/// Chance for ids, none for jitter: the ladder is exact.
pub(crate) struct NoJitter(SeededRng);

impl Rng for NoJitter {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.fill(buffer);
    }

    fn unit(&self) -> f64 {
        0.0
    }
}

/// The machine's own clock.
pub(crate) struct RealClock;

impl Clock for RealClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "signatures are on real time (DESIGN §4)"
    )]
    fn now(&self) -> Timestamp {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        Timestamp::from_micros(now.as_micros() as i64)
    }
}

/// A workspace whose events are told by [`Plain`].
pub(crate) struct Kit {
    pub(crate) test: TestEnv,
    pub(crate) formatter: Arc<Plain>,
    pub(crate) ws: WorkspaceId,
}

impl std::ops::Deref for Kit {
    type Target = Env;
    fn deref(&self) -> &Env {
        &self.test.env
    }
}

impl Kit {
    pub(crate) async fn new(database: TestDatabase) -> Self {
        let mut test = TestEnv::new(database).await;
        let formatter = Arc::<Plain>::default();
        test.env.formatters = formatter.clone();
        test.env.rng = Arc::new(NoJitter(SeededRng::new(7)));
        test.env.real = Arc::new(RealClock);
        let ws = test.workspace("Example").await;
        Self {
            test,
            formatter,
            ws,
        }
    }

    /// A webhook for all events at this URL.
    pub(crate) async fn webhook(&self, url: &str) -> (Webhook, Secret) {
        let new = webhooks::WebhookIn {
            url: url.into(),
            events: vec!["*".into()],
            ..Default::default()
        };
        webhooks::create(self, self.ws, new).await.unwrap()
    }

    /// Something happens, and is told.
    pub(crate) async fn happens(&self, kind: EventKind, data: Value) -> EventId {
        let event = event(self, self.ws, kind, data);
        let id = event.id;
        write(self, &[event]).await;
        id
    }

    pub(crate) async fn deliveries(&self, webhook: &Webhook) -> Vec<Delivery> {
        webhooks::list_deliveries(self, self.ws, webhook.id, None, None, 5_000)
            .await
            .unwrap()
    }

    pub(crate) async fn tries(&self, delivery: &Delivery) -> Vec<DeliveryTry> {
        let found = webhooks::find_delivery(self, self.ws, delivery.webhook_id, delivery.id).await;
        found.unwrap().1
    }

    pub(crate) async fn found(&self, webhook: &Webhook) -> Webhook {
        webhooks::find(self, self.ws, webhook.id).await.unwrap()
    }
}

pub(crate) fn event(env: &Env, ws: WorkspaceId, kind: EventKind, data: Value) -> Event {
    Event {
        id: env.id(),
        workspace_id: ws,
        kind,
        channel: None,
        campaign_id: None,
        enrollment_id: None,
        prospect_id: None,
        account_id: None,
        occurred_at: env.now(),
        dedup_key: None,
        data,
    }
}

pub(crate) async fn write(env: &Env, happened: &[Event]) {
    let mut tx = env.db.begin().await.unwrap();
    events::insert(&mut tx, happened).await.unwrap();
    tx.commit().await.unwrap();
    env.wakes.wake(Part::Dispatch);
}

/// Calls both parts until nothing is due and nothing is under way.
pub(crate) async fn settle(env: &Env) {
    let settled = async {
        loop {
            let woken = env.wakes.count(Part::Deliveries);
            let dispatched = webhooks::dispatch(env).await.unwrap();
            let due = webhooks::deliver(env).await.unwrap();
            env.under_way.settled().await;
            let is_due = due == Due::Now || matches!(due, Due::At(at) if at <= env.now());
            // An event of a transaction that PostgreSQL has not settled yet comes a moment later;
            // whatever was under way has woken the part.
            if dispatched == Due::WhenWoken && !is_due && woken == env.wakes.count(Part::Deliveries)
            {
                return;
            }
        }
    };
    tokio::time::timeout(DEADLINE, settled)
        .await
        .expect("deliveries settle");
}

/// Runs both parts as `serve` does, until it is dropped.
pub(crate) struct Running(Vec<tokio::task::JoinHandle<()>>);

impl Running {
    pub(crate) fn start(env: &Env) -> Self {
        let dispatch = env.clone();
        let deliver = env.clone();
        Self(vec![
            tokio::spawn(async move {
                loop {
                    if webhooks::dispatch(&dispatch).await.unwrap() == Due::WhenWoken {
                        dispatch.wakes.woken(Part::Dispatch).await;
                    }
                }
            }),
            tokio::spawn(async move {
                loop {
                    webhooks::deliver(&deliver).await.unwrap();
                    deliver.wakes.woken(Part::Deliveries).await;
                }
            }),
        ])
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// Waits until something is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let so = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, so)
        .await
        .unwrap_or_else(|_| panic!("in time: {what}"));
}
