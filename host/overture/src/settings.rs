//! The settings as a page of the documentation, from `default.toml`: a setting's comment is what
//! stands right above it.

use std::fmt::Write as _;

use crate::config::DEFAULT;

/// `host/docs/CONFIG.md`.
pub fn document() -> String {
    let mut text = "# Settings\n\n\
        Written by `cargo xtask codegen` from `host/overture/default.toml`; change that, not this file.\n\n\
        Settings come from three places, each over the one before: the defaults below, the operator's file \
        (`overture.toml` in the working directory, or `--config FILE`, or `OVERTURE_CONFIG`), and the \
        environment, where `OVERTURE__MAIL__ALLOWED_PORTS='[1025]'` sets `mail.allowed_ports`. An unknown \
        key is refused. `overture doctor` says what is wrong. The master key may come from \
        `OVERTURE_MASTER_KEY` instead of its file.\n"
        .to_owned();
    let mut comment = String::new();
    let mut table = String::new();
    let mut heading = None;
    for line in DEFAULT.lines().map(str::trim).chain([""]) {
        if let Some(words) = line.strip_prefix('#') {
            let words = words.strip_prefix(' ').unwrap_or(words);
            // An example of lines stands as it is.
            match words.starts_with("  ") {
                true => writeln!(comment, "\n    {}", words.trim()).expect(MEMORY),
                false => write!(comment, "{}{words}", gap(&comment)).expect(MEMORY),
            }
        } else if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            table = format!("{name}.");
            heading = Some(std::mem::take(&mut comment));
            writeln!(text, "\n## `[{name}]`\n").expect(MEMORY);
        } else if let Some((key, value)) = line.split_once(" = ") {
            if table.is_empty() && heading.is_none() {
                heading = Some(String::new());
                writeln!(text, "\n## Above all tables\n").expect(MEMORY);
            }
            let words = std::mem::take(&mut comment);
            entry(&mut text, &table, key, value, &words);
        } else {
            // The words of a table stand above it, and below its heading here.
            if let Some(words) = heading.take().filter(|words| !words.is_empty()) {
                writeln!(text, "{words}").expect(MEMORY);
            }
            comment.clear();
        }
    }
    text
}

const MEMORY: &str = "memory suffices";

fn gap(comment: &str) -> &'static str {
    match comment.chars().last() {
        None | Some('\n') => "",
        Some(_) => " ",
    }
}

fn entry(text: &mut String, table: &str, key: &str, value: &str, words: &str) {
    writeln!(text, "- **`{table}{key}`** = `{value}`").expect(MEMORY);
    if !words.is_empty() {
        writeln!(text, "  {words}").expect(MEMORY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_there_with_its_words() {
        let text = document();
        let line = "- **`mail.timeouts.connect`** = `20`";
        for part in [
            line,
            "## `[plugins.grants]`",
            "http_hosts = [\"api.example.com\"]",
            "  Address and port of the API.",
        ] {
            assert!(text.contains(part), "`{part}` is missing in\n{text}");
        }
        let keys = DEFAULT
            .lines()
            .filter(|line| !line.starts_with('#') && line.contains(" = "));
        assert_eq!(text.matches("- **`").count(), keys.count());
    }
}
