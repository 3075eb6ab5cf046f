//! Block Kit messages for Slack's incoming webhooks (API-9): header, section with links, quoted
//! reply, buttons, context. Every text stays within Slack's limits and is escaped, so that nobody's
//! words can mention a channel.

mod json;
mod mrkdwn;

use event_cards::{Button, Card, Fact, cut};
use json::Json;
use overture_plugin::formatter::{Context, Event, FormatError, Formatter, Output};

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

impl Formatter for Slack {
    fn format(event: Event, context: Context) -> Result<Output, FormatError> {
        let card = Card::of(&event, &context)?;
        Ok(Output::json(message(&card, &event, &context)))
    }
}

/// The message, as JSON.
fn message(card: &Card<'_>, event: &Event, context: &Context) -> Vec<u8> {
    let mut json = Json::default();
    json.raw(r#"{"text":"#); // What notifications show.
    json.text(&mrkdwn::escape(&cut(&card.summary, limit::FALLBACK)));
    json.raw(r#","blocks":[{"type":"header","text":"#);
    plain(&cut(&card.title, limit::HEADER), &mut json);
    json.raw("}");
    if !card.facts.is_empty() {
        section(&within(&card.facts), &mut json);
    }
    if let Some(quote) = &card.quote {
        section(&mrkdwn::quote(quote), &mut json);
    }
    if !card.buttons.is_empty() {
        json.raw(r#",{"type":"actions","elements":["#);
        for (at, each) in card.buttons.iter().enumerate() {
            json.raw(if at > 0 { "," } else { "" });
            button(each, &mut json);
        }
        json.raw("]}");
    }
    json.raw(r#",{"type":"context","elements":["#);
    let workspace = mrkdwn::escape(&cut(&context.workspace_name, limit::HEADER));
    let about = [&workspace, " · ", &mrkdwn::date(event.occurred_at)].concat();
    mrkdwn(&about, &mut json);
    // A preview of each link would drown the message.
    json.raw(r#"]}],"unfurl_links":false,"unfurl_media":false}"#);
    json.into_bytes()
}

fn section(text: &str, json: &mut Json) {
    json.raw(r#",{"type":"section","text":"#);
    mrkdwn(text, json);
    json.raw("}");
}

fn button(Button { id, label, url }: &Button<'_>, json: &mut Json) {
    json.raw(r#"{"type":"button","text":"#);
    plain(label, json);
    json.raw(r#","url":"#);
    json.text(url);
    json.raw(r#","action_id":"#);
    json.text(id);
    json.raw("}");
}

fn plain(text: &str, json: &mut Json) {
    json.raw(r#"{"type":"plain_text","text":"#);
    json.text(text);
    json.raw(r#","emoji":true}"#);
}

fn mrkdwn(text: &str, json: &mut Json) {
    json.raw(r#"{"type":"mrkdwn","text":"#);
    json.text(text);
    json.raw("}");
}

/// As many whole lines as a section holds: a cut inside a link would break it.
fn within(facts: &[Fact<'_>]) -> String {
    let mut text = String::with_capacity(512);
    for fact in facts {
        let before = text.len();
        if before > 0 {
            text.push('\n');
        }
        mrkdwn::push_line(fact, &mut text);
        // There are no more characters than bytes, which need no counting.
        if text.len() >= limit::SECTION && text.chars().count() >= limit::SECTION {
            text.truncate(before);
        }
    }
    text
}

#[cfg(test)]
mod tests;
