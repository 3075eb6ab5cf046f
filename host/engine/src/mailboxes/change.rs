//! Changing a mailbox in place: limits at once, servers and credentials after a passing test
//! (MB-4, MB-11).

use overture_domain::{
    AccountId, WorkspaceId,
    accounts::{Account, MailServer, MailSettings},
    people::Actor,
};
use overture_store::accounts as store;
use overture_vault::Secret;

use crate::{Env, Error, FieldError, Part, Result, sends, sends::Roomier};

use super::{get, input, session, status, trial};

/// What to change; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct MailboxChange {
    pub sender_name: Option<String>,
    /// Effective at the next tick (MB-4).
    pub daily_limit: Option<i64>,
    pub time_zone: Option<String>,
    pub signature_html: Option<String>,
    pub signature_text: Option<String>,
    pub user_name: Option<String>,
    pub password: Option<Secret>,
    pub smtp: Option<MailServer>,
    pub imap: Option<MailServer>,
    /// `Some(None)` takes the pin back.
    pub pinned_certificate: Option<Option<String>>,
    pub files_sent: Option<bool>,
    /// Within how many minutes it files every mail (SAFE-3); `Some(None)`: nobody knows.
    pub sent_within_minutes: Option<Option<u32>>,
}

impl MailboxChange {
    /// Whether something changes that a test must pass with first.
    fn touches_connection(&self) -> bool {
        self.user_name.is_some()
            || self.password.is_some()
            || self.smtp.is_some()
            || self.imap.is_some()
            || self.pinned_certificate.is_some()
    }
}

/// Changes a mailbox. New servers or credentials are tested first and the old ones stay when the
/// test fails; when it passes, a disconnected mailbox is connected again and its sends go on by
/// themselves.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for what is wrong, and with one detail for each leg of
/// a failed test; [`Error::Outside`] when the provider plugin can't be called.
pub async fn update(
    env: &Env,
    ws: WorkspaceId,
    id: AccountId,
    change: MailboxChange,
    actor: &Actor,
) -> Result<Account> {
    let before = get(env, ws, id).await?;
    let mut account = before.clone();
    apply(&mut account, &change)?;
    account.updated_at = env.now();

    let mut sealed = None;
    if change.touches_connection() {
        let credentials = change.password.as_ref().map(input::password);
        let legs = match &credentials {
            Some(credentials) => trial::with_credentials(env, &account, Some(credentials)).await?,
            None => trial::stored(env, &account).await?,
        };
        if !trial::passed(&legs) {
            return Err(trial::refusal(&legs));
        }
        sealed = credentials.map(|plain| session::seal(&env.vault, ws, id, &plain));
    }
    let mut tx = env.db.begin().await?;
    sends::call_up_in(&mut tx, env, ws, Roomier::Mailbox(id)).await?;
    if !store::update(&mut tx, &account, sealed.as_deref()).await? {
        return Err(Error::NotFound("mailbox"));
    }
    let zones = (before.time_zone.as_str(), account.time_zone.as_str());
    let moved = sends::of_mailbox_calendar(id);
    sends::move_zone_in(&mut tx, ws, &moved, zones, env.now()).await?;
    if change.touches_connection() {
        let reason = "tested with its new settings";
        status::connect_again_in(&mut tx, env, &before, reason, actor).await?;
    }
    tx.commit().await?;
    if change.touches_connection() {
        env.connections.forget(id);
    }
    env.wakes.wake(Part::Inboxes);
    env.wakes.wake(Part::Sends);
    get(env, ws, id).await
}

fn apply(account: &mut Account, change: &MailboxChange) -> Result<()> {
    let mut wrong = Vec::new();
    if let Some(limit) = change.daily_limit {
        input::check_daily_limit(limit, &mut wrong);
        account.daily_limit = limit;
    }
    if let Some(zone) = &change.time_zone {
        input::check_time_zone(zone, &mut wrong);
        account.time_zone.clone_from(zone);
    }
    if let Some(name) = &change.sender_name {
        account.sender_name = name.trim().to_owned();
    }
    if let Some(html) = &change.signature_html {
        account.signature_html.clone_from(html);
    }
    if let Some(text) = &change.signature_text {
        account.signature_text.clone_from(text);
    }
    if change.touches_connection()
        || change.files_sent.is_some()
        || change.sent_within_minutes.is_some()
    {
        match serde_json::from_value::<MailSettings>(account.settings.clone()) {
            Ok(settings) => {
                account.settings = with_servers(settings, &account.address, change, &mut wrong);
            }
            Err(_) => wrong.push(FieldError::new(
                "smtp",
                "invalid",
                "this mailbox is reached without servers: there is nothing to change",
            )),
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(wrong))
    }
}

fn with_servers(
    mut settings: MailSettings,
    address: &str,
    change: &MailboxChange,
    wrong: &mut Vec<FieldError>,
) -> serde_json::Value {
    if let Some(name) = &change.user_name {
        let name = name.trim();
        settings.user_name = if name.is_empty() { address } else { name }.to_owned();
    }
    for (field, new, place) in [
        ("smtp", &change.smtp, &mut settings.smtp),
        ("imap", &change.imap, &mut settings.imap),
    ] {
        if let Some(server) = new {
            if server.host.trim().is_empty() || server.port == 0 {
                wrong.push(FieldError::new(
                    field,
                    "invalid",
                    "host and port are needed",
                ));
            }
            place.clone_from(server);
        }
    }
    if let Some(pinned) = &change.pinned_certificate {
        if let Some(text) = pinned
            && let Err(message) = text.parse::<overture_mail::tls::Fingerprint>()
        {
            wrong.push(FieldError::new("pinnedCertificate", "invalid", message));
        }
        settings.pinned_certificate.clone_from(pinned);
    }
    if let Some(files_sent) = change.files_sent {
        settings.files_sent = files_sent;
    }
    if let Some(within) = change.sent_within_minutes {
        input::check_sent_within(within, wrong);
        settings.sent_within_minutes = within;
    }
    serde_json::to_value(settings).expect("settings serialise to JSON")
}
