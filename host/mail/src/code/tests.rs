//! Answers of real services, and what they are called here.

use super::*;
use crate::{imap::Status, smtp::Reply};

// MB-2
#[test]
fn smtp_answers_to_sign_in() {
    let check = |line: &str, expected: Code| {
        let reply = Reply::parse(line).unwrap();
        assert_eq!(
            Cause::Reply(reply).at(Stage::Auth).code(),
            expected,
            "{line}"
        );
    };
    check(
        "534 5.7.9 Application-specific password required.",
        Code::AuthAppPasswordRequired,
    );
    check(
        "534-5.7.14 <https://accounts.example.com/signin/continue>\n534 5.7.14 Please log in",
        Code::AuthAppPasswordRequired,
    );
    check("535 5.7.8 Error: authentication failed:", Code::AuthInvalid);
    check("535 5.7.3 Authentication unsuccessful", Code::AuthInvalid);
    check(
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for \
         the Tenant.",
        Code::SmtpAuthDisabled,
    );
    check(
        "454 4.7.0 Temporary authentication failure",
        Code::ServerUnavailable,
    );
    check(
        "454 4.7.0 Too many login attempts, please try again later",
        Code::RateLimited,
    );
    check("421 4.7.0 Too many connections", Code::RateLimited);
    check(
        "504 5.7.4 Unrecognized authentication type",
        Code::AuthUnsupported,
    );
}

// MB-2
#[test]
fn smtp_answers_to_an_envelope() {
    let check = |line: &str, expected: Code| {
        let reply = Reply::parse(line).unwrap();
        assert_eq!(
            Cause::Reply(reply).at(Stage::Rcpt).code(),
            expected,
            "{line}"
        );
    };
    check("550 5.1.1 no such user here", Code::MailboxNotFound);
    check("550 5.4.5 daily sending quota exceeded", Code::RateLimited);
    check(
        "450 4.7.1 greylisted, try again later",
        Code::ServerUnavailable,
    );
    check("452 4.5.3 too many messages", Code::RateLimited);
    check("451 4.3.0 queue file write error", Code::ServerUnavailable);
    check("530 5.7.0 Authentication required", Code::AuthUnsupported);
    check("554 5.7.1 looks like spam", Code::ServerRefused);
}

// MB-2
#[test]
fn imap_answers() {
    let check = |stage: Stage, line: &str, expected: Code| {
        let status = Status::parse(line).unwrap();
        assert_eq!(Cause::Status(status).at(stage).code(), expected, "{line}");
    };
    check(
        Stage::Auth,
        "NO [AUTHENTICATIONFAILED] Authentication failed.",
        Code::AuthInvalid,
    );
    check(
        Stage::Auth,
        "NO [ALERT] Application-specific password required: https://support.example.com",
        Code::AuthAppPasswordRequired,
    );
    check(
        Stage::Auth,
        "NO [ALERT] Your account is not enabled for IMAP use.",
        Code::ImapDisabled,
    );
    check(
        Stage::Auth,
        "NO [LIMIT] Too many simultaneous connections",
        Code::RateLimited,
    );
    check(
        Stage::Auth,
        "NO [UNAVAILABLE] Temporary failure",
        Code::ServerUnavailable,
    );
    check(
        Stage::Select,
        "NO [NONEXISTENT] Unknown Mailbox: Sent",
        Code::MailboxNotFound,
    );
    check(
        Stage::Fetch,
        "BAD Error in IMAP command",
        Code::ServerRefused,
    );
    check(
        Stage::Starttls,
        "BAD Unknown command",
        Code::StarttlsUnsupported,
    );
}

#[test]
fn definite_auth_failures_are_told_from_passing_ones() {
    // MB-3
    assert!(Code::AuthInvalid.is_definite_auth_failure());
    assert!(!Code::ServerUnavailable.is_definite_auth_failure());
    assert!(!Code::RateLimited.is_definite_auth_failure());
}

#[test]
fn text_form_and_json_agree() {
    for code in words::ALL {
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        assert_eq!(code.as_str().parse(), Ok(code));
    }
    assert_eq!("nonsense".parse::<Code>(), Err(UnknownCode));
}
