//! A server's reply (RFC 5321 §4.2) and its enhanced status code (RFC 3463).

use std::{fmt, str::FromStr};

use serde::Serialize;

/// An enhanced status code, `5.1.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Enhanced {
    /// 2 success, 4 passing, 5 permanent.
    pub class: u8,
    /// 1 address, 2 mailbox, 3 system, 4 network, 5 protocol, 6 content, 7 policy.
    pub subject: u16,
    /// What exactly.
    pub detail: u16,
}

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl FromStr for Enhanced {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.');
        let mut number = || {
            let part = parts
                .next()
                .filter(|p| (1..=3).contains(&p.len()))
                .ok_or(())?;
            if !part.bytes().all(|b| b.is_ascii_digit()) {
                return Err(());
            }
            part.parse::<u16>().map_err(drop)
        };
        let (class, subject, detail) = (number()?, number()?, number()?);
        match (class, parts.next()) {
            (2 | 4 | 5, None) => Ok(Self {
                class: class as u8,
                subject,
                detail,
            }),
            _ => Err(()),
        }
    }
}

/// A complete reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// The lines without code and separator; at least one.
    lines: Vec<String>,
}

/// One line of a reply.
pub(super) struct Line {
    code: u16,
    last: bool,
    text: String,
}

const MOST_LINES: usize = 200;

impl Line {
    /// Reads `250-text`, `250 text` or `250`.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let digits = line.get(..3)?;
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let code = digits
            .parse()
            .ok()
            .filter(|code| (200..600).contains(code))?;
        let last = match line.as_bytes().get(3) {
            None | Some(b' ') => true,
            Some(b'-') => false,
            Some(_) => return None,
        };
        let text = line.get(4..).unwrap_or_default().trim_end().to_owned();
        Some(Self { code, last, text })
    }

    /// Whether the reply is complete with this line; `None` when it is another reply's, or one
    /// too many.
    pub(super) fn add_to(self, reply: &mut Option<Reply>) -> Option<bool> {
        let reply = reply.get_or_insert_with(|| Reply::new(self.code, Vec::new()));
        if reply.code != self.code || reply.lines.len() >= MOST_LINES {
            return None;
        }
        reply.lines.push(self.text);
        Some(self.last)
    }
}

impl Reply {
    pub(super) fn new(code: u16, lines: Vec<String>) -> Self {
        Self { code, lines }
    }

    /// Reads a whole reply, lines separated by `\n`; `None` when it is none or not complete.
    pub fn parse(text: &str) -> Option<Self> {
        let mut reply = None;
        let mut lines = text.lines();
        while let Some(line) = Line::parse(lines.next()?) {
            if line.add_to(&mut reply)? {
                return reply.filter(|_| lines.next().is_none());
            }
        }
        None
    }

    /// The lines without the three digits.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// The text without codes, on one line.
    pub fn text(&self) -> String {
        let lines: Vec<&str> = self
            .lines
            .iter()
            .map(|line| split_enhanced(line).1)
            .collect();
        lines.join(" ")
    }

    /// The enhanced status code that the first line starts with.
    pub fn enhanced(&self) -> Option<Enhanced> {
        split_enhanced(self.lines.first()?).0
    }

    /// 2xx.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 4xx: the same may work later.
    pub fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }

    /// A passing refusal that is about us and not about this mail: the whole receiving site is
    /// to be slowed down (421, 4.7.x).
    pub fn slows_site(&self) -> bool {
        self.code == 421
            || self
                .enhanced()
                .is_some_and(|code| code.class == 4 && code.subject == 7)
    }
}

fn split_enhanced(line: &str) -> (Option<Enhanced>, &str) {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word.parse() {
        Ok(enhanced) => (Some(enhanced), rest),
        Err(()) => (None, line),
    }
}

/// `550 5.1.1 no such user here`, all lines in one.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced() {
            write!(f, " {enhanced}")?;
        }
        match self.text() {
            text if text.is_empty() => Ok(()),
            text => write!(f, " {text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_whole() {
        let reply = Reply::parse("550-5.1.1 The account\r\n550 5.1.1 is not here").unwrap();
        assert_eq!(reply.code, 550);
        assert_eq!(reply.enhanced().unwrap().to_string(), "5.1.1");
        assert_eq!(reply.to_string(), "550 5.1.1 The account is not here");
        assert_eq!(Reply::parse("250").unwrap().to_string(), "250");
        assert_eq!(Reply::parse("354 go on").unwrap().enhanced(), None);
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for text in [
            "",
            "25",
            "250-more",
            "99 x",
            "abc def",
            "250_x",
            "* OK IMAP",
            "650 x",
            "2é0 x",
            "250-a\n251 b",
        ] {
            assert_eq!(Reply::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_enhanced_code_has_three_numbers() {
        for text in [
            "5.1",
            "5.1.1.1",
            "3.1.1",
            "5.1.1234",
            "5..1",
            "5.a.1",
            "192.0.2.1",
        ] {
            assert!(text.parse::<Enhanced>().is_err(), "{text}");
        }
        assert_eq!(
            "5.7.515".parse(),
            Ok(Enhanced {
                class: 5,
                subject: 7,
                detail: 515
            })
        );
    }
}
