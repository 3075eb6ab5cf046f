//! What an admin must see to is found where it shows (OPS-7).

use std::sync::{Arc, Mutex};

use overture_domain::{
    alerts::{Alert, AlertCode, Severity},
    people::Actor,
};
use overture_engine::{PluginHealth, alerts, mailboxes};
use overture_plugin_host::{
    Problem, Quarantine,
    capabilities::mailbox::{Failure, Reply, Stage},
};
use overture_store::{alerts as store, on_both};
use overture_testkit::{MONDAY, Outreach, outreach::Fate};

use super::monday;

/// Plugins as the test says.
#[derive(Default)]
struct Health(Mutex<Vec<Quarantine>>);

impl PluginHealth for Health {
    fn failing(&self) -> Vec<Quarantine> {
        self.0.lock().unwrap().clone()
    }
}

async fn look(world: &Outreach) -> Vec<Alert> {
    alerts::tick(world.env()).await.unwrap();
    store::list_open(&mut world.env().db.reader())
        .await
        .unwrap()
}

on_both! {
    // PLG-3, OPS-7
    async fn a_plugin_that_keeps_failing_is_told_until_it_works(test: TestDatabase) {
        let mut world = Outreach::new(test).await;
        let health = Arc::new(Health::default());
        world.kit.env.health = health.clone();
        assert_eq!(look(&world).await, []);
        health.0.lock().unwrap().push(Quarantine {
            plugin: "format-slack".into(),
            workspace: world.ws,
            until: MONDAY,
            failures: 5,
            last: "out of memory".into(),
        });
        let open = look(&world).await;
        assert_eq!(open.len(), 1);
        assert_eq!((open[0].code, open[0].severity, open[0].count), (AlertCode::PluginFailing, Severity::Critical, 5));
        assert_eq!(open[0].message, "format-slack failed 5 times in a row; the last: out of memory");
        assert_eq!(open[0].workspace_id, Some(world.ws));
        assert_eq!(look(&world).await[0].id, open[0].id, "the same one");
        health.0.lock().unwrap().clear();
        assert_eq!(look(&world).await, []);
    }

    // MB-3, OPS-7: a person must connect it again; then the alert goes by itself.
    async fn a_mailbox_that_is_disconnected_is_told(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let bob = world.mailbox("bob@sender.test").await;
        assert_eq!(look(&world).await, []);
        let refused = Problem::Auth(Failure {
            stage: Stage::Auth, code: "auth_invalid".into(), detail: "no".into(),
            reply: Some(Reply { code: Some(535), enhanced: Some("5.7.8".into()), text: "bad credentials".into() }),
        });
        world.post.next("p0@d0.test", [Fate::Refused(refused)]);
        let people = world.prospects(1).await;
        world.running(&[&mailbox], &people).await;
        world.run_until(monday(10, 0)).await;
        let open = look(&world).await;
        assert_eq!(open.len(), 1);
        assert_eq!((open[0].code, &open[0].subject), (AlertCode::MailboxDisconnected, &mailbox.id.to_string()));
        assert!(open[0].message.contains("ada@sender.test is disconnected: ") && open[0].message.contains("535 5.7.8"), "{}", open[0].message);
        mailboxes::delete(world.env(), world.ws, mailbox.id, &Actor::Cli).await.unwrap();
        assert_eq!(look(&world).await, []);
        // A person knows what they did.
        mailboxes::status::disconnect(world.env(), world.ws, bob.id, &Actor::Cli).await.unwrap();
        assert_eq!(look(&world).await, []);
    }
}
