//! What a refusal means for prospect, mailbox and mail (SAF-4).

use serde::Serialize;

use super::{Enhanced, Reply};

/// What a server's refusal, or a bounce, is about. Only [`Hard`](Self::Hard) speaks about the
/// prospect for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyClass {
    /// The address does not exist: prospect invalid, suppressed.
    Hard,
    /// It may work later, or the mailbox is full or disabled: retried, counted.
    Soft,
    /// Reputation, content filter or blocklist: counts against the mailbox, never the prospect.
    Policy,
    /// A quota of our own mailbox: the mail waits (CAP-3), no bounce.
    SenderLimit,
    /// The server wants another sign-in.
    Auth,
    /// This mail is too large or malformed.
    Content,
    /// Nothing can be said; treated as soft by who must act.
    Unknown,
}

/// What `reply` means. The enhanced code outranks the three digits, and the words of well-known
/// servers outrank both.
pub fn classify(reply: &Reply) -> ReplyClass {
    classify_parts(Some(reply.code), reply.enhanced(), &reply.text())
}

/// The same for a bounce: what is known of code, enhanced code and words.
pub fn classify_parts(code: Option<u16>, enhanced: Option<Enhanced>, words: &str) -> ReplyClass {
    let words = words.to_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    let passing = match enhanced {
        Some(enhanced) => enhanced.class == 4,
        None => matches!(code, Some(400..=499)),
    };

    if says(SENDER_LIMIT) || is_sender_limit(code, enhanced) {
        return ReplyClass::SenderLimit;
    }
    if is_auth(code, enhanced) || says(AUTH) {
        return if passing {
            ReplyClass::Soft
        } else {
            ReplyClass::Auth
        };
    }
    if passing {
        return ReplyClass::Soft;
    }
    if says(PASSING) {
        return ReplyClass::Soft;
    }
    let about_sender = says(ABOUT_SENDER);
    if says(NO_SUCH_USER) && !about_sender {
        return ReplyClass::Hard;
    }
    if says(POLICY) || about_sender {
        return ReplyClass::Policy;
    }
    match enhanced {
        Some(enhanced) => of_enhanced(enhanced, code),
        None => of_code(code),
    }
}

/// A quota of the account that sends (Gmail, Microsoft 365, Zoho, cPanel and others).
const SENDER_LIMIT: &[&str] = &[
    "sending quota",
    "sending limit",
    "daily user sending",
    "daily smtp relay",
    "daily limit for message recipients",
    "reached your daily limit",
    "exceeded your daily",
    "submission quota",
    "submissionquotaexceeded",
    "max emails per hour",
    "messages per hour",
    "hourly limit",
    "maximum number of messages per",
    "exceeded the maximum number of recipients",
    "outgoing mail limit",
    "outgoing message limit",
    "sender rate limit",
    "exceeded sending rate",
    "exceeds sending rate",
    "submission rate limit",
    "concurrent connections limit",
    "tenant has exceeded",
    "unusual sending activity",
];

const AUTH: &[&str] = &[
    "authentication required",
    "authentication unsuccessful",
    "client was not authenticated",
    "smtpclientauthentication is disabled",
];

/// What passes, or may: full mailboxes, names that could not be looked up.
const PASSING: &[&str] = &[
    "host not found, try again",
    "temporary failure",
    "mailbox full",
    "mailbox is full",
    "mailfolder is full",
    "folder is full",
    "over disk quota",
    "exceeding their quota",
    "mailbox size limit",
    "over quota",
    "overquota",
    "quota exceeded",
    "exceeded quota",
    "exceeded its quota",
    "exceeded his quota",
    "out of storage",
    "insufficient storage",
    "storage limit",
    "quotaexceeded",
    "receiving mail too quickly",
    "receiving mail at a rate",
];

const ABOUT_SENDER: &[&str] = &[
    "sender address rejected",
    "sender rejected",
    "sender verify",
    "sender domain",
    "sender denied",
    "not owned by user",
    "sendasdenied",
    "permission to send as",
    "unable to relay",
    "relay access denied",
    "relaying denied",
    "relay not permitted",
];

const NO_SUCH_USER: &[&str] = &[
    "user unknown",
    "unknown user",
    "no such user",
    "no such recipient",
    "no such mailbox",
    "no such person",
    "no such local user",
    "unknown recipient",
    "recipient unknown",
    "recipient not found",
    "user not found",
    "mailbox not found",
    "mailbox does not exist",
    "account does not exist",
    "account that you tried to reach does not exist",
    "address does not exist",
    "recipient does not exist",
    "user does not exist",
    "user doesn't exist",
    "user doesn\u{2019}t have a",
    "doesn't have an account",
    "does not have an account",
    "not a valid recipient",
    "not a known user",
    "invalid recipient",
    "invalid mailbox",
    "address unknown",
    "unknown address",
    "unknown host",
    "user not known",
    "this user doesn't have a",
    "recipient name is not recognized",
    "not listed in domino directory",
    "wrong or no longer valid",
    "unknown to address",
    "does not like recipient",
    "invalid final delivery userid",
    "unknown local part",
    "unrouteable address",
    "unrouteable mail domain",
    "unroutable address",
    "recipientnotfound",
    "recipient address rejected: access denied",
    "mailbox unavailable or access denied",
    "no mailbox here by that name",
    "no mailbox by that name",
    "mailbox unavailable",
    "account has been disabled or discontinued",
    "delivery not authorized, message refused: no such",
    "domain not found",
    "domain does not exist",
    "domain name not found",
    "host not found",
    "host unknown",
    "nxdomain",
    "does not accept mail",
    "nullmx",
];

const POLICY: &[&str] = &[
    "spam",
    "blocklist",
    "block list",
    "blacklist",
    "black list",
    "blocked",
    "reputation",
    "unsolicited",
    "banned",
    "dmarc",
    "dkim",
    "spf ",
    "spf check",
    "rbl",
    "dnsbl",
    "policy",
    "suspicious",
    "junk",
    "phish",
    "virus",
    "content rejected",
    "message rejected due to",
    "access denied",
];

fn is_sender_limit(code: Option<u16>, enhanced: Option<Enhanced>) -> bool {
    match enhanced {
        // Gmail's daily limit; Microsoft's recipient limit, tenant limits.
        Some(Enhanced {
            class: 5,
            subject: 4,
            detail: 5,
        })
        | Some(Enhanced {
            class: 5,
            subject: 1,
            detail: 90,
        })
        | Some(Enhanced {
            class: 5,
            subject: 7,
            detail: 705 | 708,
        }) => true,
        // Microsoft's limit of connections.
        Some(Enhanced {
            class: 4,
            subject: 3,
            detail: 2,
        }) => code == Some(432),
        _ => false,
    }
}

fn is_auth(code: Option<u16>, enhanced: Option<Enhanced>) -> bool {
    matches!(code, Some(530 | 534 | 535 | 538))
        || matches!(
            enhanced,
            Some(Enhanced {
                class: 5,
                subject: 7,
                detail: 8 | 9 | 14 | 57 | 139
            })
        )
}

fn of_enhanced(enhanced: Enhanced, code: Option<u16>) -> ReplyClass {
    match (enhanced.subject, enhanced.detail) {
        (1, 7 | 8) => ReplyClass::Policy, // the sender's address
        (1, _) => ReplyClass::Hard,
        (2, 3) | (3, 4) => ReplyClass::Content, // too large
        (2, _) => ReplyClass::Soft,
        (4, 4 | 310) => ReplyClass::Hard, // no route because no such domain
        (4, _) => ReplyClass::Soft,
        (6, _) => ReplyClass::Content,
        (7, _) => ReplyClass::Policy,
        _ => of_code(code),
    }
}

fn of_code(code: Option<u16>) -> ReplyClass {
    match code {
        Some(400..=499) => ReplyClass::Soft,
        Some(521 | 556) => ReplyClass::Hard, // RFC 7504: accepts no mail
        Some(523 | 552) => ReplyClass::Content,
        _ => ReplyClass::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReplyClass::{Auth, Content, Hard, Policy, SenderLimit, Soft, Unknown};

    // SAF-4, facts/email.md §2.5
    #[test]
    fn replies_are_told_apart() {
        let check = |line: &str, expected: ReplyClass| {
            assert_eq!(classify(&Reply::parse(line).unwrap()), expected, "{line}");
        };
        check("421 4.7.0 Try again later, closing connection", Soft);
        check("450 4.7.1 try again later", Soft);
        check("451 4.3.0 temporary failure", Soft);
        check("452 4.2.2 mailbox full", Soft);
        check(
            "450 4.2.1 The user you are trying to contact is receiving mail too quickly",
            Soft,
        );
        check("451 Greylisted", Soft);

        check("550 5.1.1 no such user here", Hard);
        check(
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found",
            Hard,
        );
        check("550 5.1.0 Address rejected", Hard);
        check("550 5.1.2 bad domain", Hard);
        check("550 Requested action not taken: mailbox unavailable", Hard);
        check("550 5.4.1 Recipient address rejected: Access denied.", Hard);
        check(
            "554 delivery error: This user doesn't have a yahoo.com account",
            Hard,
        );
        check("550 5.7.1 <x@example.com>... User unknown", Hard);
        check("556 5.1.10 Domain does not accept mail (nullMX)", Hard);

        check("550 Name service error: Host not found, try again", Soft);
        check("552 5.2.2 over quota", Soft);
        check("552 Mailbox full", Soft);
        check("550 5.2.1 The email account is disabled", Soft);
        check("554 5.4.7 delivery time expired", Soft);

        // A sender's own quota is never the prospect's bounce.
        check("550 5.4.5 daily sending quota exceeded", SenderLimit);
        check("550 5.4.5 Daily user sending limit exceeded.", SenderLimit);
        check(
            "432 4.3.2 Concurrent connections limit exceeded",
            SenderLimit,
        );
        check("550 5.7.0 Sending limit reached", SenderLimit);
        check(
            "550 5.1.90 You've reached your daily limit for message recipients",
            SenderLimit,
        );
        check(
            "550 Domain example.com has exceeded the max emails per hour (500/500)",
            SenderLimit,
        );

        check("535 5.7.8 Error: authentication failed", Auth);
        check("534 5.7.9 Application-specific password required", Auth);
        check("535 5.7.139 Authentication unsuccessful", Auth);
        check("530 5.7.57 Client was not authenticated to send mail", Auth);
        check("454 4.7.0 Temporary authentication failure", Soft);

        check("554 5.7.1 looks like spam", Policy);
        check(
            "550 5.7.26 This mail has been blocked because the sender is unauthenticated",
            Policy,
        );
        check(
            "550 5.7.515 Access denied, sending domain does not meet the required level",
            Policy,
        );
        check(
            "554 Service unavailable; Client host blocked using zen.example.org",
            Policy,
        );
        check(
            "553 5.1.8 Sender address rejected: Domain not found",
            Policy,
        );
        check(
            "553 5.7.1 Sender address rejected: not owned by user ada",
            Policy,
        );

        check("552 5.3.4 message too big", Content);
        check("554 5.6.0 malformed", Content);
        check("552 size limit exceeded", Content);

        check("554 transaction failed", Unknown);
        check("550 no", Unknown);
    }
}
