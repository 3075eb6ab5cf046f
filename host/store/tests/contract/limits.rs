//! CAP-2 by chance: a thousand sets of limits, each under several workers at once that hand out,
//! release and die, over hours and days. What was handed out and stayed so is counted afterwards,
//! apart from the code that allowed it: in civil days by the calendar, in minutes and hours from
//! each hand-out on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::civil::Date;
use overture_domain::{
    Id, Rng, Timestamp, WorkspaceId,
    caps::{Cap, Limit, Span},
    people::Workspace,
    rng::SeededRng,
    windows,
};
use overture_store::{
    Database,
    caps::{self, Use},
    on_both, people,
};

const SETS: u64 = 1_000;
/// Sets that are worked on at once.
const AT_ONCE: u64 = 8;
const WORKERS: u64 = 4;
/// Transactions of each worker, and mails that it looks at in one.
const TURNS: u64 = 4;
const MAILS: u64 = 8;

const ZONES: [&str; 5] = [
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Pacific/Auckland",
];

/// A mail that was handed out, and the places of the limits that it counts under.
#[derive(Clone, Debug)]
struct HandOut {
    at: Timestamp,
    under: BTreeSet<usize>,
}

/// Limits of one workspace, and what several workers have done under them.
struct Set {
    ws: WorkspaceId,
    limits: Vec<Limit>,
    /// The longest time between two turns.
    pause: Duration,
    now: Mutex<Timestamp>,
    done: Mutex<Vec<HandOut>>,
    refused: Mutex<usize>,
}

impl Set {
    fn random(seed: u64) -> Self {
        let rng = SeededRng::new(seed);
        let mut limits: BTreeMap<(Cap, u64), Limit> = BTreeMap::new();
        for _ in 0..2 + rng.below(5) {
            let (cap, subject) = (
                Cap::ALL[rng.below(Cap::ALL.len() as u64) as usize],
                rng.below(2),
            );
            let limit = Limit {
                cap,
                subject: format!("subject {subject}"),
                limit: 1 + rng.below(6) as i64,
                zone: windows::zone(ZONES[rng.below(ZONES.len() as u64) as usize]).unwrap(),
            };
            limits.insert((cap, subject), limit);
        }
        // Around changes of the clock in Europe and New Zealand, whatever the hour.
        let start = 1_774_569_600 + rng.below(10 * 86_400) as i64; // 2026-03-27
        let pauses = [2, 30, 300, 3_600, 6 * 3_600];
        Self {
            ws: Id::new(Timestamp::from_secs(start), &rng),
            limits: limits.into_values().collect(),
            pause: Duration::from_secs(pauses[rng.below(5) as usize]),
            now: Mutex::new(Timestamp::from_secs(start)),
            done: Mutex::default(),
            refused: Mutex::default(),
        }
    }

    /// Goes on by up to a pause. The time is read under the workspace's lock, as the engine does.
    fn later(&self, rng: &SeededRng) -> Timestamp {
        let mut now = self.now.lock().unwrap();
        *now = *now + Duration::from_micros(rng.below(self.pause.as_micros() as u64));
        *now
    }

    async fn work(&self, db: &Database, seed: u64) {
        let rng = SeededRng::new(seed);
        for _ in 0..TURNS {
            for _ in 0..rng.below(3) {
                tokio::task::yield_now().await;
            }
            let handed_out = self.hand_out(db, &rng).await;
            if let Some(failed) = handed_out.first().filter(|_| rng.below(3) == 0) {
                self.release(db, failed).await;
            }
        }
    }

    /// One transaction, which may not live to its commit.
    async fn hand_out(&self, db: &Database, rng: &SeededRng) -> Vec<HandOut> {
        let mut tx = db.begin().await.unwrap();
        assert!(people::lock_workspace(&mut tx, self.ws).await.unwrap());
        let now = self.later(rng);
        let mut usage = caps::usage(&mut tx, self.ws, &self.limits, now)
            .await
            .unwrap();
        let (mut handed_out, mut uses) = (Vec::new(), Vec::new());
        for _ in 0..1 + rng.below(MAILS) {
            let places = (0..self.limits.len()).filter(|_| rng.below(3) > 0);
            let under: BTreeSet<usize> = places.collect();
            let limits: Vec<Limit> = under
                .iter()
                .map(|place| self.limits[*place].clone())
                .collect();
            if usage.binding(&limits, now).is_some() {
                *self.refused.lock().unwrap() += 1;
                continue;
            }
            usage.reserve(&limits, now);
            uses.extend(limits.iter().map(|limit| used(limit, now, 1)));
            handed_out.push(HandOut { at: now, under });
        }
        caps::add(&mut tx, self.ws, &uses).await.unwrap();
        if rng.below(8) == 0 {
            return Vec::new();
        }
        // Before others can see it: what they do next is counted with it.
        self.done.lock().unwrap().extend(handed_out.iter().cloned());
        tx.commit().await.unwrap();
        handed_out
    }

    /// It has definitely not gone out.
    async fn release(&self, db: &Database, failed: &HandOut) {
        let back = failed
            .under
            .iter()
            .map(|place| used(&self.limits[*place], failed.at, -1));
        let back: Vec<Use> = back.collect();
        self.forget(failed);
        let mut tx = db.begin().await.unwrap();
        caps::add(&mut tx, self.ws, &back).await.unwrap();
        tx.commit().await.unwrap();
    }

    fn forget(&self, failed: &HandOut) {
        let mut done = self.done.lock().unwrap();
        let same = |one: &HandOut| one.at == failed.at && one.under == failed.under;
        let place = done.iter().position(same).expect("it was handed out");
        done.remove(place);
    }

    /// How many windows are full; none holds more than its limit.
    fn check(&self, seed: u64) -> usize {
        let done = self.done.lock().unwrap();
        let mut full = 0;
        for (place, limit) in self.limits.iter().enumerate() {
            let mut moments: Vec<Timestamp> = done
                .iter()
                .filter(|one| one.under.contains(&place))
                .map(|one| one.at)
                .collect();
            moments.sort_unstable();
            let counts: Vec<usize> = match limit.cap.rule().0 {
                Span::Day(_) => {
                    let mut days: BTreeMap<Date, usize> = BTreeMap::new();
                    for at in &moments {
                        let day = limit.zone.to_datetime(at.to_jiff()).date();
                        *days.entry(day).or_default() += 1;
                    }
                    days.into_values().collect()
                }
                Span::Sliding(length) => {
                    let from = |(first, at): (usize, &Timestamp)| {
                        moments[first..]
                            .iter()
                            .take_while(|later| later.since(*at) < length)
                            .count()
                    };
                    moments.iter().enumerate().map(from).collect()
                }
            };
            let most = counts.iter().copied().max().unwrap_or(0);
            let allowed = usize::try_from(limit.limit).unwrap();
            assert!(
                most <= allowed,
                "set {seed}: {most} under {limit:?}: {moments:?}"
            );
            full += usize::from(most == allowed);
        }
        full
    }
}

fn used(limit: &Limit, at: Timestamp, n: i64) -> Use {
    let (cap, subject) = (limit.cap, limit.subject.clone());
    Use {
        cap,
        subject,
        bucket: limit.bucket(at),
        n,
    }
}

async fn write_workspace(db: &Database, set: &Set) {
    let workspace = Workspace {
        id: set.ws,
        name: "W".into(),
        postal_address: String::new(),
        time_zone: "UTC".into(),
        created_at: *set.now.lock().unwrap(),
    };
    let mut tx = db.begin().await.unwrap();
    people::insert_workspace(&mut tx, &workspace).await.unwrap();
    tx.commit().await.unwrap();
}

on_both! {
    // CAP-1, CAP-2, SAFE-1
    async fn no_window_of_a_thousand_sets_is_ever_exceeded(test: TestDatabase) {
        let (mut full, mut refused) = (0, 0);
        for first in (0..SETS).step_by(AT_ONCE as usize) {
            let mut workers = tokio::task::JoinSet::new();
            let mut sets = Vec::new();
            for seed in first..(first + AT_ONCE).min(SETS) {
                let set = Arc::new(Set::random(seed));
                write_workspace(&test.db, &set).await;
                for worker in 0..WORKERS {
                    let (db, set) = (test.db.clone(), set.clone());
                    workers.spawn(async move { set.work(&db, SETS + seed * WORKERS + worker).await });
                }
                sets.push((seed, set));
            }
            while let Some(ended) = workers.join_next().await {
                ended.unwrap();
            }
            for (seed, set) in sets {
                full += set.check(seed);
                refused += *set.refused.lock().unwrap();
            }
        }
        // It was tight: otherwise this says nothing.
        assert!(full as u64 > SETS && refused as u64 > SETS, "{full} full windows, {refused} refusals");
    }
}
