//! What a person enters for a mailbox, checked and completed by the preset (MB-1).

use overture_domain::accounts::{Credentials, MailServer, MailSettings, TlsMode};
use overture_mail::tls::Fingerprint;
use overture_plugin_host as plugins;
use overture_vault::Secret;
use serde_json::Value;

use crate::{Env, FieldError, ProviderPreset};

/// Mails a day of a new mailbox: what MB-4 proposes for the first weeks.
pub const DEFAULT_DAILY_LIMIT: i64 = 30;

/// The most that a mailbox may send a day, warmup included (MB-4).
pub const MAX_DAILY_LIMIT: i64 = 500;

/// No server takes longer than a day to file what it sends.
const MAX_SENT_WITHIN: u32 = 24 * 60;

/// Where the servers are and how the account signs in there, as far as the user says it.
#[derive(Clone, Debug, Default)]
pub(super) struct ServersInput {
    pub user_name: Option<String>,
    pub smtp: Option<MailServer>,
    pub imap: Option<MailServer>,
    pub pinned_certificate: Option<String>,
    pub files_sent: Option<bool>,
    pub sent_within_minutes: Option<u32>,
}

/// The preset with this key, or the one proposed for the address's domain, else `custom`.
pub(super) fn preset<'a>(
    presets: &'a [ProviderPreset],
    provider: Option<&str>,
    key: Option<&str>,
    domain: &str,
) -> Result<&'a ProviderPreset, FieldError> {
    let mut of_provider = presets
        .iter()
        .filter(|preset| provider.is_none_or(|provider| preset.provider == provider));
    let found = match key {
        Some(key) => of_provider.find(|preset| preset.preset.key == key),
        None => {
            let proposed = |preset: &&ProviderPreset| {
                preset
                    .preset
                    .domains
                    .iter()
                    .any(|own| own.eq_ignore_ascii_case(domain))
            };
            let all: Vec<_> = of_provider.collect();
            let is_custom = |preset: &&ProviderPreset| preset.preset.key == "custom";
            let found = all.iter().copied().find(proposed);
            match (found, all.as_slice()) {
                // A provider that was named and knows one service leaves no choice.
                (None, [only]) if provider.is_some() => Some(*only),
                (None, all) => all.iter().copied().find(is_custom),
                (found, _) => found,
            }
        }
    };
    found.ok_or_else(|| {
        let known: Vec<&str> = presets.iter().map(|preset| &*preset.preset.key).collect();
        let message = match key {
            Some(key) => format!(
                "there is no preset `{key}`; there are: {}",
                known.join(", ")
            ),
            None => format!(
                "say which mail service it is; there are: {}",
                known.join(", ")
            ),
        };
        FieldError::new("preset", "unknown_preset", message)
    })
}

/// The settings of an account at servers; what is missing and wrong goes to `wrong`.
pub(super) fn mail_settings(
    preset: &plugins::Preset,
    address: &str,
    input: ServersInput,
    wrong: &mut Vec<FieldError>,
) -> Value {
    let mut server = |field: &str, given: Option<MailServer>, known: &Option<plugins::Server>| {
        let server = given.or_else(|| known.as_ref().map(server_of));
        match &server {
            None => wrong.push(FieldError::new(
                field,
                "required",
                "this service has no known servers: say host, port and TLS mode",
            )),
            Some(server) if server.host.trim().is_empty() || server.port == 0 => {
                wrong.push(FieldError::new(
                    field,
                    "invalid",
                    "host and port are needed",
                ));
            }
            Some(_) => {}
        }
        server.unwrap_or_else(|| MailServer {
            host: String::new(),
            port: 0,
            tls: TlsMode::Implicit,
        })
    };
    let smtp = server("smtp", input.smtp, &preset.smtp);
    let imap = server("imap", input.imap, &preset.imap);
    if let Some(pinned) = &input.pinned_certificate
        && let Err(message) = pinned.parse::<Fingerprint>()
    {
        wrong.push(FieldError::new("pinnedCertificate", "invalid", message));
    }
    check_sent_within(input.sent_within_minutes, wrong);
    let files_sent = input.files_sent.unwrap_or(preset.files_sent);
    let user_name = input.user_name.filter(|name| !name.trim().is_empty());
    let settings = MailSettings {
        smtp,
        imap,
        user_name: user_name.unwrap_or_else(|| address.to_owned()),
        pinned_certificate: input.pinned_certificate,
        files_sent,
        sent_within_minutes: input
            .sent_within_minutes
            .or(preset.sent_within_minutes)
            .filter(|_| files_sent),
    };
    serde_json::to_value(settings).expect("settings serialise to JSON")
}

fn server_of(server: &plugins::Server) -> MailServer {
    MailServer {
        host: server.host.clone(),
        port: server.port,
        tls: match server.tls {
            plugins::TlsMode::Implicit => TlsMode::Implicit,
            plugins::TlsMode::Starttls => TlsMode::Starttls,
        },
    }
}

pub(super) fn check_sent_within(minutes: Option<u32>, wrong: &mut Vec<FieldError>) {
    if minutes.is_some_and(|minutes| !(1..=MAX_SENT_WITHIN).contains(&minutes)) {
        let message = format!("a server files what it sends within 1 to {MAX_SENT_WITHIN} minutes");
        wrong.push(FieldError::new(
            "sentWithinMinutes",
            "out_of_range",
            message,
        ));
    }
}

pub(super) fn check_daily_limit(limit: i64, wrong: &mut Vec<FieldError>) {
    if !(0..=MAX_DAILY_LIMIT).contains(&limit) {
        let message = format!("a mailbox sends 0 to {MAX_DAILY_LIMIT} mails a day");
        wrong.push(FieldError::new("dailyLimit", "out_of_range", message));
    }
}

pub(super) fn check_time_zone(zone: &str, wrong: &mut Vec<FieldError>) {
    if jiff::tz::TimeZone::get(zone).is_err() {
        let message = format!("`{zone}` is no time zone; they look like `Europe/Berlin`");
        wrong.push(FieldError::new("timezone", "unknown_time_zone", message));
    }
}

pub(super) fn password(secret: &Secret) -> Credentials {
    Credentials::Password {
        password: secret.expose().to_owned(),
    }
}

/// The time zone of the workspace, which a new mailbox has unless it says another.
pub(super) async fn workspace_time_zone(
    env: &Env,
    ws: overture_domain::WorkspaceId,
) -> crate::Result<String> {
    let workspace = overture_store::people::find_workspace(&mut env.db.reader(), ws).await?;
    Ok(workspace.map_or_else(|| "UTC".to_owned(), |workspace| workspace.time_zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(key: &str, domains: &[&str]) -> ProviderPreset {
        let server = |host: &str, port| plugins::Server {
            host: host.into(),
            port,
            tls: plugins::TlsMode::Implicit,
        };
        ProviderPreset {
            provider: "provider-smtp".into(),
            preset: plugins::Preset {
                key: key.into(),
                name: key.into(),
                smtp: (key != "custom").then(|| server("smtp.example.com", 465)),
                imap: (key != "custom").then(|| server("imap.example.com", 993)),
                auth: vec![plugins::AuthKind::AppPassword],
                password_hint: String::new(),
                domains: domains.iter().map(|d| (*d).to_owned()).collect(),
                files_sent: true,
                sent_within_minutes: Some(5),
                recipients_per_day: None,
                mails_per_minute: None,
            },
        }
    }

    // MB-1
    #[test]
    fn a_preset_is_named_proposed_or_custom() {
        let all = [known("fastmail", &["fastmail.test"]), known("custom", &[])];
        let check = |key: Option<&str>, domain: &str, expected: Result<&str, &str>| {
            let found = preset(&all, None, key, domain);
            let found = found.map(|p| &*p.preset.key).map_err(|e| e.code);
            assert_eq!(
                found.map_err(|e| e.clone()),
                expected.map_err(str::to_owned),
                "{key:?} {domain}"
            );
        };
        check(Some("fastmail"), "example.com", Ok("fastmail"));
        check(None, "FASTMAIL.test", Ok("fastmail"));
        check(None, "example.com", Ok("custom"));
        check(Some("gmial"), "example.com", Err("unknown_preset"));
        assert!(preset(&all, Some("other"), Some("custom"), "").is_err());
        let sandbox = ProviderPreset {
            provider: "sandbox".into(),
            ..known("people", &[])
        };
        let all = [&all[..], &[sandbox]].concat();
        let only = preset(&all, Some("sandbox"), None, "example.com").unwrap();
        assert_eq!(&*only.preset.key, "people");
    }

    // MB-1, MB-11
    #[test]
    fn the_preset_fills_what_is_not_said() {
        let mut wrong = Vec::new();
        let filled = mail_settings(
            &known("fastmail", &[]).preset,
            "ada@example.com",
            ServersInput::default(),
            &mut wrong,
        );
        assert!(wrong.is_empty(), "{wrong:?}");
        let filled: MailSettings = serde_json::from_value(filled).unwrap();
        assert_eq!(
            (&*filled.smtp.host, filled.imap.port, &*filled.user_name),
            ("smtp.example.com", 993, "ada@example.com")
        );
        assert_eq!(
            (filled.files_sent, filled.sent_within_minutes),
            (true, Some(5))
        );

        let input = ServersInput {
            pinned_certificate: Some("ab:cd".into()),
            files_sent: Some(false),
            ..ServersInput::default()
        };
        mail_settings(
            &known("custom", &[]).preset,
            "ada@example.com",
            input,
            &mut wrong,
        );
        let fields: Vec<&str> = wrong.iter().map(|e| &*e.field).collect();
        assert_eq!(fields, ["smtp", "imap", "pinnedCertificate"]);
    }
}
