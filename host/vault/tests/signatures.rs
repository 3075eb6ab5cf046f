//! Tokens in links (TRK-1, TRK-4), and deliveries as their receivers verify them (API-7).

#![expect(clippy::unwrap_used, reason = "a test's helpers panic like the test")]

use std::{sync::Arc, time::Duration};

use overture_domain::{Timestamp, rng::SeededRng};
use overture_vault::{TokenError, Vault, WebhookSecret, webhook};
use proptest::prelude::*;

fn vault(seed: u64) -> Vault {
    Vault::ephemeral(Arc::new(SeededRng::new(seed)))
}

fn now() -> Timestamp {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

const DAY: Duration = Duration::from_secs(86_400);

// TRK-1
#[test]
fn a_token_is_good_for_its_days_and_no_longer() {
    let vault = vault(1);
    let token = vault.sign_token("click", b"enr_1 2", Some(now() + 90 * DAY));
    let at = |moment| vault.verify_token("click", &token, moment);
    assert_eq!(at(now()).unwrap(), b"enr_1 2");
    assert_eq!(
        at(now() + 90 * DAY - Duration::from_secs(1)).unwrap(),
        b"enr_1 2"
    );
    assert_eq!(at(now() + 90 * DAY), Err(TokenError::Expired));
}

// TRK-4: an unsubscribe link works for ever.
#[test]
fn a_token_without_expiry_stays_good() {
    let vault = vault(1);
    let token = vault.sign_token("unsubscribe", b"enr_1", None);
    assert_eq!(
        vault
            .verify_token("unsubscribe", &token, Timestamp::MAX)
            .unwrap(),
        b"enr_1"
    );
}

// TRK-1: a token for one purpose or instance is worth nothing for another.
#[test]
fn purposes_and_instances_are_apart() {
    let token = vault(1).sign_token("open", b"enr_1", None);
    assert_eq!(
        vault(1).verify_token("unsubscribe", &token, now()),
        Err(TokenError::Forged)
    );
    assert_eq!(
        vault(2).verify_token("open", &token, now()),
        Err(TokenError::Forged)
    );
}

#[test]
fn a_token_is_short_and_fits_a_link() {
    let token = vault(1).sign_token("open", &[0xff; 32], Some(now()));
    assert_eq!(token.len(), 71);
    assert!(
        token
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    );
}

#[test]
fn nonsense_is_forged() {
    for token in [
        "",
        "AQ",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "%%%",
        &"A".repeat(100_000),
    ] {
        assert_eq!(
            vault(1).verify_token("open", token, now()),
            Err(TokenError::Forged)
        );
    }
}

proptest! {
    // TRK-1
    #[test]
    fn no_altered_token_passes(
        payload in prop::collection::vec(any::<u8>(), 0..40),
        place in any::<prop::sample::Index>(),
        with in "[A-Za-z0-9_-]",
    ) {
        let vault = vault(1);
        let token = vault.sign_token("open", &payload, Some(now() + DAY));
        prop_assert_eq!(vault.verify_token("open", &token, now()).unwrap(), payload);
        let place = place.index(token.len());
        let mut altered = token.clone();
        altered.replace_range(place..=place, &with);
        prop_assume!(altered != token);
        prop_assert_eq!(vault.verify_token("open", &altered, now()), Err(TokenError::Forged));
    }
}

const BODY: &[u8] = br#"{"type":"reply.received","data":{"text":"gr\u00fc\u00dfe"}}"#;

/// The documented verification of `X-Warmy-Signature`, as a receiver writes it.
fn warmy_passes(secret: &str, header: &str, body: &[u8]) -> bool {
    use hmac::{Hmac, KeyInit, Mac};
    let mut parts = header.split(',').map(|part| part.split_once('=').unwrap());
    let Some(("t", at)) = parts.next() else {
        return false;
    };
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(at.as_bytes());
    mac.update(b".");
    mac.update(body);
    let wanted = hex::encode(mac.finalize().into_bytes());
    parts.any(|(version, signature)| version == "v1" && signature == wanted)
}

/// Verification by the public library, which wants a timestamp of today.
fn standard_passes(secret: &str, id: &str, at: &str, signature: &str, body: &[u8]) -> bool {
    let mut headers = http::HeaderMap::new();
    headers.insert(standardwebhooks::HEADER_WEBHOOK_ID, id.parse().unwrap());
    headers.insert(
        standardwebhooks::HEADER_WEBHOOK_TIMESTAMP,
        at.parse().unwrap(),
    );
    headers.insert(
        standardwebhooks::HEADER_WEBHOOK_SIGNATURE,
        signature.parse().unwrap(),
    );
    standardwebhooks::Webhook::new(secret)
        .unwrap()
        .verify(body, &headers)
        .is_ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the public library compares with the real clock"
)]
fn today() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_secs(0) + since.unwrap()
}

// API-7
#[test]
fn the_public_library_and_the_documented_scheme_accept_a_delivery() {
    let secret = WebhookSecret::generate(&SeededRng::new(1));
    let text = secret.text().expose();
    let signed = webhook::sign(std::slice::from_ref(&secret), "evt_1", today(), BODY);
    let standard = |id: &str, body: &[u8]| {
        standard_passes(text, id, &signed.standard_timestamp, &signed.standard, body)
    };
    assert!(standard("evt_1", BODY));
    assert!(!standard("evt_2", BODY));
    assert!(!standard("evt_1", b"{}"));
    assert!(warmy_passes(text, &signed.warmy, BODY));
    assert!(!warmy_passes(text, &signed.warmy, b"{}"));
    assert!(
        signed
            .warmy
            .starts_with(&format!("t={},v1=", signed.warmy_timestamp))
    );
}

// API-7: both secrets for 24 h.
#[test]
fn during_a_rotation_either_secret_verifies() {
    let rng = SeededRng::new(1);
    let (new, old) = (WebhookSecret::generate(&rng), WebhookSecret::generate(&rng));
    let signed = webhook::sign(&[new.clone(), old.clone()], "evt_1", today(), BODY);
    for secret in [new, old] {
        let text = secret.text().expose();
        let at = &signed.standard_timestamp;
        assert!(standard_passes(text, "evt_1", at, &signed.standard, BODY));
        assert!(warmy_passes(text, &signed.warmy, BODY));
    }
    let third = WebhookSecret::generate(&rng);
    assert!(!warmy_passes(third.text().expose(), &signed.warmy, BODY));
}

// API-7: fixed values, made by Node's crypto and by the public library.
#[test]
fn known_values() {
    let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let at = Timestamp::from_millis(1_614_265_330_123);
    let signed = webhook::sign(
        &[secret],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        at,
        br#"{"test": 2432232314}"#,
    );
    // From the Standard Webhooks test vectors.
    assert_eq!(
        signed.standard,
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    );
    assert_eq!(signed.standard_timestamp, "1614265330");
    assert_eq!(signed.warmy_timestamp, "1614265330123");
    assert_eq!(signed.warmy, format!("t=1614265330123,v1={WARMY}"));
}

const WARMY: &str = "c29b7a4feff7191ee68a473cd75189622479fda0a46ea2c702973e953c2b6f6a";

// API-7
#[test]
fn secrets_have_their_form() {
    let secret = WebhookSecret::generate(&SeededRng::new(1));
    let text = secret.text().expose();
    assert_eq!(text.len(), "whsec_".len() + 32);
    assert_eq!(WebhookSecret::parse(text).unwrap().text(), secret.text());
    assert_eq!(format!("{secret:?}"), "whsec_***");
    for text in [
        "",
        "whsec_",
        "whsec_c2hvcnQ=",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_!",
    ] {
        assert!(WebhookSecret::parse(text).is_err(), "{text}");
    }
}
