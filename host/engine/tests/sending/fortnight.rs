//! A fortnight in which everything is asked why it has not gone out, at every moment at which
//! something is due: each answer's time is that of the next mail, or what it named has changed
//! (SCH-9).

use std::collections::HashMap;

use overture_domain::{
    AccountId, CampaignId, EnrollmentId, Rng,
    events::{Event, EventKind},
    people::Actor,
    rng::SeededRng,
};
use overture_engine::{
    campaigns::{self, CampaignIn, CampaignPatch, StepIn},
    mailboxes,
    sends::{self, About, WhyNot},
};
use overture_store::on_both;
use overture_testkit::Outreach;

use super::DAY;

/// People of each campaign.
const PEOPLE: usize = 10;
/// Asked at each moment, chosen anew.
const ASKED: usize = 2;

on_both! {
    // SCH-9
    async fn every_answer_of_a_fortnight_comes_true(test: TestDatabase) {
        let seed = 20_260_302;
        let mut fortnight = Fortnight::new(Outreach::new(test).await, seed).await;
        let start = fortnight.world.env().now();
        let end = start + DAY * 14;
        let mut day = 0;
        loop {
            let next = fortnight.world.settle().await.filter(|next| *next <= end);
            fortnight.hold_answers_against_what_went_out().await;
            let today = fortnight.world.env().now().since(start).as_secs() / 86_400;
            if today > day {
                day = today;
                fortnight.change_something(day).await;
                continue;
            }
            let Some(next) = next else { break };
            fortnight.ask().await;
            fortnight.world.kit.clock.advance_to(next);
        }
        fortnight.check();
    }
}

struct Fortnight {
    world: Outreach,
    chance: SeededRng,
    campaigns: Vec<CampaignId>,
    mailboxes: Vec<AccountId>,
    enrollments: Vec<EnrollmentId>,
    /// What was said at the last moment, before anything could happen.
    said: HashMap<String, (About, WhyNot)>,
    told: usize,
    /// How often a constraint was named, and how often a mail came at the time that was named.
    codes: HashMap<String, usize>,
    came_true: usize,
}

impl Fortnight {
    async fn new(world: Outreach, seed: u64) -> Self {
        let mut boxes = Vec::new();
        for name in ["ada", "bob"] {
            boxes.push(world.mailbox(&format!("{name}@sender.test")).await);
        }
        let mut ids = Vec::new();
        for n in 0..2 {
            let step = |subject: &str, days: i64| StepIn {
                subject: subject.to_owned(),
                body_html: "<p>Hello {{ firstName }}</p>".to_owned(),
                delay_minutes: Some(days * 24 * 60),
                ..StepIn::default()
            };
            let campaign = CampaignIn {
                name: format!("Campaign {n}"),
                steps: vec![step("Hello", 0), step("", 1), step("", 2)],
                // The second campaign shares its mailbox with the first.
                mailbox_ids: boxes[n..].iter().map(|mailbox| mailbox.id).collect(),
                daily_send_limit: Some([5, 50][n]),
                max_sends_per_mailbox_per_day: Some(6),
                ..CampaignIn::default()
            };
            let id = world.create(&campaign).await;
            let people: Vec<_> = (0..PEOPLE)
                .map(|person| world.prospect(&format!("p{person}@c{n}d{}.test", person % 4)))
                .collect();
            let people = world.write_prospects(&people).await;
            world.enroll(id, &people).await;
            world.start(id).await;
            ids.push(id);
        }
        let mut enrollments = Vec::new();
        for id in &ids {
            let all = world.enrollments(*id).await;
            enrollments.extend(all.iter().map(|enrollment| enrollment.id));
        }
        Self {
            world,
            chance: SeededRng::new(seed),
            campaigns: ids,
            mailboxes: boxes.iter().map(|mailbox| mailbox.id).collect(),
            enrollments,
            said: HashMap::new(),
            told: 0,
            codes: HashMap::new(),
            came_true: 0,
        }
    }

    /// Asks about everything that sends, and some of those who wait.
    async fn ask(&mut self) {
        self.said.clear();
        let mut about: Vec<About> = Vec::new();
        about.extend(self.campaigns.iter().map(|id| About::Campaign(*id)));
        about.extend(self.mailboxes.iter().map(|id| About::Mailbox(*id)));
        for _ in 0..ASKED {
            let n = self.chance.below(self.enrollments.len() as u64);
            about.push(About::Enrollment(
                self.enrollments[usize::try_from(n).unwrap()],
            ));
        }
        let now = self.world.env().now();
        for about in about {
            let answer = sends::why(self.world.env(), self.world.ws, about)
                .await
                .unwrap();
            assert!(!answer.reason.is_empty(), "{answer:?}");
            // What can go has gone.
            assert!(
                answer
                    .next_at
                    .is_none_or(|at| at > now || answer.code == "queue"),
                "at {now}: {about:?}: {answer:?}"
            );
            *self.codes.entry(answer.code.clone()).or_default() += 1;
            self.said.insert(format!("{about:?}"), (about, answer));
        }
    }

    /// Nothing came before its time; and of what came, its last answer said when.
    async fn hold_answers_against_what_went_out(&mut self) {
        let sent = self.world.events(EventKind::EmailSent).await;
        let new = &sent[self.told..];
        self.told = sent.len();
        let now = self.world.env().now();
        for (about, answer) in self.said.values() {
            let went = new.iter().find(|mail| is_about(mail, *about));
            let Some(went) = went else {
                // Its time has come: somebody else took the place, or the answer would be wrong.
                if answer.next_at.is_some_and(|at| at <= now) {
                    let taken = new.iter().any(|mail| self.shares(mail, *about));
                    let still = sends::why(self.world.env(), self.world.ws, *about)
                        .await
                        .unwrap();
                    assert!(
                        taken || still.code != answer.code,
                        "at {now}: {about:?} said {answer:?}, and now says {still:?}"
                    );
                }
                continue;
            };
            let at = went.occurred_at;
            assert_eq!(Some(at), answer.next_at, "{about:?} said {answer:?}");
            self.came_true += 1;
        }
    }

    /// What people do: each of these changes answers that were given.
    async fn change_something(&mut self, day: u64) {
        let (env, ws) = (self.world.env(), self.world.ws);
        let (first, second) = (self.campaigns[0], self.campaigns[1]);
        let limit = |n| CampaignPatch {
            daily_send_limit: Some(n),
            ..CampaignPatch::default()
        };
        match day {
            1 => drop(
                campaigns::pause(env, ws, second, &Actor::Cli)
                    .await
                    .unwrap(),
            ),
            2 => drop(campaigns::pause(env, ws, first, &Actor::Cli).await.unwrap()),
            3 => {
                for campaign in [first, second] {
                    let resumed = campaigns::resume(env, ws, campaign, &Actor::Cli).await;
                    resumed.unwrap();
                }
            }
            4 => drop(
                mailboxes::status::pause(env, ws, self.mailboxes[1], &Actor::Cli)
                    .await
                    .unwrap(),
            ),
            7 => drop(
                mailboxes::status::resume(env, ws, self.mailboxes[1], &Actor::Cli)
                    .await
                    .unwrap(),
            ),
            8 => drop(
                campaigns::update(env, ws, first, &limit(2), &Actor::Cli)
                    .await
                    .unwrap(),
            ),
            9 => drop(
                campaigns::update(env, ws, first, &limit(40), &Actor::Cli)
                    .await
                    .unwrap(),
            ),
            _ => {}
        }
        self.said.clear();
    }

    /// Whether a mail went from where one of these might have.
    fn shares(&self, mail: &Event, about: About) -> bool {
        let bob_alone = match about {
            About::Campaign(id) => id == self.campaigns[1],
            About::Enrollment(id) => self.enrollments[PEOPLE..].contains(&id),
            About::Mailbox(_) => false,
        };
        !bob_alone || mail.account_id == Some(self.mailboxes[1])
    }

    /// The fortnight has held enough to mean something.
    fn check(&self) {
        for code in [
            "window",
            "pace",
            "delay",
            "cap_campaign_daily",
            "cap_campaign_mailbox_daily",
            "campaign_paused",
            "mailbox_paused",
        ] {
            assert!(self.codes.contains_key(code), "{code}: {:?}", self.codes);
        }
        assert!(self.came_true > 60, "{} came true", self.came_true);
    }
}

fn is_about(mail: &Event, about: About) -> bool {
    match about {
        About::Campaign(id) => mail.campaign_id == Some(id),
        About::Mailbox(id) => mail.account_id == Some(id),
        About::Enrollment(id) => mail.enrollment_id == Some(id),
    }
}
