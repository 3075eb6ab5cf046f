//! A receiver of webhooks on loopback that keeps what it gets.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::Value;
use tokio::net::TcpListener;

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Received {
    /// Which URL of the sink.
    pub name: String,
    pub headers: HeaderMap,
    /// Byte by byte as it came.
    pub body: Bytes,
}

impl Received {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }
}

/// Answers 204 to everything. It ends when dropped.
pub struct Sink {
    url: String,
    received: Arc<Mutex<Vec<Received>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Sink {
    /// Listens on a free port.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let router = Router::new()
            .route("/{name}", post(keep))
            .with_state(Arc::clone(&received));
        let task = tokio::spawn(async move {
            // It serves until it is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Self {
            url: format!("http://{address}"),
            received,
            task,
        }
    }

    /// A URL of the sink.
    pub fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.url)
    }

    /// What came to a URL so far, in order.
    pub fn received(&self, name: &str) -> Vec<Received> {
        let all = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|one| one.name == name).cloned().collect()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep(
    State(received): State<Arc<Mutex<Vec<Received>>>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let one = Received {
        name,
        headers,
        body,
    };
    received
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(one);
    StatusCode::NO_CONTENT
}
