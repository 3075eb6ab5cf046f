use std::{io::IsTerminal as _, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use clap::Args;
#[cfg(feature = "test-clock")]
use overture_domain::Clock;
use overture_engine::{Env, inbox, leases};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing_subscriber::EnvFilter;

use crate::{
    clock::{SystemClock, Time},
    config::{Config, LogFormat},
    loops::Loops,
    memory,
    metrics::Metrics,
    services::{self, Clocks, Services},
};

/// How long work under way may take to end when the process is told to stop. What is not done then
/// is found by its lease (SCH-5).
const GRACE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub struct Options {
    /// How log lines look, whatever log.format says
    #[arg(long, value_enum)]
    log_format: Option<LogFormat>,
    /// Let a driver set the time, for tests: unix:PATH of a socket to make
    #[arg(long, value_name = "unix:PATH", hide = true)]
    clock: Option<String>,
    /// Where a driven clock begins
    #[arg(long, value_name = "TIME", hide = true, requires = "clock")]
    now: Option<overture_domain::Timestamp>,
}

/// `overture serve`
pub async fn run(mut config: Config, options: Options) -> Result<()> {
    config.log.format = options.log_format.unwrap_or(config.log.format);
    logs(&config)?;
    let driver = Driver::new(&options)?;
    let _lock = services::lock(&config)?;
    let listener = listen(&config).await?;
    serve(&config, listener, driver, async |address| {
        // A server works on where nobody reads this.
        let _ = crate::commands::try_say(format_args!("listening on http://{address}"));
        Ok(())
    })
    .await
}

/// Serves what lies in a database that the caller has locked; says where once it answers.
///
/// # Errors
/// As [`Services::open`].
pub async fn on(
    config: &Config,
    listener: TcpListener,
    say: impl AsyncFnOnce(SocketAddr) -> Result<()>,
) -> Result<()> {
    serve(config, listener, Driver::real(), say).await
}

/// The address of the settings, listened on.
///
/// # Errors
/// When it is taken, or not this machine's.
pub async fn listen(config: &Config) -> Result<TcpListener> {
    TcpListener::bind(config.server.listen)
        .await
        .with_context(|| {
            format!(
                "{} can't be listened on: is another server there? server.listen sets the address",
                config.server.listen
            )
        })
}

async fn serve(
    config: &Config,
    listener: TcpListener,
    driver: Driver,
    say: impl AsyncFnOnce(SocketAddr) -> Result<()>,
) -> Result<()> {
    // Before anybody is told where it listens: who is told may stop it.
    let told_to_stop = told_to_stop()?;
    let driven = driver.time();
    let clocks = match &driven {
        None => Clocks::System,
        Some(time) => Clocks::Given {
            clock: time.clone(),
            real: Arc::new(SystemClock),
        },
    };
    let services = Services::open(config, clocks).await?;
    for refused in services.plugins.refused() {
        tracing::warn!(file = %refused.file.display(), reason = %refused.reason, "a plugin of the folder was not loaded");
    }
    let Services { env, plugins } = services;
    let metrics = Metrics::begin(config, &env, &plugins)?;
    leases::start(&env, &host_name()).await?;
    let address = listener.local_addr()?;
    if let Some(address) = config.metrics.listen {
        metrics.listen(address).await?;
    }

    let real: Arc<dyn Time> = match &env.database_clock {
        Some(clock) => clock.clone(),
        None => Arc::new(SystemClock),
    };
    let time = driven.unwrap_or_else(|| Arc::clone(&real));
    let loops = Loops::new(env.clone(), time, real);
    driver.listen(&loops)?;
    let (stop, stopping) = watch::channel(false);
    let running = tokio::spawn(Arc::clone(&loops).run(stopping.clone()));
    let watching = tokio::spawn(inbox::watch::run(env.clone()));
    let tidied = metrics.clone();
    tokio::spawn(memory::keep_small(move || tidied.tidy()));
    say(address).await?;
    tracing::info!(%address, database = env.db.dialect().name(), "serving");

    let mut stopped = stopping;
    let api = overture_api::router(env.clone(), config.server.requests_per_minute);
    let server = axum::serve(listener, api.merge(metrics.beside_the_api())).with_graceful_shutdown(
        async move {
            // An error means that the sender is gone: stop as well.
            let _ = stopped.wait_for(|stop| *stop).await;
        },
    );
    let server = tokio::spawn(server.into_future());
    told_to_stop.await;
    tracing::info!("stopping: work under way ends first");
    stop.send_replace(true);
    watching.abort();
    if tokio::time::timeout(GRACE, finish(env, running, server))
        .await
        .is_err()
    {
        tracing::warn!("some work did not end within {GRACE:?}; its leases give it back");
    }
    Ok(())
}

async fn finish(
    env: Env,
    loops: tokio::task::JoinHandle<()>,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
) {
    // A panic in either was logged where it happened.
    let _ = loops.await;
    env.under_way.settled().await;
    env.connections.close().await;
    if let Err(error) = leases::give_back(&env).await {
        tracing::warn!(%error, "the leases of this host were not given back; they are taken back in half a minute");
    }
    // Streams stay open for as long as their clients like.
    let _ = tokio::time::timeout(Duration::from_secs(2), server).await;
    env.db.close().await;
}

/// What people call this machine.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{} ({})", name.trim(), std::process::id())
}

/// Ends when the process is told to stop; it hears of it from now on.
fn told_to_stop() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("signals can't be heard")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals can't be heard")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Sends log lines to the error output.
///
/// # Errors
/// For a level that there isn't.
pub fn logs(config: &Config) -> Result<()> {
    let filter = EnvFilter::try_new(&config.log.level)
        .with_context(|| format!("log.level `{}`", config.log.level))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match config.log.format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
    Ok(())
}

/// The clock that `serve` runs on.
#[cfg(feature = "test-clock")]
struct Driver(Option<(Arc<crate::driven::DrivenClock>, std::path::PathBuf)>);

#[cfg(feature = "test-clock")]
impl Driver {
    fn real() -> Self {
        Self(None)
    }

    fn new(options: &Options) -> Result<Self> {
        let Some(clock) = &options.clock else {
            return Ok(Self(None));
        };
        let path = clock
            .strip_prefix("unix:")
            .context("--clock is unix:PATH")?;
        let now = options.now.unwrap_or_else(|| SystemClock.now());
        Ok(Self(Some((
            Arc::new(crate::driven::DrivenClock::new(now)),
            path.into(),
        ))))
    }

    /// The time that is driven, where one is.
    fn time(&self) -> Option<Arc<dyn Time>> {
        let (clock, _) = self.0.as_ref()?;
        Some(Arc::clone(clock) as Arc<dyn Time>)
    }

    fn listen(self, loops: &Arc<Loops>) -> Result<()> {
        match self.0 {
            Some((clock, path)) => crate::driven::listen(&path, clock, Arc::clone(loops)),
            None => Ok(()),
        }
    }
}

#[cfg(not(feature = "test-clock"))]
struct Driver;

#[cfg(not(feature = "test-clock"))]
impl Driver {
    fn real() -> Self {
        Self
    }

    fn new(options: &Options) -> Result<Self> {
        anyhow::ensure!(
            options.clock.is_none(),
            "this program can't be driven: --clock needs a build with the feature `test-clock`, which no release has"
        );
        Ok(Self)
    }

    fn time(&self) -> Option<Arc<dyn Time>> {
        None
    }

    fn listen(self, _: &Arc<Loops>) -> Result<()> {
        Ok(())
    }
}
