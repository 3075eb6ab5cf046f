//! Looking for the bytes that must be escaped.

/// 1 in each byte.
const ONES: u64 = u64::MAX / 255;

/// The highest bit of each byte.
const HIGHS: u64 = ONES << 7;

/// Where the first byte is that is one of these or less than `floor` (at most 128).
///
/// Eight bytes at a time: in each round of a loop a guest looks whether its time is up, which
/// costs more than looking at a byte.
#[must_use]
pub fn find<const N: usize>(text: &[u8], bytes: [u8; N], floor: u8) -> Option<usize> {
    let mut words = text.chunks_exact(8);
    let mut at = 0;
    for chunk in &mut words {
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        // Right up to the lowest byte that is found; above it a borrow may mark a wrong one.
        let mut found = below(word, floor);
        for byte in bytes {
            found |= below(word ^ (ONES * u64::from(byte)), 1);
        }
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let wanted = |byte: &u8| *byte < floor || bytes.contains(byte);
    let rest = words.remainder().iter().position(wanted);
    rest.map(|place| at + place)
}

/// The highest bit of each byte that is less.
fn below(word: u64, than: u8) -> u64 {
    word.wrapping_sub(ONES * u64::from(than)) & !word & HIGHS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_looking_at_each_byte_finds() {
        let plain = |text: &[u8]| text.iter().position(|b| *b < 0x20 || b"\"\\".contains(b));
        for length in 0..=17 {
            for place in 0..length {
                for byte in 0..=255 {
                    for around in [b' ', b'!', b'#', 0x7F, 0x80, 0xFF] {
                        let mut text = vec![around; length];
                        text[place] = byte;
                        assert_eq!(find(&text, *b"\"\\", 0x20), plain(&text), "{text:?}");
                        text[length - 1] = b'"';
                        assert_eq!(find(&text, *b"\"\\", 0x20), plain(&text), "{text:?}");
                    }
                }
            }
        }
    }
}
