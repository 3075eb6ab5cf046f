//! `/healthz` (the process answers) and `/readyz` (it can work: the database at its schema, a plugin that sends) (OPS-3).

use axum::{Router, extract::State, http::StatusCode, routing::get};
use overture_engine::Env;

pub(crate) fn routes() -> Router<Env> {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
}

async fn ready(State(env): State<Env>) -> (StatusCode, String) {
    let problem = match env.db.check_schema().await {
        Ok(()) => env.health.unready(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            Some("the database can't be used; the log says why".to_owned())
        }
    };
    match problem {
        None => (StatusCode::OK, "ok".to_owned()),
        Some(problem) => (StatusCode::SERVICE_UNAVAILABLE, problem),
    }
}
