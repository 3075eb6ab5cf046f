//! `overture demo`: a campaign that is under way for some days already, and goes on.

use std::{
    io::{IsTerminal as _, Write as _},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result};
use overture_domain::{Clock, Timestamp};
use overture_engine::{Env, campaigns, people as accounts};

use super::{
    campaign::{self, Pace},
    folder::{Folder, Made},
    people::People,
    world::{Goes, World},
};
use crate::{
    clock::SystemClock,
    commands::{note, say, serve},
    config::Config,
    services,
};

/// Minutes between two mails of a mailbox: its 30 a day are spread over the day, and the list lasts
/// for weeks.
const PACE: i64 = 45;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What a demo is started with.
#[derive(Debug)]
pub struct Start {
    /// Where its data lies.
    pub data: PathBuf,
    pub listen: SocketAddr,
    /// Begins anew.
    pub fresh: bool,
    /// Virtual days that have passed when it begins.
    pub days: u32,
    pub people: People,
}

/// Makes a demo where there is none, and serves it until it is told to stop.
///
/// # Errors
/// What is in its way, and what to do.
pub async fn run(start: Start) -> Result<()> {
    let mut config = Config::in_folder(&start.data)?;
    // Its people live at made-up domains.
    config.mail.check_routing = false;
    config.server.listen = start.listen;
    config.server.requests_per_minute = 600;
    config.log.level = "warn".to_owned();
    serve::logs(&config)?;
    // First what may be in the way: nothing is made, or deleted, for nothing.
    let listener = tokio::net::TcpListener::bind(start.listen)
        .await
        .with_context(|| {
            format!(
                "{} can't be listened on: is another server there? `--listen 127.0.0.1:0` takes any free port",
                start.listen
            )
        })?;
    config.public_url = format!("http://{}", listener.local_addr()?);
    let lock = match start.data.join("overture.db").exists() {
        true => services::lock(&config)?,
        false => None,
    };
    if start.fresh {
        Folder::clear(&start.data)?;
    }
    let (folder, made) = Folder::open(&start.data)?;
    let (made, lock) = match made {
        Some(made) => {
            note("The demo goes on where it was (--fresh starts over).");
            // Made by an earlier version: nobody keeps a backup of a demo.
            let db = services::open_database(&config).await?;
            db.migrate().await?;
            db.close().await;
            (made, lock)
        }
        None => {
            drop(lock);
            let lock = services::lock(&config)?;
            let made = make(&config, &start).await?;
            folder.complete(&made)?;
            (made, lock)
        }
    };
    let served = serve::on(&config, listener, async |address| {
        welcome(address, &made, &start);
        Ok(())
    })
    .await;
    drop(lock);
    served
}

/// A workspace with a campaign that began so many days ago.
async fn make(config: &Config, start: &Start) -> Result<Made> {
    note(format_args!(
        "Making a demo in {}: {} people of a sandbox, from which nothing leaves this machine.",
        start.data.display(),
        start.people.list.len()
    ));
    let now = SystemClock.now();
    let beginning = now - DAY * start.days;
    let mut world = World::open(config, beginning, None).await?;
    let (env, ws) = (world.env.clone(), world.ws);
    let campaign = campaign::launch(&env, ws, &start.people, &Pace::any_time(PACE)).await?;
    let mut progress = Progress::new(beginning, start.days);
    world
        .pass_until(now, async |env| {
            if progress.is_due(env.now()) {
                let stats = campaigns::stats(env, ws, campaign).await?;
                progress.show(env, &stats);
            }
            Ok(Goes::On)
        })
        .await?;
    progress.end();
    let scopes: Vec<String> = accounts::SCOPES
        .iter()
        .map(|scope| (*scope).to_owned())
        .filter(|scope| !scope.starts_with("plugins:"))
        .collect();
    let limits = accounts::KeyLimits::default();
    let (_, key) = accounts::create_key(&env, ws, None, "demo", &scopes, limits).await?;
    drop(env);
    world.close().await;
    Ok(Made {
        api_key: key.expose().to_owned(),
        campaign,
    })
}

/// How far virtual time has come: one line that changes on a terminal, else a line a day.
struct Progress {
    beginning: Timestamp,
    days: u32,
    next: Timestamp,
    terminal: bool,
}

impl Progress {
    fn new(beginning: Timestamp, days: u32) -> Self {
        Self {
            beginning,
            days,
            next: beginning,
            terminal: std::io::stderr().is_terminal(),
        }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        now >= self.next
    }

    fn show(&mut self, env: &Env, stats: &campaigns::Stats) {
        let now = env.now();
        self.next = now + if self.terminal { DAY / 12 } else { DAY };
        let line = format!(
            "{:>2} of {} days: {:>4} mails sent, {:>3} people opened one, {:>3} replied",
            now.since(self.beginning).as_secs() / DAY.as_secs(),
            self.days,
            stats.sent,
            stats.opened,
            stats.replied,
        );
        if self.terminal {
            // Only for the eye.
            let mut stderr = std::io::stderr();
            let _ = write!(stderr, "\r  {line}\u{1b}[K").and_then(|()| stderr.flush());
        } else {
            note(format_args!("  {line}"));
        }
    }

    fn end(&self) {
        if self.terminal {
            note("");
        }
    }
}

fn welcome(address: SocketAddr, made: &Made, start: &Start) {
    let (url, key, campaign) = (format!("http://{address}"), &made.api_key, made.campaign);
    say(format_args!(
        "
Overture's demo is running; its data lies in {data}. Ctrl-C stops it.

  address   {url}
  API key   {key}

Try next:
  - Open {url} in a browser: every endpoint, with a form that takes the key.
  - In another terminal:

    export OVERTURE_URL={url} OVERTURE_API_KEY={key}

    # how the campaign does
    curl -s -H \"Authorization: Bearer $OVERTURE_API_KEY\" $OVERTURE_URL/api/v1/campaigns/{campaign}/stats
    # who replied, and what
    curl -s -H \"Authorization: Bearer $OVERTURE_API_KEY\" \"$OVERTURE_URL/api/v1/events?type=reply.received&limit=3\"
    # pause it; `resume` lets it go on
    curl -s -X POST -H \"Authorization: Bearer $OVERTURE_API_KEY\" $OVERTURE_URL/api/v1/campaigns/{campaign}/pause
    curl -s -X POST -H \"Authorization: Bearer $OVERTURE_API_KEY\" $OVERTURE_URL/api/v1/campaigns/{campaign}/resume

    # the same by the command line: where everybody stands, what happens
    {program} campaign show {campaign}
    {program} events --follow
",
        data = start.data.display(),
        program = std::env::args().next().unwrap_or_else(|| "overture".to_owned()),
    ));
}
