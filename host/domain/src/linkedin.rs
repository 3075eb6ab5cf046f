//! Addresses of LinkedIn profiles: people paste them in many spellings, and one person has one
//! (PR-1, PR-7).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stays as it is in the user name of an address (RFC 3986 §2.3, without `~`).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
const PROFILE: &str = "https://www.linkedin.com/in/";

const ELSEWHERE: &str = "this is no LinkedIn address: give the address of the person's profile, such as `https://www.linkedin.com/in/ada-lovelace`";
const COMPANY: &str = "this is the page of a company or school: give the address of the person's profile, such as `https://www.linkedin.com/in/ada-lovelace`";
const NO_PROFILE: &str = "this is no profile on LinkedIn: open the person's profile and give its address, such as `https://www.linkedin.com/in/ada-lovelace`";

/// The one spelling of a profile's address: `https://www.linkedin.com/in/<user name>`, whatever the
/// scheme, the country's or mobile host, the language behind the name, query and fragment; the name
/// in lower case and percent-encoded (RFC 3986). Names that LinkedIn gives itself (`ACoAA…`) keep
/// their case: it tells them apart.
///
/// Profiles whose address has no user name (`/pub/…`, Sales Navigator, Recruiter) keep their path.
///
/// # Errors
/// What is wrong and what to give instead, for people: it is no address of a profile.
pub fn profile_url(text: &str) -> Result<String, &'static str> {
    let path = path(text.trim()).ok_or(ELSEWHERE)?;
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let parts = match parts.split_first() {
        // Of the mobile page.
        Some((&"mwlite", rest)) => rest,
        _ => &parts[..],
    };
    let kind = parts.first().map(|kind| kind.to_ascii_lowercase());
    match (kind.as_deref(), parts) {
        (Some("in"), [_, name, ..]) => {
            let name = name_of(name).ok_or(NO_PROFILE)?;
            Ok(format!("{PROFILE}{}", utf8_percent_encode(&name, ESCAPED)))
        }
        (Some("pub"), [_, name, ..]) if !name.eq_ignore_ascii_case("dir") => {
            kept(&parts.join("/").to_lowercase())
        }
        (Some("sales"), [_, "lead" | "people", _, ..])
        | (Some("talent" | "recruiter"), [_, "profile", _, ..]) => kept(&parts.join("/")),
        (Some("company" | "school" | "showcase"), _) => Err(COMPANY),
        _ => Err(NO_PROFILE),
    }
}

/// Who stands behind an address that [`profile_url`] wrote: another text for each person, and the
/// same one for those addresses of a person that are known to be of one. A user name stands as in the
/// address, with small escapes; an id that LinkedIn gives keeps its case, and is the same in a link of
/// Sales Navigator, which has words of the search behind it.
pub fn member(profile_url: &str) -> String {
    let path = path(profile_url).unwrap_or(profile_url);
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        ["in", id] | ["sales" | "talent" | "recruiter", _, id] => {
            let own = id.split([',', '%']).next().unwrap_or(id);
            match (is_given(own), parts[0]) {
                (true, _) => own.to_owned(),
                (false, "in") => id.to_lowercase(),
                (false, service) => format!("{service}/{own}"),
            }
        }
        _ => path.to_owned(),
    }
}

/// The address of a profile without a user name.
fn kept(path: &str) -> Result<String, &'static str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.~%,:;=()/".contains(c);
    if !path.chars().all(fits) {
        return Err(NO_PROFILE);
    }
    Ok(format!("https://www.linkedin.com/{path}"))
}

/// The path of an address on LinkedIn; none of another.
fn path(text: &str) -> Option<&str> {
    let scheme = |scheme: &str| {
        let head = text.get(..scheme.len())?;
        let is_it = head.eq_ignore_ascii_case(scheme);
        is_it.then(|| &text[scheme.len()..])
    };
    let rest = ["https://", "http://", "//"].into_iter().find_map(scheme);
    let rest = rest.unwrap_or(text);
    let rest = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
    let (host, path) = rest.split_once('/')?;
    let host = host.rsplit_once(':').map_or(host, |(host, _port)| host);
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let country = host.strip_suffix("linkedin.com")?;
    let is_label = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let is_linkedin =
        country.is_empty() || (country.ends_with('.') && country.chars().all(is_label));
    is_linkedin.then_some(path)
}

/// The user name that stands so in an address, decoded; `None` where it can't be one.
fn name_of(encoded: &str) -> Option<String> {
    let name = percent_decode_str(encoded).decode_utf8().ok()?;
    let fits = |c: char| match c.is_ascii() {
        true => c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'),
        false => !c.is_control() && !c.is_whitespace(),
    };
    if name.chars().count() > 100
        || !name.chars().any(char::is_alphanumeric)
        || !name.chars().all(fits)
    {
        return None;
    }
    Some(match is_given(&name) {
        true => name.into_owned(),
        false => name.to_lowercase(),
    })
}

/// Whether it is a name that LinkedIn gives itself.
fn is_given(name: &str) -> bool {
    ["ACoAA", "ACwAA", "AEMAA"]
        .iter()
        .any(|begin| name.starts_with(begin) && name.len() > 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    // PR-7
    #[test]
    fn a_profile_has_one_address() {
        let ada = "https://www.linkedin.com/in/ada-l";
        let jose = "https://www.linkedin.com/in/jos%C3%A9-garc%C3%ADa";
        let opaque = "https://www.linkedin.com/in/ACoAABxYz0123456789abcdefghijklmnopqrst";
        for (given, kept) in [
            (ada, ada),
            ("linkedin.com/in/Ada-L/", ada),
            (" www.linkedin.com/in/ada-l ", ada),
            ("http://www.linkedin.com/in/ada-l", ada),
            ("HTTPS://WWW.LinkedIn.com/IN/ADA-L", ada),
            ("https://de.linkedin.com/in/ada-l?trk=x#y", ada),
            ("https://m.linkedin.com/in/ada-l///", ada),
            ("https://www.linkedin.com:443/in/ada-l", ada),
            ("https://www.linkedin.com./in//ada-l", ada),
            ("//linkedin.com/in/ada-l", ada),
            ("https://www.linkedin.com/mwlite/in/ada-l", ada),
            ("https://www.linkedin.com/in/ada-l/de", ada),
            (
                "https://www.linkedin.com/in/ada-l/recent-activity/all/",
                ada,
            ),
            ("linkedin.com/in/ada-l?next=https://example.com/", ada),
            ("https://www.linkedin.com/in/%61da%2Dl", ada),
            ("https://es.linkedin.com/in/Jos%c3%a9-Garc%C3%ADa", jose),
            ("linkedin.com/in/José-García", jose),
            (opaque, opaque),
            // These can't be mapped to a user name.
            (
                "http://uk.linkedin.com/pub/Ada-Lovelace/1/2b/3C4/?x=y",
                "https://www.linkedin.com/pub/ada-lovelace/1/2b/3c4",
            ),
            (
                "linkedin.com/sales/lead/ACwAABc,NAME_SEARCH,x1Yz?_ntb=1",
                "https://www.linkedin.com/sales/lead/ACwAABc,NAME_SEARCH,x1Yz",
            ),
            (
                "https://www.linkedin.com/talent/profile/AEMAABc",
                "https://www.linkedin.com/talent/profile/AEMAABc",
            ),
        ] {
            assert_eq!(profile_url(given).as_deref(), Ok(kept), "{given}");
            assert_eq!(profile_url(kept).as_deref(), Ok(kept), "again");
        }
    }

    // PR-1: one text a person, whatever the address.
    #[test]
    fn a_member_is_told_from_every_other() {
        let id = "ACwAABxYz0123456789abcdefghijklmnopqrst";
        for (given, expected) in [
            ("linkedin.com/in/Ada-L/", "ada-l".to_owned()),
            ("linkedin.com/in/José", "jos%c3%a9".to_owned()),
            (&format!("linkedin.com/in/{id}"), id.to_owned()),
            (
                &format!("linkedin.com/sales/lead/{id},NAME_SEARCH,x1Yz"),
                id.to_owned(),
            ),
            (
                &format!("linkedin.com/sales/people/{id}%2COUT_OF_NETWORK"),
                id.to_owned(),
            ),
            ("linkedin.com/sales/lead/ada-l,x", "sales/ada-l".to_owned()),
            (
                "linkedin.com/talent/profile/AEMAABc",
                "talent/AEMAABc".to_owned(),
            ),
            ("linkedin.com/pub/Ada-L/1/2B", "pub/ada-l/1/2b".to_owned()),
        ] {
            assert_eq!(member(&profile_url(given).unwrap()), expected, "{given}");
        }
    }

    // PR-7
    #[test]
    fn what_is_no_profile_says_what_to_give() {
        for (given, says) in [
            ("", ELSEWHERE),
            ("ada-l", ELSEWHERE),
            ("in/ada-l", ELSEWHERE),
            ("linkedin.com", ELSEWHERE),
            ("https://example.com/in/ada-l", ELSEWHERE),
            ("https://linkedin.com.example.com/in/ada-l", ELSEWHERE),
            ("https://notlinkedin.com/in/ada-l", ELSEWHERE),
            ("https://example.com/?linkedin.com/in/ada-l", ELSEWHERE),
            ("https://ada@example.com#.linkedin.com/in/ada-l", ELSEWHERE),
            ("ftp://linkedin.com/in/ada-l", ELSEWHERE),
            ("é/linkedin.com/in/ada-l", ELSEWHERE),
            ("https://www.linkedin.com/company/example", COMPANY),
            ("https://www.linkedin.com/school/example/", COMPANY),
            ("https://www.linkedin.com/", NO_PROFILE),
            ("https://www.linkedin.com/in/", NO_PROFILE),
            ("https://www.linkedin.com/in/?trk=ada-l", NO_PROFILE),
            ("https://www.linkedin.com/in/ada l", NO_PROFILE),
            ("https://www.linkedin.com/in/ada%2F..%2Fl", NO_PROFILE),
            ("https://www.linkedin.com/in/%ff", NO_PROFILE),
            ("https://www.linkedin.com/in/--", NO_PROFILE),
            ("https://www.linkedin.com/pub/dir/Ada/Lovelace", NO_PROFILE),
            (
                "https://www.linkedin.com/feed/update/urn:li:activity:7",
                NO_PROFILE,
            ),
            ("https://www.linkedin.com/sales/search/people", NO_PROFILE),
            ("https://www.linkedin.com/sales/lead/<b>", NO_PROFILE),
        ] {
            assert_eq!(profile_url(given), Err(says), "{given}");
        }
        let long = format!("linkedin.com/in/{}", "x".repeat(101));
        assert_eq!(profile_url(&long), Err(NO_PROFILE));
    }
}
