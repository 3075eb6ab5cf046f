//! Which plugins there are, in which order, and why others are not.

use overture_domain::plugins::PluginSource;
use overture_engine::{
    Formatters as _, MailProviders as _,
    plugins::{Registry, Settings},
};
use overture_plugin_host::{CallError, Event, FormatContext};
use overture_store::{on_both, plugins as store};
use overture_testkit::{MONDAY, TestEnv};

use crate::kit::{backing, first_party, folder, guest, open};

fn ids(registry: &Registry) -> Vec<String> {
    registry
        .list()
        .into_iter()
        .map(|listed| listed.info.manifest.id)
        .collect()
}

fn event() -> (Event, FormatContext) {
    let event = Event {
        id: "evt_01kjq5t3k8e9v8z2m4n6p7r8s9".into(),
        kind: "email.sent".into(),
        occurred_at: MONDAY,
        workspace_id: "wsp_01kjq5t3k8e9v8z2m4n6p7r8s9".into(),
        data: r#"{"stepIndex":0}"#.into(),
    };
    let context = FormatContext {
        settings: "{}".into(),
        public_url: "https://overture.example.com".into(),
        workspace_name: "Example".into(),
    };
    (event, context)
}

on_both! {
    // PLG-1
    async fn embedded_plugins_are_noted_and_callable(test: TestDatabase) {
        let test = TestEnv::new(test).await;
        let ws = test.workspace("Example").await;
        let embedded = ["format-generic", "classifier-rules", "provider-smtp"].map(first_party);
        let registry = open(&test, Settings::default(), &embedded).await;
        assert_eq!(ids(&registry), ["format-generic", "classifier-rules", "provider-smtp"]);
        let noted = store::list(&mut test.env.db.reader()).await.unwrap();
        assert!(noted.iter().all(|plugin| plugin.source == PluginSource::Embedded && plugin.enabled));
        assert_eq!(noted[0].manifest["kinds"], serde_json::json!(["formatter"]));

        let formatters: Vec<_> = overture_engine::Formatters::list(&registry).into_iter().map(|f| f.id).collect();
        assert_eq!(formatters, ["format-generic"]);
        let (event, context) = event();
        let formatted = registry.format(ws, "format-generic", &event, &context).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&formatted.body).unwrap();
        assert_eq!(body["type"], "email.sent");
        let classifiers = overture_engine::Classifiers::list(&registry, ws).await;
        assert_eq!(classifiers.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(), ["classifier-rules"]);
        let presets = registry.presets(ws).await;
        assert!(presets.len() > 3 && presets.iter().all(|preset| preset.provider == "provider-smtp"));
        assert_eq!(registry.has_own_transport("provider-smtp"), Ok(false));
        let unknown = registry.format(ws, "format-nothing", &event, &context).await.unwrap_err();
        assert_eq!(unknown, CallError::UnknownPlugin("format-nothing".into()));
        let wrong = registry.format(ws, "classifier-rules", &event, &context).await.unwrap_err();
        assert_eq!(wrong.code(), "plugin_wrong_kind");
    }

    // A bad file keeps nobody else from starting, and says what is wrong.
    async fn files_of_the_folder_that_are_no_plugins_are_listed(test: TestDatabase) {
        let test = TestEnv::new(test).await;
        let generic = first_party("format-generic");
        let echo = guest("echo");
        let folder = folder(&[
            ("1-echo.wasm", &echo),
            ("2-again.wasm", &echo),
            ("3-generic.wasm", &generic),
            ("4-text.wasm", b"not a plugin"),
            ("5-cut.wasm", &echo[..echo.len() / 2]),
            ("6-empty.wasm", b""),
            ("readme.txt", b"no plugin at all"),
        ]);
        let settings = Settings { folder: Some(folder.path().to_owned()), ..Settings::default() };
        let registry = open(&test, settings, std::slice::from_ref(&generic)).await;
        assert_eq!(ids(&registry), ["format-generic", "guest-echo"]);
        let refused: Vec<_> = registry.refused().iter().map(|refused| {
            let name = refused.file.file_name().unwrap().to_str().unwrap().to_owned();
            (name, refused.reason.replace(&folder.path().display().to_string(), "FOLDER"))
        }).collect();
        let check = |at: usize, name: &str, says: &str| {
            assert_eq!(refused[at].0, name);
            assert!(refused[at].1.contains(says), "{}", refused[at].1);
        };
        check(0, "2-again.wasm", "FOLDER/1-echo.wasm has the id `guest-echo` already");
        check(1, "3-generic.wasm", "that of a built-in plugin");
        check(2, "4-text.wasm", "WebAssembly");
        check(3, "5-cut.wasm", "damaged");
        check(4, "6-empty.wasm", "WebAssembly");
        assert_eq!(refused.len(), 5);
    }

    async fn a_folder_that_is_not_there_is_an_error(test: TestDatabase) {
        let test = TestEnv::new(test).await;
        let settings = Settings { folder: Some("/nowhere/plugins".into()), ..Settings::default() };
        let error = Registry::open(backing(&test), settings, Vec::new()).await.err().unwrap();
        assert!(error.to_string().starts_with("plugins.folder /nowhere/plugins can't be read: "), "{error}");
    }

    // CLS-4: the admin's order and switch outlive a restart.
    async fn order_and_switch_are_the_admins(test: TestDatabase) {
        let test = TestEnv::new(test).await;
        let ws = test.workspace("Example").await;
        let cache = tempfile::tempdir().unwrap();
        let settings = Settings { cache_folder: Some(cache.path().to_owned()), ..Settings::default() };
        let embedded = ["format-generic", "classifier-rules"].map(first_party);
        open(&test, settings.clone(), &embedded).await;
        assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 2, "compiled once");
        let mut tx = test.env.db.begin().await.unwrap();
        store::set_order(&mut tx, &["classifier-rules", "format-generic"]).await.unwrap();
        store::set_enabled(&mut tx, "format-generic", false, MONDAY).await.unwrap();
        tx.commit().await.unwrap();
        let registry = open(&test, settings, &embedded).await;
        assert_eq!(ids(&registry), ["classifier-rules", "format-generic"]);
        assert_eq!(registry.list().iter().map(|l| l.enabled).collect::<Vec<_>>(), [true, false]);
        let (event, context) = event();
        let refused = registry.format(ws, "format-generic", &event, &context).await.unwrap_err();
        assert_eq!(refused.code(), "plugin_unknown");
        assert_eq!(overture_engine::Formatters::list(&registry), []);
    }

    // PLG-3: a plugin that panics on each call rests, in that workspace alone.
    async fn a_plugin_that_panics_is_quarantined(test: TestDatabase) {
        let test = TestEnv::new(test).await;
        let (ws, other) = (test.workspace("Example").await, test.workspace("Other").await);
        let registry = open(&test, Settings::default(), &[guest("panics")]).await;
        let (event, context) = event();
        for _ in 0..5 {
            let error = registry.format(ws, "guest-panics", &event, &context).await.unwrap_err();
            assert!(matches!(error, CallError::Panicked { .. }), "{error}");
        }
        let error = registry.format(ws, "guest-panics", &event, &context).await.unwrap_err();
        assert_eq!(error.code(), "plugin_quarantined");
        let error = registry.format(other, "guest-panics", &event, &context).await.unwrap_err();
        assert_eq!(error.code(), "plugin_panicked");
        assert_eq!(registry.list()[0].info.quarantines[0].workspace, ws);
    }
}
