-- Search in all fields of prospects goes by an index (PR-3). It is written behind the changes:
-- whoever stands in the queue is not in it yet, or with an old text.
CREATE TABLE search_queue (
    prospect_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL
) STRICT;
CREATE INDEX search_queue_by_workspace ON search_queue (workspace_id);
INSERT INTO search_queue (prospect_id, workspace_id) SELECT id, workspace_id FROM prospects;

-- The index is each database's own. Here: the trigrams of texts, without the texts, under numbers.
CREATE VIRTUAL TABLE search_index USING fts5 (
    text, content = '', contentless_delete = 1, detail = 'none', tokenize = 'trigram case_sensitive 1'
);
CREATE TABLE search_index_numbers (
    number INTEGER PRIMARY KEY,
    prospect_id TEXT NOT NULL UNIQUE
) STRICT;

-- Few prospects have another status than `active`.
CREATE INDEX prospects_by_status ON prospects (workspace_id, status, id) WHERE status <> 'active';
