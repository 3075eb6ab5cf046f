//! `/o/{token}` and `/c/{token}` (TRK-1, TRK-2)

use std::time::Duration;

use axum::{body::Body, http::Request, response::Response};
use overture_domain::events::EventKind;
use overture_testkit::on_both;
use serde_json::json;

use crate::kit::Api;

const CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";
const HTML: &str = "<p>Hi</p><a href=\"https://example.com/offer?a=1&amp;b=2\">offer</a> \
    <a href=\"https://example.com/two\">two</a> <a href=\"mailto:ada@example.com\">mail</a>";

/// A mail that went out with these settings: its campaign and its HTML.
async fn mail(api: &Api, settings: serde_json::Value) -> (String, String) {
    let mailbox = api.outreach.mailbox("ada@example.com").await;
    let people = api.outreach.prospects(1).await;
    let mut campaign = json!({
        "name": "Spring", "mailboxIds": [mailbox.id], "prospectIds": people,
        "steps": [{ "stepIndex": 0, "subject": "Hello", "bodyHtml": HTML }]
    });
    campaign
        .as_object_mut()
        .unwrap()
        .extend(settings.as_object().unwrap().clone());
    let campaign = api.post("/campaigns", campaign).await.id().to_owned();
    api.post(&format!("/campaigns/{campaign}/start"), json!({}))
        .await
        .data();
    api.outreach.run_for(Duration::from_secs(3_600)).await;
    let bytes = api.outreach.post.taken().pop().unwrap().bytes;
    // Quoted-printable (RFC 2045 §6.7), as far as links need it.
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let text = text.replace("=\r\n", "").replace("=3D", "=");
    let html = text.rsplit_once("text/html").unwrap().1.to_owned();
    (campaign, html)
}

/// The paths in the mail that lead to us and begin so.
fn paths(html: &str, start: &str) -> Vec<String> {
    html.split('"')
        .filter_map(|part| {
            part.split_once("://")?
                .1
                .split_once('/')
                .map(|(_, path)| format!("/{path}"))
        })
        .filter(|path| path.starts_with(start))
        .collect()
}

async fn ask(api: &Api, method: &str, path: &str, agent: &str) -> Response {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("user-agent", agent);
    api.send(request.body(Body::empty()).unwrap()).await
}

async fn told(api: &Api) -> (usize, usize) {
    api.outreach.kit.clock.advance(Duration::from_secs(60));
    overture_engine::tracking::tick(api.env()).await.unwrap();
    let opened = api.outreach.events(EventKind::EmailOpened).await.len();
    (
        opened,
        api.outreach.events(EventKind::EmailClicked).await.len(),
    )
}

on_both! {
    // TRK-1: off means no pixel and untouched links; so it is unless somebody says otherwise.
    async fn without_tracking_a_mail_is_untouched(test: TestDatabase) {
        let api = Api::new(test).await;
        let (_, html) = mail(&api, json!({})).await;
        assert!(!html.contains("<img") && html.contains("https://example.com/offer?a=1&amp;b=2"), "{html}");
        assert!(paths(&html, "/c/").is_empty());
    }

    // TRK-1, TRK-2, API-6
    async fn what_a_person_does_is_told_once(test: TestDatabase) {
        let api = Api::new(test).await;
        let (campaign, html) = mail(&api, json!({ "trackOpens": true, "trackClicks": true })).await;
        let (pixel, links) = (paths(&html, "/o/"), paths(&html, "/c/"));
        assert_eq!((pixel.len(), links.len()), (1, 2), "{html}");
        assert!(html.contains("mailto:ada@example.com") && !paths(&html, "/u/").is_empty());

        for _ in 0..2 {
            let picture = ask(&api, "GET", &pixel[0], CHROME).await;
            assert_eq!((picture.status().as_u16(), &picture.headers()["content-type"]), (200, &"image/png".parse().unwrap()));
            assert!(picture.headers()["cache-control"].to_str().unwrap().contains("no-store"));
            let to = ask(&api, "GET", &links[0], CHROME).await;
            assert_eq!((to.status().as_u16(), &to.headers()["location"]), (302, &"https://example.com/offer?a=1&b=2".parse().unwrap()));
            // A second opening, a second click: no second event.
            assert_eq!(told(&api).await, (1, 1));
        }
        let clicked = &api.outreach.events(EventKind::EmailClicked).await[0];
        assert_eq!(clicked.data["url"], "https://example.com/offer?a=1&b=2");
        let stats = api.get(&format!("/campaigns/{campaign}/stats")).await;
        assert_eq!((&stats.data()["opened"], &stats.data()["clicked"]), (&json!(1), &json!(1)));
    }

    // OPS-8: raw hits are forgotten after a year, what they said of people is not.
    async fn raw_hits_are_kept_for_a_year(test: TestDatabase) {
        let api = Api::new(test).await;
        let (campaign, html) = mail(&api, json!({ "trackOpens": true })).await;
        ask(&api, "GET", &paths(&html, "/o/")[0], CHROME).await;
        assert_eq!(told(&api).await, (1, 0));
        let kept = async || overture_store::tracking::oldest(&mut api.env().db.reader()).await.unwrap();
        let came = kept().await.unwrap();
        let year = Duration::from_secs(365 * 86_400);
        assert_eq!(overture_engine::tracking::tick(api.env()).await.unwrap(), overture_engine::Due::At(came + year));
        api.outreach.kit.clock.advance_to(came + year - Duration::from_secs(1));
        overture_engine::tracking::tick(api.env()).await.unwrap();
        assert_eq!(kept().await, Some(came));
        api.outreach.kit.clock.advance(Duration::from_secs(1));
        assert_eq!(overture_engine::tracking::tick(api.env()).await.unwrap(), overture_engine::Due::Now);
        assert_eq!(kept().await, None);
        assert_eq!(api.get(&format!("/campaigns/{campaign}/stats")).await.data()["opened"], 1);
    }

    // TRK-2: machines are kept and not counted.
    async fn what_a_scanner_does_is_not_told(test: TestDatabase) {
        let api = Api::new(test).await;
        let (_, html) = mail(&api, json!({ "trackOpens": true, "trackClicks": true })).await;
        let (pixel, links) = (paths(&html, "/o/"), paths(&html, "/c/"));
        ask(&api, "GET", &pixel[0], "Mozilla/5.0").await;
        // All links at once, by a browser's name.
        for link in &links {
            assert_eq!(ask(&api, "GET", link, CHROME).await.status(), 302);
        }
        assert_eq!(ask(&api, "HEAD", &links[0], CHROME).await.status(), 302);
        assert_eq!(told(&api).await, (0, 0));
        // The person comes later.
        ask(&api, "GET", &links[1], CHROME).await;
        assert_eq!(told(&api).await, (0, 1));
    }

    // TRK-1: signed, 90 days, and no open redirect.
    async fn other_tokens_lead_nowhere(test: TestDatabase) {
        let api = Api::new(test).await;
        let (_, html) = mail(&api, json!({ "trackOpens": true, "trackClicks": true })).await;
        let (pixel, links) = (paths(&html, "/o/"), paths(&html, "/c/"));
        let swapped = links[0].replace("/c/", "/u/");
        assert_eq!(ask(&api, "GET", &swapped, CHROME).await.status(), 404);
        let of_pixel = pixel[0].replace("/o/", "/c/");
        let cut = links[0][..links[0].len() - 1].to_owned();
        for wrong in [of_pixel, cut, "/c/https://evil.example".to_owned(), "/c/x".to_owned()] {
            let answer = ask(&api, "GET", &wrong, CHROME).await;
            assert_eq!(answer.status(), 404, "{wrong}");
            assert!(answer.headers().get("location").is_none());
        }
        // A picture comes in any case.
        assert_eq!(ask(&api, "GET", "/o/x", CHROME).await.status(), 200);

        api.outreach.kit.clock.advance(Duration::from_secs(90 * 24 * 60 * 60));
        assert_eq!(ask(&api, "GET", &links[0], CHROME).await.status(), 404);
        assert_eq!(ask(&api, "GET", &pixel[0], CHROME).await.status(), 200);
        assert_eq!(told(&api).await, (0, 0));
    }
}
