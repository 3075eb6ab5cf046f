-- What holds a paused campaign, the oldest first (SEQ-10): objects of reason, detail and since.
-- paused_at and paused_reason are those of the oldest.
ALTER TABLE campaigns ADD COLUMN pauses TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(pauses));
UPDATE campaigns SET pauses = json_array(json_object('reason', 'manual', 'detail', paused_reason, 'since', strftime('%Y-%m-%dT%H:%M:%SZ', paused_at / 1000000, 'unixepoch')))
WHERE status = 'paused';
