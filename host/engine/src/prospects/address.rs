//! Under which address a person is kept (PR-1): their own, or where nobody knows it one that follows
//! from their profile on LinkedIn, so that the profile has one person as the address has.

use overture_domain::{
    linkedin,
    prospects::{NO_ADDRESS_DOMAIN, email_domain, email_key, email_problem},
};
use sha2::{Digest, Sha256};

/// The address of a person of whom these are given; the profile as [`linkedin::profile_url`] writes
/// it. Both may be empty.
///
/// # Errors
/// What is wrong with the address, for people.
pub(crate) fn of(email: &str, profile: &str) -> Result<String, &'static str> {
    let email = email.trim();
    match (email, profile) {
        ("", "") => Err(
            "give the address, or the linkedinUrl of a person whose address is not known: one of them says who it is",
        ),
        ("", profile) => Ok(placeholder(profile)),
        // A file of ours, or a person copied from another workspace.
        (email, profile) if !profile.is_empty() && email_key(email) == placeholder(profile) => {
            Ok(placeholder(profile))
        }
        (email, _) if email_domain(email) == NO_ADDRESS_DOMAIN => Err(
            "this is the placeholder of a person whose address is not known: leave the address out, and give their linkedinUrl",
        ),
        (email, _) => match email_problem(email) {
            Some(problem) => Err(problem),
            None => Ok(email.to_owned()),
        },
    }
}

/// The placeholder for the address of whoever has this profile: `li.<user name>@noemail.invalid`.
/// A name that an address can't hold, or whose case matters, stands there as its hash behind a `~`,
/// which no name has.
pub(crate) fn placeholder(profile: &str) -> String {
    let member = linkedin::member(profile);
    let plain = format!("li.{member}@{NO_ADDRESS_DOMAIN}");
    if email_key(&plain) == plain && email_problem(&plain).is_none() {
        return plain;
    }
    let hash = hex::encode(Sha256::digest(member.as_bytes()));
    format!("li.~{}@{NO_ADDRESS_DOMAIN}", &hash[..32])
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn profile(text: &str) -> String {
        linkedin::profile_url(text).unwrap_or_else(|problem| panic!("{text}: {problem}"))
    }

    // PR-1: two people never share one, and one person has one.
    #[test]
    fn a_profile_has_one_placeholder() {
        let opaque = "ACoAABxYz0123456789abcdefghijklmnopqrst";
        let long = "x".repeat(90);
        let people = [
            vec![
                "linkedin.com/in/ada-l",
                "https://de.linkedin.com/in/Ada-L/?trk=1",
            ],
            vec!["linkedin.com/in/jos%C3%A9", "linkedin.com/in/José"],
            vec!["linkedin.com/in/jos-c3-a9"],
            vec!["linkedin.com/in/ada.l."],
            vec!["linkedin.com/in/ada..l"],
            vec![
                "linkedin.com/pub/ada-l/1/2b",
                "linkedin.com/pub/Ada-L/1/2B/",
            ],
            vec![
                "linkedin.com/sales/lead/ACwAABc,NAME_SEARCH,x1Yz",
                "linkedin.com/sales/lead/ACwAABc,OUT,y",
            ],
            vec!["linkedin.com/sales/lead/ACwAAbc"],
        ];
        let own = [
            format!("linkedin.com/in/{opaque}"),
            format!("linkedin.com/in/{}", opaque.replace("xYz", "XyZ")),
            format!("linkedin.com/in/{}", opaque.to_lowercase()),
            format!("linkedin.com/in/{long}"),
            format!("linkedin.com/in/{long}y"),
            format!("linkedin.com/in/{}", "é".repeat(40)),
        ];
        let own = own.iter().map(|url| vec![url.as_str()]);
        let mut seen = HashMap::new();
        for spellings in people.into_iter().chain(own) {
            let mut addresses: Vec<_> = (spellings.iter())
                .map(|url| placeholder(&profile(url)))
                .collect();
            addresses.dedup();
            assert_eq!(addresses.len(), 1, "{spellings:?}");
            let address = addresses.remove(0);
            assert_eq!(
                (email_problem(&address), email_key(&address)),
                (None, address.clone())
            );
            assert_eq!(seen.insert(address, spellings), None);
        }
        assert_eq!(
            placeholder(&profile("linkedin.com/in/Ada-L")),
            "li.ada-l@noemail.invalid"
        );
        assert_eq!(
            placeholder(&profile("linkedin.com/in/José")),
            "li.jos%c3%a9@noemail.invalid"
        );
    }

    // PR-1
    #[test]
    fn nobody_gives_a_placeholder_by_hand() {
        let ada = profile("linkedin.com/in/ada-l");
        let own = "li.ada-l@noemail.invalid";
        assert_eq!(
            of(" ada@example.com ", &ada).as_deref(),
            Ok("ada@example.com")
        );
        for email in ["", " ", own, " LI.Ada-L@NoEmail.invalid "] {
            assert_eq!(of(email, &ada).as_deref(), Ok(own), "{email:?}");
        }
        for (email, profile) in [
            (own, ""),
            ("li.bob@noemail.invalid", &*ada),
            ("x@NOEMAIL.invalid", ""),
        ] {
            assert!(
                of(email, profile).unwrap_err().contains("placeholder"),
                "{email} {profile}"
            );
        }
        assert!(of("", "").unwrap_err().starts_with("give the address"));
        assert_eq!(
            of("ada@", &ada),
            Err("the part after the @ is not a domain")
        );
    }
}
