//! A workspace with a campaign under way, and the rows that it is made of.

use std::{collections::BTreeMap, time::Duration};

use overture_domain::{
    AccountId, EnrollmentId, HostId, Id, Timestamp, WorkspaceId,
    accounts::Channel,
    campaigns::{Campaign, CampaignStatus, PoolAccount, Step, StepKind},
    enrollments::{Action, ActionState, Attempt, Enrollment, Outcome},
    prospects::{Prospect, ProspectStatus},
    rng::SeededRng,
};
use overture_store::{
    Database, Tx, actions,
    campaigns::{self, StatusChange},
    enrollments, hosts,
    jobs::Planned,
    prospects,
};

use super::accounts::{NOW, account, insert as insert_account, workspace};

pub(super) fn id<K: overture_domain::id::Kind>(n: u64) -> Id<K> {
    Id::new(NOW, &SeededRng::new(n))
}

pub(super) fn later(secs: u64) -> Timestamp {
    NOW + Duration::from_secs(secs)
}

pub(super) fn campaign(ws: WorkspaceId, n: u64) -> Campaign {
    Campaign {
        time_zone: "Europe/Berlin".into(),
        start_at: Some(later(60)),
        ..Campaign::draft(id(300 + n), ws, id(400 + n), format!("Campaign {n}"), NOW)
    }
}

pub(super) fn change(n: u64, from: Option<CampaignStatus>, to: CampaignStatus) -> StatusChange {
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

pub(super) fn step(campaign: &Campaign, n: u64, index: i64) -> Step {
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

pub(super) fn prospect(ws: WorkspaceId, n: u64, status: ProspectStatus) -> Prospect {
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
    pub steps: Vec<Step>,
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
