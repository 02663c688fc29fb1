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
