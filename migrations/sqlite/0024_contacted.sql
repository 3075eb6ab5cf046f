-- When a person was last contacted is what their actions say (PR-4).
ALTER TABLE prospects DROP COLUMN last_contacted_at;
