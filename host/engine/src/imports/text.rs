//! From bytes to text, and which delimiter it uses.

use std::{
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
};

use encoding_rs::{Decoder, Encoding, UTF_8};

use crate::{Error, Result};

const CHUNK: usize = 64 * 1024;

/// How the bytes of a file become text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Text {
    encoding: &'static Encoding,
    /// Where the text begins: after the mark, if there is one.
    begin: u64,
}

impl Text {
    /// Looks through the whole file: UTF-8 with or without a mark, UTF-16 with one, or the encoding
    /// that its bytes look like most.
    pub(super) fn of(file: &mut impl ReadSeek) -> Result<Self> {
        file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        let mut chunk = vec![0; CHUNK];
        let mut length = fill(file, &mut chunk)?;
        if length == 0 {
            return Err(Error::field("file", "empty", "the file is empty (0 bytes)"));
        }
        if let Some((encoding, mark)) = Encoding::for_bom(&chunk[..length]) {
            let begin = mark as u64;
            return Ok(Self { encoding, begin });
        }
        let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
        while length > 0 {
            if chunk[..length].contains(&0) {
                let message = "the file holds binary data, it is no CSV file";
                return Err(Error::field("file", "not_csv", message));
            }
            detector.feed(&chunk[..length], false);
            length = fill(file, &mut chunk)?;
        }
        detector.feed(&[], true);
        Ok(Self {
            encoding: detector.guess(None, chardetng::Utf8Detection::Allow),
            begin: 0,
        })
    }

    /// The text from its beginning.
    pub(super) fn open<R: ReadSeek>(self, mut file: R) -> Result<Decoded<R>> {
        file.seek(SeekFrom::Start(self.begin)).map_err(unreadable)?;
        Ok(Decoded {
            file,
            decoder: self.encoding.new_decoder_without_bom_handling(),
            chunk: vec![0; CHUNK],
            waiting: 0..0,
            // No encoding makes more of a byte than three, and what was held back has room as well.
            text: vec![0; 3 * CHUNK + 16],
            ready: 0..0,
            ended: false,
        })
    }

    /// The file in UTF-8 without a mark: as it is, or else a copy.
    pub(super) fn as_utf8(self, mut file: Box<dyn ReadSeek>) -> Result<(Box<dyn ReadSeek>, Self)> {
        let (encoding, begin) = (UTF_8, 0);
        if self == (Self { encoding, begin }) {
            return Ok((file, self));
        }
        let mut copy = tempfile::tempfile().map_err(unreadable)?;
        io::copy(&mut self.open(&mut file)?, &mut copy).map_err(unreadable)?;
        Ok((Box::new(copy), Self { encoding, begin }))
    }

    /// What separates the fields, by the first lines.
    pub(super) fn delimiter(self, file: &mut impl ReadSeek) -> Result<u8> {
        let mut first = Vec::new();
        self.open(file)?
            .take(CHUNK as u64)
            .read_to_end(&mut first)
            .map_err(unreadable)?;
        Ok(delimiter(&String::from_utf8_lossy(&first)))
    }
}

/// A file that can be read again from its beginning.
pub(super) trait ReadSeek: Read + Seek + Send {}
impl<F: Read + Seek + Send> ReadSeek for F {}

/// The text of a file as UTF-8, decoded while it is read.
pub(super) struct Decoded<R> {
    file: R,
    decoder: Decoder,
    chunk: Vec<u8>,
    /// Bytes of the chunk that are not decoded yet.
    waiting: Range<usize>,
    text: Vec<u8>,
    /// Bytes of the text that nobody has read yet.
    ready: Range<usize>,
    ended: bool,
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.ready.is_empty() {
            if self.waiting.is_empty() && !self.ended {
                self.waiting = 0..self.file.read(&mut self.chunk)?;
                self.ended = self.waiting.is_empty();
            } else if self.waiting.is_empty() {
                return Ok(0);
            }
            let bytes = &self.chunk[self.waiting.clone()];
            let (_, read, written, broken) =
                (self.decoder).decode_to_utf8(bytes, &mut self.text, self.ended);
            self.waiting.start += read;
            self.ready = 0..written;
            if broken {
                let message = "the file's encoding can't be told: save it as UTF-8";
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
        }
        let read = (&self.text[self.ready.clone()]).read(out)?;
        self.ready.start += read;
        Ok(read)
    }
}

/// As much as there is, up to a whole chunk.
fn fill(file: &mut impl Read, chunk: &mut [u8]) -> Result<usize> {
    let mut length = 0;
    while length < chunk.len() {
        match file.read(&mut chunk[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    Ok(length)
}

/// Says of a file why it can't be read.
pub(super) fn unreadable(error: impl Into<csv::Error>) -> Error {
    let error = error.into();
    let (code, message) = match error.kind() {
        csv::ErrorKind::Io(io) if io.kind() == io::ErrorKind::InvalidData => {
            ("encoding", io.to_string())
        }
        _ => (
            "unreadable",
            format!("the file can't be read as CSV: {error}"),
        ),
    };
    Error::field("file", code, message)
}

/// The delimiter that splits the first lines most evenly into most fields: `,`, `;`, tab or `|`.
fn delimiter(text: &str) -> u8 {
    let most_even = |delimiter: &u8| {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(*delimiter)
            .flexible(true)
            .has_headers(false)
            .from_reader(text.as_bytes());
        let widths: Vec<_> = reader
            .records()
            .take(10)
            .map_while(|record| Some(record.ok()?.len()))
            .collect();
        let header = widths.first().copied().unwrap_or(0);
        let like_it = widths.iter().filter(|width| **width == header).count();
        if header < 2 {
            (0, 0)
        } else {
            (like_it * 100 / widths.len(), header)
        }
    };
    // max_by_key takes the last of equals: the comma wins where nothing tells.
    *b"|\t;,"
        .iter()
        .max_by_key(|delimiter| most_even(delimiter))
        .unwrap_or(&b',')
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// Hands over a byte at a time, as a slow disk might.
    struct Slow(Cursor<Vec<u8>>);

    impl Read for Slow {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let one = out.len().min(1);
            self.0.read(&mut out[..one])
        }
    }

    impl Seek for Slow {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

    fn decode(bytes: &[u8]) -> Result<String> {
        let mut file = Slow(Cursor::new(bytes.to_vec()));
        let text = Text::of(&mut file)?;
        let mut decoded = String::new();
        text.open(file)?
            .read_to_string(&mut decoded)
            .map_err(unreadable)?;
        Ok(decoded)
    }

    // PR-2
    #[test]
    fn encodings_are_recognised() {
        let utf16: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain("é,b".encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        for (bytes, text) in [
            (&b"a,b"[..], "a,b"),
            (b"\xef\xbb\xbfa,b", "a,b"),
            ("Žofie".as_bytes(), "Žofie"),
            (
                b"name\nJos\xe9 Garc\xeda\nM\xfcller",
                "name\nJosé García\nMüller",
            ),
            (&utf16, "é,b"),
        ] {
            assert_eq!(decode(bytes).unwrap(), text);
        }
    }

    // PR-2: whoever reads may have no room for a whole character.
    #[test]
    fn text_is_read_in_pieces_of_any_size() {
        let text = "name,Größe,🌍\n".repeat(9);
        let mut file = Cursor::new(text.clone().into_bytes());
        let found = Text::of(&mut file).unwrap();
        for size in 1..9 {
            let mut decoded = found.open(file.clone()).unwrap();
            let (mut piece, mut all) = (vec![0; size], Vec::new());
            while let read @ 1.. = decoded.read(&mut piece).unwrap() {
                all.extend_from_slice(&piece[..read]);
            }
            assert_eq!(String::from_utf8(all).unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_text_is_refused() {
        for (bytes, says) in [
            (&b""[..], "0 bytes"),
            (b"a\0b", "binary"),
            (b"\xef\xbb\xbfemail\nJos\xe9", "save it as UTF-8"),
        ] {
            assert!(decode(bytes).unwrap_err().to_string().contains(says));
        }
    }

    // PR-2
    #[test]
    fn delimiters_are_recognised() {
        for (text, delimiter) in [
            ("email,name\na@example.com,\"x;y;z\"\n", b','),
            (
                "email;name\na@example.com;Doe, Jane\nb@example.com;Roe, Rae\n",
                b';',
            ),
            ("email\tname\na@example.com\tb\n", b'\t'),
            ("email|name\na@example.com|b\n", b'|'),
            ("email\na@example.com\n", b','),
        ] {
            assert_eq!(super::delimiter(text), delimiter, "{text}");
        }
    }
}
