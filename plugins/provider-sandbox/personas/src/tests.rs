use super::*;

const MINUTE: u64 = 60_000;

#[test]
fn the_address_says_who_it_is() {
    for (address, persona) in [
        ("reply@example.com", Persona::Interested),
        ("Reply+Ada@example.com", Persona::Interested),
        ("ooo.bob@example.com", Persona::OutOfOffice),
        ("bounce7@example.com", Persona::HardBounce),
        ("unsub-1@example.com", Persona::Unsubscribes),
        ("silent_x@example.com", Persona::Silent),
    ] {
        assert_eq!(Persona::of(0, address), persona, "{address}");
    }
    assert_eq!(Language::of("ooo.bob.de@example.com"), Language::De);
    assert_eq!(Language::of("de@example.com"), Language::En);
    for (name, persona) in Persona::ALL {
        assert_eq!(Persona::of(7, &format!("{name}@example.com")), persona);
        assert_eq!(persona.to_string(), name);
    }
}

/// OPS-6: everybody else is somebody by chance, the same in every run.
#[test]
fn chance_is_a_function_of_seed_and_address() {
    let people = |seed| {
        let address = |n| format!("p{n}@d1.test");
        (0..2_000)
            .map(|n| Persona::of(seed, &address(n)))
            .collect::<Vec<_>>()
    };
    assert_eq!(people(1), people(1));
    assert_ne!(people(1), people(2));
    let count = |wanted| people(1).iter().filter(|p| **p == wanted).count();
    assert!(
        (820..1_100).contains(&count(Persona::Silent)),
        "{}",
        count(Persona::Silent)
    );
    assert!((10..70).contains(&count(Persona::HardBounce)));
}

/// What is counted does not depend on the mail.
#[test]
fn the_outcome_is_that_of_every_mail() {
    for (name, persona) in Persona::ALL {
        let kinds = |seed, mail: &str| {
            let list = persona.reactions(seed, mail);
            assert!(list.is_sorted_by_key(|r| r.after_ms), "{name}");
            // People take their time, machines don't (TRK-2).
            let soon = persona == Persona::Scanned;
            assert!(list.iter().all(|r| (r.after_ms < MINUTE) == soon), "{name}");
            list.iter()
                .map(|r| std::mem::discriminant(&r.what))
                .collect::<Vec<_>>()
        };
        for n in 0..50 {
            assert_eq!(
                kinds(n, &format!("{n}@example.com 0")),
                kinds(0, ""),
                "{name}"
            );
        }
    }
    let outcome = Persona::Clicks.outcome();
    assert_eq!(
        (outcome.opened, outcome.clicked, outcome.replied),
        (true, true, false)
    );
    assert!(Persona::AsksToStop.outcome().replied && Persona::AsksToStop.outcome().unsubscribed);
    assert!(Persona::Refused.outcome().bounced_hard);
    assert!(!Persona::Scanned.outcome().opened && !Persona::Scanned.outcome().clicked);
}

#[test]
fn whoever_writes_has_a_label() {
    for (name, persona) in Persona::ALL {
        assert_eq!(
            persona.label(Language::De).is_some(),
            persona.outcome().replied,
            "{name}"
        );
    }
    assert_eq!(
        Persona::Meeting.label(Language::En),
        Some("meeting_request")
    );
    assert_eq!(Persona::Meeting.label(Language::Fr), Some("other"));
    assert_eq!(
        Persona::Declines.label(Language::Fr),
        Some("not_interested")
    );
}
