-- What is written for one mail stands side by side: it costs the pages that it writes.

-- Who has gone out from a mailbox since it rests is counted by when it was handed out (CAP-3).
DROP INDEX actions_by_account;

-- The counters of a mailbox on one page, not on one for each of its caps.
ALTER TABLE cap_usage DROP CONSTRAINT cap_usage_pkey, ADD PRIMARY KEY (workspace_id, subject, kind, bucket);
