//! The two hundred: where they live, and what each does with our mails. What must come of it is
//! computed here, from what they do alone.

use std::{collections::BTreeMap, fmt::Write as _};

use overture_testkit::servers::Account;

use super::campaigns::{Kind, STEPS};

pub(super) const PEOPLE: usize = 200;
const DOMAINS: usize = 8;
const ZONES: [&str; 3] = ["Europe/Berlin", "America/New_York", "Asia/Kolkata"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    German,
    English,
}

/// What somebody does. Numbers are steps, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing.
    Silent,
    /// Answers in the thread.
    Replies(usize),
    /// Answers from an address that nobody knows.
    RepliesFromElsewhere(usize),
    /// A machine says that they are out of office, and when they are back.
    Away(usize, Language),
    /// Presses the button of the mail program.
    UnsubscribesByPost(usize),
    /// Asks for it in words.
    UnsubscribesInWords(usize, Language),
    /// Their server takes the mail, and reports that there is no such mailbox.
    Gone,
    /// Their server says so at once.
    Refused,
    /// The mailbox is full, and stays it.
    Full,
    /// The mailbox is full, until it is emptied after the first mail.
    FullAtFirst,
    /// Their server always asks to try again later.
    Greylisted,
    /// Looks at the pictures of the first mail.
    Opens,
    /// Follows a link of the first mail, without the pictures.
    Clicks,
    /// A scanner does both, at once.
    Scanned,
}

use Language::{English, German};
use Role::{
    Away, Clicks, Full, FullAtFirst, Gone, Greylisted, Opens, Refused, Replies,
    RepliesFromElsewhere, Scanned, Silent, UnsubscribesByPost, UnsubscribesInWords,
};

/// How many there are of each; the others are silent.
const ROLES: [(Role, usize); 22] = [
    (Replies(0), 8),
    (Replies(1), 6),
    (Replies(2), 4),
    (RepliesFromElsewhere(0), 3),
    (RepliesFromElsewhere(1), 3),
    (Away(0, German), 6),
    (Away(0, English), 6),
    (Away(1, German), 3),
    (Away(1, English), 3),
    (UnsubscribesByPost(0), 4),
    (UnsubscribesByPost(1), 3),
    (UnsubscribesInWords(0, German), 3),
    (UnsubscribesInWords(0, English), 3),
    (UnsubscribesInWords(1, English), 2),
    (Gone, 5),
    (Refused, 3),
    (Full, 2),
    (FullAtFirst, 3),
    (Greylisted, 2),
    (Opens, 8),
    (Clicks, 7),
    (Scanned, 3),
];

impl Role {
    /// How many steps reach them.
    pub(super) const fn steps(self) -> usize {
        match self {
            Replies(step)
            | RepliesFromElsewhere(step)
            | UnsubscribesByPost(step)
            | UnsubscribesInWords(step, _) => step + 1,
            Gone | Refused | Full | Greylisted => 0,
            _ => STEPS,
        }
    }

    /// How many mails to them our server takes. A mail that comes back for a reason that passes is
    /// tried three times more (SAF-4).
    pub(super) const fn taken(self) -> usize {
        match self {
            Gone => 1,
            Full => 4,
            FullAtFirst => STEPS + 1,
            role => role.steps(),
        }
    }

    /// Where their way through the campaign ends (SEQ-5).
    pub(super) const fn end(self) -> &'static str {
        match self {
            Replies(_) | RepliesFromElsewhere(_) => "replied",
            UnsubscribesByPost(_) | UnsubscribesInWords(..) => "unsubscribed",
            Gone | Refused => "bounced",
            Full | Greylisted => "failed",
            _ => "completed",
        }
    }

    /// The step after which they do it.
    pub(super) const fn acts_after(self) -> Option<usize> {
        match self {
            Replies(step)
            | RepliesFromElsewhere(step)
            | Away(step, _)
            | UnsubscribesByPost(step)
            | UnsubscribesInWords(step, _) => Some(step),
            FullAtFirst | Opens | Clicks | Scanned => Some(0),
            Silent | Gone | Refused | Full | Greylisted => None,
        }
    }

    /// Whether nothing may come after what they did.
    pub(super) const fn ends_it(self) -> bool {
        !matches!(self.end().as_bytes(), b"completed")
    }

    const fn has_mailbox(self) -> bool {
        !matches!(self, Gone | Refused | Greylisted)
    }
}

/// A prospect.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) number: usize,
    pub(super) email: String,
    /// IANA name.
    pub(super) zone: &'static str,
    pub(super) campaign: Kind,
    pub(super) role: Role,
}

impl Person {
    fn new(number: usize) -> Self {
        // Eight at each domain, three in each of the last two eights of a domain.
        let campaign = match number / DOMAINS % 8 {
            7 => Kind::Evenings,
            _ => Kind::Office,
        };
        let role = match role(number) {
            // In mails that aren't tracked there is nothing to open or click.
            Opens | Clicks | Scanned if campaign == Kind::Evenings => Silent,
            role => role,
        };
        let domain = number % DOMAINS;
        // The kit's servers know these names (`servers::FATES`).
        let email = match role {
            Refused => format!("refused@d{domain}.test"),
            Greylisted => format!("greylisted@d{domain}.test"),
            _ => format!("p{number}@d{domain}.test"),
        };
        Self {
            number,
            email,
            zone: ZONES[number % ZONES.len()],
            campaign,
            role,
        }
    }
}

/// Roles are spread over domains, zones and campaigns.
fn role(number: usize) -> Role {
    let mut place = number * 77 % PEOPLE;
    for (role, n) in ROLES {
        match place.checked_sub(n) {
            None => return role,
            Some(rest) => place = rest,
        }
    }
    Silent
}

pub(super) struct People(Vec<Person>);

impl People {
    pub(super) fn new() -> Self {
        let people: Vec<Person> = (0..PEOPLE).map(Person::new).collect();
        let mut emails: Vec<&str> = people.iter().map(|person| &*person.email).collect();
        emails.sort_unstable();
        emails.dedup();
        assert_eq!(
            emails.len(),
            PEOPLE,
            "everybody has an address of their own"
        );
        Self(people)
    }

    pub(super) fn all(&self) -> &[Person] {
        &self.0
    }

    pub(super) fn of(&self, campaign: Kind) -> impl Iterator<Item = &Person> {
        self.0.iter().filter(move |p| p.campaign == campaign)
    }

    pub(super) fn by_email(&self, email: &str) -> &Person {
        let found = self.0.iter().find(|person| person.email == email);
        found.unwrap_or_else(|| panic!("{email} is a stranger"))
    }

    /// Their mailboxes.
    pub(super) fn accounts(&self) -> Vec<Account> {
        let have = self.0.iter().filter(|person| person.role.has_mailbox());
        have.map(|person| Account {
            quota_bytes: matches!(person.role, Full | FullAtFirst).then_some(1),
            ..Account::new(&person.email, "pw")
        })
        .collect()
    }

    pub(super) fn csv(&self) -> String {
        let mut csv = "email,first name,timezone\n".to_owned();
        for person in &self.0 {
            writeln!(
                csv,
                "{},Person {},{}",
                person.email, person.number, person.zone
            )
            .expect("memory suffices");
        }
        csv
    }

    /// How many of a campaign end in each state.
    pub(super) fn ends(&self, campaign: Kind) -> BTreeMap<&'static str, usize> {
        let mut ends = BTreeMap::new();
        for person in self.of(campaign) {
            *ends.entry(person.role.end()).or_default() += 1;
        }
        ends
    }

    /// How many of a campaign do something.
    pub(super) fn count(&self, campaign: Kind, does: impl Fn(Role) -> bool) -> usize {
        self.of(campaign).filter(|person| does(person.role)).count()
    }
}
