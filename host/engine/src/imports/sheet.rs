//! Spreadsheets, as the CSV file that they would be saved as (PR-2).

use std::{
    fs,
    io::{self, BufReader, BufWriter, Read, SeekFrom, Write},
};

use calamine::{DataRef, Reader as _, Xlsx, open_workbook_from_rs};

use super::text::{ReadSeek, unreadable};
use crate::{Error, Result};

/// How a workbook begins: it is a zip archive.
const ZIP: &[u8] = b"PK\x03\x04";
/// How the formats before it begin, and workbooks under a password.
const COMPOUND: &[u8] = b"\xd0\xcf\x11\xe0";
/// What a workbook may hold when it is unpacked, in bytes: its texts are kept in memory.
const LARGEST: u64 = 256 << 20;
/// The last row that a sheet can have.
const LAST_ROW: u32 = 1 << 20;
/// Columns that people have.
const MOST_COLUMNS: usize = 1_000;

/// The first sheet of a workbook as a CSV file of its own, in which each row stands on the line of
/// its number; `None` for a file of another kind. At most `most` rows come below the header.
///
/// # Errors
/// [`Error::Invalid`] for a workbook that can't be read, [`Error::TooLarge`] for one that holds more.
pub(super) fn as_csv(file: &mut impl ReadSeek, most: usize) -> Result<Option<fs::File>> {
    let mut begin = Vec::new();
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    file.take(4).read_to_end(&mut begin).map_err(unreadable)?;
    if begin == COMPOUND {
        let message = "the workbook is in the format before .xlsx, or under a password: save it as .xlsx without one, or as CSV";
        return Err(Error::field("file", "not_csv", message));
    }
    if begin != ZIP {
        return Ok(None);
    }
    measure(file, LARGEST)?;
    let mut workbook: Xlsx<_> =
        open_workbook_from_rs(BufReader::new(file)).map_err(|error| broken(&error))?;
    let Some(name) = workbook.sheet_names().first().cloned() else {
        return Err(Error::field("file", "empty", "the workbook has no sheet"));
    };
    let mut sheet = Sheet::new(most)?;
    let mut cells = (workbook.worksheet_cells_reader(&name)).map_err(|error| broken(&error))?;
    while let Some(cell) = cells.next_cell().map_err(|error| broken(&error))? {
        let (row, column) = cell.get_position();
        let text = text(cell.get_value());
        if !text.is_empty() {
            sheet.put(row, column as usize, text)?;
        }
    }
    sheet.finish().map(Some)
}

/// Refuses an archive that unpacks to more than `most` bytes; what it says of its sizes is not believed.
fn measure(file: &mut impl ReadSeek, most: u64) -> Result<()> {
    let mut archive = zip::ZipArchive::new(file).map_err(|error| broken(&error))?;
    let mut left = most;
    for entry in 0..archive.len() {
        let entry = archive.by_index(entry).map_err(|error| broken(&error))?;
        let unpacked = io::copy(&mut entry.take(left + 1), &mut io::sink());
        left = left
            .checked_sub(unpacked.map_err(|error| broken(&error))?)
            .ok_or_else(|| {
                Error::TooLarge("the workbook unpacks to more than 256 MB: save it as CSV".into())
            })?;
    }
    Ok(())
}

fn broken(error: &dyn std::error::Error) -> Error {
    let message = format!("the file can't be read as an .xlsx workbook ({error}): save it as CSV");
    Error::field("file", "unreadable", message)
}

/// What a person sees in a cell, on one line.
fn text(value: &DataRef<'_>) -> String {
    let text = match value {
        DataRef::Int(number) => number.to_string(),
        // Without an exponent, and without decimals where there are none: a phone number stays one.
        DataRef::Float(number) => number.to_string(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            text.clone()
        }
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(yes) => yes.to_string(),
        DataRef::DateTime(moment) if moment.is_datetime() => {
            let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
            match (hour, minute, second) {
                (0, 0, 0) => format!("{year:04}-{month:02}-{day:02}"),
                _ => format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"),
            }
        }
        DataRef::DateTime(duration) => duration.as_f64().to_string(),
        DataRef::Error(_) | DataRef::Empty => String::new(),
    };
    let lines = text.split(['\r', '\n']).map(str::trim);
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    lines.join(" ")
}

/// A sheet on its way into a file.
struct Sheet {
    out: csv::Writer<BufWriter<fs::File>>,
    most: usize,
    /// The row that is being filled, counted from 0.
    row: u32,
    fields: Vec<String>,
    /// Fields of the header; 0 before it.
    width: usize,
    rows: usize,
}

impl Sheet {
    fn new(most: usize) -> Result<Self> {
        let mut file = tempfile::tempfile().map_err(unreadable)?;
        // UTF-8, for whoever reads it.
        file.write_all(b"\xef\xbb\xbf").map_err(unreadable)?;
        let out = csv::WriterBuilder::new()
            .flexible(true)
            .from_writer(BufWriter::new(file));
        Ok(Self {
            out,
            most,
            row: 0,
            fields: Vec::new(),
            width: 0,
            rows: 0,
        })
    }

    fn put(&mut self, row: u32, column: usize, text: String) -> Result<()> {
        if row < self.row || column >= MOST_COLUMNS {
            let message = format!(
                "the sheet has more than {MOST_COLUMNS} columns, or rows out of order: save it as CSV"
            );
            return Err(Error::field("file", "unreadable", message));
        }
        while self.row < row {
            self.end_row()?;
        }
        while self.fields.len() <= column {
            self.fields.push(String::new());
        }
        self.fields[column] = text;
        Ok(())
    }

    /// Rows end at the last column of the header at least. One without a field is an empty line.
    fn end_row(&mut self) -> Result<()> {
        self.row += 1;
        let is_empty = self.fields.is_empty();
        if self.width == 0 {
            self.width = self.fields.len();
        } else if !is_empty {
            self.rows += 1;
        }
        if self.rows > self.most || self.row > LAST_ROW {
            let message = format!(
                "the file has more than {} rows: split it, or raise `engine.import_max_rows`",
                self.most
            );
            return Err(Error::TooLarge(message));
        }
        if is_empty {
            return self.write_line();
        }
        let width = self.width.max(self.fields.len());
        self.fields.resize(width, String::new());
        self.out.write_record(&self.fields).map_err(unreadable)?;
        self.fields.clear();
        Ok(())
    }

    fn write_line(&mut self) -> Result<()> {
        // A record without fields would be written as `""`.
        self.out.flush().map_err(unreadable)?;
        let mut file: &fs::File = self.out.get_ref().get_ref();
        file.write_all(b"\n").map_err(unreadable)
    }

    fn finish(mut self) -> Result<fs::File> {
        if !self.fields.is_empty() {
            self.end_row()?;
        }
        let out = self
            .out
            .into_inner()
            .map_err(|error| unreadable(io::Error::other(error.to_string())))?;
        out.into_inner()
            .map_err(|error| unreadable(error.into_error()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Seek as _};

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    fn archive(name: &str, content: &[u8]) -> Cursor<Vec<u8>> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        archive
            .start_file(name, SimpleFileOptions::default())
            .unwrap();
        archive.write_all(content).unwrap();
        archive.finish().unwrap()
    }

    // PR-2: a small file that becomes a large one.
    #[test]
    fn what_unpacks_to_too_much_is_refused() {
        let mut bomb = archive("xl/sharedStrings.xml", &vec![b' '; 1 << 20]);
        assert!(bomb.get_ref().len() < 5_000);
        measure(&mut bomb, 1 << 20).unwrap();
        let refused = measure(&mut bomb, (1 << 20) - 1).unwrap_err();
        assert!(matches!(refused, Error::TooLarge(_)), "{refused}");
    }

    #[test]
    fn an_archive_of_something_else_is_no_workbook() {
        let refused = as_csv(&mut archive("letter.txt", b"Hello"), 10).unwrap_err();
        assert!(refused.to_string().contains("save it as CSV"), "{refused}");
        assert!(as_csv(&mut Cursor::new("email\n"), 10).unwrap().is_none());
    }

    fn sheet(cells: &[(u32, usize)], most: usize) -> Result<String> {
        let mut sheet = Sheet::new(most)?;
        for (row, column) in cells {
            sheet.put(*row, *column, format!("{row}.{column}"))?;
        }
        let (mut file, mut text) = (sheet.finish()?, String::new());
        file.seek(SeekFrom::Start(3)).unwrap();
        file.read_to_string(&mut text).unwrap();
        Ok(text)
    }

    // PR-2: problems name the row of the sheet.
    #[test]
    fn rows_stand_on_the_line_of_their_number() {
        let text = sheet(&[(1, 0), (1, 2), (4, 1), (5, 3)], 2).unwrap();
        assert_eq!(text, "\n1.0,,1.2\n\n\n,4.1,\n,,,5.3\n");
    }

    #[test]
    fn sheets_have_their_limits() {
        for (cells, most) in [
            (&[(0, 0), (1, 0), (2, 0)][..], 1),
            (&[(0, 0), (1 << 21, 0)], 9),
        ] {
            assert!(matches!(sheet(cells, most), Err(Error::TooLarge(_))));
        }
        for cells in [[(0, 0), (1, MOST_COLUMNS)], [(3, 0), (2, 0)]] {
            assert!(matches!(sheet(&cells, 9), Err(Error::Invalid(_))));
        }
    }
}
