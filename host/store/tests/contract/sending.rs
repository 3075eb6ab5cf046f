//! Campaigns, enrollments, jobs, actions, caps and hosts.

use std::{collections::BTreeMap, time::Duration};

use jiff::tz::TimeZone;
use overture_domain::{
    AccountId, CampaignId, EnrollmentId, HostId, Id, ProspectId, Timestamp, WorkspaceId,
    accounts::Channel,
    campaigns::{Campaign, CampaignStatus, Pause, PauseReason, PoolAccount, Step, StepKind},
    caps::{Cap, Limit},
    enrollments::{
        Action, ActionState, Attempt, Enrollment, EnrollmentState, JobKind, JobState, Outcome,
    },
    prospects::{Prospect, ProspectStatus, Suppression, SuppressionKind, SuppressionSource},
    rng::SeededRng,
};
use overture_store::{
    Database, Tx, actions, audit,
    campaigns::{self, StatusChange},
    caps::{self, Use},
    enrollments, hosts,
    jobs::{self, Planned},
    on_both,
    outcomes::{self, Done},
    prospects, suppressions,
};

use super::accounts::{NOW, account, insert as insert_account, workspace};

pub(super) fn id<K: overture_domain::id::Kind>(n: u64) -> Id<K> {
    Id::new(NOW, &SeededRng::new(n))
}

pub(super) fn later(secs: u64) -> Timestamp {
    NOW + Duration::from_secs(secs)
}

fn campaign(ws: WorkspaceId, n: u64) -> Campaign {
    Campaign {
        time_zone: "Europe/Berlin".into(),
        start_at: Some(later(60)),
        ..Campaign::draft(id(300 + n), ws, id(400 + n), format!("Campaign {n}"), NOW)
    }
}

fn change(n: u64, from: Option<CampaignStatus>, to: CampaignStatus) -> StatusChange {
    StatusChange {
        audit_id: id(n),
        from,
        to,
        reason: "a test".into(),
        pauses: Vec::new(),
        actor: "cli".into(),
        at: NOW,
    }
}

fn step(campaign: &Campaign, n: u64, index: i64) -> Step {
    Step {
        id: id(500 + n),
        workspace_id: campaign.workspace_id,
        campaign_id: campaign.id,
        step_index: index,
        channel: Channel::Mail,
        kind: StepKind::Email,
        delay_minutes: index * 1_440,
        subject: format!("Subject {n}"),
        body_html: "<p>Hi</p>".into(),
        body_text: None,
        variants: Vec::new(),
    }
}

fn prospect(ws: WorkspaceId, n: u64, status: ProspectStatus) -> Prospect {
    Prospect {
        time_zone: "Asia/Tokyo".into(),
        custom: BTreeMap::from([("plan".into(), "pro".into())]),
        status,
        ..Prospect::new(id(600 + n), ws, format!("P{n}@example.com"), "csv", NOW)
    }
}

/// A workspace with an account, a campaign of two steps, and three prospects in it.
pub(super) struct World {
    pub ws: WorkspaceId,
    pub account: AccountId,
    pub campaign: Campaign,
    steps: Vec<Step>,
    pub enrolled: Vec<Enrollment>,
}

pub(super) async fn write<T>(db: &Database, work: impl AsyncFnOnce(&mut Tx) -> T) -> T {
    let mut tx = db.begin().await.unwrap();
    let out = work(&mut tx).await;
    tx.commit().await.unwrap();
    out
}

pub(super) async fn world(db: &Database) -> World {
    let ws = workspace(db).await;
    let account = account(ws, 1, "ada@example.com");
    insert_account(db, &account).await.unwrap();
    let campaign = campaign(ws, 1);
    let steps = vec![step(&campaign, 1, 0), step(&campaign, 2, 1)];
    let people: Vec<_> = (0..3)
        .map(|n| prospect(ws, n, ProspectStatus::Active))
        .collect();
    let enrolled = write(db, async |tx| {
        let draft = StatusChange {
            audit_id: campaign.status_audit_id,
            ..change(0, None, CampaignStatus::Draft)
        };
        campaigns::insert(tx, &campaign, &draft).await.unwrap();
        campaigns::set_steps(tx, ws, campaign.id, &steps, NOW)
            .await
            .unwrap();
        let pool = [PoolAccount {
            account_id: account.id,
            weight: 1,
            active: true,
        }];
        campaigns::set_pool(tx, ws, campaign.id, &pool)
            .await
            .unwrap();
        prospects::insert(tx, &people).await.unwrap();
        let new: Vec<(EnrollmentId, &Prospect)> = people
            .iter()
            .enumerate()
            .map(|(n, p)| (id(700 + n as u64), p))
            .collect();
        enrollments::insert(tx, ws, campaign.id, &new, false, NOW)
            .await
            .unwrap()
    })
    .await;
    World {
        ws,
        account: account.id,
        campaign,
        steps,
        enrolled,
    }
}

pub(super) async fn start(db: &Database, world: &World) {
    write(db, async |tx| {
        let running = change(90, Some(CampaignStatus::Draft), CampaignStatus::Running);
        assert!(
            campaigns::set_status(tx, world.ws, world.campaign.id, &running)
                .await
                .unwrap()
        );
    })
    .await;
}

pub(super) fn plan(world: &World, place: usize, job: u64, at: Timestamp) -> Planned {
    Planned {
        job_id: id(job),
        workspace_id: world.ws,
        enrollment_id: world.enrolled[place].id,
        run_at: at,
        lane: None,
        reason: "a reason".into(),
        waits: false,
    }
}

pub(super) async fn enrollment(db: &Database, world: &World, place: usize) -> Enrollment {
    let found = enrollments::find(&mut db.reader(), world.ws, world.enrolled[place].id).await;
    found.unwrap().unwrap()
}

pub(super) async fn host(db: &Database, n: u64, at: Timestamp) -> HostId {
    write(db, async |tx| {
        hosts::heartbeat(tx, id(n), "test", at).await.unwrap();
    })
    .await;
    id(n)
}

pub(super) fn action(world: &World, place: usize, n: u64) -> Action {
    Action {
        id: id(800 + n),
        workspace_id: world.ws,
        campaign_id: world.campaign.id,
        enrollment_id: world.enrolled[place].id,
        step_id: world.steps[0].id,
        step_index: 0,
        variant_id: None,
        account_id: world.account,
        channel: Channel::Mail,
        kind: StepKind::Email,
        state: ActionState::HandedOut,
        external_id: format!("{n}@example.com"),
        deferrals: 0,
        last_error: None,
        handed_out_at: NOW,
        done_at: None,
    }
}

pub(super) fn attempt(action: &Action, n: u64) -> Attempt {
    Attempt {
        id: id(900 + n),
        workspace_id: action.workspace_id,
        action_id: action.id,
        external_id: action.external_id.clone(),
        at: NOW,
        outcome: None,
        outcome_at: None,
        detail: None,
    }
}

/// How a turn with this attempt ended, or one without any.
pub(super) fn ended(
    action: &Action,
    state: ActionState,
    attempt: Option<(u64, Outcome)>,
) -> actions::Ended {
    actions::Ended {
        action_id: action.id,
        state,
        deferrals: 1,
        error: Some("words".into()),
        attempt: attempt.map(|(n, outcome)| (id(900 + n), outcome)),
        detail: Some("250 ok".into()),
    }
}

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

    // SEQ-1, PR-4: one on to its next step, one through, one that was stopped, one of somebody else.
    async fn steps_that_went_out_are_written_for_many_at_once(test: TestDatabase) {
        let world = world(&test.db).await;
        let ws = world.ws;
        let [on, through, stopped] = &world.enrolled[..] else { panic!("three are enrolled") };
        let retrying = Action { state: ActionState::Retrying, ..action(&world, 1, 1) };
        let jobs: Vec<_> = world.enrolled.iter().zip(0..).map(|(e, n)| Planned {
            job_id: id(700 + n), workspace_id: ws, enrollment_id: e.id, run_at: NOW, lane: None, reason: String::new(), waits: false,
        }).collect();
        let done = |enrollment: &Enrollment, step_index| Done { workspace_id: ws, enrollment_id: enrollment.id, prospect_id: enrollment.prospect_id, step_index };
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
        let contacted = prospects::list_by_ids(&mut read, ws, &[on.prospect_id, through.prospect_id]).await.unwrap();
        assert!(contacted.iter().all(|prospect| prospect.last_contacted_at == Some(NOW)));
        // What has not gone out of one that is through never does.
        let left = actions::list_by_enrollments(&mut read, ws, &[through.id]).await.unwrap();
        assert_eq!(left[0].state, ActionState::Cancelled);
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
        assert_eq!(actions::count_done_since(&mut on, world.ws, world.account, later(5)).await.unwrap(), 1);
        assert_eq!(actions::count_done_since(&mut on, world.ws, world.account, later(6)).await.unwrap(), 0);
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
