-- What vehicles cost and who pays for trips: src/office/costs. Money is integer 分.
--
-- The ledger: a line is what its newest version says. Versions are never changed; a line that should not be there is reversed by another
-- one with the opposite amount (冲正).
CREATE TABLE cost_entries (
    id             text PRIMARY KEY,
    organisation   text NOT NULL,
    entry_no       text,                        -- the unit's own number
    kind           text NOT NULL,
    vehicle        text NOT NULL,
    dispatch       text,
    driver         text,
    occurred_on    date NOT NULL,
    period         text NOT NULL CHECK (period ~ '^20[0-9]{2}(0[1-9]|1[0-2])$'),
    quantity       bigint CHECK (quantity >= 0),
    unit_price_fen bigint CHECK (unit_price_fen >= 0),
    amount_fen     bigint NOT NULL CHECK (amount_fen <> 0),
    vendor         text NOT NULL DEFAULT '',
    designated     boolean,                     -- whether the vendor is a designated one; null: no list says so
    invoice_code   text NOT NULL DEFAULT '',
    invoice_no     text NOT NULL DEFAULT '',
    payer          text NOT NULL CHECK (payer IN ('unit', 'driver', 'insurer')),
    finding        text,                        -- what is wrong with who paid
    budget_class   text NOT NULL DEFAULT '',
    source         text NOT NULL CHECK (source IN ('entered', 'file', 'reversal')),
    reverses       text UNIQUE REFERENCES cost_entries (id),
    reversed_by    text UNIQUE,
    version        integer NOT NULL CHECK (version > 0),
    created_at     timestamptz NOT NULL
);
COMMENT ON TABLE cost_entries IS '费用台账: what the versions of each line (cost_entry_versions) come to.';
-- An invoice is booked once, by whichever unit; after a reversal it may be booked again. A reversal has none.
CREATE UNIQUE INDEX cost_entries_invoice ON cost_entries (invoice_no, invoice_code) WHERE invoice_no <> '' AND reversed_by IS NULL;
CREATE UNIQUE INDEX cost_entries_number ON cost_entries (organisation, entry_no) WHERE entry_no IS NOT NULL;
CREATE INDEX cost_entries_listed ON cost_entries (occurred_on DESC, id);
CREATE INDEX cost_entries_of_units ON cost_entries (organisation, occurred_on DESC, id);
CREATE INDEX cost_entries_vehicle ON cost_entries (vehicle, occurred_on DESC, id);
CREATE INDEX cost_entries_kind ON cost_entries (kind, occurred_on DESC, id);
CREATE INDEX cost_entries_period ON cost_entries (period, occurred_on DESC, id);
CREATE INDEX cost_entries_dispatch ON cost_entries (dispatch) WHERE dispatch IS NOT NULL;
CREATE INDEX cost_entries_finding ON cost_entries (occurred_on DESC, id) WHERE finding IS NOT NULL;

CREATE TABLE cost_entry_versions (
    entry      text NOT NULL REFERENCES cost_entries (id),
    version    integer NOT NULL CHECK (version > 0),
    step       text NOT NULL CHECK (step IN ('enter', 'correct', 'reverse')),
    at         timestamptz NOT NULL,
    actor      text NOT NULL,
    actor_name text NOT NULL,
    address    text NOT NULL DEFAULT '',
    body       jsonb NOT NULL,                  -- the line as it says from this version on, the reason, the file it came in
    PRIMARY KEY (entry, version)
);

-- Tariffs of platforms, in versions. One holds from a day on, until the next one does.
CREATE TABLE tariffs (
    organisation text NOT NULL,                 -- the platform
    version      integer NOT NULL CHECK (version > 0),
    body         jsonb NOT NULL,
    made_by      text NOT NULL,
    made_by_name text NOT NULL,
    made_at      timestamptz NOT NULL,
    valid_from   date,                          -- null: a draft
    activated_by_name text,
    activated_at timestamptz,
    PRIMARY KEY (organisation, version),
    CHECK ((valid_from IS NULL) = (activated_at IS NULL))
);
CREATE UNIQUE INDEX tariffs_valid ON tariffs (organisation, valid_from) WHERE valid_from IS NOT NULL;
CREATE FUNCTION tariff_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.valid_from IS NOT NULL OR (OLD.organisation, OLD.version, OLD.body, OLD.made_by, OLD.made_by_name, OLD.made_at)
       IS DISTINCT FROM (NEW.organisation, NEW.version, NEW.body, NEW.made_by, NEW.made_by_name, NEW.made_at) THEN
        RAISE EXCEPTION 'versions of tariffs are never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tariffs_stand BEFORE UPDATE OR DELETE ON tariffs FOR EACH ROW EXECUTE FUNCTION tariff_stands();

-- What a person says of a trip before it is settled; the newest version counts.
CREATE TABLE trip_cost_facts (
    dispatch_id text NOT NULL REFERENCES trip_dispatches (id),
    version     integer NOT NULL CHECK (version > 0),
    units       text[] NOT NULL,
    vehicle     text NOT NULL,
    body        jsonb NOT NULL,
    made_by     text NOT NULL,
    made_by_name text NOT NULL,
    made_at     timestamptz NOT NULL,
    PRIMARY KEY (dispatch_id, version)
);
-- The price of a trip as it was settled, with every request's share of it.
CREATE TABLE trip_prices (
    dispatch_id    text NOT NULL REFERENCES trip_dispatches (id),
    version        integer NOT NULL CHECK (version > 0),
    units          text[] NOT NULL,
    vehicle        text NOT NULL,
    platform       text NOT NULL,
    tariff_version integer NOT NULL,
    body           jsonb NOT NULL,
    made_at        timestamptz NOT NULL,
    PRIMARY KEY (dispatch_id, version),
    FOREIGN KEY (platform, tariff_version) REFERENCES tariffs (organisation, version)
);

CREATE TABLE cost_statements (
    id             text PRIMARY KEY,
    number         text NOT NULL UNIQUE,
    organisation   text NOT NULL,               -- the unit that used the vehicles
    platform       text NOT NULL,
    units          text[] NOT NULL,
    period         text NOT NULL CHECK (period ~ '^20[0-9]{2}(0[1-9]|1[0-2])$'),
    take           integer NOT NULL CHECK (take > 0),     -- 1; after a void one the next
    state          text NOT NULL,
    version        integer NOT NULL CHECK (version > 0),
    total_fen      bigint NOT NULL,
    lines          integer NOT NULL CHECK (lines > 0),
    by_cost_centre jsonb NOT NULL,              -- {cost centre: fen}; their sum is the total
    tariff_versions integer[] NOT NULL,
    object_by      timestamptz NOT NULL,
    objected       boolean NOT NULL DEFAULT false,
    made_by        text[] NOT NULL,             -- who drew or corrected it: they do not confirm it
    drawn_at       timestamptz NOT NULL,
    confirmed_at   timestamptz,
    silent         boolean NOT NULL DEFAULT false,        -- 默认确认
    paid_at        timestamptz,
    payment_ref    text,
    received_at    timestamptz,
    UNIQUE (organisation, platform, period, take)
);
COMMENT ON TABLE cost_statements IS '结算单, per unit, platform and month: what its thread (cost_statement_events) comes to.';
CREATE UNIQUE INDEX cost_statements_one ON cost_statements (organisation, platform, period) WHERE state <> 'void';
CREATE INDEX cost_statements_listed ON cost_statements (period DESC, id);
CREATE INDEX cost_statements_of_units ON cost_statements (organisation, period DESC, id);
CREATE INDEX cost_statements_of_platforms ON cost_statements (platform, period DESC, id);
CREATE INDEX cost_statements_states ON cost_statements (state, period DESC, id);

CREATE TABLE cost_statement_events (
    statement  text NOT NULL REFERENCES cost_statements (id),
    version    integer NOT NULL CHECK (version > 0),
    step       text NOT NULL,
    at         timestamptz NOT NULL,
    actor      text NOT NULL,
    persons    text[] NOT NULL,
    actor_name text NOT NULL,
    address    text NOT NULL DEFAULT '',
    device     text NOT NULL DEFAULT '',
    body       jsonb NOT NULL,
    PRIMARY KEY (statement, version)
);

-- Lines are frozen. A line that corrects one of a statement that is confirmed already belongs to none until the next one takes it.
CREATE TABLE cost_statement_lines (
    no           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    statement    text REFERENCES cost_statements (id),
    organisation text NOT NULL,
    platform     text NOT NULL,
    units        text[] NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('trip', 'reversal', 'corrected')),
    dispatch_id  text NOT NULL,
    request_id   text NOT NULL,
    vehicle      text NOT NULL,
    price_version integer NOT NULL,
    corrects     bigint REFERENCES cost_statement_lines (no),
    amount_fen   bigint NOT NULL,
    cost_centre  text NOT NULL,
    body         jsonb NOT NULL,
    made_at      timestamptz NOT NULL,
    CHECK ((kind = 'trip') = (corrects IS NULL))
);
CREATE INDEX cost_statement_lines_of ON cost_statement_lines (statement, no);
CREATE UNIQUE INDEX cost_statement_lines_corrected ON cost_statement_lines (corrects, kind) WHERE corrects IS NOT NULL;
CREATE INDEX cost_statement_lines_waiting ON cost_statement_lines (platform, organisation) WHERE statement IS NULL;
CREATE FUNCTION statement_line_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.kind <> 'trip' AND to_jsonb(OLD) - 'statement' = to_jsonb(NEW) - 'statement'
       AND (OLD.statement IS NULL OR (NEW.statement IS NULL AND EXISTS (SELECT FROM cost_statements s WHERE s.id = OLD.statement AND s.state = 'void'))) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'lines of statements are never changed' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER cost_statement_lines_stand BEFORE UPDATE OR DELETE ON cost_statement_lines FOR EACH ROW EXECUTE FUNCTION statement_line_stands();

-- Which statement a request's share of a trip is in: never two. Null: that one is void, and the next one takes it.
CREATE TABLE cost_claims (
    dispatch_id   text NOT NULL REFERENCES trip_dispatches (id),
    request_id    text NOT NULL REFERENCES trip_requests (id),
    organisation  text NOT NULL,
    platform      text NOT NULL,
    units         text[] NOT NULL,
    statement     text REFERENCES cost_statements (id),
    price_version integer NOT NULL,
    PRIMARY KEY (dispatch_id, request_id)
);
CREATE INDEX cost_claims_released ON cost_claims (platform, organisation) WHERE statement IS NULL;
CREATE INDEX cost_claims_of ON cost_claims (statement);

CREATE INDEX trip_requests_to_settle ON trip_requests (pool, organisation) WHERE state = 'confirmed';

DO $$
DECLARE
    each text;
BEGIN
    FOREACH each IN ARRAY ARRAY['cost_entry_versions', 'cost_statement_events', 'trip_cost_facts', 'trip_prices'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', each || '_stay', each);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', each || '_stay_all', each);
    END LOOP;
    FOREACH each IN ARRAY ARRAY['cost_entries', 'cost_statements'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', each || '_are_not_removed', each);
    END LOOP;
END $$;

SELECT scope_table('cost_entries', 'SELECT, INSERT, UPDATE');
SELECT scope_table('cost_entry_versions', 'SELECT, INSERT', 'EXISTS (SELECT FROM cost_entries e WHERE e.id = entry)');
SELECT scope_table('tariffs', 'SELECT, INSERT, UPDATE',
    'organisation = ANY ((SELECT reach_units())::text[]) OR organisation = ANY ((SELECT reach_above())::text[])',
    'organisation = ANY ((SELECT reach_units())::text[])');
SELECT scope_table('trip_cost_facts', 'SELECT, INSERT', 'units && (SELECT reach_units())::text[]');
SELECT scope_table('trip_prices', 'SELECT, INSERT', 'units && (SELECT reach_units())::text[]');
SELECT scope_table('cost_statements', 'SELECT, INSERT, UPDATE', 'units && (SELECT reach_units())::text[]');
SELECT scope_table('cost_statement_events', 'SELECT, INSERT', 'EXISTS (SELECT FROM cost_statements s WHERE s.id = statement)');
SELECT scope_table('cost_statement_lines', 'SELECT, INSERT, UPDATE', 'units && (SELECT reach_units())::text[]');
SELECT scope_table('cost_claims', 'SELECT, INSERT, UPDATE', 'units && (SELECT reach_units())::text[]');

SELECT audit_table('cost_entries', 'cost-entries', vehicle => 'r ->> ''vehicle''');
SELECT audit_table('tariffs', 'tariffs', 'organisation, version', 'r ->> ''organisation''');
SELECT audit_table('cost_statements', 'statements');
SELECT audit_table('trip_cost_facts', 'trip-cost-facts', 'dispatch_id, version', 'r ->> ''dispatch_id''', 'NULL::text', 'r ->> ''vehicle''');

-- An invoice of a unit that one does not reach is booked all the same: that it is, is told, not by whom.
CREATE FUNCTION invoice_is_booked(code text, number text, beside text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT EXISTS (SELECT FROM cost_entries e WHERE e.invoice_no = number AND e.invoice_code = code AND number <> '' AND e.reversed_by IS NULL AND e.id <> beside)
$$;
-- What of a trip stands in records of the vehicle's unit, which the platform may not reach: its category, its track, what it cost on the way.
CREATE FUNCTION driven_facts(wanted text[]) RETURNS TABLE (id text, category text, waits boolean, track_mm bigint, charges jsonb)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT d.id, v.category, r.state IS NOT NULL AND NOT f.settled,
           CASE WHEN f.settled AND r.fixes > 0 AND 2 * r.bridged_mm <= r.mileage_mm THEN r.mileage_mm END,
           (SELECT jsonb_object_agg(c.kind, c.fen) FROM (
               SELECT e.kind, sum(e.amount_fen)::bigint AS fen FROM cost_entries e WHERE e.dispatch = d.id AND e.payer = 'unit' GROUP BY e.kind) c)
      FROM trip_dispatches d JOIN vehicles v ON v.id = d.vehicle
      LEFT JOIN current_dispatch_orders o ON o.id = d.id
      LEFT JOIN order_results r ON r.order_id = d.id AND r.vehicle_no = d.vehicle_no
      CROSS JOIN LATERAL (SELECT COALESCE(r.state = 'settled' AND r.order_version = o.version, false) AS settled) f
     WHERE d.id = ANY (wanted)
$$;
-- SHA-256 of the lines of a statement, whoever asks, also those of secret vehicles: each event of its thread has it, and threads are chained.
CREATE FUNCTION statement_digest(wanted text) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT encode(sha256(convert_to(COALESCE(string_agg(jsonb_build_array(l.no, l.kind, l.dispatch_id, l.request_id, l.corrects, l.amount_fen, l.cost_centre,
        l.body)::text, E'\n' ORDER BY l.no), ''), 'UTF8')), 'hex') FROM cost_statement_lines l WHERE l.statement = wanted
$$;
DO $$
DECLARE
    each text;
BEGIN
    FOREACH each IN ARRAY ARRAY['invoice_is_booked(text, text, text)', 'driven_facts(text[])', 'statement_digest(text)', 'statement_line_stands()'] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', each, current_schema());
    END LOOP;
END $$;

-- The threads are chained (migrations/0038_integrity.sql).
SELECT seal_table('cost_entry_versions', 'cost_entries', 'n.entry, n.version', 'n.at');
SELECT seal_table('cost_statement_events', 'statements', 'n.statement, n.version', 'n.at');
