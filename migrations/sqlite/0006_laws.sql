-- What the database itself holds: SAFE-4 and SAFE-5.
-- A status changes only beside a new audit row with the same subject, from and to.

CREATE TRIGGER campaigns_status_insert BEFORE INSERT ON campaigns
WHEN NOT EXISTS (SELECT 1 FROM audit a WHERE a.id = NEW.status_audit_id AND a.subject_kind = 'campaign' AND a.subject_id = NEW.id AND a.from_status IS NULL AND a.to_status = NEW.status)
BEGIN SELECT RAISE(ABORT, 'SAFE-4: campaign status without its audit row'); END;

CREATE TRIGGER campaigns_status_update BEFORE UPDATE ON campaigns
WHEN NEW.status <> OLD.status AND (NEW.status_audit_id = OLD.status_audit_id OR NOT EXISTS (SELECT 1 FROM audit a WHERE a.id = NEW.status_audit_id AND a.subject_kind = 'campaign' AND a.subject_id = NEW.id AND a.from_status = OLD.status AND a.to_status = NEW.status))
BEGIN SELECT RAISE(ABORT, 'SAFE-4: campaign status without its audit row'); END;

CREATE TRIGGER sending_accounts_status_insert BEFORE INSERT ON sending_accounts
WHEN NOT EXISTS (SELECT 1 FROM audit a WHERE a.id = NEW.status_audit_id AND a.subject_kind = 'account' AND a.subject_id = NEW.id AND a.from_status IS NULL AND a.to_status = NEW.status)
BEGIN SELECT RAISE(ABORT, 'SAFE-4: account status without its audit row'); END;

CREATE TRIGGER sending_accounts_status_update BEFORE UPDATE ON sending_accounts
WHEN NEW.status <> OLD.status AND (NEW.status_audit_id = OLD.status_audit_id OR NOT EXISTS (SELECT 1 FROM audit a WHERE a.id = NEW.status_audit_id AND a.subject_kind = 'account' AND a.subject_id = NEW.id AND a.from_status = OLD.status AND a.to_status = NEW.status))
BEGIN SELECT RAISE(ABORT, 'SAFE-4: account status without its audit row'); END;

CREATE TRIGGER audit_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'SAFE-4: audit rows never change'); END;

CREATE TRIGGER audit_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'SAFE-4: audit rows never change'); END;

CREATE TRIGGER events_update BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'SAFE-5: events never change'); END;

CREATE TRIGGER events_delete BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'SAFE-5: events never change'); END;
