//! The mails of a page: fetched, read, and each with an id that makes it one (MB-8).

use overture_domain::Timestamp;
use overture_mail::inbound::{self, Inbound};
use overture_plugin_host::{
    Incoming,
    capabilities::mailbox::{Failure, MailRef},
};
use sha2::{Digest, Sha256};

use crate::mailboxes::Session;

/// Of a larger mail only the beginning is read: what counts stands there.
pub(super) const BYTES_EACH: usize = 1024 * 1024;

/// Bytes fetched at once.
const BYTES_AT_ONCE: u64 = 8 * 1024 * 1024;

/// A mail that came in.
#[derive(Debug)]
pub(super) struct Arrival {
    /// Its Message-ID, or one made of its content where it has none.
    pub external_id: String,
    pub mail: Inbound,
    /// When the server got it, if the host fetched it from one.
    pub received: Option<Timestamp>,
    /// Where it lies, if the host fetched it.
    pub place: Option<MailRef>,
}

impl Arrival {
    pub(super) fn read(bytes: &[u8], received: Option<Timestamp>, place: Option<MailRef>) -> Self {
        let mut mail = inbound::parse(bytes);
        clean(&mut mail);
        let external_id = match mail.message_id.as_deref() {
            // No database index takes more, and no honest id is longer.
            Some(id) if !id.is_empty() && id.len() <= 500 => id.to_owned(),
            _ => format!("{}@content", hex::encode(&Sha256::digest(bytes)[..20])),
        };
        Self {
            external_id,
            mail,
            received,
            place,
        }
    }

    /// The sender's address; empty where it has none.
    pub(super) fn sender(&self) -> &str {
        self.mail.sender()
    }
}

/// Texts of a mail go into the database, and PostgreSQL takes no NUL.
fn clean(mail: &mut Inbound) {
    let clean = |text: &mut String| {
        if text.contains('\0') {
            text.retain(|c| c != '\0');
        }
    };
    for text in [&mut mail.subject, &mut mail.text, &mut mail.newest_text] {
        clean(text);
    }
    let optional = [&mut mail.message_id, &mut mail.html];
    optional.into_iter().flatten().for_each(clean);
    mail.in_reply_to
        .iter_mut()
        .chain(&mut mail.references)
        .for_each(clean);
    for mailbox in mail
        .from
        .iter_mut()
        .chain(&mut mail.reply_to)
        .chain(&mut mail.to)
    {
        clean(&mut mailbox.address);
    }
}

/// Fetches and reads the mails of a page, in its order. Those that have vanished, or that are
/// listed under an old UIDVALIDITY, are left out: the provider lists them anew.
///
/// # Errors
/// How far the host came with the server.
pub(super) async fn fetch(
    session: &Session,
    incoming: Vec<Incoming>,
) -> Result<Vec<Arrival>, Failure> {
    let mut arrivals = Vec::with_capacity(incoming.len());
    let mut batch: Vec<MailRef> = Vec::new();
    let mut bytes = 0;
    for mail in incoming {
        match mail {
            Incoming::Raw(raw) => {
                fetch_batch(session, std::mem::take(&mut batch), &mut arrivals).await?;
                bytes = 0;
                arrivals.push(Arrival::read(&raw, None, None));
            }
            Incoming::Stored(place) => {
                let other = batch.last().is_some_and(|last| {
                    (&last.folder, last.uid_validity) != (&place.folder, place.uid_validity)
                });
                if other || bytes >= BYTES_AT_ONCE {
                    fetch_batch(session, std::mem::take(&mut batch), &mut arrivals).await?;
                    bytes = 0;
                }
                let size = session.listed_size(&place.folder, place.uid).await;
                bytes += size.unwrap_or(u64::MAX).min(BYTES_EACH as u64);
                batch.push(place);
            }
        }
    }
    fetch_batch(session, batch, &mut arrivals).await?;
    Ok(arrivals)
}

async fn fetch_batch(
    session: &Session,
    batch: Vec<MailRef>,
    arrivals: &mut Vec<Arrival>,
) -> Result<(), Failure> {
    let Some(first) = batch.first() else {
        return Ok(());
    };
    let uids: Vec<u32> = batch.iter().map(|place| place.uid).collect();
    let fetched = session
        .fetch(&first.folder, first.uid_validity, &uids, BYTES_EACH)
        .await?;
    for mail in fetched {
        let place = batch.iter().find(|place| place.uid == mail.uid).cloned();
        arrivals.push(Arrival::read(&mail.bytes, mail.received, place));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // MB-8: a mail without an id is the same mail when it is listed again.
    #[test]
    fn every_mail_has_an_id() {
        let id = |mail: &str| Arrival::read(mail.as_bytes(), None, None).external_id;
        assert_eq!(id("Message-ID: <a@example.com>\r\n\r\nhi"), "a@example.com");
        let made = id("From: x@example.com\r\n\r\nhi");
        assert!(made.ends_with("@content"), "{made}");
        assert_eq!(made, id("From: x@example.com\r\n\r\nhi"));
        assert_ne!(made, id("From: x@example.com\r\n\r\nho"));
        assert!(id(&format!("Message-ID: <{}@x>\r\n\r\n", "a".repeat(900))).ends_with("@content"));
    }

    #[test]
    fn no_nul_gets_through() {
        let arrival = Arrival::read(
            b"Subject: a\0b\r\nFrom: x\0@example.com\r\n\r\nc\0d",
            None,
            None,
        );
        let shown = format!(
            "{:?}",
            (&arrival.mail.subject, &arrival.mail.text, arrival.sender())
        );
        assert!(!shown.contains("\\0"), "{shown}");
    }
}
