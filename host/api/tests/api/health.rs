//! `/healthz`, `/readyz` (OPS-3)

use axum::{body::Body, http::Request};
use http_body_util::BodyExt;
use overture_testkit::on_both;

use crate::kit::Api;

on_both! {
    // OPS-3
    async fn it_answers_and_says_when_it_can_not_work(test: TestDatabase) {
        let api = Api::new(test).await;
        let ask = async |path: &str| {
            let response = api.send(Request::get(path).body(Body::empty()).unwrap()).await;
            let status = response.status().as_u16();
            let text = response.into_body().collect().await.unwrap().to_bytes();
            (status, String::from_utf8(text.to_vec()).unwrap())
        };
        assert_eq!(ask("/healthz").await, (200, "ok".to_owned()));
        assert_eq!(ask("/readyz").await, (200, "ok".to_owned()));
        api.env().db.close().await;
        assert_eq!(ask("/healthz").await.0, 200, "the process lives");
        let (status, text) = ask("/readyz").await;
        assert_eq!(status, 503);
        assert!(text.contains("the log says why"), "{text}");
    }
}
