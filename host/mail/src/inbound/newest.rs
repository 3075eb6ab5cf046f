//! The newest text of a mail: without quoted history and signature (CLS-3).

/// `text` without what it quotes and without the signature; lines that answer quoted ones in
/// between stay. Empty when nothing of it is new.
pub fn newest(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\u{a0}', " ");
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut kept: Vec<&str> = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        if is_quoted(line) {
            at += 1;
        } else if let Some(length) = attribution(&lines[at..]) {
            // With `>` marks below, what is not marked is an answer; without, all is history.
            match lines[at + length..]
                .iter()
                .find(|line| !line.trim().is_empty())
            {
                Some(next) if is_quoted(next) => at += length,
                _ => break,
            }
        } else if is_separator(line) || is_header_block(&lines[at..]) || is_signature(line) {
            break;
        } else {
            kept.push(line);
            at += 1;
        }
    }
    let kept = without_sign_off(&kept);
    kept.join("\n").trim().to_owned()
}

fn is_quoted(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

fn folded(line: &str) -> String {
    line.trim().trim_start_matches('*').to_lowercase()
}

/// Verbs of "On … Ada wrote:" in the languages of CLS-2.
const WROTE: &[&str] = &[
    "wrote",
    "schrieb",
    "geschrieben",
    "a écrit",
    "écrit",
    "escribió",
    "escribio",
    "schreef",
    "ha scritto",
    "escreveu",
    "skrev",
    "napisał",
    "kirjoitti",
    "написал",
    "yazdı",
    "пише",
];

/// How such a line begins; a mail program may break it over several lines.
const BEGINS: &[&str] = &[
    "on ", "am ", "le ", "el ", "op ", "il ", "em ", "den ", "w dniu", "dnia", "på ", "ma ",
    "dne ", "pe ", "в ", "no dia",
];

/// The number of lines of an attribution at the start of `lines`.
fn attribution(lines: &[&str]) -> Option<usize> {
    let first = folded(lines.first()?);
    let address_first = first.contains('@') || first.starts_with(|c: char| c.is_ascii_digit());
    if !address_first && !BEGINS.iter().any(|word| first.starts_with(word)) {
        return wrote(&first).then_some(1);
    }
    let mut whole = String::new();
    for (place, line) in lines.iter().take(4).enumerate() {
        if line.trim().is_empty() || whole.len() > 400 {
            return None;
        }
        whole.push_str(&folded(line));
        whole.push(' ');
        if wrote(&whole) || (place == 0 && is_address_line(&whole)) {
            return Some(place + 1);
        }
        // A sentence has ended: that was no attribution.
        if whole.trim_end().ends_with(['.', '?', '!']) {
            return None;
        }
    }
    None
}

/// Ends in a colon, with a verb of writing, and names an address, a date or a time.
fn wrote(text: &str) -> bool {
    let text = text.trim_end();
    text.ends_with(':')
        && text.len() < 500
        && text.contains(|c: char| c == '@' || c.is_ascii_digit())
        && WROTE.iter().any(|verb| text.contains(verb))
}

/// `2026-03-02 9:00 GMT+01:00 Ada <ada@example.com>:`
fn is_address_line(text: &str) -> bool {
    let text = text.trim_end();
    text.starts_with(|c: char| c.is_ascii_digit()) && text.ends_with(">:") && text.contains('@')
}

/// `-----Original Message-----` in any language, and Outlook's rule of underscores.
fn is_separator(line: &str) -> bool {
    let line = line.trim();
    let inner = line.trim_matches('-');
    let dashes = line.len() - inner.len();
    let named = dashes >= 6
        && line.starts_with("---")
        && line.ends_with("---")
        && inner.chars().any(char::is_alphabetic)
        && inner.chars().count() < 60;
    named || (line.len() >= 20 && line.chars().all(|c| c == '_'))
}

const FROM: &[&str] = &[
    "from:",
    "von:",
    "de:",
    "de :",
    "van:",
    "da:",
    "från:",
    "fra:",
    "od:",
    "lähettäjä:",
    "от:",
    "kimden:",
    "发件人:",
    "差出人:",
];

const SENT: &[&str] = &[
    "sent:",
    "date:",
    "gesendet:",
    "datum:",
    "envoyé:",
    "envoyé :",
    "date :",
    "enviado:",
    "enviado el:",
    "fecha:",
    "verzonden:",
    "inviato:",
    "data:",
    "enviada:",
    "enviada em:",
    "skickat:",
    "sendt:",
    "dato:",
    "wysłano:",
    "lähetetty:",
    "отправлено:",
    "дата:",
];

const SUBJECT: &[&str] = &[
    "subject:",
    "betreff:",
    "objet:",
    "objet :",
    "asunto:",
    "onderwerp:",
    "oggetto:",
    "assunto:",
    "ämne:",
    "emne:",
    "temat:",
    "aihe:",
    "тема:",
    "konu:",
    "to:",
    "an:",
    "à :",
    "para:",
    "aan:",
    "a:",
    "till:",
    "til:",
    "do:",
    "кому:",
];

/// The head of a quoted mail as Outlook writes it: From, then Sent or Date and To or Subject.
fn is_header_block(lines: &[&str]) -> bool {
    let starts = |line: &str, words: &[&str]| {
        let line = folded(line).replace('*', "");
        words.iter().any(|word| line.starts_with(word))
    };
    let Some(first) = lines.first() else {
        return false;
    };
    let below = || lines.iter().skip(1).take(6);
    starts(first, FROM)
        && below().any(|line| starts(line, SENT))
        && below().any(|line| starts(line, SUBJECT))
}

/// The start of a signature, by the mark of RFC 3676 §4.3 or the words of a telephone.
fn is_signature(line: &str) -> bool {
    const PHONES: &[&str] = &[
        "sent from my ",
        "sent from mail for",
        "sent from outlook",
        "get outlook for",
        "von meinem ",
        "gesendet von ",
        "gesendet mit ",
        "envoyé de mon",
        "envoyé depuis mon",
        "enviado desde mi",
        "enviado do meu",
        "verstuurd vanaf mijn",
        "verzonden vanaf mijn",
        "inviato da ",
        "skickat från min",
        "sendt fra min",
        "wysłane z ",
    ];
    let line = line.trim();
    let folded = line.to_lowercase();
    line == "--"
        || line == "—"
        || PHONES.iter().any(|phrase| folded.starts_with(phrase)) && line.len() < 80
}

/// Words that end a letter.
const SIGN_OFFS: &[&str] = &[
    "best regards",
    "kind regards",
    "warm regards",
    "regards",
    "best wishes",
    "all the best",
    "sincerely",
    "yours sincerely",
    "mit freundlichen grüßen",
    "mit freundlichen gruessen",
    "freundliche grüße",
    "viele grüße",
    "liebe grüße",
    "beste grüße",
    "mfg",
    "cordialement",
    "bien cordialement",
    "bien à vous",
    "saludos",
    "saludos cordiales",
    "un saludo",
    "atentamente",
    "met vriendelijke groet",
    "met vriendelijke groeten",
    "vriendelijke groet",
    "cordiali saluti",
    "distinti saluti",
    "atenciosamente",
    "med vänliga hälsningar",
    "vänliga hälsningar",
    "med venlig hilsen",
    "venlig hilsen",
    "z poważaniem",
    "pozdrawiam",
];

/// Cuts below the words that end a letter: name, title, telephone, disclaimer. Not when somebody
/// goes on writing below, or when nothing stands above.
fn without_sign_off<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let is_sign_off = |line: &str| {
        let line = line.trim().trim_end_matches([',', '.', '!']).to_lowercase();
        SIGN_OFFS.contains(&line.as_str())
    };
    let Some(at) = lines.iter().rposition(|line| is_sign_off(line)) else {
        return lines.to_vec();
    };
    let above = lines[..at].iter().any(|line| !line.trim().is_empty());
    let below = &lines[at + 1..];
    let goes_on = below.iter().any(|line| line.contains('?'))
        || below.iter().filter(|line| !line.trim().is_empty()).count() > 25;
    if above && !goes_on {
        lines[..at].to_vec()
    } else {
        lines.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(newest(text), expected, "{text}");
    }

    // CLS-3
    #[test]
    fn history_below_goes() {
        check(
            "Yes please.\n\nOn Mon, 2 Mar 2026 at 09:00, Ada <ada@sender.test> wrote:\n> Hi\n> x\n",
            "Yes please.",
        );
        check(
            "Ja.\n\nAm 02.03.2026 um 09:00 schrieb Ada Example <ada@sender.test>:\n> Hallo",
            "Ja.",
        );
        check(
            "Oui\n\nLe lun. 2 mars 2026 à 09:00, Ada <ada@sender.test> a écrit :\n\n> Bonjour",
            "Oui",
        );
        check(
            "Sí\n\nEl lun, 2 mar 2026 a las 9:00, Ada (<ada@sender.test>) escribió:\n> Hola",
            "Sí",
        );
        check(
            "Ja\n\nOp ma 2 mrt 2026 om 09:00 schreef Ada <ada@sender.test>:\n> Hoi",
            "Ja",
        );
        // Broken over lines, and without marks below
        check(
            "OK\n\nOn Mon, Mar 2, 2026 at 9:00 AM Ada Example with a long name\n<ada@sender.test> wrote:\n\nHi Bob,\nunsubscribe here",
            "OK",
        );
        check(
            "OK\n\n2026-03-02 9:00 GMT+01:00 Ada <ada@sender.test>:\n> x",
            "OK",
        );
        check(
            "OK\n\n-----Original Message-----\nFrom: Ada\nunsubscribe",
            "OK",
        );
        check(
            "OK\n\n-------- Ursprüngliche Nachricht --------\nVon: Ada",
            "OK",
        );
        check(
            "OK\n________________________________\nFrom: Ada\nSent: x",
            "OK",
        );
        check(
            "Gerne\n\nVon: Ada <ada@sender.test>\nGesendet: Montag, 2. März 2026 09:00\nAn: Bob\nBetreff: x\n\nHi",
            "Gerne",
        );
        check(
            "Sure\n\n*From:* Ada\n*Sent:* Monday\n*To:* Bob\n*Subject:* x\n\nHi",
            "Sure",
        );
    }

    // CLS-3
    #[test]
    fn answers_in_between_stay() {
        check(
            "On Mon, 2 Mar 2026, Ada <ada@sender.test> wrote:\n> Shall we talk?\nYes.\n> When?\nTuesday.\n",
            "Yes.\nTuesday.",
        );
        check("> quoted\n\nMy answer below", "My answer below");
    }

    // CLS-3
    #[test]
    fn signatures_go() {
        check("Fine.\n-- \nBob\nunsubscribe", "Fine.");
        check("Fine.\n\nSent from my iPhone", "Fine.");
        check("Gut.\n\nVon meinem iPhone gesendet", "Gut.");
        check(
            "Fine.\n\nBest regards,\nBob Example\nHead of Things\nTo unsubscribe, write to us.",
            "Fine.",
        );
        check("Gut.\n\nMit freundlichen Grüßen\n\nBob", "Gut.");
    }

    // CLS-3
    #[test]
    fn ordinary_words_stay() {
        for text in [
            "On Monday I wrote to you: no answer.",
            "I wrote: stop",
            "Am Montag bin ich da.",
            "From what I see: fine.\nSent it.\nSubject closed",
            "Best regards,\nBob\n\nP.S. Can you call me?",
            "Regards",
            "a - b --- c",
        ] {
            check(text, text);
        }
        check("", "");
        check("> all\n> quoted", "");
    }
}
