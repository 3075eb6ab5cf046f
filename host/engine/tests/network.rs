//! A second channel through the same engine, on both databases: a network provider as a real
//! plugin, in its sandbox, on a clock that the test turns (DESIGN §1).
#![expect(clippy::unwrap_used, reason = "a test's helpers panic like the test")]

use std::{path::Path, time::Duration};

use overture_domain::{
    CampaignId, ProspectId, Timestamp,
    accounts::{Account, AccountStatus, Channel},
    campaigns::{CampaignStatus, PauseReason, StepKind},
    caps::Cap,
    enrollments::{ActionState, Enrollment, EnrollmentState},
    events::EventKind,
    messages::{Attribution, Direction},
    people::Actor,
    prospects::Prospect,
};
use overture_engine::{
    Due, Part,
    campaigns::{self, CampaignIn, StepIn},
    inbox,
    networks::{self, NewNetworkAccount},
    plugins::{Backing, Registry, Settings},
    sends,
};
use overture_store::{
    accounts, actions, caps::heal, messages, on_both, plugins as kept, testing::TestDatabase,
};
use overture_testkit::Outreach;
use serde_json::json;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

const PLUGIN: &str = "guest-network";

/// A plugin as `cargo xtask plugins` leaves it.
fn plugin(folder: &str, name: &str) -> Vec<u8> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let file = target.join(folder).join(format!("{name}.wasm"));
    std::fs::read(&file)
        .unwrap_or_else(|e| panic!("{}: {e}; run `cargo xtask plugins`", file.display()))
}

/// A workspace whose people are on the network of the plugin.
struct Network {
    outreach: Outreach,
    account: Account,
}

impl Network {
    async fn new(database: TestDatabase) -> Self {
        let mut outreach = Outreach::new(database).await;
        let env = &mut outreach.kit.env;
        let backing = Backing {
            db: env.db.clone(),
            clock: env.clock.clone(),
            rng: env.rng.clone(),
            vault: env.vault.clone(),
            http: env.http.clone(),
        };
        let files = [
            plugin("guests", "network"),
            plugin("plugins", "classifier-rules"),
        ];
        let registry = Registry::open(backing, Settings::default(), files.to_vec())
            .await
            .unwrap();
        env.networks = std::sync::Arc::new(registry.clone());
        env.classifiers = std::sync::Arc::new(registry);
        let account = Self::account(&outreach, "ada").await;
        Self { outreach, account }
    }

    async fn account(outreach: &Outreach, name: &str) -> Account {
        let new = NewNetworkAccount {
            channel: Channel::Linkedin,
            provider: PLUGIN.to_owned(),
            address: format!("member-{name}"),
            sender_name: "Ada Example".to_owned(),
            settings: json!({}),
        };
        networks::connect(outreach.env(), outreach.ws, new, &Actor::Cli)
            .await
            .unwrap()
    }

    /// A running campaign: invite, wait, message.
    async fn running(&self, names: &[&str]) -> CampaignId {
        let steps = [
            (
                StepKind::SendInvite,
                Some("Hi {{ firstName }}, shall we connect?"),
            ),
            (StepKind::WaitAccept, None),
            (
                StepKind::SendMessage,
                Some("Thanks, {{ firstName }}! How is {{ company }}?"),
            ),
        ];
        let step = |(kind, text): &(StepKind, Option<&str>)| StepIn {
            kind: Some(*kind),
            body_text: text.map(str::to_owned),
            ..StepIn::default()
        };
        let given = CampaignIn {
            name: "Network".to_owned(),
            steps: steps.iter().map(step).collect(),
            mailbox_ids: vec![self.account.id],
            windows: Some(vec![overture_domain::campaigns::Window {
                days: (0..7).collect(),
                start: 0,
                end: 0,
            }]),
            ..CampaignIn::default()
        };
        let campaign = self.outreach.create(&given).await;
        let people = self.people(names).await;
        self.outreach.enroll(campaign, &people).await;
        self.outreach.start(campaign).await;
        campaign
    }

    async fn people(&self, names: &[&str]) -> Vec<ProspectId> {
        let person = |name: &&str| Prospect {
            linkedin_url: format!("https://network.example.com/in/{name}"),
            ..self.outreach.prospect(&format!("{name}@example.net"))
        };
        let people: Vec<_> = names.iter().map(person).collect();
        self.outreach.write_prospects(&people).await
    }

    /// Turns the clock on: steps go out, and the account is read.
    async fn run_for(&self, length: Duration) {
        let (env, end) = (self.outreach.env(), self.outreach.env().now() + length);
        loop {
            let next = self.settle().await.filter(|next| *next <= end);
            self.outreach.kit.clock.advance_to(next.unwrap_or(end));
            if next.is_none() {
                self.settle().await;
                assert_eq!(env.now(), end);
                return;
            }
        }
    }

    async fn settle(&self) -> Option<Timestamp> {
        let env = self.outreach.env();
        loop {
            let woken = || [Part::Sends, Part::Inboxes].map(|part| env.wakes.count(part));
            let before = woken();
            let due = inbox::tick(env).await.unwrap();
            env.under_way.settled().await;
            let sends = self.outreach.settle().await;
            if woken() != before {
                continue;
            }
            let inboxes = match due {
                Due::Now => continue,
                Due::WhenWoken => None,
                Due::At(at) => Some(at),
            };
            return sends.into_iter().chain(inboxes).min();
        }
    }

    async fn only(&self, campaign: CampaignId) -> Enrollment {
        let mut all = self.outreach.enrollments(campaign).await;
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    /// How often the plugin was asked to act, by what it has noted itself.
    async fn calls(&self, what: &str, name: &str) -> String {
        let key = format!("calls/{what}/member-{name}");
        let on = &mut self.outreach.env().db.reader();
        let value = kept::value(on, self.outreach.ws, PLUGIN, &key)
            .await
            .unwrap();
        value.map_or_else(|| "0".to_owned(), |bytes| String::from_utf8(bytes).unwrap())
    }

    async fn told(&self, kind: EventKind) -> usize {
        self.outreach.events(kind).await.len()
    }
}

on_both! {
    // DESIGN §1, SEQ-3, LI-10: invite, wait, message, and a reply stops.
    async fn a_sequence_runs_on_a_network(test: TestDatabase) {
        let net = Network::new(test).await;
        let campaign = net.running(&["friendly-grace"]).await;

        net.run_for(HOUR).await;
        assert_eq!(net.calls("invite", "friendly-grace").await, "1");
        let waiting = net.only(campaign).await;
        assert_eq!((waiting.state, waiting.step_index), (EnrollmentState::Waiting, 1));
        assert!(waiting.reason.contains("until the invitation is accepted"), "{}", waiting.reason);
        assert_eq!(net.told(EventKind::LinkedinInviteSent).await, 1);
        assert_eq!(net.told(EventKind::LinkedinInviteAccepted).await, 0);

        // She accepts two hours after the invitation; a day later the message goes out.
        net.run_for(HOUR * 2).await;
        let accepted = net.only(campaign).await;
        assert_eq!((accepted.state, accepted.step_index), (EnrollmentState::Active, 2));
        assert_eq!(net.told(EventKind::LinkedinInviteAccepted).await, 1);
        assert_eq!(net.calls("message", "friendly-grace").await, "0");
        net.run_for(DAY).await;
        assert_eq!(net.calls("message", "friendly-grace").await, "1");
        assert_eq!(net.told(EventKind::LinkedinMessageSent).await, 1);

        net.run_for(HOUR * 2).await;
        let replied = net.only(campaign).await;
        assert_eq!(replied.state, EnrollmentState::Replied, "{}", replied.reason);
        assert_eq!(net.told(EventKind::LinkedinReplyReceived).await, 1);
        assert_eq!(net.told(EventKind::ReplyReceived).await, 0);
        let on = &mut net.outreach.env().db.reader();
        let all = messages::list_by_enrollment(on, net.outreach.ws, replied.id).await.unwrap();
        let told: Vec<_> = all.iter().map(|m| (m.direction, m.channel, m.text.as_str())).collect();
        assert_eq!(told, [
            (Direction::Out, Channel::Linkedin, "Hi Zoë, shall we connect?"),
            (Direction::Out, Channel::Linkedin, "Thanks, Zoë! How is Example & Sons?"),
            (Direction::In, Channel::Linkedin, "Sounds interesting, tell me more."),
        ]);
        assert_eq!(all[2].attribution, Some(Attribution::Profile));
        assert_eq!(all[2].label_by.as_deref(), Some("classifier-rules"));
        assert_eq!(messages::find_mail(on, all[0].id).await.unwrap(), None);
    }

    // SEQ-2, LI-17: a wait has an end, and an acceptance after it starts nothing.
    async fn who_never_accepts_is_waited_for_and_let_go(test: TestDatabase) {
        let net = Network::new(test).await;
        let campaign = net.running(&["silent-linus"]).await;
        net.run_for(DAY * 13).await;
        assert_eq!(net.only(campaign).await.state, EnrollmentState::Waiting);
        net.run_for(DAY * 2).await;
        let over = net.only(campaign).await;
        assert_eq!(over.state, EnrollmentState::Stopped);
        assert!(over.reason.contains("not accepted"), "{}", over.reason);
        assert_eq!(net.calls("message", "silent-linus").await, "0");
    }

    // PR-1, SAFE-2: whoever has no address is met on the network; the mail waits for the address.
    async fn who_has_no_address_is_met_all_the_same(test: TestDatabase) {
        let net = Network::new(test).await;
        let (env, ws, world) = (net.outreach.env(), net.outreach.ws, &net.outreach);
        let mailbox = world.mailbox("ada@sender.test").await;
        let step = |kind, text: Option<&str>| StepIn {
            kind: Some(kind),
            subject: if kind == StepKind::Email { "Hi".into() } else { String::new() },
            body_html: if kind == StepKind::Email { "Hello".into() } else { String::new() },
            body_text: text.map(str::to_owned),
            ..StepIn::default()
        };
        let given = CampaignIn {
            name: "Both".to_owned(),
            steps: vec![
                step(StepKind::SendInvite, Some("Hi {{ email | default: 'there' }}")),
                step(StepKind::Email, None),
            ],
            mailbox_ids: vec![net.account.id, mailbox.id],
            stop_on_company_reply: Some(true),
            windows: Some(vec![overture_domain::campaigns::Window { days: (0..7).collect(), start: 0, end: 0 }]),
            ..CampaignIn::default()
        };
        let campaign = world.create(&given).await;
        let person = |name: &str| Prospect {
            linkedin_url: format!("https://network.example.com/in/{name}"),
            ..world.prospect(&format!("li.{name}@noemail.invalid"))
        };
        let people = world.write_prospects(&[person("quiet-rosa"), person("quiet-omar")]).await;
        world.enroll(campaign, &people).await;
        world.start(campaign).await;

        net.run_for(DAY * 2).await;
        assert_eq!(net.calls("invite", "quiet-rosa").await, "1");
        let of = async |who| world.enrollments(campaign).await.into_iter().find(|one| one.prospect_id == who).unwrap();
        let parked = of(people[0]).await;
        assert_eq!((parked.state, parked.step_index), (EnrollmentState::InvalidProspect, 1));
        assert_eq!(parked.reason, "no mail can reach this person: the address is not known");
        let on = &mut env.db.reader();
        let sent = messages::list_by_enrollment(on, ws, parked.id).await.unwrap();
        assert_eq!(sent[0].text, "Hi there");
        assert!(world.post.asked().is_empty());
        let why = sends::why(env, ws, sends::About::Enrollment(parked.id)).await.unwrap();
        assert_eq!((why.code.as_str(), why.next_at), ("invalid_prospect", None));
        assert!(why.change.as_deref().unwrap().contains("give the prospect an address"), "{why:?}");

        let fields = overture_engine::prospects::Fields { email: Some("rosa@d.test".into()), ..Default::default() };
        overture_engine::prospects::update(env, ws, people[0], fields).await.unwrap();
        net.run_for(DAY).await;
        assert_eq!(world.post.asked(), ["rosa@d.test"]);
        let states = (of(people[0]).await.state, of(people[1]).await.state);
        assert_eq!(states, (EnrollmentState::Completed, EnrollmentState::InvalidProspect));
    }

    // SEQ-3, PR-1: people without an address are not of one company.
    async fn a_reply_stops_nobody_else_without_an_address(test: TestDatabase) {
        let net = Network::new(test).await;
        let campaign = net.running(&["friendly-grace", "quiet-rosa"]).await;
        let database = &net.outreach.kit.database;
        database.execute_raw("UPDATE prospects SET email = 'li.' || id || '@noemail.invalid', email_key = 'li.' || id || '@noemail.invalid'").await.unwrap();
        database.execute_raw("UPDATE campaigns SET stop_on_company_reply = TRUE").await.unwrap();
        net.run_for(DAY * 2).await;
        let mut states: Vec<_> = net.outreach.enrollments(campaign).await.iter().map(|one| one.state).collect();
        states.sort();
        assert_eq!(states, [EnrollmentState::Replied, EnrollmentState::Completed]);
    }

    // LI-8: the account rests as long as the service asks for, and the step goes out once.
    async fn a_limit_of_the_network_defers(test: TestDatabase) {
        let net = Network::new(test).await;
        let campaign = net.running(&["busy-mara"]).await;
        net.run_for(HOUR).await;
        let deferred = net.only(campaign).await;
        assert_eq!((deferred.state, deferred.step_index), (EnrollmentState::Active, 0));
        assert!(deferred.reason.contains("asks for patience"), "{}", deferred.reason);
        assert_eq!(net.told(EventKind::LinkedinDeferred).await, 1);
        net.run_for(HOUR * 4).await;
        assert_eq!(net.calls("invite", "busy-mara").await, "1");
        net.run_for(HOUR * 2).await;
        assert_eq!(net.calls("invite", "busy-mara").await, "2");
        assert_eq!(net.only(campaign).await.state, EnrollmentState::Waiting);
    }

    // SAFE-3: nobody knows, so it is never repeated; an acceptance proves that it went out.
    async fn an_unclear_answer_is_ambiguous(test: TestDatabase) {
        let net = Network::new(test).await;
        let campaign = net.running(&["unclear-noor"]).await;
        net.run_for(HOUR).await;
        let unclear = net.only(campaign).await;
        assert_eq!(unclear.state, EnrollmentState::AmbiguousSend, "{}", unclear.reason);
        assert_eq!(net.told(EventKind::LinkedinInviteSent).await, 0);
        let on = &mut net.outreach.env().db.reader();
        let all = actions::list_by_enrollments(on, net.outreach.ws, &[unclear.id]).await.unwrap();
        assert_eq!(all[0].state, ActionState::Ambiguous);

        net.run_for(HOUR * 2).await;
        let proven = net.only(campaign).await;
        assert_eq!((proven.state, proven.step_index), (EnrollmentState::Active, 2));
        assert_eq!(net.told(EventKind::LinkedinInviteSent).await, 1);
        net.run_for(DAY * 2).await;
        assert_eq!(net.calls("invite", "unclear-noor").await, "1");
        assert_eq!(net.calls("message", "unclear-noor").await, "1");
    }

    // LI-19: there is nobody to invite, so nothing counts and the sequence goes on.
    async fn who_is_connected_already_is_not_invited(test: TestDatabase) {
        let net = Network::new(test).await;
        let campaign = net.running(&["known-omar"]).await;
        net.run_for(HOUR).await;
        let accepted = net.only(campaign).await;
        assert_eq!((accepted.state, accepted.step_index), (EnrollmentState::Active, 2));
        let told = net.outreach.events(EventKind::LinkedinInviteAccepted).await;
        assert_eq!(told[0].data["source"], "already_connected");
        assert_eq!(net.told(EventKind::LinkedinInviteSent).await, 0);
        net.run_for(DAY * 2).await;
        assert_eq!(net.calls("message", "known-omar").await, "1");
        assert_eq!(net.only(campaign).await.state, EnrollmentState::Completed);
    }

    // LI-9, SAFE-2: looked for three times, then shown as what it is.
    async fn a_profile_that_nobody_finds_is_parked(test: TestDatabase) {
        let net = Network::new(test).await;
        let campaign = net.running(&["shy-pia"]).await;
        net.run_for(DAY * 4).await;
        let parked = net.only(campaign).await;
        assert_eq!(parked.state, EnrollmentState::InvalidProspect, "{}", parked.reason);
        assert_eq!(net.calls("invite", "shy-pia").await, "0");

        // Another profile, and it goes on.
        let url = "https://www.linkedin.com/in/quiet-pia".to_owned();
        let fields = overture_engine::prospects::Fields { linkedin_url: Some(url), ..Default::default() };
        overture_engine::prospects::update(net.outreach.env(), net.outreach.ws, parked.prospect_id, fields).await.unwrap();
        net.run_for(HOUR * 2).await;
        assert_eq!(net.calls("invite", "quiet-pia").await, "1");
    }

    // LI-5, CAP-2, SAFE-5: each kind has its own daily cap, and its counter is what happened.
    async fn invitations_have_a_daily_cap(test: TestDatabase) {
        let net = Network::new(test).await;
        let names: Vec<String> = (0..13).map(|n| format!("quiet-p{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let campaign = net.running(&names).await;
        let limit = usize::try_from(Cap::InvitesDaily.rule().1.unwrap()).unwrap();
        // Until midnight in UTC.
        net.run_for(HOUR * 15 - Duration::from_secs(1)).await;
        assert_eq!(net.told(EventKind::LinkedinInviteSent).await, limit);
        let why = sends::why(net.outreach.env(), net.outreach.ws, sends::About::Campaign(campaign));
        assert_eq!(why.await.unwrap().code, "cap_invites_daily");
        net.run_for(DAY).await;
        assert_eq!(net.told(EventKind::LinkedinInviteSent).await, names.len());
        let env = net.outreach.env();
        let counters = async || {
            let daily: Vec<Cap> = Cap::ALL.iter().copied().filter(|cap| cap.is_daily()).collect();
            heal::list(&mut env.db.reader(), net.outreach.ws, &daily).await.unwrap()
        };
        let before = counters().await;
        let of_kind = before.iter().find(|counter| counter.cap == Cap::InvitesDaily).unwrap();
        assert_eq!(of_kind.used, 10);
        overture_engine::counters::tick(env).await.unwrap();
        assert_eq!(counters().await, before);
    }

    // LI-2, LI-12: a restricted account keeps its people in their places until it is back.
    async fn a_restricted_account_holds_its_people(test: TestDatabase) {
        let net = Network::new(test).await;
        let (ws, env) = (net.outreach.ws, net.outreach.env());
        let status = async || {
            let found = accounts::find(&mut env.db.reader(), ws, net.account.id).await.unwrap();
            found.unwrap().status
        };
        let mut tx = env.db.begin().await.unwrap();
        kept::set_value(&mut tx, ws, PLUGIN, "status", b"unusual activity", 1_000).await.unwrap();
        tx.commit().await.unwrap();
        let campaign = net.running(&["quiet-rosa"]).await;
        net.run_for(HOUR).await;
        let held = net.only(campaign).await;
        assert_eq!(held.state, EnrollmentState::PausedAccount, "{}", held.reason);
        assert!(held.reason.contains("unusual activity"), "{}", held.reason);
        assert_eq!(status().await, AccountStatus::Restricted);
        assert_eq!(net.calls("invite", "quiet-rosa").await, "0");

        let mut tx = env.db.begin().await.unwrap();
        kept::delete_value(&mut tx, ws, PLUGIN, "status").await.unwrap();
        tx.commit().await.unwrap();
        net.run_for(HOUR * 2).await;
        assert_eq!(status().await, AccountStatus::Connected);
        assert_eq!(net.calls("invite", "quiet-rosa").await, "1");
        assert_eq!(net.only(campaign).await.state, EnrollmentState::Waiting);
    }

    // SEQ-10, LI-2: a campaign without a connected account waits for one, and for the person who
    // paused it as well; it runs when nothing holds it any more.
    async fn several_reasons_hold_a_campaign(test: TestDatabase) {
        let net = Network::new(test).await;
        let (ws, env) = (net.outreach.ws, net.outreach.env());
        let campaign = net.running(&["quiet-rosa"]).await;
        let found = async || campaigns::get(env, ws, campaign).await.unwrap().campaign;
        let reasons = async || found().await.pauses.iter().map(|pause| pause.reason).collect::<Vec<_>>();
        let sign = async |words: Option<&[u8]>| {
            let mut tx = env.db.begin().await.unwrap();
            if let Some(words) = words {
                kept::set_value(&mut tx, ws, PLUGIN, "signed_out", words, 1_000).await.unwrap();
            } else {
                kept::delete_value(&mut tx, ws, PLUGIN, "signed_out").await.unwrap();
            }
            tx.commit().await.unwrap();
            net.run_for(HOUR * 2).await;
        };

        sign(Some(b"the session has ended")).await;
        let held = found().await;
        assert_eq!(held.status, CampaignStatus::Paused);
        assert_eq!(reasons().await, [PauseReason::LinkedinAccountDisconnected]);
        assert_eq!(held.pauses[0].outlook(), "Will resume by itself when one of its LinkedIn accounts is connected");
        let why = sends::why(env, ws, sends::About::Campaign(campaign)).await.unwrap();
        assert!(why.reason.contains("the session has ended"), "{}", why.reason);
        let refused = campaigns::resume(env, ws, campaign, &Actor::Cli).await.unwrap_err();
        assert_eq!(refused.code(), "invalid_status");
        assert!(refused.to_string().contains("linkedin_account_disconnected (the session has ended)"), "{refused}");
        sign(None).await;
        assert_eq!((found().await.status, reasons().await), (CampaignStatus::Running, Vec::new()));

        campaigns::pause(env, ws, campaign, &Actor::Cli).await.unwrap();
        sign(Some(b"the session has ended")).await;
        let both = [PauseReason::Manual, PauseReason::LinkedinAccountDisconnected];
        assert_eq!(reasons().await, both);
        sign(None).await;
        assert_eq!((found().await.status, reasons().await), (CampaignStatus::Paused, vec![PauseReason::Manual]));
        campaigns::resume(env, ws, campaign, &Actor::Cli).await.unwrap();
        assert_eq!(found().await.status, CampaignStatus::Running);
        net.run_for(DAY).await;
        assert_eq!(net.calls("invite", "quiet-rosa").await, "1");
    }
}
