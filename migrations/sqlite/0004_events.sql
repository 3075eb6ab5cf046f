-- What happened (SAFE-5: append-only), what came in, who must not be written to, and who is told.

CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The writing transaction; PostgreSQL readers stop below the oldest one still open.
    tx INTEGER NOT NULL DEFAULT 0,
    id TEXT NOT NULL UNIQUE,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    kind TEXT NOT NULL,
    channel TEXT CHECK (channel IN ('mail', 'linkedin')),
    campaign_id TEXT,
    enrollment_id TEXT,
    prospect_id TEXT,
    account_id TEXT,
    occurred_at INTEGER NOT NULL,
    -- API-6: the same key never gives a second event.
    dedup_key TEXT,
    data TEXT NOT NULL CHECK (json_valid(data)),
    UNIQUE (workspace_id, dedup_key)
) STRICT;
CREATE INDEX events_by_position ON events (tx, seq);
CREATE INDEX events_by_workspace ON events (workspace_id, tx, seq);
CREATE INDEX events_by_campaign ON events (campaign_id, kind);
CREATE INDEX events_by_enrollment ON events (enrollment_id);

-- How far each reader of the events has come.
CREATE TABLE event_cursors (
    consumer TEXT PRIMARY KEY,
    tx INTEGER NOT NULL,
    seq INTEGER NOT NULL
) STRICT;

CREATE TABLE messages (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    channel TEXT NOT NULL CHECK (channel IN ('mail', 'linkedin')),
    direction TEXT NOT NULL CHECK (direction IN ('in', 'out')),
    account_id TEXT NOT NULL REFERENCES sending_accounts (id),
    campaign_id TEXT REFERENCES campaigns (id),
    enrollment_id TEXT REFERENCES enrollments (id),
    prospect_id TEXT REFERENCES prospects (id),
    step_index INTEGER,
    -- The Message-ID without brackets, or the network's id; made of the content where there is none.
    external_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    newest_text TEXT NOT NULL,
    html TEXT,
    -- How the enrollment was found (TRK-3): in_reply_to, references, thread, report, address.
    attribution TEXT,
    -- What it is taken for: the deciding verdict, or a person's word.
    label TEXT,
    label_by TEXT,
    at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (account_id, direction, external_id)
) STRICT;
CREATE INDEX messages_by_workspace ON messages (workspace_id, id);
CREATE INDEX messages_by_enrollment ON messages (enrollment_id, at);
CREATE INDEX messages_by_external_id ON messages (workspace_id, external_id);

-- What only mail has.
CREATE TABLE mail_messages (
    message_id TEXT PRIMARY KEY REFERENCES messages (id),
    in_reply_to TEXT NOT NULL CHECK (json_valid(in_reply_to)),
    reference_ids TEXT NOT NULL CHECK (json_valid(reference_ids)),
    folder TEXT NOT NULL DEFAULT '',
    uid_validity INTEGER,
    uid INTEGER,
    -- Where the links of a mail that went out lead, when clicks are tracked: their order is the
    -- number in the token of a link (TRK-1).
    links TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(links))
) STRICT;

-- Every fetch of a pixel and every click, as it came (TRK-2). The class is judged when the others
-- of a burst are there too, and can be judged again later.
CREATE TABLE tracking_hits (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    enrollment_id TEXT NOT NULL REFERENCES enrollments (id),
    step_index INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('open', 'click')),
    link INTEGER,
    head INTEGER NOT NULL,
    user_agent TEXT NOT NULL,
    class TEXT CHECK (class IN ('human', 'machine', 'unknown')),
    reason TEXT,
    at INTEGER NOT NULL,
    CHECK ((kind = 'click') = (link IS NOT NULL)),
    CHECK ((class IS NULL) = (reason IS NULL))
) STRICT;
CREATE INDEX tracking_hits_by_mail ON tracking_hits (enrollment_id, step_index, at);
CREATE INDEX tracking_hits_not_judged ON tracking_hits (at) WHERE class IS NULL;

-- Every classifier's word is kept (CLS-4).
CREATE TABLE verdicts (
    message_id TEXT NOT NULL REFERENCES messages (id),
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    classifier TEXT NOT NULL,
    place INTEGER NOT NULL,
    label TEXT NOT NULL,
    confidence REAL NOT NULL,
    language TEXT,
    evidence TEXT NOT NULL CHECK (json_valid(evidence)),
    until_day TEXT,
    at INTEGER NOT NULL,
    PRIMARY KEY (message_id, classifier, place)
) STRICT;

CREATE TABLE suppressions (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    kind TEXT NOT NULL CHECK (kind IN ('email', 'domain')),
    value TEXT NOT NULL,
    value_key TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('bounce', 'unsubscribe', 'complaint', 'manual')),
    reason TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    UNIQUE (workspace_id, kind, value_key)
) STRICT;

CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    -- Sealed: the URL of a chat is its credential.
    url TEXT NOT NULL,
    url_host TEXT NOT NULL,
    formatter TEXT NOT NULL,
    settings TEXT NOT NULL CHECK (json_valid(settings)),
    events TEXT NOT NULL CHECK (json_valid(events)),
    secret TEXT NOT NULL,
    -- Signs beside the new one for 24 h after a rotation (API-7).
    old_secret TEXT,
    old_secret_until INTEGER,
    active INTEGER NOT NULL DEFAULT TRUE,
    disabled_reason TEXT,
    last_success_at INTEGER,
    last_failure_at INTEGER,
    failures_in_a_row INTEGER NOT NULL DEFAULT 0,
    -- The last success, resumption or creation: 8 days later a dead letter disables it (API-8).
    last_good_at INTEGER NOT NULL,
    -- Asked for by the endpoint (Retry-After): no request before.
    rest_until INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;
CREATE INDEX webhooks_by_workspace ON webhooks (workspace_id, id);

CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    webhook_id TEXT NOT NULL REFERENCES webhooks (id),
    event_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivering', 'delivered', 'dead')),
    tries INTEGER NOT NULL DEFAULT 0,
    -- Requests made before the last replay: the ladder counts from there.
    tries_before INTEGER NOT NULL DEFAULT 0,
    next_try_at INTEGER NOT NULL,
    -- Why no request could be made, through no fault of the endpoint (SAFE-2).
    held_reason TEXT,
    host_id TEXT REFERENCES hosts (id),
    leased_at INTEGER,
    created_at INTEGER NOT NULL,
    finished_at INTEGER,
    UNIQUE (webhook_id, event_id)
) STRICT;
CREATE INDEX deliveries_due ON deliveries (webhook_id, next_try_at, id) WHERE state = 'pending';
CREATE INDEX deliveries_dead ON deliveries (webhook_id, finished_at) WHERE state = 'dead';
CREATE INDEX deliveries_finished ON deliveries (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX deliveries_by_webhook ON deliveries (webhook_id, id);
CREATE INDEX deliveries_leased ON deliveries (host_id) WHERE state = 'delivering';

-- The delivery log (API-9): each request and its answer.
CREATE TABLE delivery_tries (
    delivery_id TEXT NOT NULL REFERENCES deliveries (id),
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    request_body TEXT NOT NULL,
    status INTEGER,
    response_body TEXT NOT NULL DEFAULT '',
    error TEXT,
    PRIMARY KEY (delivery_id, number)
) STRICT;
