-- Quarterly sheets of drivers (驾驶员季度考核): src/office/assessment. Sheets that are not issued are not stored: they are computed.

-- What facts cost, in versions, from the first day of a quarter on. A unit without one of its own has that of the nearest unit above it.
CREATE TABLE driver_score_tables (
    organisation text NOT NULL,
    version      integer NOT NULL CHECK (version > 0),
    valid_from   date NOT NULL,
    body         jsonb NOT NULL,
    made_by      text[] NOT NULL,
    made_by_name text NOT NULL,
    made_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organisation, version)
);
CREATE TRIGGER driver_score_tables_stay BEFORE UPDATE OR DELETE ON driver_score_tables FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What no other table says of a driver: accidents, complaints that were found true. Never changed: a wrong one is declared void.
CREATE TABLE driver_facts (
    id              text PRIMARY KEY,
    organisation    text NOT NULL,
    driver          text NOT NULL REFERENCES drivers (id),
    kind            text NOT NULL,
    day             date NOT NULL,
    reference       text NOT NULL,                  -- number of the case, the dispatch, the paper that says so
    note            text NOT NULL,
    entered_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    entered_by      text[] NOT NULL,
    entered_by_name text NOT NULL,
    voided_at       timestamptz,
    voided_by_name  text,
    void_reason     text,
    CHECK ((voided_at IS NULL) = (void_reason IS NULL) AND (voided_at IS NULL) = (voided_by_name IS NULL))
);
CREATE INDEX driver_facts_of ON driver_facts (driver, day, id);
-- One that is sent twice is there once.
CREATE UNIQUE INDEX driver_facts_once ON driver_facts (driver, kind, day, reference) WHERE voided_at IS NULL;
CREATE FUNCTION driver_fact_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.voided_at IS NOT NULL OR (to_jsonb(OLD) - '{voided_at,voided_by_name,void_reason}'::text[])
       IS DISTINCT FROM (to_jsonb(NEW) - '{voided_at,voided_by_name,void_reason}'::text[]) THEN
        RAISE EXCEPTION 'facts of drivers are never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER driver_facts_stand BEFORE UPDATE OR DELETE ON driver_facts FOR EACH ROW EXECUTE FUNCTION driver_fact_stands();

-- A sheet that was issued, with its lines and the table that it was made by. ``organisation``: the driver's unit then.
CREATE TABLE driver_sheets (
    driver       text NOT NULL REFERENCES drivers (id),
    period       text NOT NULL CHECK (period ~ '^20[2-9][0-9]Q[1-4]$'),
    organisation text NOT NULL,
    score        integer NOT NULL,                  -- hundredths of a point
    body         jsonb NOT NULL,
    issued_by    text[] NOT NULL,
    issued_name  text NOT NULL,
    issued_at    timestamptz NOT NULL,
    PRIMARY KEY (driver, period)
);
CREATE INDEX driver_sheets_listed ON driver_sheets (period, driver);
CREATE TRIGGER driver_sheets_stay BEFORE UPDATE OR DELETE ON driver_sheets FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER driver_sheets_stay_all BEFORE TRUNCATE ON driver_sheets FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Objections of a driver to a line of his sheet, once each, and what was decided. Both are only added.
CREATE TABLE driver_objections (
    id           text PRIMARY KEY,
    organisation text NOT NULL,
    driver       text NOT NULL,
    period       text NOT NULL,
    line         text NOT NULL,
    reason       text NOT NULL,
    raised_by    text[] NOT NULL,
    raised_name  text NOT NULL,
    raised_at    timestamptz NOT NULL,
    FOREIGN KEY (driver, period) REFERENCES driver_sheets (driver, period),
    UNIQUE (driver, period, line)
);
CREATE TABLE driver_objection_decisions (
    objection    text PRIMARY KEY REFERENCES driver_objections (id),
    upheld       boolean NOT NULL,
    reason       text NOT NULL,
    decided_by   text[] NOT NULL,
    decided_name text NOT NULL,
    decided_at   timestamptz NOT NULL
);
CREATE TRIGGER driver_objections_stay BEFORE UPDATE OR DELETE ON driver_objections FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER driver_objection_decisions_stay BEFORE UPDATE OR DELETE ON driver_objection_decisions FOR EACH ROW EXECUTE FUNCTION refuse_change();

SELECT scope_table('driver_score_tables', 'SELECT, INSERT',
    'organisation = ANY ((SELECT reach_units())::text[]) OR organisation = ANY ((SELECT reach_above())::text[])',
    'organisation = ANY ((SELECT reach_units())::text[])');
SELECT scope_table('driver_facts', 'SELECT, INSERT, UPDATE');
SELECT scope_table('driver_sheets', 'SELECT, INSERT');
SELECT scope_table('driver_objections', 'SELECT, INSERT');
SELECT scope_table('driver_objection_decisions', 'SELECT, INSERT', 'EXISTS (SELECT FROM driver_objections o WHERE o.id = objection)');

SELECT audit_table('driver_score_tables', 'driver-score-tables', 'organisation, version', 'r ->> ''organisation''');
SELECT audit_table('driver_facts', 'driver-facts');
SELECT audit_table('driver_sheets', 'driver-sheets', 'driver, period', '(r ->> ''driver'') || ''/'' || (r ->> ''period'')');
SELECT audit_table('driver_objections', 'driver-objections');
SELECT audit_table('driver_objection_decisions', 'driver-objections', 'objection', 'r ->> ''objection''',
    '(SELECT o.organisation FROM driver_objections o WHERE o.id = r ->> ''objection'')');

-- Call-backs (回访): src/office/dispatch/call_backs.py. A unit and month is drawn once; what was said is only added to.
CREATE TABLE call_back_draws (
    id           text PRIMARY KEY,
    organisation text NOT NULL,
    period       text NOT NULL CHECK (period ~ '^20[2-9][0-9](0[1-9]|1[0-2])$'),
    seed         text NOT NULL,
    permille     integer NOT NULL CHECK (permille BETWEEN 1 AND 1000),
    population   integer NOT NULL CHECK (population >= 0),
    list_sha256  text NOT NULL,
    drawn_by     text[] NOT NULL,
    drawn_name   text NOT NULL,
    drawn_at     timestamptz NOT NULL,
    UNIQUE (organisation, period)
);
CREATE INDEX call_back_draws_listed ON call_back_draws (period DESC, id);
CREATE TABLE call_backs (
    id           text PRIMARY KEY,
    draw         text NOT NULL REFERENCES call_back_draws (id),
    organisation text NOT NULL,                     -- of who asked for the vehicle
    request      text NOT NULL REFERENCES trip_requests (id),
    number       text NOT NULL,
    rank         integer NOT NULL CHECK (rank > 0),
    UNIQUE (draw, rank)
);
CREATE TABLE call_back_results (
    no         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call_back  text NOT NULL REFERENCES call_backs (id),
    outcome    text NOT NULL CHECK (outcome IN ('satisfied', 'unsatisfied', 'not_reached', 'refused')),
    note       text NOT NULL,
    at         timestamptz NOT NULL,
    persons    text[] NOT NULL,
    actor_name text NOT NULL
);
CREATE INDEX call_back_results_of ON call_back_results (call_back, no DESC);
CREATE TRIGGER call_back_draws_stay BEFORE UPDATE OR DELETE ON call_back_draws FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER call_backs_stay BEFORE UPDATE OR DELETE ON call_backs FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER call_back_results_stay BEFORE UPDATE OR DELETE ON call_back_results FOR EACH ROW EXECUTE FUNCTION refuse_change();
-- What was confirmed in a month.
CREATE INDEX trip_request_events_confirmed ON trip_request_events (at, paper) WHERE step IN ('confirm', 'confirm-silent');

SELECT scope_table('call_back_draws', 'SELECT, INSERT');
SELECT scope_table('call_backs', 'SELECT, INSERT');
SELECT scope_table('call_back_results', 'SELECT, INSERT', 'EXISTS (SELECT FROM call_backs c WHERE c.id = call_back)');
SELECT audit_table('call_back_draws', 'call-back-draws');
SELECT audit_table('call_back_results', 'call-backs', 'no', 'r ->> ''call_back''', '(SELECT c.organisation FROM call_backs c WHERE c.id = r ->> ''call_back'')');
