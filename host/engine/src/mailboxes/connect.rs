//! Connecting a mailbox (MB-1, MB-11).

use overture_domain::{
    CampaignId, WorkspaceId,
    accounts::{Account, AccountStatus, Channel, MailServer},
    people::Actor,
    prospects::{email_domain, email_problem},
};
use overture_store::{accounts as store, accounts::StatusChange, campaigns, events};
use overture_vault::Secret;
use serde_json::Value;

use crate::{Env, Error, FieldError, Part, Result, sends};

use super::{
    Leg, get,
    input::{self, ServersInput},
    session, status, trial,
};

/// A mailbox as a person describes it. The preset fills what is missing.
#[derive(Clone, Debug, Default)]
pub struct NewMailbox {
    pub address: String,
    /// Shown beside the address in From; empty is allowed.
    pub sender_name: String,
    /// The id of the provider plugin; by default the one that has the preset.
    pub provider: Option<String>,
    /// The preset's key; by default the one proposed for the address's domain, else `custom`.
    pub preset: Option<String>,
    /// By default the address (MB-11).
    pub user_name: Option<String>,
    pub password: Option<Secret>,
    pub smtp: Option<MailServer>,
    pub imap: Option<MailServer>,
    /// SHA-256 of the one certificate to accept (MB-2).
    pub pinned_certificate: Option<String>,
    /// The server files sent mails into Sent by itself; by default what the preset says (MB-9).
    pub files_sent: Option<bool>,
    /// Within how many minutes it files every mail (SAFE-3); by default the preset's.
    pub sent_within_minutes: Option<u32>,
    /// Settings of a provider that dials no servers.
    pub settings: Option<Value>,
    /// By default [`DEFAULT_DAILY_LIMIT`](super::DEFAULT_DAILY_LIMIT).
    pub daily_limit: Option<i64>,
    /// By default the workspace's.
    pub time_zone: Option<String>,
    pub signature_html: String,
    pub signature_text: String,
    /// Save it also when the test fails, with status error (MB-11).
    pub save_anyway: bool,
}

/// A connected mailbox and how its test went.
#[derive(Clone, Debug)]
pub struct Connected {
    pub account: Account,
    pub legs: Vec<Leg>,
    /// Campaigns that the same address left when it was deleted: it sends for them again when it
    /// is added to their pool (MB-5).
    pub left: Vec<(CampaignId, String)>,
}

/// Tests a mailbox and saves it; its first sync is due at once. One that was deleted comes back as
/// the same mailbox, so that what it sent today counts, also in another zone (CAP-2), but into no
/// campaign by itself.
///
/// # Errors
/// [`Error::Invalid`] for what is missing or wrong, and with one detail for each leg that doesn't
/// work, unless `save_anyway`; [`Error::Conflict`] when the workspace has the address;
/// [`Error::Outside`] when the provider plugin can't be called.
pub async fn connect(
    env: &Env,
    ws: WorkspaceId,
    new: NewMailbox,
    actor: &Actor,
) -> Result<Connected> {
    let taken = || {
        let message = format!(
            "the workspace has the mailbox {} already",
            new.address.trim()
        );
        Error::Conflict(message)
    };
    let mut account = account(env, ws, &new).await?;
    if store::find_by_address(&mut env.db.reader(), ws, Channel::Mail, &account.address)
        .await?
        .is_some()
    {
        return Err(taken());
    }
    let on = &mut env.db.reader();
    let former = store::find_deleted(on, ws, Channel::Mail, &account.address).await?;
    if let Some(former) = &former {
        account.id = former.id;
    }
    let credentials = new.password.as_ref().map(input::password);
    let legs = trial::with_credentials(env, &account, credentials.as_ref()).await?;
    let passed = trial::passed(&legs);
    if !passed && !new.save_anyway {
        return Err(trial::refusal(&legs));
    }
    let change = StatusChange {
        audit_id: account.status_audit_id,
        from: former.as_ref().map(|former| former.status),
        to: if passed {
            AccountStatus::Connected
        } else {
            AccountStatus::Error
        },
        reason: if passed {
            "the connection test passed".to_owned()
        } else {
            trial::reason(&legs)
        },
        actor: actor.to_string(),
        at: account.updated_at,
    };
    let sealed = credentials.map(|plain| session::seal(&env.vault, ws, account.id, &plain));
    let mut tx = env.db.begin().await?;
    let sealed = sealed.as_deref();
    let (saved, left) = match former {
        None => (
            store::insert(&mut tx, &account, sealed, &change).await,
            Vec::new(),
        ),
        Some(former) => {
            let left = campaigns::leave_pools(&mut tx, ws, account.id).await?;
            let zones = (former.time_zone.as_str(), account.time_zone.as_str());
            let moved = sends::of_mailbox_calendar(account.id);
            sends::move_zone_in(&mut tx, ws, &moved, zones, env.now()).await?;
            (
                store::revive(&mut tx, &account, sealed, &change).await,
                left,
            )
        }
    };
    match saved {
        Err(overture_store::Error::Unique) => return Err(taken()),
        other => other?,
    }
    let event = status::changed(env, &account, change.from, change.to, &change.reason);
    events::insert(&mut tx, &[event]).await?;
    tx.commit().await?;
    env.wakes.wake(Part::Inboxes);
    env.wakes.wake(Part::Sends);
    let account = get(env, ws, account.id).await?;
    Ok(Connected {
        account,
        legs,
        left,
    })
}

async fn account(env: &Env, ws: WorkspaceId, new: &NewMailbox) -> Result<Account> {
    let mut wrong = Vec::new();
    let address = new.address.trim().to_owned();
    if let Some(problem) = email_problem(&address) {
        wrong.push(FieldError::new("emailAddress", "invalid", problem));
    }
    let daily_limit = new.daily_limit.unwrap_or(input::DEFAULT_DAILY_LIMIT);
    input::check_daily_limit(daily_limit, &mut wrong);
    let time_zone = match &new.time_zone {
        Some(zone) => zone.clone(),
        None => input::workspace_time_zone(env, ws).await?,
    };
    input::check_time_zone(&time_zone, &mut wrong);
    if new.sender_name.chars().any(char::is_control) || new.sender_name.chars().count() > 200 {
        let message = "a name has at most 200 characters and no line breaks";
        wrong.push(FieldError::new("senderName", "invalid", message));
    }

    let presets = env.providers.presets(ws).await;
    let domain = email_domain(&address);
    let found = input::preset(
        &presets,
        new.provider.as_deref(),
        new.preset.as_deref(),
        &domain,
    );
    let (provider, preset, settings) = match found {
        Err(error) => {
            wrong.push(error);
            Default::default()
        }
        Ok(found) => {
            // A service that asks for no sign-in is dialled by nobody.
            let settings = if found.preset.auth.is_empty() {
                let settings = new.settings.clone();
                let settings = settings.unwrap_or_else(|| Value::Object(Default::default()));
                if !settings.is_object() {
                    wrong.push(FieldError::new(
                        "settings",
                        "invalid",
                        "a JSON object is wanted",
                    ));
                }
                settings
            } else {
                if new.password.as_ref().is_none_or(Secret::is_empty) {
                    let message = match &*found.preset.password_hint {
                        "" => "the mailbox's password is needed",
                        hint => hint,
                    };
                    wrong.push(FieldError::new("password", "required", message));
                }
                let servers = ServersInput {
                    user_name: new.user_name.clone(),
                    smtp: new.smtp.clone(),
                    imap: new.imap.clone(),
                    pinned_certificate: new.pinned_certificate.clone(),
                    files_sent: new.files_sent,
                    sent_within_minutes: new.sent_within_minutes,
                };
                input::mail_settings(&found.preset, &address, servers, &mut wrong)
            };
            (found.provider.clone(), found.preset.key.clone(), settings)
        }
    };
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    let now = env.now();
    Ok(Account {
        id: env.id(),
        workspace_id: ws,
        channel: Channel::Mail,
        provider,
        preset,
        address,
        sender_name: new.sender_name.trim().to_owned(),
        status: AccountStatus::Connecting,
        status_reason: String::new(),
        status_audit_id: env.id(),
        settings,
        daily_limit,
        time_zone,
        signature_html: new.signature_html.clone(),
        signature_text: new.signature_text.clone(),
        next_send_at: now,
        backoff_until: Default::default(),
        backoff_rung: 0,
        auth_failures: 0,
        sync_cursor: None,
        sync_due_at: now,
        synced_at: None,
        sync_error: None,
        created_at: now,
        updated_at: now,
    })
}
