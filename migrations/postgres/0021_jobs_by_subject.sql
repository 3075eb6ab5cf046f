-- Whose step is live is asked for one enrollment or some, never for all of a kind. PostgreSQL, as
-- long as it has not counted a new table, took the kind alone and went through all live jobs.
DROP INDEX jobs_live;
CREATE UNIQUE INDEX jobs_live ON jobs (subject_id, kind) WHERE state IN ('pending', 'processing');

-- Accounts, steps and processes are never deleted, no more than workspaces and campaigns (0016): what
-- is written for every mail does not look them up again for every row.
ALTER TABLE jobs DROP CONSTRAINT jobs_host_id_fkey;
ALTER TABLE enrollments DROP CONSTRAINT enrollments_account_id_fkey;
ALTER TABLE actions DROP CONSTRAINT actions_step_id_fkey, DROP CONSTRAINT actions_account_id_fkey;
ALTER TABLE messages DROP CONSTRAINT messages_account_id_fkey;
