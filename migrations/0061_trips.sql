-- Requests for a vehicle (申请单) and dispatches (派车单): src/office/requests, src/office/dispatch.
--
-- Both are threads that are only added to; the rows below are what the threads come to, written in the transaction of each event.
-- ``units``: who reaches one of them sees the row. It names the applicant's unit, the unit whose dispatchers assign, and the units of the vehicles.

CREATE TABLE trip_requests (
    id                text PRIMARY KEY,
    organisation      text NOT NULL,              -- of who needs the vehicle
    pool              text NOT NULL,              -- whose dispatchers assign one
    units             text[] NOT NULL,
    number            text UNIQUE,                -- null: never submitted
    kind              text NOT NULL CHECK (kind IN ('normal', 'emergency', 'backfill')),
    state             text NOT NULL,
    version           integer NOT NULL CHECK (version > 0),
    category          text NOT NULL,
    purpose           text NOT NULL,
    passengers        integer NOT NULL CHECK (passengers > 0),
    applicant_name    text NOT NULL,
    persons           text[] NOT NULL,            -- whose it is: user:7
    deciders          text[],                     -- who may decide now; empty = whoever has the right; null = nothing is to be decided
    approver_name     text,
    planned_departure timestamptz NOT NULL,
    planned_return    timestamptz NOT NULL CHECK (planned_return > planned_departure),
    created_at        timestamptz NOT NULL,
    submitted_at      timestamptz,
    approved_at       timestamptz,
    paper_due         timestamptz,                -- of a vehicle that drove first
    paper_late        boolean NOT NULL DEFAULT false,
    against           text,                       -- expired: against whom it counts
    rating            smallint CHECK (rating BETWEEN 1 AND 5),
    look_at           timestamptz                 -- when the clock has something to do; null: nothing
);
COMMENT ON TABLE trip_requests IS '用车申请单: what its thread (trip_request_events) comes to.';
CREATE INDEX trip_requests_listed ON trip_requests (created_at DESC, id);
CREATE INDEX trip_requests_of_units ON trip_requests (organisation, created_at DESC, id);
CREATE INDEX trip_requests_states ON trip_requests (state, created_at DESC, id);
CREATE INDEX trip_requests_pools ON trip_requests (pool, state, planned_departure) WHERE state IN ('waiting', 'no_vehicle');
CREATE INDEX trip_requests_persons ON trip_requests USING gin (persons);
CREATE INDEX trip_requests_deciders ON trip_requests USING gin (deciders) WHERE deciders IS NOT NULL;
CREATE INDEX trip_requests_late ON trip_requests (created_at DESC, id) WHERE paper_late;
CREATE INDEX trip_requests_driven ON trip_requests (created_at) WHERE kind <> 'normal';
CREATE INDEX trip_requests_look ON trip_requests (look_at, id) WHERE look_at IS NOT NULL;

CREATE TABLE trip_dispatches (
    id                text PRIMARY KEY,           -- the id of its order in dispatch_orders as well
    organisation      text NOT NULL,              -- of the vehicle
    pool              text NOT NULL,
    units             text[] NOT NULL,
    number            text NOT NULL UNIQUE,
    kind              text NOT NULL CHECK (kind IN ('normal', 'emergency', 'backfill')),
    state             text NOT NULL,
    version           integer NOT NULL CHECK (version > 0),
    vehicle           text NOT NULL,
    vehicle_no        integer NOT NULL,
    plate             text NOT NULL,              -- when it was assigned
    driver            text,
    driver_name       text,
    driver_phone      text,
    driver_user       text,                       -- users.id
    planned_departure timestamptz NOT NULL,
    planned_return    timestamptz NOT NULL CHECK (planned_return > planned_departure),
    extended_return   timestamptz,
    actual_departure  timestamptz,
    actual_return     timestamptz CHECK (actual_return > actual_departure),
    odometer_out_m    bigint CHECK (odometer_out_m >= 0),
    odometer_in_m     bigint CHECK (odometer_in_m >= odometer_out_m),
    proposed_departure timestamptz,               -- as the track shows it; people confirm it
    proposed_return   timestamptz,
    overdue_at        timestamptz,
    listed            boolean NOT NULL DEFAULT false,   -- overdue for so long that it is proposed for supervision
    late_change       boolean NOT NULL DEFAULT false,   -- a change after the fact waits for an approver
    holds             boolean NOT NULL,           -- nobody else gets its vehicle and its driver
    order_due         boolean NOT NULL DEFAULT false,   -- the clock has to write the version of its order: who acted does not reach the vehicle
    created_at        timestamptz NOT NULL,
    look_at           timestamptz,
    CONSTRAINT one_trip_of_vehicle EXCLUDE USING gist (int8range(vehicle_no, vehicle_no, '[]') WITH &&,
        tstzrange(planned_departure, GREATEST(planned_return, extended_return)) WITH &&) WHERE (holds),
    CONSTRAINT one_trip_of_driver EXCLUDE USING gist (int8range(hashtextextended(driver, 0), hashtextextended(driver, 0), '[]') WITH &&,
        text_range(driver, driver, '[]') WITH &&,
        tstzrange(planned_departure, GREATEST(planned_return, extended_return)) WITH &&) WHERE (holds AND driver IS NOT NULL)
);
COMMENT ON TABLE trip_dispatches IS '派车单: what its thread (trip_dispatch_events) comes to; each version of it that rules are to know is one of dispatch_orders.';
CREATE INDEX trip_dispatches_listed ON trip_dispatches (created_at DESC, id);
CREATE INDEX trip_dispatches_of_units ON trip_dispatches (organisation, planned_departure DESC, id);
CREATE INDEX trip_dispatches_planned ON trip_dispatches (planned_departure DESC, id);
CREATE INDEX trip_dispatches_states ON trip_dispatches (state, planned_departure DESC, id);
CREATE INDEX trip_dispatches_vehicle ON trip_dispatches (vehicle, planned_departure DESC, id);
CREATE INDEX trip_dispatches_driver_user ON trip_dispatches (driver_user, planned_departure DESC, id) WHERE driver_user IS NOT NULL;
CREATE INDEX trip_dispatches_overdue ON trip_dispatches (planned_departure DESC, id) WHERE listed;
CREATE INDEX trip_dispatches_look ON trip_dispatches (look_at, id) WHERE look_at IS NOT NULL;
CREATE INDEX trip_dispatches_order_due ON trip_dispatches (id) WHERE order_due;

-- Which requests a dispatch carries. A request that was cancelled stays here: what was is not forgotten.
CREATE TABLE trip_links (
    dispatch_id text NOT NULL REFERENCES trip_dispatches (id),
    request_id  text NOT NULL REFERENCES trip_requests (id),
    PRIMARY KEY (dispatch_id, request_id)
);
CREATE INDEX trip_links_requests ON trip_links (request_id);

CREATE TABLE trip_request_events (
    paper      text NOT NULL REFERENCES trip_requests (id),
    version    integer NOT NULL CHECK (version > 0),
    step       text NOT NULL,
    at         timestamptz NOT NULL,
    actor      text NOT NULL,                     -- who did it: user:7; '' = the program by itself
    persons    text[] NOT NULL,                   -- whose act it is: the actor, and by whom the right was delegated
    actor_name text NOT NULL,
    address    text NOT NULL DEFAULT '',
    device     text NOT NULL DEFAULT '',
    body       jsonb NOT NULL,
    PRIMARY KEY (paper, version)
);
CREATE TABLE trip_dispatch_events (
    paper      text NOT NULL REFERENCES trip_dispatches (id),
    version    integer NOT NULL CHECK (version > 0),
    step       text NOT NULL,
    at         timestamptz NOT NULL,
    actor      text NOT NULL,
    persons    text[] NOT NULL,
    actor_name text NOT NULL,
    address    text NOT NULL DEFAULT '',
    device     text NOT NULL DEFAULT '',
    body       jsonb NOT NULL,
    PRIMARY KEY (paper, version)
);
CREATE TRIGGER trip_request_events_stay BEFORE UPDATE OR DELETE ON trip_request_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER trip_request_events_stay_all BEFORE TRUNCATE ON trip_request_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER trip_dispatch_events_stay BEFORE UPDATE OR DELETE ON trip_dispatch_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER trip_dispatch_events_stay_all BEFORE TRUNCATE ON trip_dispatch_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER trip_requests_are_not_removed BEFORE DELETE ON trip_requests FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER trip_dispatches_are_not_removed BEFORE DELETE ON trip_dispatches FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The last number of a unit in a year, of each paper: as case_numbers.
CREATE TABLE trip_numbers (
    paper        text NOT NULL CHECK (paper IN ('request', 'dispatch')),
    organisation text NOT NULL,
    year         integer NOT NULL,
    last         integer NOT NULL CHECK (last > 0),
    PRIMARY KEY (paper, organisation, year)
);

-- Approval tables of units (审批规则表), in versions. A unit without one of its own has that of the nearest unit above it.
CREATE TABLE approval_tables (
    organisation text NOT NULL,
    version      integer NOT NULL CHECK (version > 0),
    body         jsonb NOT NULL,
    made_by      text NOT NULL,
    made_by_name text NOT NULL,
    made_at      timestamptz NOT NULL,
    active_from  timestamptz,                      -- null: a draft
    active_to    timestamptz,
    PRIMARY KEY (organisation, version)
);
CREATE UNIQUE INDEX approval_tables_one_active ON approval_tables (organisation) WHERE active_from IS NOT NULL AND active_to IS NULL;
CREATE FUNCTION approval_table_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (OLD.organisation, OLD.version, OLD.body, OLD.made_by, OLD.made_at) IS DISTINCT FROM
       (NEW.organisation, NEW.version, NEW.body, NEW.made_by, NEW.made_at) OR OLD.active_to IS NOT NULL THEN
        RAISE EXCEPTION 'versions of approval tables are never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approval_tables_stand BEFORE UPDATE OR DELETE ON approval_tables FOR EACH ROW EXECUTE FUNCTION approval_table_stands();

-- Which user a driver of the register is.
CREATE TABLE driver_accounts (
    driver  text PRIMARY KEY REFERENCES drivers (id),
    user_id text NOT NULL UNIQUE REFERENCES users (id),
    set_by  text NOT NULL,
    set_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

SELECT scope_table('trip_requests', 'SELECT, INSERT, UPDATE', 'units && (SELECT reach_units())::text[]');
SELECT scope_table('trip_dispatches', 'SELECT, INSERT, UPDATE', 'units && (SELECT reach_units())::text[]');
SELECT scope_table('trip_links', 'SELECT, INSERT',
    'EXISTS (SELECT FROM trip_requests r WHERE r.id = request_id) OR EXISTS (SELECT FROM trip_dispatches d WHERE d.id = dispatch_id)');
SELECT scope_table('trip_request_events', 'SELECT, INSERT', 'EXISTS (SELECT FROM trip_requests r WHERE r.id = paper)');
SELECT scope_table('trip_dispatch_events', 'SELECT, INSERT', 'EXISTS (SELECT FROM trip_dispatches d WHERE d.id = paper)');
SELECT scope_table('trip_numbers', 'SELECT, INSERT, UPDATE');
SELECT scope_table('approval_tables', 'SELECT, INSERT, UPDATE',
    'organisation = ANY ((SELECT reach_units())::text[]) OR organisation = ANY ((SELECT reach_above())::text[])',
    'organisation = ANY ((SELECT reach_units())::text[])');
SELECT scope_table('driver_accounts', 'SELECT, INSERT, UPDATE, DELETE', 'EXISTS (SELECT FROM drivers d WHERE d.id = driver)');

-- The threads say who did what. Of the rest the audit does.
SELECT audit_table('trip_requests', 'trip-requests');
SELECT audit_table('trip_dispatches', 'dispatches', vehicle => 'r ->> ''vehicle''');
SELECT audit_table('approval_tables', 'approval-tables', 'organisation, version', 'r ->> ''organisation''');
SELECT audit_table('driver_accounts', 'driver-accounts', 'driver', 'r ->> ''driver''', 'NULL::text');

-- Which of ``wanted`` are logins of people who may come in, with their names: who is named in a request or in an approval table.
CREATE FUNCTION known_users(wanted text[]) RETURNS TABLE (id text, name text) LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT u.id, u.name FROM users u WHERE u.id = ANY (wanted) AND u.disabled_at IS NULL
$$;
-- The unit of an order as it is written, and whether the transaction reaches a unit: who acts may not reach the vehicle's, and then the
-- clock writes the version of the order.
CREATE FUNCTION last_order_unit(wanted text) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT o.organisation FROM dispatch_orders o WHERE o.id = wanted AND o.is_newest
$$;
CREATE FUNCTION vehicle_is_known(wanted text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT EXISTS (SELECT FROM vehicles v WHERE v.id = wanted)
$$;
CREATE FUNCTION unit_is_known(wanted text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT EXISTS (SELECT FROM organisations o WHERE o.id = wanted)
$$;
CREATE FUNCTION user_of_driver(wanted text) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT a.user_id FROM driver_accounts a WHERE a.driver = wanted
$$;
CREATE FUNCTION driver_of_user(wanted text) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT a.driver FROM driver_accounts a WHERE a.user_id = wanted
$$;
CREATE FUNCTION unit_is_reached(unit text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT current_user <> 'gongche_app' OR unit = ANY (reach_units())
$$;
DO $$
DECLARE
    each text;
BEGIN
    FOREACH each IN ARRAY ARRAY['known_users(text[])', 'last_order_unit(text)', 'vehicle_is_known(text)', 'unit_is_known(text)', 'user_of_driver(text)', 'driver_of_user(text)'] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', each, current_schema());
    END LOOP;
END $$;

-- Messages about trips: to one person, or to whoever has the permission in a unit.
ALTER TABLE messages ALTER COLUMN case_id DROP NOT NULL;
ALTER TABLE messages ADD COLUMN trip text, ADD COLUMN person text, ADD COLUMN urgent boolean NOT NULL DEFAULT false;
ALTER TABLE messages ADD CONSTRAINT messages_about_one CHECK ((case_id IS NULL) <> (trip IS NULL));
COMMENT ON COLUMN messages.trip IS 'Path of the request or dispatch: trip-requests/<id>, dispatches/<id>.';
COMMENT ON COLUMN messages.person IS 'users.id: for him alone; permission is empty then.';
CREATE INDEX messages_of_persons ON messages (person, id DESC) WHERE person IS NOT NULL;
-- Who takes a step tells units that he does not reach himself: the applicant's, the vehicle's.
ALTER POLICY reach ON messages WITH CHECK (organisation = ANY ((SELECT reach_units())::text[]) OR (trip IS NOT NULL
    AND (EXISTS (SELECT FROM trip_requests r WHERE 'trip-requests/' || r.id = trip AND organisation = ANY (r.units))
      OR EXISTS (SELECT FROM trip_dispatches d WHERE 'dispatches/' || d.id = trip AND organisation = ANY (d.units)))));

-- The threads are chained (migrations/0038_integrity.sql).
SELECT seal_table('trip_request_events', 'trip_requests', 'n.paper, n.version', 'n.at');
SELECT seal_table('trip_dispatch_events', 'trip_dispatches', 'n.paper, n.version', 'n.at');
