-- Which domains take mail: each is asked of the DNS once for all workspaces (PR-7).
CREATE TABLE mail_domains (
    domain TEXT PRIMARY KEY,
    -- What the DNS last said; NULL where it has given no answer yet.
    route TEXT CHECK (route IN ('found', 'no_mx')),
    checked_at BIGINT,
    next_check_at BIGINT NOT NULL DEFAULT 0,
    -- Times in a row that the DNS gave no answer.
    failures BIGINT NOT NULL DEFAULT 0,
    -- Counted up when prospects there need another status; `settled` is the number that they have.
    news BIGINT NOT NULL DEFAULT 0,
    settled BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX mail_domains_due ON mail_domains (next_check_at);
CREATE INDEX mail_domains_news ON mail_domains (domain) WHERE news <> settled;

-- Why a prospect has its status, where that is known: no_mx.
ALTER TABLE prospects ADD COLUMN status_reason TEXT NOT NULL DEFAULT '';

INSERT INTO mail_domains (domain)
SELECT DISTINCT split_part(email_key, '@', 2) FROM prospects;
