//! Every request has an id: in the envelope's `meta`, in the header `X-Request-Id`, in the log.

use axum::{
    extract::{Request, State},
    http::HeaderValue,
    middleware::Next,
    response::Response,
};
use overture_domain::RequestId;
use overture_engine::Env;
use tracing::Instrument;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// The id of the request that this task answers; empty outside of one.
pub(crate) fn current() -> String {
    CURRENT.try_with(ToString::to_string).unwrap_or_default()
}

/// The work with the id of the request that this task answers, for a task of its own.
pub(crate) fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let id = CURRENT.try_with(|id| *id).ok();
    async move {
        match id {
            Some(id) => CURRENT.scope(id, work).await,
            None => work.await,
        }
    }
}

/// Gives the request its id.
pub(crate) async fn assign(State(env): State<Env>, request: Request, next: Next) -> Response {
    let id: RequestId = env.id();
    let span = tracing::info_span!("request", request.id = %id);
    let mut response = CURRENT.scope(id, next.run(request).instrument(span)).await;
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}
