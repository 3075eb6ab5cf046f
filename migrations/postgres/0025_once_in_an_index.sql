-- Who is in which campaign stands in one index instead of two, begun with the person: an update of an
-- enrollment writes into all of them.
DROP INDEX enrollments_by_prospect;
CREATE UNIQUE INDEX enrollments_by_prospect ON enrollments (prospect_id, campaign_id);
ALTER TABLE enrollments DROP CONSTRAINT enrollments_campaign_id_prospect_id_key;

-- Readers go by (tx, seq), and an event is known by its id.
ALTER TABLE events DROP CONSTRAINT events_pkey, DROP CONSTRAINT events_id_key, ADD PRIMARY KEY (id);

-- An attempt is written beside the action that its statement has found, and no action is ever deleted.
ALTER TABLE attempts DROP CONSTRAINT attempts_action_id_fkey;
