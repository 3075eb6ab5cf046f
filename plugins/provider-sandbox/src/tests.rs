use std::collections::BTreeMap;

use overture_plugin::{
    Address, Channel,
    classifier::Message,
    mailbox::{Folder, FolderState, ListedMail, Submission},
    testing,
};

use super::*;

const NOW: Timestamp = 1_772_614_800_000; // 2026-03-04T09:00:00Z
const HOUR: u64 = 3_600_000;

struct Box {
    settings: String,
}

struct Letter {
    id: String,
}

impl Mail for Letter {
    fn message_id(&self) -> String {
        self.id.clone()
    }

    fn raw(&self) -> Result<Vec<u8>, MailboxError> {
        let body = "https://o.example.com/c/token\r\nTo unsubscribe: https://o.example.com/unsub/1";
        let mail = format!(
            "From: Ada <ada@sender.test>\r\nTo: Somebody <x@d1.test>\r\nSubject: Hello\r\n\
             Message-ID: {}\r\n\r\n{body}\r\n",
            self.id
        );
        Ok(mail.into_bytes())
    }
}

impl Session for Box {
    type Mail = Letter;

    fn id(&self) -> String {
        "mbx_1".into()
    }

    fn address(&self) -> String {
        "ada@sender.test".into()
    }

    fn settings(&self) -> String {
        self.settings.clone()
    }

    fn submit(&self, _: Letter) -> Result<Submission, MailboxError> {
        unreachable!("nothing is submitted in the sandbox")
    }

    fn check_submission(&self) -> Result<(), MailboxError> {
        unreachable!("nothing is dialled in the sandbox")
    }

    fn folders(&self) -> Result<Vec<Folder>, MailboxError> {
        unreachable!("nothing is dialled in the sandbox")
    }

    fn select(&self, _: &str) -> Result<FolderState, MailboxError> {
        unreachable!("nothing is dialled in the sandbox")
    }

    fn list_from(&self, _: &str, _: u32, _: u32) -> Result<Vec<ListedMail>, MailboxError> {
        unreachable!("nothing is dialled in the sandbox")
    }
}

fn mailbox() -> Box {
    Box {
        settings: r#"{"seed":1}"#.into(),
    }
}

fn mail_to(mailbox: &Box, recipient: &str, nth: u32, now: Timestamp) -> Result<Sent, Problem> {
    let envelope = Envelope {
        sender: "ada@sender.test".into(),
        recipient: recipient.into(),
    };
    send(
        mailbox,
        &envelope,
        &Letter {
            id: format!("<{nth}@sender.test>"),
        },
        now,
    )
}

/// Everything that comes back within two days: mails as text, and signals.
fn all(mailbox: &Box) -> (Vec<String>, Vec<Signal>) {
    let (mut mails, mut signals, mut cursor) = (Vec::new(), Vec::new(), None);
    let mut now = NOW;
    loop {
        let page = sync(mailbox, cursor.as_deref(), now).unwrap();
        for mail in page.mails {
            let Incoming::Raw(bytes) = mail else {
                panic!("the sandbox has no folders")
            };
            mails.push(String::from_utf8(bytes).unwrap());
        }
        signals.extend(page.signals);
        cursor = Some(page.cursor);
        if page.more {
            continue;
        }
        now = page.check_again_at.unwrap();
        if now > NOW + 48 * HOUR {
            return (mails, signals);
        }
    }
}

fn only_mail(recipient: &str) -> String {
    testing::reset();
    let mailbox = mailbox();
    mail_to(&mailbox, recipient, 1, NOW).unwrap();
    let (mails, _) = all(&mailbox);
    assert_eq!(mails.len(), 1, "{recipient}");
    let mail = mails.into_iter().next().unwrap();
    assert!(
        mail.split("\r\n")
            .all(|line| !line.contains('\n') && line.len() < 998)
    );
    mail
}

/// OPS-6
#[test]
fn a_reply_comes_in_the_thread() {
    let mail = only_mail("reply@d1.test");
    assert!(
        mail.contains("\r\nIn-Reply-To: <1@sender.test>\r\n"),
        "{mail}"
    );
    assert!(mail.contains("\r\nReferences: <1@sender.test>\r\n"));
    assert!(mail.contains("\r\nSubject: Re: Hello\r\n"));
    assert!(mail.starts_with("From: Somebody <x@d1.test>\r\nTo: Ada <ada@sender.test>\r\n"));
    assert_eq!(mail, only_mail("reply@d1.test"), "the same in every run");
}

#[test]
fn a_notice_of_absence_names_the_day_and_comes_once() {
    let mail = only_mail("ooo@d1.test");
    assert!(mail.contains("Auto-Submitted: auto-replied\r\n"));
    assert!(mail.contains("will be back on "), "{mail}");
    assert!(mail.contains(" March 2026"));
    assert!(only_mail("ooo.bob.de@d1.test").contains(". März 2026 wieder für Sie da"));

    testing::reset();
    let mailbox = mailbox();
    mail_to(&mailbox, "ooo@d1.test", 1, NOW).unwrap();
    mail_to(&mailbox, "ooo@d1.test", 2, NOW + HOUR).unwrap();
    assert_eq!(all(&mailbox).0.len(), 1);
}

/// RFC 3464: what a host needs to attribute and judge it.
#[test]
fn a_bounce_is_a_delivery_report() {
    let hard = only_mail("bounce@d1.test");
    for part in [
        "report-type=delivery-status",
        "\r\nFinal-Recipient: rfc822; bounce@d1.test\r\n",
        "\r\nAction: failed\r\nStatus: 5.1.1\r\n",
        "\r\nMessage-ID: <1@sender.test>\r\n",
    ] {
        assert!(hard.contains(part), "{part}\n{hard}");
    }
    assert!(only_mail("soft@d1.test").contains("\r\nStatus: 4.2.2\r\n"));
}

/// RFC 5965
#[test]
fn a_complaint_is_a_feedback_report() {
    let mail = only_mail("complain@d1.test");
    assert!(mail.contains("report-type=feedback-report"));
    assert!(mail.contains("\r\nFeedback-Type: abuse\r\n"));
    assert!(mail.contains("\r\nMessage-ID: <1@sender.test>\r\n"));
}

#[test]
fn opens_clicks_and_unsubscribes_are_signals() {
    testing::reset();
    let mailbox = mailbox();
    mail_to(&mailbox, "click@d1.test", 1, NOW).unwrap();
    mail_to(&mailbox, "unsub@d1.test", 2, NOW).unwrap();
    mail_to(&mailbox, "silent@d1.test", 3, NOW).unwrap();
    let (mails, signals) = all(&mailbox);
    assert_eq!(mails.len(), 0);
    let of = |id: &str| {
        let list = signals.iter().filter(|s| s.message_id == id);
        list.map(|s| (s.kind, s.url.as_deref())).collect::<Vec<_>>()
    };
    let link = Some("https://o.example.com/c/token");
    assert_eq!(
        of("<1@sender.test>"),
        [(SignalKind::Opened, None), (SignalKind::Clicked, link)]
    );
    assert_eq!(
        of("<2@sender.test>"),
        [(SignalKind::Opened, None), (SignalKind::Unsubscribed, None)]
    );
    assert_eq!(of("<3@sender.test>"), []);
}

#[test]
fn a_refused_recipient_is_refused_at_once() {
    testing::reset();
    let refused = mail_to(&mailbox(), "refuse@d1.test", 1, NOW);
    assert!(matches!(refused, Err(Problem::RecipientRejected(r)) if r.code == Some(550)));
    assert_eq!(all(&mailbox()).0.len(), 0);
}

/// OPS-6: one mail after the other, and each again as often as it is tried.
#[test]
fn a_list_has_a_word_for_each_mail() {
    testing::reset();
    let mailbox = Box {
        settings: r#"{"personas":{"p1@d1.test":"greylist, ooo:6, reply"},"languages":{"p1@d1.test":"fr"}}"#
            .into(),
    };
    let first = mail_to(&mailbox, "p1@d1.test", 1, NOW);
    assert!(matches!(first, Err(Problem::Temporary(words)) if words.contains("greylisted")));
    for number in 1..=4 {
        mail_to(
            &mailbox,
            "p1@d1.test",
            number,
            NOW + u64::from(number) * HOUR,
        )
        .unwrap();
    }
    let (mails, signals) = all(&mailbox);
    assert_eq!((mails.len(), signals.len()), (2, 1));
    assert!(
        mails[0].contains("de retour le 10 mars 2026"),
        "{}",
        mails[0]
    );
    assert!(
        mails[1].contains("In-Reply-To: <3@sender.test>"),
        "{}",
        mails[1]
    );
}

#[test]
fn servers_have_their_reasons() {
    testing::reset();
    assert!(only_mail("block@d1.test").contains("\r\nStatus: 5.7.1\r\n"));
    let limit = mail_to(&mailbox(), "limit@d1.test", 1, NOW);
    assert!(
        matches!(limit, Err(Problem::RateLimited(r)) if r.enhanced.as_deref() == Some("5.4.5"))
    );
    assert!(mail_to(&mailbox(), "limit@d1.test", 1, NOW + HOUR).is_ok());
}

/// A host that dies before it has stored a page gets it again; once confirmed, it is gone.
#[test]
fn nothing_is_lost_between_two_syncs() {
    testing::reset();
    let mailbox = mailbox();
    for nth in 0..150 {
        mail_to(&mailbox, &format!("bounce{nth}@d1.test"), nth, NOW).unwrap();
    }
    let later = NOW + HOUR;
    let first = sync(&mailbox, None, later).unwrap();
    assert!(first.more && first.mails.len() == 100);
    assert_eq!(sync(&mailbox, None, later).unwrap().mails, first.mails);
    let second = sync(&mailbox, Some(&first.cursor), later).unwrap();
    assert_eq!((second.mails.len(), second.more), (50, false));
    let third = sync(&mailbox, Some(&second.cursor), later).unwrap();
    assert_eq!(third.mails, []);
    assert_eq!(third.check_again_at, Some(later + LOOK_EVERY));
    assert_eq!(third.cursor, second.cursor);
}

#[test]
fn what_is_not_due_waits_and_says_when() {
    testing::reset();
    let mailbox = mailbox();
    mail_to(&mailbox, "bounce@d1.test", 1, NOW).unwrap();
    let page = sync(&mailbox, None, NOW).unwrap();
    assert_eq!((page.mails.len(), page.signals.len()), (0, 0));
    let returns = page.check_again_at.unwrap();
    assert!(returns < NOW + LOOK_EVERY);
    assert_eq!(sync(&mailbox, None, returns - 1).unwrap().mails, []);
    assert_eq!(sync(&mailbox, None, returns).unwrap().mails.len(), 1);
}

/// CLS-1: what people write is taken for what they mean, as far as it is judged today.
#[test]
fn what_people_say_is_understood() {
    for (word, persona) in Persona::ALL {
        for (code, language) in Language::ALL {
            let Some(label) = persona.label(language) else {
                continue;
            };
            for nth in 0..6 {
                let text = texts::reply(persona, language, nth);
                let verdicts = classifier_rules::classify(&message(text));
                let sure = verdicts.first().filter(|verdict| verdict.confidence > SURE);
                let found = sure.map_or("Other".into(), |verdict| format!("{:?}", verdict.label));
                let found = found.rsplit("::").next().unwrap().to_owned();
                let wanted = label.replace('_', "");
                assert_eq!(found.to_lowercase(), wanted, "{word} {code}: {text}");
            }
        }
    }
}

/// What the host believes by default.
const SURE: f32 = 0.6;

fn message(text: &str) -> Message {
    Message {
        id: "msg_1".into(),
        channel: Channel::Mail,
        sender: Address {
            name: None,
            email: "x@d1.test".into(),
        },
        subject: "Re: Hello".into(),
        headers: Vec::new(),
        text: text.into(),
        newest_text: text.into(),
        attachments: Vec::new(),
        received_at: NOW,
    }
}

#[test]
fn settings_name_people_and_are_checked() {
    testing::reset();
    let named = |settings: &str| Box {
        settings: settings.into(),
    };
    let mailbox = named(r#"{"personas":{"p1@d1.test":"bounce"}}"#);
    mail_to(&mailbox, "P1@d1.test", 1, NOW).unwrap();
    assert!(all(&mailbox).0[0].contains("delivery-status"));
    assert_eq!(check(&mailbox).problem, None);

    let problem = check(&named(r#"{"personas":{"p1@d1.test":"dances"}}"#))
        .problem
        .unwrap();
    assert!(
        problem
            .fix
            .contains("p1@d1.test: nobody is called \"dances\"")
            && problem.fix.contains("bounce"),
        "{problem:?}"
    );
    let problem = check(&named(r#"{"languages":{"p1@d1.test":"xx"}}"#)).problem;
    assert!(problem.unwrap().fix.contains("\"xx\" is no language"));
    assert!(check(&named("{")).problem.is_some());
}

/// OPS-6: what comes back is what the personas say, for everybody.
#[test]
fn the_world_does_what_its_personas_say() {
    testing::reset();
    let mailbox = mailbox();
    let people: Vec<String> = (0..300).map(|n| format!("p{n}@d{}.test", n % 8)).collect();
    let mut expected: BTreeMap<&str, usize> = BTreeMap::new();
    for (nth, address) in (0_u32..).zip(&people) {
        let outcome = Behaviour::of(1, address).with_mail(0).persona.outcome();
        for (name, is) in [
            ("opened", outcome.opened),
            ("clicked", outcome.clicked),
            ("unsubscribed", outcome.unsubscribed && !outcome.replied),
            ("thread", outcome.replied),
            ("absence", outcome.out_of_office),
            (
                "report",
                outcome.bounced_hard || outcome.bounced_soft || outcome.complained,
            ),
        ] {
            *expected.entry(name).or_default() += usize::from(is);
        }
        mail_to(&mailbox, address, nth, NOW).unwrap();
    }
    let (mails, signals) = all(&mailbox);
    let signalled = |kind| signals.iter().filter(|s| s.kind == kind).count();
    let with = |what: &str| mails.iter().filter(|m| m.contains(what)).count();
    assert_eq!(signalled(SignalKind::Opened), expected["opened"]);
    assert_eq!(signalled(SignalKind::Clicked), expected["clicked"]);
    assert_eq!(
        signalled(SignalKind::Unsubscribed),
        expected["unsubscribed"]
    );
    assert_eq!(with("report-type="), expected["report"]);
    assert_eq!(with("X-Auto-Response-Suppress: All"), expected["absence"]);
    let replies = mails
        .iter()
        .filter(|m| !m.contains("Auto-Submitted"))
        .count();
    assert_eq!(replies, expected["thread"]);
    assert!(expected.values().all(|n| *n > 0), "{expected:?}");
}
