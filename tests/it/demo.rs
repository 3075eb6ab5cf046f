//! `overture demo --once`: what must come of the sandbox's people comes of them, and the check sees
//! when one of them behaves otherwise (OPS-6).

use overture_testkit::app::{Installation, binary};

#[tokio::test]
async fn the_story_in_the_sandbox_is_as_the_behaviours_lead_to() {
    let ran = Installation::bare(binary()).run(&["demo", "--once"]).await;
    let out = ran.success();
    assert!(out.contains("webhooks delivered"), "{out}");
    assert!(!out.contains("DIFFERENT"), "{out}");
}

#[tokio::test]
async fn another_behaviour_is_seen() {
    let other = "silent.3.de@example.com=reply";
    let ran = Installation::bare(binary())
        .run(&["demo", "--once", "--alter", other])
        .await;
    let said = ran.failure();
    assert!(
        said.contains("not what the people's behaviours lead to"),
        "{said}"
    );
}
