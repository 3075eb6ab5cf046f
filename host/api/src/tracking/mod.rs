//! `/o/{token}` and `/c/{token}`: the pixel of a mail, and where its links lead first (TRK-1).
//!
//! Nothing of a request is part of an answer: the pixel is always the same, and a link leads where
//! the mail's own list says or nowhere.

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use overture_engine::{
    Env,
    tracking::{self, Visitor},
};

use crate::unsubscribe::shown;

/// One transparent pixel.
const PIXEL: &[u8] = include_bytes!("pixel.png");

const NOT_KEPT: (header::HeaderName, &str) = (header::CACHE_CONTROL, "no-store, max-age=0");

pub(crate) fn routes() -> Router<Env> {
    Router::new()
        .route("/o/{token}", get(opened))
        .route("/c/{token}", get(clicked))
}

fn visitor<'a>(method: &Method, headers: &'a HeaderMap) -> Visitor<'a> {
    let agent = headers.get(header::USER_AGENT);
    Visitor {
        head: method == Method::HEAD,
        user_agent: agent
            .and_then(|agent| agent.to_str().ok())
            .unwrap_or_default(),
    }
}

/// The picture comes also where nothing can be kept: a mail never shows a broken one.
async fn opened(
    State(env): State<Env>,
    Path(token): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    if let Err(error) = tracking::opened(&env, &token, visitor(&method, &headers)).await {
        tracing::error!(%error, "an opening was not kept");
    }
    let kind = (header::CONTENT_TYPE, "image/png");
    ([kind, NOT_KEPT], PIXEL).into_response()
}

async fn clicked(
    State(env): State<Env>,
    Path(token): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    match tracking::clicked(&env, &token, visitor(&method, &headers)).await {
        Ok(url) => {
            let location = (header::LOCATION, url.as_str());
            let private = (header::REFERRER_POLICY, "no-referrer");
            (StatusCode::FOUND, [location, NOT_KEPT, private]).into_response()
        }
        Err(overture_engine::Error::NotFound(_)) => shown(
            StatusCode::NOT_FOUND,
            "This link does not work",
            "<p>The link is incomplete, was changed, or is older than 90 days. Please answer the mail and ask for the address.</p>",
        ),
        Err(error) => {
            tracing::error!(%error, "a click failed");
            shown(
                StatusCode::SERVICE_UNAVAILABLE,
                "Please try again",
                "<p>This did not work just now. Please try again in a minute.</p>",
            )
        }
    }
}
