-- Transfer (调拨) and disposal (处置) of vehicles: src/office/vehicles/acts.py. The row is what its thread (vehicle_act_events) comes to.

CREATE TABLE vehicle_acts (
    id              text PRIMARY KEY,
    kind            text NOT NULL CHECK (kind IN ('transfer', 'disposal')),
    organisation    text NOT NULL,              -- whose vehicle it was when it was asked
    to_organisation text REFERENCES organisations (id),
    units           text[] NOT NULL,            -- who reaches one of them sees it: the receiving unit once it is its turn
    vehicle         text NOT NULL REFERENCES vehicles (id),
    vehicle_no      integer NOT NULL,           -- who hands over does not reach the vehicle yet
    plate           text NOT NULL,              -- when it was asked
    number          text NOT NULL UNIQUE,
    state           text NOT NULL,
    version         integer NOT NULL CHECK (version > 0),
    mode            text CHECK (mode IN ('scrap', 'auction', 'buy_back', 'other')),
    effective_on    date,                       -- of a transfer: the first day on which it may be handed over
    open            boolean NOT NULL,
    asked_at        timestamptz NOT NULL,
    done_at         timestamptz,
    CHECK ((kind = 'transfer') = (to_organisation IS NOT NULL) AND (kind = 'disposal') = (mode IS NOT NULL)),
    CHECK (to_organisation <> organisation)
);
COMMENT ON TABLE vehicle_acts IS '调拨、处置: what its thread (vehicle_act_events) comes to.';
CREATE INDEX vehicle_acts_listed ON vehicle_acts (asked_at, id);
CREATE INDEX vehicle_acts_states ON vehicle_acts (state, asked_at, id);
CREATE INDEX vehicle_acts_vehicle ON vehicle_acts (vehicle, asked_at, id);
CREATE INDEX vehicle_acts_units ON vehicle_acts USING gin (units);
-- One at a time.
CREATE UNIQUE INDEX vehicle_acts_open ON vehicle_acts (vehicle) WHERE open;
CREATE TRIGGER vehicle_acts_are_not_removed BEFORE DELETE ON vehicle_acts FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TABLE vehicle_act_events (
    act        text NOT NULL REFERENCES vehicle_acts (id),
    version    integer NOT NULL CHECK (version > 0),
    step       text NOT NULL,
    at         timestamptz NOT NULL,
    actor      text NOT NULL,
    persons    text[] NOT NULL,
    actor_name text NOT NULL,
    body       jsonb NOT NULL,
    PRIMARY KEY (act, version)
);
CREATE TRIGGER vehicle_act_events_stay BEFORE UPDATE OR DELETE ON vehicle_act_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER vehicle_act_events_stay_all BEFORE TRUNCATE ON vehicle_act_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TABLE vehicle_act_numbers (
    organisation text NOT NULL,
    kind         text NOT NULL,
    year         integer NOT NULL,
    last         integer NOT NULL CHECK (last > 0),
    PRIMARY KEY (organisation, kind, year)
);

-- The numbers of dispatches, and the ids of orders of other systems, that still have a vehicle: of whatever unit, for it cannot go while they do.
CREATE FUNCTION vehicle_is_sent(wanted text) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT COALESCE(array_agg(f.number ORDER BY f.number), '{}') FROM (
        SELECT d.number FROM trip_dispatches d WHERE d.vehicle = wanted AND d.holds
        UNION SELECT o.id FROM dispatch_orders o WHERE o.vehicle = wanted AND o.is_current AND (o.status = 'departed' OR o.status = 'approved'
            AND GREATEST(o.planned_return, o.extended_return) > clock_timestamp()) AND NOT EXISTS (SELECT FROM trip_dispatches d WHERE d.id = o.id)
        LIMIT 20) f
$$;
-- A vehicle goes to the unit that receives it: whoever hands over reaches that one alone. Null: not so far, or not his.
CREATE FUNCTION hand_over_vehicle(of_act text) RETURNS text LANGUAGE sql AS $$
    UPDATE vehicles v SET organisation = a.to_organisation, updated_at = clock_timestamp() FROM vehicle_acts a
     WHERE a.id = of_act AND a.kind = 'transfer' AND a.state = 'approved' AND unit_in_reach(a.to_organisation) AND v.id = a.vehicle
       AND v.organisation = a.organisation AND v.disposed_on IS NULL AND a.effective_on <= (clock_timestamp() AT TIME ZONE 'Asia/Shanghai')::date
    RETURNING v.id
$$;
-- Whether there is such a unit: who gives a vehicle away need not reach who receives it.
CREATE FUNCTION unit_is_registered(wanted text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM organisations o WHERE o.id = wanted)
$$;
DO $$
DECLARE
    each text;
BEGIN
    FOREACH each IN ARRAY ARRAY['vehicle_is_sent(text)', 'hand_over_vehicle(text)', 'unit_is_registered(text)'] LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', each, current_schema());
    END LOOP;
END $$;

SELECT scope_table('vehicle_acts', 'SELECT, INSERT, UPDATE', 'units && (SELECT reach_units())::text[]');
SELECT scope_table('vehicle_act_events', 'SELECT, INSERT', 'EXISTS (SELECT FROM vehicle_acts a WHERE a.id = act)');
SELECT scope_table('vehicle_act_numbers', 'SELECT, INSERT, UPDATE');

SELECT audit_table('vehicle_acts', 'vehicle-acts', vehicle => 'r ->> ''vehicle''');

-- Rental of society's vehicles (社会车辆租赁报备): src/office/dispatch/rentals.py. With the proof that no own vehicle could serve, as the planner made it.
CREATE TABLE rental_reports (
    id                text PRIMARY KEY,
    number            text NOT NULL UNIQUE,        -- 报备号
    organisation      text NOT NULL,               -- whose request it is, and who pays
    pool              text NOT NULL,               -- whose dispatchers have found no vehicle
    units             text[] NOT NULL,
    request           text NOT NULL REFERENCES trip_requests (id),
    state             text NOT NULL CHECK (state IN ('reported', 'approved', 'refused', 'withdrawn', 'taken', 'settled')),
    version           integer NOT NULL CHECK (version > 0),
    period_from       timestamptz NOT NULL,
    period_to         timestamptz NOT NULL CHECK (period_to > period_from),
    passengers        integer NOT NULL CHECK (passengers > 0),
    supplier          text NOT NULL,
    contract          text NOT NULL,
    vehicle_class     text NOT NULL,
    seats             integer NOT NULL CHECK (seats > 0),
    reason            text NOT NULL,               -- why public transport is unfit
    ceiling_fen       bigint NOT NULL CHECK (ceiling_fen > 0),
    reported_at       timestamptz NOT NULL,
    reported_by       text NOT NULL,
    reporters         text[] NOT NULL,
    reported_by_name  text NOT NULL,
    decided_at        timestamptz,
    decided_by        text,
    decided_by_name   text,
    decision_reason   text,
    plate             text,
    vehicle           text REFERENCES vehicles (id),
    taken_at          timestamptz,
    taken_by_name     text,
    driver            text,
    insured_fen       bigint CHECK (insured_fen >= 0),
    driven_m          bigint CHECK (driven_m >= 0),
    amount_fen        bigint CHECK (amount_fen > 0),
    cost_entry        text REFERENCES cost_entries (id),
    settled_at        timestamptz,
    settled_by_name   text
);
COMMENT ON TABLE rental_reports IS '社会车辆租赁报备: what was asked, decided, taken and paid; who changed it when is in the audit.';
CREATE INDEX rental_reports_listed ON rental_reports (reported_at, id);
CREATE INDEX rental_reports_states ON rental_reports (state, reported_at, id);
CREATE INDEX rental_reports_units ON rental_reports USING gin (units);
CREATE INDEX rental_reports_plates ON rental_reports (organisation, plate, period_from) WHERE plate IS NOT NULL;
CREATE UNIQUE INDEX rental_reports_of_request ON rental_reports (request) WHERE state NOT IN ('refused', 'withdrawn');
-- What was reported, decided, taken is never changed afterwards: each column is filled once.
CREATE FUNCTION rental_report_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR EXISTS (
        SELECT FROM jsonb_each(to_jsonb(OLD)) o JOIN jsonb_each(to_jsonb(NEW)) n USING (key)
         WHERE o.value IS DISTINCT FROM n.value AND o.value <> 'null'::jsonb AND key NOT IN ('state', 'version')) THEN
        RAISE EXCEPTION 'rental reports are never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER rental_reports_stand BEFORE UPDATE OR DELETE ON rental_reports FOR EACH ROW EXECUTE FUNCTION rental_report_stands();

-- The proofs of a report: of the pool when it was reported, of the unit's own vehicles when it was decided.
CREATE TABLE rental_proofs (
    report    text NOT NULL REFERENCES rental_reports (id),
    number    integer NOT NULL CHECK (number > 0),
    asked_at  timestamptz NOT NULL,
    asked_by  text NOT NULL,
    units     text[] NOT NULL,                     -- whose vehicles were looked at
    looked_at integer NOT NULL CHECK (looked_at >= 0),
    travel    text NOT NULL,                       -- how ways were measured
    unknown   jsonb NOT NULL,                      -- what the register does not say, so that it was not judged
    sha256    bytea NOT NULL CHECK (octet_length(sha256) = 32),
    PRIMARY KEY (report, number)
);
-- Each vehicle that was looked at, with what was in its way. A row a vehicle: one that becomes secret is hidden here as everywhere.
CREATE TABLE rental_proof_vehicles (
    report       text NOT NULL,
    number       integer NOT NULL,
    vehicle      text NOT NULL,
    plate        text NOT NULL,
    organisation text NOT NULL,
    reasons      jsonb NOT NULL,
    PRIMARY KEY (report, number, vehicle),
    FOREIGN KEY (report, number) REFERENCES rental_proofs (report, number)
);
CREATE TRIGGER rental_proofs_stay BEFORE UPDATE OR DELETE ON rental_proofs FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER rental_proofs_stay_all BEFORE TRUNCATE ON rental_proofs FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER rental_proof_vehicles_stay BEFORE UPDATE OR DELETE ON rental_proof_vehicles FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER rental_proof_vehicles_stay_all BEFORE TRUNCATE ON rental_proof_vehicles FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TABLE rental_numbers (
    pool text NOT NULL,
    year integer NOT NULL,
    last integer NOT NULL CHECK (last > 0),
    PRIMARY KEY (pool, year)
);

SELECT scope_table('rental_reports', 'SELECT, INSERT, UPDATE', 'units && (SELECT reach_units())::text[]');
SELECT scope_table('rental_proofs', 'SELECT, INSERT', 'EXISTS (SELECT FROM rental_reports r WHERE r.id = report)');
SELECT scope_table('rental_proof_vehicles', 'SELECT, INSERT', 'EXISTS (SELECT FROM rental_reports r WHERE r.id = report)');
SELECT scope_table('rental_numbers', 'SELECT, INSERT, UPDATE', 'pool = ANY ((SELECT reach_units())::text[])');
SELECT audit_table('rental_reports', 'rental-reports', vehicle => 'r ->> ''vehicle''');

-- Notices and publications (信息发布): src/office/notices. Frozen with their hash; one that should not be there is withdrawn, never removed.
CREATE TABLE notices (
    id                text PRIMARY KEY,
    number            text NOT NULL UNIQUE,
    organisation      text NOT NULL,               -- who publishes
    units             text[] NOT NULL,             -- for whom: these units, and those below them when it was published
    roles             text[] NOT NULL,             -- for whom among them; empty: all
    kind              text NOT NULL CHECK (kind IN ('notice', 'disposals', 'rentals')),
    title             text NOT NULL,
    body              text NOT NULL,
    valid_to          date,                        -- the last day on which it is shown among those that hold; null: for ever
    pinned            boolean NOT NULL,
    receipt           boolean NOT NULL,            -- 需回执
    columns           text[] NOT NULL,             -- of a publication's rows
    rows              integer NOT NULL CHECK (rows >= 0),
    sha256            bytea NOT NULL CHECK (octet_length(sha256) = 32),
    published_at      timestamptz NOT NULL,
    published_by      text NOT NULL,
    published_by_name text NOT NULL,
    withdrawn_at      timestamptz,
    withdrawn_by      text,
    withdrawn_by_name text,
    withdraw_reason   text
);
COMMENT ON TABLE notices IS '通知、公示: frozen when they are published; withdrawn, never removed.';
CREATE INDEX notices_listed ON notices (published_at, id);
CREATE INDEX notices_kinds ON notices (kind, published_at, id);
CREATE INDEX notices_units ON notices USING gin (units);
CREATE FUNCTION notice_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.withdrawn_at IS NOT NULL
       OR (to_jsonb(OLD) - '{withdrawn_at,withdrawn_by,withdrawn_by_name,withdraw_reason}'::text[])
          IS DISTINCT FROM (to_jsonb(NEW) - '{withdrawn_at,withdrawn_by,withdrawn_by_name,withdraw_reason}'::text[]) THEN
        RAISE EXCEPTION 'notices are never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER notices_stand BEFORE UPDATE OR DELETE ON notices FOR EACH ROW EXECUTE FUNCTION notice_stands();
-- The rows of a publication, one a vehicle: one that becomes secret later is hidden here as everywhere.
CREATE TABLE notice_rows (
    notice  text NOT NULL REFERENCES notices (id),
    no      integer NOT NULL CHECK (no > 0),
    vehicle text NOT NULL,
    cells   text[] NOT NULL,
    PRIMARY KEY (notice, no)
);
CREATE TRIGGER notice_rows_stay BEFORE UPDATE OR DELETE ON notice_rows FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER notice_rows_stay_all BEFORE TRUNCATE ON notice_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
-- Who has read a notice, and who has confirmed that he did. Each time is written once.
CREATE TABLE notice_receipts (
    notice       text NOT NULL REFERENCES notices (id),
    person       text NOT NULL,
    person_name  text NOT NULL,
    organisation text NOT NULL,                    -- for which unit
    read_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    confirmed_at timestamptz,
    PRIMARY KEY (notice, organisation, person)
);
CREATE INDEX notice_receipts_listed ON notice_receipts (notice, read_at, person);
CREATE FUNCTION notice_receipt_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.confirmed_at IS NOT NULL OR (to_jsonb(OLD) - 'confirmed_at') IS DISTINCT FROM (to_jsonb(NEW) - 'confirmed_at') THEN
        RAISE EXCEPTION 'receipts are never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER notice_receipts_stand BEFORE UPDATE OR DELETE ON notice_receipts FOR EACH ROW EXECUTE FUNCTION notice_receipt_stands();
CREATE TABLE notice_numbers (
    organisation text NOT NULL,
    year         integer NOT NULL,
    last         integer NOT NULL CHECK (last > 0),
    PRIMARY KEY (organisation, year)
);

-- Whether a text names a secret vehicle: by a plate that it has or had, with or without dot and spaces, or by its id where no letter or digit is beside it.
-- Which one is not told.
CREATE FUNCTION names_a_secret(said text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM vehicles v WHERE v.secret AND (
            said ~ ('(?:^|[^0-9A-Za-z_-])' || regexp_replace(v.id, '([][(){}.*+?^$|\\])', '\\\1', 'g') || '(?:$|[^0-9A-Za-z_-])')
            OR EXISTS (SELECT FROM (SELECT v.plate UNION SELECT p.plate FROM vehicle_plates p WHERE p.vehicle_no = v.no) h
                        WHERE h.plate <> '' AND strpos(upper(regexp_replace(said, '[[:space:]·•.．-]', '', 'g')), upper(h.plate)) > 0)))
$$;
-- Those of some units that the subject of the transaction reaches.
CREATE FUNCTION within_reach(asked text[]) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT COALESCE(array_agg(u.unit ORDER BY u.unit), '{}') FROM unnest(asked) AS u (unit) WHERE unit_in_reach(u.unit)
$$;
DO $$
DECLARE
    each text;
BEGIN
    FOREACH each IN ARRAY ARRAY['names_a_secret(text)', 'within_reach(text[])'] LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', each, current_schema());
    END LOOP;
END $$;

SELECT scope_table('notices', 'SELECT, INSERT, UPDATE',
    'units && (SELECT reach_units())::text[] OR organisation = ANY ((SELECT reach_units())::text[])',
    'organisation = ANY ((SELECT reach_units())::text[])');
SELECT scope_table('notice_rows', 'SELECT, INSERT', 'EXISTS (SELECT FROM notices n WHERE n.id = notice)');
SELECT scope_table('notice_receipts', 'SELECT, INSERT, UPDATE');
SELECT scope_table('notice_numbers', 'SELECT, INSERT, UPDATE');
SELECT audit_table('notices', 'notices');
