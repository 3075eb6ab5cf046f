//! New mail, a page at a time.

use std::collections::BTreeMap;

use overture_domain::Timestamp;

use super::{Piece, Response, SMALL, Session, parse::Value, uid_set};
use crate::{Result, Stage};

/// How much a page may hold.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    /// Mails.
    pub mails: usize,
    /// Bytes of one mail; what is larger comes cut off there.
    pub bytes_each: usize,
    /// Bytes of all together; the first mail comes in any case.
    pub bytes_total: usize,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            mails: 100,
            bytes_each: 2 * 1024 * 1024,
            bytes_total: 8 * 1024 * 1024,
        }
    }
}

/// A mail that is there, not yet fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its UID in the selected folder.
    pub uid: u32,
    /// Its size in bytes (RFC822.SIZE).
    pub size: u64,
    /// Its flags, `\Seen`.
    pub flags: Vec<String>,
    /// Its Message-ID without brackets, where it has one.
    pub message_id: Option<String>,
}

/// A fetched mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Its UID in the selected folder.
    pub uid: u32,
    /// Its size on the server in bytes.
    pub size: u64,
    /// Its flags, `\Seen`.
    pub flags: Vec<String>,
    /// When the server got it (INTERNALDATE, RFC 3501 §2.3.3).
    pub received: Option<Timestamp>,
    /// Its bytes, as many as the limit allows.
    pub bytes: Vec<u8>,
}

impl Mail {
    /// Whether `bytes` is only the beginning.
    pub fn is_cut(&self) -> bool {
        (self.bytes.len() as u64) < self.size
    }
}

/// A page of new mail, in the order of UIDs.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The mails.
    pub mails: Vec<Mail>,
    /// The UID to go on after: mails that vanished in between are passed over.
    pub last_uid: u32,
    /// Whether there are more.
    pub more: bool,
}

impl Session {
    /// The mails of the selected folder with UIDs of at least `first`, the lowest `count` of
    /// them.
    ///
    /// # Errors
    /// At the stage `fetch`.
    pub async fn list_from(&mut self, first: u32, count: usize) -> Result<Vec<Found>> {
        let first = first.max(1);
        let mut found = BTreeMap::new();
        let command = format!(
            "UID FETCH {first}:* (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"
        );
        self.run(Stage::Fetch, command, |data| {
            // `n:*` always names the last mail, whatever its UID; and news of other mails come
            // in between.
            if let Some(mail) = found_of(&data).filter(|mail| mail.uid >= first) {
                found.insert(mail.uid, mail);
                if found.len() > count {
                    found.pop_last();
                }
            }
        })
        .await?;
        Ok(found.into_values().collect())
    }

    /// The mails `found`, each cut off at `bytes_each`, without marking them as read.
    ///
    /// # Errors
    /// At the stage `fetch`.
    pub async fn fetch(&mut self, found: &[Found], bytes_each: usize) -> Result<Vec<Mail>> {
        let (large, whole): (Vec<&Found>, Vec<&Found>) =
            found.iter().partition(|mail| mail.size > bytes_each as u64);
        let mut bodies: BTreeMap<u32, (Option<Timestamp>, Vec<u8>)> = BTreeMap::new();
        for (mails, section) in [
            (whole, "BODY.PEEK[]".to_owned()),
            (large, format!("BODY.PEEK[]<0.{bytes_each}>")),
        ] {
            if mails.is_empty() {
                continue;
            }
            let uids: Vec<u32> = mails.iter().map(|mail| mail.uid).collect();
            let set = uid_set(&uids);
            let command = Piece::Text(format!("UID FETCH {set} (UID INTERNALDATE {section})"));
            let largest = bytes_each.saturating_mul(2).saturating_add(SMALL);
            self.run_noticing(Stage::Fetch, &[command], largest, |response| {
                if let Response::Data(data) = response
                    && let (Some(uid), received) = (uid_of(&data), received_of(&data))
                    && let Some(body) = body_of(data)
                {
                    bodies.insert(uid, (received, body));
                }
            })
            .await?;
        }
        let mails = found.iter().filter_map(|mail| {
            let (received, mut bytes) = bodies.remove(&mail.uid)?;
            bytes.truncate(bytes_each);
            Some(Mail {
                uid: mail.uid,
                size: mail.size,
                flags: mail.flags.clone(),
                received,
                bytes,
            })
        });
        Ok(mails.collect())
    }

    /// The next page of mails with UIDs above `after` in the selected folder (MB-8).
    ///
    /// # Errors
    /// At the stage `fetch`.
    pub async fn fetch_since(&mut self, after: u32, limits: &FetchLimits) -> Result<Page> {
        let Some(first) = after.checked_add(1) else {
            return Ok(Page {
                last_uid: after,
                ..Page::default()
            });
        };
        let mut found = self
            .list_from(first, limits.mails.saturating_add(1))
            .await?;
        let mut total = 0_u64;
        let fits = found.iter().take(limits.mails.max(1)).take_while(|mail| {
            let first = total == 0;
            total += mail.size.min(limits.bytes_each as u64).max(1);
            first || total <= limits.bytes_total as u64
        });
        let fits = fits.count();
        let more = found.len() > fits;
        found.truncate(fits);
        let last_uid = found.last().map_or(after, |mail| mail.uid);
        let mails = self.fetch(&found, limits.bytes_each).await?;
        Ok(Page {
            mails,
            last_uid,
            more,
        })
    }
}

/// Name and value pairs of a FETCH response.
fn attributes(data: &[Value]) -> impl Iterator<Item = (&Value, &Value)> {
    let list = match data {
        [_, word, list, ..] if word.is("FETCH") => list.list(),
        _ => &[],
    };
    list.chunks_exact(2).map(|pair| (&pair[0], &pair[1]))
}

pub(super) fn uid_of(data: &[Value]) -> Option<u32> {
    let (_, uid) = attributes(data).find(|(name, _)| name.is("UID"))?;
    uid.number().and_then(|uid| u32::try_from(uid).ok())
}

fn found_of(data: &[Value]) -> Option<Found> {
    let uid = uid_of(data)?;
    let (_, size) = attributes(data).find(|(name, _)| name.is("RFC822.SIZE"))?;
    let flags = attributes(data)
        .find(|(name, _)| name.is("FLAGS"))
        .map(|(_, flags)| flags.list().iter().filter_map(Value::text).collect())
        .unwrap_or_default();
    let message_id = attributes(data)
        .filter(|(name, _)| {
            name.text()
                .is_some_and(|name| name.to_ascii_uppercase().starts_with("BODY[HEADER"))
        })
        .find_map(|(_, header)| id_in(&header.text()?));
    Some(Found {
        uid,
        size: size.number()?,
        flags,
        message_id,
    })
}

/// What stands between the first angle brackets.
fn id_in(header: &str) -> Option<String> {
    let (_, id) = header.split_once('<')?;
    let (id, _) = id.split_once('>')?;
    (!id.trim().is_empty()).then(|| id.trim().to_owned())
}

fn received_of(data: &[Value]) -> Option<Timestamp> {
    let (_, date) = attributes(data).find(|(name, _)| name.is("INTERNALDATE"))?;
    internal_date(&date.text()?)
}

/// `17-Jul-1996 02:44:25 -0700`; a day of one digit has a space before it.
fn internal_date(text: &str) -> Option<Timestamp> {
    let mut words = text.split_whitespace();
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    let mut parts = date.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let months = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let month = 1 + months.iter().position(|m| month.eq_ignore_ascii_case(m))?;
    let (hours, minutes) = zone.split_at_checked(3)?;
    format!("{year}-{month:02}-{day:0>2}T{time}{hours}:{minutes}")
        .parse()
        .ok()
}

fn body_of(data: Vec<Value>) -> Option<Vec<u8>> {
    let list = data.into_iter().nth(2)?;
    let Value::List(list) = list else { return None };
    let mut list = list.into_iter();
    while let (Some(name), Some(value)) = (list.next(), list.next()) {
        // The server writes `BODY[]`, or `BODY[]<0>` for the beginning only.
        let name = name.text().unwrap_or_default().to_ascii_uppercase();
        if name == "BODY[]" || name == "BODY[]<0>" {
            return match value {
                Value::Text(bytes) => Some(bytes),
                Value::Nil => Some(Vec::new()),
                _ => None,
            };
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_arrival_are_read() {
        let check = |text: &str, expected: Option<&str>| {
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(internal_date(text), expected, "{text}");
        };
        check("17-Jul-1996 02:44:25 -0700", Some("1996-07-17T09:44:25Z"));
        check(" 2-mar-2026 09:00:00 +0000", Some("2026-03-02T09:00:00Z"));
        for odd in [
            "",
            "yesterday",
            "17-Foo-1996 02:44:25 -0700",
            "17-Jul-1996 02:44:25 é",
        ] {
            check(odd, None);
        }
    }
}
