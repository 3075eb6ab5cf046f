//! Each event in words.

use std::borrow::Cow;

use crate::{Button, Card, Data, Mood, Pages, QUOTE, Span, cut, is_web};

/// Names and addresses are cut here, so that no field of a receiver overflows.
const NAME: usize = 120;

/// So much of a reply stands in a notification.
const LINE: usize = 100;

pub(crate) fn card(kind: &str, data: &Data<'_>, pages: &Pages<'_>) -> Card {
    let writer = Writer { data, pages };
    let who = writer.who();
    match kind {
        "reply.received" => writer.reply("New reply", &who),
        "linkedin.reply_received" => writer.reply("New LinkedIn reply", &who),
        "linkedin.invite_accepted" => {
            let summary = format!("{who} accepted your invitation");
            let mut card = writer.card("New connection accepted", summary, Mood::Good);
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
            let mut card = writer.card("LinkedIn message sent", summary, Mood::Plain);
            card.buttons.extend(writer.on_linkedin());
            card
        }
        "linkedin.account_disconnected" => writer.disconnected(),
        "email.sent" => {
            let step = data
                .step_index
                .map_or_else(String::new, |n| format!(" (step {})", n + 1));
            let mut card = writer.card(
                "Email sent",
                format!("Email sent to {who}{step}"),
                Mood::Plain,
            );
            card.facts
                .extend(data.subject.as_deref().map(|s| plain("Subject", s)));
            card
        }
        "email.bounced" => {
            let mut card = writer.card("Email bounced", format!("Bounced: {who}"), Mood::Bad);
            card.quote = data.bounce_reason.as_deref().and_then(quote);
            card
        }
        "email.unsubscribed" => {
            writer.card("Unsubscribed", format!("{who} unsubscribed"), Mood::Bad)
        }
        "email.opened" => writer.card(
            "Email opened",
            format!("{who} opened an email"),
            Mood::Plain,
        ),
        "email.clicked" => {
            let summary = format!("{who} clicked a link");
            let mut card = writer.card("Link clicked", summary, Mood::Good);
            if let Some(url) = data.url.as_deref() {
                let label = cut(url.split("://").last().unwrap_or(url), NAME);
                card.facts.push(vec![
                    Span::Text("Link: ".into()),
                    link(&label, Some(url.into())),
                ]);
            }
            card
        }
        "email.complained" => writer.card(
            "Spam complaint",
            format!("{who} marked an email as spam"),
            Mood::Bad,
        ),
        "prospect.suppressed" => {
            let email = data.email.as_deref().or(data.prospect_email.as_deref());
            let email = cut(email.unwrap_or("An address"), NAME);
            let summary = format!("{email} is suppressed");
            let mut card = Card {
                title: "Prospect suppressed".into(),
                summary,
                ..empty(Mood::Plain)
            };
            let page = data.prospect_id.as_deref();
            let page = page.and_then(|id| writer.pages.at("prospects", Some(id)));
            card.facts.push(vec![link(&email, page)]);
            card.facts
                .extend(data.reason.as_deref().map(|r| plain("Reason", r)));
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
            let message = data
                .message
                .as_deref()
                .unwrap_or("This is a test: the webhook works.");
            let mut card = Card {
                title: "Test".into(),
                summary: cut(message, QUOTE),
                ..empty(Mood::Good)
            };
            card.facts.push(vec![Span::Text(cut(message, QUOTE))]);
            card
        }
        other => writer.card(
            title_of(other),
            format!("{}: {who}", title_of(other)),
            Mood::Plain,
        ),
    }
}

struct Writer<'a> {
    data: &'a Data<'a>,
    pages: &'a Pages<'a>,
}

impl Writer<'_> {
    /// The person by name, else by address.
    fn who(&self) -> String {
        let named = self
            .data
            .prospect_name
            .as_deref()
            .filter(|name| !name.trim().is_empty());
        let known = named.or(self.data.prospect_email.as_deref());
        cut(known.unwrap_or("Somebody"), NAME)
    }

    /// A card about a person in a campaign.
    fn card(&self, title: impl Into<Cow<'static, str>>, summary: String, mood: Mood) -> Card {
        let data = self.data;
        let mut card = Card {
            title: title.into(),
            summary,
            ..empty(mood)
        };
        let prospect = data.prospect_id.as_deref();
        let page = prospect.and_then(|id| self.pages.at("prospects", Some(id)));
        let linkedin = self.linkedin();
        let who = self.who();
        card.who = Some(who.clone());
        let mut person = vec![link(&who, linkedin.or(page))];
        if let Some(email) = data.prospect_email.as_deref().filter(|email| *email != who) {
            person.push(Span::Text([" (", &cut(email, NAME), ")"].concat()));
        }
        card.facts.push(person);
        card.facts.extend(self.campaign());
        let mailbox = data.mailbox_email.as_deref().map(|m| plain("Mailbox", m));
        let account = data
            .account_name
            .as_deref()
            .map(|a| plain("LinkedIn account", a));
        card.facts.extend(mailbox.or(account));
        card.buttons.extend(
            prospect.and_then(|id| self.button("prospect", "Open prospect", "prospects", Some(id))),
        );
        card
    }

    fn campaign(&self) -> Option<Vec<Span>> {
        let id = self.data.campaign_id.as_deref()?;
        let name = self
            .data
            .campaign_name
            .as_deref()
            .filter(|name| !name.is_empty());
        let page = self.pages.at("campaigns", Some(id));
        let label = cut(name.unwrap_or(id), NAME);
        Some(vec![Span::Text("Campaign: ".into()), link(&label, page)])
    }

    fn reply(&self, title: &'static str, who: &str) -> Card {
        let data = self.data;
        let said = data
            .message_text
            .as_deref()
            .or(data.message_body.as_deref());
        let said = said.and_then(quote);
        let summary = match &said {
            Some(said) => {
                let line = cut_line(said, LINE);
                [title, " from ", who, ": ", &line].concat()
            }
            None => [title, " from ", who].concat(),
        };
        let mut card = self.card(title, summary, Mood::Reply);
        card.facts
            .extend(data.subject.as_deref().map(|s| plain("Subject", s)));
        let label = data.label.as_deref().map(|label| label.replace('_', " "));
        card.facts.extend(label.map(|label| plain("Label", &label)));
        card.quote = said;
        card.buttons.clear();
        card.buttons.extend(self.conversation("Open in Overture"));
        card.buttons.extend(self.on_linkedin());
        card
    }

    fn disconnected(&self) -> Card {
        let data = self.data;
        let name = cut(data.account_name.as_deref().unwrap_or("An account"), NAME);
        let mut card = Card {
            title: "LinkedIn account disconnected".into(),
            summary: format!("{name} is disconnected from LinkedIn"),
            ..empty(Mood::Bad)
        };
        card.facts.push(vec![Span::Text(name)]);
        card.facts
            .extend(data.reason.as_deref().map(|r| plain("Reason", r)));
        let paused = data.paused_campaign_ids.as_ref().map_or(0, Vec::len);
        if paused > 0 {
            card.facts
                .push(plain("Campaigns paused", &paused.to_string()));
        }
        let id = data.linkedin_account_id.as_deref();
        card.buttons
            .extend(self.button("account", "Reconnect", "linkedin", id));
        card
    }

    fn limit(&self) -> Card {
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
        card.facts.push(vec![Span::Text(format!(
            "{limit} is reached{used}; sends wait."
        ))]);
        card.facts.extend(self.campaign());
        let mailbox = data.mailbox_id.as_deref();
        let label = data.mailbox_email.as_deref().or(mailbox);
        card.facts
            .extend(label.map(|mailbox| plain("Mailbox", mailbox)));
        card.buttons.extend(
            mailbox.and_then(|id| self.button("mailbox", "Open mailbox", "mailboxes", Some(id))),
        );
        card
    }

    fn campaign_status(&self) -> Card {
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
            .push(plain("Status", from.as_deref().unwrap_or(&to)));
        card.facts.extend(
            data.reason
                .as_deref()
                .map(|r| plain("Reason", &r.replace('_', " "))),
        );
        let id = data.campaign_id.as_deref();
        card.buttons.extend(
            id.and_then(|id| self.button("campaign", "Open campaign", "campaigns", Some(id))),
        );
        card
    }

    /// Where the conversation with this person is.
    fn conversation(&self, label: &'static str) -> Option<Button> {
        let id = self
            .data
            .inbox_message_id
            .as_deref()
            .or(self.data.thread_id.as_deref());
        self.button("conversation", label, "inbox", id)
    }

    fn on_linkedin(&self) -> Option<Button> {
        let url = self.linkedin()?;
        Some(Button {
            id: "linkedin",
            label: "View on LinkedIn",
            url,
        })
    }

    /// The person's own page there.
    fn linkedin(&self) -> Option<String> {
        let url = self.data.prospect_linkedin_url.as_deref();
        url.filter(|url| is_web(url)).map(str::to_owned)
    }

    fn button(
        &self,
        id: &'static str,
        label: &'static str,
        feature: &str,
        page: Option<&str>,
    ) -> Option<Button> {
        let url = self.pages.at(feature, page)?;
        Some(Button { id, label, url })
    }
}

fn empty(mood: Mood) -> Card {
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

fn plain(name: &str, value: &str) -> Vec<Span> {
    vec![Span::Text([name, ": ", &cut(value, 2 * NAME)].concat())]
}

fn link(label: &str, url: Option<String>) -> Span {
    match url.filter(|url| is_web(url)) {
        Some(url) => Span::Link {
            label: label.into(),
            url,
        },
        None => Span::Text(label.into()),
    }
}

/// The beginning of a text as one line, at most so many characters; no more of the text is looked at
/// than that needs.
fn cut_line(text: &str, most: usize) -> String {
    let mut line = String::with_capacity(most + 16);
    let mut length = 0;
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        length += word.chars().count() + 1;
        if length > most + 1 {
            break;
        }
    }
    cut(&line, most)
}

fn quote(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| cut(text, QUOTE))
}

/// `email.soft_bounced` as `Email soft bounced`.
fn title_of(kind: &str) -> String {
    let words = kind.replace(['.', '_'], " ");
    let mut letters = words.chars();
    letters.next().map_or(words.clone(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
