//! The services whose settings are known (MB-1): hosts, ports, which password, what they file.

use overture_plugin::mail_provider::{AuthKind, Preset, Server, TlsMode};

use AuthKind::{AppPassword, OauthGoogle, OauthMicrosoft, Password};

/// Every preset, as the host wants them.
pub(crate) fn all() -> Vec<Preset> {
    SERVICES.iter().map(Service::preset).collect()
}

/// Which password a service needs, and where it is made.
pub(crate) fn password_hint(key: &str) -> Option<&'static str> {
    SERVICES.iter().find(|s| s.key == key).map(|s| s.hint)
}

/// A line of the table below. Host and port decide the TLS mode: 465 and 993 are implicit, 587 is
/// STARTTLS (RFC 8314).
struct Service {
    key: &'static str,
    name: &'static str,
    smtp: Option<(&'static str, u16)>,
    imap: Option<(&'static str, u16)>,
    auth: &'static [AuthKind],
    hint: &'static str,
    domains: &'static [&'static str],
    /// Files mail sent over SMTP into Sent by itself (MB-9); false where not known for sure, as a
    /// second copy is better than none.
    files_sent: bool,
    /// And within so many minutes. Only where it always does: absence is then a proof (SAFE-3).
    sent_within_minutes: Option<u32>,
    recipients_per_day: Option<u32>,
    mails_per_minute: Option<u32>,
}

impl Service {
    fn preset(&self) -> Preset {
        let texts = |list: &[&str]| list.iter().map(|d| (*d).to_owned()).collect();
        Preset {
            key: self.key.into(),
            name: self.name.into(),
            smtp: self.smtp.map(server),
            imap: self.imap.map(server),
            auth: self.auth.to_vec(),
            password_hint: self.hint.into(),
            domains: texts(self.domains),
            files_sent: self.files_sent,
            sent_within_minutes: self.sent_within_minutes,
            recipients_per_day: self.recipients_per_day,
            mails_per_minute: self.mails_per_minute,
        }
    }
}

fn server((host, port): (&str, u16)) -> Server {
    let tls = if matches!(port, 465 | 993) {
        TlsMode::Implicit
    } else {
        TlsMode::Starttls
    };
    Server {
        host: host.into(),
        port,
        tls,
    }
}

const MAILBOX_PASSWORD: &str = "Use the mailbox's own password.";

const PLAIN: Service = Service {
    key: "",
    name: "",
    smtp: None,
    imap: None,
    auth: &[Password],
    hint: MAILBOX_PASSWORD,
    domains: &[],
    files_sent: false,
    sent_within_minutes: None,
    recipients_per_day: None,
    mails_per_minute: None,
};

const GOOGLE: Service = Service {
    smtp: Some(("smtp.gmail.com", 465)),
    imap: Some(("imap.gmail.com", 993)),
    auth: &[AppPassword, OauthGoogle],
    hint: "Google takes an app password (16 letters, two-step verification must be on): \
           myaccount.google.com/apppasswords.",
    files_sent: true,
    sent_within_minutes: Some(5),
    ..PLAIN
};

const ZOHO: Service = Service {
    auth: &[AppPassword, Password],
    hint: "With two-factor sign-in Zoho takes an app password (accounts.zoho.com, Security, App \
           passwords); IMAP access must be switched on in the mail settings.",
    ..PLAIN
};

const SERVICES: &[Service] = &[
    Service {
        key: "gmail",
        name: "Gmail",
        domains: &["gmail.com", "googlemail.com"],
        recipients_per_day: Some(500),
        ..GOOGLE
    },
    Service {
        key: "google-workspace",
        name: "Google Workspace",
        recipients_per_day: Some(2_000),
        ..GOOGLE
    },
    Service {
        key: "microsoft-365",
        name: "Microsoft 365",
        smtp: Some(("smtp.office365.com", 587)),
        imap: Some(("outlook.office365.com", 993)),
        auth: &[OauthMicrosoft, Password],
        hint: "Microsoft 365 wants sign-in by OAuth; a password works only where an admin has \
               enabled authenticated SMTP for the mailbox.",
        files_sent: true,
        sent_within_minutes: Some(10),
        recipients_per_day: Some(10_000),
        mails_per_minute: Some(30),
        ..PLAIN
    },
    Service {
        key: "outlook",
        name: "Outlook.com",
        smtp: Some(("smtp-mail.outlook.com", 587)),
        imap: Some(("outlook.office365.com", 993)),
        auth: &[OauthMicrosoft],
        hint: "Outlook.com takes no password any more: sign in with Microsoft (OAuth).",
        domains: &["outlook.com", "hotmail.com", "live.com", "msn.com"],
        files_sent: true,
        ..PLAIN
    },
    Service {
        key: "yahoo",
        name: "Yahoo Mail",
        smtp: Some(("smtp.mail.yahoo.com", 465)),
        imap: Some(("imap.mail.yahoo.com", 993)),
        auth: &[AppPassword],
        hint: "Yahoo takes an app password: login.yahoo.com, Security, Generate app password.",
        domains: &[
            "yahoo.com",
            "ymail.com",
            "rocketmail.com",
            "yahoo.co.uk",
            "yahoo.de",
            "yahoo.fr",
        ],
        files_sent: true,
        ..PLAIN
    },
    Service {
        key: "aol",
        name: "AOL",
        smtp: Some(("smtp.aol.com", 465)),
        imap: Some(("imap.aol.com", 993)),
        auth: &[AppPassword],
        hint: "AOL takes an app password: login.aol.com, Security, Generate app password.",
        domains: &["aol.com"],
        files_sent: true,
        ..PLAIN
    },
    Service {
        key: "zoho-com",
        name: "Zoho Mail (zoho.com)",
        smtp: Some(("smtp.zoho.com", 465)),
        imap: Some(("imap.zoho.com", 993)),
        domains: &["zoho.com", "zohomail.com"],
        ..ZOHO
    },
    Service {
        key: "zoho-eu",
        name: "Zoho Mail (zoho.eu)",
        smtp: Some(("smtp.zoho.eu", 465)),
        imap: Some(("imap.zoho.eu", 993)),
        domains: &["zoho.eu", "zohomail.eu"],
        ..ZOHO
    },
    Service {
        key: "zoho-in",
        name: "Zoho Mail (zoho.in)",
        smtp: Some(("smtp.zoho.in", 465)),
        imap: Some(("imap.zoho.in", 993)),
        domains: &["zoho.in", "zohomail.in"],
        ..ZOHO
    },
    Service {
        key: "zoho-au",
        name: "Zoho Mail (zoho.com.au)",
        smtp: Some(("smtp.zoho.com.au", 465)),
        imap: Some(("imap.zoho.com.au", 993)),
        domains: &["zohomail.com.au"],
        ..ZOHO
    },
    Service {
        key: "icloud",
        name: "iCloud Mail",
        smtp: Some(("smtp.mail.me.com", 587)),
        imap: Some(("imap.mail.me.com", 993)),
        auth: &[AppPassword],
        hint: "iCloud takes an app-specific password: account.apple.com, Sign-In and Security, \
               App-Specific Passwords.",
        domains: &["icloud.com", "me.com", "mac.com"],
        ..PLAIN
    },
    Service {
        key: "fastmail",
        name: "Fastmail",
        smtp: Some(("smtp.fastmail.com", 465)),
        imap: Some(("imap.fastmail.com", 993)),
        auth: &[AppPassword],
        hint: "Fastmail takes an app password with access to mail: Settings, Privacy & Security, \
               Manage app passwords.",
        domains: &["fastmail.com", "fastmail.fm"],
        ..PLAIN
    },
    Service {
        key: "godaddy",
        name: "GoDaddy Workspace Email",
        smtp: Some(("smtpout.secureserver.net", 465)),
        imap: Some(("imap.secureserver.net", 993)),
        ..PLAIN
    },
    Service {
        key: "namecheap",
        name: "Namecheap Private Email",
        smtp: Some(("mail.privateemail.com", 465)),
        imap: Some(("mail.privateemail.com", 993)),
        ..PLAIN
    },
    Service {
        key: "ionos",
        name: "IONOS",
        smtp: Some(("smtp.ionos.com", 465)),
        imap: Some(("imap.ionos.com", 993)),
        ..PLAIN
    },
    Service {
        key: "ionos-de",
        name: "IONOS (1&1 Deutschland)",
        smtp: Some(("smtp.1und1.de", 465)),
        imap: Some(("imap.1und1.de", 993)),
        ..PLAIN
    },
    Service {
        key: "ovh",
        name: "OVHcloud",
        smtp: Some(("ssl0.ovh.net", 465)),
        imap: Some(("ssl0.ovh.net", 993)),
        ..PLAIN
    },
    Service {
        key: "hostinger",
        name: "Hostinger",
        smtp: Some(("smtp.hostinger.com", 465)),
        imap: Some(("imap.hostinger.com", 993)),
        ..PLAIN
    },
    Service {
        key: "titan",
        name: "Titan",
        smtp: Some(("smtp.titan.email", 465)),
        imap: Some(("imap.titan.email", 993)),
        hint: "Use the mailbox's own password; third-party apps must be allowed in Titan's \
               settings.",
        ..PLAIN
    },
    Service {
        key: "yandex",
        name: "Yandex Mail",
        smtp: Some(("smtp.yandex.com", 465)),
        imap: Some(("imap.yandex.com", 993)),
        auth: &[AppPassword],
        hint: "Yandex takes an app password (id.yandex.com, Security, App passwords); IMAP must be \
               switched on in the mail settings.",
        domains: &["yandex.com", "yandex.ru", "ya.ru"],
        ..PLAIN
    },
    Service {
        key: "gmx-net",
        name: "GMX (gmx.net, gmx.de)",
        smtp: Some(("mail.gmx.net", 465)),
        imap: Some(("imap.gmx.net", 993)),
        hint: "Use the mailbox's own password; POP3 and IMAP must be allowed in GMX's settings.",
        domains: &["gmx.net", "gmx.de", "gmx.at", "gmx.ch"],
        ..PLAIN
    },
    Service {
        key: "gmx-com",
        name: "GMX (gmx.com)",
        smtp: Some(("mail.gmx.com", 465)),
        imap: Some(("imap.gmx.com", 993)),
        hint: "Use the mailbox's own password; POP3 and IMAP must be allowed in GMX's settings.",
        domains: &["gmx.com", "gmx.us", "gmx.co.uk"],
        ..PLAIN
    },
    Service {
        key: "web-de",
        name: "WEB.DE",
        smtp: Some(("smtp.web.de", 465)),
        imap: Some(("imap.web.de", 993)),
        hint: "Use the mailbox's own password; POP3 and IMAP must be allowed in WEB.DE's settings.",
        domains: &["web.de"],
        ..PLAIN
    },
    Service {
        key: "mail-ru",
        name: "Mail.ru",
        smtp: Some(("smtp.mail.ru", 465)),
        imap: Some(("imap.mail.ru", 993)),
        auth: &[AppPassword],
        hint: "Mail.ru takes a password for external apps: account settings, Security.",
        domains: &["mail.ru", "inbox.ru", "list.ru", "bk.ru"],
        ..PLAIN
    },
    Service {
        key: "rackspace",
        name: "Rackspace Email",
        smtp: Some(("secure.emailsrvr.com", 465)),
        imap: Some(("secure.emailsrvr.com", 993)),
        ..PLAIN
    },
    Service {
        key: "strato",
        name: "STRATO",
        smtp: Some(("smtp.strato.de", 465)),
        imap: Some(("imap.strato.de", 993)),
        ..PLAIN
    },
    Service {
        key: "t-online",
        name: "Telekom (t-online.de)",
        smtp: Some(("securesmtp.t-online.de", 465)),
        imap: Some(("secureimap.t-online.de", 993)),
        hint: "Telekom wants the password for mail programs, made in the customer centre.",
        domains: &["t-online.de", "magenta.de"],
        ..PLAIN
    },
    Service {
        key: "gandi",
        name: "Gandi",
        smtp: Some(("mail.gandi.net", 465)),
        imap: Some(("mail.gandi.net", 993)),
        ..PLAIN
    },
    Service {
        key: "one-com",
        name: "one.com",
        smtp: Some(("send.one.com", 465)),
        imap: Some(("imap.one.com", 993)),
        ..PLAIN
    },
    Service {
        key: "posteo",
        name: "Posteo",
        smtp: Some(("posteo.de", 465)),
        imap: Some(("posteo.de", 993)),
        domains: &["posteo.de", "posteo.net"],
        ..PLAIN
    },
    Service {
        key: "custom",
        name: "Other (SMTP and IMAP)",
        hint: "Ask the mail service for its SMTP and IMAP host names and which password it wants.",
        ..PLAIN
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// MB-1: each service that the rule names.
    #[test]
    fn every_named_service_is_there() {
        let keys: Vec<&str> = SERVICES.iter().map(|s| s.key).collect();
        for key in [
            "gmail",
            "outlook",
            "microsoft-365",
            "yahoo",
            "zoho-com",
            "zoho-eu",
            "zoho-in",
            "zoho-au",
            "hostinger",
            "icloud",
            "fastmail",
            "godaddy",
            "namecheap",
            "ionos",
            "ovh",
            "titan",
            "yandex",
            "gmx-net",
            "gmx-com",
            "custom",
        ] {
            assert!(keys.contains(&key), "{key}");
        }
    }

    /// MB-1, MB-12: complete, unmistakable, on ports that the host dials.
    #[test]
    fn presets_are_sound() {
        let presets = all();
        for (nth, preset) in presets.iter().enumerate() {
            let key = &preset.key;
            assert!(
                presets[..nth].iter().all(|p| p.key != *key),
                "{key} stands twice"
            );
            assert_eq!(preset.smtp.is_none(), key == "custom", "{key}");
            assert_eq!(preset.imap.is_none(), key == "custom", "{key}");
            assert!(
                !preset.auth.is_empty() && preset.password_hint.ends_with('.'),
                "{key}"
            );
            assert!(
                preset.sent_within_minutes.is_none() || preset.files_sent,
                "{key}"
            );
            for domain in &preset.domains {
                let other = presets[..nth].iter().find(|p| p.domains.contains(domain));
                assert!(other.is_none(), "{domain} is proposed for two");
            }
            if let Some(smtp) = &preset.smtp {
                let implicit = matches!(smtp.tls, TlsMode::Implicit);
                assert!(
                    matches!((smtp.port, implicit), (465, true) | (587, false)),
                    "{key}"
                );
            }
            if let Some(imap) = &preset.imap {
                assert_eq!((imap.port, &imap.tls), (993, &TlsMode::Implicit), "{key}");
            }
        }
    }

    /// CAP-1: the limits that the rule names.
    #[test]
    fn limits_of_the_services() {
        let limit = |key: &str| {
            let service = SERVICES.iter().find(|s| s.key == key).unwrap();
            (service.recipients_per_day, service.mails_per_minute)
        };
        assert_eq!(limit("gmail"), (Some(500), None));
        assert_eq!(limit("google-workspace"), (Some(2_000), None));
        assert_eq!(limit("microsoft-365"), (Some(10_000), Some(30)));
    }
}
