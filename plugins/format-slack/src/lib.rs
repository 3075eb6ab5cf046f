//! Block Kit messages for Slack's incoming webhooks (API-9): header, section with links, quoted
//! reply, buttons, context. Every text stays within Slack's limits and is escaped, so that nobody's
//! words can mention a channel.

mod mrkdwn;

use event_cards::{Button, Card, cut};
use overture_plugin::formatter::{Context, Event, FormatError, Formatter, Output};
use serde::Serialize;

/// The formatter.
pub struct Slack;

overture_plugin::formatter!(Slack);

/// Slack's limits, in characters.
mod limit {
    pub(crate) const HEADER: usize = 150;
    pub(crate) const SECTION: usize = 3_000;
    /// 4,000, when each character is escaped by five.
    pub(crate) const FALLBACK: usize = 800;
}

#[derive(Serialize)]
struct Message {
    /// What notifications show.
    text: String,
    blocks: Vec<Block>,
    /// A preview of each link would drown the message.
    unfurl_links: bool,
    unfurl_media: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Header { text: Text },
    Section { text: Text },
    Actions { elements: Vec<Element> },
    Context { elements: Vec<Text> },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Text {
    PlainText { text: String, emoji: bool },
    Mrkdwn { text: String },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Element {
    Button {
        text: Text,
        url: String,
        action_id: &'static str,
    },
}

impl Formatter for Slack {
    fn format(event: Event, context: Context) -> Result<Output, FormatError> {
        let card = Card::of(&event, &context)?;
        let message = message(card, &event, &context);
        let body =
            serde_json::to_vec(&message).map_err(|e| FormatError::InvalidEvent(e.to_string()))?;
        Ok(Output::json(body))
    }
}

fn message(card: Card, event: &Event, context: &Context) -> Message {
    let mut blocks = Vec::with_capacity(5);
    blocks.push(Block::Header {
        text: plain(cut(&card.title, limit::HEADER)),
    });
    if !card.facts.is_empty() {
        let lines = card.facts.iter().map(|line| mrkdwn::line(line));
        blocks.push(Block::Section {
            text: Text::Mrkdwn {
                text: within(lines),
            },
        });
    }
    if let Some(quote) = &card.quote {
        let text = mrkdwn::quote(quote);
        blocks.push(Block::Section {
            text: Text::Mrkdwn { text },
        });
    }
    let elements: Vec<Element> = card.buttons.into_iter().map(button).collect();
    if !elements.is_empty() {
        blocks.push(Block::Actions { elements });
    }
    let workspace = mrkdwn::escape(&cut(&context.workspace_name, limit::HEADER));
    let about = [&workspace, " · ", &mrkdwn::date(event.occurred_at)].concat();
    blocks.push(Block::Context {
        elements: vec![Text::Mrkdwn { text: about }],
    });
    let text = mrkdwn::escape(&cut(&card.summary, limit::FALLBACK));
    Message {
        text,
        blocks,
        unfurl_links: false,
        unfurl_media: false,
    }
}

/// As many whole lines as a section holds: a cut inside a link would break it.
fn within(lines: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    let mut room = limit::SECTION;
    for line in lines {
        let length = line.chars().count() + 1;
        if length > room {
            continue;
        }
        room -= length;
        if text.is_empty() {
            text = line;
        } else {
            text.push('\n');
            text.push_str(&line);
        }
    }
    text
}

fn button(Button { id, label, url }: Button) -> Element {
    Element::Button {
        text: plain(label.into()),
        url,
        action_id: id,
    }
}

fn plain(text: String) -> Text {
    Text::PlainText { text, emoji: true }
}

#[cfg(test)]
mod tests;
