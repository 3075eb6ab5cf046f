//! Defer, don't burn (SAFE-2): what waits, why, and what lets it go on.

use std::{sync::Arc, time::Duration};

use overture_domain::{
    accounts::{AccountStatus, MailServer, MailSettings, TlsMode},
    caps::{Cap, Limit},
    enrollments::EnrollmentState,
    events::EventKind,
    people::Actor,
    prospects::{ProspectStatus, SuppressionSource},
    windows,
};
use overture_engine::{
    BeforeBody,
    campaigns::{self, CampaignPatch, StepIn},
    mailboxes::{self, NewMailbox},
    sends,
    suppressions::{self, Suppress},
};
use overture_plugin_host::{
    Problem,
    capabilities::mailbox::{
        Envelope, Failure, MailSession, Outgoing, Reply, Stage, Submission, SubmissionRecord,
    },
};
use overture_store::{accounts, caps, on_both, prospects};
use overture_testkit::{Outreach, outreach::Fate};

use super::{DAY, HOUR, all_are, header, monday};

on_both! {
    // TPL-4: a missing value parks that prospect alone, and data lets it go on.
    async fn a_missing_value_parks_until_it_is_there(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let mut lacking = world.prospect("lacking@d.test");
        lacking.company = String::new();
        let people = world.write_prospects(&[lacking, world.prospect("whole@d.test")]).await;
        let campaign = world.running(&[&mailbox], &people).await;
        world.run_until(monday(10, 0)).await;
        assert_eq!(world.post.asked(), ["whole@d.test"]);
        let parked = &world.enrollments(campaign).await[0];
        assert_eq!(parked.state, EnrollmentState::PendingTemplateVariableResolution);
        assert_eq!(parked.reason, "needs `company`: add it to the prospect, or give it a default in step 1");
        assert_eq!((parked.next_action_at, world.events(EventKind::EnrollmentParked).await.len()), (None, 1));

        let fields = overture_engine::prospects::Fields { company: Some("Example".into()), ..overture_engine::prospects::Fields::default() };
        let now = world.env().now();
        overture_engine::prospects::update(world.env(), world.ws, people[0], fields).await.unwrap();
        world.settle().await;
        let planned = world.enrollments(campaign).await[0].next_action_at.unwrap();
        assert!(planned.since(now) <= Duration::from_secs(30 * 60), "{planned}");
        world.run_for(HOUR).await;
        assert_eq!(world.post.asked(), ["whole@d.test", "lacking@d.test"]);
    }

    // TPL-4: a text that can't be rendered parks; saving a valid one lets all go on.
    async fn a_broken_template_parks_until_it_is_mended(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(4).await;
        let campaign = world.draft(&[&mailbox], &[("Hi", "{{ 1 | divided_by: 0 }}")]).await;
        world.enroll(campaign, &people).await;
        world.start(campaign).await;
        world.run_until(monday(11, 0)).await;
        all_are(&world, campaign, EnrollmentState::PendingTemplateFix).await;
        let parked = world.enrollments(campaign).await;
        assert!(parked[0].reason.starts_with("step 1: ") && parked[0].reason.contains("by zero"), "{}", parked[0].reason);
        let step = campaigns::get(world.env(), world.ws, campaign).await.unwrap().steps[0].id;
        let text = |body: &str| CampaignPatch {
            steps: Some(vec![StepIn { id: Some(step), subject: "Hi".into(), body_html: body.into(), ..StepIn::default() }]),
            ..CampaignPatch::default()
        };
        // TPL-3: a save with an error is refused, and changes nothing.
        let refused = campaigns::update(world.env(), world.ws, campaign, &text("{{ x "), &Actor::Cli).await.unwrap_err();
        assert_eq!(refused.code(), "validation_error");
        all_are(&world, campaign, EnrollmentState::PendingTemplateFix).await;
        campaigns::update(world.env(), world.ws, campaign, &text("Hello"), &Actor::Cli).await.unwrap();
        world.settle().await;
        let resumed = world.enrollments(campaign).await;
        assert!(resumed.iter().all(|e| e.next_action_at.unwrap().since(monday(11, 0)) <= Duration::from_secs(30 * 60)));
        assert_eq!(world.events(EventKind::EnrollmentResumed).await.len(), 4);
        world.run_for(HOUR * 2).await;
        all_are(&world, campaign, EnrollmentState::Completed).await;
    }

    // MB-3, MB-11: a refused sign-in disconnects the mailbox; its sends wait and go on by themselves.
    async fn a_mailbox_that_can_t_sign_in_keeps_its_mails(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(3).await;
        let refused = Problem::Auth(Failure {
            stage: Stage::Auth, code: "auth_invalid".into(), detail: "no".into(),
            reply: Some(Reply { code: Some(535), enhanced: Some("5.7.8".into()), text: "bad credentials".into() }),
        });
        world.post.next("p0@d0.test", [Fate::Refused(refused.clone())]);
        world.post.next("p1@d1.test", [Fate::Refused(refused.clone())]);
        world.post.next("p2@d0.test", [Fate::Refused(refused)]);
        let campaign = world.running(&[&mailbox], &people).await;
        world.run_until(monday(12, 0)).await;
        assert_eq!(world.post.asked().len(), 1, "the others don't knock at a closed door");
        let account = world.account(mailbox.id).await;
        assert_eq!((account.status, account.auth_failures), (AccountStatus::Disconnected, 1));
        assert!(account.status_reason.contains("535 5.7.8 bad credentials"), "{}", account.status_reason);
        let all = world.enrollments(campaign).await;
        let held: Vec<_> = all.iter().filter(|e| e.state == EnrollmentState::PausedAccount).collect();
        assert_eq!(held.len(), 1);
        assert!(held[0].reason.contains("can't sign in"), "{}", held[0].reason);
        let others: Vec<_> = all.iter().filter(|e| e.state.is_open()).collect();
        assert!(others.iter().all(|e| e.reason.starts_with("no_usable_mailbox")), "{others:?}");

        for n in 0..3 { world.post.next(&format!("p{n}@d{}.test", n % 2), []); }
        mailboxes::status::connect_again(world.env(), &account, "signed in again", &Actor::Cli).await.unwrap();
        let mut tx = world.env().db.begin().await.unwrap();
        accounts::clear_auth_failures(&mut tx, world.ws, mailbox.id).await.unwrap();
        tx.commit().await.unwrap();
        world.run_until(monday(16, 59)).await;
        // The two that had not been tried still meet a refusal each; the mailbox is connected again each time.
        for _ in 0..2 {
            let account = world.account(mailbox.id).await;
            mailboxes::status::connect_again(world.env(), &account, "signed in again", &Actor::Cli).await.unwrap();
            world.run_for(DAY).await;
        }
        all_are(&world, campaign, EnrollmentState::Completed).await;
        // SEQ-4: the same Message-ID as at the first try.
        let taken = world.post.taken();
        assert_eq!(taken.len(), 3);
        assert!(taken.iter().all(|mail| header(&mail.bytes, "Message-ID") == Some(format!("<{}>", mail.message_id))));
    }

    // MB-5: without a usable mailbox a campaign looks again every hour.
    async fn a_campaign_without_a_mailbox_looks_again_hourly(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        let campaign = world.running(&[&mailbox], &people).await;
        mailboxes::status::pause(world.env(), world.ws, mailbox.id, &Actor::Cli).await.unwrap();
        world.run_until(monday(9, 30)).await;
        let waiting = &world.enrollments(campaign).await[0];
        assert_eq!(waiting.reason, "no_usable_mailbox: no mailbox of the campaign is connected");
        let next = waiting.next_action_at.unwrap();
        assert!((monday(10, 0)..=monday(10, 10)).contains(&next), "{next}");
        mailboxes::status::resume(world.env(), world.ws, mailbox.id, &Actor::Cli).await.unwrap();
        world.run_until(monday(10, 20)).await;
        all_are(&world, campaign, EnrollmentState::Completed).await;
    }

    // SEQ-3, SUP-1: looked at in the sending transaction, whatever was planned before.
    async fn the_suppressed_are_not_sent_to(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(4).await;
        let campaign = world.running(&[&mailbox], &people).await;
        world.settle().await;
        let domain = Suppress { kind: overture_domain::prospects::SuppressionKind::Domain, values: vec!["d1.test".into()], source: SuppressionSource::Manual, reason: "asked".into() };
        suppressions::create(world.env(), world.ws, &domain).await.unwrap();
        // A status alone, without the operation that ends enrollments.
        let mut tx = world.env().db.begin().await.unwrap();
        prospects::set_status(&mut tx, world.ws, &people[..1], ProspectStatus::Unsubscribed, world.env().now()).await.unwrap();
        tx.commit().await.unwrap();
        world.run_for(HOUR).await;
        assert_eq!(world.post.asked(), ["p2@d0.test"]);
        let found: Vec<_> = world.enrollments(campaign).await.into_iter().map(|e| e.state).collect();
        assert_eq!(found, [EnrollmentState::Unsubscribed, EnrollmentState::Stopped, EnrollmentState::Completed, EnrollmentState::Stopped]);
    }

    // PR-1, SCH-9: without an address there is no mail, and the answer says so before and after.
    async fn who_has_no_address_waits_for_one(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let without = overture_domain::prospects::Prospect {
            linkedin_url: "https://www.linkedin.com/in/ada-l".into(),
            ..world.prospect("li.ada-l@noemail.invalid")
        };
        let people = world.write_prospects(&[without, world.prospect("bob@d.test")]).await;
        let campaign = world.running(&[&mailbox], &people).await;
        world.settle().await;
        let theirs = async || world.enrollments(campaign).await.into_iter().find(|one| one.prospect_id == people[0]).unwrap();
        let open = theirs().await;
        let why = || sends::why(world.env(), world.ws, sends::About::Enrollment(open.id));
        let early = why().await.unwrap();
        assert_eq!((open.state.is_open(), early.code.as_str(), early.next_at), (true, "invalid_prospect", None));
        world.run_until(monday(10, 0)).await;
        assert_eq!(world.post.asked(), ["bob@d.test"]);
        let parked = theirs().await;
        assert_eq!((parked.state, parked.next_action_at), (EnrollmentState::InvalidProspect, None));
        let late = why().await.unwrap();
        assert_eq!((&late.code, &late.reason, &late.change), (&early.code, &early.reason, &early.change));
        let told = world.events(EventKind::EnrollmentParked).await;
        assert_eq!(told[0].data["reason"], parked.reason.as_str());

        let fields = overture_engine::prospects::Fields { email: Some("ada@d.test".into()), ..Default::default() };
        overture_engine::prospects::update(world.env(), world.ws, people[0], fields).await.unwrap();
        world.run_for(HOUR).await;
        assert_eq!(world.post.asked(), ["bob@d.test", "ada@d.test"]);
        all_are(&world, campaign, EnrollmentState::Completed).await;
    }

    // An address that can't be written to is parked, not lost, and its mail counts nowhere (CAP-2).
    async fn an_address_that_fits_in_no_header_is_parked(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.write_prospects(&[world.prospect("a b@d.test")]).await;
        let campaign = world.running(&[&mailbox], &people).await;
        world.run_for(HOUR).await;
        let parked = &world.enrollments(campaign).await[0];
        assert_eq!(parked.state, EnrollmentState::InvalidProspect, "{}", parked.reason);
        assert!(parked.reason.starts_with("the mail can't be built"), "{}", parked.reason);
        assert!(world.post.asked().is_empty());
        let zone = windows::zone(&mailbox.time_zone).unwrap();
        let limit = Limit { cap: Cap::MailboxDaily, subject: mailbox.id.to_string(), limit: 1, zone };
        let (reader, now) = (&mut world.env().db.reader(), world.env().now());
        let usage = caps::usage(reader, world.ws, std::slice::from_ref(&limit), now).await.unwrap();
        assert_eq!(usage.used(&limit, now), 0);
    }

    // SAF-3: while a mail host is left alone, its mails wait with the reason, and count nowhere.
    async fn a_host_that_is_left_alone_keeps_its_mails_waiting(test: TestDatabase) {
        let world = Outreach::new(test).await;
        world.post.behind_smtp();
        let (env, ws) = (world.env(), world.ws);
        // Loopback, and nobody listens there.
        let server = MailServer { host: "127.0.0.1".into(), port: 465, tls: TlsMode::Implicit };
        let settings = MailSettings { smtp: server.clone(), imap: server, user_name: "ada".into(), pinned_certificate: None, files_sent: true, sent_within_minutes: None };
        let new = NewMailbox {
            address: "ada@sender.test".into(), preset: Some("post".into()), password: Some("secret".into()),
            settings: Some(serde_json::to_value(settings).unwrap()), ..NewMailbox::default()
        };
        let mailbox = mailboxes::connect(env, ws, new, &Actor::Cli).await.unwrap().account;
        for _ in 0..5 {
            let session = mailboxes::Session::open(env, &mailbox).await.unwrap().before_body(Arc::new(Never));
            let mail = Outgoing {
                envelope: Envelope { sender: "ada@sender.test".into(), recipient: "p0@d0.test".into() },
                message_id: "1@sender.test".into(),
                bytes: b"Subject: x\r\n\r\n"[..].into(),
            };
            assert_eq!(session.submit(&mail).await.unwrap_err().code, "connection_refused");
        }
        let people = world.prospects(1).await;
        let accepted = Submission { reply: Reply { code: Some(250), enhanced: None, text: "ok".into() } };
        world.post.next("p0@d0.test", [Fate::Dialogue(SubmissionRecord::Accepted(accepted))]);
        let campaign = world.running(&[&mailbox], &people).await;
        let first = world.settle().await.unwrap();
        world.kit.clock.advance_to(first);
        let left_alone = env.now();
        world.settle().await;
        let waiting = &world.enrollments(campaign).await[0];
        assert!(waiting.reason.starts_with("not sent yet: 127.0.0.1 can't be reached"), "{}", waiting.reason);
        assert!(waiting.next_action_at.unwrap() > left_alone, "{waiting:?}");
        assert!(world.post.asked().is_empty(), "the plugin was not even called");
        world.run_for(HOUR).await;
        assert_eq!(world.post.asked().len(), 1);
        all_are(&world, campaign, EnrollmentState::Completed).await;
    }
}

struct Never;

#[async_trait::async_trait]
impl BeforeBody for Never {
    async fn commit_attempt(&self) -> Result<(), String> {
        panic!("no connection came about")
    }
}
