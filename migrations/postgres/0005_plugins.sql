-- Installed plugins and what they keep.

CREATE TABLE plugins (
    id TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('embedded', 'folder')),
    manifest JSONB NOT NULL,
    grants JSONB NOT NULL,
    enabled BOOLEAN NOT NULL DEFAULT TRUE,
    -- The admin's order of classifiers (CLS-4).
    place BIGINT NOT NULL DEFAULT 0,
    installed_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE plugin_values (
    plugin_id TEXT NOT NULL REFERENCES plugins (id),
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    key TEXT NOT NULL,
    value BYTEA NOT NULL,
    PRIMARY KEY (plugin_id, workspace_id, key)
);
