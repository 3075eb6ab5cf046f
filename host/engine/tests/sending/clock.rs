//! Hosts whose own clocks are minutes apart share one database (SCH-7).

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use overture_domain::{
    Clock, HostId, Timestamp, campaigns::Window, rng::SeededRng, time::ManualClock,
};
use overture_engine::{
    Due, Env, Result,
    campaigns::{CampaignIn, StepIn},
    clock::{Authority, DatabaseClock},
    leases, sends,
};
use overture_store::on_both;
use overture_testkit::{MONDAY, Outreach};

use super::monday;

/// A clock that runs so many minutes before another, or behind it.
struct Apart(Arc<ManualClock>, i64);

impl Clock for Apart {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.now().as_micros() + self.1 * 60_000_000)
    }
}

/// The database's clock.
struct Told(Arc<ManualClock>);

#[async_trait]
impl Authority for Told {
    async fn now(&self) -> Result<Timestamp> {
        Ok(self.0.now())
    }
}

/// A host whose own clock is so many minutes ahead of the database's.
async fn host(world: &Outreach, minutes: i64) -> Env {
    let (mut env, truth) = (world.env().clone(), world.kit.clock.clone());
    let own = Arc::new(Apart(truth.clone(), minutes));
    let clock = Arc::new(DatabaseClock::new(own, Arc::new(Told(truth))));
    env.clock = clock.clone();
    env.real = clock.clone();
    env.database_clock = Some(clock);
    env.host = HostId::new(MONDAY, &SeededRng::new(minutes.unsigned_abs() + 50));
    let mut tx = env.db.begin().await.unwrap();
    overture_store::hosts::heartbeat(&mut tx, env.host, "test", MONDAY)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    env
}

on_both! {
    // SCH-7, CAP-2: one mail a day, at midnight by the database's clock; and nothing before a host knows
    // how late it is.
    async fn hosts_with_clocks_apart_break_no_cap(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let given = CampaignIn {
            name: "Spring".into(),
            steps: vec![StepIn { subject: "Hi".into(), body_html: "Hi".into(), ..StepIn::default() }],
            mailbox_ids: vec![mailbox.id],
            daily_send_limit: Some(1),
            minutes_between_sends: Some(0),
            windows: Some(vec![Window { days: (0..7).collect(), start: 0, end: 0 }]),
            ..CampaignIn::default()
        };
        let campaign = world.create(&given).await;
        let people = world.prospects(3).await;
        world.enroll(campaign, &people).await;
        world.start(campaign).await;
        world.kit.clock.advance_to(monday(23, 40));
        let hosts = [host(&world, 7).await, host(&world, -6).await];
        for env in &hosts {
            assert_eq!(sends::tick(env).await.unwrap(), Due::WhenWoken);
            assert_eq!(world.enrollments(campaign).await[0].next_action_at, None, "nothing is planned");
        }
        let work_until = async |end: Timestamp| {
            while world.kit.clock.now() < end {
                world.kit.clock.advance(Duration::from_secs(20));
                for env in &hosts {
                    leases::tick(env).await.unwrap();
                    assert_eq!(env.now(), world.kit.clock.now());
                    sends::tick(env).await.unwrap();
                    env.under_way.settled().await;
                }
            }
        };
        work_until(monday(23, 59)).await;
        assert_eq!(world.post.asked().len(), 1);
        work_until(monday(24, 20)).await;
        assert_eq!(world.post.asked().len(), 2);
    }
}
