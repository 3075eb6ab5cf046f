-- Whose step is live is asked for one enrollment or some, never for all of a kind. PostgreSQL, as
-- long as it has not counted a new table, took the kind alone and went through all live jobs.
DROP INDEX jobs_live;
CREATE UNIQUE INDEX jobs_live ON jobs (subject_id, kind) WHERE state IN ('pending', 'processing');
