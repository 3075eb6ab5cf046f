//! `/healthz` (the process answers) and `/readyz` (it can work) (OPS-3).

use axum::{Router, extract::State, http::StatusCode, routing::get};
use overture_engine::Env;

pub(crate) fn routes() -> Router<Env> {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
}

async fn ready(State(env): State<Env>) -> (StatusCode, &'static str) {
    match env.db.check_schema().await {
        Ok(()) => (StatusCode::OK, "ok"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database can't be used; the log says why",
            )
        }
    }
}
