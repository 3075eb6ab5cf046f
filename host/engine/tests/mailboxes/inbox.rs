//! What a mail that comes in does.

use std::time::Duration;

use overture_domain::{
    Timestamp,
    enrollments::EnrollmentState,
    messages::{Attribution, Label, MailKey},
    prospects::ProspectStatus,
};
use overture_engine::unsubscribe;
use overture_plugin_host::{Signal, SignalKind};
use overture_store::{messages, on_both, suppressions};

use crate::{
    script::signals,
    world::{Sent, World},
};

/// A mail of `from` in answer to what was sent.
pub(crate) fn answer(from: &str, sent: &Sent, text: &str) -> String {
    let id = &sent.message_id;
    format!(
        "From: {from}\nTo: ada@sender.test\nSubject: Re: Hello\nMessage-ID: <{text_id}-{id}>\nIn-Reply-To: <{id}>\nReferences: <{id}>\n\n{text}\n",
        text_id = text.len(),
    )
}

pub(crate) fn bounce(sent: &Sent, status: &str, diagnostic: &str) -> String {
    let (email, id) = (&sent.email, &sent.message_id);
    format!(
        "From: MAILER-DAEMON@mx.test\nTo: ada@sender.test\nSubject: Undelivered\nMessage-ID: <dsn-{status}-{id}>\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
         --b\n\nIt came back.\n\
         --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.test\n\n\
         Final-Recipient: rfc822; {email}\nAction: failed\nStatus: {status}\nDiagnostic-Code: smtp; {diagnostic}\n\n\
         --b\nContent-Type: message/rfc822\n\nMessage-ID: <{id}>\nFrom: ada@sender.test\nTo: {email}\n\nHello\n\
         --b--\n"
    )
}

fn complaint(sent: &Sent) -> String {
    let id = &sent.message_id;
    format!(
        "From: fbl@provider.test\nTo: ada@sender.test\nSubject: complaint\nMessage-ID: <arf-{id}>\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n\
         --b\n\nA complaint.\n\
         --b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: x\nVersion: 1\n\n\
         --b\nContent-Type: message/rfc822\n\nMessage-ID: <{id}>\nFrom: ada@sender.test\nTo: redacted\n\nHello\n\
         --b--\n"
    )
}

const GRACE: &str = "grace@example.net";

async fn suppressed(world: &World, email: &str) -> bool {
    let emails = [email.to_owned()];
    let found = suppressions::among(&mut world.env().db.reader(), world.ws, &emails)
        .await
        .unwrap();
    found.contains(email)
}

on_both! {
    // SEQ-3, API-6, PR-4
    async fn a_reply_ends_the_sequence_and_is_told_once(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Active).await;
        world.plan(grace.enrollment, world.now() + Duration::from_secs(86_400)).await;
        world.arrive(&[&answer("Grace <grace@example.net>", &grace, "Please tell me more!\n\n> Hello")]).await;

        let enrollment = world.enrollment(&grace).await;
        assert_eq!((enrollment.state, enrollment.label, enrollment.next_action_at), (EnrollmentState::Replied, Some(Label::Interested), None));
        assert_eq!(world.prospect(&grace).await.last_replied_at, Some(world.now()));
        assert_eq!(world.prospect(&grace).await.status, ProspectStatus::Active);
        let told = world.events().await;
        let [event] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(event.kind.name(), "reply.received");
        let data = &event.data;
        assert_eq!(data["prospectEmail"], GRACE);
        assert_eq!(data["prospectName"], "Grace Söderström");
        assert_eq!(data["campaignName"], "Spring");
        assert_eq!(data["subject"], "Re: Hello");
        assert_eq!(data["messageText"], "Please tell me more!");
        assert_eq!((&data["label"], &data["sentiment"]), (&"interested".into(), &"positive".into()));
        assert_eq!(data["mailboxId"], world.mailbox.id.to_string());
        assert_eq!(data["receivedAt"], world.now().to_string());

        world.arrive(&[&answer(GRACE, &grace, "On second thoughts: no thanks.")]).await;
        assert_eq!(world.kinds().await, ["reply.received"]);
        assert_eq!(world.enrollment(&grace).await.label, Some(Label::NotInterested));
        assert_eq!(world.messages().await.len(), 2);
    }

    // CLS-1, SEQ-3: several mails of one person may stand on one page, and so may those of colleagues.
    async fn what_one_person_has_written_is_seen_to_in_its_order(test: TestDatabase) {
        let world = World::new(test).await;
        world.kit.database.execute_raw("UPDATE campaigns SET stop_on_company_reply = TRUE").await.unwrap();
        let ada = world.sent_to("ada@firm.example", EnrollmentState::Active).await;
        let bob = world.sent_to("bob@firm.example", EnrollmentState::Active).await;
        let mails = [(&ada, "tell me more"), (&bob, "away for a while"), (&ada, "no thanks"), (&bob, "tell me more"), (&ada, "back on 9 March")];
        let mails = mails.map(|(sent, text)| answer(&sent.email, sent, text));
        world.arrive(&mails.each_ref().map(|mail| &**mail)).await;
        let stands = async |sent| { let e = world.enrollment(sent).await; (e.state, e.label) };
        assert_eq!(stands(&ada).await, (EnrollmentState::Replied, Some(Label::NotInterested)));
        assert_eq!(stands(&bob).await, (EnrollmentState::Stopped, Some(Label::Interested)));
        let mut kinds = world.kinds().await;
        kinds.sort_unstable();
        assert_eq!(kinds, ["enrollment.finished", "out_of_office.received", "out_of_office.received", "reply.received", "reply.received"]);
    }

    // DESIGN §4
    async fn a_reply_after_the_last_step_turns_completed_into_replied(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Completed).await;
        world.arrive(&[&answer(GRACE, &grace, "hm")]).await;
        let enrollment = world.enrollment(&grace).await;
        // No classifier could tell; a person wrote it, so it counts.
        assert_eq!((enrollment.state, enrollment.label), (EnrollmentState::Replied, Some(Label::Other)));
    }

    // SEQ-3: the campaign may say that replies don't stop it.
    async fn a_reply_ends_nothing_where_the_campaign_says_so(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Active).await;
        world.kit.database.execute_raw("UPDATE campaigns SET stop_on_reply = FALSE").await.unwrap();
        world.arrive(&[&answer(GRACE, &grace, "tell me more")]).await;
        let enrollment = world.enrollment(&grace).await;
        assert_eq!((enrollment.state, enrollment.label), (EnrollmentState::Active, Some(Label::Interested)));
        assert_eq!(world.kinds().await, ["reply.received"]);
    }

    // SEQ-3: where the campaign says so, for companies alone.
    async fn a_reply_stops_colleagues(test: TestDatabase) {
        let world = World::new(test).await;
        let sent = ["a@firm.example", "b@firm.example", "c@other.example", "d@gmail.com", "e@gmail.com", "f@firm.example"];
        let mut people = Vec::new();
        for email in sent {
            people.push(world.sent_to(email, EnrollmentState::Active).await);
        }
        world.arrive(&[&answer("a@firm.example", &people[0], "tell me more")]).await;
        assert_eq!(world.enrollment(&people[1]).await.state, EnrollmentState::Active, "off by default");
        world.kit.database.execute_raw("UPDATE campaigns SET stop_on_company_reply = TRUE").await.unwrap();
        world.arrive(&[&answer("b@firm.example", &people[1], "no thanks"), &answer("d@gmail.com", &people[3], "no thanks")]).await;
        let mut states = Vec::new();
        for person in &people {
            states.push(world.enrollment(person).await.state);
        }
        use EnrollmentState::{Active, Replied, Stopped};
        assert_eq!(states, [Replied, Replied, Active, Replied, Active, Stopped]);
        assert_eq!(world.enrollment(&people[5]).await.reason, "somebody at firm.example replied");
    }

    // CLS-2, SAFE-1
    async fn out_of_office_moves_the_next_step_behind_the_return(test: TestDatabase) {
        let world = World::new(test).await;
        let soon = world.sent_to("soon@example.net", EnrollmentState::Active).await;
        let late = world.sent_to("late@example.net", EnrollmentState::Active).await;
        let done = world.sent_to("done@example.net", EnrollmentState::Completed).await;
        let in_a_day = world.now() + Duration::from_secs(86_400);
        let in_a_month = world.now() + Duration::from_secs(30 * 86_400);
        world.plan(soon.enrollment, in_a_day).await;
        world.plan(late.enrollment, in_a_month).await;
        let text = "I am away, back on 9 March.";
        let mails = [&soon, &late, &done].map(|sent| answer(&sent.email, sent, text));
        world.arrive(&[&mails[0], &mails[1], &mails[2]]).await;

        // It is planned anew, and the planner knows until when it must wait: the 9th in Berlin.
        let enrollment = world.enrollment(&soon).await;
        assert_eq!((enrollment.state, enrollment.next_action_at), (EnrollmentState::Active, None));
        assert!(enrollment.reason.contains("2026-03-09"), "{}", enrollment.reason);
        let unplanned = overture_store::jobs::list_unplanned(&mut world.env().db.reader(), 10).await.unwrap();
        let back: Timestamp = "2026-03-08T23:00:00Z".parse().unwrap();
        assert_eq!(unplanned.iter().map(|u| (u.enrollment_id, u.not_before)).collect::<Vec<_>>(), [(soon.enrollment, Some(back))]);
        // What was planned for later stays, and what is through stays through.
        assert_eq!(world.enrollment(&late).await.next_action_at, Some(in_a_month));
        let done = world.enrollment(&done).await;
        assert_eq!((done.state, done.label), (EnrollmentState::Completed, Some(Label::OutOfOffice)));
        assert_eq!(world.kinds().await, ["out_of_office.received"; 3]);
        assert!(world.messages().await.iter().all(|m| m.label == Some(Label::OutOfOffice)));
        assert_eq!(world.events().await[0].data["until"], "2026-03-09");
        assert_eq!(world.prospect(&soon).await.last_replied_at, None);
    }

    // CLS-2: without a return date it goes on normally.
    async fn out_of_office_without_a_date_changes_no_plan(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Active).await;
        let in_a_day = world.now() + Duration::from_secs(86_400);
        world.plan(grace.enrollment, in_a_day).await;
        world.arrive(&[&answer(GRACE, &grace, "away for a while")]).await;
        assert_eq!(world.enrollment(&grace).await.next_action_at, Some(in_a_day));
    }

    async fn a_machines_answer_is_only_recorded(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Active).await;
        world.arrive(&[&answer(GRACE, &grace, "A ticket was opened.")]).await;
        assert_eq!(world.enrollment(&grace).await.state, EnrollmentState::Active);
        assert_eq!(world.kinds().await, ["auto_reply.received"]);
    }

    // CLS-5, SUP-1
    async fn a_request_in_words_unsubscribes(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Active).await;
        // She writes from another address of hers: both are meant.
        world.arrive(&[&answer("g.hopper@example.org", &grace, "Please remove me from your list.")]).await;
        assert_eq!(world.enrollment(&grace).await.state, EnrollmentState::Unsubscribed);
        assert_eq!(world.prospect(&grace).await.status, ProspectStatus::Unsubscribed);
        assert!(suppressed(&world, GRACE).await && suppressed(&world, "g.hopper@example.org").await);
        assert_eq!(world.kinds().await, ["email.unsubscribed", "prospect.suppressed", "prospect.suppressed"]);
    }

    // TRK-4: the mailto of List-Unsubscribe carries its token in the subject.
    async fn a_mail_with_the_token_unsubscribes_whoever_sends_it(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Completed).await;
        let token = unsubscribe::token(world.env(), MailKey { workspace_id: world.ws, enrollment_id: grace.enrollment, step_index: 0 });
        let mail = format!("From: forwarded@example.org\nSubject: unsubscribe {token}\nMessage-ID: <u@x>\n\n\n");
        world.arrive(&[&mail]).await;
        assert_eq!(world.enrollment(&grace).await.state, EnrollmentState::Unsubscribed);
        assert!(suppressed(&world, GRACE).await);
        assert_eq!(world.messages().await[0].attribution, Some(Attribution::Token));
        // A made-up one does nothing.
        let forged = format!("From: {GRACE}x\nSubject: unsubscribe {}\nMessage-ID: <v@x>\n\n\n", token.replace(&token[..4], "AAAA"));
        world.arrive(&[&forged]).await;
        assert_eq!(world.messages().await.len(), 1);
    }

    // SAF-4, API-6
    async fn a_hard_bounce_makes_the_prospect_invalid(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Completed).await;
        world.arrive(&[&bounce(&grace, "5.1.1", "550 5.1.1 no such user here")]).await;
        assert_eq!(world.enrollment(&grace).await.state, EnrollmentState::Bounced);
        assert_eq!(world.prospect(&grace).await.status, ProspectStatus::Invalid);
        assert!(suppressed(&world, GRACE).await);
        assert_eq!(world.kinds().await, ["email.bounced", "prospect.suppressed"]);
        let told = world.events().await;
        let bounced = told.iter().find(|e| e.kind.name() == "email.bounced").unwrap();
        assert_eq!((&bounced.data["bounceType"], &bounced.data["prospectEmail"]), (&"hard".into(), &GRACE.into()));
        assert!(bounced.data["bounceReason"].as_str().unwrap().contains("no such user"), "{}", bounced.data);
        let message = &world.messages().await[0];
        assert_eq!((message.label, message.attribution), (Some(Label::BounceHard), Some(Attribution::Report)));
    }

    // SAF-4: a refusal for policy is not the prospect's fault; `returned` has the others.
    async fn other_bounces_leave_the_prospect_alone(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Completed).await;
        world.arrive(&[&bounce(&grace, "5.7.1", "554 5.7.1 looks like spam")]).await;
        assert_eq!(world.enrollment(&grace).await.state, EnrollmentState::Completed);
        assert_eq!(world.prospect(&grace).await.status, ProspectStatus::Active);
        assert!(!suppressed(&world, GRACE).await);
        let told = world.events().await;
        let types: Vec<_> = told.iter().map(|e| (e.kind.name(), e.data["bounceType"].as_str().unwrap())).collect();
        assert_eq!(types, [("email.soft_bounced", "block")]);
    }

    // SAF-4, SUP-1
    async fn a_complaint_suppresses(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Active).await;
        world.arrive(&[&complaint(&grace)]).await;
        assert_eq!(world.enrollment(&grace).await.state, EnrollmentState::Stopped);
        assert!(suppressed(&world, GRACE).await);
        assert_eq!(world.kinds().await, ["email.complained", "prospect.suppressed"]);
    }

    // DESIGN §3: signals run through the host's own handlers. API-6: opened first only.
    async fn signals_are_told_like_our_own_tracking(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Completed).await;
        let linus = world.sent_to("linus@example.net", EnrollmentState::Completed).await;
        let signal = |kind, sent: &Sent, url: Option<&str>| Signal {
            kind,
            message_id: format!("<{}>", sent.message_id),
            at: world.now(),
            url: url.map(str::to_owned),
        };
        let stranger = Signal { kind: SignalKind::Opened, message_id: "who@x".into(), at: world.now(), url: None };
        world.script.answer(Ok(Ok(signals("s1", vec![
            signal(SignalKind::Opened, &grace, None),
            signal(SignalKind::Opened, &grace, None),
            signal(SignalKind::Clicked, &grace, Some("https://example.com/a")),
            signal(SignalKind::Clicked, &grace, Some("https://example.com/b")),
            signal(SignalKind::Clicked, &grace, Some("https://example.com/a")),
            signal(SignalKind::Unsubscribed, &grace, None),
            signal(SignalKind::Complained, &linus, None),
            stranger,
        ]))));
        world.sync().await;
        assert_eq!(world.kinds().await, [
            "email.clicked", "email.clicked", "email.complained", "email.opened", "email.unsubscribed",
            "prospect.suppressed", "prospect.suppressed",
        ]);
        assert_eq!(world.enrollment(&grace).await.state, EnrollmentState::Unsubscribed);
        let told = world.events().await;
        let click = told.iter().find(|e| e.kind.name() == "email.clicked").unwrap();
        assert_eq!((&click.data["url"], &click.data["stepIndex"]), (&"https://example.com/a".into(), &0.into()));
    }

    // TRK-3: by address, marked; the owner's other mail is not kept.
    async fn a_mail_without_a_thread_is_found_by_its_sender(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Completed).await;
        world.arrive(&[
            "From: Grace@Example.net\nSubject: your mail\nMessage-ID: <1@x>\n\ntell me more\n",
            "From: aunt@family.test\nSubject: Sunday\nMessage-ID: <2@x>\n\nCome for lunch!\n",
            "From: ada@sender.test\nSubject: note to self\nMessage-ID: <3@x>\n\ntell me more\n",
        ]).await;
        let kept = world.messages().await;
        assert_eq!(kept.iter().map(|m| (&*m.external_id, m.attribution)).collect::<Vec<_>>(), [("1@x", Some(Attribution::Address))]);
        assert_eq!(world.enrollment(&grace).await.state, EnrollmentState::Replied);
    }

    // WS-1
    async fn another_workspaces_thread_is_nobodys(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Active).await;
        let ws = world.kit.workspace("Other").await;
        let theirs = overture_engine::mailboxes::NewMailbox { address: "eve@other.test".into(), preset: Some("script".into()), ..Default::default() };
        overture_engine::mailboxes::connect(world.env(), ws, theirs, &overture_domain::people::Actor::Cli).await.unwrap();
        world.script.answer(Ok(Ok(crate::script::page("c", &[&answer("eve@other.test", &grace, "remove me"), &answer(GRACE, &grace, "remove me")]))));
        // Only eve's mailbox is due.
        world.kit.database.execute_raw("UPDATE sending_accounts SET sync_due_at = 9223372036854775807 WHERE address = 'Ada@Sender.test'").await.unwrap();
        world.tick().await;
        assert_eq!(world.enrollment(&grace).await.state, EnrollmentState::Active);
        assert!(messages::list(&mut world.env().db.reader(), ws, &Default::default(), &overture_store::Slice::first(9)).await.unwrap().is_empty());
        assert!(world.events().await.is_empty());
    }
}
