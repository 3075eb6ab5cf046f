//! What comes back, and whose it is: by who wrote it where that is a contact, else by what it
//! answers.

use overture_domain::{Rng, rng::SeededRng};

use super::people::{People, Place, SENDERS};

/// A mail that comes in.
pub(super) struct Mail {
    pub(super) kind: &'static str,
    pub(super) id: String,
    pub(super) text: String,
    /// Where it comes in.
    pub(super) mailbox: usize,
    /// None: it is none of ours.
    pub(super) belongs_to: Option<Place>,
}

/// First everybody's first, then for some another: by then all conversations are over.
pub(super) fn all(people: &People, rng: &SeededRng) -> Vec<Mail> {
    let mut maker = Maker {
        people,
        rng,
        mails: Vec::new(),
    };
    let places = people.places();
    for place in &places {
        match people.contact(*place).conversations.len() {
            1 => maker.first(*place),
            _ => maker.one_of_two(*place),
        }
    }
    for place in &places {
        if rng.below(6) == 0 {
            maker.later(*place);
        }
    }
    maker.mails
}

struct Maker<'a> {
    people: &'a People,
    rng: &'a SeededRng,
    mails: Vec<Mail>,
}

/// What a mail says about its thread.
#[derive(Default)]
struct Thread {
    in_reply_to: Vec<String>,
    references: Vec<String>,
}

impl Maker<'_> {
    fn first(&mut self, place: Place) {
        let own = self.sender(place);
        let thread = self.answer(place);
        // Without a thread only a conversation that still goes on is found: of somebody with
        // colleagues whom we wrote to, it may have ended by what they said in a colleague's.
        let alone = self.people.firms[place.firm].len() == 1;
        match self.rng.below(100) {
            50..60 | 74..86 if alone => self.mail("lost headers", place, &own, &Thread::default()),
            93..95 if alone => self.report(place, false),
            0..40 => self.mail("reply", place, &own, &thread),
            40..50 => {
                let references = thread.references;
                self.mail(
                    "lost In-Reply-To",
                    place,
                    &own,
                    &Thread {
                        references,
                        ..Thread::default()
                    },
                );
            }
            60..70 => {
                let colleague = format!("colleague@firm{}.test", place.firm);
                self.mail("a colleague in copy", place, &colleague, &thread);
            }
            70..74 => {
                let private = format!("private{}@elsewhere.test", place.contact);
                self.mail("another address", place, &private, &thread);
            }
            74..86 => self.another_contact_answers("forwarded to another contact", place),
            86..89 => {
                let robot = format!("no-reply@firm{}.test", place.firm);
                self.mail("a machine", place, &robot, &thread);
            }
            89..93 => self.report(place, true),
            95..97 => self.colleague_with_two_threads(place),
            97..99 => self.stranger(place),
            _ => {
                let mut thread = thread;
                thread.in_reply_to = vec![format!("unknown{}@firm.test", self.mails.len())];
                self.mail("an answer to an answer", place, &own, &thread);
            }
        }
    }

    /// Of somebody who was written to in two campaigns.
    fn one_of_two(&mut self, place: Place) {
        let own = self.sender(place);
        let contact = self.people.contact(place);
        let same_mailbox = contact.conversations[0].mailbox == contact.conversations[1].mailbox;
        let is_last = place.conversation == 1;
        // Half of them answer both, the others the later one, without a thread.
        match place.contact % 2 {
            0 => {
                let thread = self.answer(place);
                self.mail("one of two campaigns", place, &own, &thread);
            }
            _ if is_last || !same_mailbox => {
                self.mail(
                    "lost headers, two campaigns",
                    place,
                    &own,
                    &Thread::default(),
                );
            }
            _ => {}
        }
    }

    fn later(&mut self, place: Place) {
        let own = self.sender(place);
        let ours = self.people.at(place).ids.clone();
        let earlier = self
            .mails
            .iter()
            .filter(|mail| mail.belongs_to == Some(place) && !mail.kind.contains("report"));
        let Some(earlier) = earlier.map(|mail| mail.id.clone()).next_back() else {
            return;
        };
        let by_hand = format!("by-hand-{}@sender.test", self.mails.len());
        match self.rng.below(4) {
            0 => {
                let references = [ours, vec![earlier, by_hand.clone()]].concat();
                self.mail(
                    "goes on",
                    place,
                    &own,
                    &Thread {
                        in_reply_to: vec![by_hand],
                        references,
                    },
                );
            }
            1 => {
                let colleague = format!("assistant@firm{}.test", place.firm);
                let thread = Thread {
                    in_reply_to: vec![earlier.clone()],
                    references: vec![earlier],
                };
                self.mail(
                    "a colleague answers the contact",
                    place,
                    &colleague,
                    &thread,
                );
            }
            _ => self.another_contact_answers("another contact, later", place),
        }
    }

    /// The last mail, and the thread up to it, some of it lost.
    fn answer(&self, place: Place) -> Thread {
        let ids = &self.people.at(place).ids;
        let last = self.rng.below(ids.len() as u64) as usize;
        let mut references = ids[..=last].to_vec();
        if self.rng.below(5) == 0 {
            references.remove(0);
            references.push(ids[last].clone());
        }
        Thread {
            in_reply_to: vec![ids[last].clone()],
            references,
        }
    }

    /// Somebody else at the firm, whom we wrote to as well, answers in the contact's thread.
    fn another_contact_answers(&mut self, kind: &'static str, place: Place) {
        let members = &self.people.firms[place.firm];
        let is_simple = |other: &usize| self.people.contacts[*other].conversations.len() == 1;
        let others = members
            .iter()
            .copied()
            .filter(|other| *other != place.contact);
        let others: Vec<usize> = others.filter(is_simple).collect();
        let Some(other) = others.get(self.rng.below(others.len() as u64) as usize) else {
            return self.first_with_thread(place);
        };
        let theirs = Place {
            firm: place.firm,
            contact: *other,
            conversation: 0,
        };
        let here = self.people.at(place).mailbox;
        let mut thread = self.answer(place);
        match self.rng.below(3) {
            0 => thread
                .references
                .splice(..0, self.people.at(theirs).ids.clone())
                .for_each(drop),
            1 => thread.in_reply_to = vec![format!("between-{}@firm.test", self.mails.len())],
            _ => {}
        }
        let from = self.sender(theirs);
        self.write(kind, here, Some(theirs), &from, &thread);
    }

    fn first_with_thread(&mut self, place: Place) {
        let (own, thread) = (self.sender(place), self.answer(place));
        self.mail("reply", place, &own, &thread);
    }

    /// In-Reply-To outranks References, and of these the last counts.
    fn colleague_with_two_threads(&mut self, place: Place) {
        let members = &self.people.firms[place.firm];
        let Some(other) = members.iter().find(|other| **other != place.contact) else {
            return self.first_with_thread(place);
        };
        let others = self.people.contacts[*other].conversations[0].ids.clone();
        let mut thread = self.answer(place);
        thread.references.splice(..0, others);
        if self.rng.below(2) == 0 {
            thread.in_reply_to = Vec::new();
        }
        let colleague = format!("boss@firm{}.test", place.firm);
        self.mail("a colleague with two threads", place, &colleague, &thread);
    }

    fn stranger(&mut self, place: Place) {
        let thread = match self.rng.below(2) {
            0 => Thread::default(),
            _ => Thread {
                in_reply_to: vec!["news@list.test".to_owned()],
                references: vec!["sunday@family.test".to_owned()],
            },
        };
        let mailbox = self.people.at(place).mailbox;
        self.write("a stranger", mailbox, None, "aunt@family.test", &thread);
    }

    /// A mail came back; what names it may be lost.
    fn report(&mut self, place: Place, names_it: bool) {
        let (contact, conversation) = (self.people.contact(place), self.people.at(place));
        let ours = &conversation.ids[conversation.ids.len() - 1];
        let id = self.new_id();
        let original = match names_it {
            true => format!(
                "--b\nContent-Type: message/rfc822\n\nMessage-ID: <{ours}>\nTo: {}\n\nHello\n",
                contact.email
            ),
            false => String::new(),
        };
        let text = format!(
            "From: MAILER-DAEMON@mx.test\nTo: {}\nSubject: Undelivered\nMessage-ID: <{id}>\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
             --b\n\nIt came back.\n\
             --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.test\n\n\
             Final-Recipient: rfc822; {}\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user\n\n\
             {original}--b--\n",
            SENDERS[conversation.mailbox], contact.email
        );
        let (mailbox, belongs_to) = (conversation.mailbox, Some(place));
        let kind = if names_it {
            "report"
        } else {
            "report without the original"
        };
        self.mails.push(Mail {
            kind,
            id,
            text,
            mailbox,
            belongs_to,
        });
    }

    fn mail(&mut self, kind: &'static str, place: Place, from: &str, thread: &Thread) {
        let mailbox = self.people.at(place).mailbox;
        self.write(kind, mailbox, Some(place), from, thread);
    }

    fn write(
        &mut self,
        kind: &'static str,
        mailbox: usize,
        belongs_to: Option<Place>,
        from: &str,
        thread: &Thread,
    ) {
        let id = self.new_id();
        let subject = [
            "Re: Hello",
            "AW: Re: Hello",
            "Fwd: Hello",
            "Something else",
            "=?utf-8?Q?R=C3=A9ponse?=",
        ];
        let subject = subject[self.rng.below(5) as usize];
        let mut text = format!(
            "From: {from}\nTo: {}\nCc: somebody@firm.test\nSubject: {subject}\nMessage-ID: <{id}>\n",
            SENDERS[mailbox]
        );
        if !thread.in_reply_to.is_empty() {
            text += &format!("In-Reply-To: {}\n", self.listed(&thread.in_reply_to));
        }
        if !thread.references.is_empty() {
            text += &format!("References: {}\n", self.listed(&thread.references));
        }
        text += "\nThat is well said.\n\nOn Monday Ada wrote:\n> Hello\n";
        self.mails.push(Mail {
            kind,
            id,
            text,
            mailbox,
            belongs_to,
        });
    }

    fn new_id(&self) -> String {
        format!("in-{}@firm.test", self.mails.len())
    }

    /// Message-IDs as programs write them.
    fn listed(&self, ids: &[String]) -> String {
        let ids: Vec<String> = ids.iter().map(|id| format!("<{id}>")).collect();
        match self.rng.below(4) {
            0 => ids.join("\n "),
            1 => ids.join("\n\t"),
            2 => ids.join(""),
            _ => ids.join(" "),
        }
    }

    /// The contact's address as programs write it.
    fn sender(&self, place: Place) -> String {
        let email = &self.people.contact(place).email;
        match self.rng.below(4) {
            0 => format!("\"Example, Grace\" <{email}>"),
            1 => format!("=?utf-8?B?R3LDqWNl?= <{}>", email.to_uppercase()),
            2 => format!("<{email}>"),
            _ => email.clone(),
        }
    }
}
