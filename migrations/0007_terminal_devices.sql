-- Who said which device a terminal is. SQL of this table lives where 0001 says (and in src/rules/fleet/bindings.py).
--
-- A terminal fills in its own manufacturer, model and device at registration; so may the office. The office's word
-- stands, and another device than the one it names is refused; what a terminal said binds nobody, or a terminal that is
-- exchanged could not come in.

ALTER TABLE terminals ADD COLUMN office_said text[] NOT NULL DEFAULT '{}'
    CHECK (office_said <@ '{manufacturer,model,device_id}');
COMMENT ON COLUMN terminals.office_said IS 'Columns whose value is the office''s; the others say what registered last.';

-- What stands beside a terminal that never registered can only be the office's. Of the others it is not known: the
-- office's next word about them counts.
UPDATE terminals SET office_said = array_remove(ARRAY[
        CASE WHEN manufacturer <> '' THEN 'manufacturer' END,
        CASE WHEN model <> '' THEN 'model' END,
        CASE WHEN device_id <> '' THEN 'device_id' END], NULL)
    WHERE registered_at IS NULL AND source = 'registry';
