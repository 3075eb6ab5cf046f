//! `/docs`: the API's reference page, with a form that tries each endpoint; `/` leads there until
//! there is a page for people.
//!
//! Everything comes out of this program: the page asks no other host for anything, and its policy
//! would not let it. The key that a reader types in stays in their browser's memory.

use axum::{
    Router,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use overture_engine::Env;

const PAGE: &str = include_str!("page.html");
const START: &str = include_str!("start.js");
/// Where the page finds the script below; the version is that of `assets/scalar`.
const SCRIPT_PATH: &str = "/docs/scalar-1.46.4.js";
/// As gzip: it is a sixth of the program's size otherwise.
const SCRIPT: &[u8] = include_bytes!("../../assets/scalar/standalone.js.gz");

/// The script writes its styles into the page by itself, so these can't be named beforehand.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn routes() -> Router<Env> {
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/docs") }))
        .route("/docs", get(page))
        .route("/docs/start.js", get(start))
        .route(SCRIPT_PATH, get(script))
}

const NO_SNIFFING: (HeaderName, &str) = (header::X_CONTENT_TYPE_OPTIONS, "nosniff");

async fn page() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
        NO_SNIFFING,
    ];
    (headers, Html(PAGE))
}

async fn start() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        NO_SNIFFING,
    ];
    (headers, START)
}

/// Who names no encoding takes any (RFC 9110 §12.5.3).
async fn script(headers: HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT_ENCODING);
    let takes_gzip = accepted.is_none_or(|accepted| {
        let accepted = accepted.to_str().unwrap_or_default();
        accepted.contains("gzip") || accepted.contains('*')
    });
    if !takes_gzip {
        return StatusCode::NOT_ACCEPTABLE.into_response();
    }
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CONTENT_ENCODING, "gzip"),
        (header::VARY, "accept-encoding"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        NO_SNIFFING,
    ];
    (headers, SCRIPT).into_response()
}
