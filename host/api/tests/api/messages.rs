//! `/messages`

use overture_domain::{
    accounts::Channel,
    messages::{Attribution, Direction, Label, MailMessage, Message},
};
use overture_store::messages;
use overture_testkit::on_both;
use serde_json::json;

use crate::kit::Api;

/// A reply of the first prospect in the first campaign came in, and was taken for interest. Its id.
pub(crate) async fn received(api: &Api) -> String {
    let campaign = &api.get("/campaigns").await.data()[0].clone();
    let id = campaign["id"].as_str().unwrap();
    let enrollment = &api
        .get(&format!("/campaigns/{id}/enrollments"))
        .await
        .data()[0]
        .clone();
    let mailbox = &api.get("/mailboxes").await.data()[0].clone();
    let env = api.env();
    let message = Message {
        id: env.id(),
        workspace_id: api.ws(),
        channel: Channel::Mail,
        direction: Direction::In,
        account_id: mailbox["id"].as_str().unwrap().parse().unwrap(),
        campaign_id: id.parse().ok(),
        enrollment_id: enrollment["id"].as_str().unwrap().parse().ok(),
        prospect_id: enrollment["prospectId"].as_str().unwrap().parse().ok(),
        step_index: Some(0),
        external_id: "reply@example.net".into(),
        sender: "grace@example.net".into(),
        recipient: "me@example.com".into(),
        subject: "Re: Hi".into(),
        text: "Sounds good".into(),
        newest_text: "Sounds good".into(),
        html: None,
        attribution: Some(Attribution::InReplyTo),
        label: Some(Label::Interested),
        label_by: Some("classifier-rules".into()),
        at: env.now(),
    };
    let mut tx = env.db.begin().await.unwrap();
    let kept = (message.clone(), Some(MailMessage::default()));
    messages::insert(&mut tx, &[kept], env.now()).await.unwrap();
    tx.commit().await.unwrap();
    message.id.to_string()
}

on_both! {
    // CLS-2, CLS-4
    async fn a_label_is_changed_by_hand(test: TestDatabase) {
        let api = Api::new(test).await;
        let mailbox = api.outreach.mailbox("me@example.com").await;
        let people = api.outreach.prospects(1).await;
        api.outreach.running(&[&mailbox], &people).await;
        let id = received(&api).await;
        let path = format!("/messages/{id}");
        let changed = api.call("PATCH", &path, Some(json!({"label": "out_of_office", "returnDate": "2026-03-09"}))).await;
        assert_eq!((&changed.data()["label"], changed.data()["labelBy"].as_str().unwrap().split(':').next()), (&json!("out_of_office"), Some("key")));
        let message = api.get(&path).await;
        assert_eq!((&message.data()["newestText"], &message.data()["from"]), (&json!("Sounds good"), &json!("grace@example.net")));
        let said = &message.data()["verdicts"][0];
        assert_eq!((&said["label"], &said["returnDate"], &said["confidence"]), (&json!("out_of_office"), &json!("2026-03-09"), &json!(1.0)));
    }

    // API-2
    async fn nonsense_is_refused(test: TestDatabase) {
        let api = Api::new(test).await;
        let mailbox = api.outreach.mailbox("me@example.com").await;
        let people = api.outreach.prospects(1).await;
        api.outreach.running(&[&mailbox], &people).await;
        let path = format!("/messages/{}", received(&api).await);
        for (body, field) in [
            (json!({"label": "happy"}), "label"),
            (json!({"label": "out_of_office", "returnDate": "soon"}), "returnDate"),
            (json!({"label": "out_of_office", "returnDate": "2020-01-01"}), "returnDate"),
            (json!({"label": "question", "returnDate": "2027-01-01"}), "returnDate"),
        ] {
            let answer = api.call("PATCH", &path, Some(body.clone())).await;
            assert_eq!(answer.refusal(), (400, "validation_error", vec![field]), "{body}");
        }
    }
}
