//! What a folder is for, and how folder names are written on the wire.

use base64::{
    Engine as _,
    alphabet::IMAP_MUTF7,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::Serialize;

/// What a folder is for (RFC 6154).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Incoming mail.
    Inbox,
    /// Copies of sent mail.
    Sent,
    /// Spam.
    Junk,
    /// Deleted mail.
    Trash,
    /// Unfinished mail.
    Drafts,
    /// Mail put aside.
    Archive,
    /// Every mail, a view of the other folders.
    All,
    /// Mail marked by the user, a view.
    Flagged,
    /// Mail that the server thinks important (RFC 8457), a view.
    Important,
}

/// A folder of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Folder {
    /// Its full name, as people read it.
    pub name: String,
    /// What it is for, by the server's word (RFC 6154) or else by its name.
    pub role: Option<Role>,
    /// Whether it can be selected.
    pub selectable: bool,
}

/// A folder of a LIST response, and whether its role is the server's word.
pub(super) struct Listed {
    folder: Folder,
    marked: bool,
}

/// The attributes that give a role.
const ATTRIBUTES: [(&str, Role); 10] = [
    ("\\Sent", Role::Sent),
    ("\\Junk", Role::Junk),
    ("\\Trash", Role::Trash),
    ("\\Drafts", Role::Drafts),
    ("\\Archive", Role::Archive),
    ("\\All", Role::All),
    ("\\Flagged", Role::Flagged),
    ("\\Important", Role::Important),
    // Gmail's own words before RFC 6154.
    ("\\AllMail", Role::All),
    ("\\Spam", Role::Junk),
];

impl Listed {
    pub(super) fn new(name: String, delimiter: Option<&str>, attributes: &[String]) -> Self {
        let has = |attribute: &str| attributes.iter().any(|a| a.eq_ignore_ascii_case(attribute));
        let selectable = !has("\\Noselect") && !has("\\NonExistent");
        let said = if name.eq_ignore_ascii_case("INBOX") {
            Some(Role::Inbox)
        } else {
            ATTRIBUTES
                .into_iter()
                .find(|(attribute, _)| has(attribute))
                .map(|(_, role)| role)
        };
        let role = said
            .or_else(|| role_by_name(&name, delimiter))
            .filter(|_| selectable);
        Self {
            folder: Folder {
                name,
                role,
                selectable,
            },
            marked: said.is_some(),
        }
    }
}

/// Gives every role to one folder only: a folder that the server marked wins over one that is
/// only named so (MB-8).
pub(super) fn settle(mut listed: Vec<Listed>) -> Vec<Folder> {
    // A stable sort: of equals the first keeps the role.
    let mut order: Vec<usize> = (0..listed.len()).collect();
    order.sort_by_key(|&place| !listed[place].marked);
    let mut taken = Vec::new();
    for place in order {
        let role = &mut listed[place].folder.role;
        match *role {
            Some(held) if taken.contains(&held) => *role = None,
            Some(free) => taken.push(free),
            None => {}
        }
    }
    listed.into_iter().map(|listed| listed.folder).collect()
}

/// Names that mail programs and providers give to these folders, folded to lower case.
const NAMES: &[(Role, &[&str])] = &[
    (
        Role::Junk,
        &[
            "spam",
            "junk",
            "junk e-mail",
            "junk email",
            "junk mail",
            "bulk",
            "bulk mail",
            "[gmail]/spam",
            "[google mail]/spam",
            "spamverdacht",
            "unerwünscht",
            "unerwünschte e-mails",
            "courrier indésirable",
            "indésirables",
            "pourriel",
            "ongewenste e-mail",
            "ongewenst",
            "ongewenste reclame",
            "correo no deseado",
            "no deseado",
            "posta indesiderata",
            "lixo eletrônico",
            "lixo electrónico",
            "lixo",
            "skräppost",
            "søppelpost",
            "uønsket e-mail",
            "uønsket post",
            "roskaposti",
            "wiadomości-śmieci",
            "niechciane",
            "nevyžádaná pošta",
            "спам",
            "нежелательная почта",
            "önemsiz e-posta",
            "迷惑メール",
            "垃圾邮件",
        ],
    ),
    (
        Role::Sent,
        &[
            "sent",
            "sent items",
            "sent mail",
            "sent messages",
            "sent-mail",
            "[gmail]/sent mail",
            "[google mail]/sent mail",
            "gesendet",
            "gesendete elemente",
            "gesendete objekte",
            "gesendete nachrichten",
            "[gmail]/gesendet",
            "envoyés",
            "éléments envoyés",
            "messages envoyés",
            "objets envoyés",
            "verzonden",
            "verzonden items",
            "verzonden berichten",
            "enviados",
            "elementos enviados",
            "mensajes enviados",
            "itens enviados",
            "inviati",
            "posta inviata",
            "inviata",
            "skickat",
            "skickade objekt",
            "sendt",
            "sendt post",
            "sendte elementer",
            "lähetetyt",
            "wysłane",
            "elementy wysłane",
            "odeslaná pošta",
            "отправленные",
            "gönderilmiş öğeler",
            "送信済み",
            "已发送",
        ],
    ),
    (
        Role::Trash,
        &[
            "trash",
            "deleted",
            "deleted items",
            "deleted messages",
            "bin",
            "[gmail]/trash",
            "[gmail]/bin",
            "papierkorb",
            "gelöscht",
            "gelöschte elemente",
            "corbeille",
            "éléments supprimés",
            "prullenbak",
            "verwijderde items",
            "papelera",
            "elementos eliminados",
            "cestino",
            "posta eliminata",
            "lixeira",
            "itens excluídos",
            "papperskorgen",
            "borttaget",
            "papirkurv",
            "slettet post",
            "kosz",
            "elementy usunięte",
            "корзина",
        ],
    ),
    (
        Role::Drafts,
        &[
            "drafts",
            "draft",
            "[gmail]/drafts",
            "entwürfe",
            "brouillons",
            "concepten",
            "borradores",
            "bozze",
            "rascunhos",
            "utkast",
            "kladder",
            "robocze",
            "черновики",
        ],
    ),
    (
        Role::Archive,
        &[
            "archive", "archives", "archiv", "archief", "archivo", "archivio", "arquivo", "arkiv",
        ],
    ),
    (
        Role::All,
        &[
            "[gmail]/all mail",
            "[google mail]/all mail",
            "[gmail]/alle nachrichten",
        ],
    ),
];

/// By the whole name, or by its last part directly below INBOX, where some servers keep all.
fn role_by_name(name: &str, delimiter: Option<&str>) -> Option<Role> {
    let folded = name.to_lowercase();
    let below_inbox = delimiter
        .filter(|delimiter| !delimiter.is_empty())
        .and_then(|delimiter| folded.strip_prefix(&format!("inbox{delimiter}")));
    let name = below_inbox.unwrap_or(&folded);
    NAMES
        .iter()
        .find(|(_, names)| names.contains(&name))
        .map(|(role, _)| *role)
}

const MUTF7: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// A folder's name in IMAP's own UTF-7 (RFC 3501 §5.1.3).
pub(super) fn encode(name: &str) -> String {
    let mut out = String::new();
    let mut wide: Vec<u8> = Vec::new();
    let flush = |wide: &mut Vec<u8>, out: &mut String| {
        if !wide.is_empty() {
            out.push('&');
            MUTF7.encode_string(&wide, out);
            out.push('-');
            wide.clear();
        }
    };
    for c in name.chars() {
        if (' '..='~').contains(&c) {
            flush(&mut wide, &mut out);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            let mut units = [0; 2];
            wide.extend(
                c.encode_utf16(&mut units)
                    .iter()
                    .flat_map(|unit| unit.to_be_bytes()),
            );
        }
    }
    flush(&mut wide, &mut out);
    out
}

/// The name as people read it; what is not valid UTF-7 (some servers send UTF-8) stays as it is.
pub(super) fn decode(name: &str) -> String {
    try_decode(name).unwrap_or_else(|| name.to_owned())
}

fn try_decode(name: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = name;
    while let Some((plain, coded)) = rest.split_once('&') {
        out.push_str(plain);
        let (coded, after) = coded.split_once('-')?;
        if coded.is_empty() {
            out.push('&');
        } else {
            let bytes = MUTF7.decode(coded).ok()?;
            if bytes.len() % 2 != 0 {
                return None;
            }
            let units: Vec<u16> = bytes
                .chunks_exact(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                .collect();
            out.push_str(&String::from_utf16(&units).ok()?);
        }
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_over_the_wire_and_back() {
        let check = |name: &str, wire: &str| {
            assert_eq!(encode(name), wire);
            assert_eq!(decode(wire), name);
        };
        check("INBOX", "INBOX");
        check("Entwürfe", "Entw&APw-rfe");
        check("A & B", "A &- B");
        check("台北/日本語", "&U,BTFw-/&ZeVnLIqe-");
        check("😀", "&2D3eAA-");
        for odd in ["a&b", "&AA-", "&!!-", "Entwürfe"] {
            assert_eq!(decode(odd), odd);
        }
    }

    fn listed(name: &str, attributes: &[&str]) -> Listed {
        let attributes: Vec<String> = attributes.iter().map(|a| (*a).to_owned()).collect();
        Listed::new(name.into(), Some("/"), &attributes)
    }

    // MB-8
    #[test]
    fn roles_by_attribute_then_by_name() {
        let check = |name: &str, attributes: &[&str], expected: Option<Role>| {
            assert_eq!(listed(name, attributes).folder.role, expected, "{name}");
        };
        check("inbox", &[], Some(Role::Inbox));
        check("Whatever", &["\\HasNoChildren", "\\Sent"], Some(Role::Sent));
        check("[Gmail]/Spam", &[], Some(Role::Junk));
        check("Junk E-mail", &[], Some(Role::Junk));
        check("Bulk Mail", &[], Some(Role::Junk));
        check("Courrier indésirable", &[], Some(Role::Junk));
        check("Ongewenste e-mail", &[], Some(Role::Junk));
        check("Gesendet", &[], Some(Role::Sent));
        check("Envoyés", &[], Some(Role::Sent));
        check("Verzonden", &[], Some(Role::Sent));
        check("Enviados", &[], Some(Role::Sent));
        check("INBOX/Sent", &[], Some(Role::Sent));
        check("Projects/Sent", &[], None);
        check("[Gmail]", &["\\Noselect"], None);
        check("Spam", &["\\Noselect"], None);
    }

    // MB-8
    #[test]
    fn the_server_s_word_wins_over_a_name() {
        let folders = settle(vec![
            listed("Spam", &[]),
            listed("Quarantine", &["\\Junk"]),
            listed("Sent", &[]),
            listed("Sent Items", &[]),
        ]);
        let roles: Vec<_> = folders.iter().map(|folder| folder.role).collect();
        assert_eq!(roles, [None, Some(Role::Junk), Some(Role::Sent), None]);
    }
}
