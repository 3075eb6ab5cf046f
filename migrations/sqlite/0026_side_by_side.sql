-- What is written for one mail stands side by side: it costs the pages that it writes.

-- Who has gone out from a mailbox since it rests is counted by when it was handed out (CAP-3).
DROP INDEX actions_by_account;

-- The counters of a mailbox on one page, not on one for each of its caps.
CREATE TABLE cap_usage_kept (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- Days since 1970 in the cap's zone, or the number of the sub-bucket.
    bucket INTEGER NOT NULL,
    used INTEGER NOT NULL,
    -- What was used when its calendar moved to another zone, and when that was (CAP-2).
    carried INTEGER NOT NULL DEFAULT 0,
    carried_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, subject, kind, bucket)
) STRICT, WITHOUT ROWID;
INSERT INTO cap_usage_kept (workspace_id, kind, subject, bucket, used, carried, carried_at)
SELECT workspace_id, kind, subject, bucket, used, carried, carried_at FROM cap_usage
ORDER BY workspace_id, subject, kind, bucket;
DROP TABLE cap_usage;
ALTER TABLE cap_usage_kept RENAME TO cap_usage;
