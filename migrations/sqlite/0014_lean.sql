-- Rows that are nothing but a key stand once, in its order.
CREATE TABLE search_waiting (
    workspace_id TEXT NOT NULL,
    prospect_id TEXT NOT NULL,
    PRIMARY KEY (workspace_id, prospect_id)
) STRICT, WITHOUT ROWID;
INSERT INTO search_waiting (workspace_id, prospect_id) SELECT workspace_id, prospect_id FROM search_queue;
DROP TABLE search_queue;
ALTER TABLE search_waiting RENAME TO search_queue;

CREATE TABLE listed (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    list_id TEXT NOT NULL REFERENCES lists (id),
    prospect_id TEXT NOT NULL REFERENCES prospects (id),
    added_at INTEGER NOT NULL,
    PRIMARY KEY (list_id, prospect_id)
) STRICT, WITHOUT ROWID;
INSERT INTO listed (workspace_id, list_id, prospect_id, added_at) SELECT workspace_id, list_id, prospect_id, added_at FROM list_members;
DROP TABLE list_members;
ALTER TABLE listed RENAME TO list_members;
CREATE INDEX list_members_by_prospect ON list_members (prospect_id);
