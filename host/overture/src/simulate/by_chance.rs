//! Scenarios by chance.

use overture_domain::{Rng, rng::SeededRng};

use super::scenario::{Campaign, Faults, Mailbox, Preset, Scenario, Workspace, monday};

const ZONES: [&str; 5] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
];

/// The people of a campaign that goes well, of a hundred.
const PEOPLE: [(&str, u32); 12] = [
    ("reply", 8),
    ("decline", 4),
    ("ooo", 6),
    ("auto", 3),
    ("bounce", 2),
    ("soft", 3),
    ("refuse", 1),
    ("unsub", 3),
    ("stop", 2),
    ("complain", 1),
    ("open", 10),
    ("click", 5),
];

/// And of one that had better not been started.
const BOUGHT_LIST: [(&str, u32); 4] = [("bounce", 9), ("refuse", 6), ("complain", 4), ("reply", 2)];

impl Scenario {
    /// A scenario by chance, the same for the same seed: two workspaces and more, five mailboxes
    /// and more, 200 people and more, two weeks and more, with faults of all kinds.
    pub fn random(seed: u64) -> Self {
        let chance = Chance(SeededRng::new(seed ^ 0x5ce7_a210));
        let workspaces = chance.between(2, 3);
        let people = 200 / workspaces + 10;
        let hasty = chance.hasty(people);
        let others = (u64::from(hasty.is_some())..workspaces).map(|_| chance.workspace(people));
        Self {
            start: monday(),
            workspaces: hasty.iter().cloned().chain(others).collect(),
            days: chance.between(14, 16) as u32,
            faults: chance.faults(),
            preset: chance.preset(),
        }
    }
}

struct Chance(SeededRng);

impl Chance {
    fn between(&self, low: u64, high: u64) -> u64 {
        low + self.0.below(high - low + 1)
    }

    fn times(&self, most: u64) -> u32 {
        self.between(0, most) as u32
    }

    fn one_in(&self, n: u64) -> bool {
        self.0.below(n) == 0
    }

    fn zone(&self) -> String {
        ZONES[self.0.below(ZONES.len() as u64) as usize].to_owned()
    }

    fn workspace(&self, people: u64) -> Workspace {
        let campaigns = self.between(1, 3);
        let mailbox = || Mailbox {
            daily_limit: self.between(8, 60) as i64,
            time_zone: self.zone(),
        };
        Workspace {
            mailboxes: (0..self.between(3, 5)).map(|_| mailbox()).collect(),
            campaigns: (0..campaigns)
                .map(|_| self.campaign(people.div_ceil(campaigns) as u32))
                .collect(),
        }
    }

    /// Sometimes one workspace sends as fast as it may: what is reached then are the rates of a mailbox,
    /// of many at one provider, and what a person gets a day (CAP-1).
    fn hasty(&self, people: u64) -> Option<Workspace> {
        let mailboxes = match self.between(0, 7) {
            0 => 16,
            1 | 2 => 2,
            _ => return None,
        };
        let mailbox = || Mailbox {
            daily_limit: 120,
            time_zone: self.zone(),
        };
        let campaign = Campaign {
            steps: 4,
            delay_days: 0,
            daily_limit: 500,
            minutes_between_sends: 0,
            daily_limit_of_a_mailbox: 200,
            new_people_a_day: None,
            ..self.campaign(people as u32)
        };
        Some(Workspace {
            mailboxes: (0..mailboxes).map(|_| mailbox()).collect(),
            campaigns: vec![campaign],
        })
    }

    fn campaign(&self, people: u32) -> Campaign {
        let (from, length) = (self.between(0, 23) * 60, self.between(2, 10) * 60);
        let days: Vec<u8> = (0..7).filter(|_| self.between(0, 9) > 1).collect();
        let personas = match self.one_in(6) {
            true => BOUGHT_LIST.as_slice(),
            false => PEOPLE.as_slice(),
        };
        let personas = personas.iter().map(|(name, n)| ((*name).to_owned(), *n));
        Campaign {
            people,
            steps: self.between(1, 4) as u32,
            delay_days: self.between(1, 3) as u32,
            window: [from as u16, ((from + length) % 1_440) as u16],
            days: if days.is_empty() { vec![3] } else { days },
            time_zone: self.zone(),
            daily_limit: self.between(10, 120) as i64,
            minutes_between_sends: self.between(0, 6) as i64,
            daily_limit_of_a_mailbox: self.between(5, 50) as i64,
            new_people_a_day: self.one_in(3).then(|| self.between(5, 40) as i64),
            starts_after_hours: if self.one_in(3) {
                self.between(1, 60)
            } else {
                0
            },
            ends_after_days: self.one_in(5).then(|| self.between(5, 13)),
            without_company: if self.one_in(3) {
                self.between(5, 30)
            } else {
                0
            },
            shared_people: self.between(0, 30),
            personas: personas.collect(),
        }
    }

    fn preset(&self) -> Preset {
        Preset {
            mails_per_minute: Some(self.times(3)).filter(|n| *n > 0),
            recipients_per_day: self.one_in(2).then(|| self.between(10, 40) as u32),
        }
    }

    fn faults(&self) -> Faults {
        Faults {
            refused: self.between(0, 60),
            quota: self.between(0, 15),
            answer_lost: self.between(0, 30),
            mail_lost: self.between(0, 15),
            plugin_failed: self.between(0, 20),
            sync_failed: self.between(0, 60),
            sync_repeated: self.between(0, 60),
            sync_reversed: self.between(0, 300),
            webhook_refused: self.between(0, 300),
            webhook_answer_lost: self.between(0, 60),
            webhook_never: self.between(0, 20),
            crashes: self.between(8, 20) as u32,
            crashes_while_sending: 0,
            outages: self.times(2),
            storms: self.times(4),
            clock_jumps: self.times(3),
            clock_put_back: self.times(2),
            pauses: self.times(3),
            mailbox_pauses: self.times(3),
            mailboxes_deleted: self.times(1),
            passwords: self.times(2),
            limit_edits: self.times(3),
            text_edits: self.times(1),
            people_edits: self.times(3),
            drifts: self.times(12),
            jobs_lost: self.times(2),
            slow: self.between(0, 60),
        }
    }
}
