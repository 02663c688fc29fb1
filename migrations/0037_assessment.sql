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
    case_id      text NOT NULL REFERENCES cases (id),
    case_version integer NOT NULL,
    item         text NOT NULL,
    fact         text NOT NULL,
    reason       text NOT NULL,
    raised_by    text[] NOT NULL,
    raised_name  text NOT NULL,
    raised_at    timestamptz NOT NULL,
    UNIQUE (case_id, case_version, item, fact)
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
