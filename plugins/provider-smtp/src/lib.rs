//! Mail over SMTP and IMAP. The host holds the sessions; this plugin knows the services (MB-1),
//! says which folders matter (MB-8), and translates what servers answer (SAF-4, CAP-3).

mod check;
mod folders;
mod presets;
mod problems;
mod sync;

use overture_plugin::{
    clock,
    mail_provider::{
        Account, Envelope, Leg, MailProvider, Outgoing, Preset, Problem, Sent, SyncPage,
    },
    mailbox::Session,
};

struct Smtp;

overture_plugin::mail_provider!(Smtp);

impl MailProvider for Smtp {
    fn presets() -> Vec<Preset> {
        presets::all()
    }

    fn check(account: &Account) -> Vec<Leg> {
        check::both_legs(account)
    }

    fn send(account: &Account, _: Envelope, mail: Outgoing) -> Result<Sent, Problem> {
        submit(account, mail)
    }

    fn sync(account: &Account, cursor: Option<String>) -> Result<SyncPage, Problem> {
        sync::page(account, cursor.as_deref(), clock::now())
    }
}

fn submit<S: Session>(account: &S, mail: S::Mail) -> Result<Sent, Problem> {
    match account.submit(mail) {
        Ok(taken) => Ok(Sent {
            provider_id: None,
            reply: Some(taken.reply),
        }),
        Err(error) => Err(problems::of_submission(error)),
    }
}
