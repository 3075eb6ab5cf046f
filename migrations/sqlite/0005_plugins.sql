-- Installed plugins and what they keep.

CREATE TABLE plugins (
    id TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('embedded', 'folder')),
    manifest TEXT NOT NULL CHECK (json_valid(manifest)),
    grants TEXT NOT NULL CHECK (json_valid(grants)),
    enabled INTEGER NOT NULL DEFAULT TRUE,
    -- The admin's order of classifiers (CLS-4).
    place INTEGER NOT NULL DEFAULT 0,
    installed_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE plugin_values (
    plugin_id TEXT NOT NULL REFERENCES plugins (id),
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (plugin_id, workspace_id, key)
) STRICT;
