//! WS-1: no id from another workspace is ever readable, and nothing can be done with it.

use overture_domain::alerts::AlertCode;
use overture_engine::webhooks;
use overture_store::alerts;
use overture_testkit::on_both;
use serde_json::{Value, json};

use crate::{kit::Api, messages, operations};

/// One of everything.
struct World {
    prospect: String,
    list: String,
    filter: String,
    import: String,
    mailbox: String,
    campaign: String,
    message: String,
    enrollment: String,
    webhook: String,
    delivery: String,
    alert: String,
}

impl World {
    async fn new(api: &Api) -> Self {
        let list = api
            .post("/lists", json!({"name": "Fair"}))
            .await
            .id()
            .to_owned();
        let filter = api
            .post(
                "/filters",
                json!({"name": "Fair", "filter": {"listId": list}}),
            )
            .await
            .id()
            .to_owned();
        let import = api
            .raw(
                "POST",
                &format!("/imports?listId={list}"),
                "email\nada@example.com\nnobody\n",
            )
            .await
            .id()
            .to_owned();
        let prospect = api.get("/prospects").await.data()[0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let mailbox = api.outreach.mailbox("me@example.com").await.id.to_string();
        let new = json!({
            "name": "Spring", "mailboxIds": [mailbox], "prospectIds": [prospect],
            "steps": [{"stepIndex": 0, "subject": "Hi", "bodyHtml": "<p>Hi</p>"}],
        });
        let campaign = api.post("/campaigns", new).await.id().to_owned();
        let webhook = api
            .post(
                "/webhooks",
                json!({"url": "https://example.com/a", "events": ["*"]}),
            )
            .await
            .id()
            .to_owned();
        api.post(&format!("/webhooks/{webhook}/test"), json!({}))
            .await
            .data();
        api.outreach.kit.database.events_settled().await;
        webhooks::dispatch(api.env()).await.unwrap();
        let deliveries = api.get(&format!("/webhooks/{webhook}/deliveries")).await;
        let delivery = deliveries.data()[0]["id"].as_str().unwrap().to_owned();
        let message = messages::received(api).await;
        let enrolled = api.get(&format!("/campaigns/{campaign}/enrollments")).await;
        let enrollment = enrolled.data()[0]["id"].as_str().unwrap().to_owned();
        Self {
            prospect,
            list,
            filter,
            import,
            mailbox,
            campaign,
            message,
            enrollment,
            webhook,
            delivery,
            alert: alert(api).await,
        }
    }

    /// The id that stands in a path.
    fn id(&self, path: &str) -> &str {
        match path.split('/').nth(1).unwrap() {
            "prospects" => &self.prospect,
            "lists" => &self.list,
            "filters" => &self.filter,
            "imports" => &self.import,
            "mailboxes" => &self.mailbox,
            "campaigns" => &self.campaign,
            "messages" => &self.message,
            "enrollments" => &self.enrollment,
            "webhooks" => &self.webhook,
            "alerts" => &self.alert,
            other => panic!("{other} is new: put one into the world"),
        }
    }

    fn path(&self, template: &str) -> String {
        template
            .replace("{id}", self.id(template))
            .replace("{deliveryId}", &self.delivery)
    }
}

/// An open alert of the workspace.
async fn alert(api: &Api) -> String {
    let seen = alerts::Seen {
        id: api.env().id(),
        workspace_id: Some(api.ws()),
        subject: "me@example.com".into(),
        message: "me@example.com is disconnected".into(),
        count: 1,
    };
    let mut tx = api.env().db.begin().await.unwrap();
    let (code, who, now) = (
        AlertCode::MailboxDisconnected,
        alerts::Who::Any,
        api.env().now(),
    );
    alerts::tell(&mut tx, code, std::slice::from_ref(&seen), who, now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    seen.id.to_string()
}

/// Everything that can be read.
async fn seen(api: &Api, world: &World) -> Vec<Value> {
    let mut all = Vec::new();
    for operation in operations::all() {
        if operation.method == "GET" && !["/me", "/events/stream"].contains(&operation.path) {
            let answer = api.get(&world.path_or_same(operation.path)).await;
            all.push(json!([operation.path, answer.data()]));
        }
    }
    all
}

impl World {
    fn path_or_same(&self, template: &str) -> String {
        if template.contains('{') {
            self.path(template)
        } else {
            template.to_owned()
        }
    }
}

on_both! {
    // WS-1
    async fn another_workspaces_ids_are_of_nothing(test: TestDatabase) {
        let api = Api::new(test).await;
        let world = World::new(&api).await;
        let stranger = api.stranger().await;
        let before = seen(&api, &world).await;
        for operation in operations::all().into_iter().filter(|operation| operation.path.contains('{')) {
            let at = format!("{} {}", operation.method, operation.path);
            let answer = stranger.call(operation.method, &world.path(operation.path), operation.body.clone()).await;
            assert_eq!((answer.status, answer.refusal().1), (404, "not_found"), "{at}: {}", answer.shown());
            let (prefix, digits) = world.id(operation.path).split_once('_').unwrap();
            for id in [format!("{prefix}_7zzzzzzzzzzzzzzzzzzzzzzzzz"), format!("xyz_{digits}"), digits.to_owned(), "7".to_owned(), "%00".to_owned()] {
                let path = operation.path.replace("{id}", &id).replace("{deliveryId}", &world.delivery);
                let answer = api.call(operation.method, &path, operation.body.clone()).await;
                assert_eq!((answer.status, answer.refusal().1), (404, "not_found"), "{at} {id}: {}", answer.shown());
            }
        }
        assert_eq!(seen(&api, &world).await, before, "nothing was changed");
        for path in ["/prospects", "/lists", "/filters", "/mailboxes", "/campaigns", "/webhooks", "/suppressions"] {
            assert_eq!(stranger.get(path).await.data(), &json!([]), "{path}");
        }
    }

    // WS-1: nor where they stand in bodies and queries.
    async fn nor_can_they_be_referred_to(test: TestDatabase) {
        let api = Api::new(test).await;
        let world = World::new(&api).await;
        let stranger = api.stranger().await;
        let own = {
            let list = stranger.post("/lists", json!({"name": "Fair"})).await.id().to_owned();
            let webhook = stranger.post("/webhooks", json!({"url": "https://example.com/b", "events": ["*"]})).await.id().to_owned();
            let new = json!({"emailAddress": "them@example.com", "preset": "post"});
            let mailbox = stranger.post("/mailboxes", new).await.id().to_owned();
            let new = json!({"name": "Theirs", "mailboxIds": [mailbox], "steps": [{"stepIndex": 0, "subject": "Hi", "bodyHtml": "<p>Hi</p>"}]});
            let campaign = stranger.post("/campaigns", new).await.id().to_owned();
            (list, webhook, campaign)
        };
        let before = seen(&api, &world).await;
        let refusal = async |method: &str, path: &str, body: Value| {
            let answer = stranger.call(method, path, Some(body)).await;
            (answer.status, answer.refusal().2.join(", "))
        };
        let nothing = |status: u16| (status, String::new());
        assert_eq!(refusal("POST", "/prospects", json!({"email": "x@example.com", "listId": world.list})).await, nothing(404));
        assert_eq!(stranger.raw("POST", &format!("/imports?listId={}", world.list), "email\nx@example.com\n").await.status, 404);
        assert_eq!(
            refusal("POST", "/campaigns", json!({"name": "Mine", "mailboxIds": [world.mailbox], "steps": [{"stepIndex": 0, "subject": "Hi", "bodyHtml": "x"}]})).await,
            (400, "mailboxIds[0]".to_owned())
        );
        assert_eq!(refusal("PATCH", &format!("/campaigns/{}", own.2), json!({"mailboxIds": [world.mailbox]})).await, (400, "mailboxIds[0]".to_owned()));
        assert_eq!(refusal("POST", &format!("/campaigns/{}/enrollments", own.2), json!({"listIds": [world.list]})).await, (400, "listIds[0]".to_owned()));
        let enrolled = stranger.post(&format!("/campaigns/{}/enrollments", own.2), json!({"prospectIds": [world.prospect], "emails": ["ada@example.com"]})).await;
        assert_eq!((&enrolled.data()["enrolled"], &enrolled.data()["notFound"]), (&json!(0), &json!(2)));
        let added = stranger.post(&format!("/lists/{}/prospects", own.0), json!({"prospectIds": [world.prospect]})).await;
        assert_eq!(added.data()["addedCount"], 0);
        assert_eq!(stranger.get(&format!("/prospects?filterId={}", world.filter)).await.refusal(), (400, "validation_error", vec!["filterId"]));
        for filter in [json!({"listId": world.list}), json!({"campaignId": world.campaign})] {
            let field = format!("filter.{}", filter.as_object().unwrap().keys().next().unwrap());
            assert_eq!(refusal("POST", "/filters", json!({"name": "Mine", "filter": filter})).await, (400, field));
        }
        let bulk = async |who: Value, action: Value| {
            let mut body = who;
            body["action"] = action;
            stranger.post("/prospects/bulk", body).await
        };
        let theirs = json!({"prospectIds": [world.prospect]});
        for action in [json!({"addTags": ["x"]}), json!({"addToList": own.0}), json!({"setStatus": "do_not_contact"}), json!({"enroll": own.2})] {
            let done = bulk(theirs.clone(), action.clone()).await;
            assert_eq!(done.data(), &json!({"matchedCount": 0, "changedCount": 0, "notFoundCount": 1}), "{action}");
        }
        for action in [json!({"addToList": world.list}), json!({"removeFromList": world.list}), json!({"enroll": world.campaign})] {
            assert_eq!(bulk(theirs.clone(), action.clone()).await.refusal(), (404, "not_found", vec![]), "{action}");
        }
        assert_eq!(bulk(json!({"filterId": world.filter}), json!({"addTags": ["x"]})).await.refusal(), (400, "validation_error", vec!["filterId"]));
        assert_eq!(bulk(json!({"filter": {"listId": world.list}}), json!({"addTags": ["x"]})).await.data()["matchedCount"], 0);
        let replayed = stranger.post(&format!("/webhooks/{}/replay", own.1), json!({"deliveryIds": [world.delivery]})).await;
        assert_eq!(replayed.data()["replayedCount"], 0);
        for query in [format!("/prospects?listId={}", world.list), format!("/events?campaignId={}", world.campaign), format!("/events?prospectId={}", world.prospect), format!("/prospects?cursor={}", world.prospect)] {
            assert_eq!(stranger.get(&query).await.data(), &json!([]), "{query}");
        }
        stranger.post("/prospects/suppress", json!({"emails": ["ada@example.com"]})).await.data();
        assert_eq!(seen(&api, &world).await, before, "nothing was changed");
        let delivery = stranger.get(&format!("/webhooks/{}/deliveries/{}", own.1, world.delivery)).await;
        assert_eq!(delivery.status, 404, "nor under one's own webhook");
    }
}
