//! Who opened a mail or clicked a link: a person or a machine (TRK-2).
//!
//! Security scanners fetch whatever a mail holds, some providers fetch pictures before anybody has
//! seen the mail. A hit is judged by itself and by the other hits of the same mail, so it can be
//! judged again at any time from what is kept.

use std::{collections::BTreeSet, time::Duration};

use crate::{Timestamp, names};

names! {
    /// What was fetched.
    HitKind { Open = "open", Click = "click" }
}

names! {
    /// Who fetched it.
    HitClass {
        Human = "human",
        Machine = "machine",
        /// It may have been either: kept, and not counted.
        Unknown = "unknown",
    }
}

/// One fetch of a mail's pixel or of one of its links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    pub kind: HitKind,
    /// Which link of the mail, from 0; none for the pixel.
    pub link: Option<i64>,
    /// Asked by the method HEAD, as no reader's program does.
    pub head: bool,
    pub user_agent: String,
    pub at: Timestamp,
}

/// How soon after its delivery nobody has read a mail yet.
pub const TOO_SOON: Duration = Duration::from_secs(5);
/// Links that are followed within this time are followed by a program.
pub const BURST: Duration = Duration::from_secs(2);
/// So many different links in a burst, or all that the mail has.
const BURST_LINKS: usize = 3;
/// How long a hit waits for the rest of its burst before it is judged.
pub const SETTLES: Duration = Duration::from_secs(10);

/// Parts of the user agents of security scanners, link checkers and programs, in lower case.
const SCANNERS: &[&str] = &[
    "barracuda",
    "bitdefender",
    "bot/",
    "bot)",
    "bot;",
    "checkpoint",
    "cisco",
    "cloudmark",
    "crawl",
    "curl/",
    "facebookexternalhit",
    "fortinet",
    "go-http-client",
    "headless",
    "java/",
    "kaspersky",
    "libwww",
    "mimecast",
    "okhttp",
    "proofpoint",
    "python",
    "safelinks",
    "slurp",
    "sophos",
    "spider",
    "symantec",
    "trendmicro",
    "urldefense",
    "wget",
    "zscaler",
];

/// Proxies of mail programs that fetch a picture when its reader sees it.
const READERS_PROXIES: &[&str] = &[
    "googleimageproxy",
    "yahoomailproxy",
    "fastmailua",
    "shortwave image fetcher",
];

/// Who made `hit`, and by what that is known: a stable word. `all` are the hits of the same mail,
/// itself among them; `links` is how many links the mail has.
pub fn judge(hit: &Hit, all: &[Hit], links: usize, sent_at: Timestamp) -> (HitClass, &'static str) {
    let agent = hit.user_agent.trim().to_ascii_lowercase();
    let is_one_of = |known: &[&str]| known.iter().any(|part| agent.contains(part));
    if hit.head {
        return (HitClass::Machine, "head");
    }
    if is_one_of(SCANNERS) {
        return (HitClass::Machine, "scanner");
    }
    if hit.kind == HitKind::Click && is_in_burst(hit, all, links) {
        return (HitClass::Machine, "burst");
    }
    if hit.at.since(sent_at) < TOO_SOON {
        return (HitClass::Machine, "too_soon");
    }
    match hit.kind {
        HitKind::Click => (HitClass::Human, "click"),
        HitKind::Open if is_one_of(READERS_PROXIES) => (HitClass::Human, "readers_proxy"),
        // Apple fetches every picture at delivery, whether anybody reads the mail or not.
        HitKind::Open if agent == "mozilla/5.0" || agent.ends_with("(khtml, like gecko)") => {
            (HitClass::Unknown, "apple_mpp")
        }
        HitKind::Open if agent.is_empty() => (HitClass::Unknown, "no_user_agent"),
        HitKind::Open => (HitClass::Human, "open"),
    }
}

/// Whether so many links are followed around this hit that no person could.
fn is_in_burst(hit: &Hit, all: &[Hit], links: usize) -> bool {
    let clicks = || all.iter().filter(|other| other.kind == HitKind::Click);
    let enough = links.clamp(2, BURST_LINKS);
    // The burst may begin with any hit up to its length before this one.
    clicks()
        .filter(|first| first.at <= hit.at && hit.at.since(first.at) <= BURST)
        .any(|first| {
            let within =
                clicks().filter(|other| first.at <= other.at && other.at.since(first.at) <= BURST);
            within
                .map(|other| other.link)
                .collect::<BTreeSet<_>>()
                .len()
                >= enough
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_micros(1_772_442_000_000_000 + (seconds * 1e6) as i64)
    }

    fn open(seconds: f64, agent: &str) -> Hit {
        let (kind, user_agent) = (HitKind::Open, agent.to_owned());
        Hit {
            kind,
            link: None,
            head: false,
            user_agent,
            at: at(seconds),
        }
    }

    fn click(seconds: f64, link: i64) -> Hit {
        Hit {
            kind: HitKind::Click,
            link: Some(link),
            ..open(seconds, CHROME)
        }
    }

    fn alone(hit: &Hit) -> (HitClass, &'static str) {
        judge(hit, std::slice::from_ref(hit), 3, at(0.0))
    }

    // TRK-2
    #[test]
    fn known_programs_are_machines() {
        for agent in [
            "BarracudaCentral/1.0",
            "Mozilla/5.0 (compatible; Googlebot/2.1)",
            "python-requests/2.32",
            "curl/8.5.0",
        ] {
            assert_eq!(
                alone(&open(600.0, agent)),
                (HitClass::Machine, "scanner"),
                "{agent}"
            );
        }
        assert_eq!(
            alone(&Hit {
                head: true,
                ..click(600.0, 0)
            }),
            (HitClass::Machine, "head")
        );
    }

    // TRK-2
    #[test]
    fn what_comes_with_the_delivery_is_a_machine() {
        assert_eq!(alone(&open(4.9, CHROME)), (HitClass::Machine, "too_soon"));
        assert_eq!(alone(&click(4.9, 0)), (HitClass::Machine, "too_soon"));
        assert_eq!(alone(&click(5.0, 0)), (HitClass::Human, "click"));
        assert_eq!(alone(&open(5.0, CHROME)), (HitClass::Human, "open"));
    }

    // TRK-2: Apple's privacy proxy is marked, and not counted.
    #[test]
    fn readers_proxies_are_told_from_prefetchers() {
        let google = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)";
        assert_eq!(
            alone(&open(60.0, google)),
            (HitClass::Human, "readers_proxy")
        );
        let apple = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)";
        for agent in ["Mozilla/5.0", apple] {
            assert_eq!(
                alone(&open(60.0, agent)),
                (HitClass::Unknown, "apple_mpp"),
                "{agent}"
            );
        }
        assert_eq!(alone(&open(60.0, "")), (HitClass::Unknown, "no_user_agent"));
    }

    // TRK-2
    #[test]
    fn nobody_follows_all_links_at_once() {
        let burst = [
            click(60.0, 0),
            click(60.5, 1),
            click(61.9, 2),
            click(90.0, 1),
        ];
        let judged = |links| {
            burst
                .each_ref()
                .map(|hit| judge(hit, &burst, links, at(0.0)).1)
        };
        assert_eq!(judged(6), ["burst", "burst", "burst", "click"]);
        // Both links of a mail that has two.
        let two = [click(60.0, 0), click(61.0, 1)];
        assert_eq!(judge(&two[0], &two, 2, at(0.0)).1, "burst");
        assert_eq!(judge(&two[1], &two, 2, at(0.0)).1, "burst");
        assert_eq!(judge(&two[0], &two, 6, at(0.0)).1, "click");
        // The same link twice is an impatient person.
        let same = [click(60.0, 0), click(60.4, 0), click(60.8, 0)];
        assert_eq!(judge(&same[1], &same, 3, at(0.0)).1, "click");
        let slow = [click(60.0, 0), click(63.0, 1), click(66.0, 2)];
        assert_eq!(judge(&slow[1], &slow, 3, at(0.0)).1, "click");
    }
}
