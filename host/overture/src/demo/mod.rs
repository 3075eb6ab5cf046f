//! `overture demo --once`: a campaign in the sandbox, from the import of its people to the last
//! webhook, on virtual time in one process, with the real engine, store and plugins.
//!
//! What must come of it is computed from the people's behaviours alone ([`people`]); any
//! difference from what the product counted ends the program with 1.

mod people;
mod story;
mod world;

use anyhow::{Result, bail};

use crate::commands::say;

/// Runs the demo. `alter` (`ADDRESS=PERSONA`) changes a behaviour behind the expectation's back.
///
/// # Errors
/// When something fails, or when the outcome is not the expected one.
pub async fn once(alter: Option<&str>) -> Result<()> {
    let world = world::World::open(alter).await?;
    let campaign = world.launch().await?;
    story::begin(world.people());
    world.live(campaign).await?;
    let (expected, found) = (
        people::expected(world.people()),
        world.counts(campaign).await?,
    );
    story::by_day(&world.events(campaign).await?);
    if !story::table(&expected, &found) {
        bail!("the outcome is not what the people's behaviours lead to");
    }
    say("\nEverything is as the people's behaviours lead to.");
    Ok(())
}
