//! Each event in words.

use std::borrow::Cow;

use crate::{Button, Card, Data, Fact, Mood, Pages, QUOTE, cut, data::Text, is_web};

/// Names and addresses are cut here, so that no field of a receiver overflows.
const NAME: usize = 120;

/// So much of a reply stands in a notification.
const LINE: usize = 100;

pub(crate) fn card<'a>(kind: &str, data: &Data<'a>, pages: &Pages<'_>) -> Card<'a> {
    let writer = Writer { data, pages };
    let who = writer.who();
    match kind {
        "reply.received" => writer.reply("New reply", who),
        "linkedin.reply_received" => writer.reply("New LinkedIn reply", who),
        "linkedin.invite_accepted" => {
            let summary = format!("{who} accepted your invitation");
            let mut card = writer.card("New connection accepted", summary, Mood::Good, who);
            card.buttons.extend(writer.conversation("Send a message"));
            card.buttons.extend(writer.on_linkedin());
            card
        }
        "linkedin.message_sent" => {
            let what = if data.kind.as_deref() == Some("inmail") {
                "InMail"
            } else {
                "message"
            };
            let summary = format!("LinkedIn {what} sent to {who}");
            let mut card = writer.card("LinkedIn message sent", summary, Mood::Plain, who);
            card.buttons.extend(writer.on_linkedin());
            card
        }
        "linkedin.account_disconnected" => writer.disconnected(),
        "email.sent" => {
            let step = data
                .step_index
                .map_or_else(String::new, |n| format!(" (step {})", n + 1));
            let summary = format!("Email sent to {who}{step}");
            let mut card = writer.card("Email sent", summary, Mood::Plain, who);
            card.facts.extend(named("Subject", data.subject.as_ref()));
            card
        }
        "email.bounced" => {
            let summary = format!("Bounced: {who}");
            let mut card = writer.card("Email bounced", summary, Mood::Bad, who);
            card.quote = data.bounce_reason.as_ref().and_then(quote);
            card
        }
        "email.unsubscribed" => {
            let summary = format!("{who} unsubscribed");
            writer.card("Unsubscribed", summary, Mood::Bad, who)
        }
        "email.opened" => {
            let summary = format!("{who} opened an email");
            writer.card("Email opened", summary, Mood::Plain, who)
        }
        "email.clicked" => {
            let summary = format!("{who} clicked a link");
            let mut card = writer.card("Link clicked", summary, Mood::Good, who);
            if let Some(url) = &data.url {
                let label = url.part(|url| cut(url.split("://").last().unwrap_or(url), NAME));
                let to = url.part(|url| url.into());
                card.facts.push(Fact {
                    name: Some("Link"),
                    ..link(label, Some(to))
                });
            }
            card
        }
        "email.complained" => {
            let summary = format!("{who} marked an email as spam");
            writer.card("Spam complaint", summary, Mood::Bad, who)
        }
        "prospect.suppressed" => {
            let email = data.email.as_ref().or(data.prospect_email.as_ref());
            let email = email.map_or("An address".into(), |email| short(email, NAME));
            let summary = format!("{email} is suppressed");
            let mut card = Card {
                title: "Prospect suppressed".into(),
                summary,
                ..empty(Mood::Plain)
            };
            let page = data.prospect_id.as_deref();
            let page = page.and_then(|id| writer.pages.at("prospects", Some(id)));
            card.facts.push(link(email, page));
            card.facts.extend(named("Reason", data.reason.as_ref()));
            card.buttons.extend(writer.button(
                "suppressions",
                "Suppressions",
                "suppressions",
                None,
            ));
            card
        }
        "limit.hit" => writer.limit(),
        "campaign.status_changed" => writer.campaign_status(),
        "webhook.test" => {
            let message = data.message.as_ref();
            let message = message.map_or("This is a test: the webhook works.".into(), |message| {
                short(message, QUOTE)
            });
            let mut card = Card {
                title: "Test".into(),
                summary: message.clone().into_owned(),
                ..empty(Mood::Good)
            };
            card.facts.push(link(message, None));
            card
        }
        other => {
            let title = title_of(other);
            let summary = format!("{title}: {who}");
            writer.card(title, summary, Mood::Plain, who)
        }
    }
}

struct Writer<'w, 'a> {
    data: &'w Data<'a>,
    pages: &'w Pages<'w>,
}

impl<'a> Writer<'_, 'a> {
    /// The person by name, else by address.
    fn who(&self) -> Cow<'a, str> {
        let name = self.data.prospect_name.as_ref();
        let named = name.filter(|name| !name.trim().is_empty());
        let known = named.or(self.data.prospect_email.as_ref());
        known.map_or("Somebody".into(), |known| short(known, NAME))
    }

    /// A card about a person in a campaign.
    fn card(
        &self,
        title: impl Into<Cow<'static, str>>,
        summary: String,
        mood: Mood,
        who: Cow<'a, str>,
    ) -> Card<'a> {
        let id = self.data.prospect_id.as_deref();
        let buttons =
            id.and_then(|id| self.button("prospect", "Open prospect", "prospects", Some(id)));
        Card {
            title: title.into(),
            summary,
            facts: self.facts(&who),
            who: Some(who),
            buttons: buttons.into_iter().collect(),
            ..empty(mood)
        }
    }

    /// Who it is, in which campaign, and from where it was written to.
    fn facts(&self, who: &Cow<'a, str>) -> Vec<Fact<'a>> {
        let data = self.data;
        let id = data.prospect_id.as_deref();
        let page = || id.and_then(|id| self.pages.at("prospects", Some(id)));
        let page = self.linkedin().or_else(page);
        let email = data.prospect_email.as_ref();
        let email = email.filter(|email| ***email != **who);
        let person = Fact {
            more: email.map(|email| short(email, NAME)),
            ..link(who.clone(), page)
        };
        let mailbox = named("Mailbox", data.mailbox_email.as_ref());
        let account = named("LinkedIn account", data.account_name.as_ref());
        let mut facts = Vec::with_capacity(5);
        facts.push(person);
        facts.extend(self.campaign());
        facts.extend(mailbox.or(account));
        facts
    }

    fn campaign(&self) -> Option<Fact<'a>> {
        let id = self.data.campaign_id.as_ref()?;
        let name = self.data.campaign_name.as_ref();
        let label = name.filter(|name| !name.is_empty()).unwrap_or(id);
        Some(Fact {
            name: Some("Campaign"),
            ..link(short(label, NAME), self.pages.at("campaigns", Some(id)))
        })
    }

    fn reply(&self, title: &'static str, who: Cow<'a, str>) -> Card<'a> {
        let data = self.data;
        let said = data.message_text.as_ref().or(data.message_body.as_ref());
        let said = said.and_then(quote);
        let summary = match &said {
            Some(said) => {
                let line = cut_line(said, LINE);
                [title, " from ", &who, ": ", &line].concat()
            }
            None => [title, " from ", &who].concat(),
        };
        let mut facts = self.facts(&who);
        facts.extend(named("Subject", data.subject.as_ref()));
        let label = data.label.as_deref().map(|label| label.replace('_', " "));
        facts.extend(label.map(|label| owned("Label", &label)));
        let conversation = self.conversation("Open in Overture");
        Card {
            title: title.into(),
            who: Some(who),
            summary,
            facts,
            quote: said,
            buttons: conversation.into_iter().chain(self.on_linkedin()).collect(),
            mood: Mood::Reply,
        }
    }

    fn disconnected(&self) -> Card<'a> {
        let data = self.data;
        let name = data.account_name.as_ref();
        let name = name.map_or("An account".into(), |name| short(name, NAME));
        let mut card = Card {
            title: "LinkedIn account disconnected".into(),
            summary: format!("{name} is disconnected from LinkedIn"),
            ..empty(Mood::Bad)
        };
        card.facts.push(link(name, None));
        card.facts.extend(named("Reason", data.reason.as_ref()));
        let paused = data.paused_campaign_ids.as_ref().map_or(0, Vec::len);
        if paused > 0 {
            card.facts
                .push(owned("Campaigns paused", &paused.to_string()));
        }
        let id = data.linkedin_account_id.as_deref();
        card.buttons
            .extend(self.button("account", "Reconnect", "linkedin", id));
        card
    }

    fn limit(&self) -> Card<'a> {
        let data = self.data;
        let limit = match data.limit_type.as_deref().unwrap_or("") {
            "daily_mailbox" => "The mailbox's daily limit",
            "daily_domain" => "The daily limit for a recipient domain",
            "daily_prospect" => "The daily limit for a prospect",
            "cooldown" => "A cooldown",
            "daily_plan" => "The plan's daily limit",
            "monthly_plan" => "The plan's monthly limit",
            _ => "A sending limit",
        };
        let used = match (data.current_value, data.limit_value) {
            (Some(used), Some(limit)) => format!(" ({used} of {limit})"),
            _ => String::new(),
        };
        let mut card = Card {
            title: "Limit reached".into(),
            summary: format!("{limit} is reached{used}; sends wait"),
            ..empty(Mood::Plain)
        };
        let said = format!("{limit} is reached{used}; sends wait.");
        card.facts.push(link(said.into(), None));
        card.facts.extend(self.campaign());
        let mailbox = data.mailbox_id.as_ref();
        let label = data.mailbox_email.as_ref().or(mailbox);
        card.facts.extend(named("Mailbox", label));
        card.buttons.extend(
            mailbox.and_then(|id| self.button("mailbox", "Open mailbox", "mailboxes", Some(id))),
        );
        card
    }

    fn campaign_status(&self) -> Card<'a> {
        let data = self.data;
        let name = data
            .campaign_name
            .as_deref()
            .filter(|name| !name.is_empty());
        let name = cut(name.unwrap_or("A campaign"), NAME);
        let to = data
            .to_status
            .as_deref()
            .unwrap_or("changed")
            .replace('_', " ");
        let mood = match to.as_str() {
            "error" | "cooldown" | "paused" => Mood::Bad,
            "running" | "completed" => Mood::Good,
            _ => Mood::Plain,
        };
        let summary = format!("{name} is now {to}");
        let mut card = Card {
            title: "Campaign status".into(),
            summary,
            ..empty(mood)
        };
        card.facts.extend(self.campaign());
        let from = data
            .from_status
            .as_deref()
            .map(|from| format!("{} → {to}", from.replace('_', " ")));
        card.facts
            .push(owned("Status", from.as_deref().unwrap_or(&to)));
        card.facts.extend(
            data.reason
                .as_deref()
                .map(|r| owned("Reason", &r.replace('_', " "))),
        );
        let id = data.campaign_id.as_deref();
        card.buttons.extend(
            id.and_then(|id| self.button("campaign", "Open campaign", "campaigns", Some(id))),
        );
        card
    }

    /// Where the conversation with this person is.
    fn conversation(&self, label: &'static str) -> Option<Button<'a>> {
        let id = self
            .data
            .inbox_message_id
            .as_deref()
            .or(self.data.thread_id.as_deref());
        self.button("conversation", label, "inbox", id)
    }

    fn on_linkedin(&self) -> Option<Button<'a>> {
        let url = self.linkedin()?;
        Some(Button {
            id: "linkedin",
            label: "View on LinkedIn",
            url,
        })
    }

    /// The person's own page there.
    fn linkedin(&self) -> Option<Cow<'a, str>> {
        let url = self.data.prospect_linkedin_url.as_ref();
        url.filter(|url| is_web(url))
            .map(|url| url.part(|url| url.into()))
    }

    fn button(
        &self,
        id: &'static str,
        label: &'static str,
        feature: &str,
        page: Option<&str>,
    ) -> Option<Button<'a>> {
        let url = self.pages.at(feature, page)?;
        Some(Button { id, label, url })
    }
}

fn empty(mood: Mood) -> Card<'static> {
    Card {
        title: Cow::Borrowed(""),
        who: None,
        summary: String::new(),
        facts: Vec::new(),
        quote: None,
        buttons: Vec::new(),
        mood,
    }
}

/// The first so many characters of a text.
fn short<'a>(text: &Text<'a>, most: usize) -> Cow<'a, str> {
    text.part(|text| cut(text, most))
}

fn named<'a>(name: &'static str, value: Option<&Text<'a>>) -> Option<Fact<'a>> {
    let words = short(value?, 2 * NAME);
    Some(Fact {
        name: Some(name),
        ..link(words, None)
    })
}

/// A fact whose words the event doesn't have.
fn owned(name: &'static str, value: &str) -> Fact<'static> {
    Fact {
        name: Some(name),
        ..link(cut(value, 2 * NAME).into_owned().into(), None)
    }
}

fn link<'a>(words: Cow<'a, str>, url: Option<Cow<'a, str>>) -> Fact<'a> {
    Fact {
        name: None,
        words,
        url: url.filter(|url| is_web(url)),
        more: None,
    }
}

/// The beginning of a text as one line, at most so many characters; no more of the text is looked at
/// than that needs.
fn cut_line(text: &str, most: usize) -> String {
    let mut line = String::with_capacity(most + 16);
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > most && line.chars().count() > most {
            break;
        }
    }
    cut(&line, most).into_owned()
}

fn quote<'a>(text: &Text<'a>) -> Option<Cow<'a, str>> {
    let said = text.part(|text| cut(text.trim(), QUOTE));
    (!said.is_empty()).then_some(said)
}

/// `email.soft_bounced` as `Email soft bounced`.
fn title_of(kind: &str) -> String {
    let words = kind.replace(['.', '_'], " ");
    let mut letters = words.chars();
    letters.next().map_or(words.clone(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
