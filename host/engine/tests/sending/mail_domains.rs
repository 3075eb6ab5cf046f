//! Domains that take no mail, told by a DNS server that the test runs (PR-7).

use overture_domain::{
    ProspectId,
    enrollments::EnrollmentState,
    events::EventKind,
    prospects::{Prospect, ProspectStatus},
};
use overture_egress::Resolver;
use overture_engine::{Config, Due, Part, imports, parts};
use overture_store::prospects;
use overture_testkit::{
    Outreach, TestDatabase,
    dns::{Answer, DnsServer},
    on_both,
};

use crate::{DAY, HOUR};

/// A workspace that asks a DNS server in which some domains take no mail.
async fn world(test: TestDatabase) -> (Outreach, DnsServer) {
    let mut world = Outreach::new(test).await;
    let dns = DnsServer::start().await.unwrap();
    dns.set(
        "served.test",
        Answer::MailServers(vec!["mx.other.test.".into()]),
    );
    dns.set("null.test", Answer::MailServers(vec![".".into()]));
    dns.set("gone.test", Answer::NoSuchName);
    dns.set("broken.test", Answer::Failure);
    world.kit.env.resolver = Resolver::new(&[dns.address()]).unwrap();
    (world, dns)
}

/// Looks as often as it wants to be called at once; when it wants to be called next.
async fn look(world: &Outreach) -> Due {
    loop {
        match parts::tick(world.env(), Part::MailDomains).await.unwrap() {
            Due::Now => {}
            due => return due,
        }
    }
}

async fn people(world: &Outreach, emails: &[&str]) -> Vec<ProspectId> {
    let people: Vec<Prospect> = emails.iter().map(|email| world.prospect(email)).collect();
    world.write_prospects(&people).await
}

async fn person(world: &Outreach, email: &str) -> Prospect {
    let found =
        prospects::list_by_emails(&mut world.env().db.reader(), world.ws, &[email.to_owned()])
            .await
            .unwrap();
    found.into_iter().next().unwrap()
}

async fn status(world: &Outreach, email: &str) -> (ProspectStatus, String) {
    let person = person(world, email).await;
    (person.status, person.status_reason)
}

fn active() -> (ProspectStatus, String) {
    (ProspectStatus::Active, String::new())
}

fn unreachable() -> (ProspectStatus, String) {
    (ProspectStatus::Invalid, "no_mx".to_owned())
}

on_both! {
    // PR-7, SEQ-5, SAFE-2: who can't be reached by mail is parked with the reason, and goes on when
    // the domain takes mail again.
    async fn people_at_a_domain_without_mail_wait(test: TestDatabase) {
        let (world, dns) = world(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let emails = ["a@served.test", "b@plain.test", "c@gone.test", "d@GONE.test", "e@null.test", "f@broken.test"];
        let ids = people(&world, &emails).await;
        let campaign = world.running(&[&mailbox], &ids).await;
        assert_eq!(look(&world).await, Due::At(world.env().now() + HOUR), "the broken one is looked at again");
        for email in ["a@served.test", "b@plain.test", "f@broken.test"] {
            assert_eq!(status(&world, email).await, active(), "{email}");
        }
        for email in ["c@gone.test", "d@gone.test", "e@null.test"] {
            assert_eq!(status(&world, email).await, unreachable(), "{email}");
        }
        let words = person(&world, "c@gone.test").await.status_words().unwrap();
        assert!(words.starts_with("no mail can reach gone.test: the DNS names no mail server"), "{words}");
        let parked = &world.enrollments(campaign).await[2];
        assert_eq!((parked.state, &parked.reason), (EnrollmentState::InvalidProspect, &words));
        let told = world.events(EventKind::ProspectStatusChanged).await;
        assert_eq!(told.len(), 3);
        assert_eq!(told[0].data["statusReason"], "no_mx");
        assert_eq!(world.events(EventKind::EnrollmentParked).await.len(), 3);
        for domain in ["served.test", "gone.test", "null.test"] {
            assert_eq!(dns.asked_for_mail(domain), 1, "once a domain: {domain}");
        }

        world.run_for(HOUR).await;
        let mut asked = world.post.asked();
        asked.sort();
        assert_eq!(asked, ["a@served.test", "b@plain.test", "f@broken.test"]);

        // Mended: the week is not over, then it is.
        dns.set("gone.test", Answer::MailServers(vec!["mx.other.test.".into()]));
        dns.set("broken.test", Answer::NoSuchName);
        look(&world).await;
        assert_eq!(status(&world, "f@broken.test").await, unreachable(), "now it is known");
        assert_eq!(status(&world, "c@gone.test").await, unreachable());
        world.kit.clock.advance(DAY * 7);
        look(&world).await;
        for email in ["c@gone.test", "d@gone.test"] {
            assert_eq!(status(&world, email).await, active(), "{email}");
        }
        assert_eq!(status(&world, "e@null.test").await, unreachable());
        assert_eq!(world.events(EventKind::EnrollmentResumed).await.len(), 2);
        world.run_for(DAY * 3).await;
        let mut asked = world.post.asked();
        asked.sort();
        assert_eq!(asked[2..4], ["c@gone.test", "d@GONE.test"]);
        assert_eq!(asked.len(), 5);
    }

    // PR-7: who comes to a domain that is known needs no look at the DNS; who enters a campaign
    // then enters it suppressed (SEQ-7); and what a person has said stays.
    async fn who_comes_later_and_who_is_held_for_another_reason(test: TestDatabase) {
        let (world, dns) = world(test).await;
        let env = world.env();
        let first = people(&world, &["a@gone.test", "b@gone.test"]).await;
        let mut tx = env.db.begin().await.unwrap();
        prospects::set_status(&mut tx, world.ws, &first[1..], ProspectStatus::DoNotContact, env.now()).await.unwrap();
        tx.commit().await.unwrap();
        look(&world).await;
        let file = std::io::Cursor::new("email,first name,company\nc@gone.test,Cy,Example\nd@served.test,Dee,Example\n");
        imports::create(env, world.ws, &imports::Options::default(), file).await.unwrap();
        assert_eq!(status(&world, "c@gone.test").await, active(), "an import waits for no DNS");
        look(&world).await;
        assert_eq!(status(&world, "c@gone.test").await, unreachable());
        assert_eq!(status(&world, "b@gone.test").await, (ProspectStatus::DoNotContact, String::new()));
        assert_eq!(dns.asked_for_mail("gone.test"), 1);

        let mailbox = world.mailbox("ada@sender.test").await;
        let campaign = world.running(&[&mailbox], &[first[0], person(&world, "d@served.test").await.id]).await;
        let entered = world.enrollments(campaign).await;
        assert_eq!((entered[0].state, entered[1].state), (EnrollmentState::Suppressed, EnrollmentState::Queued));
        world.run_for(HOUR).await;
        assert_eq!(world.post.asked(), ["d@served.test"]);
    }

    // PR-7: a DNS that gives no answer is asked less and less often, and marks nobody.
    async fn a_dns_that_fails_says_nothing(test: TestDatabase) {
        let (world, dns) = world(test).await;
        people(&world, &["a@broken.test"]).await;
        for hours in [1, 2, 4, 8, 16, 24, 24] {
            let next = world.env().now() + HOUR * hours;
            assert_eq!(look(&world).await, Due::At(next));
            assert_eq!(status(&world, "a@broken.test").await, active());
            world.kit.clock.advance_to(next);
        }
        dns.set("broken.test", Answer::MailServers(vec!["mx.other.test.".into()]));
        assert_eq!(look(&world).await, Due::At(world.env().now() + DAY * 30));
    }

    // `mail.check_routing = false`
    async fn nothing_is_asked_where_it_is_off(test: TestDatabase) {
        let (mut world, dns) = world(test).await;
        world.kit.env.config = std::sync::Arc::new(Config { check_routing: false, ..Config::default() });
        people(&world, &["a@gone.test"]).await;
        assert_eq!(look(&world).await, Due::WhenWoken);
        assert_eq!((status(&world, "a@gone.test").await, dns.asked_for_mail("gone.test")), (active(), 0));
    }
}
