-- Who prospects are on a network: what it calls them, for the URL that stood with them then.
CREATE TABLE profiles (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    channel TEXT NOT NULL CHECK (channel IN ('linkedin')),
    prospect_id TEXT NOT NULL REFERENCES prospects (id),
    profile_id TEXT NOT NULL,
    url TEXT NOT NULL,
    found_at INTEGER NOT NULL,
    PRIMARY KEY (prospect_id, channel)
) STRICT;
-- Whose something is that comes in.
CREATE INDEX profiles_by_profile ON profiles (workspace_id, channel, profile_id);
