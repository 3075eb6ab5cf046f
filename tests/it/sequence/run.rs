//! Time goes on in jumps; after each, real servers settle, what went out is noted with the moment
//! at which it was first seen, and people do what is theirs to do.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use mail_parser::MessageParser;
use overture_domain::Timestamp;
use overture_testkit::{App, eventually, servers::MailServers};
use serde_json::Value;

use super::{
    campaigns::{STEPS, mark},
    outside,
    people::{People, Person},
};

/// Real servers take this long at most to deliver what they took.
const DELIVERY: Duration = Duration::from_secs(60);

/// Time goes on by at least so much, and faster where nothing goes out, as in a night. At first
/// it is looked at more closely.
const CLOSE_STEP: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_secs(300);
const LONGEST_STEP: Duration = Duration::from_secs(3_600);

/// So many mails are looked at closely.
const CLOSELY: usize = 60;

/// Everything ends within so many days.
const LIMIT: Duration = Duration::from_secs(40 * 24 * 3_600);

/// A mail that our server took, read from its sender's folder Sent.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) sender: String,
    /// The number of who it is for.
    pub(super) person: usize,
    /// From 0.
    pub(super) step: usize,
    /// Without brackets.
    pub(super) message_id: String,
    /// What the clock showed when it was there.
    pub(super) at: Timestamp,
    pub(super) bytes: Vec<u8>,
}

/// What people did.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    /// When who ended it did so.
    pub(super) ended: BTreeMap<usize, Timestamp>,
    /// When who was away said so, and when they are back.
    pub(super) away: BTreeMap<usize, (Timestamp, Timestamp)>,
}

pub(super) struct Run<'a> {
    pub(super) app: App,
    pub(super) servers: &'a MailServers,
    pub(super) people: People,
    pub(super) senders: [String; 2],
    pub(super) sent: Vec<Sent>,
    /// The files that they were read from, by sender.
    noted: HashMap<String, HashSet<String>>,
    pub(super) deeds: Deeds,
    /// Who does something next, and the place in `sent` of the mail that they do it with.
    due: Vec<(Timestamp, usize)>,
    step: Duration,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        app: App,
        servers: &'a MailServers,
        people: People,
        senders: [String; 2],
    ) -> Self {
        let (sent, deeds, due) = (Vec::new(), Deeds::default(), Vec::new());
        Self {
            app,
            servers,
            people,
            senders,
            sent,
            noted: HashMap::new(),
            deeds,
            due,
            step: CLOSE_STEP,
        }
    }

    /// Lets time pass until so many mails went out and everybody did what they do.
    pub(super) async fn until_all_went_out(&mut self, mails: usize, campaigns: &[String]) {
        let end = self.app.idle().await.now + LIMIT;
        loop {
            let status = self.app.idle().await;
            self.servers_settle().await;
            let went_out = self.note_sent(status.now);
            self.act(status.now).await;
            if self.sent.len() >= mails && self.due.is_empty() {
                return;
            }
            if status.now > end {
                self.complain(mails, campaigns).await;
            }
            self.step = match went_out {
                true if self.sent.len() < CLOSELY => CLOSE_STEP,
                true => STEP,
                false => (self.step * 2).min(LONGEST_STEP),
            };
            let status = self.app.idle().await;
            let next = status.next.unwrap_or(status.now);
            let next = next.max(status.now + self.step);
            // Nobody acts later than they would.
            let deed = self.due.iter().map(|(at, _)| *at).min();
            let next = deed.map_or(next, |deed| deed.min(next));
            self.app.clock.set(next).await;
        }
    }

    /// Waits until nothing is on its way between the servers.
    pub(super) async fn servers_settle(&self) {
        eventually("Postfix delivers what it took", DELIVERY, async || {
            (!self.servers.has_queued_mail().ok()?).then_some(())
        })
        .await;
    }

    /// Notes what is new in the folders Sent. Whether anything is.
    fn note_sent(&mut self, now: Timestamp) -> bool {
        let before = self.sent.len();
        for sender in self.senders.clone() {
            let known = self.noted.entry(sender.clone()).or_default();
            let mails = self.servers.new_mails(&sender, "Sent", known);
            let mails = mails.expect("readable");
            for bytes in mails {
                let sent = read(&self.people, &sender, bytes, now);
                let person = &self.people.all()[sent.person];
                let acts = person.role.acts_after() == Some(sent.step);
                let again = self
                    .sent
                    .iter()
                    .any(|other| other.message_id == sent.message_id);
                if acts && !again {
                    self.due.push((now + reads_after(person), self.sent.len()));
                } else if person.role.ends_it() && person.role.acts_after().is_none() {
                    // Its report is there, or the last of its tries failed at once.
                    self.deeds.ended.insert(person.number, now);
                }
                self.sent.push(sent);
            }
        }
        self.sent.len() > before
    }

    async fn act(&mut self, now: Timestamp) {
        let (due, later): (Vec<_>, Vec<_>) = self.due.drain(..).partition(|(at, _)| *at <= now);
        self.due = later;
        for (_, place) in due {
            let sent = &self.sent[place];
            let person = &self.people.all()[sent.person];
            let back = outside::act(&self.app, self.servers, person, &sent.bytes, now).await;
            if let Some(back) = back {
                self.deeds.away.insert(person.number, (now, back));
            }
            if person.role.ends_it() {
                self.deeds.ended.insert(person.number, now);
            }
        }
        self.servers_settle().await;
    }

    async fn complain(&self, mails: usize, campaigns: &[String]) -> ! {
        let mut open: Vec<Value> = Vec::new();
        for id in campaigns {
            let all = self
                .app
                .api
                .all(&format!("/campaigns/{id}/enrollments"))
                .await;
            open.extend(all.into_iter().filter(|row| !row["nextActionAt"].is_null()));
        }
        let of = |person: &&Person| {
            self.sent
                .iter()
                .filter(|sent| sent.person == person.number)
                .count()
        };
        let wrong: Vec<_> = self
            .people
            .all()
            .iter()
            .filter(|person| of(person) != person.role.taken())
            .collect();
        panic!(
            "{} of {mails} mails went out; not as it should be: {wrong:#?}; {open:#?}\n{}",
            self.sent.len(),
            self.app.log()
        );
    }
}

/// People look at their mail sooner or later.
fn reads_after(person: &Person) -> Duration {
    let minutes = 10 + person.number as u64 * 37 % 180;
    Duration::from_secs(60 * minutes)
}

fn read(people: &People, sender: &str, bytes: Vec<u8>, at: Timestamp) -> Sent {
    let mail = MessageParser::default().parse(&bytes).expect("a mail");
    let to = mail
        .to()
        .and_then(|to| to.first()?.address())
        .expect("a recipient");
    let text = mail.body_text(0).expect("a text part");
    let step = (0..STEPS).find(|step| text.contains(&mark(*step)));
    let step = step.unwrap_or_else(|| panic!("a strange mail: {text}"));
    let (person, message_id) = (people.by_email(to).number, mail.message_id());
    Sent {
        sender: sender.to_owned(),
        person,
        step,
        message_id: message_id.expect("a Message-ID").to_owned(),
        at,
        bytes,
    }
}
