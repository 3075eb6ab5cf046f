-- Rows that are nothing but a key stand once, in its order.
DROP INDEX search_queue_by_workspace;
ALTER TABLE search_queue DROP CONSTRAINT search_queue_pkey, ADD PRIMARY KEY (workspace_id, prospect_id);
