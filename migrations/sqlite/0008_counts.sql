-- Events by the hour: written with the events in the same transaction, and made of them alone, so
-- that they can be made again (SAFE-5).

CREATE TABLE event_counts (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    -- Hours since 1970.
    hour INTEGER NOT NULL,
    -- '' and -1: events without one.
    campaign_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    step_index INTEGER NOT NULL,
    kind TEXT NOT NULL,
    n INTEGER NOT NULL,
    -- Those among them that are the first of their kind for their enrollment.
    people INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, hour, campaign_id, account_id, step_index, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_counts_by_campaign ON event_counts (campaign_id, kind);

CREATE INDEX events_by_time ON events (workspace_id, occurred_at);
-- Whether an event is the first of its kind is asked of this index alone.
DROP INDEX events_by_enrollment;
CREATE INDEX events_by_enrollment ON events (enrollment_id, kind, seq);
-- Campaigns are counted from event_counts; their events are listed in order.
DROP INDEX events_by_campaign;
CREATE INDEX events_by_campaign ON events (campaign_id, tx, seq);
