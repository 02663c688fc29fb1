-- The rows of alert_reads (0050) had a foreign key: whoever marked an alert as read held its row until the end of his transaction, and the judge, who
-- locks the alerts that it writes, waited for him. Reading must not hold up judging: the key goes, and a trigger lets the rows end with their alert.
ALTER TABLE alert_reads DROP CONSTRAINT alert_reads_alert_fkey;
CREATE FUNCTION end_alert_reads() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM alert_reads r USING old_rows o WHERE r.alert = o.id;
    RETURN NULL;
END $$;
CREATE TRIGGER alert_reads_end AFTER DELETE ON alerts REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION end_alert_reads();
