-- A person comes from a file also where a value of the row makes no sense, and it is told (PR-7).
ALTER TABLE imports ADD COLUMN incomplete_rows BIGINT NOT NULL DEFAULT 0;
ALTER TABLE import_problems DROP CONSTRAINT import_problems_result_check;
ALTER TABLE import_problems ADD CONSTRAINT import_problems_result_check CHECK (result IN ('duplicate', 'suppressed', 'invalid', 'incomplete'));
