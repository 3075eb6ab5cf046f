//! A text as words: folded so that spellings meet, with sentences and places in the original.

use crate::lexicon;

/// What a word is beside its letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Plain,
    Email,
    Url,
    /// Digits, perhaps with dots, slashes or hyphens between: `12`, `9.3.2026`.
    Number,
    /// `10:30`, `3pm`.
    Time,
}

/// A word of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    /// Place in the original, in bytes.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Place in the folded text.
    from: u32,
    to: u32,
    /// Of the folded letters.
    pub(crate) hash: u32,
    pub(crate) sentence: u16,
    pub(crate) class: Class,
}

/// A text as words.
pub(crate) struct Words<'a> {
    pub(crate) original: &'a str,
    folded: String,
    /// The text is folded as a whole, each letter in its place.
    in_place: bool,
    pub(crate) list: Vec<Word>,
    /// Whether any sentence ends with a question mark.
    pub(crate) asks: bool,
}

impl<'a> Words<'a> {
    pub(crate) fn of(original: &'a str) -> Self {
        let in_place = original.is_ascii();
        let folded = match in_place {
            true => original.to_ascii_lowercase(),
            false => String::with_capacity(original.len() + original.len() / 8),
        };
        let mut words = Words {
            original,
            folded,
            in_place,
            list: Vec::with_capacity(original.len() / 5 + 4),
            asks: false,
        };
        words.read();
        words
    }

    /// The folded letters of a word.
    pub(crate) fn text(&self, word: &Word) -> &str {
        &self.folded[word.from as usize..word.to as usize]
    }

    /// The folded letters of the word at this place, or nothing.
    pub(crate) fn at(&self, index: usize) -> &str {
        self.list.get(index).map_or("", |w| self.text(w))
    }

    /// The original from one word to another, word for word.
    pub(crate) fn quote(&self, from: usize, to: usize) -> String {
        let start = self.list[from].start as usize;
        let end = self.list[to - 1].end as usize;
        self.original[start..end]
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn read(&mut self) {
        let bytes = self.original.as_bytes();
        let short = self.original.len() < 120;
        let has_address = self.original.contains('@');
        let (mut at, mut sentence, mut line) = (0, 0_u16, 0);
        let mut open = false; // the present sentence has a word
        while at < bytes.len() {
            let byte = bytes[at];
            let mut ends = false;
            if byte == b'\n' {
                // Mails are wrapped: a line's end ends a sentence where the line is short, as
                // greetings and lists are, or where an empty line follows.
                let empty_next = bytes[at + 1..].iter().find(|b| **b != b' ' && **b != b'\r');
                ends = short || at - line < 45 || empty_next == Some(&b'\n');
                line = at + 1;
                at += 1;
            } else if matches!(byte, b'!' | b'?' | b';') {
                self.asks |= byte == b'?';
                ends = true;
                at += 1;
            } else if byte == b'.' {
                ends = self.full_stop(at);
                at += 1;
            } else if byte.is_ascii_alphanumeric() || byte >= 0x80 {
                let next = self.word(at, sentence, has_address);
                open |= next.1;
                at = next.0;
            } else {
                at += 1;
            }
            if ends && open {
                sentence = sentence.saturating_add(1);
                open = false;
            }
        }
    }

    /// A dot after a number counts it, and one before a small letter shortens a word.
    fn full_stop(&self, at: usize) -> bool {
        let rest = &self.original[at + 1..];
        let after_number = self.list.last().is_some_and(|w| {
            w.end as usize == at && w.class == Class::Number && (w.end - w.start) <= 6
        });
        let next = rest.trim_start_matches([' ', '\t', '\r']).chars().next();
        match next {
            None | Some('\n') => true,
            Some(_) if after_number => false,
            Some(c) => !c.is_lowercase() && rest.starts_with([' ', '\t', '\r', '\n']),
        }
    }

    /// Reads a word that begins here; returns where it ends, and whether there was one.
    fn word(&mut self, start: usize, sentence: u16, has_address: bool) -> (usize, bool) {
        let rest = &self.original[start..];
        let chunk = if has_address || is_url(rest) {
            rest.split_whitespace().next().unwrap_or("")
        } else {
            ""
        };
        if let Some(class) = special(chunk) {
            let end = start
                + chunk
                    .trim_end_matches(['.', ',', ')', '>', ';', ':', '!', '?'])
                    .len();
            self.push(start, end.max(start + 1), sentence, class);
            return (end.max(start + 1), true);
        }
        let end = start + word_len(rest);
        if end == start {
            let skip = rest.chars().next().map_or(1, char::len_utf8);
            return (start + skip, false);
        }
        let text = &self.original[start..end];
        // `e-mail` is `email`.
        if text.eq_ignore_ascii_case("e") && rest[1..].starts_with('-') {
            let tail = &rest[2..];
            if tail
                .get(..4)
                .is_some_and(|t| t.eq_ignore_ascii_case("mail"))
            {
                let end = start + 2 + word_len(tail);
                let from = self.folded.len();
                self.folded.push('e');
                fold(&self.original[start + 2..end], &mut self.folded);
                self.finish(
                    start,
                    end,
                    (from, self.folded.len()),
                    sentence,
                    Class::Plain,
                );
                return (end, true);
            }
        }
        let class = match text.as_bytes()[0] {
            b'0'..=b'9' => number_class(text),
            _ => Class::Plain,
        };
        self.push(start, end, sentence, class);
        (end, true)
    }

    fn push(&mut self, start: usize, end: usize, sentence: u16, class: Class) {
        if self.in_place {
            return self.finish(start, end, (start, end), sentence, class);
        }
        let from = self.folded.len();
        fold(&self.original[start..end], &mut self.folded);
        self.finish(start, end, (from, self.folded.len()), sentence, class);
    }

    fn finish(
        &mut self,
        start: usize,
        end: usize,
        folded: (usize, usize),
        sentence: u16,
        class: Class,
    ) {
        let (from, to) = folded;
        let hash = lexicon::hash(&self.folded.as_bytes()[from..to]);
        let (start, end, from, to) = (start as u32, end as u32, from as u32, to as u32);
        self.list.push(Word {
            start,
            end,
            from,
            to,
            hash,
            sentence,
            class,
        });
    }
}

/// Letters and digits, with apostrophes between letters, and marks between digits.
fn word_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    // Plain letters first: most words are nothing else.
    let mut len = bytes
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric())
        .count();
    let plain = bytes
        .get(len)
        .is_none_or(|b| matches!(b, b' ' | b'\n' | b','));
    if plain {
        return len;
    }
    for (at, c) in text.char_indices().skip(len) {
        let inside = match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' => true,
            '\'' | '’' | '‘' | '´' => {
                let next = text[at + c.len_utf8()..].chars().next();
                at > 0 && next.is_some_and(char::is_alphabetic)
            }
            '.' | '/' | '-' | ':' => {
                at > 0
                    && bytes[at - 1].is_ascii_digit()
                    && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
            }
            c => c.is_alphanumeric(),
        };
        if !inside {
            break;
        }
        len = at + c.len_utf8();
    }
    len
}

fn is_url(text: &str) -> bool {
    let starts = ["http://", "https://", "www."];
    starts.iter().any(|start| text.starts_with(start))
}

fn special(chunk: &str) -> Option<Class> {
    let bytes = chunk.as_bytes();
    if is_url(chunk) {
        return Some(Class::Url);
    }
    let at = bytes.iter().position(|b| *b == b'@')?;
    let domain = &chunk[at + 1..];
    let named = domain
        .find('.')
        .is_some_and(|dot| dot > 0 && dot + 1 < domain.len());
    (at > 0 && named).then_some(Class::Email)
}

fn number_class(text: &str) -> Class {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if text.contains(':') && digits <= 4 {
        return Class::Time;
    }
    let tail = text.trim_start_matches(|c: char| c.is_ascii_digit());
    if matches!(
        tail.to_ascii_lowercase().as_str(),
        "am" | "pm" | "h" | "uhr"
    ) && digits <= 2
    {
        return Class::Time;
    }
    Class::Number
}

/// Small letters without accents; `ä` is `ae` and `ß` is `ss`, as people write them who lack the
/// keys.
pub(crate) fn fold(text: &str, out: &mut String) {
    if text.is_ascii() {
        let start = out.len();
        out.push_str(text);
        out[start..].make_ascii_lowercase();
        return;
    }
    for c in text.chars() {
        if c.is_ascii() {
            out.push(if c == '`' {
                '\''
            } else {
                c.to_ascii_lowercase()
            });
            continue;
        }
        let c = match c {
            'Ä' => 'ä',
            'Ö' => 'ö',
            'Ü' => 'ü',
            c if c.is_uppercase() => c.to_lowercase().next().unwrap_or(c),
            c => c,
        };
        match c {
            'ä' | 'æ' => out.push_str("ae"),
            'ö' => out.push_str("oe"),
            'ü' => out.push_str("ue"),
            'ß' => out.push_str("ss"),
            'œ' => out.push_str("oe"),
            '’' | '‘' | '´' => out.push('\''),
            'á' | 'à' | 'â' | 'ã' | 'å' | 'ą' => out.push('a'),
            'é' | 'è' | 'ê' | 'ë' | 'ę' => out.push('e'),
            'í' | 'ì' | 'î' | 'ï' => out.push('i'),
            'ó' | 'ò' | 'ô' | 'õ' | 'ø' => out.push('o'),
            'ú' | 'ù' | 'û' => out.push('u'),
            'ç' | 'ć' => out.push('c'),
            'ñ' | 'ń' => out.push('n'),
            'ł' => out.push('l'),
            'ś' => out.push('s'),
            'ź' | 'ż' => out.push('z'),
            'ý' | 'ÿ' => out.push('y'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let words = Words::of(text);
        let list: Vec<String> = words
            .list
            .iter()
            .map(|w| format!("{}{}", w.sentence, words.text(w)))
            .collect();
        assert_eq!(list, expected, "{text}");
    }

    #[test]
    fn words_and_sentences() {
        check("I don’t know. Ask!", &["0i", "0don't", "0know", "1ask"]);
        check(
            "Am 9. März, z.B. um 10:30",
            &["0am", "09", "0maerz", "0z", "0b", "0um", "010:30"],
        );
        check("bis 09.03.2026. Danke", &["0bis", "009.03.2026", "1danke"]);
        check(
            "E-Mail an a.b@example.com.",
            &["0email", "0an", "0a.b@example.com"],
        );
        check("out-of-office", &["0out", "0of", "0office"]);
        check("Außer Haus", &["0ausser", "0haus"]);
        check("Hi Ada,\n\nNo.\nBye", &["0hi", "0ada", "1no", "2bye"]);
        check("", &[]);
        check("… — 🎉 ok", &["0ok"]);
    }

    #[test]
    fn a_quote_is_word_for_word() {
        let words = Words::of("Bitte  NICHT\nmehr schreiben!");
        assert_eq!(words.quote(1, 3), "NICHT mehr");
    }
}
