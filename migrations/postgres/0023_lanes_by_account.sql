-- The pace of a mailbox asks whose follow-ups wait for it (SCH-4).
CREATE INDEX lanes_by_account ON lanes (account_id);
