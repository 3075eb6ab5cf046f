//! Mail sessions that the host holds: the guest says what to do and never sees a password.
//!
//! Write a provider's logic over [`Session`] and [`Mail`]: in the sandbox they are [`Account`] and
//! [`Outgoing`], in tests whatever the test scripts.

pub use crate::bindings::imports::overture::plugin::mailbox::{
    Account, Failure, Folder, FolderState, ListedMail, MailRef, MailboxError, Outgoing, Reply,
    SpecialUse, Stage, Submission,
};

/// A connected mailbox, for the length of a call.
#[allow(missing_docs)] // one line each would repeat the names
pub trait Session {
    /// The mails that it submits.
    type Mail: Mail;

    /// The account's id.
    fn id(&self) -> String;
    /// The account's mail address.
    fn address(&self) -> String;
    /// The account's settings: a JSON object without credentials.
    fn settings(&self) -> String;
    /// Hands the mail to the SMTP server; the host's own record outranks what the guest says.
    fn submit(&self, mail: Self::Mail) -> Result<Submission, MailboxError>;
    /// Connects and signs in to the SMTP server, sends nothing.
    fn check_submission(&self) -> Result<(), MailboxError>;
    /// Every folder, in the server's order.
    fn folders(&self) -> Result<Vec<Folder>, MailboxError>;
    /// Opens a folder and says how it stands.
    fn select(&self, folder: &str) -> Result<FolderState, MailboxError>;
    /// Mails with a UID of at least `from`, rising, at most `limit`.
    fn list_from(
        &self,
        folder: &str,
        from: u32,
        limit: u32,
    ) -> Result<Vec<ListedMail>, MailboxError>;
}

/// A mail that the host has built and that leaves at most once.
pub trait Mail {
    /// Its Message-ID, with the angle brackets.
    fn message_id(&self) -> String;
    /// Its bytes (RFC 5322). Needs the grant `raw-mail`.
    fn raw(&self) -> Result<Vec<u8>, MailboxError>;
}

impl Session for Account {
    type Mail = Outgoing;

    fn id(&self) -> String {
        Account::id(self)
    }

    fn address(&self) -> String {
        Account::address(self)
    }

    fn settings(&self) -> String {
        Account::settings(self)
    }

    fn submit(&self, mail: Outgoing) -> Result<Submission, MailboxError> {
        Account::submit(self, mail)
    }

    fn check_submission(&self) -> Result<(), MailboxError> {
        Account::check_submission(self)
    }

    fn folders(&self) -> Result<Vec<Folder>, MailboxError> {
        Account::folders(self)
    }

    fn select(&self, folder: &str) -> Result<FolderState, MailboxError> {
        Account::select(self, folder)
    }

    fn list_from(
        &self,
        folder: &str,
        from: u32,
        limit: u32,
    ) -> Result<Vec<ListedMail>, MailboxError> {
        Account::list_from(self, folder, from, limit)
    }
}

impl Mail for Outgoing {
    fn message_id(&self) -> String {
        Outgoing::message_id(self)
    }

    fn raw(&self) -> Result<Vec<u8>, MailboxError> {
        Outgoing::raw(self)
    }
}
