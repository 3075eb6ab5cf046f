//! The capability `mailbox`: SMTP and IMAP sessions that the host holds, by account handle.
//!
//! A guest sees neither password nor, without the grant `raw-mail`, the bytes of a mail. A mail
//! that is to be sent is a handle that [`MailSession::submit`] uses up, so that no guest can send
//! it twice (SAFE-3).

mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use wasmtime::component::Resource;

use crate::{
    bindings::overture::plugin::mailbox::{
        self as wit, Account, HostAccount, HostOutgoing, MailboxError,
    },
    state::GuestState,
};

/// UIDs, mails or folders that one answer holds at most.
const MAX_LISTED: usize = 1_000;

/// How far a conversation with a server had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Looking up the name.
    Dns,
    /// Connecting.
    Tcp,
    /// The TLS handshake.
    Tls,
    /// Waiting for the server's first words.
    Greeting,
    /// Signing in.
    Auth,
    /// MAIL FROM.
    Sender,
    /// RCPT TO.
    Recipient,
    /// DATA, up to the 354.
    Data,
    /// The mail itself, up to the answer after the final dot.
    Body,
    /// Opening a folder.
    Select,
    /// Reading mails.
    Fetch,
    /// Filing a mail.
    Append,
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// `550`; an IMAP server has none.
    pub code: Option<u16>,
    /// `5.1.1`
    pub enhanced: Option<String>,
    /// "no such user here"
    pub text: String,
}

/// Why a session could not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How far it had come.
    pub stage: Stage,
    /// A stable code of MB-2 (`auth_invalid`, `timeout`...) where one fits, else `protocol`.
    pub code: String,
    /// The server's words, if it said any.
    pub reply: Option<Reply>,
    /// In plain words, for people.
    pub detail: String,
}

/// The server took the mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// What it said.
    pub reply: Reply,
}

/// What a folder is for (RFC 6154).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpecialUse {
    /// INBOX.
    Inbox,
    /// Copies of sent mails.
    Sent,
    /// Spam.
    Junk,
    /// Deleted mails.
    Trash,
    /// Unfinished mails.
    Drafts,
    /// Put away.
    Archive,
    /// Every mail, whatever its folder.
    All,
    /// Marked mails.
    Flagged,
    /// Mails that the server finds important.
    Important,
}

/// A folder of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// As the server writes it, decoded.
    pub name: String,
    /// What it is for, if the server says so.
    pub special_use: Option<SpecialUse>,
    /// Can it hold mails?
    pub selectable: bool,
}

/// A folder at the moment of opening (RFC 9051 §2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderState {
    /// Changes when the UIDs start anew.
    pub uid_validity: u32,
    /// The next mail's UID, or less.
    pub uid_next: u32,
    /// How many mails.
    pub messages: u32,
}

/// A mail in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedMail {
    /// Its UID in the folder.
    pub uid: u32,
    /// Its Message-ID, with the angle brackets.
    pub message_id: Option<String>,
    /// Bytes.
    pub size: u64,
}

/// A mail in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailRef {
    /// The folder's name.
    pub folder: String,
    /// The folder's UIDVALIDITY that the UID belongs to.
    pub uid_validity: u32,
    /// The mail's UID.
    pub uid: u32,
}

/// Sender and recipient of one mail, as SMTP sees them (RFC 5321 §2.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Who gets the bounces.
    pub sender: String,
    /// The one recipient.
    pub recipient: String,
}

/// A mail that the host has built.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Sender and recipient.
    pub envelope: Envelope,
    /// Its Message-ID, with the angle brackets; fixed before the first attempt (SEQ-4).
    pub message_id: String,
    /// RFC 5322.
    pub bytes: Arc<[u8]>,
}

/// One mailbox, for the length of a call. The engine implements it over its own sessions, keeps
/// its own timeouts and its own record of what was said. A call of a guest can end at any await:
/// then the future is dropped, and the implementation must know by itself how far it was.
#[async_trait]
pub trait MailSession: Send + Sync {
    /// The account's id, `acc_…`.
    fn id(&self) -> String;
    /// The address that it sends from.
    fn address(&self) -> String;
    /// The account's settings for its provider: a JSON object without credentials.
    fn settings(&self) -> String;

    /// Hands the mail to the SMTP server: sender, recipient, data; commits the attempt after the
    /// 354 and before the body (SAFE-3). Called at most once in a call of `send`.
    async fn submit(&self, mail: &Outgoing) -> Result<Submission, Failure>;
    /// Connects and signs in to the SMTP server, sends nothing.
    async fn check_submission(&self) -> Result<(), Failure>;

    /// The folders of the mailbox.
    async fn folders(&self) -> Result<Vec<Folder>, Failure>;
    /// Opens a folder.
    async fn select(&self, folder: &str) -> Result<FolderState, Failure>;
    /// Mails with a UID of at least `from_uid`, rising, at most `limit`.
    async fn list_from(
        &self,
        folder: &str,
        from_uid: u32,
        limit: u32,
    ) -> Result<Vec<ListedMail>, Failure>;
    /// UIDs of the mails with this Message-ID.
    async fn find(&self, folder: &str, message_id: &str) -> Result<Vec<u32>, Failure>;
    /// Moves a mail to another folder.
    async fn move_to(&self, mail: &MailRef, folder: &str) -> Result<(), Failure>;
    /// Marks a mail as seen, or as not seen.
    async fn set_seen(&self, mail: &MailRef, seen: bool) -> Result<(), Failure>;
}

/// What became of the one submission of a `send`, as the host saw it. It outranks what the guest
/// answers, or its trap (SAFE-3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SubmissionRecord {
    /// The guest never submitted.
    #[default]
    NotTried,
    /// The call ended while the session was at it: ask the session how far it was.
    Cut,
    /// The session ended with a failure. At the stage `Body` without a reply nobody knows
    /// whether the mail was taken.
    Failed(Failure),
    /// The server took the mail.
    Accepted(Submission),
}

/// The mailbox of one call, and the mail that it sends, if it sends one.
pub(crate) struct Mailbox {
    session: Arc<dyn MailSession>,
    outgoing: Option<Outgoing>,
    pub(crate) record: SubmissionRecord,
}

impl Mailbox {
    pub(crate) fn new(session: Arc<dyn MailSession>, outgoing: Option<Outgoing>) -> Self {
        Self {
            session,
            outgoing,
            record: SubmissionRecord::NotTried,
        }
    }
}

/// The handles that a call hands to its guest. There is one of each, so a number says which.
pub(crate) fn account_handle() -> Resource<Account> {
    Resource::new_borrow(0)
}

/// See [`account_handle`]. The guest owns it: whoever takes it from the guest uses it up.
pub(crate) fn outgoing_handle() -> Resource<wit::Outgoing> {
    Resource::new_own(0)
}

impl GuestState {
    fn mailbox(&mut self) -> wasmtime::Result<&mut Mailbox> {
        self.host_calls.count()?;
        let missing = || wasmtime::format_err!("a mailbox was used in a call that has none");
        self.mailbox.as_mut().ok_or_else(missing)
    }

    fn session(&mut self) -> wasmtime::Result<Arc<dyn MailSession>> {
        Ok(self.mailbox()?.session.clone())
    }

    fn outgoing(&mut self) -> wasmtime::Result<&Outgoing> {
        let used_up = || wasmtime::format_err!("a mail was used that had been handed over");
        self.mailbox()?.outgoing.as_ref().ok_or_else(used_up)
    }
}

impl wit::Host for GuestState {}

impl HostOutgoing for GuestState {
    async fn message_id(&mut self, _: Resource<wit::Outgoing>) -> wasmtime::Result<String> {
        Ok(self.outgoing()?.message_id.clone())
    }

    async fn size(&mut self, _: Resource<wit::Outgoing>) -> wasmtime::Result<u64> {
        Ok(self.outgoing()?.bytes.len() as u64)
    }

    async fn raw(
        &mut self,
        _: Resource<wit::Outgoing>,
    ) -> wasmtime::Result<Result<Vec<u8>, MailboxError>> {
        if !self.policy.grants.raw_mail() {
            self.host_calls.count()?;
            let denied = "the bytes of a mail need the grant raw-mail; ask for it in plugin.toml \
                          (capabilities.raw-mail = true), the admin grants it";
            return Ok(Err(MailboxError::Denied(denied.to_owned())));
        }
        Ok(Ok(self.outgoing()?.bytes.to_vec()))
    }

    async fn drop(&mut self, _: Resource<wit::Outgoing>) -> wasmtime::Result<()> {
        if let Some(mailbox) = &mut self.mailbox {
            mailbox.outgoing = None;
        }
        Ok(())
    }
}

impl HostAccount for GuestState {
    async fn id(&mut self, _: Resource<Account>) -> wasmtime::Result<String> {
        Ok(self.session()?.id())
    }

    async fn address(&mut self, _: Resource<Account>) -> wasmtime::Result<String> {
        Ok(self.session()?.address())
    }

    async fn settings(&mut self, _: Resource<Account>) -> wasmtime::Result<String> {
        Ok(self.session()?.settings())
    }

    async fn submit(
        &mut self,
        _: Resource<Account>,
        _: Resource<wit::Outgoing>,
    ) -> wasmtime::Result<Result<wit::Submission, MailboxError>> {
        let mailbox = self.mailbox()?;
        let Some(mail) = mailbox.outgoing.take() else {
            return Err(wasmtime::format_err!(
                "a mail was submitted that had been handed over"
            ));
        };
        mailbox.record = SubmissionRecord::Cut;
        let result = mailbox.session.submit(&mail).await;
        mailbox.record = match &result {
            Ok(submission) => SubmissionRecord::Accepted(submission.clone()),
            Err(failure) => SubmissionRecord::Failed(failure.clone()),
        };
        Ok(result.map(Into::into).map_err(failed))
    }

    async fn check_submission(
        &mut self,
        _: Resource<Account>,
    ) -> wasmtime::Result<Result<(), MailboxError>> {
        Ok(self.session()?.check_submission().await.map_err(failed))
    }

    async fn folders(
        &mut self,
        _: Resource<Account>,
    ) -> wasmtime::Result<Result<Vec<wit::Folder>, MailboxError>> {
        let folders = self.session()?.folders().await;
        Ok(folders.map(capped).map_err(failed))
    }

    async fn select(
        &mut self,
        _: Resource<Account>,
        folder: String,
    ) -> wasmtime::Result<Result<wit::FolderState, MailboxError>> {
        let state = self.session()?.select(&folder).await;
        Ok(state.map(Into::into).map_err(failed))
    }

    async fn list_from(
        &mut self,
        _: Resource<Account>,
        folder: String,
        from_uid: u32,
        limit: u32,
    ) -> wasmtime::Result<Result<Vec<wit::ListedMail>, MailboxError>> {
        let limit = limit.min(MAX_LISTED as u32);
        let mails = self.session()?.list_from(&folder, from_uid, limit).await;
        Ok(mails.map(capped).map_err(failed))
    }

    async fn find(
        &mut self,
        _: Resource<Account>,
        folder: String,
        message_id: String,
    ) -> wasmtime::Result<Result<Vec<u32>, MailboxError>> {
        let uids = self.session()?.find(&folder, &message_id).await;
        Ok(uids.map(capped).map_err(failed))
    }

    async fn move_to(
        &mut self,
        _: Resource<Account>,
        mail: wit::MailRef,
        folder: String,
    ) -> wasmtime::Result<Result<(), MailboxError>> {
        Ok(self
            .session()?
            .move_to(&mail.into(), &folder)
            .await
            .map_err(failed))
    }

    async fn set_seen(
        &mut self,
        _: Resource<Account>,
        mail: wit::MailRef,
        seen: bool,
    ) -> wasmtime::Result<Result<(), MailboxError>> {
        Ok(self
            .session()?
            .set_seen(&mail.into(), seen)
            .await
            .map_err(failed))
    }

    async fn drop(&mut self, _: Resource<Account>) -> wasmtime::Result<()> {
        Ok(())
    }
}

fn capped<A, B: From<A>>(all: Vec<A>) -> Vec<B> {
    all.into_iter().take(MAX_LISTED).map(Into::into).collect()
}

fn failed(failure: Failure) -> MailboxError {
    MailboxError::Failed(failure.into())
}
