//! `overture demo --once`: the campaign of the demo from the import of its people to the last
//! webhook, on virtual time, with the real engine, store and plugins.
//!
//! What must come of it is worked out from the people's behaviours alone ([`expected`]); any
//! difference from what the product counted ends the program with 1.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use axum::{Router, http::HeaderMap, routing::post};
use overture_domain::Timestamp;

use super::{
    campaign::{self, MAILS, Pace},
    counted,
    expected::{self, Row},
    people::People,
    story,
    world::{Goes, World},
};
use crate::{commands::say, config::Config};

/// Monday, 8 in the morning.
const BEGINNING: Timestamp = Timestamp::from_secs(1_772_438_400);
/// It must be over by then.
const LONGEST: Duration = Duration::from_secs(60 * 24 * 3600);
/// How often it is asked whether it is over.
const LOOK_EVERY: Duration = Duration::from_secs(12 * 3600);

/// Runs it. `alter` (`ADDRESS=BEHAVIOUR`) changes a behaviour behind the expectation's back.
///
/// # Errors
/// When something fails, or when the outcome is not the expected one.
pub async fn run(people: &People, alter: Option<&str>) -> Result<()> {
    let folder = tempfile::tempdir().context("a temporary folder can't be made")?;
    let mut config = Config::in_folder(folder.path())?;
    // Its people live at made-up domains.
    config.mail.check_routing = false;
    // For the sink alone; mail never leaves the sandbox.
    config.egress.allow_http = true;
    config.egress.allowed_networks = vec!["127.0.0.0/8".parse()?];

    let mut world = World::open(&config, BEGINNING, Some(people.seed)).await?;
    let (env, ws) = (world.env.clone(), world.ws);
    let env = &env;
    let delivered = Arc::new(AtomicI64::new(0));
    campaign::listen(env, ws, &sink(Arc::clone(&delivered)).await?).await?;
    story::begin(people);
    let mut acting = people.clone();
    if let Some(text) = alter {
        acting.alter(text)?;
    }
    let campaign = campaign::launch(env, ws, &acting, &Pace::default()).await?;

    let mut over = false;
    let mut looked = BEGINNING;
    world
        .pass_until(BEGINNING + LONGEST, async |env| {
            if env.now().since(looked) < LOOK_EVERY {
                return Ok(Goes::On);
            }
            looked = env.now();
            let last = counted::events(env, ws, campaign).await?;
            let last = last.last().map(|event| event.occurred_at);
            over = campaign::is_over(env, ws, campaign, last).await?;
            Ok(if over { Goes::NoFurther } else { Goes::On })
        })
        .await?;
    story::by_day(&counted::events(env, ws, campaign).await?);
    let expected = expected::of(&people.list, MAILS);
    let mut found = counted::counts(env, ws, campaign).await?;
    found.insert(Row::WebhooksDelivered, delivered.load(Ordering::SeqCst));
    let equal = story::table(&expected, &found);
    ensure!(
        over,
        "the campaign did not end within {} days",
        LONGEST.as_secs() / 86_400
    );
    if !equal {
        bail!("the outcome is not what the people's behaviours lead to");
    }
    say("\nEverything is as the people's behaviours lead to.");
    Ok(())
}

/// Receives webhooks on this machine and counts those whose signature headers are there.
async fn sink(delivered: Arc<AtomicI64>) -> Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .context("no free port for the sink")?;
    let url = format!("http://{}/hooks", listener.local_addr()?);
    let receive = move |headers: HeaderMap| {
        let delivered = Arc::clone(&delivered);
        async move {
            let signed = ["webhook-signature", "x-warmy-signature"]
                .iter()
                .all(|name| headers.contains_key(*name));
            if signed {
                delivered.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    let router = Router::new().route("/hooks", post(receive));
    tokio::spawn(axum::serve(listener, router).into_future());
    Ok(url)
}
