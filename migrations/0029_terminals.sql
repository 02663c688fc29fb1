-- What a terminal is trusted in: its clock, its identity. And orders that tow a vehicle.

-- Clocks that are wrong by a constant. Both tables speak of the time of *receipt*, the server's own: which of a terminal's
-- positions they are about does not depend on the clock in question. The device time that was received is never changed; what
-- reads positions adds the correction (src/telemetry/archive/clocks.py, which has the SQL that reads both).

-- What the live workers found: positions received in [received_from, received_to) are no evidence. SQL that writes:
-- src/telemetry/archive/clocks.py.
CREATE TABLE clock_doubts (
    terminal_no   integer NOT NULL REFERENCES terminals (no),
    received_from timestamptz NOT NULL,
    received_to   timestamptz,          -- null: it goes on
    lag_s         bigint NOT NULL,      -- receipt less device time (as corrected then), seconds; below 0: the clock is ahead
    noted_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (terminal_no, received_from)
);

-- What the office says of a clock: add shift_s to the device time of what was received in [valid_from, valid_to). Of several
-- that hold the latest does. SQL that writes: src/registry/clock_corrections.py.
CREATE TABLE clock_corrections (
    id          text PRIMARY KEY,
    terminal_no integer NOT NULL REFERENCES terminals (no),
    valid_from  timestamptz NOT NULL,
    valid_to    timestamptz CHECK (valid_to > valid_from),
    shift_s     bigint NOT NULL CHECK (abs(shift_s) <= 3155760000),
    note        text NOT NULL DEFAULT '',
    updated_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (terminal_no, valid_from)
);

-- The vehicles that the terminal sat in are judged again, from before the first position that is another now.
CREATE FUNCTION note_clock_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'INSERT INTO changes (commit_id, kind, subject, vehicle_no, from_time)'
        ' SELECT change_commit(), ''terminal_binding'', t.phone, b.vehicle_no,'
        ' min(GREATEST(%1$s - make_interval(secs => abs(%2$s)) - interval ''1 day'', ''epoch''))'
        ' FROM %3$s r JOIN terminals t ON t.no = r.terminal_no JOIN terminal_bindings b ON b.terminal_no = r.terminal_no'
        ' GROUP BY t.phone, b.vehicle_no ORDER BY t.phone, b.vehicle_no',
        TG_ARGV[0], TG_ARGV[1], CASE TG_OP WHEN 'DELETE' THEN 'old_rows' ELSE 'new_rows' END);
    IF TG_OP = 'UPDATE' THEN
        EXECUTE format(
            'INSERT INTO changes (commit_id, kind, subject, vehicle_no, from_time)'
            ' SELECT change_commit(), ''terminal_binding'', t.phone, b.vehicle_no,'
            ' min(GREATEST(%1$s - make_interval(secs => abs(%2$s)) - interval ''1 day'', ''epoch''))'
            ' FROM old_rows r JOIN terminals t ON t.no = r.terminal_no JOIN terminal_bindings b ON b.terminal_no = r.terminal_no'
            ' GROUP BY t.phone, b.vehicle_no ORDER BY t.phone, b.vehicle_no', TG_ARGV[0], TG_ARGV[1]);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER note_doubt_insert AFTER INSERT ON clock_doubts REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_clock_changes('r.received_from', 'r.lag_s');
CREATE TRIGGER note_doubt_delete AFTER DELETE ON clock_doubts REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_clock_changes('r.received_from', 'r.lag_s');
-- One that ends changes nothing of what was: what is received from then on is looked at when it comes.
CREATE TRIGGER note_correction_insert AFTER INSERT ON clock_corrections REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_clock_changes('r.valid_from', 'r.shift_s');
CREATE TRIGGER note_correction_update AFTER UPDATE ON clock_corrections
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_clock_changes('r.valid_from', 'r.shift_s');
CREATE TRIGGER note_correction_delete AFTER DELETE ON clock_corrections REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_clock_changes('r.valid_from', 'r.shift_s');

-- What the office should know of terminals: clocks, exchanged devices, fixes and odometer that contradict each other. One
-- notice for each thing, however often it is seen. SQL lives in src/telemetry/terminals/notices.py.
CREATE TABLE terminal_notices (
    no          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    terminal_no integer NOT NULL REFERENCES terminals (no),
    kind        text NOT NULL CHECK (kind IN ('clock_wrong', 'device_refused', 'device_accepted', 'contradiction')),
    about       text NOT NULL,            -- what tells notices of one terminal and kind apart
    detail      jsonb NOT NULL DEFAULT '{}',
    times       bigint NOT NULL DEFAULT 1,
    first_at    timestamptz NOT NULL DEFAULT now(),
    last_at     timestamptz NOT NULL DEFAULT now(),
    settled_at  timestamptz,              -- null: somebody should look at it
    UNIQUE (terminal_no, kind, about)
);
CREATE INDEX terminal_notices_open ON terminal_notices (kind, terminal_no) WHERE settled_at IS NULL;

-- The first device of a phone number is remembered: manufacturer, device_id and plate of its last registration. Another one is
-- refused and waits here until the office accepts it or the terminal has been silent for long.
ALTER TABLE terminals
    ADD COLUMN waiting_device text[] CHECK (cardinality(waiting_device) = 4),  -- manufacturer, model, device_id, plate
    ADD COLUMN waiting_since timestamptz,
    ADD COLUMN seen_at timestamptz;                                             -- last authenticated, to a day
COMMENT ON COLUMN terminals.waiting_device IS 'Manufacturer, model, device id and plate of another device that asks for this phone number.';
-- A widespread family of trackers has hexadecimal digits in the BCD field of the phone number.
ALTER TABLE terminals DROP CONSTRAINT terminals_phone_check;
ALTER TABLE terminals ADD CONSTRAINT terminals_phone_check CHECK (phone ~ '^[0-9A-F]{1,20}$');

ALTER TABLE dispatch_orders DROP CONSTRAINT dispatch_orders_task_type_check;
ALTER TABLE dispatch_orders ADD CONSTRAINT dispatch_orders_task_type_check
    CHECK (task_type IN ('official', 'repair', 'inspection', 'car_wash', 'emergency', 'tow'));
