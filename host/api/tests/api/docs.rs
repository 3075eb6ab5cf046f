//! `/` and `/docs`: what a browser sees

use axum::{
    body::Body,
    http::{HeaderMap, Request},
};
use http_body_util::BodyExt;
use overture_testkit::on_both;

use crate::kit::Api;

async fn ask(api: &Api, path: &str, encodings: &str) -> (u16, HeaderMap, Vec<u8>) {
    let request = Request::get(path).header("accept-encoding", encodings);
    let response = api.send(request.body(Body::empty()).unwrap()).await;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, headers, body.to_vec())
}

on_both! {
    async fn the_reference_page_comes_out_of_this_program_alone(test: TestDatabase) {
        let api = Api::new(test).await;
        let (status, headers, _) = ask(&api, "/", "identity").await;
        assert_eq!((status, &headers["location"]), (307, &"/docs".parse().unwrap()));

        let (status, headers, page) = ask(&api, "/docs", "identity").await;
        assert_eq!(status, 200);
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("http") && !policy.contains("unsafe-eval"), "{policy}");
        let page = String::from_utf8(page).unwrap();
        assert!(!page.contains("://"), "it names another host: {page}");

        let mut scripts = 0;
        for piece in page.split("<script src=\"").skip(1) {
            let (path, rest) = piece.split_once('"').unwrap();
            assert!(rest.starts_with("></script>"), "a script in the page: {rest}");
            let (status, headers, body) = ask(&api, path, "gzip").await;
            assert_eq!(status, 200, "{path}");
            assert_eq!(headers["content-type"], "text/javascript; charset=utf-8");
            assert!(!body.is_empty());
            scripts += 1;
        }
        assert_eq!(scripts, 2);
        let (_, _, start) = ask(&api, "/docs/start.js", "identity").await;
        let start = String::from_utf8(start).unwrap();
        let document = start.split('\'').find(|text| text.ends_with(".json")).unwrap();
        assert_eq!(ask(&api, document, "identity").await.0, 200, "{document}");
    }

    async fn who_cannot_unpack_the_script_is_told(test: TestDatabase) {
        let api = Api::new(test).await;
        let (_, _, page) = ask(&api, "/docs", "identity").await;
        let page = String::from_utf8(page).unwrap();
        let path = page.split('"').find(|text| text.starts_with("/docs/scalar-")).unwrap();
        assert_eq!(ask(&api, path, "identity").await.0, 406);
        let (status, headers, body) = ask(&api, path, "br, gzip").await;
        assert_eq!((status, &headers["content-encoding"]), (200, &"gzip".parse().unwrap()));
        assert_eq!(&body[..2], [0x1f, 0x8b]);
    }
}
