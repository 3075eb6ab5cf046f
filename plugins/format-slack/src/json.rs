//! JSON that is written straight out: a tree of it would be built in every call, and thrown away.

use event_cards::find;

/// Most messages are shorter, so that none is moved while it grows.
const ROOM: usize = 4_096;

/// A JSON document, as far as it is written.
pub(crate) struct Json(Vec<u8>);

impl Default for Json {
    fn default() -> Self {
        Self(Vec::with_capacity(ROOM))
    }
}

impl Json {
    /// JSON as it is.
    pub(crate) fn raw(&mut self, json: &str) {
        self.0.extend_from_slice(json.as_bytes());
    }

    /// A string.
    pub(crate) fn text(&mut self, text: &str) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let Self(out) = self;
        out.push(b'"');
        let mut rest = text.as_bytes();
        while let Some(at) = find(rest, *b"\"\\", b' ') {
            out.extend_from_slice(&rest[..at]);
            let byte = rest[at];
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                8 => out.extend_from_slice(b"\\b"),
                12 => out.extend_from_slice(b"\\f"),
                control => {
                    out.extend_from_slice(b"\\u00");
                    out.push(HEX[usize::from(control >> 4)]);
                    out.push(HEX[usize::from(control & 15)]);
                }
            }
            rest = &rest[at + 1..];
        }
        out.extend_from_slice(rest);
        out.push(b'"');
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_what_serde_json_reads() {
        let every: String = (0..=0x2FF).filter_map(char::from_u32).collect();
        for text in ["", "plain", "\"", &every, &every.repeat(9)] {
            let mut json = Json::default();
            json.text(text);
            let read: String = serde_json::from_slice(&json.into_bytes()).unwrap();
            assert_eq!(read, text);
        }
    }
}
