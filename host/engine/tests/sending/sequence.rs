//! Mails of a sequence: their form, their thread, and editing it under way.

use overture_domain::{
    accounts::{Account, AccountStatus},
    enrollments::EnrollmentState,
    events::EventKind,
    people::Actor,
};
use overture_engine::{
    Config, Env,
    campaigns::{self, CampaignPatch, StepIn},
    mailboxes::{self, MailboxChange, NewMailbox},
    unsubscribe,
};
use overture_store::{Tx, audit, enrollments, messages, on_both};
use overture_testkit::Outreach;

use super::{DAY, HOUR, all_are, header};

/// Its server refuses the sign-in, in a transaction that is still open.
async fn disconnected(env: &Env, mailbox: &Account) -> Tx {
    let mut tx = env.db.begin().await.unwrap();
    let (to, by) = (AccountStatus::Disconnected, Actor::Engine("MB-3"));
    let changed = mailboxes::status::set_in(&mut tx, env, mailbox, to, "535 no", &by).await;
    assert!(changed.unwrap());
    tx
}

on_both! {
    // TRK-4, SEQ-4: what every campaign mail carries.
    async fn a_mail_is_complete(test: TestDatabase) {
        let mut world = Outreach::new(test).await;
        let config = Config { public_url: "https://outreach.example.com".into(), ..Config::default() };
        world.kit.env.config = std::sync::Arc::new(config);
        world.kit.database.execute_raw("UPDATE workspaces SET postal_address = '1 Example Street\nExample Town'").await.unwrap();
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        let campaign = world.running(&[&mailbox], &people).await;
        world.run_for(HOUR).await;
        let mail = &world.post.taken()[0];
        let text = String::from_utf8(mail.bytes.to_vec()).unwrap();
        assert_eq!((mail.envelope.sender.as_str(), mail.envelope.recipient.as_str()), ("ada@sender.test", "p0@d0.test"));
        assert_eq!(header(&mail.bytes, "Message-ID").unwrap(), format!("<{}>", mail.message_id));
        assert!(mail.message_id.ends_with("@sender.test"));
        assert_eq!(header(&mail.bytes, "From").unwrap(), "Ada Example <ada@sender.test>");
        assert!(header(&mail.bytes, "Subject").unwrap().starts_with("=?utf-8?"), "{text}");
        assert!(header(&mail.bytes, "Date").unwrap().starts_with("Mon, 02 Mar 2026 09:0"));
        let list = header(&mail.bytes, "List-Unsubscribe").unwrap();
        let (url, mailto) = list.split_once(", ").unwrap();
        let token = url.strip_prefix("<https://outreach.example.com/u/").unwrap().strip_suffix('>').unwrap();
        assert_eq!(mailto, format!("<mailto:ada@sender.test?subject=unsubscribe%20{token}>"));
        assert_eq!(header(&mail.bytes, "List-Unsubscribe-Post").unwrap(), "List-Unsubscribe=One-Click");
        assert!(header(&mail.bytes, "X-Auto-Response-Suppress").is_none());
        // The link is in both parts, the address too, and the value is escaped in the HTML alone (TPL-2).
        let enrollment = &world.enrollments(campaign).await[0];
        let kept = &messages::list_by_enrollment(&mut world.env().db.reader(), world.ws, enrollment.id).await.unwrap()[0];
        let html = kept.html.as_deref().unwrap();
        for part in [html, kept.text.as_str()] {
            assert!(part.contains(token) && part.contains("1 Example Street"), "{part}");
        }
        assert!(html.contains("Example &amp; Sons") && kept.text.contains("Example & Sons"), "{html}\n{}", kept.text);
        assert_eq!(kept.subject, "Hello Zoë");
        assert_eq!(kept.external_id, mail.message_id);
        // The token works.
        unsubscribe::by_token(world.env(), token).await.unwrap();
        all_are(&world, campaign, EnrollmentState::Unsubscribed).await;
    }

    // CLS-2: also where a host holds the step when the notice comes in.
    async fn nothing_goes_out_before_a_return(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        let campaign = world.running(&[&mailbox], &people).await;
        world.settle().await;
        let planned = world.enrollments(campaign).await[0].clone();
        let due = planned.next_action_at.unwrap();
        let (env, back) = (world.env(), due + DAY);
        let database = &world.kit.database;
        database.execute_raw("UPDATE jobs SET state = 'processing', lane = NULL").await.unwrap();
        let mut tx = env.db.begin().await.unwrap();
        enrollments::hold(&mut tx, world.ws, planned.id, back, "away", env.now()).await.unwrap();
        tx.commit().await.unwrap();
        // The host gives it back.
        database.execute_raw("UPDATE jobs SET state = 'pending'").await.unwrap();

        world.run_until(due + HOUR).await;
        assert!(world.post.taken().is_empty());
        let enrollment = &world.enrollments(campaign).await[0];
        assert_eq!((enrollment.next_action_at, enrollment.reason.as_str()), (Some(back), "out of office until then"));
        world.run_until(back + HOUR).await;
        assert_eq!(world.post.taken().len(), 1);
    }

    // RFC 8058 §3.1 wants https: an instance without it offers the mail address alone.
    async fn without_https_there_is_no_one_click(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        world.running(&[&mailbox], &people).await;
        world.run_for(HOUR).await;
        let mail = &world.post.taken()[0];
        assert!(header(&mail.bytes, "List-Unsubscribe").unwrap().starts_with("<mailto:ada@sender.test?subject=unsubscribe%20"));
        assert_eq!(header(&mail.bytes, "List-Unsubscribe-Post"), None);
    }

    // SEQ-4, ROT-1: follow-ups answer the first mail, from the same mailbox.
    async fn follow_ups_go_on_in_the_thread(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailboxes = [world.mailbox("a@sender.test").await, world.mailbox("b@sender.test").await];
        let people = world.prospects(4).await;
        let steps = [("{{ firstName }}, a question", "One"), ("", "Two"), ("Another matter", "Three")];
        let campaign = world.draft(&[&mailboxes[0], &mailboxes[1]], &steps).await;
        world.enroll(campaign, &people).await;
        world.start(campaign).await;
        world.run_for(DAY * 4).await;
        all_are(&world, campaign, EnrollmentState::Completed).await;
        let taken = world.post.taken();
        assert_eq!(taken.len(), 12);
        for n in 0..4 {
            let to = format!("p{n}@d{}.test", n % 2);
            let mails: Vec<_> = taken.iter().filter(|mail| mail.envelope.recipient == to).collect();
            assert!(mails.iter().all(|mail| mail.envelope.sender == mails[0].envelope.sender), "one mailbox each");
            let first = format!("<{}>", mails[0].message_id);
            assert_eq!(header(&mails[0].bytes, "In-Reply-To"), None);
            assert_eq!(header(&mails[1].bytes, "In-Reply-To"), Some(first.clone()));
            assert_eq!(header(&mails[1].bytes, "References"), Some(first));
            assert_eq!(header(&mails[2].bytes, "In-Reply-To"), None, "a subject of its own begins a thread");
            assert_eq!(header(&mails[2].bytes, "Subject").unwrap(), "Another matter");
        }
        let enrollment = &world.enrollments(campaign).await[0];
        let kept = messages::list_by_enrollment(&mut world.env().db.reader(), world.ws, enrollment.id).await.unwrap();
        assert_eq!(kept[1].subject, "Re: Zoë, a question");
        // SCH-3: a day and 1 to 5 minutes later, plus the mailbox's pace.
        let sent = world.events(EventKind::EmailSent).await;
        let of: Vec<_> = sent.iter().filter(|event| event.enrollment_id == Some(enrollment.id)).collect();
        let between = of[1].occurred_at.since(of[0].occurred_at);
        assert!((DAY..DAY + HOUR).contains(&between), "{between:?}");
    }

    // MB-5: a deleted mailbox leaves its enrollments to the others, an hour later.
    async fn follow_ups_of_a_deleted_mailbox_go_on_from_another(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let (first, second) = (world.mailbox("a@sender.test").await, world.mailbox("b@other.test").await);
        let people = world.prospects(1).await;
        let campaign = world.draft(&[&first], &[("Hi", "One"), ("", "Two")]).await;
        world.enroll(campaign, &people).await;
        world.start(campaign).await;
        world.run_for(HOUR).await;
        let pool = CampaignPatch { mailbox_ids: Some(vec![first.id, second.id]), ..CampaignPatch::default() };
        campaigns::update(world.env(), world.ws, campaign, &pool, &Actor::Cli).await.unwrap();
        mailboxes::delete(world.env(), world.ws, first.id, &Actor::Cli).await.unwrap();
        world.run_for(DAY * 2).await;
        all_are(&world, campaign, EnrollmentState::Completed).await;
        let taken = world.post.taken();
        assert_eq!(taken[1].envelope.sender, "b@other.test");
        assert!(taken[1].message_id.ends_with("@other.test"));
        assert_eq!(header(&taken[1].bytes, "In-Reply-To"), Some(format!("<{}>", taken[0].message_id)), "the thread stays");
    }

    // MB-5: whoever connects a deleted address again learns which campaigns it left, until it is back.
    async fn a_mailbox_that_returns_may_rejoin(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let (ada, bob) = (world.mailbox("ada@sender.test").await, world.mailbox("bob@other.test").await);
        let people = world.prospects(2).await;
        let campaign = world.draft(&[&ada, &bob], &[("Hi", "One"), ("", "Two")]).await;
        world.enroll(campaign, &people).await;
        world.start(campaign).await;
        world.draft(&[&bob], &[("Hi", "One")]).await;
        let (env, ws) = (world.env(), world.ws);
        mailboxes::delete(env, ws, ada.id, &Actor::Cli).await.unwrap();
        let again = NewMailbox { address: "ADA@sender.test".into(), preset: Some("post".into()), ..NewMailbox::default() };
        let connected = mailboxes::connect(env, ws, again.clone(), &Actor::Cli).await.unwrap();
        assert_eq!(connected.left, [(campaign, "Spring".to_owned())]);
        let pool = CampaignPatch { mailbox_ids: Some(vec![bob.id, connected.account.id]), ..CampaignPatch::default() };
        campaigns::update(env, ws, campaign, &pool, &Actor::Cli).await.unwrap();
        mailboxes::delete(env, ws, bob.id, &Actor::Cli).await.unwrap();
        world.run_for(DAY * 3).await;
        all_are(&world, campaign, EnrollmentState::Completed).await;
        let new = NewMailbox { address: "eve@other.test".into(), ..again };
        assert_eq!(mailboxes::connect(env, ws, new, &Actor::Cli).await.unwrap().left, []);
    }

    // SAFE-4, MB-5: the audit says who deleted a mailbox also where it was disconnected before.
    async fn the_audit_has_the_deletion_of_a_disconnected_mailbox(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let (env, ws) = (world.env(), world.ws);
        disconnected(env, &mailbox).await.commit().await.unwrap();
        mailboxes::delete(env, ws, mailbox.id, &Actor::Cli).await.unwrap();
        let rows = audit::list(&mut env.db.reader(), ws, &mailbox.id.to_string()).await.unwrap();
        let last = rows.last().unwrap();
        assert_eq!((last.from_status.as_deref(), last.to_status.as_str()), (Some("disconnected"), "disconnected"));
        assert_eq!((last.reason.as_str(), last.actor.as_str()), ("deleted by hand", "cli"));
    }

    // SAFE-4, MB-5: the same where it is disconnected by somebody else meanwhile.
    async fn the_audit_has_the_deletion_of_a_mailbox_that_just_changed(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let (env, ws) = (world.env(), world.ws);
        let tx = disconnected(env, &mailbox).await;
        let (deleted, _) = tokio::join!(mailboxes::delete(env, ws, mailbox.id, &Actor::Cli), async {
            mailboxes::get(env, ws, mailbox.id).await.unwrap();
            tx.commit().await.unwrap();
        });
        deleted.unwrap();
        let rows = audit::list(&mut env.db.reader(), ws, &mailbox.id.to_string()).await.unwrap();
        let last = rows.last().unwrap();
        assert_eq!((last.from_status.as_deref(), last.reason.as_str()), (Some("disconnected"), "deleted by hand"));
    }

    // CAP-2: a mailbox that is deleted and connected again on the same day has no second quota.
    async fn a_mailbox_that_returns_has_sent_what_it_sent(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let ada = world.mailbox("ada@sender.test").await;
        let (env, ws) = (world.env(), world.ws);
        let two = MailboxChange { daily_limit: Some(2), ..MailboxChange::default() };
        mailboxes::update(env, ws, ada.id, two, &Actor::Cli).await.unwrap();
        let people = world.prospects(5).await;
        let campaign = world.draft(&[&ada], &[("Hi", "One")]).await;
        world.enroll(campaign, &people).await;
        world.start(campaign).await;
        world.run_for(HOUR * 2).await;
        assert_eq!(world.post.taken().len(), 2);
        mailboxes::delete(env, ws, ada.id, &Actor::Cli).await.unwrap();
        let again = NewMailbox {
            address: "Ada@sender.test".into(), preset: Some("post".into()), daily_limit: Some(2),
            // There it is Tuesday already.
            time_zone: Some("Pacific/Kiritimati".into()), ..NewMailbox::default()
        };
        let back = mailboxes::connect(env, ws, again, &Actor::Cli).await.unwrap();
        assert_eq!((back.account.id, back.account.status), (ada.id, AccountStatus::Connected));
        let pool = CampaignPatch { mailbox_ids: Some(vec![back.account.id]), ..CampaignPatch::default() };
        campaigns::update(env, ws, campaign, &pool, &Actor::Cli).await.unwrap();
        world.run_for(HOUR * 4).await;
        assert_eq!(world.post.taken().len(), 2, "on the same day");
        world.run_for(DAY).await;
        assert_eq!(world.post.taken().len(), 4, "on the next");
    }

    // SEQ-8: editing a sequence never sends a done step again, and removed steps are skipped.
    async fn a_sequence_is_edited_under_way(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        let campaign = world.draft(&[&mailbox], &[("One", "One"), ("Two", "Two"), ("Three", "Three")]).await;
        world.enroll(campaign, &people).await;
        world.start(campaign).await;
        world.run_for(HOUR).await;
        let (env, ws) = (world.env(), world.ws);
        campaigns::pause(env, ws, campaign, &Actor::Cli).await.unwrap();
        let found = campaigns::get(env, ws, campaign).await.unwrap();
        let keep = |place: usize, subject: &str| StepIn {
            id: Some(found.steps[place].id), subject: subject.into(), body_html: "x".into(), delay_minutes: Some(0), ..StepIn::default()
        };
        // The second is removed, the first comes last, and one is new.
        let steps = vec![keep(2, "Three"), StepIn { id: None, ..keep(0, "Four") }, keep(0, "One again")];
        let patch = CampaignPatch { steps: Some(steps), ..CampaignPatch::default() };
        campaigns::update(env, ws, campaign, &patch, &Actor::Cli).await.unwrap();
        campaigns::resume(env, ws, campaign, &Actor::Cli).await.unwrap();
        world.run_for(DAY * 3).await;
        all_are(&world, campaign, EnrollmentState::Completed).await;
        let subjects: Vec<_> = world.post.taken().iter().map(|mail| header(&mail.bytes, "Subject").unwrap()).collect();
        assert_eq!(subjects, ["One", "Three", "Four"]);
    }
}
