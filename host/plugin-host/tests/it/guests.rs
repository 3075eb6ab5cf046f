//! Where the packed plugins are, and a host to load them into.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use overture_domain::{Timestamp, WorkspaceId, rng::SeededRng};
use overture_plugin_host::{Event, FormatContext, HostConfig, Limits, Origin, PluginHost};

use crate::services::Fakes;

/// The file of a packed test guest.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file: PathBuf = root.join("target/guests").join(format!("{name}.wasm"));
    std::fs::read(&file).unwrap_or_else(|e| {
        panic!("{}: {e}; run `cargo xtask plugins`", file.display());
    })
}

/// A host with one guest, and what stands behind it.
pub(crate) fn host_with(name: &str) -> (PluginHost, Fakes) {
    let fakes = Fakes::default();
    let host = PluginHost::new(
        HostConfig {
            places: 8,
            ..HostConfig::default()
        },
        fakes.services(),
    );
    let host = host.unwrap();
    let info = host.load(&guest(name), Origin::Embedded, None).unwrap();
    // The machine that runs the tests may be busy: time on the wall is no measure there.
    let patient = Limits {
        wall: Duration::from_secs(120),
        ..info.limits
    };
    host.set_policy(&info.manifest.id, None, Some(patient))
        .unwrap();
    (host, fakes)
}

/// The id of a test guest.
pub(crate) fn id(name: &str) -> String {
    format!("guest-{name}")
}

pub(crate) fn workspace(seed: u64) -> WorkspaceId {
    WorkspaceId::new(Timestamp::from_secs(1_772_442_000), &SeededRng::new(seed))
}

pub(crate) fn event() -> Event {
    Event {
        id: "evt_01kjq5t3k8e9v8z2m4n6p7r8s9".into(),
        kind: "reply.received".into(),
        occurred_at: Timestamp::from_secs(1_772_442_000),
        workspace_id: workspace(1).to_string(),
        data: r#"{"from":"ada@example.com"}"#.into(),
    }
}

pub(crate) fn context(settings: &str) -> FormatContext {
    FormatContext {
        settings: settings.into(),
        public_url: "https://overture.example.com".into(),
        workspace_name: "Example".into(),
    }
}
