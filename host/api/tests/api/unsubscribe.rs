//! `/u/{token}` (TRK-4)

use std::sync::Arc;

use axum::{body::Body, http::Request, response::Response};
use http_body_util::BodyExt;
use overture_domain::{EnrollmentId, WorkspaceId, messages::MailKey, rng::SeededRng};
use overture_engine::{Env, unsubscribe};
use overture_testkit::on_both;
use overture_vault::Vault;
use serde_json::json;

use crate::kit::Api;

async fn ask(api: &Api, method: &str, token: &str) -> Response {
    let mut request = Request::builder().method(method).uri(format!("/u/{token}"));
    let mut body = Body::empty();
    if method == "POST" {
        // RFC 8058 §3.1: what a mail program sends, without cookie or key.
        request = request.header("content-type", "application/x-www-form-urlencoded");
        body = Body::from("List-Unsubscribe=One-Click");
    }
    api.send(request.body(body).unwrap()).await
}

async fn page(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    assert_eq!(
        response.headers()["content-type"],
        "text/html; charset=utf-8"
    );
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["referrer-policy"], "no-referrer");
    assert!(
        response.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .contains("default-src 'none'")
    );
    assert!(response.headers().get("set-cookie").is_none());
    let html = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(html.to_vec()).unwrap())
}

/// Somebody in two running campaigns, and the token of a mail of the first.
async fn written_to(api: &Api) -> (String, EnrollmentId, EnrollmentId) {
    let mailbox = api.outreach.mailbox("ada@example.com").await;
    let people = api.outreach.prospects(1).await;
    let first = api.outreach.running(&[&mailbox], &people).await;
    let second = api
        .outreach
        .draft(&[&mailbox], &[("Hi", "<p>Hi</p>")])
        .await;
    let both = json!({"prospectIds": people, "alsoActiveElsewhere": true});
    api.post(&format!("/campaigns/{second}/enrollments"), both)
        .await
        .data();
    let here = api.outreach.enrollments(first).await[0].id;
    let there = api.outreach.enrollments(second).await[0].id;
    (token_of(api.env(), api.ws(), here), here, there)
}

fn token_of(env: &Env, workspace_id: WorkspaceId, enrollment_id: EnrollmentId) -> String {
    let mail = MailKey {
        workspace_id,
        enrollment_id,
        step_index: 0,
    };
    unsubscribe::token(env, mail)
}

async fn state(api: &Api, id: EnrollmentId) -> String {
    api.outreach.enrollment(id).await.state.to_string()
}

on_both! {
    // TRK-4: scanners follow links.
    async fn a_get_changes_nothing(test: TestDatabase) {
        let api = Api::new(test).await;
        let (token, here, there) = written_to(&api).await;
        let before = (state(&api, here).await, state(&api, there).await);
        for method in ["GET", "HEAD", "GET"] {
            let (status, html) = page(ask(&api, method, &token).await).await;
            assert_eq!(status, 200);
            assert!(method == "HEAD" || html.contains("<form method=\"post\">"), "{html}");
            assert!(!html.contains("p0@d0.test"), "a link that leaks says nothing about anybody");
        }
        assert_eq!((state(&api, here).await, state(&api, there).await), before);
        assert_eq!(api.get("/suppressions").await.data(), &json!([]));
    }

    // TRK-4, RFC 8058 §3.1: at once, in the whole workspace, and twice is fine.
    async fn a_post_ends_it_everywhere(test: TestDatabase) {
        let api = Api::new(test).await;
        let (token, here, there) = written_to(&api).await;
        for _ in 0..2 {
            let (status, html) = page(ask(&api, "POST", &token).await).await;
            assert_eq!(status, 200);
            assert!(html.contains("Done."), "{html}");
        }
        assert_eq!(state(&api, here).await, "unsubscribed");
        assert_eq!(state(&api, there).await, "unsubscribed");
        let prospect = api.get("/prospects").await;
        assert_eq!(prospect.data()[0]["status"], "unsubscribed");
        let suppressions = api.get("/suppressions").await;
        assert_eq!(suppressions.data()[0]["value"], "p0@d0.test");
        assert_eq!(suppressions.data()[0]["source"], "unsubscribe");
        assert_eq!(suppressions.data().as_array().map(Vec::len), Some(1));
        api.outreach.kit.database.events_settled().await;
        for kind in ["email.unsubscribed", "prospect.suppressed"] {
            let told = api.get(&format!("/events?type={kind}")).await;
            assert_eq!(told.data().as_array().map(Vec::len), Some(1), "{kind}");
        }
        shows!(api.get("/events?type=email.unsubscribed").await, r#"
            200 {
              "data": [
                {
                  "id": "evt_1",
                  "type": "email.unsubscribed",
                  "occurredAt": "2026-03-02T09:00:00Z",
                  "campaignId": "cmp_1",
                  "enrollmentId": "enr_1",
                  "prospectId": "pro_1",
                  "data": {
                    "campaignId": "cmp_1",
                    "prospectEmail": "p0@d0.test",
                    "prospectId": "pro_1",
                    "unsubscribedAt": "2026-03-02T09:00:00Z"
                  }
                }
              ],
              "pagination": {
                "has_more": false,
                "next_cursor": null
              }
            }
            "#);
        assert_eq!(api.outreach.settle().await, None, "nothing is planned for them any more");
    }

    // TRK-4: nobody makes a link for somebody else.
    async fn other_links_do_not_work(test: TestDatabase) {
        let api = Api::new(test).await;
        let (token, here, _) = written_to(&api).await;
        let (middle, last) = (token.len() / 2, token.len() - 1);
        let changed = |place: usize| {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            String::from_utf8(bytes).unwrap()
        };
        let elsewhere = api.stranger().await;
        let mut foreign = api.env().clone();
        foreign.vault = Arc::new(Vault::ephemeral(Arc::new(SeededRng::new(77))));
        let tokens = [
            changed(0), changed(middle), changed(last - 1),
            token[..last].to_owned(), token[..middle].to_owned(), format!("{token}AAAA"), "x".to_owned(), "x".repeat(5_000),
            // Of another instance, of another workspace, of nobody, and of another purpose.
            token_of(&foreign, api.ws(), here),
            token_of(api.env(), elsewhere.ws(), here),
            token_of(api.env(), api.ws(), overture_testkit::env::stranger()),
            api.env().vault.sign_token("click", &[0; 34], None),
            api.env().vault.sign_token("unsubscribe", &[0; 20], None),
        ];
        for (index, other) in tokens.iter().enumerate() {
            let (status, html) = page(ask(&api, "POST", other).await).await;
            assert_eq!(status, 404, "{index}: {other}");
            assert!(html.contains("This link does not work") && (other.len() < 9 || !html.contains(other.as_str())), "{html}");
        }
        // Whether somebody is there is asked by the POST alone.
        assert_eq!(page(ask(&api, "GET", &tokens[1]).await).await.0, 404);
        assert_ne!(state(&api, here).await, "unsubscribed");
        assert_eq!(api.get("/suppressions").await.data(), &json!([]));
    }
}
