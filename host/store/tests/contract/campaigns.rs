//! Campaigns and their enrollments.

use std::collections::HashMap;

use overture_domain::{
    CampaignId, EnrollmentId, ProspectId, WorkspaceId,
    campaigns::{Campaign, CampaignStatus, Pause, PauseReason, PoolAccount, Step, StepKind},
    enrollments::{Action, ActionState, Enrollment, EnrollmentState},
    prospects::{Prospect, ProspectStatus, Suppression, SuppressionKind, SuppressionSource},
};
use overture_store::{
    actions, audit,
    campaigns::{self, StatusChange},
    enrollments,
    jobs::{self, Planned},
    on_both,
    outcomes::{self, Done},
    prospects, suppressions,
};

use super::{
    accounts::NOW,
    world::{action, campaign, change, enrollment, id, later, prospect, step, world, write},
};

on_both! {
    async fn a_campaign_is_read_as_it_was_written(test: TestDatabase) {
        let world = world(&test.db).await;
        let mut on = test.db.reader();
        let (ws, id) = (world.ws, world.campaign.id);
        assert_eq!(campaigns::find(&mut on, ws, id).await.unwrap().as_ref(), Some(&world.campaign));
        assert_eq!(campaigns::list_by_ids(&mut on, ws, &[id]).await.unwrap(), std::slice::from_ref(&world.campaign));
        assert_eq!(campaigns::list_steps(&mut on, ws, &[id]).await.unwrap(), world.steps);
        let pools = campaigns::list_pools(&mut on, ws, &[id]).await.unwrap();
        assert_eq!(pools, [(id, PoolAccount { account_id: world.account, weight: 1, active: true })]);
        // WS-1
        let other: WorkspaceId = self::id(7);
        assert_eq!(campaigns::find(&mut on, other, id).await.unwrap(), None);
        assert!(campaigns::list_steps(&mut on, other, &[id]).await.unwrap().is_empty());
        assert!(campaigns::list_pools(&mut on, other, &[id]).await.unwrap().is_empty());

        let edited = Campaign { name: "Other".into(), end_at: Some(later(99)), windows: vec![], ..world.campaign.clone() };
        write(&test.db, async |tx| {
            assert!(campaigns::update(tx, &edited).await.unwrap());
            campaigns::set_pool(tx, ws, id, &[]).await.unwrap();
            let text = campaigns::set_text(tx, ws, world.steps[0].id, "New", "<b>", Some("b"), NOW).await;
            assert!(text.unwrap());
        }).await;
        assert_eq!(campaigns::find(&mut on, ws, id).await.unwrap(), Some(edited));
        assert!(campaigns::list_pools(&mut on, ws, &[id]).await.unwrap().is_empty());
        assert_eq!(campaigns::list_steps(&mut on, ws, &[id]).await.unwrap()[0].body_text.as_deref(), Some("b"));
    }

    // SAFE-4
    async fn a_status_changes_with_its_audit_row_and_times(test: TestDatabase) {
        use CampaignStatus::{Completed, Draft, Paused, Running};
        let world = world(&test.db).await;
        let (ws, campaign) = (world.ws, world.campaign.id);
        let set = async |n, from, to| {
            let pauses = if to == Paused { vec![Pause { reason: PauseReason::Manual, detail: "lunch".into(), since: later(n) }] } else { Vec::new() };
            let change = StatusChange { at: later(n), pauses, ..change(n, Some(from), to) };
            write(&test.db, async |tx| campaigns::set_status(tx, ws, campaign, &change).await.unwrap()).await
        };
        let find = async || campaigns::find(&mut test.db.reader(), ws, campaign).await.unwrap().unwrap();
        assert!(!set(1, Running, Paused).await, "it is a draft");
        assert!(set(2, Draft, Running).await);
        assert_eq!(find().await.started_at, Some(later(2)));
        assert!(set(3, Running, Paused).await);
        let paused = find().await;
        assert_eq!(paused.pauses, [Pause { reason: PauseReason::Manual, detail: "lunch".into(), since: later(3) }]);
        assert!(set(4, Paused, Running).await);
        let running = find().await;
        assert_eq!((running.pauses.len(), running.started_at), (0, Some(later(2))));
        assert!(set(5, Running, Completed).await);
        assert_eq!(find().await.finished_at, Some(later(5)));
        let log = audit::list(&mut test.db.reader(), ws, &campaign.to_string()).await.unwrap();
        let statuses: Vec<_> = log.iter().map(|audit| audit.to_status.as_str()).collect();
        assert_eq!(statuses, ["draft", "running", "paused", "running", "completed"]);
    }

    // SEQ-8: a removed step leaves the sequence, the others keep their ids; people move along.
    async fn a_sequence_is_edited_in_place(test: TestDatabase) {
        let world = world(&test.db).await;
        let (ws, campaign) = (world.ws, world.campaign.id);
        let kept = Step { step_index: 0, ..world.steps[1].clone() };
        let new = step(&world.campaign, 3, 1);
        write(&test.db, async |tx| {
            actions::insert(tx, &[action(&world, 0, 1)]).await.unwrap();
            enrollments::advance(tx, ws, &[(world.enrolled[0].id, 0)], NOW).await.unwrap();
            campaigns::set_steps(tx, ws, campaign, &[kept.clone(), new.clone()], NOW).await.unwrap();
            campaigns::move_enrollments(tx, ws, campaign, &[(0, 0), (1, 0)]).await.unwrap();
        }).await;
        let mut on = test.db.reader();
        assert_eq!(campaigns::list_steps(&mut on, ws, &[campaign]).await.unwrap(), [kept, new]);
        assert_eq!(enrollment(&test.db, &world, 0).await.step_index, 0);
        // The next step has the same place as the one that is done, and still its own action.
        let next = Action { step_id: world.steps[1].id, ..action(&world, 0, 2) };
        write(&test.db, async |tx| actions::insert(tx, &[next]).await.unwrap()).await;
    }

    // SEQ-1: one on to its next step, one through, one that was stopped, one of somebody else.
    async fn steps_that_went_out_are_written_for_many_at_once(test: TestDatabase) {
        let world = world(&test.db).await;
        let ws = world.ws;
        let [on, through, stopped] = &world.enrolled[..] else { panic!("three are enrolled") };
        let retrying = Action { state: ActionState::Retrying, ..action(&world, 1, 1) };
        let jobs: Vec<_> = world.enrolled.iter().zip(0..).map(|(e, n)| Planned {
            job_id: id(700 + n), workspace_id: ws, enrollment_id: e.id, run_at: NOW, lane: None, reason: String::new(), waits: false,
        }).collect();
        let done = |enrollment: &Enrollment, step_index| Done { workspace_id: ws, enrollment_id: enrollment.id, step_index };
        let gone_on = write(&test.db, async |tx| {
            actions::insert(tx, &[retrying]).await.unwrap();
            enrollments::advance(tx, ws, &[(through.id, 0)], NOW).await.unwrap();
            jobs::plan(tx, &jobs, NOW).await.unwrap();
            enrollments::finish(tx, ws, &[stopped.id], EnrollmentState::Stopped, "by hand", NOW).await.unwrap();
            let elsewhere = Done { workspace_id: id(4_711), ..done(on, 0) };
            assert!(outcomes::write(tx, &[elsewhere], NOW).await.unwrap().is_empty());
            let mut gone_on = outcomes::write(tx, &[done(on, 0), done(through, 1), done(stopped, 0)], NOW).await.unwrap();
            gone_on.sort_by_key(|gone_on| gone_on.enrollment.step_index);
            gone_on
        }).await;
        assert_eq!(gone_on.iter().map(|g| (g.enrollment.id, g.next)).collect::<Vec<_>>(), [(on.id, Some((StepKind::Email, 1_440))), (through.id, None)]);
        let standing = async |n| { let e = enrollment(&test.db, &world, n).await; (e.state, e.reason, e.step_index, e.finished_at) };
        assert_eq!(standing(0).await, (EnrollmentState::Active, String::new(), 1, None));
        assert_eq!(standing(1).await, (EnrollmentState::Completed, "the sequence is through".into(), 2, Some(NOW)));
        assert_eq!(standing(2).await, (EnrollmentState::Stopped, "by hand".into(), 0, Some(NOW)));
        let mut read = test.db.reader();
        assert_eq!(jobs::count_mismatched(&mut read).await.unwrap(), 0);
        // What has not gone out of one that is through never does.
        let left = actions::list_by_enrollments(&mut read, ws, &[through.id]).await.unwrap();
        assert_eq!(left[0].state, ActionState::Cancelled);
    }

    // PR-4: by the last thing that went out to them; nothing else contacts anybody.
    async fn a_person_was_contacted_when_an_action_was_done(test: TestDatabase) {
        let world = world(&test.db).await;
        let ws = world.ws;
        let people: Vec<ProspectId> = world.enrolled.iter().map(|enrollment| enrollment.prospect_id).collect();
        let waited = Action { kind: StepKind::WaitAccept, ..action(&world, 1, 2) };
        let next = Action { step_id: world.steps[1].id, ..action(&world, 0, 4) };
        let done = |n: u64| actions::Ended { action_id: id(800 + n), state: ActionState::Done, deferrals: 0, error: None, attempt: None, detail: None };
        write(&test.db, async |tx| {
            actions::insert(tx, &[action(&world, 0, 1), waited, action(&world, 2, 3), next]).await.unwrap();
            actions::end(tx, &[done(4)], later(5)).await.unwrap();
            actions::end(tx, &[done(1), done(2)], later(3)).await.unwrap();
        }).await;
        let mut on = test.db.reader();
        let contacted = prospects::last_contacted(&mut on, ws, &people).await.unwrap();
        assert_eq!(contacted, HashMap::from([(people[0], later(5))]));
        // WS-1
        assert!(prospects::last_contacted(&mut on, id(4_711), &people).await.unwrap().is_empty());
    }

    // SEQ-7
    async fn a_prospect_is_in_a_campaign_once_and_only_if_it_may_be_written_to(test: TestDatabase) {
        let world = world(&test.db).await;
        let ws = world.ws;
        assert_eq!(world.enrolled.len(), 3);
        assert!(world.enrolled.iter().all(|e| e.state == EnrollmentState::Queued));
        let statuses = [ProspectStatus::Active, ProspectStatus::Unsubscribed, ProspectStatus::Active, ProspectStatus::Active];
        let people: Vec<_> = statuses.iter().zip(10..).map(|(status, n)| prospect(ws, n, *status)).collect();
        let in_other = prospect(ws, 0, ProspectStatus::Active);
        let second = campaign(ws, 2);
        let suppressed = |n, kind, value: &str| Suppression {
            id: id(n), workspace_id: ws, kind, value: value.into(), source: SuppressionSource::Manual, reason: String::new(), created_at: NOW,
        };
        let insert = async |also: bool, campaign: CampaignId, from: u64, people: &[Prospect]| {
            let new: Vec<(EnrollmentId, &Prospect)> = people.iter().zip(from..).map(|(p, n)| (id(n), p)).collect();
            let mut found = write(&test.db, async |tx| enrollments::insert(tx, ws, campaign, &new, also, NOW).await.unwrap()).await;
            found.sort_by_key(|e| new.iter().position(|(id, _)| *id == e.id));
            found.into_iter().map(|e| (e.state, e.reason)).collect::<Vec<_>>()
        };
        write(&test.db, async |tx| {
            let draft = StatusChange { audit_id: second.status_audit_id, ..change(0, None, CampaignStatus::Draft) };
            campaigns::insert(tx, &second, &draft).await.unwrap();
            prospects::insert(tx, &people).await.unwrap();
            suppressions::insert(tx, &[suppressed(1, SuppressionKind::Email, "p12@EXAMPLE.com")]).await.unwrap();
        }).await;
        let queued = (EnrollmentState::Queued, String::new());
        let found = insert(false, second.id, 720, &[people.clone(), vec![in_other.clone()]].concat()).await;
        assert_eq!(found, [
            queued.clone(),
            (EnrollmentState::Suppressed, "the prospect is unsubscribed".into()),
            (EnrollmentState::Suppressed, "the address is suppressed".into()),
            queued.clone(),
        ]);
        assert!(insert(false, second.id, 740, &people).await.is_empty());
        assert_eq!(insert(true, second.id, 750, &[in_other]).await, [queued]);
        let known: Vec<ProspectId> = people.iter().map(|p| p.id).chain([id(9999)]).collect();
        assert_eq!(enrollments::among(&mut test.db.reader(), ws, second.id, &known).await.unwrap().len(), 4);
        let third = prospect(ws, 30, ProspectStatus::Active);
        write(&test.db, async |tx| {
            prospects::insert(tx, std::slice::from_ref(&third)).await.unwrap();
            suppressions::insert(tx, &[suppressed(2, SuppressionKind::Domain, "example.com")]).await.unwrap();
        }).await;
        assert_eq!(insert(false, second.id, 760, &[third]).await[0].0, EnrollmentState::Suppressed);
        let counts = enrollments::count_by_state(&mut test.db.reader(), ws, second.id).await.unwrap();
        assert_eq!(counts, [(EnrollmentState::Queued, 3), (EnrollmentState::Suppressed, 3)]);
        assert_eq!(enrollments::custom_fields(&mut test.db.reader(), ws, second.id).await.unwrap(), ["plan"]);
    }
}
