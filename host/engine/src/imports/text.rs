//! From bytes to text, and which delimiter it uses.

use std::borrow::Cow;

use crate::{Error, Result};

/// The file as text: UTF-8 with or without a mark, UTF-16 with one, or the encoding that its bytes
/// look like most.
pub(super) fn decode(file: &[u8]) -> Result<Cow<'_, str>> {
    if file.is_empty() {
        return Err(Error::field("file", "empty", "the file is empty (0 bytes)"));
    }
    if let Some((encoding, length)) = encoding_rs::Encoding::for_bom(file) {
        let (text, _) = encoding.decode_without_bom_handling(&file[length..]);
        return Ok(text);
    }
    if file.starts_with(b"PK\x03\x04") {
        let message = "this is a spreadsheet, not a CSV file: save it as CSV first";
        return Err(Error::field("file", "not_csv", message));
    }
    if file.contains(&0) {
        return Err(Error::field(
            "file",
            "not_csv",
            "the file holds binary data, it is no CSV file",
        ));
    }
    if let Ok(text) = std::str::from_utf8(file) {
        return Ok(Cow::Borrowed(text));
    }
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    detector.feed(file, true);
    let encoding = detector.guess(None, chardetng::Utf8Detection::Allow);
    let (text, _, broken) = encoding.decode(file);
    if broken {
        let message = "the file's encoding can't be told: save it as UTF-8";
        return Err(Error::field("file", "encoding", message));
    }
    Ok(text)
}

/// The delimiter that splits the first lines most evenly into most fields: `,`, `;`, tab or `|`.
pub(super) fn delimiter(text: &str) -> u8 {
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
    use super::*;

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

    #[test]
    fn what_is_no_text_is_refused() {
        for (bytes, says) in [
            (&b""[..], "0 bytes"),
            (b"PK\x03\x04rest", "save it as CSV"),
            (b"a\0b", "binary"),
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
