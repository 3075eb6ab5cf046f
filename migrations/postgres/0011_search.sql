-- Search in all fields of prospects goes by an index (PR-3). It is written behind the changes:
-- whoever stands in the queue is not in it yet, or with an old text.
CREATE TABLE search_queue (
    prospect_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL
);
CREATE INDEX search_queue_by_workspace ON search_queue (workspace_id);
INSERT INTO search_queue (prospect_id, workspace_id) SELECT id, workspace_id FROM prospects;

-- The index is each database's own. Here: the trigrams of texts as numbers, which needs no extension.
CREATE TABLE search_index (
    prospect_id TEXT PRIMARY KEY,
    trigrams INTEGER[] NOT NULL
);
CREATE INDEX search_index_by_trigram ON search_index USING gin (trigrams);

-- Few prospects have another status than `active`.
CREATE INDEX prospects_by_status ON prospects (workspace_id, status, id) WHERE status <> 'active';

-- Sorted by their bytes, as on SQLite: the unique index serves lists that are sorted by address.
ALTER TABLE prospects ALTER COLUMN email_key TYPE TEXT COLLATE "C";
