-- What is written for every mail is written into fewer indexes.

-- Nothing is asked by campaign and state.
DROP INDEX actions_by_campaign;
-- Only mails that went out are counted by mailbox (CAP-3).
DROP INDEX actions_by_account;
CREATE INDEX actions_by_account ON actions (account_id, done_at) WHERE done_at IS NOT NULL;
-- For what was handed out since a moment (CAP-2) alone: SQLite took it for the actions of some
-- enrollments as well, and went through all of the workspace.
DROP INDEX actions_by_hand_out;
CREATE INDEX actions_by_hand_out ON actions (workspace_id, handed_out_at) WHERE kind <> 'wait_accept';

-- All that a row is found by is most of the row: it stands in its index alone.
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
    PRIMARY KEY (workspace_id, kind, subject, bucket)
) STRICT, WITHOUT ROWID;
INSERT INTO cap_usage_kept (workspace_id, kind, subject, bucket, used, carried, carried_at)
SELECT workspace_id, kind, subject, bucket, used, carried, carried_at FROM cap_usage
ORDER BY workspace_id, kind, subject, bucket;
DROP TABLE cap_usage;
ALTER TABLE cap_usage_kept RENAME TO cap_usage;
