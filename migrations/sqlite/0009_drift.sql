-- Counters of caps are recomputed from what happened (SAFE-5), and people are told what they must
-- see to (OPS-7).

-- What was used when the calendar of a daily cap moved to another zone, and when that was: from
-- then on the row counts what happens, and before that this (CAP-2).
ALTER TABLE cap_usage ADD COLUMN carried INTEGER NOT NULL DEFAULT 0;
ALTER TABLE cap_usage ADD COLUMN carried_at INTEGER NOT NULL DEFAULT 0;

-- What was handed out since a moment.
CREATE INDEX actions_by_hand_out ON actions (workspace_id, handed_out_at);

CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    -- NULL: of the whole instance.
    workspace_id TEXT REFERENCES workspaces (id),
    code TEXT NOT NULL,
    -- What it is about: an id, a host, a plugin.
    subject TEXT NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('warning', 'critical')),
    message TEXT NOT NULL,
    -- What to do.
    fix TEXT NOT NULL,
    -- How often it was seen to happen.
    count INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    -- The process that alone can know of it; NULL: any can.
    host_id TEXT REFERENCES hosts (id),
    acknowledged_by TEXT,
    acknowledged_at INTEGER,
    closed_at INTEGER
) STRICT;
-- One open alert per code and subject.
CREATE UNIQUE INDEX alerts_open ON alerts (code, subject) WHERE closed_at IS NULL;
CREATE INDEX alerts_by_workspace ON alerts (workspace_id, id);
