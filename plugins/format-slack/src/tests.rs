use serde_json::{Value, json};

use super::*;

fn event(kind: &str, data: Value) -> Event {
    Event {
        id: "evt_1".into(),
        kind: kind.into(),
        occurred_at: 1_773_045_000_123,
        workspace_id: "wsp_1".into(),
        data: data.to_string(),
    }
}

fn format(kind: &str, data: Value) -> Value {
    let context = Context {
        settings: "{}".into(),
        public_url: "https://overture.example.com".into(),
        workspace_name: "Example & Sons".into(),
    };
    let output = Slack::format(event(kind, data), context).unwrap();
    assert_eq!(output.content_type, "application/json");
    let message: Value = serde_json::from_slice(&output.body).unwrap();
    accepted(&message);
    message
}

/// What Slack accepts (contracts of Block Kit): kinds, required fields, lengths.
fn accepted(message: &Value) {
    let length = |value: &Value| value.as_str().unwrap().chars().count();
    assert!((1..=4_000).contains(&length(&message["text"])));
    let blocks = message["blocks"].as_array().unwrap();
    assert!((1..=50).contains(&blocks.len()));
    for block in blocks {
        let (kind, most) = match block["type"].as_str().unwrap() {
            "header" => ("plain_text", 150),
            "section" => ("mrkdwn", 3_000),
            "context" => {
                let elements = block["elements"].as_array().unwrap();
                assert!((1..=10).contains(&elements.len()));
                continue;
            }
            "actions" => {
                let elements = block["elements"].as_array().unwrap();
                assert!((1..=25).contains(&elements.len()));
                let mut ids: Vec<_> = elements.iter().map(|e| e["action_id"].as_str()).collect();
                ids.dedup();
                assert_eq!(ids.len(), elements.len(), "action ids are unique");
                for element in elements {
                    assert!(length(&element["text"]["text"]) <= 75);
                    assert!(length(&element["url"]) <= 3_000);
                    assert!(element["url"].as_str().unwrap().starts_with("https://"));
                }
                continue;
            }
            other => panic!("Slack knows no block {other}"),
        };
        assert_eq!(block["text"]["type"], kind);
        assert!(
            (1..=most).contains(&length(&block["text"]["text"])),
            "{block}"
        );
    }
}

fn reply() -> Value {
    json!({
        "prospectId": "pro_1", "prospectEmail": "bob@prospect.test", "prospectName": "Bob Sample",
        "campaignId": "cmp_1", "campaignName": "Spring", "enrollmentId": "enr_1",
        "mailboxId": "mbx_1", "mailboxEmail": "ada@sender.test", "stepIndex": 0,
        "channel": "email", "subject": "Re: Hello", "messageId": "<1@prospect.test>",
        "inboxMessageId": "msg_1", "messageText": "Sounds good.\n\nSend me the deck.",
        "label": "interested", "sentiment": "positive", "receivedAt": "2026-03-09T08:30:00.123Z"
    })
}

/// API-9: header, section with links, quoted reply, buttons, context.
#[test]
fn a_reply() {
    let message = format("reply.received", reply());
    assert_eq!(
        message,
        json!({
            "text": "New reply from Bob Sample: Sounds good. Send me the deck.",
            "blocks": [
                { "type": "header", "text": { "type": "plain_text", "text": "New reply", "emoji": true } },
                { "type": "section", "text": { "type": "mrkdwn", "text": "<https://overture.example.com/prospects/pro_1|Bob Sample> (bob@prospect.test)\nCampaign: <https://overture.example.com/campaigns/cmp_1|Spring>\nMailbox: ada@sender.test\nSubject: Re: Hello\nLabel: interested" } },
                { "type": "section", "text": { "type": "mrkdwn", "text": ">Sounds good.\n>Send me the deck." } },
                { "type": "actions", "elements": [
                    { "type": "button", "text": { "type": "plain_text", "text": "Open in Overture", "emoji": true }, "url": "https://overture.example.com/inbox/msg_1", "action_id": "conversation" }
                ] },
                { "type": "context", "elements": [
                    { "type": "mrkdwn", "text": "Example &amp; Sons · <!date^1773045000^{date_short_pretty} at {time}|2026-03-09 08:30 UTC>" }
                ] }
            ],
            "unfurl_links": false,
            "unfurl_media": false
        })
    );
}

/// API-9: at most 400 characters are quoted, counted as people count.
#[test]
fn a_long_reply_is_cut() {
    let mut data = reply();
    data["messageText"] = "ü".repeat(1_000).into();
    let message = format("reply.received", data);
    let quote = message["blocks"][2]["text"]["text"].as_str().unwrap();
    assert_eq!(quote.chars().count(), 1 + 400);
    assert!(quote.ends_with("ü…"));
}

/// Nobody's words can mention a channel, end a link or begin one.
#[test]
fn hostile_texts_are_escaped() {
    let mut data = reply();
    data["prospectName"] = "<!here> | Bob & <@U1>".into();
    data["messageText"] = "<!channel> <https://evil.example|click> &amp;".into();
    data["campaignName"] = "a>b\nc".into();
    let message = format("reply.received", data);
    let text = message.to_string();
    assert!(!text.contains("<!here") && !text.contains("<!channel") && !text.contains("<@U1"));
    assert!(!text.contains("<https://evil"));
    assert!(
        text.contains("&lt;!here&gt; ¦ Bob &amp; &lt;@U1&gt;"),
        "{text}"
    );

    let clicked = json!({ "prospectEmail": "bob@prospect.test", "url": "https://x.example/a|b>c <!here>?a=1&b=2" });
    let text = format("email.clicked", clicked).to_string();
    assert!(
        text.contains("<https://x.example/a%7Cb%3Ec%20%3C!here%3E?a=1&amp;b=2|"),
        "{text}"
    );
    let text = format("email.clicked", json!({ "url": "javascript:alert(1)" })).to_string();
    assert!(!text.contains("<javascript"), "{text}");
}

/// API-6: every event has a card of its own, with all of its fields and with none.
#[test]
fn every_event_of_the_list() {
    let all = json!({
        "prospectId": "pro_1", "prospectEmail": "bob@prospect.test", "prospectName": "Bob",
        "prospectLinkedinUrl": "https://www.linkedin.com/in/bob", "campaignId": "cmp_1",
        "campaignName": "Spring", "mailboxId": "mbx_1", "mailboxEmail": "ada@sender.test",
        "linkedinAccountId": "lia_1", "accountName": "Ada", "stepIndex": 1, "subject": "Hello",
        "messageText": "Hi", "threadId": "thr_1", "label": "question", "bounceType": "hard",
        "bounceReason": "550 5.1.1 no such user", "url": "https://example.com", "email": "b@c.test",
        "reason": "manual", "limitType": "daily_mailbox", "currentValue": 50, "limitValue": 50,
        "fromStatus": "running", "toStatus": "paused", "kind": "inmail",
        "pausedCampaignIds": ["cmp_1"], "message": "It works", "webhookId": "whk_1"
    });
    let mut titles = Vec::new();
    for (kind, has) in [
        ("reply.received", "New reply from Bob: Hi"),
        ("email.sent", "Email sent to Bob (step 2)"),
        ("email.bounced", ">550 5.1.1 no such user"),
        ("email.unsubscribed", "Bob unsubscribed"),
        ("email.opened", "Bob opened an email"),
        ("email.clicked", "<https://example.com|example.com>"),
        ("email.complained", "Bob marked an email as spam"),
        ("prospect.suppressed", "b@c.test is suppressed"),
        (
            "limit.hit",
            "The mailbox's daily limit is reached (50 of 50)",
        ),
        ("campaign.status_changed", "running → paused"),
        ("linkedin.reply_received", "View on LinkedIn"),
        ("linkedin.invite_accepted", "Send a message"),
        ("linkedin.message_sent", "LinkedIn InMail sent to Bob"),
        ("linkedin.account_disconnected", "Campaigns paused: 1"),
        ("webhook.test", "It works"),
        ("something.new", "Something new"),
    ] {
        let message = format(kind, all.clone());
        let text: String = message.to_string();
        assert!(text.contains(has), "{kind}: {text}");
        titles.push(
            message["blocks"][0]["text"]["text"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
        format(kind, json!({}));
    }
    let count = titles.len();
    titles.sort();
    titles.dedup();
    assert_eq!(titles.len(), count, "each has a title of its own");
}

/// Texts as long as anything lets them be stay within Slack's limits.
#[test]
fn nothing_overflows() {
    let long = "<&>".repeat(3_000);
    let mut data = reply();
    for field in [
        "prospectName",
        "prospectEmail",
        "campaignName",
        "mailboxEmail",
        "subject",
        "messageText",
        "label",
    ] {
        data[field] = long.clone().into();
    }
    format("reply.received", data.clone());
    data["url"] = format!("https://x.example/{}", "a".repeat(5_000)).into();
    format("email.clicked", data.clone());
    data["prospectLinkedinUrl"] = format!("https://x.example/{}", "a".repeat(5_000)).into();
    format("linkedin.reply_received", data);
}

#[test]
fn data_that_is_no_object_is_refused() {
    let context = || Context {
        settings: "{}".into(),
        public_url: String::new(),
        workspace_name: "Example".into(),
    };
    let refused = Slack::format(event("email.sent", json!([1, "2"])), context());
    assert!(matches!(refused, Err(FormatError::InvalidEvent(_))));
    // Without a public address there is nowhere to lead.
    let output = Slack::format(event("reply.received", reply()), context()).unwrap();
    let message: Value = serde_json::from_slice(&output.body).unwrap();
    assert!(!message.to_string().contains("\"actions\""));
}
