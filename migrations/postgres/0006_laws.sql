-- What the database itself holds: SAFE-4 and SAFE-5.
-- A status changes only beside a new audit row with the same subject, from and to.

CREATE FUNCTION status_is_audited() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before_status TEXT := NULL;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.status = OLD.status THEN
            RETURN NEW;
        END IF;
        IF NEW.status_audit_id = OLD.status_audit_id THEN
            RAISE EXCEPTION 'SAFE-4: % status without its audit row', TG_ARGV[0];
        END IF;
        before_status := OLD.status;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM audit a WHERE a.id = NEW.status_audit_id AND a.subject_kind = TG_ARGV[0] AND a.subject_id = NEW.id AND a.from_status IS NOT DISTINCT FROM before_status AND a.to_status = NEW.status) THEN
        RAISE EXCEPTION 'SAFE-4: % status without its audit row', TG_ARGV[0];
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION rows_never_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: % rows never change', TG_ARGV[0], TG_TABLE_NAME;
END $$;

CREATE TRIGGER campaigns_status BEFORE INSERT OR UPDATE ON campaigns
    FOR EACH ROW EXECUTE FUNCTION status_is_audited('campaign');
CREATE TRIGGER sending_accounts_status BEFORE INSERT OR UPDATE ON sending_accounts
    FOR EACH ROW EXECUTE FUNCTION status_is_audited('account');
CREATE TRIGGER audit_never_changes BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION rows_never_change('SAFE-4');
CREATE TRIGGER events_never_change BEFORE UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION rows_never_change('SAFE-5');
