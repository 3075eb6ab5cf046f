//! When something happens to the world beside its campaigns: people who pause and edit, a process
//! that dies or stands still, counters that are wrong. What they do is in [`super::deeds`].

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use overture_domain::{Rng, Timestamp, caps::Cap, rng::SeededRng};
use overture_engine::{Env, Part};

use super::{
    crash::{self, Place},
    deeds::{self, Deed, Whom, Whose},
    outside::{self, Shared, Storm},
    scenario::{Fault, Scenario},
    world::Cast,
};

const HOUR: Duration = Duration::from_secs(3_600);

/// Something that happens at its moment.
#[derive(Clone, Debug)]
enum Happening {
    /// In that part alone, where one is given.
    Crash(Place, Option<Part>),
    /// The process is gone until then.
    Outage(Timestamp),
    /// The provider refuses everything until then.
    Storm(Storm),
    /// The clock shows that moment at once.
    Jump(Timestamp),
    /// The clock is put back by so much.
    Back(Duration),
    Deed(Deed),
}

/// How life goes on after what has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    On,
    /// From that moment on.
    From(Timestamp),
    /// From so much earlier on.
    Back(Duration),
    /// In another process, from that moment on.
    Anew(Timestamp),
}

/// All of them, by their moments.
#[derive(Debug, Default)]
pub struct Happenings {
    list: BTreeMap<(Timestamp, usize), Happening>,
    added: usize,
    /// Where lives end while mails go out.
    while_sending: Vec<Place>,
    cast: Cast,
    log: Shared,
}

impl Happenings {
    /// By chance, the same for the same seed.
    pub fn of(scenario: &Scenario, cast: &Cast, seed: u64, log: Shared) -> Self {
        let mut all = Self {
            log,
            cast: cast.clone(),
            ..Self::default()
        };
        let lots = Lots {
            rng: SeededRng::new(seed ^ 0x0dd5),
            scenario,
            cast,
        };
        lots.process(&mut all);
        lots.campaigns(&mut all);
        lots.mailboxes(&mut all);
        lots.people(&mut all);
        all
    }

    fn add(&mut self, at: Timestamp, what: Happening) {
        self.list.insert((at, self.added), what);
        self.added += 1;
    }

    fn deed(&mut self, at: Timestamp, deed: Deed) {
        self.add(at, Happening::Deed(deed));
    }

    /// Half of the mails whose servers take their time meet with something on their way: their person is
    /// taken out or suppressed, their mailbox or the campaigns of their workspace are paused for an hour.
    pub fn meanwhile(&mut self) {
        let begun = std::mem::take(&mut outside::lock(&self.log).slow);
        for slow in begun {
            let (at, later) = (slow.at, slow.at + HOUR);
            for whose in self.cast.of(&slow.from) {
                let whom = Whom::At(slow.to.clone());
                match slow.lot % 8 {
                    0 => self.deed(at, Deed::TakeOut(whose, whom)),
                    1 => self.deed(at, Deed::Suppress(whose, whom)),
                    2 => {
                        self.deed(at, Deed::PauseMailbox(whose.clone()));
                        self.deed(later, Deed::ResumeMailbox(whose));
                    }
                    3 => {
                        self.deed(at, Deed::Pause(whose.clone()));
                        self.deed(later, Deed::Resume(whose));
                    }
                    _ => {}
                }
            }
        }
    }

    /// A life begins: while mails go out it will end, as long as such places are left.
    pub fn begin(&mut self) {
        if let Some(place) = self.while_sending.pop() {
            crash::arm(place, Some(Part::Sends));
        }
    }

    /// When something happens next.
    pub fn next(&self) -> Option<Timestamp> {
        self.list.keys().next().map(|(at, _)| *at)
    }

    /// Lets happen what is due.
    ///
    /// # Errors
    /// What the engine refuses that it should not.
    pub async fn happen(&mut self, env: &Env, now: Timestamp) -> Result<Then> {
        while let Some((key, what)) = self.list.first_key_value() {
            let (key, what) = (*key, what.clone());
            if key.0 > now {
                break;
            }
            // It happens again where the process dies meanwhile.
            let counted = match &what {
                // It is counted by the sends that meet it.
                Happening::Crash(..) | Happening::Storm(_) => None,
                Happening::Outage(_) => Some(Fault::Outage),
                Happening::Jump(_) => Some(Fault::ClockJumped),
                Happening::Back(_) => Some(Fault::ClockPutBack),
                Happening::Deed(deed) => deeds::act(env, deed, &self.log).await?,
            };
            self.list.remove(&key);
            if let Some(fault) = counted {
                outside::lock(&self.log).count(fault);
            }
            match what {
                Happening::Crash(place, part) => crash::arm(place, part),
                Happening::Outage(until) => return Ok(Then::Anew(until)),
                Happening::Storm(storm) => outside::lock(&self.log).storm = Some(storm),
                Happening::Jump(to) => return Ok(Then::From(to)),
                Happening::Back(by) => return Ok(Then::Back(by)),
                Happening::Deed(_) => {}
            }
        }
        Ok(Then::On)
    }
}

/// Draws what happens.
struct Lots<'a> {
    rng: SeededRng,
    scenario: &'a Scenario,
    cast: &'a Cast,
}

impl Lots<'_> {
    fn moment(&self) -> Timestamp {
        let length = u64::from(self.scenario.days) * 86_400;
        self.scenario.start + Duration::from_secs(3_600 + self.rng.below(length - 3_600))
    }

    fn hours(&self, most: u64) -> Duration {
        HOUR * (1 + self.rng.below(most) as u32)
    }

    fn whose(&self) -> Whose {
        let any = |n: usize| self.rng.below(n as u64) as usize;
        let placed = &self.cast.workspaces[any(self.cast.workspaces.len())];
        let (mailbox, address) = &placed.mailboxes[any(placed.mailboxes.len())];
        Whose {
            ws: placed.id,
            campaign: placed.campaigns[any(placed.campaigns.len())],
            mailbox: *mailbox,
            address: address.clone(),
        }
    }

    /// One of the first so many commits, or of the effects meanwhile.
    fn place(&self, most: u64) -> Place {
        let n = self.rng.below(most);
        match self.rng.below(3) {
            0 => Place::BeforeCommit(n),
            1 => Place::AfterCommit(n),
            _ => Place::Effect(n / 2),
        }
    }

    fn process(&self, all: &mut Happenings) {
        let faults = self.scenario.faults;
        for _ in 0..faults.crashes {
            // Most of them while mails go out.
            let part = (self.rng.below(3) > 0).then_some(Part::Sends);
            let place = self.place(if part.is_some() { 6 } else { 30 });
            all.add(self.moment(), Happening::Crash(place, part));
        }
        // Most of one mail, some of several that are handed out together.
        let most = || if self.rng.below(4) == 0 { 10 } else { 4 };
        let places = (0..faults.crashes_while_sending).map(|_| self.place(most()));
        all.while_sending = places.collect();
        for _ in 0..faults.outages {
            let at = self.moment();
            all.add(at, Happening::Outage(at + self.hours(36)));
        }
        for _ in 0..faults.storms {
            let at = self.moment();
            let fault = match self.rng.below(2) {
                0 => Fault::TemporaryStorm,
                _ => Fault::PolicyStorm,
            };
            let until = at + self.hours(8);
            all.add(at, Happening::Storm(Storm { until, fault }));
        }
        for _ in 0..faults.clock_jumps {
            let at = self.moment();
            let minutes = 2 + self.rng.below(300);
            all.add(at, Happening::Jump(at + Duration::from_secs(60 * minutes)));
        }
        for _ in 0..faults.clock_put_back {
            let minutes = 1 + self.rng.below(90);
            let by = Duration::from_secs(60 * minutes);
            all.add(self.moment(), Happening::Back(by));
        }
    }

    fn campaigns(&self, all: &mut Happenings) {
        let faults = self.scenario.faults;
        for _ in 0..faults.pauses {
            let (whose, at) = (self.whose(), self.moment());
            // Some while it waits for its start date.
            let at = match self.rng.below(4) {
                0 => self.scenario.start + self.hours(40),
                _ => at,
            };
            all.deed(at, Deed::Pause(whose.clone()));
            all.deed(at + self.hours(30), Deed::Resume(whose));
        }
        for _ in 0..faults.limit_edits {
            let (whose, at) = (self.whose(), self.moment());
            all.deed(at, Deed::Limit(whose, 5 + self.rng.below(60) as i64));
        }
        for _ in 0..faults.text_edits {
            let (whose, at) = (self.whose(), self.moment());
            all.deed(at, Deed::BreakText(whose.clone()));
            all.deed(at + self.hours(30), Deed::MendText(whose));
        }
        for _ in 0..faults.drifts {
            let (whose, at) = (self.whose(), self.moment());
            let mails: Vec<Cap> = (Cap::ALL.iter().copied())
                .filter(|cap| deeds::counts_mails(*cap))
                .collect();
            let cap = mails[self.rng.below(mails.len() as u64) as usize];
            all.deed(at, Deed::Falsify(whose, cap));
        }
        for _ in 0..faults.jobs_lost {
            all.deed(self.moment(), Deed::LoseJobs);
        }
        // What waits for a person is looked after in the second week.
        for placed in &self.cast.workspaces {
            for campaign in &placed.campaigns {
                let whose = Whose {
                    campaign: *campaign,
                    ws: placed.id,
                    ..self.whose()
                };
                let at = self.scenario.start + 24 * HOUR * 8 + self.hours(48);
                all.deed(at, Deed::Resume(whose));
            }
        }
    }

    fn mailboxes(&self, all: &mut Happenings) {
        let faults = self.scenario.faults;
        for _ in 0..faults.mailbox_pauses {
            let (whose, at) = (self.whose(), self.moment());
            all.deed(at, Deed::PauseMailbox(whose.clone()));
            all.deed(at + self.hours(30), Deed::ResumeMailbox(whose));
        }
        for _ in 0..faults.mailboxes_deleted {
            let (whose, at) = (self.whose(), self.moment());
            all.deed(at, Deed::DeleteMailbox(whose.clone()));
            // Another day, on which nothing has gone out from it.
            all.deed(at + 2 * 24 * HOUR, Deed::ReturnMailbox(whose));
        }
        for _ in 0..faults.passwords {
            let (whose, at) = (self.whose(), self.moment());
            all.deed(at, Deed::ChangePassword(whose.clone()));
            all.deed(at + self.hours(30), Deed::MendPassword(whose));
        }
        // Those that were saved although their test failed.
        for placed in &self.cast.workspaces {
            for (mailbox, address) in &placed.in_error {
                let whose = Whose {
                    ws: placed.id,
                    campaign: placed.campaigns[0],
                    mailbox: *mailbox,
                    address: address.clone(),
                };
                let at = self.scenario.start + self.hours(100);
                all.deed(at, Deed::MendPassword(whose));
            }
        }
    }

    fn people(&self, all: &mut Happenings) {
        for n in 0..self.scenario.faults.people_edits {
            let (whose, at) = (self.whose(), self.moment());
            all.deed(at, Deed::Add(whose.clone(), n));
            all.deed(self.moment(), Deed::AddSuppressed(self.whose(), n));
            // Nothing of a completed campaign goes on without a person.
            all.deed(at + self.hours(30), Deed::Resume(whose));
            all.deed(
                self.moment(),
                Deed::TakeOut(self.whose(), Whom::Nth(self.rng.below(1_000))),
            );
            all.deed(
                self.moment(),
                Deed::Suppress(self.whose(), Whom::Nth(self.rng.below(1_000))),
            );
        }
        for placed in &self.cast.workspaces {
            for campaign in &placed.campaigns {
                let whose = Whose {
                    campaign: *campaign,
                    ws: placed.id,
                    ..self.whose()
                };
                all.deed(self.moment(), Deed::MendData(whose));
            }
        }
    }
}
