/// What the kit's Postfix does with mail to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// An address that meets it.
    pub address: &'static str,
    /// How the server answers RCPT (code and enhanced status); `None` when it accepts.
    pub refused: Option<&'static str>,
    /// The `Status:` of the delivery status notification (RFC 3464) that then arrives in the
    /// sender's INBOX; `None` when none comes.
    pub dsn: Option<&'static str>,
}

/// Every fate but plain delivery, which any account that exists gets.
///
/// `refused@`, `greylisted@`, `quota@` and `spam@` work at `d0.test` … `d7.test`; any address
/// without an account has the fate of `nobody@d1.test`, any at `soft.test` that of `late@soft.test`
/// (its notification comes after about nine seconds, the others after some milliseconds).
pub const FATES: &[Fate] = &[
    Fate {
        address: "nobody@d1.test",
        refused: None,
        dsn: Some("5.1.1"),
    },
    Fate {
        address: "full@d1.test",
        refused: None,
        dsn: Some("5.2.2"),
    },
    Fate {
        address: "late@soft.test",
        refused: None,
        dsn: Some("4.4.1"),
    },
    Fate {
        address: "refused@d1.test",
        refused: Some("550 5.1.1"),
        dsn: None,
    },
    Fate {
        address: "greylisted@d1.test",
        refused: Some("450 4.7.1"),
        dsn: None,
    },
    Fate {
        address: "quota@d1.test",
        refused: Some("550 5.4.5"),
        dsn: None,
    },
    Fate {
        address: "spam@d1.test",
        refused: Some("554 5.7.1"),
        dsn: None,
    },
];

/// Local parts that are refused, with the answers; the same table in Postfix's terms.
pub(crate) const REFUSALS: &[(&str, &str)] = &[
    ("refused", "550 5.1.1 no such user here"),
    ("greylisted", "450 4.7.1 try again later"),
    ("quota", "550 5.4.5 daily sending quota exceeded"),
    ("spam", "554 5.7.1 looks like spam"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_fate() {
        for (local, answer) in REFUSALS {
            let address = format!("{local}@d1.test");
            let fate = FATES
                .iter()
                .find(|fate| fate.address == address)
                .expect("a fate");
            assert!(
                answer.starts_with(fate.refused.expect("a refusal")),
                "{address}"
            );
        }
    }
}
