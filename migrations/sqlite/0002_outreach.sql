-- Who sends, who is written to, and what is planned for them. Nothing here is mail's alone but
-- what its name says: LinkedIn accounts, steps and actions live in the same tables.

CREATE TABLE sending_accounts (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    channel TEXT NOT NULL CHECK (channel IN ('mail', 'linkedin')),
    provider TEXT NOT NULL,
    preset TEXT NOT NULL,
    address TEXT NOT NULL,
    address_key TEXT NOT NULL,
    sender_name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('connecting', 'connected', 'needs_verification', 'disconnected', 'restricted', 'error', 'paused')),
    status_reason TEXT NOT NULL,
    status_audit_id TEXT NOT NULL REFERENCES audit (id),
    settings TEXT NOT NULL CHECK (json_valid(settings)),
    -- Sealed by the vault, bound to this row.
    credentials TEXT,
    daily_limit INTEGER NOT NULL CHECK (daily_limit >= 0),
    time_zone TEXT NOT NULL,
    signature_html TEXT NOT NULL DEFAULT '',
    signature_text TEXT NOT NULL DEFAULT '',
    -- The pacer (SCH-4): no hand-out before this moment.
    next_send_at INTEGER NOT NULL DEFAULT 0,
    -- The back-off ladder (CAP-3).
    backoff_until INTEGER NOT NULL DEFAULT 0,
    backoff_rung INTEGER NOT NULL DEFAULT 0,
    auth_failures INTEGER NOT NULL DEFAULT 0,
    sync_cursor TEXT,
    sync_due_at INTEGER NOT NULL,
    synced_at INTEGER,
    -- {stage, code, reply, detail, at} of the last failed sync (MB-3).
    sync_error TEXT CHECK (json_valid(sync_error)),
    -- Folders whose changes call for the next sync, as its last one said (MB-8).
    watch TEXT CHECK (json_valid(watch)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;
CREATE UNIQUE INDEX sending_accounts_by_address ON sending_accounts (workspace_id, channel, address_key) WHERE deleted_at IS NULL;
CREATE INDEX sending_accounts_by_workspace ON sending_accounts (workspace_id, id);
CREATE INDEX sending_accounts_by_sync ON sending_accounts (sync_due_at) WHERE deleted_at IS NULL;

CREATE TABLE prospects (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    first_name TEXT NOT NULL DEFAULT '',
    last_name TEXT NOT NULL DEFAULT '',
    company TEXT NOT NULL DEFAULT '',
    role TEXT NOT NULL DEFAULT '',
    phone TEXT NOT NULL DEFAULT '',
    linkedin_url TEXT NOT NULL DEFAULT '',
    website TEXT NOT NULL DEFAULT '',
    country TEXT NOT NULL DEFAULT '',
    city TEXT NOT NULL DEFAULT '',
    industry TEXT NOT NULL DEFAULT '',
    time_zone TEXT NOT NULL DEFAULT '',
    tags TEXT NOT NULL CHECK (json_valid(tags)),
    custom TEXT NOT NULL CHECK (json_valid(custom)),
    source TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'bounced', 'unsubscribed', 'suppressed', 'invalid', 'do_not_contact')),
    -- All fields folded for search (PR-3).
    search TEXT NOT NULL,
    last_contacted_at INTEGER,
    last_replied_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (workspace_id, email_key)
) STRICT;
CREATE INDEX prospects_by_workspace ON prospects (workspace_id, id);

CREATE TABLE lists (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    color TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    UNIQUE (workspace_id, name)
) STRICT;

CREATE TABLE list_members (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    list_id TEXT NOT NULL REFERENCES lists (id),
    prospect_id TEXT NOT NULL REFERENCES prospects (id),
    added_at INTEGER NOT NULL,
    PRIMARY KEY (list_id, prospect_id)
) STRICT;
CREATE INDEX list_members_by_prospect ON list_members (prospect_id);

CREATE TABLE imports (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    file_name TEXT NOT NULL,
    list_id TEXT REFERENCES lists (id),
    created_rows INTEGER NOT NULL DEFAULT 0,
    updated_rows INTEGER NOT NULL DEFAULT 0,
    duplicate_rows INTEGER NOT NULL DEFAULT 0,
    suppressed_rows INTEGER NOT NULL DEFAULT 0,
    invalid_rows INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;
CREATE INDEX imports_by_workspace ON imports (workspace_id, id);

CREATE TABLE import_problems (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    import_id TEXT NOT NULL REFERENCES imports (id),
    line INTEGER NOT NULL,
    result TEXT NOT NULL CHECK (result IN ('duplicate', 'suppressed', 'invalid')),
    reason TEXT NOT NULL,
    record TEXT NOT NULL CHECK (json_valid(record)),
    PRIMARY KEY (import_id, line)
) STRICT;

CREATE TABLE campaigns (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('email', 'linkedin', 'multichannel')),
    status TEXT NOT NULL CHECK (status IN ('draft', 'scheduled', 'running', 'paused', 'cooldown', 'completed', 'error', 'archived')),
    status_audit_id TEXT NOT NULL REFERENCES audit (id),
    paused_at INTEGER,
    paused_reason TEXT,
    time_zone TEXT NOT NULL,
    -- The sending window (SCH-1): [{days, start, end}], minutes of the day.
    windows TEXT NOT NULL CHECK (json_valid(windows)),
    daily_send_limit INTEGER NOT NULL CHECK (daily_send_limit >= 0),
    max_sends_per_mailbox_per_day INTEGER NOT NULL CHECK (max_sends_per_mailbox_per_day >= 0),
    minutes_between_sends INTEGER NOT NULL CHECK (minutes_between_sends >= 0),
    stop_on_reply INTEGER NOT NULL DEFAULT TRUE,
    stop_on_bounce INTEGER NOT NULL DEFAULT TRUE,
    -- A pixel in its mails, and links that lead through this instance (TRK-1).
    track_opens INTEGER NOT NULL DEFAULT FALSE,
    track_clicks INTEGER NOT NULL DEFAULT FALSE,
    start_at INTEGER,
    end_at INTEGER,
    started_at INTEGER,
    finished_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    -- SAFE-4: a paused campaign always says since when and why.
    CHECK (status <> 'paused' OR (paused_at IS NOT NULL AND paused_reason IS NOT NULL))
) STRICT;
CREATE INDEX campaigns_by_workspace ON campaigns (workspace_id, id);
CREATE INDEX campaigns_by_status ON campaigns (status);

-- The pool of accounts that a campaign sends from.
CREATE TABLE campaign_accounts (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    campaign_id TEXT NOT NULL REFERENCES campaigns (id),
    account_id TEXT NOT NULL REFERENCES sending_accounts (id),
    weight INTEGER NOT NULL DEFAULT 1 CHECK (weight > 0),
    active INTEGER NOT NULL DEFAULT TRUE,
    PRIMARY KEY (campaign_id, account_id)
) STRICT;
CREATE INDEX campaign_accounts_by_account ON campaign_accounts (account_id);

CREATE TABLE steps (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    campaign_id TEXT NOT NULL REFERENCES campaigns (id),
    -- NULL: removed from the sequence, kept for what was sent (SEQ-8).
    step_index INTEGER CHECK (step_index >= 0),
    channel TEXT NOT NULL CHECK (channel IN ('mail', 'linkedin')),
    kind TEXT NOT NULL,
    delay_minutes INTEGER NOT NULL CHECK (delay_minutes >= 0),
    subject TEXT NOT NULL DEFAULT '',
    body_html TEXT NOT NULL DEFAULT '',
    -- NULL: derived from the HTML.
    body_text TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (campaign_id, step_index)
) STRICT;

CREATE TABLE enrollments (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    campaign_id TEXT NOT NULL REFERENCES campaigns (id),
    prospect_id TEXT NOT NULL REFERENCES prospects (id),
    -- Sticky once the first step went out; NULL when that account was deleted (MB-5).
    account_id TEXT REFERENCES sending_accounts (id),
    state TEXT NOT NULL CHECK (state IN ('queued', 'active', 'waiting', 'replied', 'bounced', 'unsubscribed', 'completed', 'stopped', 'failed', 'suppressed', 'pending_template_fix', 'pending_template_variable_resolution', 'paused_account', 'unresolved_url', 'invalid_prospect', 'ambiguous_send')),
    -- Why it stands there, for people: the missing field, the server's words, the stop's cause.
    reason TEXT NOT NULL DEFAULT '',
    -- The step that comes next.
    step_index INTEGER NOT NULL DEFAULT 0,
    -- Always equal to run_at of its live job (SCH-3).
    next_action_at INTEGER,
    -- The person is away: no step is planned for an earlier moment (CLS-2).
    not_before INTEGER,
    -- What the last reply was judged to be (CLS-1).
    label TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    finished_at INTEGER,
    UNIQUE (campaign_id, prospect_id)
) STRICT;
CREATE INDEX enrollments_by_workspace ON enrollments (workspace_id, id);
CREATE INDEX enrollments_by_campaign ON enrollments (campaign_id, state, id);
CREATE INDEX enrollments_by_prospect ON enrollments (prospect_id);
-- Open ones without a job: the next step is to be planned.
CREATE INDEX enrollments_unplanned ON enrollments (campaign_id, state, id) WHERE next_action_at IS NULL AND state IN ('queued', 'active', 'waiting');
-- Those whose mailbox is gone for now.
CREATE INDEX enrollments_without_account ON enrollments (account_id) WHERE state = 'paused_account';

-- One step for one enrollment; it is made when the step is handed out (SAFE-3: once).
CREATE TABLE actions (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    campaign_id TEXT NOT NULL REFERENCES campaigns (id),
    enrollment_id TEXT NOT NULL REFERENCES enrollments (id),
    step_id TEXT NOT NULL REFERENCES steps (id),
    step_index INTEGER NOT NULL,
    account_id TEXT NOT NULL REFERENCES sending_accounts (id),
    channel TEXT NOT NULL CHECK (channel IN ('mail', 'linkedin')),
    kind TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('handed_out', 'retrying', 'done', 'failed', 'ambiguous', 'cancelled')),
    -- What identifies the effect outside: the Message-ID without brackets, fixed before the first attempt (SEQ-4).
    external_id TEXT NOT NULL UNIQUE,
    -- Soft bounces and deferrals so far (SAF-4).
    deferrals INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    handed_out_at INTEGER NOT NULL,
    done_at INTEGER,
    UNIQUE (enrollment_id, step_id)
) STRICT;
CREATE INDEX actions_by_campaign ON actions (campaign_id, state);
CREATE INDEX actions_by_account ON actions (account_id, done_at);
-- Those that may have gone out, until evidence or a person says which (SAFE-3).
CREATE INDEX actions_ambiguous ON actions (workspace_id, id) WHERE state = 'ambiguous';
