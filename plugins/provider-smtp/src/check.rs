//! The connection test (MB-2): both legs for real, each with the server's words and the fix.

use overture_plugin::{
    mail_provider::{Leg, LegProblem},
    mailbox::{MailboxError, Session, Stage},
};
use serde::Deserialize;

use crate::presets;

/// What of the account's settings matters here.
#[derive(Default, Deserialize)]
struct Settings {
    preset: Option<String>,
}

pub(crate) fn both_legs<S: Session>(account: &S) -> Vec<Leg> {
    let settings: Settings = serde_json::from_str(&account.settings()).unwrap_or_default();
    let hint = settings.preset.and_then(|key| presets::password_hint(&key));
    let smtp = account.check_submission();
    let imap = account
        .folders()
        .and_then(|_| account.select("INBOX"))
        .map(|_| ());
    vec![leg("smtp", smtp, hint), leg("imap", imap, hint)]
}

fn leg(name: &str, outcome: Result<(), MailboxError>, hint: Option<&str>) -> Leg {
    let problem = outcome.err().map(|error| match error {
        MailboxError::Denied(what) => LegProblem {
            stage: "host".into(),
            code: "denied".into(),
            reply: None,
            fix: format!("An admin must grant this plugin: {what}."),
        },
        MailboxError::Failed(failure) => LegProblem {
            stage: stage_name(failure.stage).into(),
            fix: fix(&failure.code, hint),
            reply: failure
                .reply
                .map(|r| words(r.code, r.enhanced.as_deref(), &r.text)),
            code: failure.code,
        },
    });
    Leg {
        name: name.into(),
        problem,
    }
}

/// `535 5.7.8 Username and Password not accepted`
fn words(code: Option<u16>, enhanced: Option<&str>, text: &str) -> String {
    let mut words = code.map(|c| c.to_string()).unwrap_or_default();
    // Some hosts leave the enhanced code in the text as well.
    for part in [enhanced.filter(|e| !text.starts_with(e)), Some(text)]
        .into_iter()
        .flatten()
    {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(part);
    }
    words
}

fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Dns => "dns",
        Stage::Tcp => "tcp",
        Stage::Tls => "tls",
        Stage::Greeting => "greeting",
        Stage::Auth => "auth",
        Stage::Sender => "sender",
        Stage::Recipient => "recipient",
        Stage::Data => "data",
        Stage::Body => "body",
        Stage::Select => "select",
        Stage::Fetch => "fetch",
        Stage::Append => "append",
    }
}

/// What a user can do, with what is special at the service.
fn fix(code: &str, hint: Option<&str>) -> String {
    let general = match code {
        "auth_app_password_required" => {
            "Create an app password in the security settings of the mail account and use it here \
             in place of the normal password."
        }
        "auth_invalid" => {
            "Check user name and password. The user name is mostly the full address; with two-step \
             verification an app password is needed."
        }
        "auth_unsupported" => "Check host, port and TLS mode, or connect the mailbox by OAuth.",
        "smtp_auth_disabled" => {
            "An admin must enable authenticated SMTP for this mailbox (Microsoft 365 admin center: \
             Users, Mail, Manage email apps), or connect it by OAuth."
        }
        "imap_disabled" => "Switch IMAP on in the settings of the mail account.",
        "connection_refused" => "Check host name and port: SMTP is mostly 465 or 587, IMAP 993.",
        "port_not_allowed" => {
            "Use port 25, 465, 587, 2525, 143 or 993; the operator can allow others by \
             `mail.allowed_ports`."
        }
        "address_not_allowed" => {
            "Mail servers must have one; the operator can allow a private network by \
             `mail.allowed_networks`."
        }
        "dns_not_found" => "Check the host name for typing errors.",
        "dns_failed" => {
            "Test again in a while; when it persists, the operator checks `dns.servers`."
        }
        "connection_lost" => {
            "Test again; when it persists, check host, port and TLS mode, and whether a firewall is \
             in between."
        }
        "protocol_error" => {
            "Check host and port; something in between may change what the server says."
        }
        "server_unavailable" => "Test again in a while: the trouble is the server's own.",
        "timeout" => "Check host and port, and whether a firewall is in between.",
        "tls_wrong_mode" => {
            "465 and 993 are implicit TLS, 587 and 143 are STARTTLS: change the port or the TLS mode."
        }
        "starttls_unsupported" => "Use implicit TLS: port 465 for SMTP, 993 for IMAP.",
        "starttls_injected" => {
            "Somebody may be tampering with the connection: use implicit TLS (465 or 993), and tell \
             the server's admin."
        }
        "tls_failed" => {
            "TLS 1.2 or newer with an ordinary server certificate is needed: ask the server's admin."
        }
        "tls_self_signed" => {
            "Compare the fingerprint with the one that your server's admin tells you, then pin it \
             for this mailbox."
        }
        "tls_untrusted_issuer" => {
            "Install the full chain on the server, or name its CA in `mail.extra_ca_file`."
        }
        "tls_expired" => "The server's admin must renew it; check this machine's clock, too.",
        "tls_hostname_mismatch" => {
            "Use the host name that the certificate is for; the provider's documentation says it."
        }
        "mailbox_not_found" => "Check the user name.",
        "rate_limited" => "Wait 15 minutes, then test again.",
        _ => "Read the server's words, check host, port, TLS mode and user name, and test again.",
    };
    match hint.filter(|_| code.starts_with("auth_")) {
        Some(hint) => format!("{general} {hint}"),
        None => general.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use overture_plugin::mailbox::{Failure, Reply};

    use super::*;

    fn problem(code: &str, reply: Option<Reply>, hint: Option<&str>) -> LegProblem {
        let (code, detail) = (code.to_owned(), String::new());
        let failure = Failure {
            stage: Stage::Auth,
            code,
            reply,
            detail,
        };
        leg("smtp", Err(MailboxError::Failed(failure)), hint)
            .problem
            .unwrap()
    }

    /// MB-2: code, the server's own words, the fix.
    #[test]
    fn a_leg_says_code_words_and_fix() {
        let reply = Reply {
            code: Some(534),
            enhanced: Some("5.7.9".into()),
            text: "Application-specific password required".into(),
        };
        let hint = presets::password_hint("gmail");
        let said = problem("auth_app_password_required", Some(reply), hint);
        assert_eq!(said.stage, "auth");
        assert_eq!(
            said.reply.unwrap(),
            "534 5.7.9 Application-specific password required"
        );
        assert!(said.fix.contains("app password"), "{}", said.fix);
        assert!(said.fix.contains("myaccount.google.com"), "{}", said.fix);
    }

    #[test]
    fn a_leg_that_works_has_no_problem() {
        assert_eq!(leg("imap", Ok(()), None).problem, None);
        let denied = leg("imap", Err(MailboxError::Denied("mailbox".into())), None);
        assert_eq!(denied.problem.unwrap().code, "denied");
    }

    /// Every code of MB-2 has a fix of its own.
    #[test]
    fn no_code_is_left_to_the_general_fix() {
        let general = problem("protocol", None, None).fix;
        for code in [
            "auth_app_password_required",
            "auth_invalid",
            "smtp_auth_disabled",
            "connection_refused",
            "dns_not_found",
            "timeout",
            "tls_self_signed",
            "tls_expired",
            "tls_hostname_mismatch",
            "tls_wrong_mode",
            "starttls_unsupported",
            "mailbox_not_found",
            "imap_disabled",
            "rate_limited",
            "tls_untrusted_issuer",
            "auth_unsupported",
            "connection_lost",
            "dns_failed",
            "protocol_error",
            "server_unavailable",
            "starttls_injected",
            "tls_failed",
        ] {
            assert_ne!(problem(code, None, None).fix, general, "{code}");
        }
    }
}
