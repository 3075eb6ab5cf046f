//! When a campaign will be through, before it runs (ROT-2): how much its mailboxes can carry a day,
//! and how much there is to carry.
//!
//! A day's mails are counted, not laid out one by one: who is held alone by the caps of a recipient
//! or a domain, whom an answer stops, and what people write by hand is not foreseen. So it says
//! about when; the engine's own word on one mail is *why not sent* (SCH-9).

use jiff::{
    ToSpan,
    civil::{Date, Time},
    tz::TimeZone,
};

use crate::{
    Timestamp,
    campaigns::Window,
    names,
    pacing::{PACE_JITTER, minutes},
    windows,
};

/// How far it looks ahead.
pub const HORIZON_DAYS: usize = 730;

/// A campaign under way, or one that is about to begin.
#[derive(Clone, Debug)]
pub struct Ahead {
    pub zone: TimeZone,
    pub windows: Vec<Window>,
    /// Mails a day (CAP-1), and how many of them are gone today.
    pub daily_limit: i64,
    pub used_today: i64,
    /// People who begin a day (CAP-5).
    pub new_per_day: Option<i64>,
    pub began_today: i64,
    pub follow_ups_first: bool,
    /// Of each step, in minutes after the one before.
    pub delays: Vec<i64>,
    /// Nothing goes before.
    pub start_at: Option<Timestamp>,
    /// Nothing goes from here on (SEQ-11).
    pub end_at: Option<Timestamp>,
    /// Places of its mailboxes in the list of all, and what each may send of this campaign a day,
    /// with what it has sent today.
    pub pool: Vec<Share>,
    pub people: Vec<Standing>,
}

/// What a mailbox gives a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub mailbox: usize,
    /// Mails of this campaign a day.
    pub limit: i64,
    pub used_today: i64,
}

/// A mailbox, with what it can carry for all campaigns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Mails a day.
    pub limit: i64,
    pub used_today: i64,
    /// SCH-4: the longest of the campaigns that share it.
    pub minutes_between_sends: i64,
}

/// People who stand at the same step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The step that comes next; 0 for those who begin.
    pub step: usize,
    /// It is due then.
    pub from: Timestamp,
    pub people: i64,
}

names! {
    /// What keeps a day from carrying more.
    Binding {
        /// Nobody else is due.
        Nothing = "nothing",
        /// It has no mailbox that can send.
        NoMailbox = "no_mailbox",
        /// No window opens.
        Window = "window",
        CampaignLimit = "campaign_limit",
        /// The daily limits of the mailboxes.
        MailboxLimits = "mailbox_limits",
        /// The minutes between two mails of a mailbox.
        Pace = "pace",
        NewProspects = "new_prospects_per_day",
    }
}

/// A day of the campaign's calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// In the campaign's zone.
    pub date: Date,
    pub sends: i64,
    pub binding: Binding,
}

/// A campaign's calendar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// Days with mails, and those on which something keeps them back.
    pub days: Vec<Day>,
    /// Mails that don't go out: the end date comes first, or the horizon.
    pub left: i64,
}

impl Forecast {
    /// The last day with a mail; None when mails are left, or there is nothing to send.
    pub fn finishes_on(&self) -> Option<Date> {
        let last = self.days.iter().rev().find(|day| day.sends > 0);
        last.filter(|_| self.left == 0).map(|day| day.date)
    }
}

/// The calendars of campaigns that share mailboxes, as they take turns (ROT-2).
pub fn forecast(now: Timestamp, mailboxes: &[Mailbox], campaigns: &[Ahead]) -> Vec<Forecast> {
    let mut all: Vec<_> = campaigns.iter().map(|ahead| Run::new(ahead, now)).collect();
    for day in 0..HORIZON_DAYS {
        if all.iter().all(Run::is_through) {
            break;
        }
        let mut rooms: Vec<i64> = (mailboxes.iter())
            .map(|mailbox| (mailbox.limit - if day == 0 { mailbox.used_today } else { 0 }).max(0))
            .collect();
        let mut turns: Vec<_> = (all.iter_mut())
            .map(|run| run.turn(day, now, mailboxes))
            .collect();
        // One mail each, until nobody has another.
        let mut any = true;
        while any {
            any = false;
            for turn in &mut turns {
                any |= turn.send_one(&mut rooms);
            }
        }
        for turn in turns {
            turn.end();
        }
    }
    all.into_iter().map(Run::end).collect()
}

/// A campaign on its way through the days.
struct Run<'a> {
    ahead: &'a Ahead,
    today: Date,
    waiting: Vec<Standing>,
    found: Forecast,
}

/// A day of a campaign.
struct Turn<'a, 'b> {
    run: &'b mut Run<'a>,
    date: Date,
    /// Who may be written to: places in `run.waiting`, in the order in which they go.
    due: Vec<usize>,
    /// What is left of the campaign's limit, and of those who may begin.
    room: i64,
    new: i64,
    /// What is left of each share: by limit and by pace.
    shares: Vec<(i64, i64)>,
    open: i64,
    sends: i64,
    binding: Binding,
}

impl<'a> Run<'a> {
    fn new(ahead: &'a Ahead, now: Timestamp) -> Self {
        let start = ahead.start_at.map_or(now, |start| start.max(now));
        let later = |standing: &Standing| Standing {
            from: standing.from.max(start),
            ..*standing
        };
        Self {
            ahead,
            today: ahead.zone.to_datetime(now.to_jiff()).date(),
            waiting: ahead.people.iter().map(later).collect(),
            found: Forecast::default(),
        }
    }

    fn is_through(&self) -> bool {
        self.waiting.iter().all(|standing| standing.people == 0)
    }

    fn turn<'b>(&'b mut self, day: usize, now: Timestamp, mailboxes: &[Mailbox]) -> Turn<'a, 'b> {
        let ahead = self.ahead;
        let date = (self.today.checked_add((day as i64).days())).unwrap_or(self.today);
        let first = day == 0;
        let from = match first {
            true => ahead.zone.to_datetime(now.to_jiff()),
            false => date.to_datetime(Time::midnight()),
        };
        let over = ahead.end_at.is_some_and(|end| {
            date.to_zoned(ahead.zone.clone())
                .is_ok_and(|start| end <= Timestamp::from(start.timestamp()))
        });
        let open = if over {
            0
        } else {
            windows::open_minutes(&ahead.windows, from)
        };
        let by_pace = |mailbox: &Mailbox| {
            let jitter = (PACE_JITTER.start() + PACE_JITTER.end()) / 2;
            let pace = minutes(mailbox.minutes_between_sends).as_secs() + jitter;
            let carried = (open * 60).unsigned_abs().div_ceil(pace.max(1));
            i64::try_from(carried).unwrap_or(i64::MAX)
        };
        let shares = ahead.pool.iter().map(|share| {
            let gone = if first { share.used_today } else { 0 };
            (
                (share.limit - gone).max(0),
                by_pace(&mailboxes[share.mailbox]),
            )
        });
        let gone = |n: i64| if first { n } else { 0 };
        let end_of_day = (date.tomorrow().ok())
            .and_then(|next| next.to_zoned(ahead.zone.clone()).ok())
            .map_or(Timestamp::MAX, |next| next.timestamp().into());
        let mut due: Vec<usize> = (0..self.waiting.len())
            .filter(|place| {
                let standing = &self.waiting[*place];
                standing.people > 0 && standing.from < end_of_day
            })
            .collect();
        due.sort_by_key(|place| {
            let standing = &self.waiting[*place];
            let begins = standing.step == 0;
            (begins == ahead.follow_ups_first, standing.from)
        });
        Turn {
            room: (ahead.daily_limit - gone(ahead.used_today)).max(0),
            new: (ahead.new_per_day).map_or(i64::MAX, |n| (n - gone(ahead.began_today)).max(0)),
            shares: shares.collect(),
            run: self,
            date,
            due,
            open,
            sends: 0,
            binding: Binding::Nothing,
        }
    }

    fn end(mut self) -> Forecast {
        let steps = self.ahead.delays.len();
        let left =
            |standing: &Standing| standing.people * (steps.saturating_sub(standing.step)) as i64;
        self.found.left = self.waiting.iter().map(left).sum();
        // Days that only wait at the end say nothing when all is done.
        while self.found.left == 0 && self.found.days.last().is_some_and(|day| day.sends == 0) {
            self.found.days.pop();
        }
        self.found
    }
}

impl Turn<'_, '_> {
    /// Sends one mail where there is room; false when nothing more goes this day.
    fn send_one(&mut self, rooms: &mut [i64]) -> bool {
        let next = self.due.iter().copied().find(|place| {
            let standing = &self.run.waiting[*place];
            standing.people > 0 && (standing.step > 0 || self.new > 0)
        });
        let Some(place) = next else {
            let any = self
                .due
                .iter()
                .any(|place| self.run.waiting[*place].people > 0);
            self.binding = if any {
                Binding::NewProspects
            } else {
                Binding::Nothing
            };
            return false;
        };
        if self.run.ahead.pool.is_empty() {
            self.binding = Binding::NoMailbox;
            return false;
        }
        if self.open == 0 {
            self.binding = Binding::Window;
            return false;
        }
        if self.room == 0 {
            self.binding = Binding::CampaignLimit;
            return false;
        }
        // The one that has the most left of what it may give.
        let pool = &self.run.ahead.pool;
        let free = |n: &usize| {
            let (limit, pace) = self.shares[*n];
            limit.min(rooms[pool[*n].mailbox]).min(pace)
        };
        let Some(n) = (0..pool.len()).filter(|n| free(n) > 0).max_by_key(free) else {
            let paced = (0..pool.len()).any(|n| self.shares[n].0.min(rooms[pool[n].mailbox]) > 0);
            self.binding = if paced {
                Binding::Pace
            } else {
                Binding::MailboxLimits
            };
            return false;
        };
        let (limit, pace) = &mut self.shares[n];
        (*limit, *pace) = (*limit - 1, *pace - 1);
        rooms[pool[n].mailbox] -= 1;
        self.room -= 1;
        self.sends += 1;
        let standing = self.run.waiting[place];
        self.run.waiting[place].people -= 1;
        self.new -= i64::from(standing.step == 0);
        self.advance(standing.step + 1);
        true
    }

    /// Somebody's next step, a delay after noon of this day.
    fn advance(&mut self, step: usize) {
        let Some(delay) = self.run.ahead.delays.get(step) else {
            return;
        };
        let noon = self.date.at(12, 0, 0, 0);
        let sent = (noon.to_zoned(self.run.ahead.zone.clone()))
            .map_or(Timestamp::MAX, |at| at.timestamp().into());
        let from = sent + minutes(*delay);
        let waiting = &mut self.run.waiting;
        match (waiting.iter_mut().rev()).find(|other| other.step == step && other.from == from) {
            Some(other) => other.people += 1,
            None => waiting.push(Standing {
                step,
                from,
                people: 1,
            }),
        }
    }

    fn end(self) {
        let (sends, binding) = (self.sends, self.binding);
        if sends > 0 || binding != Binding::Nothing {
            let date = self.date;
            self.run.found.days.push(Day {
                date,
                sends,
                binding,
            });
        }
        self.run.waiting.retain(|standing| standing.people > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // 2026-03-02, a Monday, 09:00 UTC.
    const MONDAY: Timestamp = Timestamp::from_secs(1_772_442_000);

    fn ahead(people: i64, steps: &[i64]) -> Ahead {
        Ahead {
            zone: TimeZone::UTC,
            windows: vec![Window::working_hours()],
            daily_limit: 100,
            used_today: 0,
            new_per_day: None,
            began_today: 0,
            follow_ups_first: true,
            delays: steps.to_vec(),
            start_at: None,
            end_at: None,
            pool: vec![share(0)],
            people: vec![Standing {
                step: 0,
                from: MONDAY,
                people,
            }],
        }
    }

    fn share(mailbox: usize) -> Share {
        Share {
            mailbox,
            limit: 50,
            used_today: 0,
        }
    }

    fn mailbox() -> Mailbox {
        Mailbox {
            limit: 50,
            used_today: 0,
            minutes_between_sends: 5,
        }
    }

    fn days(found: &Forecast) -> Vec<(i8, i64, Binding)> {
        let day = |day: &Day| (day.date.day(), day.sends, day.binding);
        found.days.iter().map(day).collect()
    }

    // ROT-2
    #[test]
    fn days_are_filled_as_far_as_limits_allow() {
        use Binding::{CampaignLimit, MailboxLimits, NewProspects, Nothing, Pace};
        let one = |ahead: &Ahead, mailbox: Mailbox| {
            forecast(MONDAY, &[mailbox], std::slice::from_ref(ahead)).remove(0)
        };
        let simple = one(&ahead(120, &[0]), mailbox());
        assert_eq!(
            days(&simple),
            [
                (2, 50, MailboxLimits),
                (3, 50, MailboxLimits),
                (4, 20, Nothing)
            ]
        );
        assert_eq!(simple.finishes_on().unwrap().to_string(), "2026-03-04");

        let limited = Ahead {
            daily_limit: 30,
            used_today: 10,
            ..ahead(60, &[0])
        };
        let all = [
            (2, 20, CampaignLimit),
            (3, 30, CampaignLimit),
            (4, 10, Nothing),
        ];
        assert_eq!(days(&one(&limited, mailbox())), all);

        // 480 minutes of window, one mail in 30 minutes and 30 seconds on average.
        let slow = one(
            &ahead(20, &[0]),
            Mailbox {
                minutes_between_sends: 30,
                ..mailbox()
            },
        );
        assert_eq!(days(&slow), [(2, 16, Pace), (3, 4, Nothing)]);

        let few = Ahead {
            new_per_day: Some(2),
            ..ahead(3, &[0])
        };
        assert_eq!(
            days(&one(&few, mailbox())),
            [(2, 2, NewProspects), (3, 1, Nothing)]
        );
    }

    // ROT-2, CAP-5: follow-ups come a delay later, and first.
    #[test]
    fn follow_ups_take_the_room_of_beginners() {
        let found = forecast(MONDAY, &[mailbox()], &[ahead(100, &[0, 24 * 60])]).remove(0);
        let sends: Vec<_> = found.days.iter().map(|day| day.sends).collect();
        assert_eq!(sends, [50, 50, 50, 50]);
        let reverse = Ahead {
            follow_ups_first: false,
            ..ahead(100, &[0, 24 * 60])
        };
        let found = forecast(MONDAY, &[mailbox()], &[reverse]).remove(0);
        assert_eq!(found.days.iter().map(|day| day.sends).sum::<i64>(), 200);
        // Over a weekend nothing opens.
        let week = forecast(
            MONDAY,
            &[mailbox()],
            &[ahead(10, &[0, 4 * 24 * 60, 24 * 60])],
        )
        .remove(0);
        let all: Vec<_> = week
            .days
            .iter()
            .filter(|day| day.sends > 0)
            .map(|day| day.date.day())
            .collect();
        assert_eq!(all, [2, 6, 9]);
    }

    // ROT-2: campaigns on one mailbox take turns.
    #[test]
    fn campaigns_share_their_mailboxes() {
        let both = forecast(MONDAY, &[mailbox()], &[ahead(40, &[0]), ahead(40, &[0])]);
        let sends = |found: &Forecast| found.days.iter().map(|day| day.sends).collect::<Vec<_>>();
        assert_eq!(
            (sends(&both[0]), sends(&both[1])),
            (vec![25, 15], vec![25, 15])
        );
        let wider = Ahead {
            pool: vec![share(0), share(1)],
            ..ahead(80, &[0])
        };
        let alone = forecast(MONDAY, &[mailbox(), mailbox()], &[wider]).remove(0);
        assert_eq!(sends(&alone), [80]);
    }

    // ROT-2, SEQ-11: what the end date cuts off, and what never goes.
    #[test]
    fn what_never_goes_is_left() {
        let short = Ahead {
            end_at: Some(MONDAY + minutes(24 * 60)),
            ..ahead(120, &[0])
        };
        let found = forecast(MONDAY, &[mailbox()], &[short]).remove(0);
        assert_eq!((found.left, found.finishes_on()), (20, None));
        let closed = Ahead {
            windows: Vec::new(),
            ..ahead(3, &[0, 60])
        };
        let found = forecast(MONDAY, &[mailbox()], &[closed]).remove(0);
        assert_eq!(
            (
                found.left,
                found.days.iter().all(|day| day.binding == Binding::Window)
            ),
            (6, true)
        );
        let nobody = forecast(MONDAY, &[mailbox()], &[ahead(0, &[0])]).remove(0);
        assert_eq!(nobody, Forecast::default());
    }
}
