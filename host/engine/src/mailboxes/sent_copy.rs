//! Copies of sent mails for servers that file none (MB-9).

use overture_domain::accounts::{Account, MailSettings};
use overture_plugin_host::capabilities::mailbox::{Failure, MailSession as _, SpecialUse};

use super::Session;

/// Files a mail that the server took into the mailbox's Sent folder, where the server doesn't do
/// so by itself. Whether it filed one. The outcome is no evidence of the send (SAFE-3): call it
/// after the outcome is recorded, and only log its error.
///
/// # Errors
/// How far it came with the IMAP server.
pub async fn file_sent_copy(
    session: &Session,
    account: &Account,
    mail: &[u8],
) -> Result<bool, Failure> {
    let settings = serde_json::from_value::<MailSettings>(account.settings.clone());
    if settings.is_ok_and(|settings| settings.files_sent) || account.settings.get("imap").is_none()
    {
        return Ok(false);
    }
    let folders = session.folders().await?;
    let sent = folders
        .iter()
        .find(|folder| folder.special_use == Some(SpecialUse::Sent) && folder.selectable);
    match sent {
        Some(folder) => session.append(&folder.name, mail).await.map(|()| true),
        None => Ok(false),
    }
}
