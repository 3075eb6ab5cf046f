//! The addresses that a bounce names.

use mail_parser::Message;

use crate::inbound::{addresses, cut};

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

/// Whether an address stands alone in a line, as `<ada@example.com>:`. qmail writes so, and those
/// who translated it: of whatever language the words are, the address has failed.
pub(super) fn names_as_qmail_does(report: &str) -> bool {
    report.lines().any(|line| {
        let name = line
            .trim_end()
            .strip_prefix('<')
            .and_then(|line| line.strip_suffix(">:"));
        name.is_some_and(|name| address_in(name).is_some())
    })
}

/// Names without a domain that stand alone in their lines, below one that ends with a colon: the
/// server that writes means its own domain. Each with that line.
pub(super) fn local_names<'a>(
    report: &'a str,
    message: &Message<'_>,
) -> impl Iterator<Item = (String, &'a str)> {
    let sender = addresses(message.from()).into_iter().next();
    let domain = sender.and_then(|sender| {
        let (_, domain) = sender.address.rsplit_once('@')?;
        Some(domain.to_lowercase())
    });
    let is_name = |line: &&str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
        line.starts_with([' ', '\t']) && !line.trim().is_empty() && line.trim().chars().all(fits)
    };
    let mut lines = report
        .lines()
        .skip_while(|line| !line.trim_end().ends_with(':'));
    let above = lines.next().unwrap_or_default();
    let names = lines
        .skip_while(|line| line.trim().is_empty())
        .take_while(is_name)
        .take(20);
    names.filter_map(move |name| {
        let address = format!("{}@{}", name.trim().to_lowercase(), domain.as_deref()?);
        Some((address, above))
    })
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
