-- Texts of a step that are tried against each other (SEQ-2): [{id, weight, subject, bodyHtml, bodyText}],
-- in place of its own where there are some.
ALTER TABLE steps ADD COLUMN variants JSONB NOT NULL DEFAULT '[]';
-- Which of them an enrollment got (TPL-7).
ALTER TABLE actions ADD COLUMN variant_id TEXT;

-- Which mailbox a mail leaves from, where several may (ROT-1).
ALTER TABLE campaigns ADD COLUMN rotation TEXT NOT NULL DEFAULT 'round_robin' CHECK (rotation IN ('round_robin', 'weighted', 'least_used', 'random'));
-- People who get their first step a day (CAP-5); NULL: as many as the other limits allow.
ALTER TABLE campaigns ADD COLUMN new_prospects_per_day BIGINT CHECK (new_prospects_per_day >= 0);
-- Follow-ups go before first steps, or after them (CAP-5).
ALTER TABLE campaigns ADD COLUMN follow_ups_first BOOLEAN NOT NULL DEFAULT TRUE;
-- A reply stops everybody in the campaign at the same company domain (SEQ-3).
ALTER TABLE campaigns ADD COLUMN stop_on_company_reply BOOLEAN NOT NULL DEFAULT FALSE;
