//! The named pieces in which the two databases differ. A statement writes `{piece}` and the text
//! for its database stands there instead.
//!
//! | piece | meaning |
//! | --- | --- |
//! | `{rows $1}` | the elements of a JSON array as rows of `r(value)`; read fields with `r.value->>'id'`, `CAST(r.value->>'n' AS BIGINT)` |
//! | `{also p.workspace_id = $1}` | a condition that holds as well, and by which no row is looked up: there is a better one |
//! | `{among $1}` | after a column of texts: whether it is one of those from [`bind_ids`](crate::query::Query::bind_ids) |
//! | `{values 3}` | after `VALUES`: rows of so many new values each, from [`bind_rows`](crate::query::Query::bind_rows); the statement has no other parameters |
//! | `{array a, b}` | all rows as one: a text, the JSON array of their `[a, b]`; NULL or empty without any |
//! | `{fields p.custom}` | the names of a JSON object's fields as rows of `f(key)` |
//! | `{for_update}` | locks the selected rows until the transaction ends; SQLite has one writer anyway |
//! | `{for_share}` | keeps the selected rows as they are until the transaction ends |
//! | `{skip_locked}` | the same, passing over rows that another host holds |
//! | `{lock event_counts}` | a whole statement: no other transaction writes that table until this one ends; SQLite has one writer anyway |
//! | `{count prospects (workspace_id)}` | a whole statement: PostgreSQL counts the values of a column, by which it plans; SQLite plans by the statement alone |
//! | `{each SELECT id …}` | runs a SELECT for every row of the tables before it, to which it may refer; its ids as rows of `e(value, key)`, `key` counting from 0. PostgreSQL locks them, passing over rows that another host holds |
//! | `{tables}`, `{columns}`, `{indexes}` | what the schema holds, as rows of `name`; indexes also with the `definition` that makes them |
//! | `{tagged $1}` | whether the JSON array `p.tags` holds a text |
//! | `{domain_of p.email_key}` | what stands behind the `@` of an address |
//! | `{search_found $1}` | prospects under all trigrams, as rows of `id`; what is asked for comes from [`search`](crate::search) |
//! | `{search_rows $1}`, `{search_index $1}` | two whole statements that bring texts into the index |
//! | `{clock}` | what the database's clock shows, in microseconds |
//! | `{settled}` | events of finished transactions only: none older can appear behind a reader's cursor |
//! | `LIMIT $1` | as it stands; for SQLite as a sum, because it plans for the value of a bare parameter there and compiles the statement anew each time that one is bound |

use std::fmt::Write as _;

/// Which database a statement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// The name in test counts and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// The text of a statement with its pieces filled in.
///
/// # Panics
/// On an unknown piece; the test that prepares every statement sees it.
pub(crate) fn expand(text: &str, dialect: Dialect) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let close = open
            + rest[open..]
                .find('}')
                .expect("a piece of a statement ends with `}`");
        out.push_str(&rest[..open]);
        out.push_str(&piece(&rest[open + 1..close], dialect));
        rest = &rest[close + 1..];
    }
    out.push_str(rest);
    match dialect {
        Dialect::Sqlite => out.replace("LIMIT $", "LIMIT 0 + $"),
        Dialect::Postgres => out,
    }
}

fn piece(name: &str, dialect: Dialect) -> String {
    use Dialect::{Postgres, Sqlite};
    match (name, dialect) {
        ("for_update" | "for_share" | "skip_locked", Sqlite) => String::new(),
        // Rows that refer to the locked one can still be written.
        ("for_update", Postgres) => "FOR NO KEY UPDATE".into(),
        ("for_share", Postgres) => "FOR SHARE".into(),
        ("skip_locked", Postgres) => "FOR UPDATE SKIP LOCKED".into(),
        ("settled", Sqlite) => "TRUE".into(),
        ("settled", Postgres) => {
            "tx < CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)".into()
        }
        ("clock", Sqlite) => "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)".into(),
        ("clock", Postgres) => {
            "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)".into()
        }
        // The index of the search is each database's own.
        ("tables", Sqlite) => "(SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'search_index%')".into(),
        ("tables", Postgres) => "(SELECT CAST(tablename AS TEXT) AS name FROM pg_tables WHERE schemaname = current_schema() AND tablename NOT LIKE 'search_index%')".into(),
        ("columns", Sqlite) => "(SELECT m.name || '.' || c.name || CASE c.type WHEN 'INTEGER' THEN ' number' WHEN 'REAL' THEN ' real' WHEN 'BLOB' THEN ' bytes' ELSE ' text' END || CASE WHEN c.\"notnull\" = 1 OR c.pk > 0 THEN ' not null' ELSE ' null' END AS name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE 'search_index%' AND m.name <> '_sqlx_migrations')".into(),
        ("columns", Postgres) => "(SELECT table_name || '.' || column_name || CASE data_type WHEN 'bigint' THEN ' number' WHEN 'boolean' THEN ' number' WHEN 'double precision' THEN ' real' WHEN 'bytea' THEN ' bytes' WHEN 'jsonb' THEN ' text' ELSE ' ' || data_type END || CASE WHEN is_nullable = 'NO' THEN ' not null' ELSE ' null' END AS name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name NOT LIKE 'search_index%' AND table_name <> '_sqlx_migrations')".into(),
        ("indexes", Sqlite) => "(SELECT tbl_name || '.' || name AS name, sql AS definition FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite_%' AND tbl_name NOT LIKE 'search_index%')".into(),
        ("indexes", Postgres) => "(SELECT i.tablename || '.' || i.indexname AS name, i.indexdef AS definition FROM pg_indexes i LEFT JOIN pg_constraint k ON k.conname = i.indexname WHERE i.schemaname = current_schema() AND i.tablename NOT LIKE 'search_index%' AND k.conname IS NULL)".into(),
        (rows, _) if rows.starts_with("rows ") => {
            let parameter = &rows["rows ".len()..];
            match dialect {
                // A row stays as SQLite has parsed it: `json_each` writes it out as text again for
                // every field that is read.
                Sqlite => format!("jsonb_each({parameter}) AS r"),
                // Of the condition, which always holds, PostgreSQL believes that it leaves one row:
                // it begins there, and looks everything else up by an index, however little it
                // knows of the tables. It takes the elements alone for a hundred.
                Postgres => format!(
                    "(SELECT value FROM jsonb_array_elements({parameter}) WHERE jsonb_typeof(value) = 'object') AS r(value)"
                ),
            }
        }
        // Of a table that it has not counted PostgreSQL believes that a workspace has one row, so it
        // takes an index that only begins with the workspace for as good as that of the ids.
        (also, _) if also.starts_with("also ") => {
            format!("({}) IS TRUE", &also["also ".len()..])
        }
        (among, _) if among.starts_with("among ") => {
            let parameter = &among["among ".len()..];
            match dialect {
                Sqlite => format!("IN (SELECT value FROM json_each({parameter}))"),
                // PostgreSQL knows how long an array is, and not how many rows come of JSON.
                Postgres => format!("= ANY({parameter})"),
            }
        }
        (values, _) if values.starts_with("values ") => {
            let mut sizes = values["values ".len()..].split(' ').map(|size| {
                size.parse::<usize>().expect("`{values 3}`, or with so many rows `{values 3 64}`")
            });
            let columns = sizes.next().unwrap_or(1);
            placeholders(columns, sizes.next().unwrap_or(1), dialect)
        }
        (array, _) if array.starts_with("array ") => {
            let columns = &array["array ".len()..];
            match dialect {
                Sqlite => format!("json_group_array(json_array({columns}))"),
                Postgres => format!("CAST(json_agg(json_build_array({columns})) AS TEXT)"),
            }
        }
        (lock, Sqlite) if lock.starts_with("lock ") => "SELECT 1".into(),
        (lock, Postgres) if lock.starts_with("lock ") => {
            let table = &lock["lock ".len()..];
            format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
        }
        (count, Sqlite) if count.starts_with("count ") => "SELECT 1".into(),
        (count, Postgres) if count.starts_with("count ") => {
            format!("ANALYZE {}", &count["count ".len()..])
        }
        (each, Sqlite) if each.starts_with("each ") => {
            let select = &each["each ".len()..];
            format!("json_each((SELECT json_group_array(f.id) FROM ({select}) AS f)) AS e")
        }
        (each, Postgres) if each.starts_with("each ") => {
            let select = &each["each ".len()..];
            format!(
                "LATERAL (SELECT f.id AS value, ROW_NUMBER() OVER () - 1 AS key FROM ({select} FOR UPDATE SKIP LOCKED) AS f) AS e"
            )
        }
        (fields, _) if fields.starts_with("fields ") => {
            let object = &fields["fields ".len()..];
            match dialect {
                Sqlite => format!("json_each({object}) AS f"),
                Postgres => format!("jsonb_object_keys({object}) AS f(key)"),
            }
        }
        (tagged, _) if tagged.starts_with("tagged ") => {
            let parameter = &tagged["tagged ".len()..];
            match dialect {
                Sqlite => {
                    format!("EXISTS (SELECT 1 FROM json_each(p.tags) t WHERE t.value = {parameter})")
                }
                Postgres => format!("jsonb_exists(p.tags, {parameter})"),
            }
        }
        (domain, _) if domain.starts_with("domain_of ") => {
            let address = &domain["domain_of ".len()..];
            match dialect {
                Sqlite => format!("substr({address}, instr({address}, '@') + 1)"),
                Postgres => format!("split_part({address}, '@', 2)"),
            }
        }
        (search, _) if search.starts_with("search_") => {
            let (piece, parameter) = search.split_once(' ').unwrap_or((search, ""));
            self::search(piece, parameter, dialect)
        }
        _ => panic!("`{{{name}}}` is no piece of a statement"),
    }
}

/// `($1,$2),($3,$4)`. SQLite finds a parameter with a name by looking through all before it, and
/// numbers those without one itself.
fn placeholders(columns: usize, rows: usize, dialect: Dialect) -> String {
    let mut text = String::with_capacity(columns * rows * 6);
    for value in 0..columns * rows {
        let before = match value {
            0 => "(",
            _ if value % columns == 0 => "),(",
            _ => ",",
        };
        text.push_str(before);
        match dialect {
            Dialect::Sqlite => text.push('?'),
            Dialect::Postgres => {
                let _ = write!(text, "${}", value + 1);
            }
        }
    }
    text.push(')');
    text
}

/// The pieces of [`crate::search`].
fn search(piece: &str, parameter: &str, dialect: Dialect) -> String {
    use Dialect::{Postgres, Sqlite};
    let rows = self::piece(&format!("rows {parameter}"), dialect);
    match (piece, dialect) {
        ("search_found", Sqlite) => format!(
            "(SELECT s.prospect_id AS id FROM search_index CROSS JOIN search_index_numbers s
              WHERE search_index MATCH {parameter} AND s.number = search_index.rowid)"
        ),
        ("search_found", Postgres) => format!(
            "(SELECT s.prospect_id AS id FROM search_index s WHERE s.trigrams @> CAST(CAST({parameter} AS TEXT) AS INTEGER[]))"
        ),
        ("search_rows", Sqlite) => format!(
            "INSERT INTO search_index_numbers (prospect_id) SELECT r.value->>'v' FROM {rows} WHERE TRUE ON CONFLICT DO NOTHING"
        ),
        ("search_rows", Postgres) => format!("SELECT 1 FROM {rows} LIMIT 0"),
        ("search_index", Sqlite) => format!(
            "INSERT OR REPLACE INTO search_index (rowid, text) SELECT s.number, r.value->>'text'
             FROM {rows} CROSS JOIN search_index_numbers s WHERE s.prospect_id = r.value->>'v'"
        ),
        ("search_index", Postgres) => format!(
            "INSERT INTO search_index (prospect_id, trigrams) SELECT r.value->>'v', CAST(r.value->>'trigrams' AS INTEGER[]) FROM {rows}
             ON CONFLICT (prospect_id) DO UPDATE SET trigrams = excluded.trigrams"
        ),
        _ => panic!("`{{{piece}}}` is no piece of the search"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_filled_in() {
        let text = "SELECT 1 FROM {rows $2} WHERE {settled} {skip_locked}";
        assert_eq!(
            expand(text, Dialect::Sqlite),
            "SELECT 1 FROM jsonb_each($2) AS r WHERE TRUE "
        );
        assert!(expand(text, Dialect::Postgres).ends_with("FOR UPDATE SKIP LOCKED"));
        let also = expand("{also p.workspace_id = $1}", Dialect::Postgres);
        assert_eq!(also, "(p.workspace_id = $1) IS TRUE");
    }

    #[test]
    fn sqlite_compiles_a_statement_with_a_limit_once() {
        let text = "SELECT {each SELECT id FROM jobs LIMIT $2} LIMIT 1";
        let sqlite = expand(text, Dialect::Sqlite);
        assert!(sqlite.contains("FROM jobs LIMIT 0 + $2") && sqlite.ends_with("LIMIT 1"));
        assert!(expand(text, Dialect::Postgres).contains("LIMIT $2"));
    }
}
