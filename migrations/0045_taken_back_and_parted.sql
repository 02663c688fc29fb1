-- 1. What was taken back in the exchange is remembered for a time and then dropped (office.exchange.keeping). A record that comes again
-- gets a version above all that were dropped: none is ever given to another content.
ALTER TABLE exchange_states ADD COLUMN least_version bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN exchange_states.least_version IS 'The highest version of what was dropped from exchange_sent; new records begin above it.';
CREATE INDEX exchange_sent_gone ON exchange_sent (confirmed_at) WHERE gone AND confirmed;
CREATE INDEX exchange_records_gone ON exchange_records (received_at) WHERE payload IS NULL;

-- 2. An entry of the quarantine that could not be read, of which a part is stored with the next attempt, goes on as that of another
-- terminal. That part left the quarantine as well: it is noted under a number that no entry will have. Without it the verification
-- would say of its positions that somebody put them in.
CREATE FUNCTION note_quarantine_parted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO quarantine_ended
        SELECT nextval(pg_get_serial_sequence('quarantine', 'id')), o.terminal_no, o.set_aside_at, clock_timestamp()
          FROM old_rows o JOIN new_rows n USING (id) WHERE o.terminal_no IS DISTINCT FROM n.terminal_no;
    RETURN NULL;
END $$;
CREATE TRIGGER note_parted AFTER UPDATE ON quarantine REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_quarantine_parted();
