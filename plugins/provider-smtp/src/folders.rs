//! Which folders hold replies (MB-8): the inbox, and where the service puts what it mistrusts.

use overture_plugin::mailbox::{Folder, SpecialUse};

/// The folders to read, the inbox first.
pub(crate) fn to_read(folders: &[Folder]) -> Vec<String> {
    let inbox = folders
        .iter()
        .find(|f| f.name.eq_ignore_ascii_case("inbox"));
    let inbox = inbox.or_else(|| with_use(folders, SpecialUse::Inbox));
    // RFC 3501 promises an INBOX even where the list forgets it.
    let inbox = inbox.map_or_else(|| "INBOX".to_owned(), |f| f.name.clone());
    let mut names = vec![inbox];
    names.extend(junk(folders).map(|f| f.name.clone()));
    names
}

/// By special use (RFC 6154), else by name.
fn junk(folders: &[Folder]) -> Option<&Folder> {
    with_use(folders, SpecialUse::Junk).or_else(|| {
        folders
            .iter()
            .find(|f| f.selectable && is_junk_name(&f.name))
    })
}

fn with_use(folders: &[Folder], special_use: SpecialUse) -> Option<&Folder> {
    folders
        .iter()
        .find(|f| f.selectable && f.special_use == Some(special_use))
}

fn is_junk_name(name: &str) -> bool {
    let last = name
        .rsplit(['/', '.', '\\'])
        .next()
        .unwrap_or(name)
        .to_lowercase();
    JUNK.contains(&last.as_str())
}

/// In the languages that the classifiers read.
const JUNK: [&str; 24] = [
    "spam",
    "junk",
    "junk e-mail",
    "junk email",
    "junk mail",
    "bulk mail",
    "bulk",
    "junk-e-mail",
    "spamverdacht",
    "spam-verdacht",
    "unerwünscht",
    "courrier indésirable",
    "indésirables",
    "pourriel",
    "ongewenste e-mail",
    "ongewenste post",
    "correo no deseado",
    "no deseado",
    "posta indesiderata",
    "lixo eletrônico",
    "lixo eletrónico",
    "wiadomości-śmieci",
    "skräppost",
    "uønsket mail",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &[(&str, Option<SpecialUse>)], expected: &[&str]) {
        let folder = |(name, special_use): &(&str, Option<SpecialUse>)| Folder {
            name: (*name).into(),
            special_use: *special_use,
            selectable: true,
        };
        let folders: Vec<_> = list.iter().map(folder).collect();
        assert_eq!(to_read(&folders), expected);
    }

    /// MB-8
    #[test]
    fn inbox_and_junk() {
        check(&[], &["INBOX"]);
        check(
            &[("Sent", Some(SpecialUse::Sent)), ("Inbox", None)],
            &["Inbox"],
        );
        check(
            &[
                ("Spam", None),
                ("INBOX", None),
                ("Müll", Some(SpecialUse::Junk)),
            ],
            &["INBOX", "Müll"],
        );
        check(
            &[("INBOX", None), ("[Gmail]/Spam", None)],
            &["INBOX", "[Gmail]/Spam"],
        );
        check(
            &[("INBOX", None), ("INBOX.Junk E-Mail", None)],
            &["INBOX", "INBOX.Junk E-Mail"],
        );
        check(
            &[("INBOX", None), ("Courrier indésirable", None)],
            &["INBOX", "Courrier indésirable"],
        );
    }
}
