-- When a person was last contacted is what their actions say (PR-4): a column beside cost each mail a
-- new version of the person's row, and an entry in each of its indexes.
ALTER TABLE prospects DROP COLUMN last_contacted_at;
