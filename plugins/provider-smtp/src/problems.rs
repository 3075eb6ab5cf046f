//! What servers answer, in the product's words.
//!
//! The server here is the sender's own: what it says of quotas is about the mailbox and never the
//! prospect's bounce (SAF-4). An enhanced code (RFC 3463) outranks the three digits, known words
//! outrank both. Where nothing fits, the answer is the one that loses no prospect (SAFE-2).

use overture_plugin::{
    mail_provider::Problem,
    mailbox::{Failure, MailboxError, Reply, Stage},
};

/// Why a mail could not be handed over.
pub(crate) fn of_submission(error: MailboxError) -> Problem {
    let failure = match error {
        MailboxError::Denied(what) => return Problem::Denied(what),
        MailboxError::Failed(failure) => failure,
    };
    let Some(reply) = failure.reply.clone() else {
        return match failure.stage {
            // The body had left; no answer came (SAFE-3).
            Stage::Body => Problem::Unclear(failure.detail),
            _ if is_sign_in(&failure) => Problem::Auth(failure),
            _ => Problem::Temporary(failure.detail),
        };
    };
    match meaning(failure.stage, &reply) {
        Meaning::SenderLimit => Problem::RateLimited(reply),
        Meaning::SignIn => Problem::Auth(failure),
        Meaning::NoSuchRecipient => Problem::RecipientRejected(reply),
        Meaning::Policy => Problem::PolicyRejected(reply),
        Meaning::Later => Problem::Temporary(failure.detail),
    }
}

/// Why a mailbox could not be read.
pub(crate) fn of_reading(error: MailboxError) -> Problem {
    match error {
        MailboxError::Denied(what) => Problem::Denied(what),
        MailboxError::Failed(failure) if is_sign_in(&failure) => Problem::Auth(failure),
        MailboxError::Failed(failure) => match failure.reply {
            Some(reply) if failure.code == "rate_limited" => Problem::RateLimited(reply),
            _ => Problem::Temporary(failure.detail),
        },
    }
}

/// The host has told sign-in trouble from the rest already (MB-2).
fn is_sign_in(failure: &Failure) -> bool {
    failure.code.starts_with("auth_")
        || matches!(
            failure.code.as_str(),
            "smtp_auth_disabled" | "imap_disabled"
        )
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    SenderLimit,
    SignIn,
    NoSuchRecipient,
    Policy,
    Later,
}

fn meaning(stage: Stage, reply: &Reply) -> Meaning {
    let code = reply.code.unwrap_or(0);
    let enhanced = reply.enhanced.as_deref().and_then(enhanced_of);
    let text = reply.text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|w| text.contains(w));

    if is_sender_limit(code, enhanced, &text) {
        return Meaning::SenderLimit;
    }
    let sign_in = matches!(code, 530 | 534 | 535 | 538)
        || matches!(enhanced, Some((5, 7, 3 | 8 | 9 | 57 | 139)));
    if sign_in {
        return Meaning::SignIn;
    }
    if matches!(enhanced, Some((4, ..))) || (enhanced.is_none() && (400..500).contains(&code)) {
        return Meaning::Later;
    }
    match enhanced {
        Some((5, 1, 7 | 8)) => Meaning::Policy, // the sender's address
        Some((5, 1, 0)) if stage == Stage::Sender || says(&["sender"]) => Meaning::Policy,
        Some((5, 1, _)) => Meaning::NoSuchRecipient,
        Some((5, 2, 1 | 2)) => Meaning::Later, // disabled or full: counted as soft
        // Exchange says 5.4.1 "Recipient address rejected: Access denied" of unknown people.
        Some((5, 4, 1)) if says(&["recipient"]) => Meaning::NoSuchRecipient,
        Some((5, 4, 4)) if says(&["domain", "host"]) => Meaning::NoSuchRecipient,
        Some((5, 4, _)) => Meaning::Later,
        Some((5, 7, _)) if says(NOBODY_THERE) && !says(BLOCKED) => Meaning::NoSuchRecipient,
        Some(_) => Meaning::Policy,
        None if matches!(stage, Stage::Recipient)
            && matches!(code, 550 | 551 | 553)
            && says(NOBODY_THERE)
            && !says(BLOCKED) =>
        {
            Meaning::NoSuchRecipient
        }
        None if code == 552 && !says(&["size", "too large", "too big"]) => Meaning::Later,
        None => Meaning::Policy,
    }
}

const NOBODY_THERE: &[&str] = &[
    "no such user",
    "no such recipient",
    "no such mailbox",
    "no mailbox here",
    "user unknown",
    "unknown user",
    "unknown recipient",
    "unknown address",
    "recipient unknown",
    "user not found",
    "recipient not found",
    "mailbox not found",
    "does not exist",
    "doesn't exist",
    "invalid recipient",
    "invalid mailbox",
    "not a valid recipient",
    "mailbox unavailable",
    "no longer available",
    "undeliverable address",
    "domain not found",
];

const BLOCKED: &[&str] = &[
    "spam",
    "block",
    "blacklist",
    "denylist",
    "policy",
    "reputation",
];

/// The sender's own quota (CAP-3), as the services word it.
fn is_sender_limit(code: u16, enhanced: Option<(u8, u16, u16)>, text: &str) -> bool {
    let says = |words: &[&str]| words.iter().any(|w| text.contains(w));
    // The recipient's: a full mailbox, or one that is written to too often (450 4.2.1).
    let of_recipient = says(&[
        "mailbox full",
        "mailbox is full",
        "over quota",
        "recipient's mailbox",
    ]) || matches!(enhanced, Some((4 | 5, 2, 1)))
        || says(&["user you are trying to contact"]);
    if of_recipient {
        return false;
    }
    match enhanced {
        Some((5, 4, 5) | (4, 4, 5)) => return true, // Gmail: daily limit
        Some((5, 1, 90)) => return true,            // Microsoft 365: recipients per day
        Some((5, 7, 705..=708)) => return true,     // Microsoft 365: the tenant's threshold
        Some((4, 3, 2)) if code == 432 => return true, // Microsoft 365: too many at once
        _ => {}
    }
    says(&[
        "sending limit",
        "sending quota",
        "sending rate",
        "submission quota",
        "submission rate",
        "daily limit",
        "daily quota",
        "hourly limit",
        "hourly quota",
        "message limit",
        "messages per hour",
        "messages per day",
        "messages per minute",
        "recipients per day",
        "recipient limit exceeded",
        "limit exceeded",
        "limit has been exceeded",
        "exceeded the limit",
        "exceeded your limit",
        "exceeded its limit",
        "exceeded the maximum number",
        "too many messages",
        "too many mails",
        "too many emails",
        "too many connections",
        "too many concurrent",
        "thread limit",
        "ratelimit",
        "rate limit",
        "rate-limit",
        "quota exceeded",
        "unusual sending activity",
    ])
}

/// `5.7.26` as numbers.
fn enhanced_of(text: &str) -> Option<(u8, u16, u16)> {
    let mut parts = text.trim().split('.');
    let class = parts.next()?.parse().ok()?;
    let subject = parts.next()?.parse().ok()?;
    let detail = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some((class, subject, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stage: Stage, code: u16, enhanced: &str, text: &str, expected: Meaning) {
        let enhanced = (!enhanced.is_empty()).then(|| enhanced.to_owned());
        let reply = Reply {
            code: Some(code),
            enhanced,
            text: text.into(),
        };
        assert_eq!(meaning(stage, &reply), expected, "{code} {text}");
    }

    /// SAF-4, CAP-3: the sender's quota is never the prospect's bounce.
    #[test]
    fn quotas_of_the_sender() {
        let limit =
            |stage, code, enhanced, text| check(stage, code, enhanced, text, Meaning::SenderLimit);
        limit(
            Stage::Recipient,
            550,
            "5.4.5",
            "daily sending quota exceeded",
        );
        limit(
            Stage::Data,
            550,
            "5.4.5",
            "Daily user sending limit exceeded. For more information on Gmail sending limits go to",
        );
        limit(
            Stage::Recipient,
            432,
            "4.3.2",
            "STOREDRV.ClientSubmit; sender thread limit exceeded",
        );
        limit(
            Stage::Body,
            554,
            "5.2.0",
            "STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Submission quota exceeded",
        );
        limit(Stage::Body, 554, "5.2.2", "Submission quota exceeded");
        limit(
            Stage::Recipient,
            550,
            "5.1.90",
            "Your message can't be sent because you've reached your daily limit for message recipients",
        );
        limit(
            Stage::Recipient,
            550,
            "5.7.705",
            "Access denied, tenant has exceeded threshold",
        );
        limit(
            Stage::Recipient,
            450,
            "4.7.1",
            "Ratelimit 'out_ratelimit' exceeded, try again later",
        );
        limit(
            Stage::Body,
            550,
            "5.4.6",
            "Unusual sending activity detected. Please try after sometime",
        );
        limit(
            Stage::Recipient,
            550,
            "5.7.0",
            "Sending quota for this mailbox used up",
        );
        limit(
            Stage::Greeting,
            421,
            "4.7.0",
            "Too many concurrent connections from your IP",
        );
        limit(
            Stage::Recipient,
            552,
            "",
            "You have exceeded the maximum number of messages per hour",
        );
    }

    /// SAF-4: hard bounces are for addresses that don't exist.
    #[test]
    fn recipients_that_do_not_exist() {
        let gone = |stage, code, enhanced, text| {
            check(stage, code, enhanced, text, Meaning::NoSuchRecipient)
        };
        gone(Stage::Recipient, 550, "5.1.1", "no such user here");
        gone(
            Stage::Recipient,
            550,
            "5.1.10",
            "RESOLVER.ADR.RecipientNotFound; Recipient not found",
        );
        gone(
            Stage::Recipient,
            550,
            "5.1.2",
            "The recipient's domain was not found",
        );
        gone(
            Stage::Recipient,
            550,
            "5.4.1",
            "Recipient address rejected: Access denied",
        );
        gone(Stage::Recipient, 550, "", "User unknown");
        gone(
            Stage::Recipient,
            553,
            "",
            "sorry, no mailbox here by that name",
        );
        gone(Stage::Recipient, 550, "5.1.0", "Address rejected");
    }

    #[test]
    fn policy_is_not_a_bounce() {
        let policy =
            |stage, code, enhanced, text| check(stage, code, enhanced, text, Meaning::Policy);
        policy(Stage::Recipient, 554, "5.7.1", "looks like spam");
        policy(
            Stage::Body,
            550,
            "5.7.26",
            "This mail has been blocked because the sender is unauthenticated",
        );
        policy(
            Stage::Body,
            550,
            "5.7.515",
            "Access denied, sending domain does not meet the required authentication level",
        );
        policy(Stage::Body, 554, "", "Message rejected");
        policy(
            Stage::Sender,
            553,
            "5.1.8",
            "Sender address rejected: Domain not found",
        );
        policy(Stage::Sender, 550, "5.1.0", "Sender rejected");
        policy(
            Stage::Recipient,
            550,
            "",
            "Your IP is on a blacklist, mailbox unavailable",
        );
        policy(
            Stage::Sender,
            552,
            "5.3.4",
            "Message size exceeds fixed maximum message size",
        );
        policy(Stage::Recipient, 550, "", "No.");
    }

    #[test]
    fn what_passes_by_itself() {
        let later =
            |stage, code, enhanced, text| check(stage, code, enhanced, text, Meaning::Later);
        later(Stage::Recipient, 450, "4.7.1", "try again later");
        later(
            Stage::Recipient,
            451,
            "",
            "Greylisted, come back in 5 minutes",
        );
        later(
            Stage::Recipient,
            452,
            "4.2.2",
            "The recipient's mailbox is over quota",
        );
        later(Stage::Recipient, 552, "5.2.2", "Mailbox full");
        later(Stage::Recipient, 550, "5.2.1", "The account is disabled");
        later(
            Stage::Recipient,
            450,
            "4.2.1",
            "The user you are trying to contact is receiving mail at a rate that prevents delivery, rate limit",
        );
        later(Stage::Body, 421, "", "Service shutting down");
    }

    #[test]
    fn sign_in() {
        let refused =
            |stage, code, enhanced, text| check(stage, code, enhanced, text, Meaning::SignIn);
        refused(
            Stage::Auth,
            535,
            "5.7.8",
            "Username and Password not accepted",
        );
        refused(
            Stage::Auth,
            534,
            "5.7.9",
            "Application-specific password required",
        );
        refused(
            Stage::Auth,
            535,
            "5.7.139",
            "Authentication unsuccessful, SmtpClientAuthentication is disabled",
        );
        refused(
            Stage::Sender,
            530,
            "5.7.57",
            "Client not authenticated to send mail",
        );
    }

    fn failed(stage: Stage, code: &str) -> MailboxError {
        let (code, detail) = (code.to_owned(), "it broke".to_owned());
        MailboxError::Failed(Failure {
            stage,
            code,
            reply: None,
            detail,
        })
    }

    /// SAFE-3: without an answer it matters what had left.
    #[test]
    fn a_conversation_that_breaks() {
        let broken = |stage| of_submission(failed(stage, "connection_lost"));
        assert!(matches!(broken(Stage::Tcp), Problem::Temporary(_)));
        assert!(matches!(broken(Stage::Recipient), Problem::Temporary(_)));
        assert!(matches!(broken(Stage::Data), Problem::Temporary(_)));
        assert!(matches!(broken(Stage::Body), Problem::Unclear(_)));
        assert!(matches!(
            of_submission(failed(Stage::Auth, "auth_invalid")),
            Problem::Auth(_)
        ));
        assert!(matches!(
            of_reading(failed(Stage::Auth, "imap_disabled")),
            Problem::Auth(_)
        ));
        assert!(matches!(
            of_reading(failed(Stage::Select, "protocol")),
            Problem::Temporary(_)
        ));
        let denied = MailboxError::Denied("mailbox".into());
        assert!(matches!(of_reading(denied), Problem::Denied(_)));
    }
}
