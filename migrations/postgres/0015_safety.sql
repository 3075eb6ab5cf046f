-- The Bounce Shield of each workspace (SAF-2): what differs from its defaults, and when it tripped.
ALTER TABLE workspaces ADD COLUMN bounce_shield JSONB NOT NULL DEFAULT '{}';
