//! What goes out. A hand-out decides with the texts alone, rendered with the prospect's data
//! (TPL-4): others wait for its transaction. The mail itself, with headers, footer and unsubscribe
//! link (SEQ-4, TRK-4), is built when it is on its way.

use std::{collections::HashMap, sync::Arc};

use jiff::tz::TimeZone;
use overture_domain::{
    StepId, Timestamp, VariantId,
    accounts::{Account, Channel},
    campaigns::{Campaign, Step},
    enrollments::{Enrollment, EnrollmentState},
    messages::{Direction, MailKey, MailMessage, Message},
    people::Workspace,
    planted::{Bug, planted},
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

use super::{
    network::{self, Deed},
    writes::Mail,
};

/// A step whose texts stand: nothing is missing.
#[derive(Clone, Debug)]
pub(super) enum Draft {
    Mail(Texts),
    Deed(Deed),
}

/// The texts of a mail, with what they need besides to become one.
#[derive(Clone, Debug)]
pub(super) struct Texts {
    subject: String,
    html: String,
    /// None: derived from the HTML.
    text: Option<String>,
    /// The mails that it answers, oldest first; none where it begins a thread (SEQ-4).
    answers: Vec<String>,
    /// The workspace's, for the footer (TRK-4).
    postal_address: String,
}

/// A mail that is ready to go, and what is kept of it.
#[derive(Clone, Debug)]
pub(super) struct Built {
    pub outgoing: Outgoing,
    pub message: Message,
    pub headers: MailMessage,
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

/// Renders the texts of a step.
///
/// # Errors
/// [`Held`] where a template can't be rendered or a value is missing.
pub(super) fn draft(templates: &mut Templates, parts: &Parts<'_>) -> Result<Draft, Held> {
    match parts.step.kind.channel() {
        Channel::Mail => texts(templates, parts).map(Draft::Mail),
        Channel::Linkedin => network::draft(templates, parts).map(Draft::Deed),
    }
}

fn texts(templates: &mut Templates, parts: &Parts<'_>) -> Result<Texts, Held> {
    let mut missing = Vec::new();
    let mut render =
        |of, source: &str, context| render(templates, parts, of, source, context, &mut missing);
    // A follow-up without a subject of its own goes on in the thread (SEQ-4).
    let own = (parts.step, parts.variant);
    let text = parts.step.text(parts.variant);
    let in_thread = text.subject.trim().is_empty();
    let thread = current(parts.thread);
    let known = thread.iter().filter_map(|mail| mail.subject.as_deref());
    let subject = match (in_thread, known.clone().next()) {
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
    let answers = thread.iter().filter(|_| in_thread);
    Ok(Texts {
        subject,
        html,
        text,
        answers: answers.map(|mail| mail.message_id.clone()).collect(),
        postal_address: parts.workspace.postal_address.trim().to_owned(),
    })
}

/// Makes the mail of texts.
///
/// # Errors
/// [`Held`] where the HTML can't be read, or the address can't be written to.
pub(super) fn build(env: &Env, of: &Mail, texts: &Texts) -> Result<Built, Held> {
    let Mail {
        action,
        campaign,
        prospect,
        account,
        ..
    } = of;
    let key = MailKey {
        workspace_id: action.workspace_id,
        enrollment_id: action.enrollment_id,
        step_index: action.step_index,
    };
    let token = unsubscribe::token(env, key);
    let link = unsubscribe::link(env, &token);
    let footer = Footer {
        unsubscribe_url: link.clone(),
        label: "Unsubscribe".to_owned(),
        postal_address: Some(texts.postal_address.clone()).filter(|address| !address.is_empty()),
    };
    let broken = |error: overture_mail::Error| {
        Held(
            EnrollmentState::PendingTemplateFix,
            format!("step {}: {error}", action.step_index + 1),
        )
    };
    let now = env.now();
    let html = with_footer(&texts.html, &footer).map_err(broken)?;
    let text = texts.text.as_deref();
    let text = text.map(|text| text_with_footer(text, &footer));
    let what = Tracked {
        opens: campaign.track_opens,
        clicks: campaign.track_clicks,
    };
    // What is kept is untouched: whoever reads it here is not the recipient.
    let (tracked_html, links) = tracking::write(env, key, what, &html, now).map_err(broken)?;

    let way_out_is_lost = planted(Bug::NoWayOut) && action.step_index > 0;
    let mailto = format!(
        "mailto:{}?subject=unsubscribe%20{token}",
        escaped(&account.address)
    );
    let one_click = Some(link).filter(|link| link.starts_with("https://"));
    let mut references = texts.answers.clone();
    if planted(Bug::ParentNotReferred) {
        references.pop();
    }
    let message_id = &action.external_id;
    let mail = mime::Outgoing {
        message_id: message_id.clone(),
        date: now,
        from: Mailbox {
            name: named(&account.sender_name),
            address: account.address.clone(),
        },
        to: Mailbox {
            name: named(&prospect.full_name()),
            address: prospect.email.trim().to_owned(),
        },
        reply_to: None,
        subject: texts.subject.clone(),
        text: text.clone(),
        html: Some(tracked_html),
        in_reply_to: texts.answers.last().cloned(),
        references,
        unsubscribe: (!way_out_is_lost).then_some(Unsubscribe {
            url: one_click,
            mailto,
        }),
        headers: Vec::new(),
        boundary: boundary(message_id),
    };
    let bytes = mime::build(&mail).map_err(|error| {
        Held(
            EnrollmentState::InvalidProspect,
            format!("the mail can't be built: {error}"),
        )
    })?;
    let text = text.unwrap_or_else(|| overture_mail::html::to_text(&html));
    Ok(Built {
        message: Message {
            subject: texts.subject.clone(),
            html: Some(html),
            ..message(env, of, &mail.to.address, text)
        },
        headers: MailMessage {
            in_reply_to: mail.in_reply_to.into_iter().collect(),
            references: mail.references,
            links,
            ..MailMessage::default()
        },
        outgoing: Outgoing {
            envelope: Envelope {
                sender: account.address.clone(),
                recipient: mail.to.address,
            },
            message_id: message_id.clone(),
            bytes: bytes.into(),
        },
    })
}

/// What is kept of a step, whatever its channel.
pub(super) fn message(env: &Env, mail: &Mail, recipient: &str, text: String) -> Message {
    let action = &mail.action;
    Message {
        id: env.id(),
        workspace_id: action.workspace_id,
        channel: action.channel,
        direction: Direction::Out,
        account_id: action.account_id,
        campaign_id: Some(action.campaign_id),
        enrollment_id: Some(action.enrollment_id),
        prospect_id: Some(mail.prospect.id),
        step_index: Some(action.step_index),
        external_id: action.external_id.clone(),
        sender: mail.account.address.clone(),
        recipient: recipient.to_owned(),
        subject: String::new(),
        newest_text: text.clone(),
        text,
        html: None,
        attribution: None,
        label: None,
        label_by: None,
        at: env.now(),
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
        email: prospect.address(),
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
