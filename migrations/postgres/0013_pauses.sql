-- What holds a paused campaign, the oldest first (SEQ-10): objects of reason, detail and since.
-- paused_at and paused_reason are those of the oldest.
ALTER TABLE campaigns ADD COLUMN pauses JSONB NOT NULL DEFAULT '[]';
UPDATE campaigns SET pauses = jsonb_build_array(jsonb_build_object('reason', 'manual', 'detail', paused_reason, 'since', to_char(to_timestamp(paused_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))
WHERE status = 'paused';
