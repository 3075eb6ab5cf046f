//! Jobs, actions, attempts, caps and hosts.

use jiff::tz::TimeZone;
use overture_domain::{
    EnrollmentId, Timestamp,
    caps::{Cap, Limit},
    enrollments::{ActionState, Attempt, EnrollmentState, JobKind, JobState, Outcome},
};
use overture_store::{
    actions, campaigns,
    caps::{self, Use},
    enrollments, hosts,
    jobs::{self, Planned},
    on_both,
};

use super::{
    accounts::{NOW, workspace},
    world::{action, attempt, ended, enrollment, host, id, later, plan, start, world, write},
};

on_both! {
    // SCH-3
    async fn a_job_and_the_next_action_are_one(test: TestDatabase) {
        let world = world(&test.db).await;
        let mut on = test.db.reader();
        assert!(jobs::list_unplanned(&mut on, 9).await.unwrap().is_empty(), "a draft plans nothing");
        start(&test.db, &world).await;
        let unplanned = jobs::list_unplanned(&mut on, 9).await.unwrap();
        assert_eq!(unplanned.len(), 3);
        assert_eq!((unplanned[0].step.map(|step| step.delay_minutes), unplanned[0].last_done_at, unplanned[0].time_zone.as_str()), (Some(0), None, "Asia/Tokyo"));
        let host = host(&test.db, 1, NOW).await;
        write(&test.db, async |tx| {
            jobs::plan(tx, &[plan(&world, 0, 1, later(5)), plan(&world, 1, 2, later(9))], NOW).await.unwrap();
            // It has a live job: nothing changes.
            jobs::plan(tx, &[plan(&world, 0, 3, later(1))], NOW).await.unwrap();
        }).await;
        assert_eq!(enrollment(&test.db, &world, 0).await.next_action_at, Some(later(5)));
        assert_eq!(jobs::next_run_at(&mut on, JobKind::SendStep).await.unwrap(), Some(later(5)));
        assert_eq!(jobs::list_unplanned(&mut on, 9).await.unwrap().len(), 1);
        let claimed = write(&test.db, async |tx| jobs::claim(tx, JobKind::SendStep, host, later(5), later(5), 9).await.unwrap()).await;
        assert_eq!(claimed.len(), 1);
        assert_eq!((claimed[0].host_id, claimed[0].leased_at, claimed[0].state), (Some(host), Some(later(5)), JobState::Processing));
        write(&test.db, async |tx| {
            jobs::defer(tx, &[(claimed[0].id, later(50), "the window".into())], NOW).await.unwrap();
            // Not claimed: not deferred.
            jobs::defer(tx, &[(id(2), later(70), "no".into())], NOW).await.unwrap();
        }).await;
        let deferred = enrollment(&test.db, &world, 0).await;
        assert_eq!((deferred.next_action_at, deferred.reason.as_str()), (Some(later(50)), "the window"));
        assert_eq!(jobs::next_run_at(&mut on, JobKind::SendStep).await.unwrap(), Some(later(9)));
        // Cancelled while it is claimed: it stays cancelled.
        let claimed = write(&test.db, async |tx| jobs::claim(tx, JobKind::SendStep, host, later(9), NOW, 9).await.unwrap()).await;
        write(&test.db, async |tx| {
            enrollments::unplan(tx, world.ws, &[(world.enrolled[1].id, "paused".into())], NOW).await.unwrap();
            jobs::defer(tx, &[(claimed[0].id, later(60), "no".into())], NOW).await.unwrap();
            jobs::release(tx, &[claimed[0].id]).await.unwrap();
            jobs::finish(tx, &[(claimed[0].id, JobState::Completed, None)], NOW).await.unwrap();
        }).await;
        let unplanned = enrollment(&test.db, &world, 1).await;
        assert_eq!((unplanned.next_action_at, unplanned.reason.as_str()), (None, "paused"));
        assert_eq!(jobs::count_mismatched(&mut on).await.unwrap(), 0);
        test.execute_raw("UPDATE jobs SET run_at = run_at + 1 WHERE state = 'pending'").await.unwrap();
        assert_eq!(jobs::count_mismatched(&mut on).await.unwrap(), 2, "the check sees a difference");
    }

    // SCH-8: workspaces in turn.
    async fn a_workspace_with_much_to_do_delays_no_other(test: TestDatabase) {
        let world = world(&test.db).await;
        start(&test.db, &world).await;
        let host = host(&test.db, 1, NOW).await;
        write(&test.db, async |tx| jobs::plan(tx, &[plan(&world, 0, 1, later(1)), plan(&world, 1, 2, later(2)), plan(&world, 2, 3, later(3))], NOW).await.unwrap()).await;
        test.execute_raw("INSERT INTO workspaces (id, name, created_at) VALUES ('wsp_01kjq5t3k8e9v8z2m4n6p7r8s9', 'W', 0)").await.unwrap();
        test.execute_raw("INSERT INTO jobs (id, workspace_id, kind, subject_id, state, run_at, created_at) SELECT 'job_01kjq5t3k8e9v8z2m4n6p7r8s9', 'wsp_01kjq5t3k8e9v8z2m4n6p7r8s9', 'send_step', 'x', 'pending', run_at, 0 FROM jobs ORDER BY run_at DESC LIMIT 1").await.unwrap();
        let claimed = write(&test.db, async |tx| jobs::claim(tx, JobKind::SendStep, host, later(9), NOW, 2).await.unwrap()).await;
        let mut workspaces: Vec<_> = claimed.iter().map(|job| job.workspace_id).collect();
        workspaces.dedup();
        assert_eq!(workspaces.len(), 2, "{claimed:?}");
        assert!(claimed.iter().any(|job| job.id == id(1)), "the longest due of the first");
    }

    // SAFE-3: never twice, by the database itself.
    async fn an_attempt_is_refused_unless_nothing_can_have_been_sent(test: TestDatabase) {
        let world = world(&test.db).await;
        let (first, second) = (action(&world, 0, 1), action(&world, 1, 2));
        let attempts = async |list: &[Attempt]| write(&test.db, async |tx| actions::insert_attempts(tx, list).await.unwrap().len()).await;
        let end = async |list: &[actions::Ended]| write(&test.db, async |tx| actions::end(tx, list, later(5)).await.unwrap().len()).await;
        write(&test.db, async |tx| actions::insert(tx, &[first.clone(), second.clone()]).await.unwrap()).await;
        assert_eq!(attempts(&[attempt(&first, 1)]).await, 1);
        assert_eq!(attempts(&[attempt(&first, 2)]).await, 0, "the first may have gone out");
        assert_eq!(end(&[ended(&first, ActionState::Retrying, Some((1, Outcome::NotSent)))]).await, 1);
        let mut on = test.db.reader();
        let found = actions::find(&mut on, world.ws, first.id).await.unwrap().unwrap();
        assert_eq!((found.state, found.deferrals, found.last_error.as_deref(), found.done_at), (ActionState::Retrying, 1, Some("words"), None));
        assert_eq!(attempts(&[attempt(&first, 3)]).await, 0, "it is not handed out");
        write(&test.db, async |tx| actions::hand_out_again(tx, &[(first.id, world.account)], later(6)).await.unwrap()).await;
        assert_eq!(attempts(&[attempt(&first, 4)]).await, 1);
        assert_eq!(end(&[ended(&first, ActionState::Ambiguous, Some((4, Outcome::Ambiguous)))]).await, 1);
        assert_eq!(attempts(&[attempt(&first, 5)]).await, 0);
        assert_eq!(actions::attempted(&mut on, world.ws, &[first.id, second.id]).await.unwrap(), [(first.id, id(904))].into());
        assert_eq!(end(&[ended(&first, ActionState::Done, Some((4, Outcome::Sent)))]).await, 1);
        let found = actions::find(&mut on, world.ws, first.id).await.unwrap().unwrap();
        assert_eq!((found.state, found.done_at), (ActionState::Done, Some(later(5))));
        let outcomes: Vec<_> = actions::list_attempts(&mut on, world.ws, first.id).await.unwrap().iter().map(|a| a.outcome).collect();
        assert_eq!(outcomes, [Some(Outcome::NotSent), Some(Outcome::Sent)]);
        assert_eq!(actions::count_done_since(&mut on, world.ws, world.account, later(6)).await.unwrap(), 1);
        assert_eq!(actions::count_done_since(&mut on, world.ws, world.account, later(7)).await.unwrap(), 0);
        let last = enrollments::last_mails(&mut on, world.ws, &[world.enrolled[0].prospect_id]).await.unwrap();
        assert_eq!(last, [(world.enrolled[0].prospect_id, world.campaign.id, later(5))]);
    }

    // SEQ-3: an ended way cancels what has not gone out, and nothing that may have.
    async fn finishing_cancels_what_has_not_gone_out(test: TestDatabase) {
        let world = world(&test.db).await;
        let ids: Vec<_> = world.enrolled.iter().map(|e| e.id).collect();
        let (waiting, out) = (action(&world, 0, 1), action(&world, 1, 2));
        start(&test.db, &world).await;
        let finish = async |ids: &[EnrollmentId], state| write(&test.db, async |tx| enrollments::finish(tx, world.ws, ids, state, "why", later(3)).await.unwrap().len()).await;
        write(&test.db, async |tx| {
            jobs::plan(tx, &[plan(&world, 0, 1, NOW), plan(&world, 1, 2, NOW)], NOW).await.unwrap();
            actions::insert(tx, &[waiting.clone(), out.clone()]).await.unwrap();
            actions::insert_attempts(tx, &[attempt(&out, 1)]).await.unwrap();
        }).await;
        assert_eq!(finish(&ids, EnrollmentState::Completed).await, 3);
        let mut on = test.db.reader();
        assert_eq!(jobs::next_run_at(&mut on, JobKind::SendStep).await.unwrap(), None);
        assert_eq!(actions::find(&mut on, world.ws, waiting.id).await.unwrap().unwrap().state, ActionState::Cancelled);
        let under_way = actions::find(&mut on, world.ws, out.id).await.unwrap().unwrap();
        assert_eq!(under_way.state, ActionState::Ambiguous, "until its process tells (SAFE-3)");
        let outcomes: Vec<_> = actions::list_attempts(&mut on, world.ws, out.id).await.unwrap().iter().map(|a| a.outcome).collect();
        assert_eq!(outcomes, [Some(Outcome::Ambiguous)]);
        let refused = write(&test.db, async |tx| actions::insert_attempts(tx, &[attempt(&waiting, 2)]).await.unwrap()).await;
        assert!(refused.is_empty(), "a cancelled step may not go out");
        // A reply counts more than `completed`, nothing counts more than a reply.
        assert_eq!(finish(&ids[..1], EnrollmentState::Stopped).await, 0);
        assert_eq!(finish(&ids[..1], EnrollmentState::Replied).await, 1);
        assert_eq!(finish(&ids[..1], EnrollmentState::Bounced).await, 0);
        let found = enrollment(&test.db, &world, 0).await;
        assert_eq!((found.state, found.reason.as_str(), found.finished_at), (EnrollmentState::Replied, "why", Some(later(3))));
        let through = campaigns::list_through(&mut on).await.unwrap();
        assert_eq!(through.iter().map(|c| c.id).collect::<Vec<_>>(), [world.campaign.id]);
        assert_eq!(jobs::count_mismatched(&mut on).await.unwrap(), 0);
    }

    // SAFE-2: parked with a reason, and back again.
    async fn the_parked_resume_by_campaign_prospect_or_account(test: TestDatabase) {
        use EnrollmentState::{Active, PausedAccount, PendingTemplateFix, PendingTemplateVariableResolution};
        let world = world(&test.db).await;
        start(&test.db, &world).await;
        let ids: Vec<_> = world.enrolled.iter().map(|e| e.id).collect();
        write(&test.db, async |tx| {
            jobs::plan(tx, &[plan(&world, 0, 1, NOW), plan(&world, 1, 2, NOW), plan(&world, 2, 3, NOW)], NOW).await.unwrap();
            enrollments::set_acting(tx, world.ws, &[(ids[2], world.account)], NOW).await.unwrap();
            let parked = [
                (ids[0], PendingTemplateFix, "step 1".to_owned()),
                (ids[1], PendingTemplateVariableResolution, "needs company".to_owned()),
                (ids[2], PausedAccount, "disconnected".to_owned()),
            ];
            assert_eq!(enrollments::park(tx, world.ws, &parked, NOW).await.unwrap(), 3);
        }).await;
        let mut on = test.db.reader();
        assert_eq!(enrollment(&test.db, &world, 1).await.reason, "needs company");
        assert!(jobs::list_unplanned(&mut on, 9).await.unwrap().is_empty());
        let resumed = write(&test.db, async |tx| {
            let (ws, campaign) = (world.ws, world.campaign.id);
            let by_campaign = enrollments::resume_campaign(tx, ws, campaign, PendingTemplateFix, NOW).await.unwrap();
            let by_prospect = enrollments::resume_prospects(tx, ws, &[world.enrolled[1].prospect_id], PendingTemplateVariableResolution, NOW).await.unwrap();
            let by_account = enrollments::resume_with_accounts(tx, NOW).await.unwrap();
            [by_campaign, by_prospect, by_account].concat()
        }).await;
        assert_eq!(resumed.iter().map(|e| e.id).collect::<Vec<_>>(), ids);
        assert!(resumed.iter().all(|e| e.state == Active && e.reason.is_empty()));
        assert_eq!(jobs::list_unplanned(&mut on, 9).await.unwrap().len(), 3);
        assert_eq!(jobs::count_mismatched(&mut on).await.unwrap(), 0);
    }

    // CLS-2, SAFE-1: away until a day; what is planned for later stays.
    async fn who_is_away_is_planned_anew(test: TestDatabase) {
        let world = world(&test.db).await;
        start(&test.db, &world).await;
        let (early, late) = (world.enrolled[0].id, world.enrolled[1].id);
        let plan = |n, enrollment_id, run_at| Planned { job_id: id(n), workspace_id: world.ws, enrollment_id, run_at, lane: None, reason: String::new(), waits: false };
        let held = write(&test.db, async |tx| {
            jobs::plan(tx, &[plan(801, early, later(60)), plan(802, late, later(900))], NOW).await.unwrap();
            let mut held = Vec::new();
            for enrollment in [early, late] {
                held.push(enrollments::hold(tx, world.ws, enrollment, later(600), "back soon", NOW).await.unwrap());
                // An earlier return changes nothing.
                held.push(enrollments::hold(tx, world.ws, enrollment, later(300), "back sooner", NOW).await.unwrap());
            }
            held.push(enrollments::hold(tx, id(99), early, later(999), "not ours", NOW).await.unwrap());
            held
        })
        .await;
        assert_eq!(held, [true, true, true, true, false]);
        let first = enrollment(&test.db, &world, 0).await;
        assert_eq!((first.next_action_at, &*first.reason), (None, "back soon"));
        assert_eq!(enrollment(&test.db, &world, 1).await.next_action_at, Some(later(900)));
        let unplanned = jobs::list_unplanned(&mut test.db.reader(), 10).await.unwrap();
        let first = unplanned.iter().find(|unplanned| unplanned.enrollment_id == early).unwrap();
        assert_eq!(first.not_before, Some(later(600)));
        assert!(!unplanned.iter().any(|unplanned| unplanned.enrollment_id == late));
        assert_eq!(jobs::count_mismatched(&mut test.db.reader()).await.unwrap(), 0);
    }

    // MB-5
    async fn a_deleted_account_is_left_an_hour_later(test: TestDatabase) {
        let world = world(&test.db).await;
        start(&test.db, &world).await;
        let left = write(&test.db, async |tx| {
            jobs::plan(tx, &[plan(&world, 0, 1, later(5)), plan(&world, 1, 2, later(5))], NOW).await.unwrap();
            enrollments::set_acting(tx, world.ws, &[(world.enrolled[0].id, world.account)], NOW).await.unwrap();
            enrollments::leave_account(tx, world.ws, world.account, NOW).await.unwrap()
        }).await;
        assert_eq!(left, 1);
        let found = enrollment(&test.db, &world, 0).await;
        assert_eq!((found.account_id, found.next_action_at), (None, Some(later(3_605))));
        assert_eq!(enrollment(&test.db, &world, 1).await.next_action_at, Some(later(5)));
        assert_eq!(jobs::count_mismatched(&mut test.db.reader()).await.unwrap(), 0);
    }

    // SCH-5
    async fn leases_of_the_dead_cost_nothing_and_of_the_living_strikes(test: TestDatabase) {
        let world = world(&test.db).await;
        start(&test.db, &world).await;
        let (dead, living) = (host(&test.db, 1, NOW).await, host(&test.db, 2, later(100)).await);
        write(&test.db, async |tx| jobs::plan(tx, &[plan(&world, 0, 1, NOW)], NOW).await.unwrap()).await;
        let claim = async |host, at| write(&test.db, async |tx| jobs::claim(tx, JobKind::SendStep, host, later(999), at, 9).await.unwrap()).await;
        assert_eq!(claim(dead, NOW).await.len(), 1);
        let release = async |since| write(&test.db, async |tx| hosts::release_dead(tx, living, since).await.unwrap()).await;
        assert_eq!(release(NOW).await, 0);
        assert_eq!(release(later(1)).await, 1);
        for strike in 0..3 {
            let claimed = claim(living, later(200)).await;
            assert_eq!(claimed[0].strikes, strike);
            let recover = async |before| write(&test.db, async |tx| hosts::recover_stuck(tx, before, later(999)).await.unwrap()).await;
            assert_eq!(recover(later(200)).await, (0, vec![]));
            let (recovered, failed) = recover(later(201)).await;
            if strike < 2 {
                assert_eq!((recovered, failed.len()), (1, 0));
            } else {
                assert_eq!((recovered, failed.len()), (0, 1));
                assert_eq!(failed[0].enrollment_id, world.enrolled[0].id);
            }
        }
        assert!(claim(living, NOW).await.is_empty());
        // All leases at the start of the only process.
        write(&test.db, async |tx| jobs::plan(tx, &[plan(&world, 1, 2, NOW)], NOW).await.unwrap()).await;
        assert_eq!(claim(living, NOW).await.len(), 1);
        assert_eq!(write(&test.db, async |tx| hosts::release_all(tx, dead).await.unwrap()).await, 1);
    }

    // CAP-2
    async fn usage_adds_up_and_is_released(test: TestDatabase) {
        let ws = workspace(&test.db).await;
        let limit = |cap| Limit { cap, subject: "acc".into(), limit: 2, zone: TimeZone::UTC };
        let (daily, minute) = (limit(Cap::MailboxDaily), limit(Cap::MailboxPerMinute));
        let limits = [daily.clone(), minute.clone()];
        let uses = |at: Timestamp, n| limits.iter().map(|l| Use { cap: l.cap, subject: l.subject.clone(), bucket: l.bucket(at), n }).collect::<Vec<_>>();
        write(&test.db, async |tx| {
            caps::add(tx, ws, &[uses(NOW, 1), uses(NOW, 1), uses(later(30), 1)].concat()).await.unwrap();
            caps::add(tx, ws, &uses(later(30), 1)).await.unwrap();
            caps::add(tx, ws, &uses(later(30), -1)).await.unwrap();
        }).await;
        let read = async |at| caps::usage(&mut test.db.reader(), ws, &limits, at).await.unwrap();
        let usage = read(later(31)).await;
        assert_eq!((usage.used(&daily, later(31)), usage.used(&minute, later(31))), (3, 3));
        assert_eq!(usage.used(&minute, later(61)), 1);
        assert_eq!(read(later(86_400)).await.used(&daily, later(86_400)), 0);
        let other = caps::usage(&mut test.db.reader(), id(7), &limits, NOW).await.unwrap();
        assert_eq!(other.used(&daily, NOW), 0);
        // Never below nothing; a moved zone carries the day along.
        let today = daily.bucket(NOW);
        write(&test.db, async |tx| {
            caps::add(tx, ws, &uses(later(500), -1)).await.unwrap();
            caps::move_zone(tx, ws, Cap::MailboxDaily, "acc", today, today + 1, NOW).await.unwrap();
        }).await;
        assert_eq!(read(later(86_400)).await.used(&daily, later(86_400)), 2);
    }
}
