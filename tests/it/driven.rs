//! Driven time is for tests alone (DESIGN §4).

use overture_testkit::app::{Installation, binary, driven_binary};

#[tokio::test]
async fn a_build_without_the_feature_refuses_the_clock() {
    let installation = Installation::new(binary(), "", "sqlite:data/overture.db");
    let ran = installation
        .run(&["serve", "--clock", "unix:clock.sock"])
        .await;
    assert_eq!(
        ran.failure(),
        "error: this program can't be driven: --clock needs a build with the feature `test-clock`, which no release has\n"
    );
    assert!(!installation.path("data").exists(), "nothing was begun");
}

#[tokio::test]
async fn a_clock_is_a_unix_socket() {
    let installation = Installation::new(driven_binary(), "", "sqlite:data/overture.db");
    let ran = installation.run(&["serve", "--clock", "clock.sock"]).await;
    assert_eq!(ran.failure(), "error: --clock is unix:PATH\n");
}
