//! What stands before every endpoint: who calls, whether they call too often, and whether they have
//! asked for this already (API-1, API-3).

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header::CONTENT_TYPE},
    middleware::Next,
    response::{IntoResponse, Response},
};
use overture_domain::WorkspaceId;
use overture_engine::{
    Env,
    idempotency::{self, Begun},
};
use tracing::Instrument;

use crate::{Caller, Error, imports, rates::Rates, request_id};

const KEY: &str = "idempotency-key";

/// What the gate needs.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) env: Env,
    pub(crate) rates: Arc<Rates>,
}

/// Lets a request through to its endpoint. One without a key that is ours goes through as well:
/// the endpoint refuses it, or needs none.
pub(crate) async fn pass(
    State(Gate { env, rates }): State<Gate>,
    mut request: Request,
    next: Next,
) -> Response {
    let Ok(caller) = Caller::of(request.headers(), &env).await else {
        return next.run(request).await;
    };
    let rate = rates.count(caller.key(), env.real.now());
    let mut response = match rate.wait {
        Some(wait) => Error::RateLimited { wait }.into_response(),
        None => {
            let ws = caller.workspace();
            request.extensions_mut().insert(caller);
            match key(&request) {
                None => next.run(request).await,
                Some(key) => once(&env, ws, &key, request, next).await,
            }
        }
    };
    rate.write(response.headers_mut());
    response
}

/// The key of a POST request.
fn key(request: &Request) -> Option<String> {
    let key = request.headers().get(KEY)?;
    (request.method() == Method::POST).then(|| String::from_utf8_lossy(key.as_bytes()).into_owned())
}

/// Answers a request with a key: by its endpoint the first time, as before every other time.
async fn once(env: &Env, ws: WorkspaceId, key: &str, request: Request, next: Next) -> Response {
    let answered = async {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, imports::BODY_LIMIT).await.map_err(|_| {
            overture_engine::Error::TooLarge(
                "the body is larger than 64 MB, the most that may come with an idempotency key"
                    .into(),
            )
        })?;
        let target = parts.uri.path_and_query().map_or("/", |it| it.as_str());
        let digest = idempotency::digest(parts.method.as_str(), target, &body);
        if let Begun::Done { status, body } = idempotency::begin(env, ws, key, &digest).await? {
            return Ok(again(status, body));
        }
        let request = Request::from_parts(parts, Body::from(body));
        // A task of its own: a caller who hangs up must not cut the work off from its answer.
        let (env, key) = (env.clone(), key.to_owned());
        let work = async move {
            let (parts, body) = next.run(request).await.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
            let status = parts.status.as_u16();
            idempotency::finish(&env, ws, &key, status, &body).await?;
            Ok::<_, Error>(Response::from_parts(parts, Body::from(body)))
        };
        tokio::spawn(request_id::carried(work).in_current_span())
            .await
            .unwrap_or(Err(Error::Broken))
    };
    answered.await.unwrap_or_else(IntoResponse::into_response)
}

/// The answer of the first request.
fn again(status: u16, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
    (status, headers, body).into_response()
}
