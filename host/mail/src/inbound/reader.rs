//! The parser of MIME, kept from doing harm: what it reads was written by strangers.

use std::panic::{UnwindSafe, catch_unwind};

use mail_parser::{Message, MessageParser};

/// The parser builds messages within messages recursively, and each level has a Content-Type
/// header of its own: a mail with more of them is read up to here.
const PARTS_LIMIT: usize = 250;

/// A mail with its parts, or its header alone where the parser fails at the rest. `None` where
/// there is nothing to read.
pub(super) fn whole(bytes: &[u8]) -> Option<Message<'_>> {
    let bytes = within_parts_limit(bytes);
    guarded(|| MessageParser::default().parse(bytes)).unwrap_or_else(|| header(bytes))
}

/// The header of a mail alone.
pub(super) fn header(bytes: &[u8]) -> Option<Message<'_>> {
    guarded(|| MessageParser::default().parse_headers(bytes)).flatten()
}

/// `None` where the parser panics: one mail must not keep its mailbox from being read for ever.
fn guarded<T>(read: impl FnOnce() -> T + UnwindSafe) -> Option<T> {
    catch_unwind(read)
        .inspect_err(|_| tracing::warn!("the MIME parser fails at a mail"))
        .ok()
}

fn within_parts_limit(bytes: &[u8]) -> &[u8] {
    const NAME: &[u8] = b"content-type";
    let line_ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let mut starts = line_ends.map(|(end, _)| end + 1).filter(|&start| {
        bytes
            .get(start..start + NAME.len())
            .is_some_and(|name| name.eq_ignore_ascii_case(NAME))
    });
    match starts.nth(PARTS_LIMIT) {
        Some(end) => &bytes[..end],
        None => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_that_panics_costs_its_mail_alone() {
        assert_eq!(guarded(|| -> u8 { panic!("as parsers do") }), None);
        assert_eq!(guarded(|| 1), Some(1));
    }
}
