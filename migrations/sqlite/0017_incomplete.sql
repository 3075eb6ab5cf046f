-- A person comes from a file also where a value of the row makes no sense, and it is told (PR-7).
ALTER TABLE imports ADD COLUMN incomplete_rows INTEGER NOT NULL DEFAULT 0;
CREATE TABLE import_problems_kept (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    import_id TEXT NOT NULL REFERENCES imports (id),
    line INTEGER NOT NULL,
    result TEXT NOT NULL CHECK (result IN ('duplicate', 'suppressed', 'invalid', 'incomplete')),
    reason TEXT NOT NULL,
    record TEXT NOT NULL CHECK (json_valid(record)),
    PRIMARY KEY (import_id, line)
) STRICT;
INSERT INTO import_problems_kept (workspace_id, import_id, line, result, reason, record)
SELECT workspace_id, import_id, line, result, reason, record FROM import_problems;
DROP TABLE import_problems;
ALTER TABLE import_problems_kept RENAME TO import_problems;
