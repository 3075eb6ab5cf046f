//! Sending, one step of the dialogue at a time (SAFE-3).
//!
//! [`Session::begin`] goes up to the server's 354. Now the caller commits the attempt, then
//! [`Session::body`] sends the mail and waits for the answer. Whatever fails says by
//! [`Error::fate`](crate::Error::fate) whether the mail may have gone out. A session serves any
//! number of mails.

mod classify;
mod reply;

use crate::{
    Cause, Credentials, Dialer, Endpoint, Error, Result, Security, Stage, Timeouts,
    connect::refuse_clear_text,
    sasl::{self, Mechanism},
    wire::{Wire, within},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

pub use classify::{ReplyClass, classify, classify_parts};
use reply::Line;
pub use reply::{Enhanced, Reply};

/// Sender and recipient as the server sees them (RFC 5321 §3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The reverse path, where bounces go.
    pub from: String,
    /// The recipient.
    pub to: String,
}

/// What the server offered in answer to EHLO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// `STARTTLS` (RFC 3207).
    pub starttls: bool,
    /// The mechanisms of `AUTH` (RFC 4954), upper case.
    pub auth: Vec<String>,
    /// `SMTPUTF8` (RFC 6531): addresses beyond ASCII.
    pub utf8: bool,
    /// The largest mail taken, in bytes (`SIZE`, RFC 1870); `None` when not said.
    pub size: Option<u64>,
    /// `PIPELINING` (RFC 2920): several commands at once.
    pub pipelining: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between mails.
    Idle,
    /// MAIL was said; RSET is needed before the next one.
    Open,
    /// 354 was answered; the server reads the body.
    Data,
    /// Of no more use.
    Dead,
}

/// A connection to an SMTP server, signed in.
pub struct Session {
    wire: Wire,
    offers: Offers,
    timeouts: Timeouts,
    state: State,
}

/// RFC 5321 §4.5.3.1.5 allows 512; real servers write more.
const LINE_LIMIT: usize = 4096;

/// A piece of a mail's body, each with a limit of its own (RFC 5321 §4.5.3.2.5). Most mails are one.
const BLOCK: usize = 64 * 1024;

impl Session {
    /// Connects, secures, greets and signs in (with `credentials`, else not).
    ///
    /// # Errors
    /// At the stages `dns`, `tcp`, `tls`, `greeting`, `capability`, `starttls`, `auth`.
    pub async fn connect(
        dialer: &Dialer,
        endpoint: &Endpoint,
        credentials: Option<&Credentials>,
    ) -> Result<Self> {
        refuse_clear_text(endpoint, credentials.is_some())?;
        let mut stream = dialer.open(endpoint).await?;
        if endpoint.security == Security::Implicit {
            stream = dialer.secure(endpoint, stream).await?;
        }
        let mut session = Self {
            wire: Wire::new(stream),
            offers: Offers::default(),
            timeouts: dialer.timeouts,
            state: State::Idle,
        };
        let greeting = session
            .answer(Stage::Greeting, dialer.timeouts.greeting)
            .await?;
        expect(&greeting, Stage::Greeting, greeting.code == 220)?;
        session.ehlo(&dialer.hello).await?;
        if endpoint.security == Security::Starttls {
            session = session.upgrade(dialer, endpoint).await?;
        }
        if let Some(credentials) = credentials {
            session.sign_in(credentials).await?;
        }
        Ok(session)
    }

    /// What the server offers.
    pub fn offers(&self) -> &Offers {
        &self.offers
    }

    /// Whether the session can take another mail.
    pub fn is_usable(&self) -> bool {
        matches!(self.state, State::Idle | State::Open)
    }

    /// `MAIL FROM` and `RCPT TO` without a body: asks whether the server would take it.
    ///
    /// # Errors
    /// At the stages `mail` and `rcpt`; the mail is not sent.
    pub async fn envelope(&mut self, envelope: &Envelope) -> Result<()> {
        let [mail, rcpt] = self.open(envelope).await?;
        self.dialogue(&[(Stage::Mail, &mail), (Stage::Rcpt, &rcpt)])
            .await
    }

    /// Goes through the dialogue up to the server's 354: now it waits for [`body`](Self::body).
    /// Who does not want to go on drops the session: a server discards a mail whose connection
    /// ends before the final dot.
    ///
    /// # Errors
    /// At the stages `mail`, `rcpt` and `data`; the mail is not sent.
    pub async fn begin(&mut self, envelope: &Envelope) -> Result<()> {
        let [mail, rcpt] = self.open(envelope).await?;
        let commands = [
            (Stage::Mail, mail.as_str()),
            (Stage::Rcpt, &rcpt),
            (Stage::Data, "DATA"),
        ];
        self.dialogue(&commands).await?;
        self.state = State::Data;
        Ok(())
    }

    /// Makes the session ready for an envelope. Its two commands.
    async fn open(&mut self, envelope: &Envelope) -> Result<[String; 2]> {
        let (from, to) = (path(&envelope.from)?, path(&envelope.to)?);
        let utf8 = !from.is_ascii() || !to.is_ascii();
        if utf8 && !self.offers.utf8 {
            let words = format!(
                "this server takes no addresses beyond ASCII (SMTPUTF8): `{}`, `{}`",
                envelope.from, envelope.to
            );
            return Err(Cause::Input(words).at(Stage::Mail));
        }
        match self.state {
            State::Idle => self.state = State::Open,
            State::Open => {
                self.reset().await?;
                self.state = State::Open;
            }
            State::Data | State::Dead => return Err(Cause::Closed.at(Stage::Mail)),
        }
        let suffix = if utf8 { " SMTPUTF8" } else { "" };
        Ok([
            format!("MAIL FROM:<{from}>{suffix}"),
            format!("RCPT TO:<{to}>"),
        ])
    }

    /// Commands of which each must be answered well, in one round trip where the server offers it.
    async fn dialogue(&mut self, commands: &[(Stage, &str)]) -> Result<()> {
        let good = |stage, reply: &Reply| match stage {
            Stage::Data => reply.code == 354,
            _ => reply.is_positive(),
        };
        if !self.offers.pipelining {
            for (stage, line) in commands {
                let reply = self.ask(*stage, line).await?;
                if !good(*stage, &reply) {
                    return Err(self.refused(*stage, &reply));
                }
            }
            return Ok(());
        }
        let (replies, rest) = self.at_once(commands).await;
        let mut answered = commands.iter().map(|(stage, _)| *stage).zip(&replies);
        let refused = answered.find(|(stage, reply)| !good(*stage, reply));
        let Some((stage, reply)) = refused else {
            return rest;
        };
        // It waits for the body of a mail that it has refused (RFC 2920 §3.1).
        if replies.last().is_some_and(|last| last.code == 354) {
            self.state = State::Dead;
        }
        Err(self.refused(stage, reply))
    }

    /// An answer that is no yes. One that is no no either was given to another question: nobody knows
    /// to which those belong that are still to come.
    fn refused(&mut self, stage: Stage, reply: &Reply) -> Error {
        if matches!(reply.code / 100, 4 | 5) {
            return Cause::Reply(reply.clone()).at(stage);
        }
        self.state = State::Dead;
        Cause::Garbage(reply.to_string()).at(stage)
    }

    /// Commands in one round trip (RFC 2920); DATA may only be the last. The answers, as far as they
    /// came.
    async fn at_once(&mut self, commands: &[(Stage, &str)]) -> (Vec<Reply>, Result<()>) {
        let lines: Vec<&str> = commands.iter().map(|(_, line)| *line).collect();
        let (first, _) = commands[0];
        let mut replies = match self.ask(first, &lines.join("\r\n")).await {
            Ok(reply) => vec![reply],
            Err(error) => return (Vec::new(), Err(error)),
        };
        let before = std::mem::replace(&mut self.state, State::Dead);
        for (stage, _) in &commands[1..] {
            // Who hangs up with an answer gives no more.
            if replies.last().is_some_and(|reply| reply.code == 421) {
                return (replies, Ok(()));
            }
            match self.answer(*stage, self.limit(*stage)).await {
                Ok(reply) => replies.push(reply),
                Err(error) => return (replies, Err(error)),
            }
        }
        if replies.last().is_some_and(|reply| reply.code != 421) {
            self.state = before;
        }
        (replies, Ok(()))
    }

    /// Sends the mail itself, RFC 5322 bytes with the headers first, and waits for the answer.
    /// Line ends are made CRLF, so that nothing in it can end the mail early.
    ///
    /// # Errors
    /// At the stage `body`: with a reply, the server has refused the mail; without one it is not
    /// known whether it took it ([`Error::fate`](crate::Error::fate)).
    ///
    /// # Panics
    /// When [`begin`](Self::begin) has not succeeded just before.
    pub async fn body(&mut self, mail: &[u8]) -> Result<Reply> {
        assert!(
            self.state == State::Data,
            "`body` follows a successful `begin`"
        );
        if !self.wire.arrived().is_empty() {
            // An answer before the question would be taken for the answer to the body.
            self.state = State::Dead;
            return Err(self.spoke_first(Stage::Data));
        }
        // Until the answer is read whole, also when this future is dropped.
        self.state = State::Dead;
        let reply = match self.send_blocks(&stuffed(mail)).await {
            Ok(()) => self.answer(Stage::Body, self.timeouts.transfer).await?,
            // A server may refuse and hang up while we still write: its refusal counts.
            Err(Cause::Io(broken)) => match self.answer(Stage::Body, self.timeouts.command).await {
                Ok(reply) if !reply.is_positive() => reply,
                _ => return Err(Cause::Io(broken).at(Stage::Body)),
            },
            Err(cause) => return Err(cause.at(Stage::Body)),
        };
        if !matches!(reply.code, 200..=299 | 400..=599) {
            return Err(Cause::Garbage(reply.to_string()).at(Stage::Body));
        }
        self.state = if reply.code == 421 {
            State::Dead
        } else {
            State::Idle
        };
        expect(&reply, Stage::Body, reply.is_positive())?;
        Ok(reply)
    }

    async fn send_blocks(&mut self, body: &[u8]) -> std::result::Result<(), Cause> {
        for block in body.chunks(BLOCK) {
            within(self.timeouts.block, self.wire.send(block)).await?;
        }
        Ok(())
    }

    /// Gives up the mail that was begun with [`envelope`](Self::envelope).
    ///
    /// # Errors
    /// At the stage `reset`; the session is then of no more use.
    pub async fn reset(&mut self) -> Result<()> {
        self.command(Stage::Reset, "RSET").await?;
        self.state = State::Idle;
        Ok(())
    }

    /// Says goodbye and closes. Nothing can be done about a server that does not answer, so
    /// there is no error.
    pub async fn quit(mut self) {
        if self.is_usable() {
            let limit = std::time::Duration::from_secs(5);
            drop(within(limit, self.wire.send(b"QUIT\r\n")).await);
            drop(self.answer(Stage::Reset, limit).await);
        }
        self.wire.close().await;
    }

    async fn upgrade(mut self, dialer: &Dialer, endpoint: &Endpoint) -> Result<Self> {
        if !self.offers.starttls {
            return Err(Cause::NotOffered("STARTTLS").at(Stage::Starttls));
        }
        let reply = self.ask(Stage::Starttls, "STARTTLS").await?;
        expect(&reply, Stage::Starttls, reply.code == 220)?;
        let stream = self
            .wire
            .into_stream()
            .map_err(|cause| cause.at(Stage::Starttls))?;
        let stream = dialer.secure(endpoint, stream).await?;
        let mut session = Self {
            wire: Wire::new(stream),
            ..self
        };
        // What was offered in the clear could have been anybody's (RFC 3207 §4.2).
        session.ehlo(&dialer.hello).await?;
        Ok(session)
    }

    async fn ehlo(&mut self, hello: &str) -> Result<()> {
        let reply = self
            .command(Stage::Capability, &format!("EHLO {hello}"))
            .await?;
        self.offers = offers(&reply);
        Ok(())
    }

    async fn sign_in(&mut self, credentials: &Credentials) -> Result<()> {
        let offered = &self.offers.auth;
        let mechanism = sasl::choose(credentials, |name| offered.iter().any(|own| own == name))
            .map_err(|cause| cause.at(Stage::Auth))?;
        match mechanism {
            Mechanism::Plain(message) => {
                self.command(Stage::Auth, &format!("AUTH PLAIN {message}"))
                    .await?;
            }
            Mechanism::Login(user, password) => {
                for line in ["AUTH LOGIN", &user] {
                    let reply = self.ask(Stage::Auth, line).await?;
                    expect(&reply, Stage::Auth, reply.code == 334)?;
                }
                self.command(Stage::Auth, &password).await?;
            }
            Mechanism::Xoauth2(message) => {
                let reply = self
                    .ask(Stage::Auth, &format!("AUTH XOAUTH2 {message}"))
                    .await?;
                if reply.code == 334 {
                    // The reason comes as a challenge; an empty answer brings the refusal.
                    let refusal = self.ask(Stage::Auth, "").await?;
                    let reason = STANDARD.decode(reply.text()).unwrap_or_default();
                    let reason = String::from_utf8_lossy(&reason).into_owned();
                    let mut lines = refusal.lines().to_vec();
                    lines.push(reason);
                    return Err(Cause::Reply(Reply::new(refusal.code, lines)).at(Stage::Auth));
                }
                expect(&reply, Stage::Auth, reply.is_positive())?;
            }
        }
        Ok(())
    }

    /// A command whose only good answer is 2xx.
    async fn command(&mut self, stage: Stage, line: &str) -> Result<Reply> {
        let reply = self.ask(stage, line).await?;
        expect(&reply, stage, reply.is_positive())?;
        Ok(reply)
    }

    /// A command and its answer, whatever it is.
    async fn ask(&mut self, stage: Stage, line: &str) -> Result<Reply> {
        if !self.is_usable() {
            return Err(Cause::Closed.at(stage));
        }
        let before = std::mem::replace(&mut self.state, State::Dead);
        if !self.wire.arrived().is_empty() {
            return Err(self.spoke_first(stage));
        }
        let limit = self.limit(stage);
        let sent = within(limit, self.wire.send(format!("{line}\r\n").as_bytes())).await;
        // A server that hangs up says why before (421), so read even when writing failed.
        let reply = match (sent, self.answer(stage, limit).await) {
            (_, Ok(reply)) => reply,
            (Err(cause), _) => return Err(cause.at(stage)),
            (_, Err(error)) => return Err(error),
        };
        if reply.code != 421 {
            self.state = before;
        }
        Ok(reply)
    }

    /// How long the answer to a command may take.
    fn limit(&self, stage: Stage) -> std::time::Duration {
        match stage {
            Stage::Data => self.timeouts.data,
            _ => self.timeouts.command,
        }
    }

    async fn answer(&mut self, stage: Stage, limit: std::time::Duration) -> Result<Reply> {
        within(limit, read_reply(&mut self.wire))
            .await
            .map_err(|cause| cause.at(stage))
    }

    /// The server spoke although it was not its turn.
    fn spoke_first(&self, stage: Stage) -> Error {
        let words = String::from_utf8_lossy(self.wire.arrived()).into_owned();
        Cause::Garbage(format!("unasked: {words}")).at(stage)
    }
}

async fn read_reply(wire: &mut Wire) -> std::result::Result<Reply, Cause> {
    let mut reply = None;
    loop {
        let line = wire.line(LINE_LIMIT).await?;
        let complete = Line::parse(&line).and_then(|line| line.add_to(&mut reply));
        match (complete, reply.take()) {
            (Some(true), Some(whole)) => return Ok(whole),
            (Some(false), begun) => reply = begun,
            _ => return Err(Cause::Garbage(line)),
        }
    }
}

fn expect(reply: &Reply, stage: Stage, good: bool) -> Result<()> {
    if good {
        Ok(())
    } else {
        Err(Cause::Reply(reply.clone()).at(stage))
    }
}

fn offers(reply: &Reply) -> Offers {
    let mut offers = Offers::default();
    for line in reply.lines().iter().skip(1) {
        let line = line.to_ascii_uppercase();
        // Some old servers write `AUTH=PLAIN`.
        let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
        match words.next() {
            Some("STARTTLS") => offers.starttls = true,
            Some("SMTPUTF8") => offers.utf8 = true,
            Some("PIPELINING") => offers.pipelining = true,
            Some("SIZE") => offers.size = words.next().and_then(|size| size.parse().ok()),
            Some("AUTH") => offers.auth.extend(words.map(str::to_owned)),
            _ => {}
        }
    }
    offers
}

/// An address fit for `<…>`: the domain in ASCII (IDNA), nothing that could end the command.
fn path(address: &str) -> Result<String> {
    crate::mime::ascii_domain(address).map_err(|cause| cause.at(Stage::Mail))
}

/// The mail as it goes over the wire: CRLF line ends, leading dots doubled (RFC 5321 §4.5.2), a
/// line end at the end, the final dot. A lone CR or LF becomes CRLF: servers that take one for a
/// line end could be made to see a second mail in it.
fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(mail.len() + mail.len() / 32 + 8);
    let mut line_start = true;
    let mut bytes = mail.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' | b'\n' => {
                if byte == b'\r' {
                    bytes.next_if_eq(&b'\n');
                }
                out.extend_from_slice(b"\r\n");
                line_start = true;
            }
            _ => {
                if line_start && byte == b'.' {
                    out.push(b'.');
                }
                out.push(byte);
                line_start = false;
            }
        }
    }
    if !line_start {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_body_can_end_it() {
        // SAFE-3: a second mail smuggled in would be a second send.
        let check = |mail: &str, expected: &str| {
            assert_eq!(
                String::from_utf8(stuffed(mail.as_bytes())).unwrap(),
                expected,
                "{mail:?}"
            );
        };
        check("a\r\n", "a\r\n.\r\n");
        check("a", "a\r\n.\r\n");
        check("", ".\r\n");
        check("a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n");
        check("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n");
        check("a\r.\rb", "a\r\n..\r\nb\r\n.\r\n");
        check("a\n.\r\nMAIL FROM:<x>", "a\r\n..\r\nMAIL FROM:<x>\r\n.\r\n");
        check(".a\r\n..b", "..a\r\n...b\r\n.\r\n");
    }

    #[test]
    fn ehlo_is_understood() {
        let reply = Reply::parse(
            "250-mx.example.com hello\n250-SIZE 35882577\n250-AUTH PLAIN login\n250-AUTH=XOAUTH2\n\
             250-STARTTLS\n250-PIPELINING\n250 SMTPUTF8",
        )
        .unwrap();
        assert_eq!(
            offers(&reply),
            Offers {
                starttls: true,
                auth: vec!["PLAIN".into(), "LOGIN".into(), "XOAUTH2".into()],
                utf8: true,
                size: Some(35_882_577),
                pipelining: true,
            }
        );
    }
}
