//! Requests as metrics (OPS-3). Labels are of a bounded number: paths as they are registered, never as
//! they were called.

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};
use overture_engine::Env;

/// Counts a request by method, route and status, and times it to the head of its answer.
pub(crate) async fn measure(State(env): State<Env>, request: Request, next: Next) -> Response {
    let method = name(request.method());
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let begun = env.real.now();
    let response = next.run(request).await;
    let took = env.real.now().since(begun);
    metrics::histogram!("overture_http_request_seconds", "route" => route.clone()).record(took);
    let status = response.status().as_u16().to_string();
    metrics::counter!("overture_http_requests_total", "method" => method, "route" => route, "status" => status)
        .increment(1);
    response
}

/// Callers may make methods up.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
