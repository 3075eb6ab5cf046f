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

-- Workspaces and campaigns are never deleted. To look them up again for every row, PostgreSQL locks
-- the one row of the workspace at which all who send meet. What is written for every mail names
-- them by a row beside it that was checked: the action by its enrollment, the attempt by its action.
ALTER TABLE actions DROP CONSTRAINT actions_workspace_id_fkey, DROP CONSTRAINT actions_campaign_id_fkey;
ALTER TABLE attempts DROP CONSTRAINT attempts_workspace_id_fkey;
ALTER TABLE cap_usage DROP CONSTRAINT cap_usage_workspace_id_fkey;
ALTER TABLE messages DROP CONSTRAINT messages_workspace_id_fkey, DROP CONSTRAINT messages_campaign_id_fkey;
ALTER TABLE events DROP CONSTRAINT events_workspace_id_fkey;
