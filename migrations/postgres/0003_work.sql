-- What the engine has to do, who does it, and what it may do today.

CREATE TABLE hosts (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    heartbeat_at BIGINT NOT NULL
);

CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'processing', 'completed', 'failed', 'expired', 'ambiguous')),
    run_at BIGINT NOT NULL,
    -- The lease (SCH-5).
    host_id TEXT REFERENCES hosts (id),
    leased_at BIGINT,
    strikes BIGINT NOT NULL DEFAULT 0,
    -- The lane in which it waits for room; NULL: it has its own time, or is claimed.
    lane TEXT,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE UNIQUE INDEX jobs_live ON jobs (kind, subject_id) WHERE state IN ('pending', 'processing');
CREATE INDEX jobs_due ON jobs (kind, run_at, workspace_id) WHERE state = 'pending' AND lane IS NULL;
CREATE INDEX jobs_in_lane ON jobs (lane, run_at, id) WHERE state = 'pending' AND lane IS NOT NULL;
CREATE INDEX jobs_leased ON jobs (host_id) WHERE state = 'processing';

-- Steps that wait for the same room: of one campaign, in one zone, from one mailbox or any of the
-- pool (SCH-8). A row is there while somebody waits.
CREATE TABLE lanes (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    campaign_id TEXT NOT NULL REFERENCES campaigns (id),
    account_id TEXT REFERENCES sending_accounts (id),
    -- No room before this moment, and why, for people.
    room_at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    -- When its head is looked at: room_at, or the first run_at where that is later.
    due_at BIGINT NOT NULL
);
CREATE INDEX lanes_due ON lanes (due_at);
CREATE INDEX lanes_by_workspace ON lanes (workspace_id, campaign_id);

-- SAFE-3: committed right before the body goes out.
CREATE TABLE attempts (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    action_id TEXT NOT NULL REFERENCES actions (id),
    external_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    outcome TEXT CHECK (outcome IN ('sent', 'not_sent', 'ambiguous')),
    outcome_at BIGINT,
    detail TEXT
);
-- Never twice, by the database itself: a second attempt needs proof that the first sent nothing.
CREATE UNIQUE INDEX attempts_once ON attempts (action_id) WHERE outcome IS NULL OR outcome <> 'not_sent';

-- What was used of a cap (CAP-2): one row a calendar day, or one a sixtieth of a sliding window.
CREATE TABLE cap_usage (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- Days since 1970 in the cap's zone, or the number of the sub-bucket.
    bucket BIGINT NOT NULL,
    used BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, kind, subject, bucket)
);
