//! Bounces in plain words, of servers that know no RFC 3464: qmail, old Exim, Exchange, Yahoo and
//! many more (SAF-4).
//!
//! There is no grammar, so it goes by what all have in common: a mail server writes, it says in
//! the subject or the text that a mail did not arrive, and it names the addresses above the copy
//! of our mail.

mod copy;
mod mentions;
mod phrases;

use mail_parser::Message;

use self::{
    copy::{Copied, mailed_to, split_copy},
    mentions::{address_in, local_names, mentions, names_as_qmail_does},
    phrases::{DELAYED, FAILED, GIVEN_UP, SUBJECTS},
};
use super::{
    cut, reader,
    report::{Action, DeliveryReport, Recipient, original},
};
use crate::{
    error::printable,
    smtp::{Enhanced, ReplyClass, classify_parts},
};

/// Only mails that a server wrote are looked at: a person may quote a bounce.
pub(super) fn find(
    message: &Message<'_>,
    headers: &[(String, String)],
    subject: &str,
    text: &str,
) -> Option<DeliveryReport> {
    let subject = subject.to_lowercase();
    let failed: Vec<String> = values(headers, "X-Failed-Recipients")
        .flat_map(|value| value.split(','))
        .filter_map(address_in)
        .collect();
    if failed.is_empty() && !is_from_server(headers) && !is_servers_subject(message, &subject) {
        return None;
    }
    let Copied {
        report,
        below,
        header,
    } = split_copy(text);
    let folded = report.to_lowercase();
    let tells = |phrases: &[&str]| {
        phrases
            .iter()
            .any(|p| subject.contains(p) || folded.contains(p))
    };
    if failed.is_empty() && !tells(FAILED) && !tells(DELAYED) && !names_as_qmail_does(report) {
        return None;
    }
    let action = if tells(DELAYED) && !tells(GIVEN_UP) {
        Action::Delayed
    } else {
        Action::Failed
    };

    let own = own_addresses(message);
    let mut mentions = mentions(report);
    let mailed = mailed_to(below);
    // Help is given with other addresses: what we wrote to is what counts, where it is told.
    if mentions.iter().any(|m| mailed.contains(&m.address)) {
        mentions.retain(|m| mailed.contains(&m.address));
    }
    mentions.retain(|mention| {
        let address = &mention.address;
        if failed.is_empty() {
            !own.contains(address) && !is_daemon(address)
        } else {
            failed.contains(address)
        }
    });
    // A quoted `To:` counts when nothing else does: it may name a list.
    let some_surer = mentions.iter().any(|mention| !mention.in_header);
    let mut recipients: Vec<Recipient> = Vec::new();
    for mention in mentions
        .into_iter()
        .filter(|mention| !(some_surer && mention.in_header))
    {
        recipients.push(recipient(&mention.address, action, &mention.words));
    }
    for address in failed {
        if !recipients.iter().any(|known| known.address == address) {
            recipients.push(recipient(&address, action, ""));
        }
    }
    if recipients.is_empty() {
        let locals = local_names(report, message);
        recipients.extend(locals.map(|(address, words)| recipient(&address, action, words)));
    }
    if recipients.is_empty() {
        return None;
    }
    let copied = header.and_then(|header| {
        let header = reader::header(header.trim_start().as_bytes())?;
        header.message_id().map(str::to_owned)
    });
    let original_message_id = copied.or_else(|| original(message).0);
    Some(DeliveryReport {
        recipients,
        original_message_id,
        reporting_mta: None,
    })
}

fn values<'a>(headers: &'a [(String, String)], name: &'a str) -> impl Iterator<Item = &'a str> {
    headers
        .iter()
        .filter(move |(own, _)| own.eq_ignore_ascii_case(name))
        .map(|(_, v)| v.as_str())
}

/// A subject that only servers write, on a mail that answers none: it begins with their words, or
/// they have put them in brackets behind ours.
fn is_servers_subject(message: &Message<'_>, subject: &str) -> bool {
    let begins = SUBJECTS.iter().any(|phrase| subject.starts_with(phrase));
    let bracketed = || {
        let (_, last) = subject.strip_suffix(')')?.rsplit_once('(')?;
        let is_theirs = SUBJECTS.iter().any(|phrase| last.starts_with(phrase));
        let answers = [message.in_reply_to(), message.references()]
            .iter()
            .any(|ids| !ids.is_empty());
        (is_theirs && !answers).then_some(())
    };
    begins || bracketed().is_some()
}

pub(super) fn is_from_server(headers: &[(String, String)]) -> bool {
    const NAMES: &[&str] = &[
        "mailer-daemon",
        "postmaster",
        "mail delivery",
        "delivery subsystem",
        "mail administrator",
        "system administrator",
        "mail system",
        "mail-daemon",
        "mdaemon",
    ];
    let folded = |name| {
        values(headers, name)
            .map(str::to_lowercase)
            .collect::<Vec<_>>()
    };
    folded("From")
        .iter()
        .any(|from| NAMES.iter().any(|name| from.contains(name)))
        || folded("Return-Path")
            .iter()
            .any(|path| path == "<>" || path.contains("mailer-daemon"))
}

fn is_daemon(address: &str) -> bool {
    let local = address.split('@').next().unwrap_or_default().to_lowercase();
    [
        "mailer-daemon",
        "postmaster",
        "mail-daemon",
        "mailerdaemon",
        "mdaemon",
        "mmdf",
        "uucp",
    ]
    .iter()
    .any(|word| local.contains(word))
}

/// Addresses of the bounce itself: where it comes from and where it went.
fn own_addresses(message: &Message<'_>) -> Vec<String> {
    let others = [message.from(), message.reply_to(), message.sender()]
        .into_iter()
        .flatten();
    let all = others.chain(message.all_to()).chain(message.all_cc());
    let all = all.flat_map(|field| super::addresses(Some(field)));
    all.map(|mailbox| mailbox.address.to_lowercase()).collect()
}

fn recipient(address: &str, action: Action, words: &str) -> Recipient {
    let diagnostic = printable(words);
    let (code, enhanced) = codes(&diagnostic);
    let class = match action {
        Action::Delayed => ReplyClass::Soft,
        _ => classify_parts(code, enhanced, &diagnostic),
    };
    Recipient {
        address: cut(address, 320).to_owned(),
        final_address: None,
        action,
        status: enhanced.map(|enhanced| enhanced.to_string()),
        diagnostic: Some(diagnostic).filter(|words| !words.is_empty()),
        class,
    }
}

/// The first reply code and the first enhanced code in `words`: `550 5.1.1`, `#5.1.1`.
fn codes(words: &str) -> (Option<u16>, Option<Enhanced>) {
    let tokens = || {
        words
            .split(|c: char| c.is_whitespace() || "-#():;,<>".contains(c))
            .map(|token| token.trim_end_matches('.'))
    };
    let code = tokens().find_map(|token| {
        let digits = token.len() == 3 && token.bytes().all(|byte| byte.is_ascii_digit());
        token
            .parse()
            .ok()
            .filter(|code| digits && (400..600).contains(code))
    });
    let enhanced =
        tokens().find_map(|token| token.parse::<Enhanced>().ok().filter(|e| e.class != 2));
    (code, enhanced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbound::{Report, parse};

    /// A mail with this head and text, read.
    fn read(head: &str, text: &str) -> Option<DeliveryReport> {
        let mail = format!(
            "{head}To: ada@sender.test\r\n\r\n{}",
            text.replace('\n', "\r\n")
        );
        match parse(mail.as_bytes()).report {
            Some(Report::Delivery(report)) => Some(report),
            _ => None,
        }
    }

    fn check(head: &str, text: &str, expected: &[(&str, Action, ReplyClass)]) {
        let report = read(head, text).unwrap_or_default();
        let found: Vec<_> = report
            .recipients
            .iter()
            .map(|r| (r.address.as_str(), r.action, r.class))
            .collect();
        assert_eq!(found, expected, "{head}{text}");
    }

    const DAEMON: &str = "From: MAILER-DAEMON@mx.d1.test\r\nSubject: failure notice\r\n";

    // SAF-4
    #[test]
    fn bounces_in_plain_words_are_read() {
        use Action::{Delayed, Failed};
        use ReplyClass::{Hard, Policy, Soft, Unknown};
        let qmail = "Hi. This is the qmail-send program at mx.d1.test.\nI'm afraid I wasn't able to \
                     deliver your message to the following addresses.\n\n<p1@d1.test>:\nSorry, no \
                     mailbox here by that name. (#5.1.1)\n\n<p2@d1.test>:\n550 5.7.1 blocked as \
                     spam\n\n--- Below this line is a copy of the message.\n\nReturn-Path: \
                     <ada@sender.test>\nMessage-ID: <0190-a@sender.test>\nTo: p3@d1.test\n\nHi\n";
        check(
            DAEMON,
            qmail,
            &[("p1@d1.test", Failed, Hard), ("p2@d1.test", Failed, Policy)],
        );
        let id = read(DAEMON, qmail).unwrap().original_message_id;
        assert_eq!(id.as_deref(), Some("0190-a@sender.test"));

        let exim = "From: Mail Delivery System <Mailer-Daemon@d1.test>\r\n\
                    X-Failed-Recipients: p1@d1.test\r\nSubject: Mail delivery failed\r\n";
        check(
            exim,
            "A message that you sent could not be delivered.\n\n  p1@d1.test\n    host mx.d1.test: \
             552 5.2.2 mailbox full\n\n------ This is a copy of the message ------\n",
            &[("p1@d1.test", Failed, Soft)],
        );
        let exchange =
            "From: System Administrator <x@d1.test>\r\nSubject: Undeliverable: Hello\r\n";
        check(
            exchange,
            "Your message\n\n  To: list@sender.test\n  Subject: Hello\n\ndid not reach the following \
             recipient(s):\n\np1@d1.test on Mon, 2 Mar 2026\n    The recipient name is not recognized\n",
            &[("p1@d1.test", Failed, Hard)],
        );
        check(
            "From: Postmaster <>\r\nSubject: Unzustellbar\r\n",
            "Die Nachricht an p1@d1.test konnte nicht zugestellt werden.\n",
            &[("p1@d1.test", Failed, Unknown)],
        );
        check(
            DAEMON,
            "Your message to p1@d1.test has not yet been delivered.\nIt will be retried for 3 days.\n",
            &[("p1@d1.test", Delayed, Soft)],
        );
    }

    // SAF-4: whatever language qmail was translated to, and where a server names no domain
    #[test]
    fn names_tell_where_words_do_not() {
        use Action::Failed;
        use ReplyClass::{Hard, Unknown};
        check(
            DAEMON,
            "d1.test\nбла-бла-бла\n\n<p1@d1.test>:\n\n<p2@d1.test>:\n550 5.1.1 no\n",
            &[
                ("p1@d1.test", Failed, Unknown),
                ("p2@d1.test", Failed, Hard),
            ],
        );
        check(
            "From: Mail Delivery Subsystem <MAILER-DAEMON@D1.test>\r\nSubject: Mail Delivery Problem\r\n",
            "Your mail to the following recipients could not be delivered, user unknown:\n\tscreenname\n\nBye\n",
            &[("screenname@d1.test", Failed, Hard)],
        );
        // Other addresses are offered; the copy tells which one was meant.
        check(
            "From: postmaster@d1.test\r\nSubject: FAILED MAIL to \"p1\"\r\n",
            "The address p1@d1.test matches nobody.\nDid you mean p2@d1.test?\n\nOriginal message as \
             received is as follows:\n====\n>Received: from a.test by mx.d1.test for <p1@d1.test>; Mon\n",
            &[("p1@d1.test", Failed, Unknown)],
        );
        let bracketed =
            "From: internet@d1.test\r\nSubject: RE: Hello : non remis (delivery failed)\r\n";
        let text = "Your message could not be delivered to\np1@d1.test\n";
        check(bracketed, text, &[("p1@d1.test", Failed, Unknown)]);
        check(
            &format!("{bracketed}In-Reply-To: <a@b.test>\r\n"),
            text,
            &[],
        );
    }

    // SAF-4: nobody is suppressed for what a person wrote
    #[test]
    fn what_people_write_is_no_bounce() {
        let bob = "From: Bob <bob@d1.test>\r\n";
        for (subject, text) in [
            (
                "Fwd: Undelivered Mail",
                "See below: p1@d1.test user unknown\n550 5.1.1",
            ),
            (
                "Re: Hello",
                "My address p1@d1.test does not exist any more, write to p2@d1.test",
            ),
            (
                "Re: Undeliverable: Hello",
                "could not be delivered to p1@d1.test",
            ),
        ] {
            check(&format!("{bob}Subject: {subject}\r\n"), text, &[]);
        }
        // A server that writes of something else
        check(
            "From: postmaster@d1.test\r\nSubject: Welcome\r\n",
            "Hello p1@d1.test\n",
            &[],
        );
    }
}
