//! Whose a mail is (TRK-3): by In-Reply-To, then References from last to first, then a report's
//! original Message-ID, then, with low confidence, by an address that this mailbox wrote to.
//!
//! Mails of two contacts never merge: when the sender is a person whom we wrote to themselves, from
//! whichever mailbox and however that ended, a thread of somebody else's, forwarded to them, does
//! not make the mail that one's.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use overture_domain::{
    AccountId, Timestamp, WorkspaceId,
    accounts::Account,
    enrollments::EnrollmentState,
    messages::{Attribution, MailKey},
    prospects::email_key,
};
use overture_mail::inbound::{Inbound, Report};
use overture_store::messages::{self as store, Origin};

use crate::{Env, Result, unsubscribe};

use super::arrivals::Arrival;

/// A mail that belongs to an enrollment.
#[derive(Debug)]
pub(super) struct Attributed {
    pub arrival: Arrival,
    pub origin: Origin,
    pub by: Attribution,
}

/// Finds the enrollments of mails. Those that belong to none are left out: the owner's other mail
/// is not ours to keep.
pub(super) async fn attribute(
    env: &Env,
    account: &Account,
    mut arrivals: Vec<Arrival>,
) -> Result<Vec<Attributed>> {
    let own = email_key(&account.address);
    arrivals.retain(|arrival| email_key(arrival.sender()) != own || arrival.mail.report.is_some());
    let mut on = env.db.reader();
    let ids: Vec<&str> = arrivals
        .iter()
        .map(|arrival| &*arrival.external_id)
        .collect();
    let known = store::known(&mut on, account.id, &ids).await?;
    arrivals.retain(|arrival| !known.contains(&arrival.external_id));
    if arrivals.is_empty() {
        return Ok(Vec::new());
    }

    let ws = account.workspace_id;
    let ids: BTreeSet<&str> = arrivals
        .iter()
        .flat_map(|arrival| named_ids(&arrival.mail))
        .collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let by_id = Origins::by_id(store::origins(&mut on, ws, &ids).await?);
    let addresses: BTreeSet<&str> = arrivals.iter().flat_map(addresses).collect();
    let addresses: Vec<&str> = addresses.into_iter().collect();
    let found = store::origins_by_address(&mut on, ws, &addresses).await?;
    let by_address = Origins::by_address(found);
    let known = Known {
        account: account.id,
        by_id,
        by_address,
    };

    let mut attributed = Vec::new();
    for arrival in arrivals {
        let origin = match known.find(&arrival) {
            Some(found) => Some(found),
            None => by_token(env, ws, &arrival)
                .await?
                .map(|origin| (origin, Attribution::Token)),
        };
        if let Some((origin, by)) = origin {
            attributed.push(Attributed {
                arrival,
                origin,
                by,
            });
        }
    }
    Ok(attributed)
}

/// Every Message-ID that a mail names as something it answers or reports on.
fn named_ids(mail: &Inbound) -> impl Iterator<Item = &str> {
    let reported = match &mail.report {
        Some(Report::Delivery(report)) => report.original_message_id.as_deref(),
        Some(Report::Feedback(feedback)) => feedback.original_message_id.as_deref(),
        None => None,
    };
    let thread = mail
        .in_reply_to
        .iter()
        .chain(&mail.references)
        .map(String::as_str);
    thread.chain(reported)
}

/// Every address that may tell whose a mail is: the sender, or the recipients of a report.
fn addresses(arrival: &Arrival) -> Vec<&str> {
    match &arrival.mail.report {
        None => vec![arrival.sender()],
        Some(Report::Delivery(report)) => report
            .recipients
            .iter()
            .flat_map(|r| [Some(&*r.address), r.final_address.as_deref()])
            .flatten()
            .collect(),
        Some(Report::Feedback(feedback)) => {
            feedback.recipients.iter().map(String::as_str).collect()
        }
    }
}

/// Origins by what they were looked up with.
struct Origins(HashMap<String, Vec<Origin>>);

impl Origins {
    fn by_id(found: Vec<Origin>) -> Self {
        Self::by(found, |origin| origin.external_id.clone())
    }

    fn by_address(found: Vec<Origin>) -> Self {
        Self::by(found, |origin| email_key(&origin.prospect_email))
    }

    fn by(found: Vec<Origin>, key: impl Fn(&Origin) -> String) -> Self {
        let mut origins: HashMap<String, Vec<Origin>> = HashMap::new();
        for origin in found {
            origins.entry(key(&origin)).or_default().push(origin);
        }
        Self(origins)
    }

    fn first(&self, key: &str) -> Option<&Origin> {
        self.0.get(key)?.first()
    }
}

/// What is known of the Message-IDs and addresses of some mails.
struct Known {
    /// The mailbox that they came to.
    account: AccountId,
    by_id: Origins,
    by_address: Origins,
}

impl Known {
    fn find(&self, arrival: &Arrival) -> Option<(Origin, Attribution)> {
        let mail = &arrival.mail;
        if let Some(report) = &mail.report {
            let original = match report {
                Report::Delivery(report) => report.original_message_id.as_deref(),
                Report::Feedback(feedback) => feedback.original_message_id.as_deref(),
            };
            let by_original = original.and_then(|id| self.by_id.first(id));
            let mut addresses = addresses(arrival).into_iter();
            return by_original
                .map(|origin| (origin.clone(), Attribution::Report))
                .or_else(|| by_thread(mail, &self.by_id, None))
                .or_else(|| addresses.find_map(|address| self.written_to(arrival, address)));
        }
        // Somebody whom we wrote to: their mail is theirs, whatever thread it came in.
        let sender = email_key(arrival.sender());
        let theirs = self.by_address.first(&sender);
        by_thread(mail, &self.by_id, theirs.map(|_| &*sender))
            .or_else(|| self.written_to(arrival, &sender))
            .or_else(|| self.of_contact(mail, &sender))
    }

    /// By an address that this mailbox wrote to, where that goes on or is through.
    fn written_to(&self, arrival: &Arrival, address: &str) -> Option<(Origin, Attribution)> {
        let mut origins = self.by_address.0.get(&email_key(address))?.iter();
        let origin = origins.find(|origin| {
            let state = origin.enrollment_state;
            let lives = state.is_open() || state.is_parked() || state == EnrollmentState::Completed;
            lives && origin.account_id == Some(self.account) && !is_older(arrival, origin)
        })?;
        Some((origin.clone(), Attribution::Address))
    }

    /// A contact writes in a thread of ours with somebody else: what they say stands with what
    /// they were sent, from this mailbox if it can be.
    fn of_contact(&self, mail: &Inbound, sender: &str) -> Option<(Origin, Attribution)> {
        named_ids(mail).find(|id| self.by_id.first(id).is_some())?;
        let origins = self.by_address.0.get(sender)?;
        let here = origins
            .iter()
            .find(|origin| origin.account_id == Some(self.account));
        let origin = here.or(origins.first())?;
        Some((origin.clone(), Attribution::Address))
    }
}

/// Clocks of servers may differ by so much.
const SLACK: Duration = Duration::from_secs(86_400);

/// Whether the mail was there before what went out: then it answers nothing of it. Such mails are
/// listed when a folder's UIDVALIDITY changes (MB-8).
fn is_older(arrival: &Arrival, origin: &Origin) -> bool {
    let times = arrival.received.zip(origin.sent_at);
    times.is_some_and(|(received, sent)| received + SLACK < sent)
}

/// By the thread's Message-IDs; where `of` is given, only what that person was sent.
fn by_thread(mail: &Inbound, by_id: &Origins, of: Option<&str>) -> Option<(Origin, Attribution)> {
    let look = |id: &String| {
        let origins = by_id.0.get(id)?.iter();
        let mut fitting =
            origins.filter(|origin| of.is_none_or(|of| email_key(&origin.prospect_email) == of));
        fitting.next().cloned()
    };
    let parent = mail
        .in_reply_to
        .iter()
        .find_map(look)
        .map(|o| (o, Attribution::InReplyTo));
    parent.or_else(|| {
        let earlier = mail.references.iter().rev().find_map(look);
        earlier.map(|origin| (origin, Attribution::References))
    })
}

/// By the token that the mailto of List-Unsubscribe put into the subject (TRK-4).
async fn by_token(env: &Env, ws: WorkspaceId, arrival: &Arrival) -> Result<Option<Origin>> {
    let Some(claim) = claim(env, &arrival.mail.subject, env.now()) else {
        return Ok(None);
    };
    if claim.workspace_id != ws {
        return Ok(None);
    }
    Ok(store::origin_of(&mut env.db.reader(), ws, claim.enrollment_id).await?)
}

/// Shorter words are no tokens.
const SHORTEST_TOKEN: usize = 40;

fn claim(env: &Env, subject: &str, now: Timestamp) -> Option<MailKey> {
    let read = |word: &str| unsubscribe::read_token(env, word, now).ok();
    let words = subject
        .split([' ', ':', '\t'])
        .filter(|word| word.len() >= SHORTEST_TOKEN);
    words.take(5).find_map(read)
}

#[cfg(test)]
mod tests {
    use overture_domain::{Id, rng::SeededRng};

    use super::*;

    fn id<K: overture_domain::id::Kind>(n: u64) -> Id<K> {
        Id::new(Timestamp::from_secs(1), &SeededRng::new(n))
    }

    fn origin(n: u64, external_id: &str, email: &str) -> Origin {
        Origin {
            external_id: external_id.into(),
            campaign_id: id(1),
            enrollment_id: id(n),
            prospect_id: id(n),
            prospect_email: email.into(),
            enrollment_state: EnrollmentState::Completed,
            account_id: Some(id(2)),
            step_index: Some(0),
            subject: None,
            sent_at: None,
        }
    }

    /// Grace's enrollment has two steps, and linus has one; mara's is over, and another mailbox
    /// wrote to noor.
    fn check(headers: &str, expected: Option<(&str, Attribution)>) {
        let sent = [
            origin(1, "g0@s.test", "grace@example.net"),
            origin(1, "g1@s.test", "grace@example.net"),
            origin(2, "l0@s.test", "Linus@example.net"),
            Origin {
                enrollment_state: EnrollmentState::Replied,
                ..origin(3, "m0@s.test", "mara@example.net")
            },
            Origin {
                account_id: Some(id(9)),
                ..origin(4, "n0@s.test", "noor@example.net")
            },
        ];
        let known = Known {
            account: id(2),
            by_id: Origins::by_id(sent.to_vec()),
            by_address: Origins::by_address(sent.to_vec()),
        };
        let bytes = format!("{headers}\r\n\r\nhello");
        let arrival = Arrival {
            external_id: "x@x".into(),
            mail: overture_mail::inbound::parse(bytes.as_bytes()),
            received: None,
            place: None,
        };
        let found = known.find(&arrival);
        let found = found
            .as_ref()
            .map(|(o, by)| (email_key(&o.prospect_email), *by));
        let expected = expected.map(|(email, by)| (email.to_owned(), by));
        assert_eq!(found, expected, "{headers}");
    }

    // TRK-3
    #[test]
    fn the_surest_sign_decides() {
        use Attribution::{Address, InReplyTo, References};
        let grace = "grace@example.net";
        check(
            "From: grace@example.net\r\nIn-Reply-To: <g1@s.test>",
            Some((grace, InReplyTo)),
        );
        check(
            "From: grace@example.net\r\nIn-Reply-To: <hers@example.net>\r\nReferences: <g0@s.test> <hers@example.net>",
            Some((grace, References)),
        );
        // A colleague in copy, a new address, lost headers.
        check(
            "From: eve@example.net\r\nIn-Reply-To: <g0@s.test>",
            Some((grace, InReplyTo)),
        );
        check(
            "From: GRACE@Example.net\r\nSubject: about your mail",
            Some((grace, Address)),
        );
        check("From: stranger@example.org\r\nIn-Reply-To: <other@x>", None);
        check("Subject: no sender at all", None);
    }

    // TRK-3: mails of two contacts never merge.
    #[test]
    fn a_forwarded_thread_does_not_merge_two_people() {
        use Attribution::{Address, References};
        let linus = "linus@example.net";
        check(
            "From: linus@example.net\r\nReferences: <l0@s.test> <g0@s.test>\r\nIn-Reply-To: <g0@s.test>",
            Some((linus, References)),
        );
        for person in [linus, "mara@example.net", "noor@example.net"] {
            let headers = format!("From: {person}\r\nIn-Reply-To: <g0@s.test>");
            check(&headers, Some((person, Address)));
        }
        // Without a thread only what this mailbox wrote, and what goes on or is through, counts.
        check("From: mara@example.net\r\nSubject: hello", None);
        check("From: noor@example.net\r\nSubject: hello", None);
    }
}
