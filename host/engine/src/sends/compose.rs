//! What goes out: texts with the prospect's data (TPL-4), and of a mail thread, headers and
//! unsubscribe link (SEQ-4, TRK-4).

use std::{collections::HashMap, sync::Arc};

use jiff::tz::TimeZone;
use overture_domain::{
    StepId, Timestamp, VariantId,
    accounts::{Account, Channel},
    campaigns::{Campaign, Step},
    enrollments::{Enrollment, EnrollmentState},
    messages::{Direction, MailKey, MailMessage, Message},
    people::Workspace,
    planted::planted,
    prospects::Prospect,
};
use overture_mail::{
    html::{Footer, text_with_footer, with_footer},
    mime::{self, Mailbox, Unsubscribe},
};
use overture_plugin_host::capabilities::mailbox::{Envelope, Outgoing};
use overture_template::{Context, MergeTags, Mode, RenderOptions, Seed, Signature, Template};
use serde_json::{Map, Value};

use crate::{
    Env,
    tracking::{self, Tracked},
    unsubscribe,
};

use super::network::{self, Deed};

/// Something that is ready to go, and what is kept of it.
#[derive(Clone, Debug)]
pub(super) struct Composed {
    pub outgoing: Carried,
    pub message: Message,
    /// Of a mail.
    pub headers: Option<MailMessage>,
}

/// What a provider is given, by channel.
#[derive(Clone, Debug)]
pub(super) enum Carried {
    Mail(Outgoing),
    Deed(Deed),
}

/// What keeps a mail from being made: the parked state and the reason (SAFE-2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held(pub EnrollmentState, pub String);

/// Everything that a mail is made of.
pub(super) struct Parts<'a> {
    pub env: &'a Env,
    pub workspace: &'a Workspace,
    pub campaign: &'a Campaign,
    pub step: &'a Step,
    /// The text that it has, where the step has several.
    pub variant: Option<VariantId>,
    /// The first of the sequence, whose subject the thread has, and its variant.
    pub first: (&'a Step, Option<VariantId>),
    pub enrollment: &'a Enrollment,
    pub prospect: &'a Prospect,
    pub account: &'a Account,
    pub zone: &'a TimeZone,
    /// Without angle brackets.
    pub message_id: &'a str,
    /// What went out before, oldest first.
    pub thread: &'a [Earlier],
    pub now: Timestamp,
}

impl Parts<'_> {
    fn key(&self) -> MailKey {
        MailKey {
            workspace_id: self.workspace.id,
            enrollment_id: self.enrollment.id,
            step_index: self.step.step_index,
        }
    }

    /// What is kept of it, whatever its channel.
    pub(super) fn message(&self, recipient: String, text: String) -> Message {
        Message {
            id: self.env.id(),
            workspace_id: self.workspace.id,
            channel: self.account.channel,
            direction: Direction::Out,
            account_id: self.account.id,
            campaign_id: Some(self.campaign.id),
            enrollment_id: Some(self.enrollment.id),
            prospect_id: Some(self.prospect.id),
            step_index: Some(self.step.step_index),
            external_id: self.message_id.to_owned(),
            sender: self.account.address.clone(),
            recipient,
            subject: String::new(),
            newest_text: text.clone(),
            text,
            html: None,
            attribution: None,
            label: None,
            label_by: None,
            at: self.now,
        }
    }
}

/// A mail that this enrollment got before.
#[derive(Clone, Debug)]
pub(super) struct Earlier {
    pub message_id: String,
    /// None where no copy of it is kept.
    pub subject: Option<String>,
}

/// The parsed texts of steps, each parsed once a batch.
#[derive(Default)]
pub(super) struct Templates(HashMap<TextKey, Arc<Result<Template, String>>>);

type TextKey = (StepId, Option<VariantId>, Context);

impl Templates {
    fn get(&mut self, key: TextKey, source: &str) -> Arc<Result<Template, String>> {
        let parse = || {
            Arc::new(
                Template::parse(source, Mode::product(key.2)).map_err(|errors| {
                    errors
                        .first()
                        .map_or_else(|| "it can't be read".to_owned(), ToString::to_string)
                }),
            )
        };
        self.0.entry(key).or_insert_with(parse).clone()
    }
}

/// Makes what goes out.
///
/// # Errors
/// [`Held`] where a template can't be rendered, a value is missing, or the address can't be
/// written to.
pub(super) fn compose(templates: &mut Templates, parts: &Parts<'_>) -> Result<Composed, Held> {
    match parts.step.kind.channel() {
        Channel::Mail => mail(templates, parts),
        Channel::Linkedin => network::compose(templates, parts),
    }
}

fn mail(templates: &mut Templates, parts: &Parts<'_>) -> Result<Composed, Held> {
    let texts = Texts::render(templates, parts)?;
    let token = unsubscribe::token(parts.env, parts.key());
    let link = unsubscribe::link(parts.env, &token);
    let address = Some(parts.workspace.postal_address.trim()).filter(|address| !address.is_empty());
    let footer = Footer {
        unsubscribe_url: link.clone(),
        label: "Unsubscribe".to_owned(),
        postal_address: address.map(str::to_owned),
    };
    let broken = |error: overture_mail::Error| {
        Held(
            EnrollmentState::PendingTemplateFix,
            format!("step {}: {error}", parts.step.step_index + 1),
        )
    };
    let html = with_footer(&texts.html, &footer).map_err(broken)?;
    let text = texts.text.map(|text| text_with_footer(&text, &footer));
    let what = Tracked {
        opens: parts.campaign.track_opens,
        clicks: parts.campaign.track_clicks,
    };
    // What is kept is untouched: whoever reads it here is not the recipient.
    let (tracked_html, links) =
        tracking::write(parts.env, parts.key(), what, &html, parts.now).map_err(broken)?;

    let (in_reply_to, references) = match (texts.in_thread, current(parts.thread)) {
        (true, thread @ [.., last]) => (
            Some(last.message_id.clone()),
            thread.iter().map(|mail| mail.message_id.clone()).collect(),
        ),
        _ => (None, Vec::new()),
    };
    let way_out_is_lost = planted("no_way_out") && parts.step.step_index > 0;
    let mailto = format!(
        "mailto:{}?subject=unsubscribe%20{token}",
        escaped(&parts.account.address)
    );
    let one_click = Some(link).filter(|link| link.starts_with("https://"));
    let mail = mime::Outgoing {
        message_id: parts.message_id.to_owned(),
        date: parts.now,
        from: Mailbox {
            name: named(&parts.account.sender_name),
            address: parts.account.address.clone(),
        },
        to: Mailbox {
            name: named(&parts.prospect.full_name()),
            address: parts.prospect.email.trim().to_owned(),
        },
        reply_to: None,
        subject: texts.subject.clone(),
        text: text.clone(),
        html: Some(tracked_html),
        in_reply_to: in_reply_to.clone(),
        references: references.clone(),
        unsubscribe: (!way_out_is_lost).then_some(Unsubscribe {
            url: one_click,
            mailto,
        }),
        headers: Vec::new(),
        boundary: boundary(parts.message_id),
    };
    let bytes = mime::build(&mail).map_err(|error| {
        Held(
            EnrollmentState::InvalidProspect,
            format!("the mail can't be built: {error}"),
        )
    })?;
    let text = text.unwrap_or_else(|| overture_mail::html::to_text(&html));
    Ok(Composed {
        outgoing: Carried::Mail(Outgoing {
            envelope: Envelope {
                sender: parts.account.address.clone(),
                recipient: mail.to.address.clone(),
            },
            message_id: parts.message_id.to_owned(),
            bytes: bytes.into(),
        }),
        message: Message {
            subject: texts.subject,
            html: Some(html),
            ..parts.message(mail.to.address, text)
        },
        headers: Some(MailMessage {
            in_reply_to: in_reply_to.into_iter().collect(),
            references,
            links,
            ..MailMessage::default()
        }),
    })
}

/// The rendered texts.
struct Texts {
    subject: String,
    html: String,
    text: Option<String>,
    /// It answers the enrollment's earlier mails.
    in_thread: bool,
}

impl Texts {
    fn render(templates: &mut Templates, parts: &Parts<'_>) -> Result<Self, Held> {
        let mut missing = Vec::new();
        let mut render =
            |of, source: &str, context| render(templates, parts, of, source, context, &mut missing);
        // A follow-up without a subject of its own goes on in the thread (SEQ-4).
        let own = (parts.step, parts.variant);
        let text = parts.step.text(parts.variant);
        let in_thread = text.subject.trim().is_empty();
        let thread = current(parts.thread).iter();
        let known = thread.filter_map(|mail| mail.subject.as_deref()).next();
        let subject = match (in_thread, known) {
            (false, _) => render(own, text.subject, Context::Subject)?,
            (true, Some(first)) => reply_subject(first),
            (true, None) => {
                let (step, variant) = parts.first;
                let subject = step.text(variant).subject;
                reply_subject(&render(parts.first, subject, Context::Subject)?)
            }
        };
        let html = render(own, text.body_html, Context::Html)?;
        let text = text
            .body_text
            .map(|text| render(own, text, Context::Text))
            .transpose()?;
        complete(parts, &missing)?;
        Ok(Self {
            subject,
            html,
            text,
            in_thread,
        })
    }
}

/// Renders one text of a step; names without a value join those that are missing.
pub(super) fn render(
    templates: &mut Templates,
    parts: &Parts<'_>,
    (step, variant): (&Step, Option<VariantId>),
    source: &str,
    context: Context,
    missing: &mut Vec<String>,
) -> Result<String, Held> {
    let template = templates.get((step.id, variant, context), source);
    let rendered = (*template)
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|template| {
            with_tags(parts, step, context, |tags, options| {
                template.render(tags, options)
            })
            .map_err(|error| error.to_string())
        })
        .map_err(|error| {
            let number = step.step_index + 1;
            Held(
                EnrollmentState::PendingTemplateFix,
                format!("step {number}: {error}"),
            )
        })?;
    for name in rendered.missing {
        if !missing.contains(&name) {
            missing.push(name);
        }
    }
    Ok(rendered.text)
}

/// Nothing goes out while a value is missing (TPL-4).
pub(super) fn complete(parts: &Parts<'_>, missing: &[String]) -> Result<(), Held> {
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|name| format!("`{name}`")).collect();
    let reason = format!(
        "needs {}: add it to the prospect, or give it a default in step {}",
        names.join(", "),
        parts.step.step_index + 1
    );
    Err(Held(
        EnrollmentState::PendingTemplateVariableResolution,
        reason,
    ))
}

/// Renders with the merge tags of this mail (TPL-1).
fn with_tags<T>(
    parts: &Parts<'_>,
    step: &Step,
    context: Context,
    render: impl FnOnce(&MergeTags<'_>, &RenderOptions) -> T,
) -> T {
    let (prospect, account) = (parts.prospect, parts.account);
    let full_name = prospect.full_name();
    let custom: Map<String, Value> = prospect
        .custom
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    let token = unsubscribe::token(parts.env, parts.key());
    let link = unsubscribe::link(parts.env, &token);
    let signature = if context == Context::Html {
        Some(Signature::Html(&account.signature_html))
            .filter(|_| !account.signature_html.is_empty())
    } else {
        Some(Signature::Text(&account.signature_text))
            .filter(|_| !account.signature_text.is_empty())
    };
    let tags = MergeTags {
        first_name: Some(&prospect.first_name),
        last_name: Some(&prospect.last_name),
        full_name: Some(&full_name),
        email: Some(&prospect.email),
        company: Some(&prospect.company),
        role: Some(&prospect.role),
        phone: Some(&prospect.phone),
        website: Some(&prospect.website),
        linkedin_url: Some(&prospect.linkedin_url),
        city: Some(&prospect.city),
        country: Some(&prospect.country),
        industry: Some(&prospect.industry),
        sender_name: Some(&account.sender_name),
        sender_first_name: account.sender_name.split_whitespace().next(),
        sender_email: Some(&account.address),
        unsubscribe_link: Some(&link),
        campaign_name: Some(&parts.campaign.name),
        signature,
        custom: Some(&custom),
        ..MergeTags::default()
    };
    let now = parts.now.to_jiff().to_zoned(parts.zone.clone());
    let seed = Seed::new(parts.enrollment.id, step.id);
    render(&tags, &RenderOptions::new(seed, now))
}

fn named(name: &str) -> Option<String> {
    Some(name.trim())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
}

/// An address as it stands in a URI (RFC 6068 §2).
fn escaped(address: &str) -> String {
    let mut out = String::with_capacity(address.len());
    for byte in address.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' | b'+' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The mails of the thread that the last one belongs to: since a step began one with a subject of
/// its own.
fn current(thread: &[Earlier]) -> &[Earlier] {
    let begins = |at: &usize| {
        let pair = (&thread[at - 1].subject, &thread[*at].subject);
        matches!(pair, (Some(before), Some(here)) if reply_subject(before) != *here)
    };
    let start = (1..thread.len()).rev().find(begins).unwrap_or(0);
    &thread[start..]
}

fn reply_subject(first: &str) -> String {
    let is_reply = first
        .get(..3)
        .is_some_and(|start| start.eq_ignore_ascii_case("re:"));
    if is_reply {
        first.to_owned()
    } else {
        format!("Re: {first}")
    }
}

/// The part before the `@` of a Message-ID is a UUID, so no text holds it.
fn boundary(message_id: &str) -> String {
    let unique: String = message_id
        .chars()
        .take_while(|c| *c != '@')
        .filter(char::is_ascii_alphanumeric)
        .collect();
    format!("=_{unique}")
}
