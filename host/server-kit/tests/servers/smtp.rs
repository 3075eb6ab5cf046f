//! A small SMTP client on `openssl s_client`: enough to see how the servers answer.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use overture_server_kit::MailServers;

pub(crate) struct Smtp {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Smtp {
    /// Connects to the submission port with STARTTLS and checks the certificate.
    pub(crate) fn connect(servers: &MailServers) -> Self {
        let mut process = Command::new("openssl")
            .args([
                "s_client",
                "-quiet",
                "-crlf",
                "-verify_return_error",
                "-starttls",
                "smtp",
            ])
            .args(["-verify_hostname", "localhost", "-CAfile"])
            .arg(&servers.ca_file)
            .args([
                "-connect",
                &format!("127.0.0.1:{}", servers.ports.submission),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl is installed");
        let commands = process.stdin.take().expect("a pipe");
        let answers = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut smtp = Self {
            process,
            commands,
            answers,
        };
        smtp.command("EHLO client.test");
        smtp
    }

    /// Connects and logs in; what the server says to the password.
    pub(crate) fn log_in(servers: &MailServers, user: &str, password: &str) -> (Self, String) {
        let mut smtp = Self::connect(servers);
        let answer = smtp.command(&format!(
            "AUTH PLAIN {}",
            base64(&format!("\0{user}\0{password}"))
        ));
        (smtp, answer)
    }

    /// Sends one mail; the answer to RCPT if it is a refusal, else the answer to the body.
    pub(crate) fn send(&mut self, from: &str, to: &str, subject: &str) -> String {
        self.command("RSET");
        self.command(&format!("MAIL FROM:<{from}>"));
        let answer = self.command(&format!("RCPT TO:<{to}>"));
        if !answer.starts_with("250") {
            return answer;
        }
        self.command("DATA");
        self.command(&format!(
            "From: <{from}>\nTo: <{to}>\nSubject: {subject}\n\nHello\n."
        ))
    }

    pub(crate) fn command(&mut self, line: &str) -> String {
        writeln!(self.commands, "{line}").expect("the server listens");
        self.answer()
    }

    fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.answers.read_line(&mut line).expect("an answer");
            assert!(read > 0, "the server closed the connection");
            if line.as_bytes().get(3) == Some(&b' ') {
                return line.trim_end().to_owned();
            }
        }
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.process.kill().expect("it runs or has ended");
        self.process.wait().expect("it was ours");
    }
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encode = |chunk: &[u8]| {
        let bits = chunk
            .iter()
            .fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte))
            << (8 * (3 - chunk.len()));
        let digit = |place: usize| {
            if place > chunk.len() {
                '='
            } else {
                char::from(DIGITS[bits >> (18 - 6 * place) & 63])
            }
        };
        [0, 1, 2, 3].map(digit)
    };
    text.as_bytes().chunks(3).flat_map(encode).collect()
}
