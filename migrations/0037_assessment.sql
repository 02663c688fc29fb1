-- Assessment of units (考核评分): scoring tables in versions, closed sheets, objections (src/office/assessment). Sheets that are
-- not closed are not stored: they are computed from closed cases.

-- A table of a unit is for the units below it (for itself only when nothing is above it). Version 1, 2, ... of a year; a draft is
-- changed at will (revision counts), a published one never.
CREATE TABLE assessment_tables (
    organisation text NOT NULL,
    year         integer NOT NULL CHECK (year BETWEEN 2020 AND 2099),
    version      integer NOT NULL CHECK (version > 0),
    revision     integer NOT NULL CHECK (revision > 0),
    valid_from   date,                       -- null: a draft
    body         jsonb NOT NULL,
    drafted_by   text[] NOT NULL,            -- whose acts: everybody who wrote a part of it
    drafted_at   timestamptz NOT NULL,
    published_by text[],
    published_at timestamptz,
    PRIMARY KEY (organisation, year, version),
    CHECK ((valid_from IS NULL) = (published_by IS NULL) AND (valid_from IS NULL) = (published_at IS NULL)),
    CHECK (valid_from IS NULL OR extract(year FROM valid_from) = year)
);
CREATE UNIQUE INDEX assessment_tables_one_draft ON assessment_tables (organisation, year) WHERE valid_from IS NULL;
CREATE FUNCTION refuse_change_of_published() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.valid_from IS NOT NULL THEN
        RAISE EXCEPTION 'a published scoring table is never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER assessment_tables_stay BEFORE UPDATE OR DELETE ON assessment_tables FOR EACH ROW EXECUTE FUNCTION refuse_change_of_published();
CREATE TRIGGER assessment_tables_stay_all BEFORE TRUNCATE ON assessment_tables FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A closed sheet with its lines, the versions of the tables, what was known besides.
CREATE TABLE assessment_sheets (
    organisation text NOT NULL,
    period       text NOT NULL CHECK (period ~ '^20[2-9][0-9](Q[1-4])?$'),
    first_day    date NOT NULL,
    last_day     date NOT NULL,
    score        integer NOT NULL,           -- hundredths of a point
    body         jsonb NOT NULL,
    closed_by    text[] NOT NULL,
    closed_name  text NOT NULL,
    closed_at    timestamptz NOT NULL,
    PRIMARY KEY (organisation, period)
);
CREATE INDEX assessment_sheets_days ON assessment_sheets (last_day, organisation);
CREATE TRIGGER assessment_sheets_stay BEFORE UPDATE OR DELETE ON assessment_sheets FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER assessment_sheets_stay_all BEFORE TRUNCATE ON assessment_sheets FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Objections (异议) to a line, once each; and what the office decided. Both are only added.
CREATE TABLE assessment_disputes (
    id           text PRIMARY KEY,
    organisation text NOT NULL,
    period       text NOT NULL,              -- of the sheet in which the unit saw the line
    number       text NOT NULL,              -- of the case; not its id: it is known of secret vehicles, too
    case_version integer NOT NULL,
    item         text NOT NULL,
    fact         text NOT NULL,
    reason       text NOT NULL,
    raised_by    text[] NOT NULL,
    raised_name  text NOT NULL,
    raised_at    timestamptz NOT NULL,
    UNIQUE (number, case_version, item, fact)
);
CREATE INDEX assessment_disputes_listed ON assessment_disputes (raised_at DESC, id);
CREATE INDEX assessment_disputes_of_units ON assessment_disputes (organisation, raised_at DESC, id);
CREATE TABLE assessment_decisions (
    dispute_id   text PRIMARY KEY REFERENCES assessment_disputes (id),
    organisation text NOT NULL,
    upheld       boolean NOT NULL,
    reason       text NOT NULL,
    decided_by   text[] NOT NULL,
    decided_name text NOT NULL,
    decided_at   timestamptz NOT NULL
);
CREATE TRIGGER assessment_disputes_stay BEFORE UPDATE OR DELETE ON assessment_disputes FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER assessment_disputes_stay_all BEFORE TRUNCATE ON assessment_disputes FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER assessment_decisions_stay BEFORE UPDATE OR DELETE ON assessment_decisions FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER assessment_decisions_stay_all BEFORE TRUNCATE ON assessment_decisions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Which cases were closed in a period, and which of them something happened to since.
CREATE INDEX case_events_closes ON case_events (at, case_id) WHERE step IN ('close', 'reopen', 'accept-rectification');

-- A sheet is the same for whoever reads it, also where cases, orders and vehicles of it are secret (0036): what it is computed from is
-- read past row-level security, without anything that names a vehicle, a person or a place, and of units in reach only.
CREATE FUNCTION assessed_units(units text[]) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT COALESCE(array_agg(u), '{}') FROM unnest(units) AS n (u) 
     WHERE current_setting('role') IN ('gongche_everywhere', 'none') OR u = ANY ((SELECT reach_units())::text[])
$$;
-- The threads of the cases of ``units`` that are closed now and were closed in [since, until); or of the one with the number given.
CREATE FUNCTION assessed_threads(units text[], since timestamptz, until timestamptz, wanted text DEFAULT NULL)
RETURNS TABLE (number text, version integer, step text, at timestamptz, persons text[], body jsonb) LANGUAGE sql STABLE AS $$
    SELECT c.number, e.version, e.step, e.at, e.persons, jsonb_strip_nulls(jsonb_build_object(
               'organisation', e.body -> 'organisation', 'source', e.body -> 'source', 'level', e.body -> 'level',
               'due_on', e.body -> 'due_on', 'number', e.body -> 'number', 'finding', e.body -> 'finding',
               'measures_due', e.body -> 'measures_due', 'alert', CASE WHEN e.step = 'alert-withdrawn' THEN to_jsonb(''::text) END,
               'hotline', CASE WHEN jsonb_typeof(e.body -> 'hotline') = 'object' THEN jsonb_build_object(
                   'category', e.body -> 'hotline' -> 'category', 'received_on', e.body -> 'hotline' -> 'received_on') END,
               'figures', (SELECT jsonb_agg(jsonb_build_object('rule', f -> 'rule', 'severity', f -> 'severity') ORDER BY o) FROM jsonb_array_elements(
                   CASE WHEN jsonb_typeof(e.body -> 'figures') = 'array' THEN e.body -> 'figures' END) WITH ORDINALITY AS x (f, o))))
      FROM cases c JOIN case_events e ON e.case_id = c.id
     WHERE c.state = 'closed' AND c.organisation = ANY ((SELECT assessed_units(units))::text[])
       AND (CASE WHEN wanted IS NULL THEN c.id IN (SELECT d.case_id FROM case_events d
               WHERE d.step = 'close' AND d.step IN ('close', 'reopen', 'accept-rectification') AND d.at >= since AND d.at < until)
            ELSE c.number = wanted END)
     ORDER BY c.number, e.version
$$;
-- Those of ``units`` of which a case was closed, reopened or its rectification accepted since the time beside it.
CREATE FUNCTION assessed_changes(units text[], since timestamptz[]) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT COALESCE(array_agg(DISTINCT u.unit), '{}') FROM unnest(units, since) AS u (unit, since)
      JOIN case_events e ON e.step IN ('close', 'reopen', 'accept-rectification') AND e.at >= u.since
      JOIN cases c ON c.id = e.case_id AND c.organisation = u.unit
     WHERE u.unit = ANY ((SELECT assessed_units(units))::text[])
$$;
-- Of ``units`` those that have a vehicle.
CREATE FUNCTION assessed_with_vehicles(units text[]) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT COALESCE(array_agg(DISTINCT v.organisation), '{}') FROM vehicles v WHERE v.organisation = ANY ((SELECT assessed_units(units))::text[])
$$;
-- Orders of a unit that departed in [since, until): all, with a backfill among their versions, settled, and of these with a fix.
-- What part of an order the vehicle of another one drove is counted once, with the order.
CREATE FUNCTION assessed_orders(unit text, since timestamptz, until timestamptz)
RETURNS TABLE (departed bigint, backfilled bigint, settled bigint, tracked bigint) LANGUAGE sql STABLE AS $$
    SELECT count(*), count(*) FILTER (WHERE EXISTS (SELECT FROM dispatch_orders v WHERE v.id = o.id AND v.backfill)),
        count(*) FILTER (WHERE r.state = 'settled'), count(*) FILTER (WHERE r.state = 'settled' AND r.fixes > 0)
      FROM dispatch_orders o LEFT JOIN order_results r ON r.order_id = o.id
     WHERE o.is_newest AND o.part_of IS NULL AND o.organisation = unit AND o.organisation = ANY ((SELECT assessed_units(ARRAY[unit]))::text[])
       AND o.status <> 'cancelled' AND o.actual_departure >= since AND o.actual_departure < until
$$;
DO $$
DECLARE
    each regprocedure;
BEGIN
    FOR each IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace AND p.proname IN (
        'assessed_units', 'assessed_threads', 'assessed_changes', 'assessed_with_vehicles', 'assessed_orders') LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', each, current_schema());
    END LOOP;
END $$;

-- The tables of the units above are read from below.
SELECT scope_table('assessment_tables', 'SELECT, INSERT, UPDATE',
    'organisation = ANY ((SELECT reach_units())::text[]) OR organisation = ANY ((SELECT reach_above())::text[])',
    'organisation = ANY ((SELECT reach_units())::text[])');
SELECT scope_table('assessment_sheets', 'SELECT, INSERT');
SELECT scope_table('assessment_disputes', 'SELECT, INSERT');
SELECT scope_table('assessment_decisions', 'SELECT, INSERT');

SELECT audit_table('assessment_tables', 'assessment-tables', key => 'organisation, year, version',
    id => '(r ->> ''organisation'') || ''/'' || (r ->> ''year'') || ''/'' || (r ->> ''version'')');
SELECT audit_table('assessment_sheets', 'assessment-sheets', key => 'organisation, period',
    id => '(r ->> ''organisation'') || ''/'' || (r ->> ''period'')');
SELECT audit_table('assessment_disputes', 'assessment-disputes');
SELECT audit_table('assessment_decisions', 'assessment-decisions', key => 'dispute_id', id => 'r ->> ''dispute_id''');
