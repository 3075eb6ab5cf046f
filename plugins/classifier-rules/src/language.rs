//! Which language a text is in, by its commonest words.

use std::sync::LazyLock;

use crate::{
    lexicon::{Lexicon, hash},
    phrases::Match,
    words::Words,
};

/// Words that are common in one language. Shared ones (`de`, `die`, `in`) stand in each, and so
/// decide nothing.
const COMMON: [(&str, &str); 10] = [
    (
        "en",
        "the and you your for this that with have will not are our please thank thanks from can would we my it is i to of be do any more about on at as or if me am but a an was has had been what how when which who could would there they them their he she his her us so just up out get time week call send email",
    ),
    (
        "de",
        "der die das und ich sie wir nicht ist mit fuer auf ein eine einen dem den ihre ihr mir uns bitte vielen dank von zu im am bis wieder bin werde haben kein keine auch noch gerne leider sehr geehrte hallo gruessen gruesse mit freundlichen es das den des wie was wo wann sind wird waere koennen moechte danke schon bereits aus bei nach ueber als oder wenn dass so nur sehr mal mich uns unser unsere diese dieser um mehr zur zum vom",
    ),
    (
        "nl",
        "de het een en ik niet van voor met op aan u uw wij zijn dat dit naar ben tot mijn onze om te is bij graag hartelijk dank geen worden kunt vriendelijke groet groeten weer als",
    ),
    (
        "fr",
        "le la les et je vous nous pas pour votre vos dans de du des un une est avec sur merci bonjour au mon ma mes ce cette ne plus cordialement jusqu'au suis absent que qui en",
    ),
    (
        "es",
        "el la los las y yo usted no para su sus en de del un una es con por gracias hola mi este esta que saludos estoy hasta estare correo se lo al me",
    ),
    (
        "it",
        "il lo la gli le e io non per suo sua in di del della un una con grazie buongiorno mio questo questa che saluti sono fino al cordiali mi si sara presso alla",
    ),
    (
        "pt",
        "o a os as e eu voce nao para seu sua em de do da um uma com por obrigado obrigada ola meu minha este esta que estou ate estarei no na ao favor atenciosamente",
    ),
    (
        "pl",
        "i w na nie do z jest sie dla o po od jestem prosze dziekuje mam bede panstwa pan pani moj moja ten ta to za oraz przez pozdrawiam biurem dnia",
    ),
    (
        "sv",
        "och jag inte du ni att det en ett for med pa av ar som till fran din ditt er ert tack hej min mitt vi har om kan vanliga halsningar ater kontoret aer foer",
    ),
    (
        "da",
        "og jeg ikke du i at det en et for med pa af er som til fra din dit jeres tak hej min mit vi har om kan venlig hilsen igen kontoret den mvh",
    ),
];

/// After so many words a text has told.
const ENOUGH: usize = 60;

/// A bit for each language in which a word is common.
static WORDS: LazyLock<Lexicon<u16>> = LazyLock::new(|| {
    let mut words = Lexicon::default();
    for (nth, (_, list)) in COMMON.iter().enumerate() {
        for word in list.split(' ') {
            *words.entry(hash(word.as_bytes())) |= 1 << nth;
        }
    }
    words
});

pub(crate) fn build() {
    LazyLock::force(&WORDS);
}

/// The language, where the text is long enough to tell. The words of a phrase that was found count
/// twice.
pub(crate) fn of(words: &Words<'_>, found: &[Match]) -> Option<&'static str> {
    let mut points = [0_u32; COMMON.len()];
    for word in words.list.iter().take(ENOUGH) {
        let Some(mut bits) = WORDS.get(word.hash) else {
            continue;
        };
        // A word of one language alone says more.
        let weight = if bits.count_ones() == 1 { 2 } else { 1 };
        while bits != 0 {
            points[bits.trailing_zeros() as usize] += weight;
            bits &= bits - 1;
        }
    }
    for one in found {
        if let Some(nth) = COMMON.iter().position(|(code, _)| *code == one.language) {
            points[nth] += 2 * (one.to - one.from) as u32;
        }
    }
    let (nth, best) = points
        .iter()
        .enumerate()
        .max_by_key(|(nth, n)| (**n, COMMON.len() - nth))?;
    let second = points
        .iter()
        .enumerate()
        .filter(|(n, _)| *n != nth)
        .map(|(_, p)| *p)
        .max();
    (*best >= 3 && Some(*best) > second).then_some(COMMON[nth].0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_languages_apart() {
        for (text, expected) in [
            (
                "Thank you for your email, I am out of the office",
                Some("en"),
            ),
            (
                "Vielen Dank für Ihre Nachricht, ich bin nicht im Büro",
                Some("de"),
            ),
            (
                "Bedankt voor uw bericht, ik ben niet op kantoor",
                Some("nl"),
            ),
            (
                "Merci pour votre message, je suis absent du bureau",
                Some("fr"),
            ),
            (
                "Gracias por su correo, estoy fuera de la oficina",
                Some("es"),
            ),
            ("Grazie per il messaggio, sono fuori ufficio", Some("it")),
            (
                "Obrigado pela sua mensagem, estou fora do escritório",
                Some("pt"),
            ),
            ("Dziękuję za wiadomość, jestem na urlopie", Some("pl")),
            ("Tack för ditt mail, jag är inte på kontoret", Some("sv")),
            ("Tak for din mail, jeg er ikke på kontoret", Some("da")),
            ("ok", None),
        ] {
            let words = Words::of(text);
            let found = crate::phrases::find(&words);
            assert_eq!(of(&words, &found), expected, "{text}");
        }
    }
}
