//! What came in since last time: a cursor per folder, by UID (RFC 3501 §2.3.1.1).

use std::collections::BTreeMap;

use overture_plugin::{
    Timestamp,
    mail_provider::{Incoming, Problem, SyncPage},
    mailbox::{MailRef, Session},
};
use serde::{Deserialize, Serialize};

use crate::{folders, problems};

/// Mails of one page; the host asks again at once when there are more.
const PAGE: u32 = 200;

/// Between looks into folders that the host doesn't watch.
const CHECK_AGAIN_MS: u64 = 5 * 60_000;

/// Where we stand; the host keeps it as text.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cursor {
    folders: BTreeMap<String, Place>,
}

/// UIDs below `next` are done. They mean something only under the same `validity`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Place {
    validity: u32,
    next: u32,
}

/// One page of what is new. Without a cursor the mailbox has just been connected: what is in it
/// stays its owner's business, and only mails that come from now on count.
pub(crate) fn page<S: Session>(
    account: &S,
    cursor: Option<&str>,
    now: Timestamp,
) -> Result<SyncPage, Problem> {
    let first = cursor.is_none();
    let mut cursor = read(cursor)?;
    let listed = account.folders().map_err(problems::of_reading)?;
    let names = folders::to_read(&listed);
    cursor.folders.retain(|name, _| names.contains(name));

    let mut mails = Vec::new();
    let mut more = false;
    for (nth, name) in names.iter().enumerate() {
        let state = match account.select(name) {
            Ok(state) => state,
            Err(error) if nth == 0 => return Err(problems::of_reading(error)),
            Err(_) => {
                overture_plugin::warn!("the junk folder can't be opened; replies there wait");
                continue;
            }
        };
        let known = cursor.folders.get(name).copied();
        let from = match known {
            Some(place) if place.validity == state.uid_validity => place.next,
            // New UIDs for old mails: all are listed again, the host knows them by Message-ID.
            Some(_) => 1,
            None if first => state.uid_next.max(1),
            None => 1,
        };
        let place = Place {
            validity: state.uid_validity,
            next: from,
        };
        cursor.folders.insert(name.clone(), place);
        let room = PAGE - mails.len() as u32;
        if room == 0 {
            more = true;
            continue;
        }
        // A server that tells no next UID answers 0: then only listing tells.
        if state.uid_next != 0 && state.uid_next <= from {
            continue;
        }
        let found = account
            .list_from(name, from, room)
            .map_err(problems::of_reading)?;
        more |= found.len() as u32 == room;
        let mut next = if found.len() as u32 == room {
            from
        } else {
            from.max(state.uid_next)
        };
        for mail in found.iter().filter(|m| m.uid >= from) {
            next = next.max(mail.uid + 1);
            mails.push(Incoming::Stored(MailRef {
                folder: name.clone(),
                uid_validity: state.uid_validity,
                uid: mail.uid,
            }));
        }
        cursor.folders.insert(name.clone(), Place { next, ..place });
    }
    Ok(SyncPage {
        cursor: write(&cursor),
        mails,
        signals: Vec::new(),
        more,
        watch: names.into_iter().take(1).collect(),
        check_again_at: Some(now + CHECK_AGAIN_MS),
    })
}

fn read(cursor: Option<&str>) -> Result<Cursor, Problem> {
    let Some(text) = cursor else {
        return Ok(Cursor::default());
    };
    serde_json::from_str(text)
        .map_err(|e| Problem::Temporary(format!("the cursor of this mailbox can't be read: {e}")))
}

fn write(cursor: &Cursor) -> String {
    serde_json::to_string(cursor).expect("texts and numbers have a form in JSON")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use overture_plugin::mailbox::{
        Failure, Folder, FolderState, ListedMail, Mail, MailboxError, SpecialUse, Stage, Submission,
    };

    use super::*;

    /// A server with folders of UIDs.
    struct Server {
        folders: RefCell<BTreeMap<String, (u32, Vec<u32>)>>,
        broken: Option<&'static str>,
    }

    struct NoMail;

    impl Mail for NoMail {
        fn message_id(&self) -> String {
            unreachable!("sync submits nothing")
        }

        fn raw(&self) -> Result<Vec<u8>, MailboxError> {
            unreachable!("sync submits nothing")
        }
    }

    impl Server {
        fn with(folders: &[(&str, u32, &[u32])]) -> Self {
            let folders = folders
                .iter()
                .map(|(n, v, uids)| ((*n).into(), (*v, uids.to_vec())));
            Server {
                folders: RefCell::new(folders.collect()),
                broken: None,
            }
        }

        fn put(&self, folder: &str, validity: u32, uids: &[u32]) {
            self.folders
                .borrow_mut()
                .insert(folder.into(), (validity, uids.to_vec()));
        }
    }

    impl Session for Server {
        type Mail = NoMail;

        fn id(&self) -> String {
            "mbx_1".into()
        }

        fn address(&self) -> String {
            "ada@sender.test".into()
        }

        fn settings(&self) -> String {
            "{}".into()
        }

        fn submit(&self, _: NoMail) -> Result<Submission, MailboxError> {
            unreachable!("sync submits nothing")
        }

        fn check_submission(&self) -> Result<(), MailboxError> {
            Ok(())
        }

        fn folders(&self) -> Result<Vec<Folder>, MailboxError> {
            let folders = self.folders.borrow();
            let folder = |name: &String| Folder {
                name: name.clone(),
                special_use: (name == "Junk").then_some(SpecialUse::Junk),
                selectable: true,
            };
            Ok(folders.keys().map(folder).collect())
        }

        fn select(&self, folder: &str) -> Result<FolderState, MailboxError> {
            if self.broken == Some(folder) {
                let (code, detail) = ("protocol".into(), "no".into());
                let reply = None;
                return Err(MailboxError::Failed(Failure {
                    stage: Stage::Select,
                    code,
                    reply,
                    detail,
                }));
            }
            let folders = self.folders.borrow();
            let (uid_validity, uids) = &folders[folder];
            let uid_next = uids.last().map_or(1, |u| u + 1);
            Ok(FolderState {
                uid_validity: *uid_validity,
                uid_next,
                messages: uids.len() as u32,
            })
        }

        fn list_from(
            &self,
            folder: &str,
            from: u32,
            limit: u32,
        ) -> Result<Vec<ListedMail>, MailboxError> {
            let folders = self.folders.borrow();
            let uids = folders[folder]
                .1
                .iter()
                .filter(|u| **u >= from)
                .take(limit as usize);
            Ok(uids
                .map(|&uid| ListedMail {
                    uid,
                    message_id: None,
                    size: 1,
                })
                .collect())
        }
    }

    fn places(page: &SyncPage) -> Vec<(String, u32, u32)> {
        let place = |mail: &Incoming| match mail {
            Incoming::Stored(m) => (m.folder.clone(), m.uid_validity, m.uid),
            Incoming::Raw(_) => panic!("this provider brings no bytes"),
        };
        page.mails.iter().map(place).collect()
    }

    fn sync(server: &Server, cursor: Option<&str>) -> SyncPage {
        page(server, cursor, 1_000).unwrap()
    }

    #[test]
    fn begins_at_the_end_and_goes_on_from_there() {
        let server = Server::with(&[("INBOX", 7, &[1, 2, 3]), ("Junk", 8, &[5])]);
        let start = sync(&server, None);
        assert_eq!(places(&start), []);
        assert_eq!(start.watch, ["INBOX"]);
        assert_eq!(start.check_again_at, Some(301_000));

        server.put("INBOX", 7, &[1, 2, 3, 4, 9]);
        server.put("Junk", 8, &[5, 6]);
        let next = sync(&server, Some(&start.cursor));
        let expected = [("INBOX", 7, 4), ("INBOX", 7, 9), ("Junk", 8, 6)];
        assert_eq!(
            places(&next),
            expected.map(|(f, v, u)| (f.to_owned(), v, u))
        );
        assert!(!next.more);
        assert_eq!(places(&sync(&server, Some(&next.cursor))), []);
    }

    /// MB-8: after a change of UIDVALIDITY old UIDs mean nothing.
    #[test]
    fn lists_anew_after_a_change_of_uidvalidity() {
        let server = Server::with(&[("INBOX", 7, &[1, 2, 3])]);
        let start = sync(&server, None);
        server.put("INBOX", 8, &[1, 2]);
        let next = sync(&server, Some(&start.cursor));
        assert_eq!(places(&next).len(), 2);
        assert_eq!(places(&sync(&server, Some(&next.cursor))), []);
    }

    #[test]
    fn a_folder_that_appears_later_is_read_from_its_start() {
        let server = Server::with(&[("INBOX", 7, &[1])]);
        let start = sync(&server, None);
        server.put("Junk", 1, &[1, 2]);
        assert_eq!(places(&sync(&server, Some(&start.cursor))).len(), 2);
    }

    #[test]
    fn many_mails_come_in_pages() {
        let uids: Vec<u32> = (1..=450).collect();
        let server = Server::with(&[("INBOX", 7, &[]), ("Junk", 8, &[])]);
        let mut cursor = sync(&server, None).cursor;
        server.put("INBOX", 7, &uids);
        server.put("Junk", 8, &[1]);
        let mut seen = Vec::new();
        loop {
            let page = sync(&server, Some(&cursor));
            seen.extend(places(&page));
            cursor = page.cursor;
            if !page.more {
                break;
            }
        }
        assert_eq!(seen.len(), 451);
        seen.dedup();
        assert_eq!(seen.len(), 451);
    }

    /// MB-3: no sync fails silently.
    #[test]
    fn a_broken_inbox_is_told_and_a_broken_junk_folder_is_logged() {
        let mut server = Server::with(&[("INBOX", 7, &[1]), ("Junk", 8, &[1])]);
        let start = sync(&server, None);
        server.broken = Some("Junk");
        server.put("INBOX", 7, &[1, 2]);
        let next = sync(&server, Some(&start.cursor));
        assert_eq!(places(&next).len(), 1);
        assert_eq!(overture_plugin::testing::lines().len(), 1);

        // And what waited there comes once it opens again.
        server.broken = None;
        server.put("Junk", 8, &[1, 2]);
        assert_eq!(places(&sync(&server, Some(&next.cursor))).len(), 1);

        server.broken = Some("INBOX");
        assert!(matches!(page(&server, None, 0), Err(Problem::Temporary(_))));
    }
}
