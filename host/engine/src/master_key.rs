//! The master key in the database: which one it was sealed with, and sealing anew after a rotation
//! (OPS-4).

use overture_domain::{AccountId, WorkspaceId};
use overture_store::{
    Database, people,
    vault::{self as store, Sealed, SealedWebhook},
};
use overture_vault::{Binding, Vault};

use crate::{Result, idempotency, mailboxes, webhooks};

/// Where the instance keeps the check of its master key.
pub const KEY_CHECK: &str = "master_key_check";

/// How many texts were sealed anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    pub mailboxes: usize,
    pub webhooks: usize,
    pub answers: usize,
}

/// Seals every credential with the vault's current key and notes it as the database's, in one
/// transaction. No other process may work on the database: it would still hold the earlier key.
///
/// # Errors
/// [`crate::Error::Vault`] naming the record that can't be opened: then nothing is written, and
/// everything is readable with the keys as they were.
pub async fn reseal(db: &Database, vault: &Vault) -> Result<Resealed> {
    let mut tx = db.begin().await?;
    let mailboxes = anew(
        vault,
        store::credentials(&mut tx).await?,
        |ws: WorkspaceId, id: &AccountId| mailboxes::credentials_binding(ws, *id),
    )?;
    store::set_credentials(&mut tx, &mailboxes).await?;
    let mut hooks = Vec::new();
    for mut webhook in store::webhooks(&mut tx).await? {
        if reseal_webhook(vault, &mut webhook)? {
            hooks.push(webhook);
        }
    }
    store::set_webhooks(&mut tx, &hooks).await?;
    let answers = anew(vault, store::answers(&mut tx).await?, |ws, key: &String| {
        idempotency::binding(ws, key)
    })?;
    store::set_answers(&mut tx, &answers).await?;
    people::set_instance_value(&mut tx, KEY_CHECK, &vault.key_check()).await?;
    tx.commit().await?;
    Ok(Resealed {
        mailboxes: mailboxes.len(),
        webhooks: hooks.len(),
        answers: answers.len(),
    })
}

/// Those that were sealed with an earlier key, sealed with the current one.
fn anew<K>(
    vault: &Vault,
    sealed: Vec<Sealed<K>>,
    binding: impl Fn(WorkspaceId, &K) -> Binding,
) -> Result<Vec<Sealed<K>>> {
    let mut changed = Vec::new();
    for one in sealed {
        if let Some(text) = vault.reseal(&binding(one.workspace_id, &one.key), &one.text)? {
            changed.push(Sealed { text, ..one });
        }
    }
    Ok(changed)
}

fn reseal_webhook(vault: &Vault, webhook: &mut SealedWebhook) -> Result<bool> {
    let (ws, id) = (webhook.workspace_id, webhook.id);
    let secret = webhooks::secret_binding(ws, id);
    let texts = [
        (webhooks::url_binding(ws, id), Some(&mut webhook.url)),
        (secret.clone(), Some(&mut webhook.secret)),
        (secret, webhook.old_secret.as_mut()),
    ];
    let mut changed = false;
    for (binding, text) in texts {
        let Some(text) = text else { continue };
        if let Some(anew) = vault.reseal(&binding, text)? {
            *text = anew;
            changed = true;
        }
    }
    Ok(changed)
}
