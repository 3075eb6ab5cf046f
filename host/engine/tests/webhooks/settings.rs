//! What people may say about a webhook, and what they read when they may not.

use overture_domain::{events::EventKind, webhooks::Webhook};
use overture_egress::{AddressPolicy, Client, Resolver};
use overture_engine::{
    Error, Result, Secret,
    webhooks::{self, WebhookIn, WebhookPatch},
};
use overture_plugin_host::CallError;
use overture_store::on_both;
use serde_json::json;

use crate::kit::{Kit, Sink, settle};

fn new(url: &str, events: &[&str]) -> WebhookIn {
    WebhookIn {
        url: url.into(),
        events: events.iter().map(|name| (*name).to_owned()).collect(),
        ..Default::default()
    }
}

fn wrong<T: std::fmt::Debug>(result: Result<T>) -> Vec<(String, String, String)> {
    match result.unwrap_err() {
        Error::Invalid(fields) => fields
            .into_iter()
            .map(|f| (f.field, f.code, f.message))
            .collect(),
        other => panic!("{other}"),
    }
}

async fn create(kit: &Kit, new: WebhookIn) -> Result<(Webhook, Secret)> {
    webhooks::create(kit, kit.ws, new).await
}

on_both! {
    // API-2: every broken field at once, with what to do.
    async fn every_wrong_field_is_named(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let found = wrong(create(&kit, WebhookIn {
            formatter: Some("format-nothing".into()),
            ..new("example", &["email.sent", "email.eaten"])
        }).await);
        let fields: Vec<_> = found.iter().map(|(field, code, _)| (field.as_str(), code.as_str())).collect();
        assert_eq!(fields, [("url", "invalid"), ("events[1]", "unknown_event"), ("formatter", "unknown_formatter")]);
        assert!(found[1].2.contains("`email.eaten` is no event; there are: reply.received, email.sent"), "{}", found[1].2);
        assert!(!found[1].2.contains("enrollment.created"), "only public ones are offered");
        assert_eq!(found[2].2, "`format-nothing` is no formatter; there are: format-cards, format-generic");
        let none = wrong(create(&kit, new("https://hooks.example.com/", &[])).await);
        assert_eq!((none[0].0.as_str(), none[0].1.as_str()), ("events", "required"));
        let internal = wrong(create(&kit, new("https://hooks.example.com/", &["enrollment.created"])).await);
        assert_eq!(internal[0].1, "unknown_event");
    }

    // API-10: https, and http only where the instance allows it.
    async fn targets_are_https(test: TestDatabase) {
        let mut kit = Kit::new(test).await;
        let roots = overture_egress::root_store(None).unwrap();
        kit.test.env.http = Client::new(
            Resolver::new(&[]).unwrap(),
            AddressPolicy::http(Vec::new(), false),
            overture_egress::client_config(roots),
        );
        for (url, says) in [
            ("http://hooks.example.com/", "use https:"),
            ("ftp://hooks.example.com/", "https:"),
            ("https://ada:pw@hooks.example.com/", "not in the URL"),
            ("", "no URL"),
        ] {
            let found = wrong(create(&kit, new(url, &["*"])).await);
            assert!(found[0].0 == "url" && found[0].2.contains(says), "{url}: {found:?}");
        }
        create(&kit, new("https://hooks.example.com/", &["*"])).await.unwrap();
    }

    // API-9: chosen by URL host, or by hand.
    async fn the_formatter_follows_the_url_or_a_hand(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let formatter = |made: &(Webhook, Secret)| made.0.formatter.clone();
        let cards = "https://cards.example.com/x";
        assert_eq!(formatter(&create(&kit, new(cards, &["*"])).await.unwrap()), "format-cards");
        let plain = create(&kit, new("https://hooks.example.com/x", &["*"])).await.unwrap();
        assert_eq!(formatter(&plain), "format-generic");
        let by_hand = WebhookIn { formatter: Some("format-cards".into()), ..new("https://hooks.example.com/x", &["*"]) };
        let by_hand = create(&kit, by_hand).await.unwrap().0;
        assert_eq!(by_hand.formatter, "format-cards");
        let change = async |id, patch| webhooks::update(&kit, kit.ws, id, patch).await.unwrap();
        let same_host = WebhookPatch { url: Some("https://hooks.example.com/y".into()), ..Default::default() };
        assert_eq!(change(by_hand.id, same_host).await.formatter, "format-cards", "the hand's choice stays");
        let moved = WebhookPatch { url: Some(cards.into()), ..Default::default() };
        let moved = change(plain.0.id, moved).await;
        assert_eq!((moved.formatter.as_str(), moved.url_host.as_str()), ("format-cards", "cards.example.com"));
    }

    async fn settings_are_tried_before_they_are_kept(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let with = |settings| WebhookIn { settings: Some(settings), ..new("https://hooks.example.com/", &["*"]) };
        assert_eq!(wrong(create(&kit, with(json!([]))).await)[0].0, "settings");
        kit.formatter.fail(CallError::InvalidSettings("`color` is no color".into()));
        let found = wrong(create(&kit, with(json!({"color": 7}))).await);
        assert_eq!(found[0].2, "format-generic can't use them: `color` is no color");
        // That a formatter is out of order is no reason to refuse what people say.
        kit.formatter.fail(CallError::Panicked { message: "oh".into() });
        create(&kit, with(json!({"color": 7}))).await.unwrap();
    }

    async fn a_change_takes_what_is_given_and_all_or_nothing(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let sink = Sink::start().await;
        let (webhook, _) = create(&kit, new("https://hooks.example.com/", &["email.sent", "email.sent"])).await.unwrap();
        assert_eq!(webhook.events, ["email.sent"], "each once");
        let both = WebhookPatch {
            url: Some(sink.url.as_str().into()),
            events: Some(vec!["nonsense".into()]),
            ..Default::default()
        };
        wrong(webhooks::update(&kit, kit.ws, webhook.id, both).await);
        assert_eq!(kit.found(&webhook).await, webhook);
        let patch = WebhookPatch {
            url: Some(sink.url.as_str().into()),
            events: Some(vec!["email.opened".into()]),
            ..Default::default()
        };
        webhooks::update(&kit, kit.ws, webhook.id, patch).await.unwrap();
        kit.happens(EventKind::EmailSent, json!({})).await;
        let opened = kit.happens(EventKind::EmailOpened, json!({})).await;
        settle(&kit).await;
        assert_eq!(sink.only().header("webhook-id"), opened.to_string());
        webhooks::delete(&kit, kit.ws, webhook.id).await.unwrap();
        kit.happens(EventKind::EmailOpened, json!({})).await;
        settle(&kit).await;
        assert_eq!(sink.count(), 1);
        assert_eq!(webhooks::delete(&kit, kit.ws, webhook.id).await.unwrap_err().code(), "not_found");
    }
}
