-- One outbox of changes, in place of three: what was changed, in the order of commits, for every reader. SQL of changes,
-- change_commits and change_readers lives in src/registry/changes.py, of live_due in src/rules/live/store/due.py.
--
-- Triggers write it in the transaction that makes the change, so no writer can forget it. Each reader keeps its own place
-- and makes of what it reads a list of its own work: the live workers live_due, the judge judge_due.

-- A transaction that changed something. A reader's place is a number: it has read all commits up to it. The numbers are
-- given at the very end of a transaction, under a lock that is held until the commit. So their order is the order of
-- commits, and no change comes to light behind a reader's place. An import takes the lock for a moment only.
CREATE TABLE change_commits (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number   bigint UNIQUE,           -- null only inside the transaction itself
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE SEQUENCE change_numbers OWNED BY change_commits.number;

CREATE TABLE changes (
    commit_id    bigint NOT NULL,     -- change_commits.id; no foreign key, it would cost a look-up for each row
    seq          bigint GENERATED ALWAYS AS IDENTITY,
    kind         text NOT NULL,
    subject      text NOT NULL,
    vehicle_no   integer,             -- of the vehicle that it is about, if it is about one
    organisation text,                -- of the unit all of whose vehicles it is about
    from_time    timestamptz NOT NULL,
    PRIMARY KEY (commit_id, seq)
);
COMMENT ON COLUMN changes.kind IS
    'What changed (subject): order (id; of every vehicle that its versions name), fence (id; by vehicle or by unit),'
    ' vehicle (id), vehicle_status (id of a vehicle whose unit or dates of registration changed), plate (a plate that a'
    ' vehicle or a card binding has or had), terminal_binding (the terminal''s phone number), card (id), card_binding (the'
    ' card), transaction (id), fills (card of which a transaction was changed or deleted), station (id), violation (id),'
    ' offences (plate of which a violation was changed or deleted), calendar (day), parameter (rule.name; of a unit, or'
    ' of all), result (id of an order that was settled), track (vehicle whose stored positions were taken up again)';
COMMENT ON COLUMN changes.from_time IS 'Facts are others than before from here on; 1970 = at all times.';

-- How far each reader has read: all commits before number, and of that one the changes up to seq.
CREATE TABLE change_readers (
    reader  text PRIMARY KEY,
    number  bigint NOT NULL,
    seq     bigint NOT NULL DEFAULT 0,
    seen_at timestamptz NOT NULL DEFAULT now()
);

-- The transaction's row of change_commits, made at its first change.
CREATE FUNCTION change_commit() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    known bigint := NULLIF(current_setting('gongche.change_commit', true), '')::bigint;
BEGIN
    IF known IS NULL THEN
        INSERT INTO change_commits DEFAULT VALUES RETURNING id INTO known;
        -- Forgotten at the end of the transaction, and where a savepoint is rolled back.
        PERFORM set_config('gongche.change_commit', known::text, true);
    END IF;
    RETURN known;
END $$;

CREATE FUNCTION number_change_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7453297298901395299);  -- "gongregc", registry.changes.hold_changes
    UPDATE change_commits SET number = nextval('change_numbers'), noted_at = clock_timestamp() WHERE id = NEW.id;
    RETURN NULL;
END $$;
-- Notes the rows that a statement inserted, deleted, or gave another content; of an update the rows as they were and as
-- they are. The arguments are the kind, and expressions over a row r: subject, time from which on ('' = at all times),
-- vehicle_no, organisation, and the content that counts (default: everything but when it was written).
CREATE FUNCTION note_changes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    content text := COALESCE(TG_ARGV[5], 'to_jsonb(r) - ''updated_at''');
    other text := 'SELECT r.* FROM %I r WHERE NOT EXISTS'
        ' (SELECT FROM (SELECT %s AS content FROM %I r) AS b WHERE b.content = %s)';
    changed text;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        changed := format(other, 'old_rows', content, 'new_rows', content) || ' UNION ALL '
            || format(other, 'new_rows', content, 'old_rows', content);
    ELSE
        changed := format('SELECT * FROM %I', CASE TG_OP WHEN 'INSERT' THEN 'new_rows' ELSE 'old_rows' END);
    END IF;
    EXECUTE format(
        'INSERT INTO changes (commit_id, kind, subject, vehicle_no, organisation, from_time)'
        ' SELECT change_commit(), $1, subject, vehicle_no, organisation, COALESCE(min(since), ''epoch'') FROM (SELECT'
        ' %s AS subject, %s AS since, %s AS vehicle_no, %s AS organisation FROM (%s) AS r) AS found'
        ' GROUP BY subject, vehicle_no, organisation ORDER BY subject, vehicle_no, organisation',
        TG_ARGV[1], COALESCE(NULLIF(TG_ARGV[2], ''), 'timestamptz ''epoch'''), COALESCE(NULLIF(TG_ARGV[3], ''), 'NULL::integer'),
        COALESCE(NULLIF(TG_ARGV[4], ''), 'NULL::text'), changed) USING TG_ARGV[0];
    RETURN NULL;
END $$;

-- An order comes in versions: what a new one says differs from the one before, from the earlier of both departures on,
-- for the vehicles of both.
CREATE FUNCTION note_order_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO changes (commit_id, kind, subject, vehicle_no, from_time)
    SELECT change_commit(), 'order', found.id, found.no, found.since FROM (
        WITH versions AS (
            SELECT id, vehicle, LEAST(planned_departure, actual_departure) AS since FROM new_rows
            UNION ALL
            SELECT o.id, o.vehicle, LEAST(o.planned_departure, o.actual_departure) FROM new_rows n
              JOIN dispatch_orders o ON o.id = n.id AND o.version = n.version - 1)
        SELECT DISTINCT versions.id, v.no, earliest.since FROM versions
          JOIN (SELECT id, min(since) AS since FROM versions GROUP BY id) AS earliest ON earliest.id = versions.id
          JOIN vehicles v ON v.id = versions.vehicle
         ORDER BY versions.id, v.no) AS found;
    RETURN NULL;
END $$;

-- A result is a change when it is settled, also when it comes to the same numbers: it was made anew from other positions.
CREATE FUNCTION note_result_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO changes (commit_id, kind, subject, vehicle_no, from_time)
    SELECT change_commit(), 'result', order_id, vehicle_no, COALESCE(returned_at, 'epoch') FROM new_rows
     WHERE state = 'settled' ORDER BY order_id;
    RETURN NULL;
END $$;

-- What was noted by now and not taken is carried over: for the live workers as it is, for the judge as the first commit.
DROP TRIGGER registry_change ON vehicles;
DROP TRIGGER registry_change ON rule_parameters;
DROP TRIGGER registry_change ON fact_changes;
DROP FUNCTION note_registry_change();
DROP TABLE registry_changes;  -- a worker that starts reads the whole registry

ALTER TABLE fact_changes RENAME TO live_due;
ALTER INDEX fact_changes_pkey RENAME TO live_due_pkey;
ALTER INDEX fact_changes_vehicle RENAME TO live_due_vehicle;
ALTER SEQUENCE fact_changes_seq_seq RENAME TO live_due_seq_seq;
UPDATE live_due SET kind = CASE kind WHEN 'binding' THEN 'terminal_binding' ELSE 'vehicle_status' END
 WHERE kind IN ('binding', 'vehicle');
COMMENT ON TABLE live_due IS 'What the live workers have to do about changes: taken by the worker that owns the vehicle.';
COMMENT ON COLUMN live_due.kind IS
    'as in changes; rows = a worker stored positions of a vehicle that is not its own';

DROP TRIGGER judge_order ON dispatch_orders;
DROP TRIGGER judge_result ON order_results;
DROP TRIGGER judge_vehicle ON vehicles;
DROP TRIGGER judge_vehicle_plate ON vehicles;
DROP TRIGGER judge_card ON fuel_cards;
DROP TRIGGER judge_binding ON card_bindings;
DROP TRIGGER judge_binding_plate ON card_bindings;
DROP TRIGGER judge_transaction ON fuel_transactions;
DROP TRIGGER judge_transaction_card ON fuel_transactions;
DROP TRIGGER judge_station ON fuel_stations;
DROP TRIGGER judge_violation ON violations;
DROP TRIGGER judge_violation_plate ON violations;
DROP TRIGGER judge_calendar ON calendar_days;
DROP TRIGGER judge_parameter ON rule_parameters;
DROP FUNCTION note_judge_change();

INSERT INTO change_commits (number) VALUES (nextval('change_numbers'));
INSERT INTO changes (commit_id, kind, subject, from_time)
SELECT c.id, CASE j.kind WHEN 'binding' THEN 'card_binding' ELSE j.kind END, j.subject, j.from_time
  FROM change_commits c, judge_changes j ORDER BY j.seq;
DROP TABLE judge_changes;
-- The live workers had the same facts from fact_changes, so they begin after this commit.
INSERT INTO change_readers (reader, number, seq) SELECT 'judge', number, 0 FROM change_commits;
INSERT INTO change_readers (reader, number, seq)
SELECT 'live', number, (SELECT COALESCE(max(seq), 0) FROM changes) FROM change_commits;

CREATE CONSTRAINT TRIGGER number_change_commit AFTER INSERT ON change_commits DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION number_change_commit();

-- The triggers. Transition tables are for one kind of event, so each event has a trigger of its own.
CREATE TRIGGER note_order_insert AFTER INSERT ON dispatch_orders REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_order_changes();

CREATE TRIGGER note_result_insert AFTER INSERT ON order_results REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_result_changes();
CREATE TRIGGER note_result_update AFTER UPDATE ON order_results REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_result_changes();

-- A fence comes in versions too, of which only the end may change. One with a list is about the vehicles of the list; one
-- without, about all vehicles that its unit has when the change is read.
CREATE TRIGGER note_fence_insert AFTER INSERT ON fences REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('fence', 'r.id', 'r.valid_from',
        $$unnest(CASE WHEN r.vehicles = '{}' THEN ARRAY[NULL::integer]
                      ELSE ARRAY(SELECT v.no FROM vehicles v WHERE v.id = ANY (r.vehicles)) END)$$,
        $$CASE WHEN r.vehicles = '{}' THEN r.organisation END$$);
CREATE TRIGGER note_fence_update AFTER UPDATE ON fences REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('fence', 'r.id', 'r.valid_to',
        $$unnest(CASE WHEN r.vehicles = '{}' THEN ARRAY[NULL::integer]
                      ELSE ARRAY(SELECT v.no FROM vehicles v WHERE v.id = ANY (r.vehicles)) END)$$,
        $$CASE WHEN r.vehicles = '{}' THEN r.organisation END$$,
        'jsonb_build_array(r.id, r.version, r.valid_to)');

CREATE TRIGGER note_vehicle_insert AFTER INSERT ON vehicles REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('vehicle', 'r.id', '', 'r.no');
CREATE TRIGGER note_vehicle_update AFTER UPDATE ON vehicles REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('vehicle', 'r.id', '', 'r.no');
-- A vehicle keeps no history of its unit and dates: they decide at all times which fence holds and whether it is official.
CREATE TRIGGER note_vehicle_status_update AFTER UPDATE ON vehicles REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('vehicle_status', 'r.id', '', 'r.no', '',
        'jsonb_build_array(r.id, r.organisation, r.registered_on, r.disposed_on)');
CREATE TRIGGER note_vehicle_plate_update AFTER UPDATE ON vehicles REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('plate', 'r.plate', '', '', '', 'jsonb_build_array(r.id, r.plate)');

CREATE TRIGGER note_terminal_binding_insert AFTER INSERT ON terminal_bindings REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('terminal_binding',
        '(SELECT t.phone FROM terminals t WHERE t.no = r.terminal_no)', 'r.valid_from', 'r.vehicle_no');
-- A binding that ends earlier or later is the same as before up to its end.
CREATE TRIGGER note_terminal_binding_end AFTER UPDATE ON terminal_bindings
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('terminal_binding',
        '(SELECT t.phone FROM terminals t WHERE t.no = r.terminal_no)', 'r.valid_to', 'r.vehicle_no', '',
        'jsonb_build_array(r.terminal_no, r.valid_from, r.valid_to)');
CREATE TRIGGER note_terminal_binding_update AFTER UPDATE ON terminal_bindings
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('terminal_binding',
        '(SELECT t.phone FROM terminals t WHERE t.no = r.terminal_no)', 'r.valid_from', 'r.vehicle_no', '',
        'jsonb_build_array(r.terminal_no, r.valid_from, r.vehicle_no)');
CREATE TRIGGER note_terminal_binding_delete AFTER DELETE ON terminal_bindings REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('terminal_binding',
        '(SELECT t.phone FROM terminals t WHERE t.no = r.terminal_no)', 'r.valid_from', 'r.vehicle_no');

CREATE TRIGGER note_card_insert AFTER INSERT ON fuel_cards REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('card', 'r.id', '');
CREATE TRIGGER note_card_update AFTER UPDATE ON fuel_cards REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('card', 'r.id', '');
CREATE TRIGGER note_card_binding_insert AFTER INSERT ON card_bindings REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('card_binding', 'r.card', 'r.valid_from');
CREATE TRIGGER note_card_binding_update AFTER UPDATE ON card_bindings REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('card_binding', 'r.card', 'r.valid_from');
CREATE TRIGGER note_card_binding_delete AFTER DELETE ON card_bindings REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('card_binding', 'r.card', 'r.valid_from');
-- What a record leaves behind when it moves: the plate that a binding had, the card that a transaction was on.
CREATE TRIGGER note_card_binding_plate_update AFTER UPDATE ON card_bindings REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('plate', 'r.plate', 'r.valid_from');
CREATE TRIGGER note_card_binding_plate_delete AFTER DELETE ON card_bindings REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('plate', 'r.plate', 'r.valid_from');
CREATE TRIGGER note_transaction_insert AFTER INSERT ON fuel_transactions REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('transaction', 'r.id', 'r.at');
CREATE TRIGGER note_transaction_update AFTER UPDATE ON fuel_transactions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('transaction', 'r.id', 'r.at');
CREATE TRIGGER note_transaction_delete AFTER DELETE ON fuel_transactions REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('transaction', 'r.id', 'r.at');
CREATE TRIGGER note_fills_update AFTER UPDATE ON fuel_transactions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('fills', 'r.card', 'r.at');
CREATE TRIGGER note_fills_delete AFTER DELETE ON fuel_transactions REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('fills', 'r.card', 'r.at');
CREATE TRIGGER note_station_insert AFTER INSERT ON fuel_stations REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('station', 'r.id', '');
CREATE TRIGGER note_station_update AFTER UPDATE ON fuel_stations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('station', 'r.id', '');
CREATE TRIGGER note_violation_insert AFTER INSERT ON violations REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('violation', 'r.id', 'r.at');
CREATE TRIGGER note_violation_update AFTER UPDATE ON violations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('violation', 'r.id', 'r.at');
CREATE TRIGGER note_violation_delete AFTER DELETE ON violations REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('violation', 'r.id', 'r.at');
CREATE TRIGGER note_offences_update AFTER UPDATE ON violations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('offences', 'r.plate', 'r.at');
CREATE TRIGGER note_offences_delete AFTER DELETE ON violations REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('offences', 'r.plate', 'r.at');

CREATE TRIGGER note_calendar_insert AFTER INSERT ON calendar_days REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('calendar', $$to_char(r.day, 'YYYY-MM-DD')$$,
        $$r.day::timestamp AT TIME ZONE 'Asia/Shanghai'$$);
CREATE TRIGGER note_calendar_update AFTER UPDATE ON calendar_days REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('calendar', $$to_char(r.day, 'YYYY-MM-DD')$$,
        $$r.day::timestamp AT TIME ZONE 'Asia/Shanghai'$$);
CREATE TRIGGER note_calendar_delete AFTER DELETE ON calendar_days REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('calendar', $$to_char(r.day, 'YYYY-MM-DD')$$,
        $$r.day::timestamp AT TIME ZONE 'Asia/Shanghai'$$);
CREATE TRIGGER note_parameter_insert AFTER INSERT ON rule_parameters REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('parameter', $$r.rule || '.' || r.name$$, 'r.effective_from', '',
        'r.organisation');
CREATE TRIGGER note_parameter_update AFTER UPDATE ON rule_parameters REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('parameter', $$r.rule || '.' || r.name$$, 'r.effective_from', '',
        'r.organisation');
CREATE TRIGGER note_parameter_delete AFTER DELETE ON rule_parameters REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('parameter', $$r.rule || '.' || r.name$$, 'r.effective_from', '',
        'r.organisation');
