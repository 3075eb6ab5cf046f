//! The rejected rows of an import as a file: to be mended and imported again.

use overture_store::imports::Problem;

/// The header of the file of rejected rows: where, what and why stand behind the columns of the
/// import, so that it can be imported again as it is.
pub fn problems_header(header: &[String]) -> Vec<u8> {
    let ours = ["import line", "import result", "import reason"];
    line(header.iter().map(String::as_str).chain(ours))
}

/// The lines of rejected rows of an import whose file had `columns` columns. Values that a spreadsheet
/// would take for formulas are made harmless.
pub fn problems_csv(problems: &[Problem], columns: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for problem in problems {
        let number = problem.line.to_string();
        // A row that was too short or too long keeps what it has; ours stand in their columns.
        let width = columns.max(problem.record.len());
        let row = (0..width).map(|nth| problem.record.get(nth).map_or("", String::as_str));
        let why = [number.as_str(), problem.result.name(), &problem.reason];
        out.extend(line(row.chain(why)));
    }
    out
}

fn line<'a>(values: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .flexible(true)
        .from_writer(Vec::new());
    // Writing to memory does not fail.
    let _ = writer.write_record(values.map(|value| harmless(value).into_owned()));
    writer.into_inner().unwrap_or_default()
}

/// A value that no spreadsheet takes for a formula: `=cmd` gets an apostrophe before it. Numbers
/// such as `+49 30 123` and `-1.5` stay.
fn harmless(value: &str) -> std::borrow::Cow<'_, str> {
    let mut rest = value.chars();
    let is_number = |c: char| c.is_ascii_digit() || " .,-/()".contains(c);
    let formula = match rest.next() {
        Some('=' | '@' | '\t' | '\r') => true,
        Some('+' | '-') => !rest.all(is_number),
        _ => false,
    };
    match formula {
        true => format!("'{value}").into(),
        false => value.into(),
    }
}

#[cfg(test)]
mod tests {
    use overture_store::imports::Trouble;

    use super::*;

    // PR-2
    #[test]
    fn formulas_are_made_harmless() {
        for (value, written) in [
            ("=cmd|'/c calc'!A1", "'=cmd|'/c calc'!A1"),
            ("@SUM(1)", "'@SUM(1)"),
            ("+HYPERLINK(1)", "'+HYPERLINK(1)"),
            ("-2+cmd|' /C calc'!A0", "'-2+cmd|' /C calc'!A0"),
            ("\t=1", "'\t=1"),
            ("+49 30 123-4", "+49 30 123-4"),
            ("-1.5", "-1.5"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(harmless(value), written);
        }
    }

    // PR-2
    #[test]
    fn rejected_rows_can_be_mended_and_imported_again() {
        let header = ["email".to_owned(), "name".to_owned()];
        let problem = |line, record: &[&str]| Problem {
            line,
            result: Trouble::Invalid,
            reason: "no @".into(),
            record: record.iter().map(|value| (*value).to_owned()).collect(),
        };
        let mut file = problems_header(&header);
        file.extend(problems_csv(
            &[problem(2, &["ada", "=1+1"]), problem(3, &["bob"])],
            header.len(),
        ));
        assert_eq!(
            String::from_utf8(file).unwrap(),
            "email,name,import line,import result,import reason\nada,'=1+1,2,invalid,no @\nbob,,3,invalid,no @\n"
        );
    }
}
