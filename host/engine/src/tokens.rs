//! The signed tokens in the links of our mails (TRK-1, TRK-4): nobody can make one for another mail,
//! or for another purpose.

use overture_domain::{EnrollmentId, Timestamp, WorkspaceId, messages::MailKey};
use uuid::Uuid;

use crate::Env;

const UUID: usize = 16;
const STEP: usize = 2;

/// A token that names a mail and, for some purposes, something in it.
pub(crate) fn sign(
    env: &Env,
    purpose: &str,
    mail: MailKey,
    more: &[u8],
    expires: Option<Timestamp>,
) -> String {
    let step = u16::try_from(mail.step_index).unwrap_or(u16::MAX);
    let mut payload = Vec::with_capacity(2 * UUID + STEP + more.len());
    payload.extend(mail.workspace_id.uuid().as_bytes());
    payload.extend(mail.enrollment_id.uuid().as_bytes());
    payload.extend(step.to_be_bytes());
    payload.extend(more);
    env.vault.sign_token(purpose, &payload, expires)
}

/// What a token of this purpose names; none for one that this instance did not make, or that has
/// expired.
pub(crate) fn read(
    env: &Env,
    purpose: &str,
    token: &str,
    now: Timestamp,
) -> Option<(MailKey, Vec<u8>)> {
    let payload = env.vault.verify_token(purpose, token, now).ok()?;
    let (workspace, rest) = payload.split_first_chunk::<UUID>()?;
    let (enrollment, rest) = rest.split_first_chunk::<UUID>()?;
    let (step, more) = rest.split_first_chunk::<STEP>()?;
    let mail = MailKey {
        workspace_id: WorkspaceId::from_uuid(Uuid::from_bytes(*workspace)),
        enrollment_id: EnrollmentId::from_uuid(Uuid::from_bytes(*enrollment)),
        step_index: i64::from(u16::from_be_bytes(*step)),
    };
    Some((mail, more.to_vec()))
}
