-- When a campaign stops by itself (SAF-1): what differs from the defaults.
ALTER TABLE campaigns ADD COLUMN safety JSONB NOT NULL DEFAULT '{}';
