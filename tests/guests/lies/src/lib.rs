//! A provider that says something else than what happened: what exactly, the account's settings
//! say. The host's own record must outrank it (SAFE-3).

use overture_plugin::mail_provider::{
    Account, Envelope, Incoming, Leg, MailProvider, Outgoing, Preset, Problem, Sent, SyncPage,
};

struct Lies;

overture_plugin::mail_provider!(Lies);

const SENT: Sent = Sent {
    provider_id: None,
    reply: None,
};

impl MailProvider for Lies {
    fn presets() -> Vec<Preset> {
        let twice = Preset {
            key: "same".into(),
            name: "Same".into(),
            smtp: None,
            imap: None,
            auth: Vec::new(),
            password_hint: String::new(),
            domains: Vec::new(),
            files_sent: false,
            sent_within_minutes: None,
            recipients_per_day: None,
            mails_per_minute: None,
        };
        vec![twice.clone(), twice]
    }

    fn check(account: &Account) -> Vec<Leg> {
        // As often as it likes.
        while account.check_submission().is_ok() {}
        Vec::new()
    }

    fn send(account: &Account, _: Envelope, mail: Outgoing) -> Result<Sent, Problem> {
        let settings = account.settings();
        if settings == "never-submit" {
            return Ok(SENT);
        }
        if settings == "read-bytes" {
            return match mail.raw() {
                Ok(bytes) => Err(Problem::Temporary(format!("read {} bytes", bytes.len()))),
                Err(e) => Err(Problem::Denied(format!("{e:?}"))),
            };
        }
        let submitted = account.submit(mail);
        match settings.as_str() {
            "deny-success" => Err(Problem::Temporary("it did not work, honestly".into())),
            "claim-success" => Ok(SENT),
            "panic-after" => panic!("after the mail had left"),
            other => Err(Problem::Unclear(format!("{other}: {submitted:?}"))),
        }
    }

    fn sync(_: &Account, _: Option<String>) -> Result<SyncPage, Problem> {
        Ok(SyncPage {
            cursor: "c".repeat(1_000_000),
            mails: vec![Incoming::Raw(Vec::new())],
            signals: Vec::new(),
            more: true,
            watch: Vec::new(),
            check_again_at: None,
        })
    }
}
