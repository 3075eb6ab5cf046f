//! `/u/{token}`: where the unsubscribe link of a mail leads (TRK-4, RFC 8058).
//!
//! A GET shows a page with a button and changes nothing, because scanners follow links. A POST
//! unsubscribes at once: the button's, and the one-click button of mail programs. Neither needs a
//! login or a cookie.

use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use overture_engine::{Env, unsubscribe};

pub(crate) fn routes() -> Router<Env> {
    Router::new().route("/u/{token}", get(page).post(confirm))
}

async fn page(State(env): State<Env>, Path(token): Path<String>) -> Response {
    match unsubscribe::read_token(&env, &token, env.now()) {
        Ok(_) => shown(
            StatusCode::OK,
            "Unsubscribe",
            "<p>You will get no more mails from this sender.</p><form method=\"post\"><button>Unsubscribe</button></form>",
        ),
        Err(_) => unknown(),
    }
}

async fn confirm(State(env): State<Env>, Path(token): Path<String>) -> Response {
    match unsubscribe::by_token(&env, &token).await {
        Ok(()) => shown(
            StatusCode::OK,
            "Unsubscribed",
            "<p>Done. You will get no more mails from this sender.</p>",
        ),
        Err(overture_engine::Error::NotFound(_)) => unknown(),
        Err(error) => {
            tracing::error!(%error, "an unsubscribe request failed");
            shown(
                StatusCode::SERVICE_UNAVAILABLE,
                "Please try again",
                "<p>This did not work just now. Please try again in a minute.</p>",
            )
        }
    }
}

fn unknown() -> Response {
    shown(
        StatusCode::NOT_FOUND,
        "This link does not work",
        "<p>The link is incomplete or was changed. Please copy it whole from the mail, or answer the mail with \u{201c}unsubscribe\u{201d}.</p>",
    )
}

/// A page of static texts: nothing of a request is ever part of it.
pub(crate) fn shown(status: StatusCode, title: &'static str, body: &'static str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"robots\" content=\"noindex\"><title>{title}</title><style>:root{{color-scheme:light dark}}body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem}}button{{font:inherit;padding:.6rem 1.4rem;border:0;border-radius:.5rem;background:#1a56db;color:#fff;cursor:pointer}}</style></head><body><h1>{title}</h1>{body}</body></html>"
    );
    let headers = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
        ),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (status, headers, Html(html)).into_response()
}
