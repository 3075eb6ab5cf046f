//! Reading a mailbox: folders, new mail, search, filing, and waiting for changes.
//!
//! One [`Session`] is one connection with one selected folder. Every answer is bounded, in bytes
//! and in time; a page of mail is bounded by [`FetchLimits`].

mod dialogue;
mod fetch;
mod folders;
mod idle;
mod parse;

use std::time::Duration;

use crate::{
    Cause, Credentials, Dialer, Endpoint, Result, Security, Stage, Timeouts,
    connect::refuse_clear_text,
    sasl::{self, Mechanism},
    wire::{Wire, within},
};

use dialogue::{Piece, SMALL, outcome};
pub use fetch::{FetchLimits, Found, Mail, Page};
use folders::Listed;
pub use folders::{Folder, Role};
pub use idle::Idle;
use parse::{Response, Value};
pub use parse::{Status, StatusKind};

/// What is known of the selected folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected {
    /// While it stays the same, a UID names the same mail (RFC 3501 §2.3.1.1, MB-8).
    pub uid_validity: u32,
    /// The UID that the next mail will have, at least; where a first sync begins.
    pub uid_next: u32,
    /// How many mails are in it.
    pub exists: u32,
}

/// A flag of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// Read.
    Seen,
    /// Replied to.
    Answered,
    /// Marked as important.
    Flagged,
    /// To be expunged.
    Deleted,
}

impl Flag {
    fn as_str(self) -> &'static str {
        match self {
            Self::Seen => "\\Seen",
            Self::Answered => "\\Answered",
            Self::Flagged => "\\Flagged",
            Self::Deleted => "\\Deleted",
        }
    }
}

/// A signed-in connection to an IMAP server.
pub struct Session {
    wire: Wire,
    timeouts: Timeouts,
    capabilities: Vec<String>,
    next_tag: u32,
    /// Mails in the selected folder, as the server last said.
    exists: u32,
    /// LOGOUT was said: the server's BYE is no failure.
    leaving: bool,
    dead: bool,
}

impl Session {
    /// Connects, secures and signs in.
    ///
    /// # Errors
    /// At the stages `dns`, `tcp`, `tls`, `greeting`, `starttls`, `capability`, `auth`.
    pub async fn connect(
        dialer: &Dialer,
        endpoint: &Endpoint,
        credentials: &Credentials,
    ) -> Result<Self> {
        refuse_clear_text(endpoint, true)?;
        let mut stream = dialer.open(endpoint).await?;
        if endpoint.security == Security::Implicit {
            stream = dialer.secure(endpoint, stream).await?;
        }
        let mut session = Self {
            wire: Wire::new(stream),
            timeouts: dialer.timeouts,
            capabilities: Vec::new(),
            next_tag: 1,
            exists: 0,
            leaving: false,
            dead: false,
        };
        session.greeting(endpoint).await?;
        if endpoint.security == Security::Starttls {
            session
                .run(Stage::Starttls, "STARTTLS".into(), |_| {})
                .await?;
            let stream = session
                .wire
                .into_stream()
                .map_err(|c| c.at(Stage::Starttls))?;
            let stream = dialer.secure(endpoint, stream).await?;
            session = Self {
                wire: Wire::new(stream),
                capabilities: Vec::new(),
                ..session
            };
        }
        session.ask_capabilities().await?;
        session.sign_in(credentials).await?;
        session.ask_capabilities().await?;
        Ok(session)
    }

    /// Whether the connection is still of use.
    pub fn is_usable(&self) -> bool {
        !self.dead
    }

    /// Whether the server can tell of changes by itself (RFC 2177); else it must be polled.
    pub fn can_idle(&self) -> bool {
        self.has("IDLE")
    }

    /// All folders with what they are for (RFC 6154, MB-8).
    ///
    /// # Errors
    /// At the stage `list`.
    pub async fn folders(&mut self) -> Result<Vec<Folder>> {
        let mut listed = Vec::new();
        let each = |data: Vec<Value>| {
            let [word, attributes, delimiter, name, ..] = data.as_slice() else {
                return;
            };
            let Some(name) = name.text().filter(|_| word.is("LIST")) else {
                return;
            };
            let attributes: Vec<String> =
                attributes.list().iter().filter_map(Value::text).collect();
            let name = folders::decode(&name);
            listed.push(Listed::new(name, delimiter.text().as_deref(), &attributes));
        };
        self.run(Stage::List, "LIST \"\" \"*\"".into(), each)
            .await?;
        Ok(folders::settle(listed))
    }

    /// Selects `folder` for what follows.
    ///
    /// # Errors
    /// At the stage `select`; code `mailbox_not_found` when there is no such folder.
    pub async fn select(&mut self, folder: &str) -> Result<Selected> {
        let command = format!(
            "SELECT {}",
            quoted(&folders::encode(folder), Stage::Select)?
        );
        self.exists = 0;
        let mut validity = None;
        let mut next = None;
        self.run_noticing(Stage::Select, &[Piece::Text(command)], SMALL, |response| {
            if let Response::Notice(status) = response {
                validity = status.number("UIDVALIDITY").or(validity);
                next = status.number("UIDNEXT").or(next);
            }
        })
        .await?;
        let uid_validity = validity
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or(1);
        let uid_next = match next.and_then(|number| u32::try_from(number).ok()) {
            Some(next) => next,
            // Old servers don't say: it is past the last one.
            None => self.last_uid().await?.saturating_add(1),
        };
        Ok(Selected {
            uid_validity,
            uid_next,
            exists: self.exists,
        })
    }

    /// UIDs in the selected folder of mails with this Message-ID (with or without brackets).
    ///
    /// # Errors
    /// At the stage `search`.
    pub async fn search_message_id(&mut self, message_id: &str) -> Result<Vec<u32>> {
        let id = message_id
            .trim()
            .trim_start_matches('<')
            .trim_end_matches('>');
        let id = quoted(&format!("<{id}>"), Stage::Search)?;
        let mut uids = Vec::new();
        let command = format!("UID SEARCH HEADER Message-ID {id}");
        self.run(Stage::Search, command, |data| {
            if data.first().is_some_and(|word| word.is("SEARCH")) {
                uids.extend(data.iter().filter_map(Value::number));
            }
        })
        .await?;
        let mut uids: Vec<u32> = uids
            .into_iter()
            .filter_map(|n| u32::try_from(n).ok())
            .collect();
        uids.sort_unstable();
        Ok(uids)
    }

    /// Files `mail` into `folder` (MB-9).
    ///
    /// # Errors
    /// At the stage `append`.
    pub async fn append(&mut self, folder: &str, mail: &[u8], flags: &[Flag]) -> Result<()> {
        let folder = quoted(&folders::encode(folder), Stage::Append)?;
        let head = format!("APPEND {folder} ({}) ", joined(flags));
        let command = [Piece::Text(head), Piece::Literal(mail)];
        self.run_noticing(Stage::Append, &command, SMALL, |_| {})
            .await
    }

    /// Moves mails of the selected folder. Their UIDs change: what is to be done to them, do
    /// before.
    ///
    /// # Errors
    /// At the stage `move`.
    pub async fn move_to(&mut self, uids: &[u32], folder: &str) -> Result<()> {
        if uids.is_empty() {
            return Ok(());
        }
        let (set, name) = (
            uid_set(uids),
            quoted(&folders::encode(folder), Stage::Move)?,
        );
        if self.has("MOVE") {
            return self
                .run(Stage::Move, format!("UID MOVE {set} {name}"), |_| {})
                .await;
        }
        self.run(Stage::Move, format!("UID COPY {set} {name}"), |_| {})
            .await?;
        self.run(
            Stage::Move,
            format!("UID STORE {set} +FLAGS.SILENT (\\Deleted)"),
            |_| {},
        )
        .await?;
        // Without UIDPLUS a plain EXPUNGE would also remove what the user has marked.
        if self.has("UIDPLUS") {
            self.run(Stage::Move, format!("UID EXPUNGE {set}"), |_| {})
                .await?;
        }
        Ok(())
    }

    /// Sets or clears flags of mails in the selected folder.
    ///
    /// # Errors
    /// At the stage `flag`.
    pub async fn set_flags(&mut self, uids: &[u32], flags: &[Flag], on: bool) -> Result<()> {
        if uids.is_empty() || flags.is_empty() {
            return Ok(());
        }
        let sign = if on { '+' } else { '-' };
        let (set, flags) = (uid_set(uids), joined(flags));
        self.run(
            Stage::Flag,
            format!("UID STORE {set} {sign}FLAGS.SILENT ({flags})"),
            |_| {},
        )
        .await
    }

    /// Says goodbye and closes. Nothing can be done about a server that does not answer, so
    /// there is no error.
    pub async fn logout(mut self) {
        if !self.dead {
            self.leaving = true;
            self.timeouts.command = Duration::from_secs(5);
            drop(self.run(Stage::Auth, "LOGOUT".into(), |_| {}).await);
        }
        self.wire.close().await;
    }

    async fn greeting(&mut self, endpoint: &Endpoint) -> Result<()> {
        let at = |cause: Cause| cause.at(Stage::Greeting);
        match self.read_in_time(SMALL).await.map_err(at)? {
            Response::Notice(status) => match status.kind {
                StatusKind::Ok => Ok(()),
                // Signed in before TLS: whoever sent this is to be kept out (RFC 9051 §11.1).
                StatusKind::Preauth if endpoint.security == Security::Starttls => {
                    Err(at(Cause::Injected))
                }
                StatusKind::Preauth => Err(at(Cause::Garbage(status.to_string()))),
                _ => Err(at(Cause::Status(status))),
            },
            other => Err(at(Cause::Garbage(format!("{other:?}")))),
        }
    }

    async fn ask_capabilities(&mut self) -> Result<()> {
        let mut capabilities = Vec::new();
        self.run(Stage::Capability, "CAPABILITY".into(), |data| {
            if data.first().is_some_and(|word| word.is("CAPABILITY")) {
                let words = data[1..].iter().filter_map(Value::text);
                capabilities = words.map(|word| word.to_ascii_uppercase()).collect();
            }
        })
        .await?;
        self.capabilities = capabilities;
        Ok(())
    }

    fn has(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|own| own == capability)
    }

    async fn sign_in(&mut self, credentials: &Credentials) -> Result<()> {
        let capabilities = self.capabilities.clone();
        let offered = |name: &str| {
            let name = format!("AUTH={name}");
            capabilities.contains(&name)
        };
        match credentials {
            // LOGIN is a command of its own in IMAP, and there unless it is disabled.
            Credentials::Password { user, password }
                if !offered("PLAIN") && !self.has("LOGINDISABLED") =>
            {
                sasl::refuse_controls(user, password).map_err(|c| c.at(Stage::Auth))?;
                let command = [
                    Piece::Text("LOGIN ".into()),
                    Piece::Literal(user.as_bytes()),
                    Piece::Text(" ".into()),
                    Piece::Literal(password.as_bytes()),
                ];
                self.run_noticing(Stage::Auth, &command, SMALL, |_| {})
                    .await
            }
            _ => {
                let mechanism =
                    sasl::choose(credentials, offered).map_err(|c| c.at(Stage::Auth))?;
                self.authenticate(mechanism).await
            }
        }
    }

    /// AUTHENTICATE, each message after the server's `+`.
    async fn authenticate(&mut self, mechanism: Mechanism) -> Result<()> {
        let (name, messages) = match mechanism {
            Mechanism::Plain(message) => ("PLAIN", vec![message]),
            Mechanism::Login(user, password) => ("LOGIN", vec![user, password]),
            Mechanism::Xoauth2(message) => ("XOAUTH2", vec![message]),
        };
        self.dead = true;
        let tag = self.tag();
        let limit = self.timeouts.command;
        let mut messages = messages.into_iter();
        let dialogue = async {
            self.wire
                .send(format!("{tag} AUTHENTICATE {name}\r\n").as_bytes())
                .await?;
            loop {
                match self.read(SMALL).await? {
                    Response::Continue(_) => {
                        // XOAUTH2 explains a refusal as a challenge; an empty answer ends it.
                        let message = messages.next().unwrap_or_default();
                        self.wire.send(format!("{message}\r\n").as_bytes()).await?;
                    }
                    Response::Done(done, status) if done == tag => return outcome(status),
                    Response::Notice(status) if status.kind == StatusKind::Bye => {
                        return Err(Cause::Status(status));
                    }
                    _ => {}
                }
            }
        };
        let result = within(limit, dialogue).await;
        self.conclude(Stage::Auth, result)
    }

    async fn last_uid(&mut self) -> Result<u32> {
        let mut last = 0;
        if self.exists > 0 {
            self.run(Stage::Select, "UID FETCH * (UID)".into(), |data| {
                last = last.max(fetch::uid_of(&data).unwrap_or(0));
            })
            .await?;
        }
        Ok(last)
    }
}

/// A quoted string; what cannot stand in one is refused, so that no name can add a command.
fn quoted(text: &str, stage: Stage) -> Result<String> {
    if text.bytes().any(|byte| !(32..127).contains(&byte)) {
        let words = format!(
            "`{}` holds a character that IMAP cannot quote",
            text.escape_debug()
        );
        return Err(Cause::Input(words).at(stage));
    }
    Ok(format!(
        "\"{}\"",
        text.replace('\\', "\\\\").replace('"', "\\\"")
    ))
}

fn joined(flags: &[Flag]) -> String {
    let words: Vec<&str> = flags.iter().map(|flag| flag.as_str()).collect();
    words.join(" ")
}

/// `3,5,9`.
fn uid_set(uids: &[u32]) -> String {
    let words: Vec<String> = uids.iter().map(u32::to_string).collect();
    words.join(",")
}
