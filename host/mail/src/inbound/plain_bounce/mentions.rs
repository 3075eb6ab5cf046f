//! The addresses that a bounce names.

use crate::inbound::cut;

/// An address that a report names.
pub(super) struct Mention {
    pub address: String,
    /// Its line and those below up to the next address.
    pub words: String,
    /// In a line such as `To:` of our own mail.
    pub in_header: bool,
}

pub(super) fn mentions(report: &str) -> Vec<Mention> {
    const WORDS: usize = 600;
    let mut mentions: Vec<Mention> = Vec::new();
    let mut last = None;
    for line in report.lines().take(400) {
        // A stranger decides how many addresses there are.
        if mentions.len() > 500 {
            break;
        }
        let line = cut(line.trim(), 1000);
        let folded = line.to_lowercase();
        let in_header = ["to:", "cc:", "from:", "subject:"]
            .iter()
            .any(|h| folded.starts_with(h));
        let mut named = None;
        for address in line
            .split([' ', '\t', ',', ';', '='])
            .filter_map(address_in)
        {
            // "not accepting mail from ada@…" names us.
            if folded.contains(&format!("mail from {address}")) {
                continue;
            }
            named = mentions.iter().position(|known| known.address == address);
            if named.is_none() {
                named = Some(mentions.len());
                mentions.push(Mention {
                    address,
                    words: String::new(),
                    in_header,
                });
            } else if let Some(known) = named {
                mentions[known].in_header &= in_header;
            }
        }
        last = named.or(last);
        if let Some(mention) = last.and_then(|last| mentions.get_mut(last))
            && mention.words.len() < WORDS
            && !line.is_empty()
        {
            mention.words.push_str(line);
            mention.words.push(' ');
        }
    }
    mentions
}

/// The address in a word such as `<ada@example.com>:` or `(ada@example.com)`, in lower case.
pub(super) fn address_in(word: &str) -> Option<String> {
    let word = word.trim();
    let word = word.rsplit_once('<').map_or(word, |(_, inner)| inner);
    let word = word.split('>').next().unwrap_or(word);
    let word = word.split("..").next().unwrap_or(word);
    let edge = |c: char| !(c.is_alphanumeric() || c == '_' || c == '+' || c == '-');
    let word = word.trim_matches(edge);
    let word = word.rsplit_once(':').map_or(word, |(_, address)| address); // `SMTP:`, `mailto:`
    let (local, domain) = word.rsplit_once('@')?;
    let good = !local.is_empty()
        && word.len() <= 320
        && domain.contains('.')
        && domain
            .chars()
            .all(|c| c.is_alphanumeric() || c == '.' || c == '-')
        && local
            .chars()
            .all(|c| !c.is_whitespace() && !"<>()[],:;\"".contains(c));
    good.then(|| word.to_lowercase())
}
