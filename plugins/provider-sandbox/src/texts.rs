//! What people say.

use overture_plugin::time::Date;
use sandbox_personas::{Language, Persona};

/// The text of a reply; `nth` chooses among those that there are.
pub(crate) fn reply(persona: Persona, language: Language, nth: u32) -> &'static str {
    let texts: &[&str] = match (persona, language) {
        (Persona::Meeting, Language::De) => &[
            "Gerne können wir dazu telefonieren. Passt Ihnen Dienstag um 14 Uhr?",
            "Lassen Sie uns einen Termin vereinbaren, am besten Anfang nächster Woche.",
        ],
        (Persona::Meeting, Language::Nl) => &["Laten we bellen. Schikt dinsdag om 14 uur?"],
        (Persona::Meeting, Language::Fr) => &["Parlons-en de vive voix. Mardi à 14 h vous va ?"],
        (Persona::Meeting, Language::Es) => &["Hablemos por teléfono. ¿Le viene bien el martes?"],
        (Persona::Meeting, Language::En) => &[
            "Happy to have a chat. Does Tuesday at 3pm work for you?",
            "Let's set up a call next week.",
            "Can you send me a calendar invite for Thursday morning?",
        ],
        (Persona::Question, Language::De) => &[
            "Was kostet das für 20 Nutzer?",
            "Wie funktioniert das genau?",
        ],
        (Persona::Question, Language::Nl) => &["Wat kost het voor 20 gebruikers?"],
        (Persona::Question, Language::Fr) => &["Quel est le prix pour 20 personnes ?"],
        (Persona::Question, Language::Es) => &["¿Cuánto cuesta para 20 usuarios?"],
        (Persona::Question, Language::En) => &[
            "How much does it cost for 25 users?",
            "Do you integrate with our CRM?",
        ],
        (Persona::Declines, Language::De) => &[
            "Vielen Dank für Ihre Anfrage, wir haben jedoch kein Interesse.",
            "Wir sind mit unserem aktuellen Anbieter sehr zufrieden.",
        ],
        (Persona::Declines, Language::Nl) => &["Nee bedankt, we hebben geen interesse."],
        (Persona::Declines, Language::Fr) => &["Non merci, nous n'avons pas besoin de ce service."],
        (Persona::Declines, Language::Es) => &["No gracias, no estamos interesados."],
        (Persona::Declines, Language::En) => &[
            "Thanks for reaching out, but we're not interested.",
            "We already have a solution for this and are happy with it.",
            "No thanks.",
        ],
        (Persona::WrongPerson, Language::De) => {
            &["Da bin ich leider nicht der richtige Ansprechpartner."]
        }
        (Persona::WrongPerson, Language::Nl) => &["Daar ga ik helaas niet over."],
        (Persona::WrongPerson, Language::Fr) => &["Ce sujet n'est pas de mon ressort."],
        (Persona::WrongPerson, Language::Es) => &["Ese tema no es de mi área."],
        (Persona::WrongPerson, Language::En) => &[
            "Sorry, I'm not the right person for this.",
            "This isn't my area, I'm afraid.",
        ],
        (Persona::Neutral, Language::De) => &[
            "Danke, ich bespreche das intern und komme auf Sie zu.",
            "Vielen Dank für Ihre Nachricht. Ich schaue es mir an und melde mich bei Bedarf.",
        ],
        (Persona::Neutral, Language::Nl) => &["Dank u, ik kijk ernaar."],
        (Persona::Neutral, Language::Fr) => &["Merci, je regarde cela."],
        (Persona::Neutral, Language::Es) => &["Gracias, lo miraré con calma."],
        (Persona::Neutral, Language::En) => &[
            "Thanks for reaching out. I'll take a look and get back to you.",
            "Bad timing, we are swamped. Please check back in the autumn.",
        ],
        (Persona::Refers, Language::De) => &[
            "Bitte wenden Sie sich an meine Kollegin Frau Muster.",
            "Ich habe Ihre Mail an unseren Einkauf weitergeleitet.",
        ],
        (Persona::Refers, Language::Nl) => &["Vraag het aan mijn collega Jan Jansen."],
        (Persona::Refers, Language::Fr) => &["Voyez cela avec ma collègue Mme Martin."],
        (Persona::Refers, Language::Es) => &["Hable con mi compañera Ana García."],
        (Persona::Refers, Language::En) => &[
            "You should speak to our head of marketing, Dan.",
            "I've forwarded your email to our procurement team.",
        ],
        (Persona::AsksToStop, Language::De) => &[
            "Bitte nehmen Sie mich aus Ihrem Verteiler.",
            "Ich möchte nicht mehr von Ihnen kontaktiert werden.",
        ],
        (Persona::AsksToStop, Language::Nl) => &["Haal mij uit uw lijst, geen e-mails meer."],
        (Persona::AsksToStop, Language::Fr) => &["Merci de me désinscrire de votre liste."],
        (Persona::AsksToStop, Language::Es) => &["Por favor, quiero darme de baja."],
        (Persona::AsksToStop, Language::En) => &[
            "Please remove me from your mailing list.",
            "Stop emailing me.",
            "Unsubscribe",
        ],
        (_, Language::De) => &[
            "Das klingt interessant. Bitte schicken Sie mir mehr Informationen dazu.",
            "Wir haben grundsätzlich Interesse. Was wären die nächsten Schritte?",
        ],
        (_, Language::Nl) => &["Dat klinkt interessant, ik ben geïnteresseerd."],
        (_, Language::Fr) => &["Bonjour, cela m'intéresse, nous sommes intéressés."],
        (_, Language::Es) => &["Hola, suena interesante, estamos interesados."],
        (_, Language::En) => &[
            "This sounds interesting. Could you send me more information?",
            "Great timing! We are looking for something like this. What are the next steps?",
            "I'd love to hear more about it.",
        ],
    };
    texts[nth as usize % texts.len()]
}

/// Subject and text of a notice of absence.
pub(crate) fn absence(language: Language, back: Date, subject: &str) -> (String, String) {
    let Date { year, month, day } = back;
    let name = MONTHS[language as usize][month as usize - 1];
    match language {
        Language::En => (
            format!("Automatic reply: {subject}"),
            format!(
                "Thank you for your email. I am out of the office and will be back on \
                 {day} {name} {year}. For urgent matters please contact my colleagues."
            ),
        ),
        Language::De => (
            format!("Automatische Antwort: {subject}"),
            format!(
                "Vielen Dank für Ihre Nachricht. Ich bin derzeit nicht im Büro und ab dem \
                 {day}. {name} {year} wieder für Sie da. Ihre E-Mail wird nicht weitergeleitet."
            ),
        ),
        Language::Nl => (
            format!("Automatisch antwoord: {subject}"),
            format!(
                "Bedankt voor uw bericht. Ik ben niet op kantoor en ben op {day} {name} {year} \
                 weer terug."
            ),
        ),
        Language::Fr => (
            format!("Automatic reply: {subject}"),
            format!(
                "Bonjour, je suis actuellement en congés, de retour le {day} {name} {year}. En cas \
                 d'urgence, merci de contacter mes collègues."
            ),
        ),
        Language::Es => (
            format!("Automatic reply: {subject}"),
            format!(
                "Gracias por su correo. Estoy fuera de la oficina y vuelvo el {day} de {name} de \
                 {year}."
            ),
        ),
    }
}

/// By [`Language`] as a number.
const MONTHS: [[&str; 12]; 5] = [
    [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
    [
        "januari",
        "februari",
        "maart",
        "april",
        "mei",
        "juni",
        "juli",
        "augustus",
        "september",
        "oktober",
        "november",
        "december",
    ],
    [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
    [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
];

/// An automatic answer that says nothing of absence.
pub(crate) fn receipt(language: Language) -> &'static str {
    match language {
        Language::De => {
            "Vielen Dank für Ihre Anfrage. Wir haben Ihre Nachricht erhalten und melden uns \
             schnellstmöglich."
        }
        _ => "We have received your message and will respond shortly. Please do not reply.",
    }
}
