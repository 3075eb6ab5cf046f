//! What SASL mechanisms say (RFC 4616 PLAIN, XOAUTH2), in base 64.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{Cause, Credentials};

/// One way of signing in, chosen from what the server offers.
pub(crate) enum Mechanism {
    /// `PLAIN` with its only message.
    Plain(String),
    /// `LOGIN`: user name, then password.
    Login(String, String),
    /// `XOAUTH2` with its only message.
    Xoauth2(String),
}

/// The best mechanism for `credentials` among those that `offered` knows (upper case).
pub(crate) fn choose(
    credentials: &Credentials,
    offered: impl Fn(&str) -> bool,
) -> Result<Mechanism, Cause> {
    match credentials {
        Credentials::Password { user, password } => {
            refuse_controls(user, password)?;
            if offered("PLAIN") {
                Ok(Mechanism::Plain(
                    STANDARD.encode(format!("\0{user}\0{password}")),
                ))
            } else if offered("LOGIN") {
                Ok(Mechanism::Login(
                    STANDARD.encode(user),
                    STANDARD.encode(password),
                ))
            } else {
                Err(Cause::NotOffered("AUTH PLAIN or LOGIN"))
            }
        }
        Credentials::OAuth { user, token } => {
            refuse_controls(user, token)?;
            if !offered("XOAUTH2") {
                return Err(Cause::NotOffered("AUTH XOAUTH2"));
            }
            let message = format!("user={user}\x01auth=Bearer {token}\x01\x01");
            Ok(Mechanism::Xoauth2(STANDARD.encode(message)))
        }
    }
}

/// Control characters separate the fields of these messages.
pub(crate) fn refuse_controls(user: &str, secret: &str) -> Result<(), Cause> {
    for (what, text) in [("user name", user), ("password", secret)] {
        if text.chars().any(char::is_control) {
            return Err(Cause::Input(format!(
                "the {what} contains a control character, such as a line break at its end"
            )));
        }
    }
    Ok(())
}
