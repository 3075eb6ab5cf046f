//! Messages: once each, found by what they answer, with every verdict.

use overture_domain::{
    Id, MessageId, WorkspaceId,
    accounts::Account,
    enrollments::EnrollmentState,
    messages::{Attribution, Direction, Label, MailMessage, Message, Verdict},
    rng::SeededRng,
};
use overture_store::{Database, Slice, messages, on_both, testing::TestDatabase};

use crate::accounts::{NOW, account, insert, workspace};

fn id<K: overture_domain::id::Kind>(n: u64) -> Id<K> {
    Id::new(NOW, &SeededRng::new(n))
}

fn message(account: &Account, n: u64, external_id: &str) -> Message {
    Message {
        id: id(n),
        workspace_id: account.workspace_id,
        channel: account.channel,
        direction: Direction::In,
        account_id: account.id,
        campaign_id: None,
        enrollment_id: None,
        prospect_id: None,
        step_index: None,
        external_id: external_id.into(),
        sender: "grace@example.net".into(),
        recipient: account.address.clone(),
        subject: "Re: Schöne Grüße".into(),
        text: "Yes.\n\n> no?".into(),
        newest_text: "Yes.".into(),
        html: Some("<p>Yes.".into()),
        attribution: Some(Attribution::References),
        label: None,
        label_by: None,
        at: NOW,
    }
}

fn mail(folder: &str) -> MailMessage {
    MailMessage {
        in_reply_to: vec!["a@example.com".into()],
        references: vec!["a@example.com".into(), "b@example.com".into()],
        folder: folder.into(),
        uid_validity: Some(7),
        uid: Some(9),
        links: vec!["https://example.com/a".into()],
    }
}

async fn one_account(db: &Database) -> (WorkspaceId, Account) {
    let ws = workspace(db).await;
    let ada = account(ws, 1, "ada@example.com");
    insert(db, &ada).await.unwrap();
    (ws, ada)
}

on_both! {
    // MB-8: a mail that is listed again, under another UID or in another folder, is the same mail.
    async fn a_mail_is_stored_once(test: TestDatabase) {
        let (ws, ada) = one_account(&test.db).await;
        let first = message(&ada, 1, "x@example.net");
        let again = message(&ada, 2, "x@example.net");
        let other = Message { direction: Direction::Out, ..message(&ada, 3, "x@example.net") };
        let mut tx = test.db.begin().await.unwrap();
        let written = messages::insert_new(&mut tx, &[(first.clone(), Some(mail("INBOX")))], NOW).await.unwrap();
        assert!(written.contains(&first.id));
        let written = messages::insert_new(&mut tx, &[(again.clone(), Some(mail("Junk"))), (other.clone(), Some(mail("Sent")))], NOW).await.unwrap();
        assert_eq!(written, [other.id].into());
        tx.commit().await.unwrap();
        let mut on = test.db.reader();
        assert_eq!(messages::find(&mut on, ws, first.id).await.unwrap(), Some(first.clone()));
        assert_eq!(messages::find(&mut on, ws, again.id).await.unwrap(), None);
        assert_eq!(messages::find(&mut on, id(77), first.id).await.unwrap(), None); // WS-1
        assert_eq!(messages::find_mail(&mut on, first.id).await.unwrap(), Some(mail("INBOX")));
        let known = messages::known(&mut on, ada.id, &["x@example.net", "y@example.net"]).await.unwrap();
        assert_eq!(known, ["x@example.net".to_owned()].into());
        assert_eq!(messages::list(&mut on, ws, &Default::default(), &Slice::first(10)).await.unwrap().len(), 2);
        assert_eq!(messages::list(&mut on, ws, &Default::default(), &Slice::first(1)).await.unwrap().len(), 1);
    }

    // CLS-4
    async fn every_verdict_is_kept(test: TestDatabase) {
        let (ws, ada) = one_account(&test.db).await;
        let reply = message(&ada, 1, "x@example.net");
        let verdict = |classifier: &str, label, confidence, until: Option<&str>| Verdict {
            classifier: classifier.into(),
            label,
            confidence,
            language: Some("de".into()),
            evidence: vec!["„bin bis\" 9.".into()],
            until_day: until.map(str::to_owned),
        };
        let verdicts = [
            verdict("classifier-a", Label::Question, 0.25, None),
            verdict("classifier-b", Label::OutOfOffice, 0.5, Some("2026-03-09")),
            verdict("classifier-b", Label::AutoReply, 0.125, None),
        ];
        let mut tx = test.db.begin().await.unwrap();
        messages::insert(&mut tx, &[(reply.clone(), Some(mail("INBOX")))], NOW).await.unwrap();
        messages::insert_verdicts(&mut tx, ws, &[(reply.id, &verdicts)], NOW).await.unwrap();
        assert!(messages::set_label(&mut tx, ws, reply.id, Label::OutOfOffice, "classifier-b").await.unwrap());
        assert!(!messages::set_label(&mut tx, ws, id::<overture_domain::id::kinds::Message>(9), Label::Other, "x").await.unwrap());
        tx.commit().await.unwrap();
        let mut on = test.db.reader();
        assert_eq!(messages::list_verdicts(&mut on, ws, reply.id).await.unwrap(), verdicts);
        let found = messages::find(&mut on, ws, reply.id).await.unwrap().unwrap();
        assert_eq!((found.label, found.label_by.as_deref()), (Some(Label::OutOfOffice), Some("classifier-b")));
    }

    // TRK-3
    async fn origins_are_found_by_id_and_by_address(test: TestDatabase) {
        let (ws, ada) = one_account(&test.db).await;
        campaign_with_one_send(&test, &ada).await;
        let mut on = test.db.reader();
        let found = messages::origins(&mut on, ws, &["unknown@x", "sent@example.com"]).await.unwrap();
        let [origin] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(origin.external_id, "sent@example.com");
        assert_eq!(origin.prospect_email, "Grace@example.net");
        assert_eq!((origin.enrollment_state, origin.step_index, origin.account_id), (EnrollmentState::Completed, Some(0), Some(ada.id)));
        assert_eq!(origin.subject, None);

        // Our mail's subject, once it is kept; and what came in belongs to the thread as well.
        let mut ours = Message { direction: Direction::Out, ..message(&ada, 1, "sent@example.com") };
        let mut theirs = message(&ada, 2, "theirs@example.net");
        for one in [&mut ours, &mut theirs] {
            one.enrollment_id = Some(origin.enrollment_id);
            one.campaign_id = Some(origin.campaign_id);
        }
        let mut tx = test.db.begin().await.unwrap();
        messages::insert(&mut tx, &[(ours.clone(), Some(MailMessage::default())), (theirs.clone(), Some(MailMessage::default()))], NOW).await.unwrap();
        tx.commit().await.unwrap();
        let found = messages::origins(&mut on, ws, &["theirs@example.net", "sent@example.com"]).await.unwrap();
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|o| o.enrollment_id == origin.enrollment_id));
        assert!(found.iter().any(|o| o.subject.as_deref() == Some(&*ours.subject)));
        assert!(messages::origins(&mut on, id(77), &["sent@example.com"]).await.unwrap().is_empty()); // WS-1
        let thread = messages::list_by_enrollment(&mut on, ws, origin.enrollment_id).await.unwrap();
        assert_eq!(thread.iter().map(|m| m.id).collect::<Vec<MessageId>>().len(), 2);

        let last = messages::origin_of(&mut on, ws, origin.enrollment_id).await.unwrap().unwrap();
        assert_eq!((last.prospect_id, last.step_index), (origin.prospect_id, Some(0)));
        assert_eq!(messages::origin_of(&mut on, id(77), origin.enrollment_id).await.unwrap(), None); // WS-1

        let by_address = messages::origins_by_address(&mut on, ws, &["other@x", "grace@EXAMPLE.net"]).await.unwrap();
        assert_eq!(by_address.len(), 1);
        assert_eq!((by_address[0].enrollment_id, by_address[0].account_id), (origin.enrollment_id, Some(ada.id)));
        assert!(messages::origins_by_address(&mut on, id(77), &["grace@example.net"]).await.unwrap().is_empty()); // WS-1
        // TRK-3: she stays a contact when it is over.
        test.execute_raw("UPDATE enrollments SET state = 'unsubscribed'").await.unwrap();
        let over = messages::origins_by_address(&mut on, ws, &["grace@example.net"]).await.unwrap();
        assert_eq!(over[0].enrollment_state, EnrollmentState::Unsubscribed);
    }
}

/// A prospect in a one-step campaign that went out, made as the tables have it.
async fn campaign_with_one_send(test: &TestDatabase, account: &Account) {
    let ws = account.workspace_id;
    let prospect = id::<overture_domain::id::kinds::Prospect>(301);
    let campaign = id::<overture_domain::id::kinds::Campaign>(302);
    let step = id::<overture_domain::id::kinds::Step>(303);
    let enrollment = id::<overture_domain::id::kinds::Enrollment>(304);
    let action = id::<overture_domain::id::kinds::Action>(305);
    let account = account.id;
    for text in [
        format!(
            "INSERT INTO prospects (id, workspace_id, email, email_key, tags, custom, source, status, search, created_at, updated_at) VALUES ('{prospect}', '{ws}', 'Grace@example.net', 'grace@example.net', '[]', '[]', 'api', 'active', '', 0, 0)"
        ),
        format!(
            "INSERT INTO audit (id, workspace_id, subject_kind, subject_id, to_status, reason, actor, at) VALUES ('aud_c', '{ws}', 'campaign', '{campaign}', 'draft', '', 'test', 0)"
        ),
        format!(
            "INSERT INTO campaigns (id, workspace_id, name, kind, status, status_audit_id, time_zone, windows, daily_send_limit, max_sends_per_mailbox_per_day, minutes_between_sends, created_at, updated_at) VALUES ('{campaign}', '{ws}', 'C', 'email', 'draft', 'aud_c', 'UTC', '[]', 1, 1, 1, 0, 0)"
        ),
        format!(
            "INSERT INTO steps (id, workspace_id, campaign_id, step_index, channel, kind, delay_minutes, created_at, updated_at) VALUES ('{step}', '{ws}', '{campaign}', 0, 'mail', 'email', 0, 0, 0)"
        ),
        format!(
            "INSERT INTO enrollments (id, workspace_id, campaign_id, prospect_id, account_id, state, step_index, created_at, updated_at) VALUES ('{enrollment}', '{ws}', '{campaign}', '{prospect}', '{account}', 'completed', 1, 0, 0)"
        ),
        format!(
            "INSERT INTO actions (id, workspace_id, campaign_id, enrollment_id, step_id, step_index, account_id, channel, kind, state, external_id, handed_out_at, done_at) VALUES ('{action}', '{ws}', '{campaign}', '{enrollment}', '{step}', 0, '{account}', 'mail', 'email', 'done', 'sent@example.com', 5, 6)"
        ),
    ] {
        test.execute_raw(text.leak()).await.unwrap();
    }
}
