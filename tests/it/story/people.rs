//! The twenty.

use std::fmt::Write;

/// What somebody does with the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Silent,
    Replies,
    /// Out of office.
    Away,
    /// The address does not exist.
    Gone,
    Unsubscribes,
}

impl Role {
    /// The local part by which the sandbox knows it.
    fn persona(self) -> &'static str {
        match self {
            Role::Silent => "silent",
            Role::Replies => "reply",
            Role::Away => "ooo",
            Role::Gone => "bounce",
            Role::Unsubscribes => "unsub",
        }
    }
}

/// A prospect.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) role: Role,
    pub(super) email: String,
    pub(super) first_name: &'static str,
    pub(super) last_name: &'static str,
    pub(super) company: String,
    /// A custom field.
    pub(super) plan: &'static str,
}

pub(super) struct People(Vec<Person>);

const NAMES: [(&str, &str); 20] = [
    ("Zoë", "Ångström"),
    ("Jürgen", "Müßig"),
    ("Łucja", "Żółć"),
    ("Nuño", "Peña"),
    ("Șerban", "Țepeș"),
    ("Đurđa", "Šarić"),
    ("Ørjan", "Ærø"),
    ("Çağla", "Işık"),
    ("Мария", "Пример"),
    ("Ελένη", "Δείγμα"),
    ("太郎", "見本"),
    ("예나", "견본"),
    ("ليلى", "مثال"),
    ("אורי", "דוגמה"),
    ("Siân", "Ôl"),
    ("Mañe", "Écrin"),
    ("Þóra", "Dæmi"),
    ("Ķirsa", "Ēna"),
    ("Anaïs", "L’Œuvre"),
    ("Bob", "\"O'Quote\", Jr."),
];

const PLANS: [&str; 4] = ["größer", "plus, jährlich", "<basic>", "team & café"];

impl People {
    /// With mailboxes at a domain; the address of one does not exist there.
    pub(super) fn at(domain: &str) -> Self {
        Self::with(|number, _| format!("p{number}@{domain}"))
    }

    /// By addresses that tell the sandbox who they are.
    pub(super) fn in_the_sandbox() -> Self {
        Self::with(|number, role| format!("{}+p{number}@example.org", role.persona()))
    }

    fn with(email: impl Fn(usize, Role) -> String) -> Self {
        let person = |(number, (first_name, last_name)): (usize, (&'static str, &'static str))| {
            let role = match number {
                3 => Role::Replies,
                7 => Role::Gone,
                11 => Role::Away,
                15 => Role::Unsubscribes,
                _ => Role::Silent,
            };
            Person {
                role,
                email: email(number, role),
                first_name,
                last_name,
                company: format!("Beispiel №{number} GmbH & Söhne"),
                plan: PLANS[number % PLANS.len()],
            }
        };
        Self(NAMES.into_iter().enumerate().map(person).collect())
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Person> {
        self.0.iter()
    }

    /// The only one with a role.
    pub(super) fn who(&self, role: Role) -> &Person {
        let found = self.all().find(|person| person.role == role);
        found.expect("somebody has the role")
    }

    /// As a spreadsheet saves it: a byte order mark, semicolons, quoted cells.
    pub(super) fn csv(&self) -> String {
        let mut csv =
            String::from("\u{feff}E-Mail;First name;Last name;Company;Preferred plan\r\n");
        for person in self.all() {
            let cells = [
                person.email.as_str(),
                person.first_name,
                person.last_name,
                &person.company,
                person.plan,
            ];
            let cells = cells.map(|cell| format!("\"{}\"", cell.replace('"', "\"\"")));
            write!(csv, "{}\r\n", cells.join(";")).expect("text can be written to memory");
        }
        csv
    }
}
