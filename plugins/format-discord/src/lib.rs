//! Embeds for Discord's webhooks (API-9): blue for replies, green for good news, red where somebody
//! should look. Markdown in people's words is escaped, and nobody can be mentioned.

use event_cards::{Card, Fact, Mood, cut};
use overture_plugin::{
    formatter::{Context, Event, FormatError, Formatter, Output},
    time::rfc3339,
};
use serde::Serialize;

struct Discord;

overture_plugin::formatter!(Discord);

/// Discord's limits, in characters.
mod limit {
    pub(crate) const TITLE: usize = 256;
    pub(crate) const DESCRIPTION: usize = 4_096;
    pub(crate) const FOOTER: usize = 2_048;
}

#[derive(Serialize)]
struct Message {
    embeds: [Embed; 1],
    allowed_mentions: Mentions,
}

/// Without this, `@everyone` in a reply would ring everywhere.
#[derive(Serialize)]
struct Mentions {
    parse: [&'static str; 0],
}

#[derive(Serialize)]
struct Embed {
    title: String,
    description: String,
    color: u32,
    timestamp: String,
    footer: Footer,
}

#[derive(Serialize)]
struct Footer {
    text: String,
}

impl Formatter for Discord {
    fn format(event: Event, context: Context) -> Result<Output, FormatError> {
        let card = Card::of(&event, &context)?;
        let message = Message {
            embeds: [embed(&card, &event, &context)],
            allowed_mentions: Mentions { parse: [] },
        };
        let body =
            serde_json::to_vec(&message).map_err(|e| FormatError::InvalidEvent(e.to_string()))?;
        Ok(Output::json(body))
    }
}

fn embed(card: &Card<'_>, event: &Event, context: &Context) -> Embed {
    let title = match &card.who {
        Some(who) => format!("{}: {who}", card.title),
        None => card.title.clone().into_owned(),
    };
    let said = match &card.quote {
        Some(quote) => format!("\"{}\"", escape(quote)),
        None => escape(&card.summary),
    };
    let mut lines = vec![said, String::new()];
    lines.extend(card.facts.iter().map(line));
    if !card.buttons.is_empty() {
        let links = card.buttons.iter().map(|b| link(b.label, &b.url));
        lines.extend([String::new(), links.collect::<Vec<_>>().join(" · ")]);
    }
    Embed {
        title: cut(&escape(&title), limit::TITLE).into_owned(),
        description: within(&lines),
        color: colour(card.mood),
        timestamp: rfc3339(event.occurred_at),
        footer: Footer {
            text: cut(&context.workspace_name, limit::FOOTER).into_owned(),
        },
    }
}

fn colour(mood: Mood) -> u32 {
    match mood {
        Mood::Reply => 0x34_98_db,
        Mood::Good => 0x2e_cc_71,
        Mood::Bad => 0xe7_4c_3c,
        Mood::Plain => 0x95_a5_a6,
    }
}

/// As many whole lines as a description holds: a cut inside a link would break it.
fn within(lines: &[String]) -> String {
    let mut text = String::new();
    let mut room = limit::DESCRIPTION;
    for line in lines {
        let length = line.chars().count() + 1;
        if length <= room {
            room -= length;
            text.push_str(line);
            text.push('\n');
        }
    }
    text.trim().to_owned()
}

fn line(fact: &Fact<'_>) -> String {
    let words = fact.words.replace(['\r', '\n'], " ");
    let words = match &fact.url {
        Some(url) => link(&words, url),
        None => escape(&words),
    };
    let name = fact.name.map(|name| [name, ": "].concat());
    let more = fact.more.as_deref();
    let more = more.map(|more| escape(&format!(" ({})", more.replace(['\r', '\n'], " "))));
    [name.unwrap_or_default(), words, more.unwrap_or_default()].concat()
}

fn link(label: &str, url: &str) -> String {
    let mut out = format!("[{}](", escape(label));
    for c in url.chars() {
        match c {
            '(' => out.push_str("%28"),
            ')' => out.push_str("%29"),
            c if c.is_whitespace() || c.is_control() => out.push_str("%20"),
            c => out.push(c),
        }
    }
    out.push(')');
    out
}

/// Whatever Discord's Markdown gives a meaning.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if "\\*_~`|>[]()#<".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn format(kind: &str, data: &Value) -> Value {
        let event = Event {
            id: "evt_1".into(),
            kind: kind.into(),
            occurred_at: 1_773_045_000_123,
            workspace_id: "wsp_1".into(),
            data: data.to_string(),
        };
        let context = Context {
            settings: "{}".into(),
            public_url: "https://overture.example.com".into(),
            workspace_name: "Example".into(),
        };
        let output = Discord::format(event, context).unwrap();
        let message: Value = serde_json::from_slice(&output.body).unwrap();
        let embed = &message["embeds"][0];
        let length = |field: &str| embed[field].as_str().unwrap().chars().count();
        assert!(
            (1..=256).contains(&length("title")) && (1..=4_096).contains(&length("description"))
        );
        assert_eq!(message["allowed_mentions"], json!({ "parse": [] }));
        message
    }

    fn reply() -> Value {
        json!({
            "prospectId": "pro_1", "prospectName": "Bob Sample", "campaignId": "cmp_1",
            "campaignName": "Spring", "prospectLinkedinUrl": "https://www.linkedin.com/in/bob",
            "messageText": "Sounds good, send me the deck.", "threadId": "thr_1"
        })
    }

    /// API-9
    #[test]
    fn a_reply() {
        assert_eq!(
            format("linkedin.reply_received", &reply()),
            json!({
                "embeds": [{
                    "title": "New LinkedIn reply: Bob Sample",
                    "description": "\"Sounds good, send me the deck.\"\n\n[Bob Sample](https://www.linkedin.com/in/bob)\nCampaign: [Spring](https://overture.example.com/campaigns/cmp_1)\n\n[Open in Overture](https://overture.example.com/inbox/thr_1) · [View on LinkedIn](https://www.linkedin.com/in/bob)",
                    "color": 3447003,
                    "timestamp": "2026-03-09T08:30:00.123Z",
                    "footer": { "text": "Example" }
                }],
                "allowed_mentions": { "parse": [] }
            })
        );
    }

    /// API-9: blue reply, green acceptance, red disconnect.
    #[test]
    fn colours() {
        for (kind, colour) in [
            ("reply.received", 0x34_98_db),
            ("linkedin.reply_received", 0x34_98_db),
            ("linkedin.invite_accepted", 0x2e_cc_71),
            ("linkedin.account_disconnected", 0xe7_4c_3c),
            ("email.opened", 0x95_a5_a6),
        ] {
            assert_eq!(
                format(kind, &json!({}))["embeds"][0]["color"],
                colour,
                "{kind}"
            );
        }
    }

    #[test]
    fn hostile_and_endless_texts() {
        let mut data = reply();
        data["messageText"] = "@everyone [click](https://evil.example) **now**".into();
        let message = format("reply.received", &data);
        let text = message["embeds"][0]["description"].as_str().unwrap();
        assert!(
            text.starts_with(r#""@everyone \[click\]\(https://evil.example\) \*\*now\*\*""#),
            "{text}"
        );
        for field in ["prospectName", "campaignName", "messageText"] {
            data[field] = "*[]".repeat(3_000).into();
        }
        format("reply.received", &data);
    }
}
