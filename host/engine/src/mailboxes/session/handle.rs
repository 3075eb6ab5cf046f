//! What a provider may do with its handle.

use async_trait::async_trait;
use overture_mail::{self as mail, imap, smtp};
use overture_plugin_host::capabilities::mailbox::{
    Failure, Folder, FolderState, ListedMail, MailRef, MailSession, Outgoing, SpecialUse, Stage,
    Submission, SubmissionRecord,
};

use crate::mailboxes::{connections::NoPlace, submission};

use super::{
    Reading, Session, Submitting,
    failure::{failure, left_alone},
};

/// Listed mails whose sizes a session remembers.
const MAX_LISTED: usize = 10_000;

#[async_trait]
impl MailSession for Session {
    fn id(&self) -> String {
        self.account.id.to_string()
    }

    fn address(&self) -> String {
        self.account.address.clone()
    }

    fn settings(&self) -> String {
        let mut settings = self.account.settings.clone();
        if let Some(fields) = settings.as_object_mut() {
            fields.insert("preset".to_owned(), self.account.preset.clone().into());
        }
        settings.to_string()
    }

    async fn submit(&self, mail: &Outgoing) -> Result<Submission, Failure> {
        let refused = |detail: &str| Failure {
            stage: Stage::Sender,
            code: "protocol".to_owned(),
            reply: None,
            detail: detail.to_owned(),
        };
        let servers = self.servers()?.clone();
        let hook = self
            .before_body
            .clone()
            .ok_or_else(|| refused("this call sends nothing: a mail leaves only by `send`"))?;
        let mut first = false;
        self.submission.send_if_modified(|state| {
            first = matches!(state, Submitting::Before);
            if first {
                *state = Submitting::Begun;
            }
            first
        });
        if !first {
            return Err(refused("this session has submitted its mail already"));
        }
        let reserved = self.place().take();
        let place = match reserved {
            Some(place) => Ok(place),
            None => self.find_place(&servers).await,
        };
        let place = match place {
            Ok(place) => place,
            Err(NoPlace { why, .. }) => {
                let failure = left_alone(why);
                let record = SubmissionRecord::Failed(failure.clone());
                self.submission.send_replace(Submitting::Ended(record));
                return Err(failure);
            }
        };
        // A task of its own: when the guest's call is cut short, the dialogue still comes to an
        // end, and `settle` learns of it.
        let (dialer, mail, state) = (self.dialer.clone(), mail.clone(), self.submission.clone());
        let dialogue = tokio::spawn(async move {
            let result = submission::submit(place, &dialer, &mail, &*hook, &state).await;
            let record = match &result {
                Ok(submission) => SubmissionRecord::Accepted(submission.clone()),
                Err(error) => SubmissionRecord::Failed(failure(error)),
            };
            state.send_replace(Submitting::Ended(record));
            result
        });
        match dialogue.await {
            Ok(result) => result.map_err(|error| self.failure("smtp", &error)),
            Err(_) => {
                let body = matches!(&*self.submission.borrow(), Submitting::Body);
                let failure = Failure {
                    stage: if body { Stage::Body } else { Stage::Data },
                    ..refused("the dialogue with the server ended by a mistake of the host")
                };
                let record = SubmissionRecord::Failed(failure.clone());
                self.submission.send_replace(Submitting::Ended(record));
                Err(failure)
            }
        }
    }

    async fn check_submission(&self) -> Result<(), Failure> {
        let servers = self.servers()?;
        let session =
            smtp::Session::connect(&self.dialer, &servers.smtp, Some(&servers.credentials)).await;
        match session {
            Ok(session) => {
                session.quit().await;
                Ok(())
            }
            Err(error) => Err(self.explain("smtp", &servers.smtp, error).await),
        }
    }

    async fn folders(&self) -> Result<Vec<Folder>, Failure> {
        let folders = self
            .reading(None, async |reading| reading.imap.folders().await)
            .await?;
        let folder = |folder: imap::Folder| Folder {
            name: folder.name,
            special_use: folder.role.map(special_use),
            selectable: folder.selectable,
        };
        Ok(folders.into_iter().map(folder).collect())
    }

    async fn select(&self, folder: &str) -> Result<FolderState, Failure> {
        // The guest asks for the folder as it is now.
        let selected = self
            .reading(None, async |reading| reading.select_anew(folder).await)
            .await?;
        Ok(FolderState {
            uid_validity: selected.uid_validity,
            uid_next: selected.uid_next,
            messages: selected.exists,
        })
    }

    async fn list_from(
        &self,
        folder: &str,
        from_uid: u32,
        limit: u32,
    ) -> Result<Vec<ListedMail>, Failure> {
        self.reading(Some(folder), async |reading| {
            let found = reading.imap.list_from(from_uid, limit as usize).await?;
            if reading.listed.len() > MAX_LISTED {
                reading.listed.clear();
            }
            let listed = found
                .iter()
                .map(|mail| ((folder.to_owned(), mail.uid), mail.clone()));
            reading.listed.extend(listed);
            let listed = |found: imap::Found| ListedMail {
                uid: found.uid,
                message_id: found.message_id,
                size: found.size,
            };
            Ok(found.into_iter().map(listed).collect())
        })
        .await
    }

    async fn find(&self, folder: &str, message_id: &str) -> Result<Vec<u32>, Failure> {
        self.reading(Some(folder), async |reading| {
            reading.imap.search_message_id(message_id).await
        })
        .await
    }

    async fn move_to(&self, mail: &MailRef, folder: &str) -> Result<(), Failure> {
        self.on_mail(mail, async |reading| {
            reading.imap.move_to(&[mail.uid], folder).await
        })
        .await
    }

    async fn set_seen(&self, mail: &MailRef, seen: bool) -> Result<(), Failure> {
        self.on_mail(mail, async |reading| {
            reading
                .imap
                .set_flags(&[mail.uid], &[imap::Flag::Seen], seen)
                .await
        })
        .await
    }
}

impl Session {
    /// Does something to a mail, unless its UID means another one by now (MB-8).
    async fn on_mail(
        &self,
        mail: &MailRef,
        work: impl AsyncFnOnce(&mut Reading) -> mail::Result<()>,
    ) -> Result<(), Failure> {
        let same = self
            .reading(Some(&mail.folder), async |reading| {
                let selected = reading.select(&mail.folder).await?;
                if selected.uid_validity != mail.uid_validity {
                    return Ok(false);
                }
                work(reading).await.map(|()| true)
            })
            .await?;
        if same {
            return Ok(());
        }
        Err(Failure {
            stage: Stage::Select,
            code: "mailbox_changed".to_owned(),
            reply: None,
            detail: "the folder's UIDVALIDITY has changed: list its mails again".to_owned(),
        })
    }
}

fn special_use(role: imap::Role) -> SpecialUse {
    match role {
        imap::Role::Inbox => SpecialUse::Inbox,
        imap::Role::Sent => SpecialUse::Sent,
        imap::Role::Junk => SpecialUse::Junk,
        imap::Role::Trash => SpecialUse::Trash,
        imap::Role::Drafts => SpecialUse::Drafts,
        imap::Role::Archive => SpecialUse::Archive,
        imap::Role::All => SpecialUse::All,
        imap::Role::Flagged => SpecialUse::Flagged,
        imap::Role::Important => SpecialUse::Important,
    }
}
