//! Wiring: from settings to the one bag of services.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use overture_domain::{Clock, Id};
use overture_egress::{AddressPolicy, Client, Resolver, client_config, root_store};
use overture_engine::{
    DatabaseClock, Env,
    master_key::KEY_CHECK,
    parts::Wakes,
    plugins::{Backing, Registry, Settings},
};
use overture_mail::{Dialer, NetConnector, tls::Tls};
use overture_store::{Database, dialect::Dialect, people, upkeep};
use overture_vault::{KeyState, OsRng, Secret, Vault};

use crate::{
    clock::SystemClock,
    commands::compile_plugin,
    config::{Config, path_if_set},
    embedded,
};

/// The environment may give the master key in place of its file.
pub const MASTER_KEY: &str = "OVERTURE_MASTER_KEY";

/// The services of a process, and the registry of plugins behind some of them.
pub struct Services {
    pub env: Env,
    pub plugins: Registry,
}

/// By which clock the services go.
pub enum Clocks {
    /// The system's; where hosts may share the database the database's, which goes with it (SCH-7).
    System,
    /// Another one, and real time beside it.
    Given {
        clock: Arc<dyn Clock>,
        real: Arc<dyn Clock>,
    },
}

impl Clocks {
    /// The clock, real time, and the database's where they are that.
    async fn of(
        self,
        db: &Database,
    ) -> Result<(Arc<dyn Clock>, Arc<dyn Clock>, Option<Arc<DatabaseClock>>)> {
        match self {
            Self::Given { clock, real } => Ok((clock, real, None)),
            Self::System if db.dialect() == Dialect::Postgres => {
                let database = Arc::new(db.clone());
                let clock = Arc::new(DatabaseClock::new(Arc::new(SystemClock), database));
                clock.measure().await?;
                Ok((clock.clone(), clock.clone(), Some(clock)))
            }
            Self::System => Ok((Arc::new(SystemClock), Arc::new(SystemClock), None)),
        }
    }
}

impl Services {
    /// Opens everything that `serve` needs: the database is at this program's schema, the master
    /// key belongs to it, the plugins are loaded.
    ///
    /// # Errors
    /// What is missing or wrong, and what to do.
    pub async fn open(config: &Config, clocks: Clocks) -> Result<Self> {
        Self::open_with(config, clocks, Arc::new(OsRng)).await
    }

    /// The same with another source of chance, for simulations.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with(
        config: &Config,
        clocks: Clocks,
        rng: Arc<dyn overture_domain::Rng>,
    ) -> Result<Self> {
        let db = open_database(config).await?;
        // An empty database becomes ours; one with a schema is migrated by hand, after a backup.
        if db.migrations().await?.found == 0 {
            db.migrate().await?;
        }
        db.check_schema().await?;
        let (clock, real, database_clock) = clocks.of(&db).await?;
        let vault = Arc::new(open_vault(config, &db).await?);
        let resolver = Resolver::new(&config.dns.servers).context("dns.servers can't be used")?;
        let http = http_client(config, resolver.clone())?;

        let backing = Backing {
            db: db.clone(),
            clock: Arc::clone(&clock),
            rng: Arc::clone(&rng),
            vault: Arc::clone(&vault),
            http: http.clone(),
        };
        let settings = Settings {
            folder: path_if_set(&config.plugins.folder)
                .filter(|folder| folder.is_dir())
                .map(Path::to_owned),
            cache_folder: path_if_set(&config.plugins.cache_folder).map(Path::to_owned),
            grants: config.plugins.grants.clone(),
            secrets: config.plugins.secrets.clone(),
            compiler: compile_plugin::compiler(),
            ..Settings::default()
        };
        let embedded = embedded::plugins()?
            .into_iter()
            .map(|(_, file)| file)
            .collect();
        let plugins = Registry::open(backing, settings, embedded).await?;

        let env = Env {
            db,
            host: Id::new(real.now(), &*rng),
            clock,
            real,
            database_clock,
            rng,
            vault,
            http,
            resolver: resolver.clone(),
            dialer: dialer(config, resolver)?,
            providers: Arc::new(plugins.clone()),
            networks: Arc::new(plugins.clone()),
            classifiers: Arc::new(plugins.clone()),
            formatters: Arc::new(plugins.clone()),
            health: Arc::new(plugins.clone()),
            config: Arc::new(config.engine()),
            wakes: Arc::new(Wakes::default()),
            under_way: Arc::default(),
            connections: Arc::default(),
            journal: Arc::default(),
            couriers: Arc::default(),
            counters: Arc::default(),
            sweep: Arc::default(),
        };
        Ok(Self { env, plugins })
    }
}

/// The database of the settings; its folder is made where it is missing.
///
/// # Errors
/// When it can't be opened.
pub async fn open_database(config: &Config) -> Result<Database> {
    make_folder(config)?;
    Ok(Database::open(&config.database.url).await?)
}

fn make_folder(config: &Config) -> Result<()> {
    let path = sqlite_path(&config.database.url);
    let Some(folder) = path.as_deref().and_then(Path::parent) else {
        return Ok(());
    };
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))
}

/// In words that help whoever has started the program as the wrong user.
fn unwritable(folder: &Path, error: &std::io::Error) -> anyhow::Error {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    let name = folder.display();
    match error.kind() {
        PermissionDenied | ReadOnlyFilesystem => anyhow::anyhow!(
            "this user (uid {}) may not write to {name}: give it to them (chown), start overture as its owner, or name another place in database.url ({error})",
            rustix::process::geteuid().as_raw()
        ),
        _ => anyhow::anyhow!("{name} can't be written to: {error}"),
    }
}

/// The database of the settings, which must be there.
///
/// # Errors
/// When it is not, or can't be opened.
pub async fn open_present(config: &Config) -> Result<Database> {
    if let Some(path) = sqlite_path(&config.database.url).filter(|path| !path.exists()) {
        bail!(
            "there is no database at {}: database.url says where it is",
            path.display()
        );
    }
    open_database(config).await
}

/// Whether a server works on the database, or has died so recently that nobody knows.
///
/// # Errors
/// When the database can't be asked.
pub async fn is_serving(config: &Config, db: &Database) -> Result<bool> {
    match db.dialect() {
        Dialect::Sqlite => Ok(lock(config).is_err()),
        Dialect::Postgres => has_heartbeat(config, db).await,
    }
}

async fn has_heartbeat(config: &Config, db: &Database) -> Result<bool> {
    if db.migrations().await?.found == 0 {
        return Ok(false);
    }
    let last = upkeep::last_heartbeat(&mut db.reader()).await?;
    let dead_after = Duration::from_secs(config.engine.host_dead_after_seconds);
    // Hearts beat by the database's clock (SCH-7).
    let now = upkeep::clock(&mut db.reader()).await?;
    Ok(last.is_some_and(|at| at + dead_after > now))
}

/// Refuses to change what a server of PostgreSQL works on; a SQLite file has its [`lock`].
///
/// # Errors
/// What to do first.
pub async fn refuse_while_serving(config: &Config, db: &Database) -> Result<()> {
    if db.dialect() == Dialect::Postgres && has_heartbeat(config, db).await? {
        bail!(
            "a server works on this database, or was stopped less than {} s ago: stop all of them first",
            config.engine.host_dead_after_seconds
        );
    }
    Ok(())
}

/// The file of a SQLite URL.
pub fn sqlite_path(url: &str) -> Option<PathBuf> {
    url.strip_prefix("sqlite:")
        .map(|path| PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
}

/// A SQLite file belongs to one serving process; the lock ends with it.
///
/// # Errors
/// When another process holds it.
pub fn lock(config: &Config) -> Result<Option<File>> {
    let Some(path) = sqlite_path(&config.database.url) else {
        return Ok(None);
    };
    make_folder(config)?;
    let path = path.with_extension("lock");
    let file = File::create(&path).map_err(|error| {
        let folder = path.parent().unwrap_or(&path);
        unwritable(folder, &error)
    })?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => bail!(
            "another `overture serve` works on {}: stop it, or use PostgreSQL for several processes",
            config.database.url
        ),
        Err(fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{} can't be locked", path.display()))
        }
    }
}

/// The services of commands that work on the database beside a server: no plugins, no sending.
///
/// # Errors
/// As [`Services::open`].
pub async fn open_offline(config: &Config) -> Result<Env> {
    Ok(Services::open(config, Clocks::System).await?.env)
}

/// The master key of the settings, checked against the database. It is made beside an empty
/// database, and only there: a new key for an old database would lose every credential.
///
/// # Errors
/// When it is missing, unreadable or not this database's.
pub async fn open_vault(config: &Config, db: &Database) -> Result<Vault> {
    let file = &config.vault.master_key_file;
    let stored = people::instance_value(&mut db.reader(), KEY_CHECK).await?;
    let vault = match read_key(config)? {
        Some(vault) => vault,
        None if stored.is_none() => {
            if let Some(folder) = file.parent() {
                fs::create_dir_all(folder).with_context(|| {
                    format!(
                        "the folder {} of the master key can't be made",
                        folder.display()
                    )
                })?;
            }
            Vault::create_file(file, Arc::new(OsRng))?
        }
        None => return Err(missing_key(config)),
    };
    if let Some(stored) = stored
        && vault.check(&stored)? == KeyState::Current
    {
        return Ok(vault);
    }
    let mut tx = db.begin().await?;
    people::set_instance_value(&mut tx, KEY_CHECK, &vault.key_check()).await?;
    tx.commit().await?;
    Ok(vault)
}

/// The master key as it lies there; None where there is none.
///
/// # Errors
/// When it is unreadable, or open to others.
pub fn read_key(config: &Config) -> Result<Option<Vault>> {
    let (file, rng) = (&config.vault.master_key_file, Arc::new(OsRng));
    Ok(match master_key_in_environment() {
        Some(text) => Some(Vault::from_text(text.expose(), MASTER_KEY, rng)?),
        None if file.exists() => Some(Vault::open_file(file, rng)?),
        None => None,
    })
}

/// Whether the master key at hand is the one of a database that stored this check of it.
///
/// # Errors
/// When it is missing, unreadable or another one.
pub fn check_key(config: &Config, stored: &str) -> Result<()> {
    let vault = read_key(config)?.ok_or_else(|| missing_key(config))?;
    vault.check(stored)?;
    Ok(())
}

fn missing_key(config: &Config) -> anyhow::Error {
    anyhow::anyhow!(
        "the master key {} is missing, and the database has credentials sealed with it: put its copy back, or set {MASTER_KEY}",
        config.vault.master_key_file.display()
    )
}

/// The master key that the environment gives, if it does.
pub fn master_key_in_environment() -> Option<Secret> {
    std::env::var(MASTER_KEY).ok().map(Secret::new)
}

fn http_client(config: &Config, resolver: Resolver) -> Result<Client> {
    let roots = root_store(path_if_set(&config.http.extra_ca_file))
        .context("http.extra_ca_file can't be used")?;
    let policy = AddressPolicy::http(
        config.egress.allowed_networks.clone(),
        config.egress.allow_http,
    );
    Ok(Client::new(resolver, policy, client_config(roots)))
}

/// Opens connections to mail servers as the settings say.
///
/// # Errors
/// When `mail.extra_ca_file` can't be used.
pub fn dialer(config: &Config, resolver: Resolver) -> Result<Dialer> {
    let policy = AddressPolicy::mail(
        config.mail.allowed_networks.clone(),
        &config.mail.allowed_ports,
    );
    let tls = Tls::new(path_if_set(&config.mail.extra_ca_file))
        .context("mail.extra_ca_file can't be used")?;
    Ok(Dialer {
        timeouts: config.mail.timeouts,
        ..Dialer::new(Arc::new(NetConnector { resolver, policy }), tls)
    })
}
