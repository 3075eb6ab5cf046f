//! `/metrics` for Prometheus (OPS-3). It is shown to nobody unless the settings say to whom:
//! `metrics.token` on the server's own address, `metrics.listen` on an address of its own.

mod list;
mod now;

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result};
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use overture_engine::{Env, plugins::Registry};
use overture_vault::Secret;

use crate::config::Config;

pub use list::document;

/// Bounds of histograms in seconds: from a read in memory to a slow mail server.
const BOUNDS: &[f64] = &[
    0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0,
];

/// What answers `/metrics`.
#[derive(Clone)]
pub struct Metrics(Option<Arc<Inner>>);

struct Inner {
    prometheus: PrometheusHandle,
    env: Env,
    plugins: Registry,
    token: Secret,
}

impl Metrics {
    /// Records from now on, where the settings show metrics to somebody.
    ///
    /// # Errors
    /// When something else records already.
    pub fn begin(config: &Config, env: &Env, plugins: &Registry) -> Result<Self> {
        let settings = &config.metrics;
        if settings.token.is_empty() && settings.listen.is_none() {
            return Ok(Self(None));
        }
        let prometheus = PrometheusBuilder::new()
            .set_buckets(BOUNDS)
            .context("the bounds are good")?
            .install_recorder()
            .context("metrics can't be recorded")?;
        list::describe();
        Ok(Self(Some(Arc::new(Inner {
            prometheus,
            env: env.clone(),
            plugins: plugins.clone(),
            token: settings.token.clone(),
        }))))
    }

    /// `/metrics` beside the API: with the token alone.
    pub fn beside_the_api(&self) -> Router {
        let metrics = self.clone();
        Router::new()
            .route("/metrics", get(guarded))
            .with_state(metrics)
    }

    /// Serves `/metrics` at an address of its own; without a token, everybody who reaches it.
    ///
    /// # Errors
    /// When the address can't be listened on.
    pub async fn listen(&self, address: SocketAddr) -> Result<()> {
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .with_context(|| format!("{address} (metrics.listen) can't be listened on"))?;
        let app = Router::new()
            .route("/metrics", get(open))
            .with_state(self.clone());
        tracing::info!(address = %listener.local_addr()?, "metrics are served");
        // It ends with the process.
        tokio::spawn(axum::serve(listener, app).into_future());
        Ok(())
    }

    /// Brings samples into their buckets, so that they take no room while nobody asks.
    pub fn tidy(&self) {
        if let Some(inner) = &self.0 {
            inner.prometheus.run_upkeep();
        }
    }
}

async fn guarded(State(metrics): State<Metrics>, headers: HeaderMap) -> Response {
    match &metrics.0 {
        Some(inner) if !inner.token.is_empty() => answer(inner, &headers).await,
        _ => refuse(
            "metrics are shown to nobody here: set metrics.token and send it as a bearer token, or metrics.listen",
        ),
    }
}

async fn open(State(metrics): State<Metrics>, headers: HeaderMap) -> Response {
    match &metrics.0 {
        Some(inner) => answer(inner, &headers).await,
        None => refuse("metrics are not recorded"),
    }
}

async fn answer(inner: &Inner, headers: &HeaderMap) -> Response {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if !inner.token.is_empty() && given.map(Secret::from).as_ref() != Some(&inner.token) {
        let said = "send the text of metrics.token as `Authorization: Bearer …`\n";
        return (StatusCode::UNAUTHORIZED, said).into_response();
    }
    if let Err(error) = now::look(&inner.env, &inner.plugins).await {
        tracing::warn!(%error, "what waits in the database is missing among the metrics");
    }
    let form = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, form)], inner.prometheus.render()).into_response()
}

fn refuse(why: &str) -> Response {
    (StatusCode::FORBIDDEN, format!("{why}\n")).into_response()
}
