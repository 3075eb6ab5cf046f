//! Server responses (RFC 3501 §7): found in the stream, and read into values.

use std::fmt;

use crate::Cause;

/// A parsed value of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// `NIL`.
    Nil,
    /// A word or number; section names such as `BODY[]<0>` are one.
    Atom(String),
    /// A quoted string or literal.
    Text(Vec<u8>),
    /// A parenthesised list.
    List(Vec<Value>),
}

impl Value {
    /// Atom or text as text.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Atom(atom) => Some(atom.clone()),
            Self::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }

    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Atom(atom) => atom.parse().ok(),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> &[Value] {
        match self {
            Self::List(values) => values,
            _ => &[],
        }
    }

    /// Whether it is this word, whatever its case.
    pub(super) fn is(&self, word: &str) -> bool {
        matches!(self, Self::Atom(atom) if atom.eq_ignore_ascii_case(word))
    }
}

/// What a status response says (RFC 3501 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusKind {
    /// Done, or a notice.
    Ok,
    /// Refused.
    No,
    /// Not understood.
    Bad,
    /// The server hangs up.
    Bye,
    /// Greeting of a connection that is signed in already.
    Preauth,
}

/// A status response: kind, response code, human words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What it says.
    pub kind: StatusKind,
    /// What stands in brackets, `UIDVALIDITY 3`.
    pub code: Option<String>,
    /// The words after it.
    pub text: String,
}

impl Status {
    /// Reads `NO [LIMIT] Too many connections`; `None` when it is no status.
    pub fn parse(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let kind = match word.to_ascii_uppercase().as_str() {
            "OK" => StatusKind::Ok,
            "NO" => StatusKind::No,
            "BAD" => StatusKind::Bad,
            "BYE" => StatusKind::Bye,
            "PREAUTH" => StatusKind::Preauth,
            _ => return None,
        };
        let rest = rest.trim();
        let (code, text) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((code, text)) => (Some(code.to_owned()), text.trim_start()),
            None => (None, rest),
        };
        Some(Self {
            kind,
            code,
            text: text.to_owned(),
        })
    }

    /// The number in a code such as `UIDVALIDITY 3`.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        let (word, number) = self.code.as_deref()?.split_once(' ')?;
        word.eq_ignore_ascii_case(name)
            .then(|| number.trim().parse().ok())?
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StatusKind::Ok => "OK",
            StatusKind::No => "NO",
            StatusKind::Bad => "BAD",
            StatusKind::Bye => "BYE",
            StatusKind::Preauth => "PREAUTH",
        })?;
        if let Some(code) = &self.code {
            write!(f, " [{code}]")?;
        }
        match self.text.as_str() {
            "" => Ok(()),
            text => write!(f, " {text}"),
        }
    }
}

/// One response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Response {
    /// `+ text`: the server waits for more.
    Continue(String),
    /// The end of a command: its tag, and how it went.
    Done(String, Status),
    /// An untagged status.
    Notice(Status),
    /// Untagged data, the `*` left out.
    Data(Vec<Value>),
}

/// How many bytes the response at the start of `buffer` has; `None` while it is not complete.
/// Literals are skipped by their length, so their content is never searched.
pub(super) fn length(buffer: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let end = at + buffer[at..].iter().position(|&byte| byte == b'\n')?;
        let line = buffer[at..end]
            .strip_suffix(b"\r")
            .unwrap_or(&buffer[at..end]);
        match literal_at_end(line) {
            None => return Some(end + 1),
            Some(size) => {
                at = end.checked_add(1)?.checked_add(size)?;
                if buffer.len() <= at {
                    return None;
                }
            }
        }
    }
}

/// The size of the literal that `line` announces at its end: `{12}`, `{12+}`.
pub(super) fn literal_at_end(line: &[u8]) -> Option<usize> {
    let inner = line.strip_suffix(b"}")?;
    let inner = inner.strip_suffix(b"+").unwrap_or(inner);
    let open = inner.iter().rposition(|&byte| byte == b'{')?;
    let digits = &inner[open + 1..];
    if digits.is_empty() || digits.len() > 10 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Reads one whole response, as [`length`] found it.
pub(super) fn response(bytes: &[u8]) -> Result<Response, Cause> {
    let garbage = || {
        let shown = &bytes[..bytes.len().min(200)];
        Cause::Garbage(String::from_utf8_lossy(shown).trim_end().to_owned())
    };
    let line = || String::from_utf8_lossy(bytes).trim_end().to_owned();
    match bytes {
        [b'+', ..] => Ok(Response::Continue(line()[1..].trim_start().to_owned())),
        [b'*', b' ', rest @ ..] => {
            if let Some(status) = Status::parse(line().get(2..).unwrap_or_default()) {
                return Ok(Response::Notice(status));
            }
            let mut parser = Parser { bytes: rest, at: 0 };
            let values = parser.values(0, None).ok_or_else(garbage)?;
            Ok(Response::Data(values))
        }
        _ => {
            let line = line();
            let (tag, rest) = line.split_once(' ').ok_or_else(garbage)?;
            let status = Status::parse(rest).ok_or_else(garbage)?;
            Ok(Response::Done(tag.to_owned(), status))
        }
    }
}

/// Honest lists are not deeper; a hostile one must not exhaust the stack.
const DEPTH: usize = 40;

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Values up to `close`, or to the end of the response.
    fn values(&mut self, depth: usize, close: Option<u8>) -> Option<Vec<Value>> {
        let mut values = Vec::new();
        loop {
            match self.peek() {
                Some(b' ' | b'\t') => self.at += 1,
                None | Some(b'\r' | b'\n') if close.is_none() => return Some(values),
                None | Some(b'\r' | b'\n') => return None,
                byte if byte == close => {
                    self.at += 1;
                    return Some(values);
                }
                Some(_) => values.push(self.value(depth)?),
            }
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        match self.peek()? {
            b'(' if depth < DEPTH => {
                self.at += 1;
                Some(Value::List(self.values(depth + 1, Some(b')'))?))
            }
            b'(' | b')' => None,
            b'"' => self.quoted(),
            b'{' => self.literal(),
            _ => self.atom(),
        }
    }

    fn quoted(&mut self) -> Option<Value> {
        let mut text = Vec::new();
        self.at += 1;
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' => return Some(Value::Text(text)),
                b'\\' => {
                    text.push(self.peek()?);
                    self.at += 1;
                }
                b'\r' | b'\n' => return None,
                _ => text.push(byte),
            }
        }
    }

    fn literal(&mut self) -> Option<Value> {
        let line = self.bytes[self.at..]
            .iter()
            .position(|&byte| byte == b'\n')?;
        let head = &self.bytes[self.at..self.at + line];
        let size = literal_at_end(head.strip_suffix(b"\r").unwrap_or(head))?;
        let start = self.at + line + 1;
        let text = self.bytes.get(start..start.checked_add(size)?)?;
        self.at = start + size;
        Some(Value::Text(text.to_vec()))
    }

    /// A word. Brackets hold spaces and lists: `BODY[HEADER.FIELDS (DATE)]`.
    fn atom(&mut self) -> Option<Value> {
        let start = self.at;
        let mut brackets = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'[' => brackets += 1,
                b']' => brackets = brackets.saturating_sub(1),
                b'\r' | b'\n' => break,
                b' ' | b'(' | b')' | b'"' if brackets == 0 => break,
                _ => {}
            }
            self.at += 1;
        }
        if self.at == start {
            return None;
        }
        let atom = String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned();
        Some(if atom.eq_ignore_ascii_case("NIL") {
            Value::Nil
        } else {
            Value::Atom(atom)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atom(text: &str) -> Value {
        Value::Atom(text.into())
    }

    #[test]
    fn a_response_ends_after_its_literals() {
        let check = |bytes: &str, expected: Option<usize>| {
            assert_eq!(length(bytes.as_bytes()), expected, "{bytes:?}");
        };
        check("* OK hi\r\nA1", Some(9));
        check("* OK hi", None);
        check("* 1 FETCH (BODY[] {5}\r\na\r\nbc)\r\n* 2", Some(31));
        check("* 1 FETCH (BODY[] {5}\r\na\r\n", None);
        check("* 1 FETCH (BODY[] {5}\r\na\r\nbc", None);
        check("* 1 FETCH (BODY[] {0}\r\n)\r\n", Some(26));
        check("* 1 FETCH (BODY[] {99999999999999999999}\r\n", Some(42));
    }

    #[test]
    fn data_is_read() {
        let parsed = response(
            b"* 2 FETCH (UID 7 FLAGS (\\Seen $x) BODY[HEADER.FIELDS (DATE)]<0> {3}\r\na\r\n NIL \"q\\\"\")\r\n",
        )
        .unwrap();
        let expected = vec![
            atom("2"),
            atom("FETCH"),
            Value::List(vec![
                atom("UID"),
                atom("7"),
                atom("FLAGS"),
                Value::List(vec![atom("\\Seen"), atom("$x")]),
                atom("BODY[HEADER.FIELDS (DATE)]<0>"),
                Value::Text(b"a\r\n".to_vec()),
                Value::Nil,
                Value::Text(b"q\"".to_vec()),
            ]),
        ];
        assert_eq!(parsed, Response::Data(expected));
    }

    #[test]
    fn statuses_are_read() {
        let Response::Notice(status) = response(b"* OK [UIDNEXT 12] Predicted\r\n").unwrap() else {
            panic!("a notice");
        };
        assert_eq!(
            (status.number("uidnext"), status.text.as_str()),
            (Some(12), "Predicted")
        );
        let Response::Done(tag, status) = response(b"A7 NO [LIMIT] busy\r\n").unwrap() else {
            panic!("an end");
        };
        assert_eq!(
            (tag.as_str(), status.to_string().as_str()),
            ("A7", "NO [LIMIT] busy")
        );
        assert_eq!(
            response(b"+ \r\n").unwrap(),
            Response::Continue(String::new())
        );
    }

    #[test]
    fn garbage_is_an_error() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"* 1 FETCH (UID\r\n",
            b"* 1 FETCH )\r\n",
            b"* \"abc\r\n",
            b"* 1 FETCH (BODY[] {9}\r\nab)\r\n",
            b"\xff\xfe\r\n",
            b"\r\n",
        ] {
            assert!(
                response(bytes).is_err(),
                "{}",
                String::from_utf8_lossy(bytes)
            );
        }
        let deep = format!("* X {}\r\n", "(".repeat(100_000));
        assert!(response(deep.as_bytes()).is_err());
    }
}
