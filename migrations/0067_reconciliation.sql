-- Whether the finance system has booked what the ledger and the statements say: src/office/costs/reconciling. Money is integer 分.
--
-- What a unit's finance system calls things, in versions; the newest one counts, for the units below as well.
CREATE TABLE voucher_mappings (
    organisation text NOT NULL,
    version      integer NOT NULL CHECK (version > 0),
    body         jsonb NOT NULL,
    made_by      text NOT NULL,
    made_by_name text NOT NULL,
    made_at      timestamptz NOT NULL,
    PRIMARY KEY (organisation, version)
);

-- A run is frozen: what went in (as hashes and parameters) and what came out.
CREATE TABLE reconciliations (
    id            text PRIMARY KEY,
    organisation  text NOT NULL,
    since         text NOT NULL CHECK (since ~ '^20[0-9]{2}(0[1-9]|1[0-2])$'),
    until         text NOT NULL CHECK (until ~ '^20[0-9]{2}(0[1-9]|1[0-2])$' AND until >= since),
    made_at       timestamptz NOT NULL,
    made_by       text NOT NULL,
    made_by_name  text NOT NULL,
    source        text NOT NULL,
    file_sha256   text NOT NULL,
    file_bytes    bigint NOT NULL,
    items_sha256  text NOT NULL,                -- of what the platform expected to be booked
    result_sha256 text NOT NULL,                -- of all lines
    parameters    jsonb NOT NULL,               -- the mapping as it was used, the accounts that counted, the version of the matching
    counts        jsonb NOT NULL                -- rows that were left out, and lines by side and outcome
);
COMMENT ON TABLE reconciliations IS '对账: a file of vouchers against the ledger and the statements of a unit and those below it.';
CREATE INDEX reconciliations_listed ON reconciliations (made_at DESC, id);
CREATE INDEX reconciliations_of_units ON reconciliations (organisation, made_at DESC, id);

CREATE TABLE reconciliation_lines (
    reconciliation  text NOT NULL REFERENCES reconciliations (id),
    no              integer NOT NULL CHECK (no > 0),
    side            text NOT NULL CHECK (side IN ('finance', 'platform')),
    organisation    text NOT NULL,
    item            text,                       -- of the platform's side: the statement or the line of the ledger
    outcome         text NOT NULL,              -- as the run found it
    flaws           text[] NOT NULL,            -- all that is wrong, the gravest first
    step            text,                       -- by what it was matched
    peers           integer[] NOT NULL,         -- the lines that it was matched with; of an undecided one those that it may belong to
    amount_fen      bigint NOT NULL,
    body            jsonb NOT NULL,
    standing        text NOT NULL,              -- the outcome now
    act             integer,                    -- the act that it is so by; null: the run
    PRIMARY KEY (reconciliation, no),
    CHECK ((side = 'platform') = (item IS NOT NULL))
);
CREATE INDEX reconciliation_lines_standing ON reconciliation_lines (reconciliation, standing, no);
CREATE INDEX reconciliation_lines_item ON reconciliation_lines (item) WHERE item IS NOT NULL;
CREATE INDEX reconciliation_lines_act ON reconciliation_lines (reconciliation, act) WHERE act IS NOT NULL;
CREATE FUNCTION reconciliation_line_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(OLD) - '{standing,act}'::text[] IS DISTINCT FROM to_jsonb(NEW) - '{standing,act}'::text[] THEN
        RAISE EXCEPTION 'what a reconciliation found is never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reconciliation_lines_stand BEFORE UPDATE OR DELETE ON reconciliation_lines FOR EACH ROW EXECUTE FUNCTION reconciliation_line_stands();

-- What people matched by hand, or released from a match, and why.
CREATE TABLE reconciliation_acts (
    reconciliation text NOT NULL REFERENCES reconciliations (id),
    version        integer NOT NULL CHECK (version > 0),
    step           text NOT NULL CHECK (step IN ('match', 'release')),
    at             timestamptz NOT NULL,
    actor          text NOT NULL,
    persons        text[] NOT NULL,
    actor_name     text NOT NULL,
    address        text NOT NULL DEFAULT '',
    device         text NOT NULL DEFAULT '',
    body           jsonb NOT NULL,
    PRIMARY KEY (reconciliation, version)
);

CREATE INDEX cost_entries_booked ON cost_entries (organisation, period);

DO $$
DECLARE
    each text;
BEGIN
    FOREACH each IN ARRAY ARRAY['voucher_mappings', 'reconciliations', 'reconciliation_acts'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', each || '_stay', each);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', each || '_stay_all', each);
    END LOOP;
END $$;

SELECT scope_table('voucher_mappings', 'SELECT, INSERT',
    'organisation = ANY ((SELECT reach_units())::text[]) OR organisation = ANY ((SELECT reach_above())::text[])',
    'organisation = ANY ((SELECT reach_units())::text[])');
SELECT scope_table('reconciliations', 'SELECT, INSERT');
SELECT scope_table('reconciliation_lines', 'SELECT, INSERT, UPDATE', 'EXISTS (SELECT FROM reconciliations r WHERE r.id = reconciliation)');
SELECT scope_table('reconciliation_acts', 'SELECT, INSERT', 'EXISTS (SELECT FROM reconciliations r WHERE r.id = reconciliation)');

SELECT audit_table('voucher_mappings', 'voucher-mappings', 'organisation, version', 'r ->> ''organisation''');
SELECT audit_table('reconciliations', 'reconciliations');
SELECT audit_table('reconciliation_acts', 'reconciliation-acts', 'reconciliation, version', 'r ->> ''reconciliation''',
    '(SELECT c.organisation FROM reconciliations c WHERE c.id = r ->> ''reconciliation'')');

-- Whether a run of other months has matched it already: it cannot be booked twice.
CREATE FUNCTION booked_elsewhere(wanted text, since text, until text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT EXISTS (SELECT FROM reconciliation_lines l JOIN reconciliations r ON r.id = l.reconciliation
        WHERE l.item = wanted AND l.standing IN ('matched', 'amount', 'period', 'subject')
          AND (r.until < booked_elsewhere.since OR r.since > booked_elsewhere.until))
$$;
-- What of the ledger should be booked, within the reach: also costs of secret vehicles, of which no vehicle is told and which say that they are.
CREATE FUNCTION reconcilable_entries(units text[], since text, until text) RETURNS TABLE (
    id text, organisation text, entry_no text, invoice_no text, kind text, budget_class text, vendor text, amount_fen bigint, period text,
    occurred_on date, reverses text, secret boolean)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT e.id, e.organisation, e.entry_no, e.invoice_no, e.kind, e.budget_class, e.vendor, e.amount_fen, e.period, e.occurred_on, e.reverses,
           COALESCE(v.secret, false)
      FROM cost_entries e LEFT JOIN vehicles v ON v.id = e.vehicle
     WHERE e.organisation IN (SELECT unnest(assessed_units(units))) AND e.payer = 'unit'
       AND e.period BETWEEN reconcilable_entries.since AND reconcilable_entries.until
$$;
-- The same of statements, with the name of the platform, which a unit may not reach.
CREATE FUNCTION reconcilable_statements(units text[], since text, until text) RETURNS TABLE (
    id text, number text, organisation text, platform text, platform_name text, period text, state text, total_fen bigint, settled_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT s.id, s.number, s.organisation, s.platform, COALESCE(o.name, s.platform), s.period, s.state, s.total_fen, COALESCE(s.confirmed_at, s.drawn_at)
      FROM cost_statements s LEFT JOIN organisations o ON o.id = s.platform
     WHERE s.organisation IN (SELECT unnest(assessed_units(units))) AND s.organisation <> s.platform AND s.state <> 'void' AND s.total_fen <> 0
       AND s.period BETWEEN reconcilable_statements.since AND reconcilable_statements.until
$$;
DO $$
DECLARE
    each text;
BEGIN
    FOREACH each IN ARRAY ARRAY['booked_elsewhere(text, text, text)', 'reconcilable_entries(text[], text, text)', 'reconcilable_statements(text[], text, text)'] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', each, current_schema());
    END LOOP;
END $$;

-- What people did by hand is chained (migrations/0038_integrity.sql), and so is what each run found.
SELECT seal_table('reconciliations', 'reconciliations', 'n.id', 'n.made_at');
SELECT seal_table('reconciliation_acts', 'reconciliation_acts', 'n.reconciliation, n.version', 'n.at');
