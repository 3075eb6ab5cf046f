//! What people write in.

/// The language that somebody writes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// English
    #[default]
    En,
    /// German
    De,
    /// Dutch
    Nl,
    /// French
    Fr,
    /// Spanish
    Es,
}

impl Language {
    /// Every language with its code (ISO 639-1).
    pub const ALL: [(&'static str, Language); 5] = [
        ("en", Language::En),
        ("de", Language::De),
        ("nl", Language::Nl),
        ("fr", Language::Fr),
        ("es", Language::Es),
    ];

    /// Its code.
    #[must_use]
    pub fn code(self) -> &'static str {
        let known = Self::ALL.iter().find(|(_, language)| *language == self);
        known.map_or("", |(code, _)| code)
    }

    /// The language of a code.
    #[must_use]
    pub fn named(code: &str) -> Option<Self> {
        let known = Self::ALL.into_iter().find(|(known, _)| *known == code);
        known.map(|(_, language)| language)
    }

    /// The language that a piece of the address names, else English.
    #[must_use]
    pub fn of(address: &str) -> Self {
        let local = address.split('@').next().unwrap_or("").to_ascii_lowercase();
        let pieces = local.split(['+', '.', '-', '_']).skip(1);
        let named = pieces.filter_map(Self::named);
        named.last().unwrap_or_default()
    }
}
