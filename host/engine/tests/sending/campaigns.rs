//! Making, editing, starting and ending campaigns.

use overture_domain::{
    campaigns::{CampaignStatus, Pause, PauseReason, Window},
    enrollments::EnrollmentState,
    events::EventKind,
    forecast::Forecast,
    people::Actor,
    prospects::{ProspectStatus, SuppressionSource},
};
use overture_engine::{
    Error,
    campaigns::{self, CampaignIn, CampaignPatch, Enroll, Enrolled, StepIn},
    mailboxes, sends,
    suppressions::{self, Suppress},
};
use overture_store::{audit, on_both};
use overture_testkit::{MONDAY, Outreach, env::stranger};

use super::{DAY, HOUR, all_are, codes, states};

fn steps(world_steps: &[(&str, &str)]) -> Vec<StepIn> {
    let step = |(subject, body): &(&str, &str)| StepIn {
        subject: (*subject).into(),
        body_html: (*body).into(),
        ..StepIn::default()
    };
    world_steps.iter().map(step).collect()
}

on_both! {
    // The whole way of a campaign with everything at its default: SCH-1, SCH-4, CAP-1, SEQ-11.
    async fn twenty_prospects_are_written_to_and_the_campaign_completes(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(20).await;
        let campaign = world.running(&[&mailbox], &people).await;
        world.run_until(MONDAY + HOUR * 8).await;
        assert_eq!(world.post.taken().len(), 20);
        all_are(&world, campaign, EnrollmentState::Completed).await;
        let found = campaigns::get(world.env(), world.ws, campaign).await.unwrap().campaign;
        assert_eq!(found.status, CampaignStatus::Completed);
        assert!(found.started_at.is_some() && found.finished_at.is_some());
        let sent = world.events(EventKind::EmailSent).await;
        assert_eq!(sent.len(), 20);
        // SCH-4: five minutes and jitter between two mails of a mailbox.
        for pair in sent.windows(2) {
            let between = pair[1].occurred_at.since(pair[0].occurred_at).as_secs();
            assert!((301..=600).contains(&between), "{between} s");
        }
        // SCH-3: the first goes 1 to 5 minutes after the start.
        let first = sent[0].occurred_at.since(MONDAY).as_secs();
        assert!((60..=300).contains(&first), "{first} s");
        let stats = campaigns::stats(world.env(), world.ws, campaign).await.unwrap();
        assert_eq!((stats.prospects, stats.sent, stats.contacted, stats.replied), (20, 20, 20, 0));
        // SAFE-4
        let log = audit::list(&mut world.env().db.reader(), world.ws, &campaign.to_string()).await.unwrap();
        let mut statuses: Vec<_> = log.iter().map(|row| (row.to_status.as_str(), row.actor.as_str())).collect();
        statuses.sort();
        assert_eq!(statuses, [("completed", "engine:SEQ-11"), ("draft", "cli"), ("running", "cli")]);
        assert_eq!(world.events(EventKind::CampaignStatusChanged).await.len(), 2);
    }

    // API-4, TPL-3
    async fn everything_that_is_wrong_is_named_at_once(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let given = CampaignIn {
            name: " ".into(),
            steps: steps(&[("", "Hi {{ firstName "), ("Again", "")]),
            mailbox_ids: vec![stranger()],
            time_zone: Some("Mars/Olympus".into()),
            windows: Some(vec![Window { days: vec![7], start: 0, end: 2_000 }]),
            daily_send_limit: Some(0),
            end_at: Some(MONDAY),
            start_at: Some(MONDAY),
            ..CampaignIn::default()
        };
        let error = campaigns::create(world.env(), world.ws, &given, &Actor::Cli).await.unwrap_err();
        let fields: Vec<_> = error.details().iter().map(|detail| detail.field.as_str()).collect();
        assert_eq!(error.code(), "validation_error");
        assert_eq!(fields, [
            "name", "timezone", "dailySendLimit", "endDate", "endDate", "windows[0].days", "windows[0]",
            "steps[0].subject", "steps[1].bodyHtml", "steps[0].bodyHtml", "mailboxIds[0]",
        ]);
        let template = &error.details()[9].message;
        assert!(template.starts_with("1:4: error[") && template.contains("^"), "{template}");
    }

    // SEQ-6
    async fn a_start_is_refused_with_every_cause(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let campaign = world.draft(&[&mailbox], &[("Hi", "About {{ custom.project }}")]).await;
        let start = async || campaigns::start(world.env(), world.ws, campaign, &Actor::Cli).await;
        assert_eq!(codes(start().await.unwrap_err().details()), ["no_prospects"]);

        let mut person = world.prospect("p@d.test");
        person.custom = [("budget".to_owned(), "5".to_owned())].into();
        let people = world.write_prospects(&[person]).await;
        world.enroll(campaign, &people).await;
        let error = start().await.unwrap_err();
        assert_eq!(codes(error.details()), ["unknown_custom_field"]);
        assert!(error.details()[0].message.contains("`project`") && error.details()[0].message.contains("they have: budget"), "{error:?}");

        mailboxes::status::pause(world.env(), world.ws, mailbox.id, &Actor::Cli).await.unwrap();
        let error = start().await.unwrap_err();
        assert_eq!(codes(error.details()), ["unusable_mailboxes", "unknown_custom_field"]);

        let patch = CampaignPatch { steps: Some(steps(&[("Hi", "About {{ custom.budget }}")])), ..CampaignPatch::default() };
        campaigns::update(world.env(), world.ws, campaign, &patch, &Actor::Cli).await.unwrap();
        let error = start().await.unwrap_err();
        assert_eq!(error.code(), "unusable_mailboxes");
        assert!(error.to_string().contains("ada@sender.test is paused"), "{error}");

        mailboxes::status::resume(world.env(), world.ws, mailbox.id, &Actor::Cli).await.unwrap();
        let patch = CampaignPatch { end_at: Some(Some(MONDAY + HOUR)), ..CampaignPatch::default() };
        campaigns::update(world.env(), world.ws, campaign, &patch, &Actor::Cli).await.unwrap();
        world.kit.clock.advance(HOUR * 2);
        assert_eq!(start().await.unwrap_err().code(), "end_date_expired");
        let patch = CampaignPatch { end_at: Some(None), ..CampaignPatch::default() };
        campaigns::update(world.env(), world.ws, campaign, &patch, &Actor::Cli).await.unwrap();
        assert_eq!(start().await.unwrap().status, CampaignStatus::Running);
    }

    // SEQ-6: a start date ahead means scheduled; at that time it starts, or says why not.
    async fn a_scheduled_campaign_starts_by_itself(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        let status = async |campaign| campaigns::get(world.env(), world.ws, campaign).await.unwrap().campaign;
        let mut made = Vec::new();
        for _ in 0..2 {
            let given = CampaignIn {
                name: "Later".into(), steps: steps(&[("Hi", "Hi")]), mailbox_ids: vec![mailbox.id],
                start_at: Some(MONDAY + DAY), ..CampaignIn::default()
            };
            let campaign = world.create(&given).await;
            let who = Enroll { prospect_ids: people.clone(), also_active_elsewhere: true, ..Enroll::default() };
            campaigns::enroll(world.env(), world.ws, campaign, &who, &Actor::Cli).await.unwrap();
            world.start(campaign).await;
            made.push(campaign);
        }
        assert_eq!(status(made[0]).await.status, CampaignStatus::Scheduled);
        campaigns::unenroll(world.env(), world.ws, made[1], &people, &[]).await.unwrap();
        assert_eq!(world.settle().await, Some(MONDAY + DAY));
        assert!(world.post.taken().is_empty());
        world.run_until(MONDAY + DAY + HOUR).await;
        assert_eq!(world.post.taken().len(), 1);
        assert_eq!(status(made[0]).await.status, CampaignStatus::Completed);
        let refused = status(made[1]).await;
        assert_eq!(refused.status, CampaignStatus::Paused);
        let [pause] = refused.pauses.as_slice() else { panic!("{refused:?}") };
        assert_eq!(pause.reason, PauseReason::NotStartable);
        assert!(pause.detail.starts_with("it could not start: none of the 1 prospects"), "{pause:?}");
    }

    // SEQ-11
    async fn only_legal_changes_of_status_are_done(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        let campaign = world.draft(&[&mailbox], &[("Hi", "Hi")]).await;
        world.enroll(campaign, &people).await;
        let (env, ws) = (world.env(), world.ws);
        let code = |result: Result<overture_domain::campaigns::Campaign, Error>| result.map(|c| c.status.name().to_owned()).unwrap_or_else(|e| e.code().to_owned());
        let pause = async |actor: &Actor| code(campaigns::pause(env, ws, campaign, actor).await);
        let start = async || code(campaigns::start(env, ws, campaign, &Actor::Cli).await);
        let resume = async || code(campaigns::resume(env, ws, campaign, &Actor::Cli).await);
        assert_eq!(pause(&Actor::Cli).await, "invalid_status");
        assert_eq!(resume().await, "invalid_status");
        assert_eq!(start().await, "running");
        assert_eq!(start().await, "invalid_status");
        assert_eq!(pause(&Actor::Key(env.id())).await, "paused");
        let paused = campaigns::get(env, ws, campaign).await.unwrap().campaign;
        assert_eq!(paused.pauses, [Pause { reason: PauseReason::Api, detail: String::new(), since: MONDAY }]);
        assert_eq!(pause(&Actor::Cli).await, "invalid_status");
        assert_eq!(resume().await, "running");
        world.run_for(HOUR).await;
        assert_eq!(campaigns::get(env, ws, campaign).await.unwrap().campaign.status, CampaignStatus::Completed);
        assert_eq!(start().await, "invalid_status");
        assert_eq!(pause(&Actor::Cli).await, "invalid_status");
        // Enrolling more people into a completed campaign pauses it: nothing starts without a person.
        let more = world.write_prospects(&[world.prospect("more@d.test")]).await;
        world.enroll(campaign, &more).await;
        assert_eq!(campaigns::get(env, ws, campaign).await.unwrap().campaign.status, CampaignStatus::Paused);
        world.run_for(HOUR).await;
        assert_eq!(world.post.taken().len(), 1);
        assert_eq!(start().await, "running");
        world.run_for(HOUR).await;
        assert_eq!(world.post.taken().len(), 2);
        // WS-1
        let elsewhere = world.kit.workspace("Other").await;
        let error = campaigns::pause(env, elsewhere, campaign, &Actor::Cli).await.unwrap_err();
        assert_eq!(error.code(), "not_found");
    }

    // SAFE-1: a pause stops at once, and nothing catches up in a burst afterwards.
    async fn nothing_catches_up_after_a_pause(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(20).await;
        let campaign = world.running(&[&mailbox], &people).await;
        world.run_for(HOUR / 2).await;
        let before = world.post.taken().len();
        assert!((3..=6).contains(&before), "{before}");
        campaigns::pause(world.env(), world.ws, campaign, &Actor::Cli).await.unwrap();
        world.run_for(HOUR * 3).await;
        assert_eq!(world.post.taken().len(), before);
        let paused = world.enrollments(campaign).await;
        let waiting: Vec<_> = paused.iter().filter(|e| e.state.is_open()).collect();
        assert!(waiting.iter().all(|e| e.next_action_at.is_none_or(|at| at > world.env().now()) ));
        assert!(waiting.iter().any(|e| e.reason == "the campaign is paused"), "{waiting:?}");
        campaigns::resume(world.env(), world.ws, campaign, &Actor::Cli).await.unwrap();
        world.run_for(HOUR / 2).await;
        let after = world.post.taken().len() - before;
        assert!((3..=6).contains(&after), "{after}");
        world.run_for(HOUR * 4).await;
        all_are(&world, campaign, EnrollmentState::Completed).await;
    }

    // SEQ-11: the end date stops whoever is still on their way.
    async fn the_end_date_ends_a_campaign(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(20).await;
        let campaign = world.draft(&[&mailbox], &[("Hi", "Hi")]).await;
        let patch = CampaignPatch { end_at: Some(Some(MONDAY + HOUR)), ..CampaignPatch::default() };
        campaigns::update(world.env(), world.ws, campaign, &patch, &Actor::Cli).await.unwrap();
        world.enroll(campaign, &people).await;
        world.start(campaign).await;
        world.run_until(MONDAY + HOUR * 4).await;
        let sent = world.post.taken().len();
        assert!((8..=12).contains(&sent), "{sent}");
        assert_eq!(states(&world, campaign).await, format!("{sent} completed, {} stopped", 20 - sent));
        let stopped = world.enrollments(campaign).await;
        assert!(stopped.iter().filter(|e| e.state == EnrollmentState::Stopped).all(|e| e.reason == "end_date"));
        assert_eq!(campaigns::get(world.env(), world.ws, campaign).await.unwrap().campaign.status, CampaignStatus::Completed);
    }

    // SEQ-7
    async fn enrolling_counts_who_is_left_out(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let mut people: Vec<_> = ["a@d.test", "b@d.test", "c@d.test", "d@d.test"].iter().map(|email| world.prospect(email)).collect();
        people[1].status = ProspectStatus::DoNotContact;
        let ids = world.write_prospects(&people).await;
        suppressions::create(world.env(), world.ws, &Suppress::email("C@d.test", SuppressionSource::Manual, "asked")).await.unwrap();
        let (first, second) = (world.draft(&[&mailbox], &[("Hi", "Hi")]).await, world.draft(&[&mailbox], &[("Hi", "Hi")]).await);
        world.enroll(second, &ids[3..]).await;
        let who = Enroll { prospect_ids: ids.clone(), emails: vec!["A@D.test".into(), "nobody@d.test".into()], ..Enroll::default() };
        let enroll = async |who: &Enroll| campaigns::enroll(world.env(), world.ws, first, who, &Actor::Cli).await;
        let expected = Enrolled { enrolled: 1, suppressed: 2, already_enrolled: 0, active_elsewhere: 1, not_found: 1 };
        assert_eq!(enroll(&who).await.unwrap(), expected);
        assert_eq!(enroll(&who).await.unwrap(), Enrolled { already_enrolled: 3, active_elsewhere: 1, not_found: 1, ..Enrolled::default() });
        assert_eq!(states(&world, first).await, "1 queued, 2 suppressed");
        let again = Enroll { prospect_ids: vec![ids[0]], ..Enroll::default() };
        assert_eq!(enroll(&again).await.unwrap_err().code(), "conflict");
        assert_eq!(enroll(&Enroll::default()).await.unwrap_err().code(), "validation_error");
        let also = Enroll { prospect_ids: vec![ids[3]], also_active_elsewhere: true, ..Enroll::default() };
        assert_eq!(enroll(&also).await.unwrap().enrolled, 1);
        let list = Enroll { list_ids: vec![stranger()], ..Enroll::default() };
        assert_eq!(enroll(&list).await.unwrap_err().details()[0].field, "listIds[0]");
        assert_eq!(world.events(EventKind::EnrollmentCreated).await.len(), 5);

        world.start(first).await;
        world.run_for(HOUR).await;
        let mut asked = world.post.asked();
        asked.sort();
        assert_eq!(asked, ["a@d.test", "d@d.test"], "the suppressed are never sent to");
        let left = campaigns::unenroll(world.env(), world.ws, second, &ids[2..], &["nobody@d.test".into()]).await.unwrap();
        assert_eq!((left.unenrolled_count, left.total_processed), (1, 3));
    }

    // SEQ-1, API-4: a running campaign takes only what is live-editable, and all or nothing.
    async fn a_running_campaign_is_edited_live(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(3).await;
        let campaign = world.running(&[&mailbox], &people).await;
        let update = async |patch: CampaignPatch| campaigns::update(world.env(), world.ws, campaign, &patch, &Actor::Cli).await;
        let fixed = CampaignPatch { name: Some("New".into()), daily_send_limit: Some(7), time_zone: Some("UTC".into()), ..CampaignPatch::default() };
        let error = update(fixed).await.unwrap_err();
        assert_eq!(error.code(), "invalid_status");
        let fields: Vec<_> = error.details().iter().map(|detail| detail.field.as_str()).collect();
        assert_eq!(fields, ["name", "timezone"]);
        let before = campaigns::get(world.env(), world.ws, campaign).await.unwrap();
        assert_eq!(before.campaign.daily_send_limit, 100, "nothing was applied");

        let second = world.mailbox("bob@sender.test").await;
        let text = StepIn { id: Some(before.steps[0].id), subject: "New".into(), body_html: "New".into(), ..StepIn::default() };
        let live = CampaignPatch {
            daily_send_limit: Some(7), mailbox_ids: Some(vec![mailbox.id, second.id]),
            end_at: Some(Some(MONDAY + DAY)), steps: Some(vec![text.clone()]), ..CampaignPatch::default()
        };
        let after = update(live).await.unwrap();
        assert_eq!((after.campaign.daily_send_limit, after.pool.len(), after.steps[0].subject.as_str()), (7, 2, "New"));
        assert_eq!(after.steps[0].id, before.steps[0].id);
        let structure = CampaignPatch { steps: Some(vec![text.clone(), StepIn { id: None, ..text }]), ..CampaignPatch::default() };
        assert_eq!(update(structure).await.unwrap_err().details()[0].field, "steps");
        world.run_for(HOUR).await;
        assert!(world.post.taken().iter().all(|mail| String::from_utf8_lossy(&mail.bytes).contains("Subject: New")));
    }

    // ROT-2: the days of a forecast are the days on which the mails go out.
    async fn a_forecast_comes_true(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let (env, ws) = (world.env(), world.ws);
        let mailboxes = [world.mailbox("ada@sender.test").await, world.mailbox("bob@sender.test").await];
        let mailboxes: Vec<&_> = mailboxes.iter().collect();
        let people: Vec<_> = (0..150).map(|n| world.prospect(&format!("p{n}@d{}.test", n % 5))).collect();
        let people = world.write_prospects(&people).await;
        let campaign = world.draft(&mailboxes, &[("Hi", "Hi"), ("Again", "Again")]).await;
        assert_eq!(sends::forecast(env, ws, campaign).await.unwrap(), Forecast::default());
        world.enroll(campaign, &people).await;
        let before = sends::forecast(env, ws, campaign).await.unwrap();
        world.start(campaign).await;
        world.run_until(MONDAY + DAY / 8).await;
        // What is gone today counts (ROT-2).
        let under_way = sends::forecast(env, ws, campaign).await.unwrap();
        let gone = world.post.taken().len() as i64;
        assert!((20..80).contains(&gone), "{gone}");
        world.run_until(MONDAY + DAY * 14).await;
        let mut days = std::collections::BTreeMap::new();
        for sent in world.events(EventKind::EmailSent).await {
            *days.entry(sent.occurred_at.to_string()[..10].to_owned()).or_insert(0) += 1;
        }
        let told = |found: &Forecast| -> std::collections::BTreeMap<_, _> {
            found.days.iter().filter(|day| day.sends > 0).map(|day| (day.date.to_string(), day.sends)).collect()
        };
        let about = |told: &std::collections::BTreeMap<String, i64>| {
            let near = |(day, n): (&String, &i64)| (n - days.get(day).copied().unwrap_or(0)).abs() <= 5;
            assert!(told.keys().eq(days.keys()) && told.iter().all(near), "{told:?} {days:?}");
        };
        about(&told(&before));
        assert_eq!(before.finishes_on().map(|day| day.to_string()).as_ref(), days.keys().next_back());
        let mut rest = told(&under_way);
        *rest.get_mut("2026-03-02").unwrap() += gone;
        about(&rest);
        let over = sends::forecast(env, ws, campaign).await.unwrap_err();
        assert_eq!(over.code(), "invalid_status");
    }
}
