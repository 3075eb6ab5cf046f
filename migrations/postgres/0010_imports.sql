-- An import is seen while it runs, and its end is told also when its process died (PR-2).
ALTER TABLE imports ADD COLUMN state TEXT NOT NULL DEFAULT 'finished' CHECK (state IN ('running', 'finished', 'failed'));
-- Why it failed, for people.
ALTER TABLE imports ADD COLUMN failure TEXT NOT NULL DEFAULT '';
-- The first row of the file: the file of rejected rows begins with it.
ALTER TABLE imports ADD COLUMN header JSONB NOT NULL DEFAULT '[]';
ALTER TABLE imports ADD COLUMN total_rows BIGINT NOT NULL DEFAULT 0;
-- The process that runs it.
ALTER TABLE imports ADD COLUMN host_id TEXT;
CREATE INDEX imports_running ON imports (host_id) WHERE state = 'running';
