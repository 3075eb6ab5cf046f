//! Secrets and signatures of webhook deliveries (API-7): Standard Webhooks and the `t=,v1=` scheme.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD as B64};
use overture_domain::{Rng, Timestamp};
use zeroize::Zeroizing;

use crate::{Error, Result, Secret, keys::hmac};

const PREFIX: &str = "whsec_";
/// Of new secrets, as Svix makes them.
const BYTES: usize = 24;

/// What an endpoint and Overture share: `whsec_` and base64 of 24 to 64 bytes.
#[derive(Clone)]
pub struct WebhookSecret {
    text: Secret,
    key: Zeroizing<Vec<u8>>,
}

/// The values of the two signature headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signatures {
    /// Of `webhook-signature`: `v1,<base64>`, one a secret, separated by spaces.
    pub standard: String,
    /// Of `webhook-timestamp`: unix seconds.
    pub standard_timestamp: String,
    /// Of `X-Warmy-Signature`: `t=<unix ms>,v1=<hex>`, one `v1` a secret.
    pub warmy: String,
    /// Of `X-Warmy-Timestamp`: unix milliseconds.
    pub warmy_timestamp: String,
}

impl WebhookSecret {
    /// A new secret.
    pub fn generate(rng: &dyn Rng) -> Self {
        let mut key = Zeroizing::new(vec![0; BYTES]);
        rng.fill(&mut key);
        Self {
            text: Secret::new(format!("{PREFIX}{}", *Zeroizing::new(B64.encode(&*key)))),
            key,
        }
    }

    /// Reads a secret that was stored or given.
    ///
    /// # Errors
    /// [`Error::WebhookSecret`].
    pub fn parse(text: &str) -> Result<Self> {
        let key = text
            .strip_prefix(PREFIX)
            .and_then(|digits| B64.decode(digits).ok())
            .map(Zeroizing::new)
            .filter(|key| (24..=64).contains(&key.len()))
            .ok_or(Error::WebhookSecret)?;
        Ok(Self {
            text: Secret::new(text),
            key,
        })
    }

    /// The text, to seal it or to show it once.
    pub fn text(&self) -> &Secret {
        &self.text
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whsec_***")
    }
}

/// Signs one attempt at the real moment `at`, with every secret that is valid then: the newest
/// first, during a rotation followed by the one before (API-7).
///
/// Standard Webhooks signs `id.seconds.body` with the decoded bytes; the `t=,v1=` scheme signs
/// `ms.body` with the whole text of the secret, as its receivers do. `id` is the event's id.
pub fn sign(secrets: &[WebhookSecret], id: &str, at: Timestamp, body: &[u8]) -> Signatures {
    let seconds = at.as_secs().to_string();
    let millis = at.as_millis().to_string();
    let mut standard = Vec::new();
    let mut warmy = format!("t={millis}");
    for secret in secrets {
        let parts: [&[u8]; 5] = [id.as_bytes(), b".", seconds.as_bytes(), b".", body];
        standard.push(format!("v1,{}", B64.encode(hmac(&secret.key, &parts))));
        let parts: [&[u8]; 3] = [millis.as_bytes(), b".", body];
        warmy.push_str(",v1=");
        warmy.push_str(&hex::encode(hmac(secret.text.expose().as_bytes(), &parts)));
    }
    Signatures {
        standard: standard.join(" "),
        standard_timestamp: seconds,
        warmy,
        warmy_timestamp: millis,
    }
}
