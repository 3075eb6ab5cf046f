//! Lanes: who waits for room, and when their heads are looked at.

use overture_domain::{
    EnrollmentId, HostId, Timestamp,
    campaigns::StepKind,
    enrollments::{ActionState, Job, JobKind, Lane},
};
use overture_store::{
    Tx, actions, campaigns, enrollments, jobs,
    jobs::Planned,
    lanes::{self, DueLane, Look},
    on_both, people,
};

use super::{
    accounts::NOW,
    world::{World, action, ended, enrollment, host, later, plan, start, world, write},
};

fn lane(world: &World) -> Lane {
    Lane::new(world.campaign.id, None, StepKind::Email, "Asia/Tokyo")
}

fn in_lane(world: &World, lane: &Lane, place: usize, at: Timestamp) -> Planned {
    Planned {
        lane: Some(lane.clone()),
        ..plan(world, place, place as u64 + 1, at)
    }
}

async fn due(tx: &mut Tx, now: Timestamp) -> Vec<(Lane, i64)> {
    let due = lanes::list_due(tx, now, 99, 9).await.unwrap();
    due.into_iter()
        .map(|DueLane { lane, width, .. }| (lane, width))
        .collect()
}

async fn claim(tx: &mut Tx, host: HostId, lane: &Lane, now: Timestamp, n: i64) -> Vec<Job> {
    let claimed = lanes::claim(tx, &[(lane, n)], host, now, now).await;
    claimed.unwrap()
}

on_both! {
    // SCH-8: the head alone is taken, in the order of the run times, when it is due.
    async fn the_head_of_a_lane_is_taken_when_there_is_room(test: TestDatabase) {
        let world = world(&test.db).await;
        start(&test.db, &world).await;
        let host = host(&test.db, 1, NOW).await;
        let lane = lane(&world);
        let on = &mut test.db.reader();
        write(&test.db, async |tx| {
            let planned = [in_lane(&world, &lane, 0, later(9)), in_lane(&world, &lane, 1, later(5)), in_lane(&world, &lane, 2, later(7))];
            jobs::plan(tx, &planned, NOW).await.unwrap();
        }).await;
        assert_eq!(lanes::next_due_at(on).await.unwrap(), Some(later(5)));
        assert_eq!(jobs::next_run_at(on, JobKind::SendStep).await.unwrap(), None, "nobody has a time of their own");
        assert_eq!(jobs::count_mismatched(on).await.unwrap(), 0);
        let first = write(&test.db, async |tx| {
            assert!(due(tx, later(4)).await.is_empty());
            assert_eq!(due(tx, later(8)).await, [(lane.clone(), 1)]);
            assert!(jobs::claim(tx, JobKind::SendStep, host, later(9), NOW, 9).await.unwrap().is_empty());
            let claimed = claim(tx, host, &lane, later(8), 1).await;
            assert_eq!(claimed.iter().map(|job| job.run_at).collect::<Vec<_>>(), [later(5)]);
            // It waits again: there is no room before the 60th second.
            jobs::wait(tx, &[(claimed[0].id, lane.clone())]).await.unwrap();
            let closed = Some((later(60), "full".to_owned()));
            lanes::settle(tx, world.ws, &[Look { lane: lane.clone(), closed }]).await.unwrap();
            claimed[0].id
        }).await;
        assert_eq!(lanes::next_due_at(on).await.unwrap(), Some(later(60)));
        for place in 0..3 {
            let waiting = enrollment(&test.db, &world, place).await;
            assert_eq!((waiting.next_action_at, waiting.reason.as_str()), (Some(later(60)), "full"));
        }
        assert_eq!(jobs::count_mismatched(on).await.unwrap(), 0);
        write(&test.db, async |tx| {
            assert!(due(tx, later(59)).await.is_empty());
            let claimed = claim(tx, host, &lane, later(60), 2).await;
            assert_eq!(claimed.len(), 2);
            assert!(claimed.iter().any(|job| job.id == first), "it has kept its place");
            lanes::settle(tx, world.ws, &[Look { lane: lane.clone(), closed: None }]).await.unwrap();
        }).await;
        assert_eq!(lanes::next_due_at(on).await.unwrap(), Some(later(9)), "the last one's time has come");
        // Given back, a job has a time of its own: nothing needs its lane to find it (SCH-5).
        write(&test.db, async |tx| {
            jobs::release(tx, &[first]).await.unwrap();
            assert_eq!(jobs::claim(tx, JobKind::SendStep, host, later(60), NOW, 9).await.unwrap().len(), 1);
            claim(tx, host, &lane, later(60), 9).await;
            lanes::settle(tx, world.ws, &[Look { lane: lane.clone(), closed: None }]).await.unwrap();
        }).await;
        assert_eq!(lanes::next_due_at(on).await.unwrap(), None, "an empty lane is gone");
    }

    // SCH-8, SCH-3: who joins a closed lane waits with the others; an open one is looked at in time.
    async fn joining_changes_only_when_the_head_is_looked_at(test: TestDatabase) {
        let world = world(&test.db).await;
        start(&test.db, &world).await;
        let lane = lane(&world);
        let on = &mut test.db.reader();
        let join = async |place, at| write(&test.db, async |tx| jobs::plan(tx, &[in_lane(&world, &lane, place, at)], NOW).await.unwrap()).await;
        join(0, later(50)).await;
        join(1, later(40)).await;
        assert_eq!(lanes::next_due_at(on).await.unwrap(), Some(later(40)));
        let closed = Some((later(100), "full".to_owned()));
        write(&test.db, async |tx| lanes::settle(tx, world.ws, &[Look { lane: lane.clone(), closed }]).await.unwrap()).await;
        join(2, later(10)).await;
        assert_eq!(lanes::next_due_at(on).await.unwrap(), Some(later(100)));
        assert_eq!(enrollment(&test.db, &world, 2).await.reason, "full");
        assert_eq!(jobs::count_mismatched(on).await.unwrap(), 0);
        test.execute_raw("UPDATE lanes SET due_at = due_at + 1").await.unwrap();
        assert_eq!(jobs::count_mismatched(on).await.unwrap(), 3, "the check sees a late lane");
    }

    // MB-4: lanes are called up by their campaign, and by every mailbox that they may send from.
    async fn lanes_are_called_up(test: TestDatabase) {
        let world = world(&test.db).await;
        start(&test.db, &world).await;
        let (pooled, sticky) = (lane(&world), Lane::new(world.campaign.id, Some(world.account), StepKind::Email, "Asia/Tokyo"));
        let (ws, on) = (world.ws, &mut test.db.reader());
        let close = async || write(&test.db, async |tx| {
            let closed = Some((later(100), "full".to_owned()));
            let looks = [&pooled, &sticky].map(|lane| Look { lane: lane.clone(), closed: closed.clone() });
            lanes::settle(tx, ws, &looks).await.unwrap();
        }).await;
        write(&test.db, async |tx| jobs::plan(tx, &[in_lane(&world, &pooled, 0, NOW), in_lane(&world, &sticky, 1, NOW)], NOW).await.unwrap()).await;
        close().await;
        write(&test.db, async |tx| {
            assert!(people::lock_workspace(tx, ws).await.unwrap());
            assert_eq!(lanes::call_up_campaign(tx, ws, world.campaign.id, later(5)).await.unwrap(), 2);
            assert_eq!(lanes::call_up_campaign(tx, ws, world.campaign.id, later(5)).await.unwrap(), 0, "they are open");
            assert_eq!(due(tx, later(5)).await, [(pooled.clone(), 1), (sticky.clone(), 1)]);
        }).await;
        let called = enrollment(&test.db, &world, 0).await;
        assert_eq!((called.next_action_at, called.reason.as_str()), (Some(later(5)), ""));
        close().await;
        let called = write(&test.db, async |tx| lanes::call_up_account(tx, ws, world.account, later(5)).await.unwrap()).await;
        assert_eq!(called, 2);
        close().await;
        // Left the pool: the mailbox is nothing to those who may go from any of it.
        let called = write(&test.db, async |tx| {
            campaigns::set_pool(tx, ws, world.campaign.id, &[]).await.unwrap();
            lanes::call_up_account(tx, ws, world.account, later(5)).await.unwrap()
        }).await;
        assert_eq!((called, lanes::next_due_at(on).await.unwrap()), (1, Some(later(5))));
        // MB-5: who stuck to a deleted mailbox goes on an hour later, by itself.
        write(&test.db, async |tx| {
            let sticks: EnrollmentId = enrollment(&test.db, &world, 1).await.id;
            enrollments::set_acting(tx, ws, &[(sticks, world.account)], NOW).await.unwrap();
            assert_eq!(enrollments::leave_account(tx, ws, world.account, later(10)).await.unwrap(), 1);
        }).await;
        assert_eq!(enrollment(&test.db, &world, 1).await.next_action_at, Some(later(3_610)));
        assert_eq!(jobs::next_run_at(on, JobKind::SendStep).await.unwrap(), Some(later(3_610)));
    }

    // SCH-2, SAF-4: after an edit everybody who waits is planned anew, but whoever waits out a
    // refusal or is on their way keeps their place.
    async fn a_campaign_is_unplanned(test: TestDatabase) {
        let world = world(&test.db).await;
        start(&test.db, &world).await;
        let host = host(&test.db, 1, NOW).await;
        let lane = lane(&world);
        write(&test.db, async |tx| {
            let planned = [in_lane(&world, &lane, 0, NOW), plan(&world, 1, 2, later(90)), plan(&world, 2, 3, NOW)];
            jobs::plan(tx, &planned, NOW).await.unwrap();
            assert_eq!(jobs::claim(tx, JobKind::SendStep, host, NOW, NOW, 9).await.unwrap().len(), 1);
            let refused = action(&world, 1, 1);
            actions::insert(tx, std::slice::from_ref(&refused)).await.unwrap();
            actions::end(tx, &[ended(&refused, ActionState::Retrying, None)], NOW).await.unwrap();
            assert_eq!(jobs::unplan_campaign(tx, world.ws, world.campaign.id, NOW).await.unwrap(), 1);
        }).await;
        for (place, next) in [None, Some(later(90)), Some(NOW)].into_iter().enumerate() {
            assert_eq!(enrollment(&test.db, &world, place).await.next_action_at, next);
        }
        let on = &mut test.db.reader();
        assert_eq!(jobs::count_mismatched(on).await.unwrap(), 0);
        assert_eq!(jobs::list_unplanned(on, 9).await.unwrap().len(), 1);
    }
}
