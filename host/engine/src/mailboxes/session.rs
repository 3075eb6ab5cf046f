//! The host's end of a provider's handle: one account's SMTP and IMAP connections for the length
//! of a call. The only place where an account's credentials are opened.

mod failure;
mod handle;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use overture_domain::{
    AccountId, WorkspaceId,
    accounts::{Account, Credentials, MailServer, MailSettings, TlsMode},
};
use overture_mail::{self as mail, Dialer, Endpoint, Security, imap};
use overture_plugin_host::capabilities::mailbox::{Failure, Stage, SubmissionRecord};
use overture_store::accounts as store;
use overture_vault::{Binding, Secret, Vault};
use tokio::sync::watch;

use crate::{BeforeBody, Env, Error, Result};

use super::connections::{Connections, NoPlace, Place};

pub(super) use failure::reply_of;
use failure::{failure, left_alone};

/// The record that an account's sealed credentials belong to.
pub(crate) fn binding(ws: WorkspaceId, id: AccountId) -> Binding {
    Binding::new("sending_accounts", id, ws)
}

/// Seals credentials for the account's row.
pub(super) fn seal(vault: &Vault, ws: WorkspaceId, id: AccountId, plain: &Credentials) -> String {
    let text = serde_json::to_string(plain).expect("credentials serialise to JSON");
    vault.seal(&binding(ws, id), &Secret::new(text))
}

fn unseal(vault: &Vault, ws: WorkspaceId, id: AccountId, sealed: &str) -> Result<Credentials> {
    let plain = vault.open(&binding(ws, id), sealed)?;
    serde_json::from_str(plain.expose()).map_err(|_| {
        Error::Outside(format!(
            "the credentials of {id} can't be read: enter the password again"
        ))
    })
}

/// One account for the length of a call. Connections are opened when they are first needed.
pub struct Session {
    env: Env,
    account: Account,
    dialer: Dialer,
    /// A person waits for the outcome: hosts are dialled even while they are left alone (SAF-3).
    by_hand: bool,
    servers: Option<Servers>,
    /// For the submission.
    place: Mutex<Option<Place>>,
    before_body: Option<Arc<dyn BeforeBody>>,
    /// How far the one submission of this session is.
    submission: watch::Sender<Submitting>,
    reading: tokio::sync::Mutex<Option<Reading>>,
    refusals: Mutex<Refusals>,
}

/// What went wrong last, beyond what the guest tells of it.
#[derive(Default)]
struct Refusals {
    last: Option<Failure>,
    certificates: HashMap<&'static str, String>,
}

/// Where the account's servers are and how to sign in there. An account of a provider with its
/// own transport has none.
#[derive(Clone)]
struct Servers {
    smtp: Endpoint,
    imap: Endpoint,
    credentials: mail::Credentials,
}

#[derive(Clone, Debug)]
pub(super) enum Submitting {
    /// No submission, or one that has not come to the body.
    Before,
    /// The hook has passed: the body is on its way.
    Body,
    Ended(SubmissionRecord),
    /// A submission was begun; it has not come to the body.
    Begun,
}

/// The IMAP connection, what is selected, and what listings have shown.
struct Reading {
    imap: imap::Session,
    selected: Option<(String, imap::Selected)>,
    listed: HashMap<(String, u32), imap::Found>,
}

impl Session {
    /// The session of a stored account.
    ///
    /// # Errors
    /// [`Error::Vault`] and [`Error::Outside`] when its credentials can't be opened.
    pub async fn open(env: &Env, account: &Account) -> Result<Self> {
        let (ws, id) = (account.workspace_id, account.id);
        let sealed = store::credentials(&mut env.db.reader(), ws, id).await?;
        Self::of_sealed(env, account, sealed.as_deref())
    }

    /// The same, with the credentials of its row.
    ///
    /// # Errors
    /// [`Error::Vault`] and [`Error::Outside`] when they can't be opened.
    pub(crate) fn of_sealed(env: &Env, account: &Account, sealed: Option<&str>) -> Result<Self> {
        let (ws, id) = (account.workspace_id, account.id);
        let credentials = sealed
            .map(|sealed| unseal(&env.vault, ws, id, sealed))
            .transpose()?;
        Ok(Self::with(env, account, credentials.as_ref()))
    }

    /// The session of an account with credentials that are not stored, or not yet.
    pub(super) fn with(env: &Env, account: &Account, credentials: Option<&Credentials>) -> Self {
        let settings: Option<MailSettings> = serde_json::from_value(account.settings.clone()).ok();
        let servers = settings
            .zip(credentials)
            .map(|(settings, credentials)| Servers {
                smtp: endpoint(&settings.smtp, settings.pinned_certificate.as_deref()),
                imap: endpoint(&settings.imap, settings.pinned_certificate.as_deref()),
                credentials: match credentials {
                    Credentials::Password { password } => mail::Credentials::Password {
                        user: settings.user_name.clone(),
                        password: password.clone(),
                    },
                },
            });
        Self {
            env: env.clone(),
            account: account.clone(),
            dialer: env.dialer.clone(),
            by_hand: false,
            servers,
            place: Mutex::default(),
            before_body: None,
            submission: watch::Sender::new(Submitting::Before),
            reading: tokio::sync::Mutex::default(),
            refusals: Mutex::default(),
        }
    }

    /// Waits less long, because somebody waits for the outcome.
    pub(super) fn impatient(mut self) -> Self {
        self.dialer = mail::check::impatient(&self.dialer);
        self.by_hand = true;
        self
    }

    /// Awaits `hook` between the server's 354 and the first byte of a mail's body (SAFE-3).
    /// Without one nothing can be submitted.
    pub fn before_body(mut self, hook: Arc<dyn BeforeBody>) -> Self {
        self.before_body = Some(hook);
        self
    }

    /// Waits until a connection for the submission may be used. An account without servers needs
    /// none.
    ///
    /// # Errors
    /// [`NoPlace`]: all stay in use, or the host is left alone (SAF-3).
    pub(crate) async fn reserve(&self) -> Result<(), NoPlace> {
        if let Some(servers) = &self.servers {
            let place = self.find_place(servers).await?;
            *self.place() = Some(place);
        }
        Ok(())
    }

    async fn find_place(&self, servers: &Servers) -> Result<Place, NoPlace> {
        let id = self.account.id;
        Connections::place(&self.env, id, &servers.smtp, &servers.credentials).await
    }

    fn place(&self) -> MutexGuard<'_, Option<Place>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the submission ended; waits for it where it still goes on, because the guest's call
    /// was cut short. Never [`SubmissionRecord::Cut`]. A failure at the stage `body` without a
    /// reply means that nobody knows whether the mail was taken (SAFE-3).
    pub async fn settle(&self) -> SubmissionRecord {
        let mut changes = self.submission.subscribe();
        loop {
            match &*changes.borrow_and_update() {
                Submitting::Before => return SubmissionRecord::NotTried,
                Submitting::Ended(record) => return record.clone(),
                Submitting::Begun | Submitting::Body => {}
            }
            if changes.changed().await.is_err() {
                return SubmissionRecord::NotTried;
            }
        }
    }

    /// The certificate that the server of a leg (`smtp`, `imap`) showed when it was refused, for
    /// pinning (MB-2).
    pub fn refused_certificate(&self, leg: &str) -> Option<String> {
        self.refusals().certificates.get(leg).cloned()
    }

    /// The last failure of this session, as the host saw it (MB-3).
    pub fn last_failure(&self) -> Option<Failure> {
        self.refusals().last.clone()
    }

    fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says goodbye to the servers.
    pub async fn close(&self) {
        if let Some(reading) = self.reading.lock().await.take() {
            reading.imap.logout().await;
        }
    }

    /// The bytes of mails in one folder, each cut off at `bytes_each`; those that have vanished,
    /// or whose UIDs meant something under another UIDVALIDITY, are left out (MB-8).
    ///
    /// # Errors
    /// At the stages up to `fetch`.
    pub async fn fetch(
        &self,
        folder: &str,
        uid_validity: u32,
        uids: &[u32],
        bytes_each: usize,
    ) -> Result<Vec<imap::Mail>, Failure> {
        self.reading(Some(folder), async |reading| {
            let valid = reading
                .selected
                .as_ref()
                .is_some_and(|(_, s)| s.uid_validity == uid_validity);
            if !valid {
                return Ok(Vec::new());
            }
            // One that no listing has shown may be of any size: only its beginning.
            let unseen = |uid| imap::Found {
                uid,
                size: u64::MAX,
                flags: Vec::new(),
                message_id: None,
            };
            let listed = |uid: &u32| reading.listed.get(&(folder.to_owned(), *uid)).cloned();
            let found: Vec<imap::Found> = uids
                .iter()
                .map(|uid| listed(uid).unwrap_or_else(|| unseen(*uid)))
                .collect();
            reading.imap.fetch(&found, bytes_each).await
        })
        .await
    }

    /// The size of a mail that this session has listed.
    pub async fn listed_size(&self, folder: &str, uid: u32) -> Option<u64> {
        let reading = self.reading.lock().await;
        let place = (folder.to_owned(), uid);
        reading.as_ref()?.listed.get(&place).map(|found| found.size)
    }

    /// Files a mail into a folder as seen (MB-9).
    ///
    /// # Errors
    /// At the stages up to `append`.
    pub async fn append(&self, folder: &str, mail: &[u8]) -> Result<(), Failure> {
        self.reading(None, async |reading| {
            reading.imap.append(folder, mail, &[imap::Flag::Seen]).await
        })
        .await
    }

    /// Only the IMAP connection, with `folder` selected: all that waiting for changes needs.
    ///
    /// # Errors
    /// At the stages up to `select`.
    pub(crate) async fn into_folder(self, folder: &str) -> Result<imap::Session, Failure> {
        self.reading(Some(folder), async |_| Ok(())).await?;
        let reading = self.reading.into_inner();
        Ok(reading.expect("it was just used, and it worked").imap)
    }

    fn servers(&self) -> Result<&Servers, Failure> {
        self.servers.as_ref().ok_or_else(|| Failure {
            stage: Stage::Dns,
            code: "no_server".to_owned(),
            reply: None,
            detail: "this account has no SMTP and IMAP servers, or no password".to_owned(),
        })
    }

    fn failure(&self, leg: &'static str, error: &mail::Error) -> Failure {
        let failure = failure(error);
        let mut refusals = self.refusals();
        if let mail::Cause::Certificate { fingerprint, .. } = &error.cause {
            refusals.certificates.insert(leg, fingerprint.to_string());
        }
        refusals.last = Some(failure.clone());
        failure
    }

    /// A connection that could not be opened.
    async fn explain(&self, leg: &'static str, endpoint: &Endpoint, error: mail::Error) -> Failure {
        let error = mail::check::explained(&self.dialer, endpoint, error).await;
        self.failure(leg, &error)
    }

    async fn connect_imap(&self, servers: &Servers) -> Result<imap::Session, Failure> {
        let endpoint = &servers.imap;
        let hosts = &self.env.connections;
        if !self.by_hand
            && let Err(until) = hosts.admit(&self.env, endpoint)
        {
            return Err(left_alone(NoPlace::resting(endpoint, until).why));
        }
        let result = imap::Session::connect(&self.dialer, endpoint, &servers.credentials).await;
        hosts.dialled(&self.env, endpoint, &result);
        match result {
            Ok(session) => Ok(session),
            Err(error) => Err(self.explain("imap", endpoint, error).await),
        }
    }

    /// Runs `work` on the IMAP connection, with `folder` selected. A connection that broke is
    /// given up; the next call opens another.
    async fn reading<T>(
        &self,
        folder: Option<&str>,
        work: impl AsyncFnOnce(&mut Reading) -> mail::Result<T>,
    ) -> Result<T, Failure> {
        let servers = self.servers()?;
        let mut place = self.reading.lock().await;
        // Out of its place while it is used: a call that is cut short leaves no half-read answer.
        let mut reading = match place.take() {
            Some(reading) => reading,
            None => Reading {
                // Rare, and far larger than the rest.
                imap: Box::pin(self.connect_imap(servers)).await?,
                selected: None,
                listed: HashMap::new(),
            },
        };
        let result = async {
            if let Some(folder) = folder {
                reading.select(folder).await?;
            }
            work(&mut reading).await
        }
        .await;
        if reading.imap.is_usable() {
            *place = Some(reading);
        }
        result.map_err(|error| self.failure("imap", &error))
    }
}

impl Reading {
    async fn select(&mut self, folder: &str) -> mail::Result<imap::Selected> {
        if let Some((name, selected)) = &self.selected
            && name == folder
        {
            return Ok(*selected);
        }
        self.select_anew(folder).await
    }

    async fn select_anew(&mut self, folder: &str) -> mail::Result<imap::Selected> {
        self.selected = None;
        self.listed.retain(|(listed, _), _| listed != folder);
        let selected = self.imap.select(folder).await?;
        self.selected = Some((folder.to_owned(), selected));
        Ok(selected)
    }
}

/// Where the servers of a mailbox are: for sending, for reading. None where its provider brings its
/// own transport.
pub fn endpoints(account: &Account) -> Option<(Endpoint, Endpoint)> {
    let settings: MailSettings = serde_json::from_value(account.settings.clone()).ok()?;
    let pinned = settings.pinned_certificate.as_deref();
    Some((
        endpoint(&settings.smtp, pinned),
        endpoint(&settings.imap, pinned),
    ))
}

fn endpoint(server: &MailServer, pinned: Option<&str>) -> Endpoint {
    Endpoint {
        host: server.host.clone(),
        port: server.port,
        security: match server.tls {
            TlsMode::Implicit => Security::Implicit,
            TlsMode::Starttls => Security::Starttls,
        },
        // What is no fingerprint was refused when it was saved.
        pinned: pinned.and_then(|text| text.parse().ok()),
    }
}
