-- The judge: rules that wait until their facts are complete. SQL of these tables lives in src/rules/store/requests.py
-- (judge_*) and src/rules/navigation (navigation_routes).

-- Facts that changed, written by triggers in the transaction that changed them, so that no writer can forget it. Taken by
-- the one judge that leads.
CREATE TABLE judge_changes (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text NOT NULL,         -- order result track vehicle plate card binding transaction fills station violation calendar parameter
    subject    text NOT NULL,         -- id of the record (vehicle: its id; calendar: the day; parameter: rule.name)
    from_time  timestamptz NOT NULL,  -- results that rest on facts from here on
    created_at timestamptz NOT NULL DEFAULT now()
);

-- What is to be judged, and when at the earliest. Written by the leading judge only.
CREATE TABLE judge_due (
    gatherer  text NOT NULL,
    key       text NOT NULL,
    due_at    timestamptz NOT NULL,
    attempts  integer NOT NULL DEFAULT 0,
    waits_for text NOT NULL DEFAULT '', -- why it was put off, for people
    PRIMARY KEY (gatherer, key)
);
CREATE INDEX judge_due_order ON judge_due (gatherer, due_at);

-- Until when each gatherer's clock has struck (nightly work, ended days and months).
CREATE TABLE judge_clock (
    gatherer text PRIMARY KEY,
    through  timestamptz NOT NULL
);

-- Routes as the engine gave them, frozen: the same request is never asked twice.
CREATE TABLE navigation_routes (
    key         bytea PRIMARY KEY CHECK (octet_length(key) = 32), -- SHA-256 of engine, map date, profile, places
    engine      text NOT NULL,
    map_date    text NOT NULL,
    places      jsonb NOT NULL,        -- [[lat_e6, lon_e6], ...] WGS-84
    distance_m  bigint,                -- null = there is no way (see problem)
    duration_s  bigint,
    shape       text NOT NULL DEFAULT '', -- polyline, precision 6
    problem     text NOT NULL DEFAULT '',
    answered_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE evidence ADD COLUMN sm3 bytea CHECK (octet_length(sm3) = 32);

CREATE FUNCTION note_judge_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kind text := TG_ARGV[0];
    row_now jsonb := to_jsonb(COALESCE(NEW, OLD));
    row_was jsonb := to_jsonb(COALESCE(OLD, NEW));
    since timestamptz := '1970-01-01Z';
BEGIN
    -- TG_ARGV[1]: column of the subject; TG_ARGV[2]: column of the time, '' = everything may rest on it.
    IF TG_ARGV[2] <> '' THEN
        since := COALESCE(LEAST((row_now ->> TG_ARGV[2])::timestamptz, (row_was ->> TG_ARGV[2])::timestamptz), since);
    END IF;
    INSERT INTO judge_changes (kind, subject, from_time) VALUES (kind, row_now ->> TG_ARGV[1], since);
    IF row_was ->> TG_ARGV[1] <> row_now ->> TG_ARGV[1] THEN
        INSERT INTO judge_changes (kind, subject, from_time) VALUES (kind, row_was ->> TG_ARGV[1], since);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER judge_order AFTER INSERT ON dispatch_orders
    FOR EACH ROW EXECUTE FUNCTION note_judge_change('order', 'id', 'planned_departure');
CREATE TRIGGER judge_result AFTER INSERT OR UPDATE ON order_results
    FOR EACH ROW WHEN (NEW.state = 'settled') EXECUTE FUNCTION note_judge_change('result', 'order_id', 'returned_at');
CREATE TRIGGER judge_vehicle AFTER INSERT OR UPDATE ON vehicles
    FOR EACH ROW EXECUTE FUNCTION note_judge_change('vehicle', 'id', '');
CREATE TRIGGER judge_card AFTER INSERT OR UPDATE ON fuel_cards
    FOR EACH ROW EXECUTE FUNCTION note_judge_change('card', 'id', '');
CREATE TRIGGER judge_binding AFTER INSERT OR UPDATE OR DELETE ON card_bindings
    FOR EACH ROW EXECUTE FUNCTION note_judge_change('binding', 'card', 'valid_from');
CREATE TRIGGER judge_transaction AFTER INSERT OR UPDATE OR DELETE ON fuel_transactions
    FOR EACH ROW EXECUTE FUNCTION note_judge_change('transaction', 'id', 'at');
-- What a record left behind when it moved: the plate that a vehicle or a binding had, the card that a transaction was on.
CREATE TRIGGER judge_vehicle_plate AFTER UPDATE ON vehicles
    FOR EACH ROW WHEN (OLD.plate <> NEW.plate) EXECUTE FUNCTION note_judge_change('plate', 'plate', '');
CREATE TRIGGER judge_binding_plate AFTER UPDATE OR DELETE ON card_bindings
    FOR EACH ROW EXECUTE FUNCTION note_judge_change('plate', 'plate', 'valid_from');
CREATE TRIGGER judge_transaction_card AFTER UPDATE OR DELETE ON fuel_transactions
    FOR EACH ROW EXECUTE FUNCTION note_judge_change('fills', 'card', 'at');
CREATE TRIGGER judge_violation_plate AFTER UPDATE OR DELETE ON violations
    FOR EACH ROW EXECUTE FUNCTION note_judge_change('offences', 'plate', 'at');
CREATE TRIGGER judge_station AFTER INSERT OR UPDATE ON fuel_stations
    FOR EACH ROW EXECUTE FUNCTION note_judge_change('station', 'id', '');
CREATE TRIGGER judge_violation AFTER INSERT OR UPDATE OR DELETE ON violations
    FOR EACH ROW EXECUTE FUNCTION note_judge_change('violation', 'id', 'at');
CREATE TRIGGER judge_calendar AFTER INSERT OR UPDATE OR DELETE ON calendar_days
    FOR EACH ROW EXECUTE FUNCTION note_judge_change('calendar', 'day', 'day');
CREATE TRIGGER judge_parameter AFTER INSERT OR UPDATE OR DELETE ON rule_parameters
    FOR EACH ROW EXECUTE FUNCTION note_judge_change('parameter', 'rule', 'effective_from');

-- What was received until then is processed (rules.worker): the clock of rules that conclude something from silence.
ALTER TABLE log_offsets ADD COLUMN known_until timestamptz;

CREATE INDEX evaluations_vehicle ON evaluations (vehicle_no, id DESC);
CREATE INDEX judge_due_waiting ON judge_due (gatherer, key) WHERE waits_for <> '';
