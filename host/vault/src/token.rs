//! Signed tokens in links that go out with mails (TRK-1, TRK-4): opened through
//! [`Vault::sign_token`](crate::Vault::sign_token) and
//! [`verify_token`](crate::Vault::verify_token).
//!
//! `base64url(version · expiry in unix seconds, 4 bytes · payload · first 16 bytes of
//! HMAC-SHA256)`. A token with a payload of two ids has 71 characters. It is signed, not
//! encrypted: whoever has it may read it, and nobody can make another.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use overture_domain::Timestamp;
use subtle::ConstantTimeEq;

use crate::keys::hmac;

const VERSION: u8 = 1;
const HEAD: usize = 5;
const MAC: usize = 16;
/// Longer texts are refused before they cost anything.
const LONGEST: usize = 2048;

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not signed by this instance for this purpose, cut off, or not a token at all.
    #[error("this link is not valid; open it exactly as it stands in the mail")]
    Forged,
    /// Signed by this instance, and too old.
    #[error("this link has expired")]
    Expired,
}

pub(crate) fn sign(key: &[u8; 32], payload: &[u8], expires: Option<Timestamp>) -> String {
    // 0 stands for "never"; a moment before 1970 or after 2106 goes to the nearest that fits.
    let expires = expires.map_or(0, |at| at.as_secs().clamp(1, i64::from(u32::MAX)) as u32);
    let mut token = vec![VERSION];
    token.extend(expires.to_be_bytes());
    token.extend(payload);
    token.extend(&hmac(key, &[&token])[..MAC]);
    B64.encode(token)
}

pub(crate) fn verify(key: &[u8; 32], token: &str, now: Timestamp) -> Result<Vec<u8>, TokenError> {
    let token = Some(token)
        .filter(|token| token.len() <= LONGEST)
        .and_then(|token| B64.decode(token).ok())
        .filter(|token| token.len() >= HEAD + MAC && token[0] == VERSION)
        .ok_or(TokenError::Forged)?;
    let (signed, mac) = token.split_at(token.len() - MAC);
    if !bool::from(hmac(key, &[signed])[..MAC].ct_eq(mac)) {
        return Err(TokenError::Forged);
    }
    let expires = signed[1..HEAD].try_into().map_or(0, u32::from_be_bytes);
    if expires != 0 && now.as_secs() >= i64::from(expires) {
        return Err(TokenError::Expired);
    }
    Ok(signed[HEAD..].to_vec())
}
