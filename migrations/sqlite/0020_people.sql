-- Whom the workspace knows by their profile on LinkedIn (PR-1).
CREATE INDEX prospects_by_profile ON prospects (workspace_id, linkedin_url) WHERE linkedin_url <> '';

-- Filters of prospects that a workspace keeps under a name (PR-3).
CREATE TABLE filters (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    conditions TEXT NOT NULL CHECK (json_valid(conditions)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (workspace_id, name)
) STRICT;
