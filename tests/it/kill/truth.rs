//! What arrived, read from the mailboxes of those who were written to.

use std::collections::BTreeMap;

use mail_parser::MessageParser;
use overture_testkit::servers::MailServers;

use super::campaigns::STEPS;

/// Every mail in the prospects' mailboxes.
pub(super) struct Truth {
    /// By Message-ID without brackets.
    copies: BTreeMap<String, usize>,
    /// By recipient and step.
    steps: BTreeMap<(String, &'static str), usize>,
}

impl Truth {
    pub(super) fn read(servers: &MailServers, people: &[String]) -> Self {
        let mut truth = Self {
            copies: BTreeMap::new(),
            steps: BTreeMap::new(),
        };
        for person in people {
            for step in STEPS {
                truth.steps.insert((person.clone(), step), 0);
            }
            for mail in servers.mails(person, "INBOX").expect("readable") {
                let mail = MessageParser::default().parse(&mail).expect("a mail");
                let id = mail.message_id().expect("a Message-ID");
                *truth.copies.entry(id.to_owned()).or_default() += 1;
                let subject = mail.subject().expect("a subject");
                let step = STEPS.iter().find(|step| subject.starts_with(**step));
                let step = step.unwrap_or_else(|| panic!("{person} got a strange mail: {subject}"));
                *truth.steps.entry((person.clone(), step)).or_default() += 1;
            }
        }
        truth
    }

    pub(super) fn mails(&self) -> usize {
        self.copies.values().sum()
    }

    pub(super) fn has(&self, message_id: &str) -> bool {
        self.copies.contains_key(message_id)
    }

    pub(super) fn check_nothing_came_twice(&self) {
        let twice: Vec<_> = self.copies.iter().filter(|(_, n)| **n > 1).collect();
        assert!(twice.is_empty(), "came more than once: {twice:?}");
        let twice: Vec<_> = self.steps.iter().filter(|(_, n)| **n > 1).collect();
        assert!(twice.is_empty(), "steps came more than once: {twice:?}");
    }

    pub(super) fn check_every_step_came_once(&self) {
        let missing: Vec<_> = self.steps.iter().filter(|(_, n)| **n != 1).collect();
        assert!(missing.is_empty(), "did not come exactly once: {missing:?}");
    }
}
