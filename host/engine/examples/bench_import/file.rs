//! The file: of a hundred rows two have an address that stands further up, in another spelling, one
//! a person whom the workspace knows, one a suppressed address, one a suppressed domain, one no address.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

const HEADER: &str = "E-Mail,First Name,Last Name,Company,Job Title,City,Country,Plan,Seats\n";
/// Each address of these comes again and again, in all rows of its kind.
const SUPPRESSED: usize = 1_000;
const KNOWN: usize = 1_000;

/// How many rows end how.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) created: i64,
    pub(crate) duplicate: i64,
    pub(crate) suppressed: i64,
    pub(crate) invalid: i64,
}

/// Addresses that nobody may write to.
pub(crate) fn suppressed() -> impl Iterator<Item = String> {
    (0..SUPPRESSED).map(|n| format!("no{n}@example.com"))
}

/// People who are there before.
pub(crate) fn known() -> String {
    let mut csv = String::from("email\n");
    for n in 0..KNOWN {
        csv.push_str(&format!("known{n}@example.com\n"));
    }
    csv
}

/// Writes so many rows; how they will end.
pub(crate) fn write(path: &Path, rows: usize) -> Ends {
    let mut file = BufWriter::new(File::create(path).unwrap());
    let mut ends = Ends::default();
    file.write_all(HEADER.as_bytes()).unwrap();
    for n in 0..rows {
        // Scattered, as addresses are.
        let name = |n: usize| format!("{:08x}.person", (n as u32).wrapping_mul(2_654_435_761));
        let host = |n: usize| n.wrapping_mul(7_919) % 40_000;
        let (end, email) = match n % 100 {
            20 | 70 => (
                &mut ends.duplicate,
                format!("{}@Firm{}.TEST", name(n - 7).to_uppercase(), host(n - 7)),
            ),
            30 => (
                &mut ends.duplicate,
                format!("Known{}@example.com", n / 100 % KNOWN),
            ),
            40 => (
                &mut ends.suppressed,
                format!("no{}@example.com", n / 100 % SUPPRESSED),
            ),
            50 => (
                &mut ends.suppressed,
                format!("{}@away{}.test", name(n), n / 100 % 1_000),
            ),
            60 => (&mut ends.invalid, format!("{}.firm", name(n))),
            _ => (
                &mut ends.created,
                format!("{}@firm{}.test", name(n), host(n)),
            ),
        };
        *end += 1;
        writeln!(
            file,
            "{email},First{},Last{},\"Firm {}, Ltd.\",Head of {},Town {},Germany,team,{}",
            n % 5_000,
            n % 70_000,
            host(n),
            n % 300,
            n % 900,
            n % 50
        )
        .unwrap();
    }
    file.flush().unwrap();
    ends
}
