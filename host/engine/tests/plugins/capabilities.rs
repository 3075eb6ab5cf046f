//! PLG-2: what a plugin gets of what it asks for, with the real database, egress and chance.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use async_trait::async_trait;
use axum::{Router, http::HeaderMap};
use overture_domain::WorkspaceId;
use overture_egress::{AddressPolicy, Client, Resolver};
use overture_engine::{
    MailProviders as _,
    plugins::{PluginGrants, Registry, Settings},
};
use overture_plugin_host::capabilities::mailbox::{
    Failure, Folder, FolderState, ListedMail, MailRef, MailSession, Outgoing, Submission,
};
use overture_store::{on_both, plugins as store};
use overture_testkit::{TestEnv, dns};

use crate::kit::{folder, guest, open};

const PLUGIN: &str = "guest-asks-all";

/// An account whose settings are a URL; the guest uses nothing else of it.
struct Account(String);

#[async_trait]
impl MailSession for Account {
    fn id(&self) -> String {
        "acc_01kjq5t3k8e9v8z2m4n6p7r8s9".into()
    }
    fn address(&self) -> String {
        "ada@example.com".into()
    }
    fn settings(&self) -> String {
        self.0.clone()
    }
    async fn submit(&self, _: &Outgoing) -> Result<Submission, Failure> {
        unreachable!("the guest only checks")
    }
    async fn check_submission(&self) -> Result<(), Failure> {
        unreachable!("the guest only checks")
    }
    async fn folders(&self) -> Result<Vec<Folder>, Failure> {
        unreachable!("the guest only checks")
    }
    async fn select(&self, _: &str) -> Result<FolderState, Failure> {
        unreachable!("the guest only checks")
    }
    async fn list_from(&self, _: &str, _: u32, _: u32) -> Result<Vec<ListedMail>, Failure> {
        unreachable!("the guest only checks")
    }
    async fn find(&self, _: &str, _: &str) -> Result<Vec<u32>, Failure> {
        unreachable!("the guest only checks")
    }
    async fn move_to(&self, _: &MailRef, _: &str) -> Result<(), Failure> {
        unreachable!("the guest only checks")
    }
    async fn set_seen(&self, _: &MailRef, _: bool) -> Result<(), Failure> {
        unreachable!("the guest only checks")
    }
}

/// What the guest says came of each of its tries.
async fn tries(registry: &Registry, ws: WorkspaceId, url: &str) -> BTreeMap<String, String> {
    let legs = registry
        .check(ws, PLUGIN, Arc::new(Account(url.to_owned())))
        .await
        .unwrap();
    let said = |leg: overture_plugin_host::Leg| (leg.name, leg.problem.unwrap().fix);
    legs.into_iter().map(said).collect()
}

/// `api.example.com` is a server on loopback that echoes the key; loopback may be reached if
/// `allowed`.
async fn api(test: &mut TestEnv, allowed: bool) -> (String, dns::DnsServer) {
    let server = dns::DnsServer::start().await.unwrap();
    server.set(
        "api.example.com",
        dns::Answer::Addresses(vec![Ipv4Addr::LOCALHOST.into()]),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://api.example.com:{}/v1",
        listener.local_addr().unwrap().port()
    );
    let echo =
        |headers: HeaderMap| async move { headers["authorization"].to_str().unwrap().to_owned() };
    let router = Router::new().fallback(echo);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let networks = if allowed {
        vec!["127.0.0.0/8".parse().unwrap()]
    } else {
        Vec::new()
    };
    test.env.http = Client::new(
        Resolver::new(&[server.address()]).unwrap(),
        AddressPolicy::http(networks, true),
        overture_egress::client_config(overture_egress::root_store(None).unwrap()),
    );
    (url, server)
}

fn granted(grants: PluginGrants) -> (Settings, tempfile::TempDir) {
    let folder = folder(&[("asks-all.wasm", &guest("asks-all"))]);
    let settings = Settings {
        folder: Some(folder.path().to_owned()),
        grants: BTreeMap::from([(PLUGIN.to_owned(), grants)]),
        secrets: BTreeMap::from([(
            PLUGIN.to_owned(),
            BTreeMap::from([("api-key".to_owned(), "s3cret-of-the-admin".into())]),
        )]),
        ..Settings::default()
    };
    (settings, folder)
}

on_both! {
    // PLG-2
    async fn a_folders_plugin_gets_nothing_unless_it_is_granted(test: TestDatabase) {
        let mut test = TestEnv::new(test).await;
        let ws = test.workspace("Example").await;
        let (url, _dns) = api(&mut test, true).await;
        let (settings, _folder) = granted(PluginGrants::default());
        let registry = open(&test, settings, &[]).await;
        let said = tries(&registry, ws, &url).await;
        assert!(said["set"].ends_with("Denied"), "{said:?}");
        assert!(said["http"].contains("not granted"), "{said:?}");
        assert_eq!(registry.has_own_transport(PLUGIN), Ok(false));
    }

    // PLG-2
    async fn what_is_granted_works_with_quota_and_secret(test: TestDatabase) {
        let mut test = TestEnv::new(test).await;
        let (ws, other) = (test.workspace("Example").await, test.workspace("Other").await);
        let (url, _dns) = api(&mut test, true).await;
        let (settings, _folder) = granted(PluginGrants {
            http_hosts: ["api.example.com".to_owned(), "not.asked.example".to_owned()].into(),
            secrets: ["api-key".to_owned()].into(),
            store_quota_bytes: 1 << 30,
            raw_mail: true,
        });
        let registry = open(&test, settings, &[]).await;
        assert_eq!(registry.has_own_transport(PLUGIN), Ok(true));
        let noted = store::list(&mut test.env.db.reader()).await.unwrap();
        assert_eq!(noted[0].grants["httpHosts"], serde_json::json!(["api.example.com"]));
        assert_eq!(noted[0].grants["storeQuotaBytes"], 4096, "no more than it asks for");
        let said = tries(&registry, ws, &url).await;
        assert_eq!(said["set"], "ok: ()");
        assert!(said["get"].starts_with("ok: Some([104, 101"), "{said:?}");
        assert!(said["fill"].contains("OverQuota"), "{said:?}");
        assert!(said["keys"].contains("greeting"), "{said:?}");
        assert_eq!(said["delete"], "ok: ()");
        // The server echoed the key; the guest sees its slot.
        assert_eq!(said["http"], r#"ok: "Bearer {api-key}""#);
        assert!(said["clock"].contains("1772442000000"), "{said:?}");

        let mut tx = test.env.db.begin().await.unwrap();
        store::set_value(&mut tx, other, PLUGIN, "greeting", b"theirs", 4096).await.unwrap();
        tx.commit().await.unwrap();
        tries(&registry, ws, &url).await;
        let kept = store::value(&mut test.env.db.reader(), other, PLUGIN, "greeting").await.unwrap();
        assert_eq!(kept.as_deref(), Some(&b"theirs"[..]), "WS-1");
    }

    // PLG-2: the host resolves, and blocks private addresses, also behind a granted name.
    async fn a_granted_name_that_leads_inside_is_refused(test: TestDatabase) {
        let mut test = TestEnv::new(test).await;
        let ws = test.workspace("Example").await;
        let (url, _dns) = api(&mut test, false).await;
        let (settings, _folder) = granted(PluginGrants {
            http_hosts: ["api.example.com".to_owned()].into(),
            secrets: ["api-key".to_owned()].into(),
            ..PluginGrants::default()
        });
        let registry = open(&test, settings, &[]).await;
        let said = tries(&registry, ws, &url).await;
        assert!(said["http"].contains("Denied") && said["http"].contains("loopback"), "{said:?}");
    }
}
