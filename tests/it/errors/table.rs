//! The snapshot: a heading and a text for each case.

use std::fmt::Write;

use overture_testkit::app::Ran;
use serde_json::Value;

/// The rows.
#[derive(Default)]
pub(super) struct Table(pub(super) String);

impl Table {
    /// A command and everything that it says.
    pub(super) fn add(&mut self, case: &str, ran: &Ran) {
        let said = format!("{}{}", ran.stdout, ran.stderr);
        self.add_text(case, &said);
    }

    pub(super) fn add_json(&mut self, case: &str, body: &Value) {
        let text = serde_json::to_string_pretty(body).expect("JSON can be written");
        self.add_text(case, &text);
    }

    pub(super) fn add_text(&mut self, case: &str, text: &str) {
        write!(self.0, "## {case}\n{}\n\n", text.trim_end())
            .expect("text can be written to memory");
    }
}
