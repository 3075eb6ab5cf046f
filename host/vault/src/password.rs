//! Passwords of people (WS-3): argon2id, 19 MiB, two passes (RFC 9106; OWASP's first choice).
//!
//! Both functions take 20 to 50 ms of CPU by design: call them on a blocking thread.

use std::sync::LazyLock;

use argon2::{
    Argon2,
    password_hash::{Error as HashError, PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use overture_domain::Rng;

use crate::{Error, Result, Secret};

/// The text to store for a password.
pub fn hash(password: &Secret, rng: &dyn Rng) -> String {
    let mut salt = [0; 16];
    rng.fill(&mut salt);
    hash_with(password, &salt)
}

fn hash_with(password: &Secret, salt: &[u8]) -> String {
    let hash: PasswordHash = Argon2::default()
        .hash_password_with_salt(password.expose().as_bytes(), salt)
        .expect("argon2 takes any password below 4 GB and a salt of 16 bytes");
    hash.to_string()
}

/// Whether this is the password of `stored`. For an unknown user give `None`: the answer is no,
/// after the same work, so that the time doesn't tell who has an account.
///
/// # Errors
/// [`Error::PasswordHash`] when the stored text is no argon2 hash.
pub fn verify(password: &Secret, stored: Option<&str>) -> Result<bool> {
    static NOBODY: LazyLock<String> =
        LazyLock::new(|| hash_with(&Secret::new("nobody"), b"overture, nobody"));
    let parsed = PasswordHash::new(stored.unwrap_or(&NOBODY)).map_err(|_| Error::PasswordHash)?;
    match Argon2::default().verify_password(password.expose().as_bytes(), &parsed) {
        Ok(()) => Ok(stored.is_some()),
        Err(HashError::PasswordInvalid) => Ok(false),
        Err(_) => Err(Error::PasswordHash),
    }
}

#[cfg(test)]
mod tests {
    use overture_domain::rng::SeededRng;

    use super::*;

    // WS-3
    #[test]
    fn the_right_password_passes_and_no_other() {
        let stored = hash(&Secret::new("correct horse"), &SeededRng::new(1));
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        let check = |password: &str| verify(&Secret::new(password), Some(&stored)).unwrap();
        assert!(check("correct horse"));
        assert!(!check("correct horsf"));
        assert!(!check(""));
    }

    // WS-3: the dummy's own password opens nothing.
    #[test]
    fn nobody_has_no_password() {
        assert!(!verify(&Secret::new("nobody"), None).unwrap());
    }

    #[test]
    fn equal_passwords_have_different_hashes() {
        let rng = SeededRng::new(1);
        let password = Secret::new("correct horse");
        assert_ne!(hash(&password, &rng), hash(&password, &rng));
    }

    #[test]
    fn a_broken_hash_is_an_error_and_never_a_yes() {
        for stored in [
            "",
            "correct horse",
            "$argon2id$v=19$m=19456,t=2,p=1$",
            "$2b$12$abc",
        ] {
            assert!(
                !verify(&Secret::new("correct horse"), Some(stored)).unwrap_or(false),
                "{stored}"
            );
        }
        assert!(matches!(
            verify(&Secret::new("x"), Some("plain")),
            Err(Error::PasswordHash)
        ));
    }
}
