//! What an admin must see to (OPS-7): looked for every minute where it shows, opened once, and
//! closed when its cause is gone.

use std::time::Duration;

use overture_domain::{AlertId, WorkspaceId, alerts::Alert, people::Actor};
use overture_plugin_host::Quarantine;
use overture_store::alerts::{self as store, Found, Seen, Who};

use crate::{Due, Env, Error, Result, mailboxes};

pub use overture_domain::alerts::AlertCode;

const EVERY: Duration = Duration::from_secs(60);

/// Which plugins of this process keep failing. The registry of plugins implements it.
pub trait PluginHealth: Send + Sync {
    /// Plugins that came into quarantine in a workspace and have not worked since (PLG-3).
    fn failing(&self) -> Vec<Quarantine>;

    /// Why no mail can go out with the plugins that are loaded, if so (OPS-3).
    fn unready(&self) -> Option<String> {
        None
    }
}

/// Something that is wrong now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    pub workspace: Option<WorkspaceId>,
    pub subject: String,
    pub message: String,
    pub count: i64,
}

impl Cause {
    /// Something in a workspace.
    pub(crate) fn of(ws: WorkspaceId, subject: &impl ToString) -> Self {
        Self {
            workspace: Some(ws),
            subject: subject.to_string(),
            message: String::new(),
            count: 1,
        }
    }
}

/// Tells all that is wrong of a kind, from what every process sees alike.
///
/// # Errors
/// Only the store's.
pub(crate) async fn tell(env: &Env, code: AlertCode, causes: &[Cause]) -> Result<()> {
    tell_by(env, code, causes, Who::Any).await
}

async fn tell_by(env: &Env, code: AlertCode, causes: &[Cause], who: Who) -> Result<()> {
    // As it is most of the time: then nothing is written.
    if causes.is_empty() && !store::is_open(&mut env.db.reader(), code).await? {
        return Ok(());
    }
    let seen: Vec<Seen> = causes
        .iter()
        .map(|cause| Seen {
            id: env.id(),
            workspace_id: cause.workspace,
            subject: cause.subject.clone(),
            message: cause.message.clone(),
            count: cause.count,
        })
        .collect();
    let mut tx = env.db.begin().await?;
    let opened = store::tell(&mut tx, code, &seen, who, env.now()).await?;
    tx.commit().await?;
    if opened > 0 {
        tracing::warn!(code = %code, opened, "there is something to see to; `overture doctor` says what");
    }
    Ok(())
}

/// Looks for what is wrong. The answer is in real time.
///
/// # Errors
/// Only the store's.
pub async fn tick(env: &Env) -> Result<Due> {
    let on = &mut env.db.reader();
    let dead: Vec<_> = (store::dead_letters(on).await?.iter())
        .map(dead_letters)
        .collect();
    tell(env, AlertCode::WebhookDeadLetters, &dead).await?;
    let gone: Vec<_> = (store::disconnected(on).await?.iter())
        .filter(|found| found.reason != mailboxes::status::BY_HAND)
        .map(disconnected)
        .collect();
    tell(env, AlertCode::MailboxDisconnected, &gone).await?;

    // What follows is known to this process alone.
    let real = env.real.now();
    let me = Who::Host(env.host, real - env.config.host_dead_after);
    let resting: Vec<_> = env.health.failing().iter().map(failing).collect();
    tell_by(env, AlertCode::PluginFailing, &resting, me).await?;
    let left_alone = env.connections.left_alone();
    let hosts: Vec<_> = (left_alone.iter())
        .map(|(host, port, failures)| Cause {
            workspace: None,
            subject: format!("{host}:{port}"),
            message: format!("{failures} connections in a row to {host}:{port} have failed; all mailboxes on it wait"),
            count: i64::from(*failures),
        })
        .collect();
    tell_by(env, AlertCode::MailHostUnreachable, &hosts, me).await?;
    Ok(Due::At(real + EVERY))
}

fn dead_letters(found: &Found) -> Cause {
    let disabled = match found.reason.as_str() {
        "" => String::new(),
        reason => format!("; the webhook is switched off: {reason}"),
    };
    Cause {
        message: format!(
            "{} deliveries to {} were given up{disabled}",
            found.count, found.name
        ),
        count: found.count,
        ..Cause::of(found.workspace_id, &found.subject)
    }
}

fn disconnected(found: &Found) -> Cause {
    let why = match found.reason.as_str() {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    Cause {
        message: format!("{} is disconnected{why}", found.name),
        ..Cause::of(found.workspace_id, &found.subject)
    }
}

fn failing(resting: &Quarantine) -> Cause {
    let Quarantine {
        plugin,
        workspace,
        failures,
        last,
        ..
    } = resting;
    Cause {
        message: format!("{plugin} failed {failures} times in a row; the last: {last}"),
        count: i64::from(*failures),
        ..Cause::of(*workspace, &format!("{plugin} {workspace}"))
    }
}

/// Somebody sees to an open alert; the first who says so is kept. `of_instance`: they may see to
/// those of the whole instance.
///
/// # Errors
/// [`Error::NotFound`] where there is no such open alert.
pub async fn acknowledge(
    env: &Env,
    ws: WorkspaceId,
    of_instance: bool,
    id: AlertId,
    actor: &Actor,
) -> Result<Alert> {
    let mut tx = env.db.begin().await?;
    let by = actor.to_string();
    let alert = store::acknowledge(&mut tx, ws, of_instance, id, &by, env.now()).await?;
    let alert = alert.ok_or(Error::NotFound("open alert"))?;
    tx.commit().await?;
    Ok(alert)
}
