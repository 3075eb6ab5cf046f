//! A plugin that fails again and again rests, and is tried again (PLG-3).

use std::time::Duration;

use overture_plugin_host::CallError;

use crate::guests::{context, event, host_with, id, workspace};

// PLG-3: N failures in a row quarantine the plugin, in that workspace, with backoff.
#[tokio::test]
async fn five_panics_in_a_row_and_the_guest_is_not_called_any_more() {
    let (host, fakes) = host_with("panics");
    let formatter = host.formatter(&id("panics")).unwrap();
    let call = |seed| {
        let formatter = formatter.clone();
        async move {
            formatter
                .format(workspace(seed), &event(), &context("{}"))
                .await
                .unwrap_err()
        }
    };
    for _ in 0..5 {
        assert_eq!(call(1).await.code(), "plugin_panicked");
    }
    let resting = call(1).await;
    let CallError::Quarantined { failures: 5, .. } = &resting else {
        panic!("{resting:?}")
    };
    let info = host.find(&id("panics")).unwrap();
    assert_eq!(info.stats.calls, 5, "it was not called again");
    assert_eq!(info.quarantines.len(), 1);
    assert_eq!(info.quarantines[0].workspace, workspace(1));

    assert_eq!(
        call(2).await.code(),
        "plugin_panicked",
        "another workspace has its own count"
    );

    fakes.clock.advance(Duration::from_secs(61));
    assert_eq!(
        call(1).await.code(),
        "plugin_panicked",
        "one call is let through"
    );
    assert_eq!(call(1).await.code(), "plugin_quarantined");

    host.release(&id("panics"), workspace(1)).unwrap();
    assert_eq!(call(1).await.code(), "plugin_panicked");
}

// PLG-3: settings that can't be used are no failure of the plugin.
#[tokio::test]
async fn answers_of_its_own_are_no_failures() {
    let (host, _) = host_with("nonsense");
    let formatter = host.formatter(&id("nonsense")).unwrap();
    for _ in 0..20 {
        let error = formatter
            .format(workspace(1), &event(), &context("?"))
            .await
            .unwrap_err();
        assert_eq!(error.code(), "plugin_invalid_settings");
    }
    assert_eq!(host.find(&id("nonsense")).unwrap().stats.faults, 0);
}
