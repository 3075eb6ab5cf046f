//! Sends that may have gone out.

use std::collections::HashSet;

use overture_domain::{
    ActionId, WorkspaceId,
    enrollments::{Action, ActionState, JobKind, Outcome},
    messages::MailKey,
    people::Audit,
};
use overture_store::{
    Database, actions, audit,
    evidence::{self, Settled},
    hosts, jobs, on_both,
};

use super::{
    accounts::NOW,
    world::{World, action, attempt, ended, host, id, later, plan, world, write},
};

/// Actions of everybody, each attempted and ambiguous.
async fn ambiguous(db: &Database, world: &World) -> Vec<Action> {
    let all: Vec<_> = (0..world.enrolled.len())
        .map(|n| action(world, n, n as u64))
        .collect();
    write(db, async |tx| {
        actions::insert(tx, &all).await.unwrap();
        for (n, action) in (0..).zip(&all) {
            let allowed = actions::insert_attempts(tx, &[attempt(action, n)]).await;
            assert_eq!(allowed.unwrap().len(), 1);
            let unknown = ended(
                action,
                ActionState::Ambiguous,
                Some((n, Outcome::Ambiguous)),
            );
            actions::end(tx, &[unknown], later(5)).await.unwrap();
        }
    })
    .await;
    all
}

fn settled(action: &Action, state: ActionState, outcome: Outcome, n: u64) -> Settled {
    Settled {
        action_id: action.id,
        state,
        outcome,
        audit: Audit {
            id: id(n),
            workspace_id: action.workspace_id,
            subject_kind: evidence::SUBJECT.into(),
            subject_id: action.id.to_string(),
            from_status: Some("ambiguous".into()),
            to_status: outcome.to_string(),
            reason: "seen in Sent".into(),
            actor: "cli".into(),
            at: later(9),
        },
    }
}

on_both! {
    // SAFE-3
    async fn ambiguous_sends_are_found(test: TestDatabase) {
        let world = world(&test.db).await;
        let all = ambiguous(&test.db, &world).await;
        let on = &mut test.db.reader();
        let ids = |found: Vec<evidence::Ambiguous>| found.into_iter().map(|send| send.action.id).collect::<Vec<_>>();
        let mut expected: Vec<ActionId> = all.iter().map(|action| action.id).collect();
        expected.sort();
        assert_eq!(ids(evidence::list(on, world.ws, None, 10).await.unwrap()), expected);
        assert_eq!(ids(evidence::list(on, world.ws, Some(expected[0]), 1).await.unwrap()), [expected[1]]);
        assert_eq!(ids(evidence::find(on, world.ws, &[expected[2]]).await.unwrap()), [expected[2]]);
        let named = evidence::find_by_external_ids(on, world.ws, &[&all[1].external_id, "no"]).await.unwrap().remove(0);
        assert_eq!(named.action.id, all[1].id);
        assert_eq!((&*named.prospect_email, &*named.mailbox_address), ("P1@example.com", "ada@example.com"));
        assert_eq!((named.attempted_at, named.since, named.next_look_at), (NOW, later(5), None));
        // WS-1
        let other: WorkspaceId = id(7);
        assert!(evidence::list(on, other, None, 10).await.unwrap().is_empty());
        assert!(evidence::find(on, other, &expected).await.unwrap().is_empty());
        let (enrollment_id, step_index) = (named.action.enrollment_id, named.action.step_index);
        let mail = |workspace_id| MailKey { workspace_id, enrollment_id, step_index };
        let by_step = evidence::find_by_step(on, mail(world.ws)).await.unwrap().unwrap();
        assert_eq!(by_step.action.id, named.action.id);
        assert!(evidence::find_by_step(on, mail(other)).await.unwrap().is_none());
        assert_eq!(evidence::find_by_external_ids(on, other, &[&all[1].external_id]).await.unwrap(), []);
    }

    // SAFE-3, SAFE-4
    async fn a_word_settles_once(test: TestDatabase) {
        let world = world(&test.db).await;
        let all = ambiguous(&test.db, &world).await;
        let ws = world.ws;
        let host = host(&test.db, 1, NOW).await;
        write(&test.db, async |tx| {
            let looks = [(id(20), all[0].id, later(60)), (id(21), all[1].id, later(60))];
            evidence::plan_look(tx, ws, &looks, NOW).await.unwrap();
            evidence::plan_look(tx, ws, &[(id(22), all[0].id, later(1))], NOW).await.unwrap();
        }).await;
        let first = evidence::find(&mut test.db.reader(), ws, &[all[0].id]).await.unwrap();
        assert_eq!(first[0].next_look_at, Some(later(60)), "it keeps its time");

        let settle = async |settled: &[Settled]| {
            write(&test.db, async |tx| evidence::settle(tx, ws, settled, later(9)).await.unwrap()).await
        };
        let sent = settled(&all[0], ActionState::Done, Outcome::Sent, 30);
        let not_sent = settled(&all[2], ActionState::Retrying, Outcome::NotSent, 31);
        assert_eq!(settle(&[sent, not_sent]).await, HashSet::from([all[0].id, all[2].id]));
        let again = settled(&all[0], ActionState::Retrying, Outcome::NotSent, 32);
        assert_eq!(settle(&[again]).await, HashSet::new());

        let on = &mut test.db.reader();
        let now = actions::find(on, ws, all[0].id).await.unwrap().unwrap();
        assert_eq!((now.state, now.done_at, now.last_error), (ActionState::Done, Some(later(9)), None));
        let attempts = actions::list_attempts(on, ws, all[2].id).await.unwrap();
        assert_eq!((attempts[0].outcome, attempts[0].detail.as_deref()), (Some(Outcome::NotSent), Some("seen in Sent")));
        let log = audit::list(on, ws, &all[0].id.to_string()).await.unwrap();
        assert_eq!(log.iter().map(|row| &*row.to_status).collect::<Vec<_>>(), ["sent"]);
        // Nobody looks for what is settled.
        let due = write(&test.db, async |tx| {
            jobs::claim(tx, JobKind::FindSend, host, later(100), NOW, 10).await.unwrap()
        }).await;
        assert_eq!(due.iter().map(|job| job.subject_id.clone()).collect::<Vec<_>>(), [all[1].id.to_string()]);
        // SCH-5: looking harms nobody; it never fails for good.
        for _ in 0..4 {
            let (_, failed) = write(&test.db, async |tx| {
                let recovered = hosts::recover_stuck(tx, later(1), later(100)).await.unwrap();
                jobs::claim(tx, JobKind::FindSend, host, later(100), NOW, 10).await.unwrap();
                recovered
            }).await;
            assert_eq!(failed, []);
        }
    }

    // SAFE-3: an attempt is denied alone, and a lease tells who may speak for a step.
    async fn another_attempt_keeps_its_own_outcome(test: TestDatabase) {
        let world = world(&test.db).await;
        let one = action(&world, 0, 1);
        let (first, second) = (attempt(&one, 1), attempt(&one, 2));
        write(&test.db, async |tx| {
            actions::insert(tx, std::slice::from_ref(&one)).await.unwrap();
            actions::insert_attempts(tx, std::slice::from_ref(&first)).await.unwrap();
            actions::deny_attempt(tx, first.id, "the connection broke", later(1)).await.unwrap();
            assert_eq!(actions::insert_attempts(tx, std::slice::from_ref(&second)).await.unwrap().len(), 1);
            actions::deny_attempt(tx, first.id, "again", later(2)).await.unwrap();
        }).await;
        let attempts = actions::list_attempts(&mut test.db.reader(), world.ws, one.id).await.unwrap();
        let outcome = |id| attempts.iter().find(|attempt| attempt.id == id).map(|a| (a.outcome, a.detail.clone()));
        assert_eq!(outcome(first.id), Some((Some(Outcome::NotSent), Some("the connection broke".into()))));
        assert_eq!(outcome(second.id), Some((None, None)));
    }

    // SAFE-3: a turn that has sent nothing takes no action from one that may have, and an attempt
    // that is settled keeps its outcome, whoever comes later.
    async fn a_turn_ends_for_its_own_attempt_alone(test: TestDatabase) {
        let world = world(&test.db).await;
        let (ws, one) = (world.ws, action(&world, 0, 1));
        let end = async |state, attempt| {
            let turn = ended(&one, state, attempt);
            write(&test.db, async |tx| actions::end(tx, &[turn], later(5)).await.unwrap().len()).await
        };
        let stands = async |state, outcomes: &[Option<Outcome>]| {
            let on = &mut test.db.reader();
            assert_eq!(actions::find(on, ws, one.id).await.unwrap().unwrap().state, state);
            let attempts = actions::list_attempts(on, ws, one.id).await.unwrap();
            assert_eq!(attempts.iter().map(|attempt| attempt.outcome).collect::<Vec<_>>(), outcomes);
        };
        let again = async |n| write(&test.db, async |tx| {
            actions::hand_out_again(tx, &[(one.id, world.account)], NOW).await.unwrap();
            actions::insert_attempts(tx, &[attempt(&one, n)]).await.unwrap().len()
        }).await;
        write(&test.db, async |tx| actions::insert(tx, std::slice::from_ref(&one)).await.unwrap()).await;
        assert_eq!(again(1).await, 1);
        // Another turn of the same action is refused before its body.
        for state in [ActionState::Retrying, ActionState::Failed, ActionState::Cancelled] {
            assert_eq!(end(state, None).await, 0);
            stands(ActionState::HandedOut, &[None]).await;
        }
        assert_eq!(end(ActionState::Ambiguous, Some((1, Outcome::Ambiguous))).await, 1);
        assert_eq!(end(ActionState::Retrying, None).await, 0);
        stands(ActionState::Ambiguous, &[Some(Outcome::Ambiguous)]).await;
        // A person says that nothing went out, and it is sent once more.
        let not_sent = settled(&one, ActionState::HandedOut, Outcome::NotSent, 30);
        write(&test.db, async |tx| evidence::settle(tx, ws, &[not_sent], later(6)).await.unwrap()).await;
        assert_eq!(again(2).await, 1);
        assert_eq!(end(ActionState::Done, Some((1, Outcome::Sent))).await, 0, "it is settled");
        stands(ActionState::HandedOut, &[Some(Outcome::NotSent), None]).await;
        assert_eq!(end(ActionState::Done, Some((2, Outcome::Sent))).await, 1);
        // It comes back: what its own turn says afterwards changes nothing (SAF-4).
        let returned = write(&test.db, async |tx| actions::take_back(tx, ws, one.id, 1, "full", later(7)).await.unwrap()).await;
        assert_eq!(returned, Some(2));
        assert_eq!(end(ActionState::Done, Some((2, Outcome::Sent))).await, 0);
        stands(ActionState::Retrying, &[Some(Outcome::NotSent), Some(Outcome::NotSent)]).await;
        assert_eq!(end(ActionState::Failed, None).await, 1, "nothing stands in the way");
    }

    // SAFE-3: whoever says that nothing was sent, and whoever begins to send, come one after the other.
    async fn no_attempt_begins_while_its_action_is_locked(test: TestDatabase) {
        let world = world(&test.db).await;
        let one = action(&world, 0, 1);
        write(&test.db, async |tx| actions::insert(tx, std::slice::from_ref(&one)).await.unwrap()).await;
        let mut tx = test.db.begin().await.unwrap();
        let states = actions::lock(&mut tx, &[one.id]).await.unwrap();
        assert_eq!(states, [(one.id, ActionState::HandedOut)].into());
        assert!(actions::attempted(&mut tx, world.ws, &[one.id]).await.unwrap().is_empty());
        let (db, begun) = (test.db.clone(), attempt(&one, 1));
        let attempting = tokio::spawn(async move {
            write(&db, async |tx| actions::insert_attempts(tx, &[begun]).await.unwrap().len()).await
        });
        // It has time to do what it must not.
        for _ in 0..3 {
            assert!(actions::attempted(&mut tx, world.ws, &[one.id]).await.unwrap().is_empty());
            tokio::task::yield_now().await;
        }
        assert!(!attempting.is_finished());
        actions::end(&mut tx, &[ended(&one, ActionState::Retrying, None)], NOW).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(attempting.await.unwrap(), 0, "it waits for another turn");
    }

    // SCH-5
    async fn a_lease_is_held_by_who_has_it(test: TestDatabase) {
        let world = world(&test.db).await;
        let enrollment = world.enrolled[0].id;
        let (mine, other) = (host(&test.db, 1, NOW).await, host(&test.db, 2, NOW).await);
        let hold = async |host, leased| write(&test.db, async |tx| jobs::hold(tx, enrollment, id(10), host, leased).await.unwrap()).await;
        write(&test.db, async |tx| {
            jobs::plan(tx, &[plan(&world, 0, 10, NOW)], NOW).await.unwrap();
            jobs::claim(tx, JobKind::SendStep, mine, NOW, later(3), 10).await.unwrap();
        }).await;
        assert!(hold(mine, Some(later(3))).await);
        assert!(!hold(mine, Some(later(2))).await, "an earlier lease of the same host");
        assert!(!hold(other, Some(later(3))).await);
        write(&test.db, async |tx| jobs::release(tx, &[id(10)]).await.unwrap()).await;
        assert!(!hold(mine, Some(later(3))).await, "it was given back");
        write(&test.db, async |tx| {
            jobs::claim(tx, JobKind::SendStep, mine, NOW, later(4), 10).await.unwrap();
            jobs::finish(tx, &[(id(10), overture_domain::enrollments::JobState::Expired, None)], NOW).await.unwrap();
        }).await;
        assert!(hold(mine, Some(later(4))).await, "one that is over is nobody else's");
        write(&test.db, async |tx| jobs::plan(tx, &[plan(&world, 0, 11, NOW)], NOW).await.unwrap()).await;
        assert!(!hold(mine, Some(later(4))).await, "the step was planned anew");
    }
}
