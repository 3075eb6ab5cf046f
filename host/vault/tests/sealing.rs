//! What a stolen or altered database row gives away: nothing (OPS-4).

use std::sync::Arc;

use overture_domain::rng::SeededRng;
use overture_vault::{Binding, Error, Secret, Vault};
use proptest::prelude::*;

fn vault(seed: u64) -> Vault {
    Vault::ephemeral(Arc::new(SeededRng::new(seed)))
}

fn here() -> Binding {
    Binding::new("accounts.smtp_password", "acc_1", "wsp_1")
}

// OPS-4
#[test]
fn the_same_secret_is_sealed_differently_each_time() {
    let vault = vault(1);
    let (a, b) = (
        vault.seal(&here(), &Secret::new("hunter2")),
        vault.seal(&here(), &Secret::new("hunter2")),
    );
    for place in 2..4 {
        assert_ne!(a.split('.').nth(place), b.split('.').nth(place));
    }
    assert!(a.starts_with("ov1."));
}

// WS-1: a row's text copied to another record, column or workspace opens nothing.
#[test]
fn a_sealed_text_opens_only_where_it_belongs() {
    let vault = vault(1);
    let sealed = vault.seal(&here(), &Secret::new("hunter2"));
    assert_eq!(vault.open(&here(), &sealed).unwrap().expose(), "hunter2");
    for elsewhere in [
        Binding::new("accounts.imap_password", "acc_1", "wsp_1"),
        Binding::new("accounts.smtp_password", "acc_2", "wsp_1"),
        Binding::new("accounts.smtp_password", "acc_1", "wsp_2"),
        Binding::instance("accounts.smtp_password", "acc_1"),
        // The parts may not run into each other.
        Binding::new("accounts.smtp_password", "acc_1w", "sp_1"),
    ] {
        assert!(
            matches!(
                vault.open(&elsewhere, &sealed),
                Err(Error::SealedForged { .. })
            ),
            "{elsewhere}"
        );
    }
}

#[test]
fn parts_of_two_texts_do_not_mix() {
    let vault = vault(1);
    let (a, b) = (
        vault.seal(&here(), &Secret::new("hunter2")),
        vault.seal(&here(), &Secret::new("hunter3")),
    );
    let mixed: Vec<&str> = a.split('.').take(3).chain(b.split('.').skip(3)).collect();
    assert!(matches!(
        vault.open(&here(), &mixed.join(".")),
        Err(Error::SealedForged { .. })
    ));
}

#[test]
fn another_master_key_opens_nothing() {
    let sealed = vault(1).seal(&here(), &Secret::new("hunter2"));
    assert!(matches!(
        vault(2).open(&here(), &sealed),
        Err(Error::UnknownKey { .. })
    ));
}

#[test]
fn nonsense_is_malformed() {
    let vault = vault(1);
    let sealed = vault.seal(&here(), &Secret::new("hunter2"));
    for text in [
        String::new(),
        "hunter2".to_owned(),
        "ov1...".to_owned(),
        sealed.replacen("ov1", "ov2", 1),
        format!("{sealed}.x"),
        sealed.replacen('.', "", 1),
    ] {
        let error = vault.open(&here(), &text).unwrap_err();
        assert!(
            matches!(error, Error::SealedMalformed { .. }),
            "{text}: {error}"
        );
        assert!(!error.to_string().contains("hunter2"));
    }
}

proptest! {
    // OPS-4
    #[test]
    fn every_text_comes_back(plain in ".*", id in "[a-z0-9_]{0,30}") {
        let vault = vault(7);
        let binding = Binding::new("accounts", id, "wsp_1");
        let sealed = vault.seal(&binding, &Secret::new(plain.clone()));
        prop_assert!(plain.len() < 8 || !sealed.contains(&plain));
        let opened = vault.open(&binding, &sealed).unwrap();
        prop_assert_eq!(opened.expose(), plain);
    }

    // OPS-4
    #[test]
    fn no_altered_text_opens(place in any::<prop::sample::Index>(), with in "[A-Za-z0-9_.-]") {
        let vault = vault(7);
        let sealed = vault.seal(&here(), &Secret::new("hunter2"));
        let place = place.index(sealed.len());
        let mut altered = sealed.clone();
        altered.replace_range(place..=place, &with);
        prop_assume!(altered != sealed);
        prop_assert!(vault.open(&here(), &altered).is_err());
    }
}
